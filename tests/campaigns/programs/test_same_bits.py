"""The same bits everywhere: one run in the app, without a screen, in a study, in a pool and on a cluster.

Its trials come in any order, two busy children take the processors, and the clock is moved by a day at every
look. `PANDATUI_REPEATS` says how often all of it is done; 20 is the long form.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pandatui.search.cohort import lend
from pandatui.search.engines import Processes
from pandatui.search.race import Engine, Race
from pandatui.search.space import default_space
from pandatui.search.spec import Spec
from pandatui.search.study import Study
from pandatui.sessions import Session
from pandatui.sessions.schema import EventRecord
from pandatui.sessions.store import look, read
from pandatui.training.setup import RunOptions, prepare

pytestmark = pytest.mark.campaign

REPEATS = int(os.environ.get("PANDATUI_REPEATS", "1"))
LONG = REPEATS > 1
BUSY = 2  # children
PATIENCE = 600.0  # seconds, beside them: only a failure waits so long
WORKERS = (1, 2, 4)
RATE, MOMENTUM = 0.05, 0.95
EPOCHS = 40 if LONG else 3  # in the long form more steps than a block of the chain of costs has
OPTIONS = ("--data", "digits", "--hidden", "24,12", "--batch-size", "50", "--epochs", str(EPOCHS))
RUN = (*OPTIONS, "--seed", "7", "--learning-rate", str(RATE), "--momentum", str(MOMENTUM))
# a study of the run and its neighbours: the first trial is the run itself
SPEC = """
sampling = "neighbours"
rounds = 1
"""
# for the pool and the cluster: the run among others, some of its shape and some not
POINTS: list[dict[str, Any]] = [
    {"learning_rate": rate, "momentum": momentum}
    for rate in (RATE, 0.1, 0.3, 100.0)
    for momentum in (0.9, MOMENTUM)
] + [{"learning_rate": RATE, "momentum": MOMENTUM, "activation": name} for name in ("tanh", "sigmoid")]

# Python reads it before all else, in every process of the program: no two looks at the clock agree by a day
MOVED = """
import datetime, itertools, time

was, was_ns, days = time.time, time.time_ns, itertools.cycle((1, -1, -1, 1, -1, 1))
time.time = lambda: was() + next(days) * 86_400
time.time_ns = lambda: was_ns() + next(days) * 86_400 * 10**9

