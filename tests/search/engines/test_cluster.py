"""The engine for a cluster against a real Dask scheduler and real workers on 127.0.0.1."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from pandatui.search import cluster as module
from pandatui.search.cluster import Cluster, refusal, versions_here
from pandatui.search.cohort import DataMoved, Slice, train_slice
from pandatui.search.engines import EngineError, Inline

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("distributed"), reason="Dask is not installed")

HERE = Path(__file__).parent
LONG = 60  # only a failure waits so long
LONG_CAMPAIGN = int(os.environ.get("PANDATUI_KILLS", "10")) > 10
LOCAL = ("--host", "127.0.0.1", "--no-dashboard")


@contextmanager
def dask(command: str, folder: Path, *options: str):
    """`dask scheduler` or `dask worker`; its output, as it comes, by line."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{command}", *LOCAL, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ
        | {"HOME": str(folder), "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """The next line of its log with these words."""
    for line in process.stderr:
        if words in line:
            threading.Thread(target=drain, args=(process,), daemon=True).start()  # lest the pipe is full
            return line
    raise AssertionError(f"it ended before it said {words!r}")


def drain(process: subprocess.Popen[str]) -> None:
    with suppress(ValueError):  # closed already
        process.stderr.read()


class Running:
    """A scheduler and its workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self.scheduler = self._stack.enter_context(dask("scheduler", folder, "--port", "0"))
        self.address = line_with(self.scheduler, "Scheduler at:").split()[-1]

    def add_worker(self, *options: str) -> subprocess.Popen[str]:
        worker = self._stack.enter_context(
            dask("worker", self.folder, self.address, "--nworkers", "1", "--nthreads", "1", *options)
        )
        line_with(worker, "Registered to:")
        return worker

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with closing(Running(tmp_path_factory.mktemp("dask"))) as it:
        it.add_worker()
        it.add_worker()
        yield it


@pytest.fixture
def alone(tmp_path):
    """A scheduler of one's own, without workers."""
    with closing(Running(tmp_path)) as it:
        yield it


@pytest.fixture
def engine(running):
    made = Cluster(running.address)
    yield made
    made.close(now=True)


# -- training ------------------------------------------------------------------------------------------------


def test_dask_gives_each_trial_the_bits_of_a_run_alone(engine, moons, twelve, oracle, train_all):
    assert engine.workers == 2
    for width, steps in ((1, 1000), (3, 20), (12, 50)):
        assert train_all(engine, moons, twelve, width, steps) == oracle


def test_what_is_raised_on_a_worker_is_raised_here(engine, trainers, new_config):
    error = engine.submit(trainers.refused, "a word").exception(LONG)
    assert (type(error), error.args) == (ValueError, ("a word",))
    assert not engine.died(error)
    moved = engine.submit(train_slice, Slice((new_config(0.1),), "0" * 64, None, 1, 5)).exception(LONG)
    assert isinstance(moved, DataMoved)


def test_a_slice_of_any_size_goes_out_without_a_warning(engine):
    assert engine.submit(len, bytes(20_000_000)).result(LONG) == 20_000_000


@pytest.mark.parametrize("now", [True, False])
def test_leaving_leaves_the_cluster_as_it_is(running, trainers, now):
    for _ in range(2):
        engine = Cluster(running.address)
        future = engine.submit(trainers.talkative, "there")
        engine.close(now=now)
        assert now or future.result(0) == "there"


# -- deaths --------------------------------------------------------------------------------------------------


RATES = [0.001 * 1.5**i for i in range(16)]


def test_a_race_in_which_workers_are_killed_ends_as_any_other(engine, moons, race, trainers, tmp_path):
    for life in range(6):
        (tmp_path / str(life)).touch()
    assert race(engine, moons, RATES, partial(trainers.mortal, str(tmp_path))) == race(Inline(), moons, RATES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not LONG_CAMPAIGN, reason="Dask tries a dozen times by itself; PANDATUI_KILLS above 10 asks for it"
)
@pytest.mark.parametrize("name", ["poisoned", "hungry"])
def test_a_poison_trial_fails_alone(engine, moons, race, trainers, name):
    """Dask tries four times by itself, and then says that the slice kills."""
    rates = [RATES[0], trainers.POISON]
    expected = race(Inline(), moons, rates)
    expected[1] = ("failed", "worker died 3 times", 0, [], None, None)
    assert race(engine, moons, rates, getattr(trainers, name)) == expected


@pytest.mark.parametrize("name", ["patient", "Reluctant"])
def test_a_scheduler_that_is_killed_is_an_error_and_no_wait(alone, begun, trainers, tmp_path, name):
    """While a slice is trained, and while what has come out of it is fetched."""
    alone.add_worker()
    engine = Cluster(alone.address, patience=LONG)
    engine._client._timeout = 2  # what Dask waits for its scheduler to come back
    path, begun_by = begun
    go_on = tmp_path / "go on"
    os.mkfifo(go_on)
    try:
        future = engine.submit(getattr(trainers, name), (path, str(go_on)))
        begun_by(1)
        alone.scheduler.kill()
        error = future.exception(LONG)
        assert isinstance(error, EngineError)
        assert str(error) == f"scheduler {alone.address}: the connection is lost"
        assert not engine.died(error)
        assert isinstance(engine.submit(trainers.talkative, "on").exception(LONG), EngineError)
        with open(os.open(go_on, os.O_RDWR), "wb", buffering=0) as file:
            file.write(b".")  # the worker can end
    finally:
        engine.close(now=True)


# -- refusals ------------------------------------------------------------------------------------------------

HERE_IS = {"Python": "3.12.1", "NumPy": "2.3.0", "pandatui": "0.1.0"}


def test_workers_with_the_same_versions_are_welcome():
    assert refusal(HERE_IS, {}) is None
    assert refusal(HERE_IS, {"tcp://a:1": dict(HERE_IS), "tcp://b:1": HERE_IS | {"Dask": "1"}}) is None


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            {"tcp://a:1": HERE_IS | {"NumPy": "2.2.0"}},
            "worker tcp://a:1 has NumPy 2.2.0: expected NumPy 2.3.0, as here",
        ),
        (
            {"tcp://b:1": HERE_IS | {"Python": "3.13.0", "pandatui": None}, "tcp://a:1": HERE_IS},
            "worker tcp://b:1 has Python 3.13.0, no pandatui: expected Python 3.12.1, pandatui 0.1.0, "
            "as here (1 of 2 workers differs)",
        ),
        (
            {"tcp://b:1": HERE_IS | {"NumPy": "1"}, "tcp://a:1": HERE_IS | {"NumPy": "1"}},
            "worker tcp://a:1 has NumPy 1: expected NumPy 2.3.0, as here (2 of 2 workers differ)",
        ),
    ],
)
def test_workers_with_other_versions_are_refused_with_a_sentence(found, sentence):
    assert refusal(HERE_IS, found) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "import pandatui; pandatui.__version__ = '0.0.9'",
            "has pandatui 0.0.9: expected pandatui {pandatui}",
        ),
        ("import sys; sys.modules['pandatui'] = None", "has no pandatui: expected pandatui {pandatui}"),
    ],
)
def test_a_real_worker_with_other_versions_is_refused(alone, tmp_path, change, sentence):
    preload = tmp_path / "changed.py"
    preload.write_text(change)
    alone.add_worker("--preload", str(preload))
    with pytest.raises(EngineError) as raised:
        Cluster(alone.address)
    assert sentence.format(**versions_here()) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_python_is_refused_before_it_is_sent_code(running, monkeypatch):
    monkeypatch.setattr(module.platform, "python_version", lambda: "3.99.0")
    with pytest.raises(EngineError, match=r"has Python 3\.\d+\.\d+: expected Python 3\.99\.0, as here"):
        Cluster(running.address)


def test_a_worker_that_joins_later_is_refused_by_its_first_slice(alone, tmp_path, begun, trainers):
    alone.add_worker()
    engine = Cluster(alone.address)
    path, begun_by = begun
    go_on = tmp_path / "go on"
    os.mkfifo(go_on)
    try:
        preload = tmp_path / "changed.py"
        preload.write_text("import pandatui; pandatui.__version__ = '0.0.9'")
        alone.add_worker("--preload", str(preload))
        futures = [engine.submit(trainers.patient, (path, str(go_on))) for _ in range(2)]
        begun_by(1)
        with open(os.open(go_on, os.O_RDWR), "wb", buffering=0) as file:
            file.write(b".")
            errors = [error for future in futures if (error := future.exception(LONG))]
    finally:
        engine.close(now=True)
    assert [type(error) for error in errors] == [EngineError]
    assert "has pandatui 0.0.9" in str(errors[0])


def test_a_scheduler_without_workers_says_how_to_start_some(alone, monkeypatch):
    wait = Cluster._await_workers
    monkeypatch.setattr(Cluster, "_await_workers", lambda self, patience: wait(self, 0.5))  # nobody comes
    with pytest.raises(EngineError, match=r"no workers; start some with `dask worker tcp://"):
        Cluster(alone.address, patience=LONG)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(100)], ids=["silent", "other"])
def test_who_answers_otherwise_is_no_scheduler(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        over = threading.Event()

        def reply():
            with ExitStack() as accepted:
                while not over.is_set():
                    it = accepted.enter_context(server.accept()[0])
                    with suppress(OSError):  # it has gone
                        it.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(EngineError) as raised:
            Cluster(address, patience=LONG if answer else 1)
        over.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()
    why = "what answers there is no Dask scheduler" if answer else "no answer within 1 s"
    assert str(raised.value) == f"scheduler '{address}': not reached: {why}"


@pytest.mark.parametrize(
    "address", ["", "nonsense", "::", "http://127.0.0.1:80", "tcp://127.0.0.1:1", "a\x1b[31m:1"]
)
def test_an_address_where_nobody_is_is_one_line(address):
    with pytest.raises(EngineError) as raised:
        Cluster(address, patience=1)
    assert str(raised.value).isprintable()
    assert str(raised.value).startswith("scheduler '")


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError, match=r"^Dask is not installed: pip install 'pandatui\[cluster\]'$"):
        Cluster("tcp://127.0.0.1:8786")