class Moved(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

datetime.datetime = Moved
"""

PRESSED = (("AA", "learning rate 0.158"), ("b", "momentum 0."), ("u", "went back"), (" ", "paused"))

Hashes = tuple[str | None, str | None]


@contextmanager
def load(children: int) -> Iterator[None]:
    """So many processes beside us that do nothing but be busy."""
    with ExitStack() as stack:
        for _ in range(children):
            child = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]))
            stack.callback(child.kill)
        yield


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """The address of a Dask scheduler with workers, all of it on this machine."""
    environ = os.environ | {"HOME": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def begun(command: str, *options: str, says: str) -> str:
        module = f"distributed.cli.dask_{command}"
        arguments = [sys.executable, "-m", module, "--host", "127.0.0.1", "--no-dashboard", *options]
        process = stack.enter_context(
            subprocess.Popen(
                arguments,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                cwd=folder,
                env=environ,
            )
        )
        stack.callback(process.terminate)
        assert process.stderr is not None
        line = next((line for line in process.stderr if says in line), "")
        assert line, f"it ended before it said {says!r}"
        threading.Thread(target=process.stderr.read, daemon=True).start()  # lest the pipe is full
        return line.split()[-1]

    with ExitStack() as stack:
        address = begun("scheduler", "--port", "0", says="Scheduler at:")
        for _ in range(workers):
            begun("worker", address, "--nworkers", "1", "--nthreads", "1", says="Registered to:")
        yield address


class NoLedger:
    """Keeps nothing on record."""

    def began(self, made: Any) -> None:
        pass

    def ended(self, trials: Any) -> None:
        pass

    def decided(self, of: Any, epoch: int, dropped: Any) -> None:
        pass


class Ways:
    """The ways to train the run; each gives its hashes, those of trials by their settings too."""

    def __init__(self, found: Any) -> None:
        self.found = found
        self.trials: dict[str, set[tuple[Any, ...]]] = {}  # by settings: what they came to
        self._number = 0

    def name(self) -> str:
        self._number += 1
        return f"run-{self._number}"

    def headless(self, **environ: str) -> Hashes:
        return hashes_of(
            self.found.answer("train", *RUN, "--json", "--name", self.name(), patience=PATIENCE, **environ)
        )

    def app(self, **environ: str) -> Hashes:
        name = self.name()
        path = self.found.folder / f"{name}.json"
        t = self.found.terminal(*RUN, "--pace", "max", "--name", name, **environ)
        t.until(lambda: path.exists() and read(path)[0].status == "finished", "its end")
        t.type("q")
        assert t.ends() == 0
        assert not t.broken
        result = read(path)[0].result
        return result.weights_sha256, result.costs_sha256

    def batch(self, *options: str, **environ: str) -> Hashes:
        spec = self.found.folder.with_name("neighbours.toml")
        spec.write_text(SPEC)
        said = ("batch", str(spec), *RUN, *options, "--json", "--name", self.name())
        done = self.found.answer(*said, patience=PATIENCE, **environ)
        assert done.returncode in (0, 7), done.stderr  # 7: a trial that diverged
        trials = json.loads(done.stdout)["trials"]
        for each in trials:
            self._noted(each["knobs"], each["status"], each["weights_sha256"], each["costs_sha256"])
        ours = trials[0]
        assert (ours["knobs"]["learning_rate"], ours["knobs"]["momentum"]) == (RATE, MOMENTUM)
        return ours["weights_sha256"], ours["costs_sha256"]

    def raced(self, engine: Engine) -> Hashes:
        """The points in any order, on an engine."""
        options = RunOptions(data="digits", hidden=(24, 12), batch_size=50, epochs=EPOCHS)
        config, dataset = prepare(options)
        lend(dataset, config)
        points = self.found.chance.sample(POINTS, len(POINTS))
        spec = Spec(options, trials=len(points), rounds=1, seed=7)
        study = Study(spec, config, default_space(config), points)
        with closing_engine(engine):
            Race(study, dataset, engine, NoLedger()).run()
        found: list[Hashes] = []
        for point, trial in zip(points, study.trials.values(), strict=True):
            self._noted(point, trial.status, trial.weights_sha256, trial.costs_sha256)
            if point == {"learning_rate": RATE, "momentum": MOMENTUM}:
                found.append((trial.weights_sha256, trial.costs_sha256))
        (ours,) = found
        return ours

    def pool(self, workers: int) -> Hashes:
        return self.raced(Processes(workers))

    def dask(self, address: str) -> Hashes:
        from pandatui.search.cluster import Cluster

        return self.raced(Cluster(address))

    def _noted(self, settings: dict[str, Any], *came_to: Any) -> None:
        self.trials.setdefault(json.dumps(settings, sort_keys=True), set()).add(came_to)
        self.found.seen["trials"] += 1


@contextmanager
def closing_engine(engine: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.close(now=True)


def hashes_of(done: subprocess.CompletedProcess[str]) -> Hashes:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["weights_sha256"], found["costs_sha256"]


@pytest.fixture
def moved(tmp_path: Path) -> dict[str, str]:
    """The environment in which the clock is moved."""
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(MOVED)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))}


def test_one_run_in_every_way(attacks: Any, moved: dict[str, str], tmp_path: Path) -> None:
    found = attacks("one run in every way")
    ways = Ways(found)
    wanted = ways.headless()
    assert None not in wanted
    counts = WORKERS if LONG else (found.chance.choice(WORKERS),)
    with ExitStack() as stack:
        each: list[tuple[str, Callable[[], Hashes]]] = [
            ("without a screen", ways.headless),
            ("in the app", ways.app),
            *((f"in a pool of {n}", lambda n=n: ways.pool(n)) for n in counts),
            ("in a study", lambda: ways.batch("--workers", "2", **(moved if LONG else {}))),
        ]
        if LONG:
            each += [("with the clock moved", lambda: ways.headless(**moved))]
            each += [("in the app with the clock moved", lambda: ways.app(**moved))]
        if importlib.util.find_spec("distributed"):
            address = stack.enter_context(cluster(tmp_path, 2 if LONG else 1))
            each += [("on Dask", lambda: ways.dask(address))]
            if LONG:
                each += [("in a study on Dask", lambda: ways.batch("--scheduler", address))]
        for _ in range(REPEATS):
            found.chance.shuffle(each)
            for number, (way, train) in enumerate(each):
                with load(BUSY if LONG or number == 0 else 0):
                    assert train() == wanted, way
                found.seen[way] += 1
    assert [settings for settings, came_to in ways.trials.items() if len(came_to) != 1] == []
    found.seen["hashes of the run"] = 1
    found.seen["settings, each with one hash"] = len(ways.trials)


def told(session: Session) -> list[EventRecord]:
    """The events but for the running time."""
    return [msgspec.structs.replace(event, seconds=0.0) for event in session.events]


def test_the_clock_moved_by_days(attacks: Any, moved: dict[str, str]) -> None:
    """Only `created` tells of it; running time is running time, and the record is trained again as it is."""
    found = attacks("the clock moved by days")
    nudges = ("20:learning_rate=*1.5", "21:learning_rate=0.2", "60:momentum=0.8")
    plan = [word for nudge in nudges for word in ("--nudge", nudge)]
    sessions = {}
    for name, environ in (("still", {}), ("moved", moved)):
        done = found.answer("train", *RUN, *plan, "--json", "--name", name, **environ)
        sessions[name] = hashes_of(done), read(found.folder / f"{name}.json")[0]
    (wanted, still), (had, other) = sessions["still"], sessions["moved"]
    assert had == wanted
    assert told(other) == told(still)
    assert away(still) < timedelta(hours=1)
    assert away(other) > timedelta(hours=23)
    for number in range(REPEATS):
        name = f"pressed-{number}"
        began = time.monotonic()
        t = found.terminal(*OPTIONS, "--epochs", "1000000", "--pace", "40", "--name", name, **moved)
        t.says("train")
        for keys, words in PRESSED:
            since = len(t.shown)
            t.type(keys)
            t.says(words, since)
        t.type("q")
        assert t.ends() == 0
        took = time.monotonic() - began
        stored = look(found.folder / f"{name}.json")
        assert (stored.status, stored.edited, stored.warning) == ("stopped", False, "")
        assert stored.session is not None
        seconds = [event.seconds for event in stored.session.events]
        assert seconds == sorted(seconds)
        assert 0 <= seconds[0] <= stored.session.seconds <= took
        nudges = [event.nudge for event in stored.session.events if event.kind == "nudge"]
        assert nudges in ([1, 1, 2], [1, 2, 3])  # two seconds apart two presses are two nudges
        assert away(stored.session) > timedelta(hours=23)
        assert found.answer("replay", name, "--verify").returncode == 0
        found.seen["records under a moved clock that verify"] += 1


def away(session: Session) -> timedelta:
    """How far from now a session says that it was made."""
    return abs(datetime.now(UTC) - datetime.fromisoformat(session.created))
