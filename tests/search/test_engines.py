"""Engines: the same bits on every one, and nothing lost, done twice or left behind when workers die."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pandatui.data import load
from pandatui.search.cohort import DataMoved, Slice, train_slice
from pandatui.search.engines import EngineError, Inline, Processes, WorkerDied, cores
from pandatui.search.race import Race
from pandatui.search.space import default_space
from pandatui.search.spec import Spec
from pandatui.search.study import Study
from pandatui.training import Run, RunConfig
from pandatui.training.setup import RunOptions

HERE = Path(__file__).parent
SOON = 5  # seconds in which a worker is to be gone
LONG_CAMPAIGN = int(os.environ.get("PANDATUI_KILLS", "10")) > 10
LONG = 60  # only a failure waits so long


@pytest.fixture(scope="module")
def moons():
    return load("moons", standardise="column")


def config(rate: float, **more: object) -> RunConfig:
    settings: dict[str, object] = {"hidden": (6, 5), "batch_size": 64, "epochs": 5} | more
    return RunConfig(data="moons", standardise="column", learning_rate=rate, **settings)  # type: ignore[arg-type]


TWELVE = [
    config(rate, momentum=momentum, decay=decay, batch_norm=False)
    for rate in (0.01, 0.1, 1.0, 100.0)  # the last does not last
    for momentum, decay in ((0.9, 0.0), (0.5, 1.0), (0.99, 0.0))
]


@pytest.fixture
def trainers(monkeypatch):
    """The module of trainers, where workers find it too."""
    monkeypatch.syspath_prepend(HERE)
    import engine_trainers

    return engine_trainers


@pytest.fixture
def two():
    engine = Processes(2)
    yield engine
    engine.close(now=True)


@pytest.fixture
def begun(tmp_path):
    """A pipe in which `endless` says that it has begun, and a function that reads so many process ids."""
    path = tmp_path / "begun"
    os.mkfifo(path)
    with open(os.open(path, os.O_RDWR)) as file:
        yield str(path), lambda count: [int(file.readline()) for _ in range(count)]


def children(pid: int) -> list[int]:
    return [
        int(child)
        for listed in Path(f"/proc/{pid}/task").glob("*/children")
        for child in listed.read_text().split()
    ]


def wait_until_gone(pids: list[int], seconds: float = SOON) -> None:
    """Fails where one of these is there for longer."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([handle], [], [], seconds)[0], f"{pid} is still there after {seconds} s"
        finally:
            os.close(handle)


def alone(dataset, config):
    """Status, steps, train costs, dev points and weights of a run by itself, which knows no population."""
    run = Run(config, dataset)
    while run.ready:
        run.step()
    dev = run.history.dev_cost.part(0, run.history.epochs).tolist()
    return run.status, run.steps, run.history.costs_sha256(), dev, run.weights_sha256()


def trained(engine, dataset, configs, width, steps):
    """The same of every config, trained on an engine in cohorts of `width`, `steps` a slice."""
    import hashlib

    costs = {i: [] for i in range(len(configs))}
    dev = {i: [] for i in costs}
    ended = {}
    cohorts = [(list(costs)[i : i + width], None) for i in range(0, len(configs), width)]
    while cohorts:
        out = [
            (
                rows,
                engine.submit(
                    train_slice, Slice(tuple(configs[i] for i in rows), dataset.sha256, state, steps, 5)
                ),
            )
            for rows, state in cohorts
        ]
        cohorts = []
        for rows, future in out:
            outcome = future.result(LONG)
            for row, i in enumerate(rows):
                column = outcome.costs[:, row]
                costs[i] += column[~np.isnan(column)].tolist()
            for point in outcome.dev:
                for member, cost in zip(point.members, point.cost, strict=True):
                    dev[rows[member]].append(float(cost))
            for end in outcome.ended:
                ended[rows[end.member]] = end
            if outcome.state is not None:
                cohorts.append(([rows[member] for member in outcome.members], outcome.state))
    found = []
    for i, end in sorted(ended.items()):
        # fewer steps than a block of the chain has
        chain = hashlib.sha256(bytes(32) + np.array(costs[i], "<f8").tobytes()).hexdigest()
        found.append((end.status, end.steps, chain, dev[i], end.weights_sha256))
    return found


# -- the same bits -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oracle(moons):
    return [alone(moons, each) for each in TWELVE]


def test_the_oracle_has_trials_that_finish_and_trials_that_diverge(oracle):
    assert {status for status, *_ in oracle} == {"finished", "diverged"}


@pytest.mark.parametrize(("width", "steps"), [(1, 1000), (1, 7), (3, 20), (12, 1), (12, 1000)])
def test_inline_gives_each_trial_the_bits_of_a_run_alone(moons, oracle, width, steps):
    assert trained(Inline(), moons, TWELVE, width, steps) == oracle


def test_a_cohort_of_sixty_four_gives_them_too(moons, oracle):
    more = [config(0.001 * i, batch_norm=False) for i in range(1, 53)]
    assert trained(Inline(), moons, TWELVE + more, 64, 30)[:12] == oracle


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_give_the_same_bits(moons, oracle, workers):
    engine = Processes(workers)
    try:
        for width, steps in ((1, 1000), (3, 20), (12, 50)):
            assert trained(engine, moons, TWELVE, width, steps) == oracle
    finally:
        engine.close(now=False)
    assert children(os.getpid()) == []


# -- processes -----------------------------------------------------------------------------------------------


def test_cores_are_those_that_we_may_use():
    assert cores() == len(os.sched_getaffinity(0))
    assert cores(spare=1) == max(1, cores() - 1)
    assert cores(spare=10_000) == 1


def test_a_worker_loads_neither_the_screen_nor_the_commands(two, trainers):
    modules = two.submit(trainers.modules, None).result(LONG)
    assert "pandatui.search.worker" in modules
    assert not {"textual", "rich", "plotext", "click", "pytest"} & set(modules)
    assert not [name for name in modules if name.startswith(("pandatui.tui", "pandatui.cli"))]


def test_a_nice_worker_is_nice(trainers):
    engine = Processes(1, nice=5)
    try:
        pid, nice = engine.submit(trainers.where, None).result(LONG)
    finally:
        engine.close(now=False)
    assert pid != os.getpid()
    assert nice == min(19, os.nice(0) + 5)


def test_what_a_worker_prints_is_no_answer(two, trainers):
    assert [two.submit(trainers.talkative, word).result(LONG) for word in "ab"] == ["a", "b"]


def test_what_is_raised_in_a_worker_is_raised_here_and_says_where(two, trainers):
    error = two.submit(trainers.refused, "a word").exception(LONG)
    assert (type(error), error.args) == (ValueError, ("a word",))
    assert "in refused" in error.__notes__[0]
    assert not two.died(error)
    assert isinstance(two.submit(trainers.unreadable, "x").exception(LONG), RuntimeError)
    assert two.submit(trainers.talkative, "on").result(LONG) == "on"


def test_other_data_than_the_study_has_are_refused_by_the_worker(two):
    error = two.submit(train_slice, Slice((config(0.1),), "0" * 64, None, 1, 5)).exception(LONG)
    assert isinstance(error, DataMoved)
    assert not two.died(error)


def test_a_worker_that_died_idle_costs_no_slice(trainers):
    engine = Processes(1)
    try:
        first, _ = engine.submit(trainers.where, None).result(LONG)
        os.kill(first, signal.SIGKILL)
        wait_until_gone([first])
        second, _ = engine.submit(trainers.where, None).result(LONG)
        assert second != first
        assert children(os.getpid()) == [second]
    finally:
        engine.close(now=False)


def test_of_two_workers_one_dies_and_the_other_never_notices(two, trainers, begun):
    path, begun_by = begun
    doomed = two.submit(trainers.endless, path)
    (pid,) = begun_by(1)
    other, _ = two.submit(trainers.where, None).result(LONG)
    os.kill(pid, signal.SIGKILL)
    error = doomed.exception(LONG)
    assert isinstance(error, WorkerDied)
    assert two.died(error)
    assert str(error) == "worker ended by signal 9"
    assert other in [two.submit(trainers.where, None).result(LONG)[0] for _ in range(2)]


@pytest.mark.parametrize("size", [2**10, 2**22], ids=["in one piece", "in pieces"])
def test_a_worker_killed_while_it_answers_has_died(size, trainers, two):
    """Half a frame and then nothing: what makes a ProcessPoolExecutor wait for ever."""
    error = two.submit(trainers.half_an_answer, size).exception(LONG)
    assert isinstance(error, WorkerDied)
    assert two.submit(trainers.talkative, "on").result(LONG) == "on"


def test_closing_at_once_kills_what_works_and_leaves_nothing(trainers, begun):
    path, begun_by = begun
    engine = Processes(2)
    futures = [engine.submit(trainers.endless, path) for _ in range(3)]
    pids = begun_by(2)
    engine.close(now=True)
    assert all(future.done() for future in futures)
    assert children(os.getpid()) == []
    wait_until_gone(pids)


def test_closing_waits_for_what_is_out(trainers, moons):
    engine = Processes(1)
    future = engine.submit(train_slice, Slice((config(0.1),), moons.sha256, None, 1000, 5))
    engine.close(now=False)
    assert future.done()
    assert future.result().ended[0].status == "finished"
    assert children(os.getpid()) == []


def test_a_worker_that_cannot_start_is_an_error_and_no_death(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    engine = Processes(1)
    try:
        error = engine.submit(train_slice, Slice((config(0.1),), "", None, 1, 5)).exception(LONG)
    finally:
        engine.close(now=True)
    assert isinstance(error, EngineError)
    assert str(error).startswith("no worker can start: worker ended with status 1: ")
    assert "\n" not in str(error)


# -- a race in which workers die -----------------------------------------------------------------------------


class Notes:
    """A ledger that lists which trials have ended."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def began(self, made) -> None:
        pass

    def ended(self, trials) -> None:
        self.numbers += [trial.number for trial in trials]

    def decided(self, of, epoch, dropped) -> None:
        self.ended(dropped)


def raced(engine, dataset, rates, train=train_slice, epochs=5):
    """Race these learning rates; every trial's result, once it is sure that none has ended twice."""
    base = config(0.1, epochs=epochs)
    spec = Spec(RunOptions(data="moons", epochs=epochs), trials=len(rates), rounds=1)
    study = Study(spec, base, default_space(base), [{"learning_rate": rate} for rate in rates])
    notes = Notes()
    Race(study, dataset, engine, notes, train=train).run()
    assert sorted(notes.numbers) == list(study.trials) == list(range(1, len(rates) + 1))
    return [
        (trial.status, trial.reason, trial.steps, trial.dev, trial.costs_sha256, trial.weights_sha256)
        for trial in study.trials.values()
    ]


RATES = np.geomspace(0.001, 0.9, 16).tolist()


class Deadly(Processes):
    """Kills a worker right after having sent out some of the slices."""

    def __init__(self, workers: int, after: set[int]) -> None:
        super().__init__(workers)
        self.after = after
        self.sent = self.killed = 0

    def submit(self, train, work):
        future = super().submit(train, work)
        self.sent += 1
        if self.sent in self.after and (there := children(os.getpid())):
            os.kill(there[-1], signal.SIGKILL)
            self.killed += 1
        return future


@pytest.mark.parametrize("workers", [1, 2])
def test_a_race_in_which_workers_are_killed_ends_as_any_other(moons, workers):
    undisturbed = raced(Inline(), moons, RATES)
    assert {status for status, *_ in undisturbed} == {"finished"}
    engine = Deadly(workers, {2, 3, 5, 8, 13})
    try:
        assert raced(engine, moons, RATES) == undisturbed
    finally:
        engine.close(now=True)
    assert engine.killed >= 3


@pytest.mark.parametrize(
    ("name", "engine"), [("poisoned", Processes), ("hungry", Processes), ("hungry", Inline)]
)
def test_a_poison_trial_fails_alone(moons, trainers, name, engine):
    rates = [*RATES[:5], trainers.POISON, *RATES[5:]]
    expected = raced(Inline(), moons, rates)
    expected[5] = ("failed", "worker died 3 times", 0, [], None, None)
    made = Processes(2) if engine is Processes else Inline()
    try:
        assert raced(made, moons, rates, getattr(trainers, name)) == expected
    finally:
        made.close(now=True)


def killed_at_random(engine: Processes, every: float, over: threading.Event) -> int:
    """Kill one worker after the other until it is over; how many."""
    rng, killed = random.Random(1), 0
    while not over.wait(every):
        if there := children(os.getpid()):
            os.kill(rng.choice(there), signal.SIGKILL)
            killed += 1
    return killed


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_worker_killed_every_other_second_costs_no_trial(moons):
    trials, epochs, every = (64, 2000, 2.0) if LONG_CAMPAIGN else (16, 200, 1.0)
    rates = np.geomspace(0.001, 0.9, trials).tolist()
    undisturbed = raced(Inline(), moons, rates, epochs=epochs)
    engine, over = Processes(2), threading.Event()
    with ThreadPoolExecutor(1) as thread:
        killed = thread.submit(killed_at_random, engine, every, over)
        try:
            assert raced(engine, moons, rates, epochs=epochs) == undisturbed
        finally:
            over.set()
            engine.close(now=True)
        assert killed.result() >= 2


# -- whoever starts them -------------------------------------------------------------------------------------

PROGRAM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import engine_trainers
from pandatui.search.engines import Processes

print("begins", flush=True)  # without a guard: a worker that ran this, too, would say so again
engine = Processes(2)
"""

ENDLESS = """
for future in [engine.submit(engine_trainers.endless, sys.argv[2]) for _ in range(2)]:
    future.result()
"""

INTERRUPTED = """
futures = [engine.submit(engine_trainers.patient, sys.argv[2:]) for _ in range(2)]
try:
    [future.result() for future in futures]
except KeyboardInterrupt:
    print("interrupted", flush=True)
    print(*[future.result() for future in futures])
    engine.close(now=False)
    sys.exit(130)
"""

HAMMERED = """
signal.signal(signal.SIGINT, lambda *_: None)
future = engine.submit(engine_trainers.talkative, "started")
while not future.done():
    os.killpg(0, signal.SIGINT)
print(future.result())
engine.close(now=False)
"""


@pytest.fixture
def program():
    """Starts a program of its own process group, with the folder of trainers and more as arguments."""
    started = []

    def start(code: str, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + code, str(HERE), *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_parent_that_is_killed_leaves_no_worker(program, begun, end):
    path, begun_by = begun
    parent = program(ENDLESS, path)
    pids = begun_by(2)
    assert sorted(pids) == sorted(children(parent.pid))
    parent.send_signal(end)
    assert parent.wait(LONG) == -end
    wait_until_gone(pids)
    assert parent.communicate() == ("begins\n", "")


def test_an_interrupt_reaches_the_parent_alone(program, begun, tmp_path):
    path, begun_by = begun
    go_on = tmp_path / "go on"
    os.mkfifo(go_on)
    with open(os.open(go_on, os.O_RDWR), "wb", buffering=0) as file:
        parent = program(INTERRUPTED, path, str(go_on))
        pids = begun_by(2)
        os.killpg(parent.pid, signal.SIGINT)
        assert [parent.stdout.readline() for _ in range(2)] == ["begins\n", "interrupted\n"]
        file.write(b"..")
        said, complaints = parent.communicate(timeout=LONG)
    assert sorted(map(int, said.split())) == sorted(pids)
    assert complaints == ""
    assert parent.returncode == 130
    wait_until_gone(pids)


def test_an_interrupt_while_a_worker_starts_reaches_the_parent_alone(program):
    parent = program(HAMMERED)
    assert parent.communicate(timeout=LONG) == ("begins\nstarted\n", "")
    assert parent.returncode == 0


async def test_workers_start_inside_a_running_app(trainers):
    """Where multiprocessing can't: Textual's stderr has no file."""
    from textual.app import App

    async with App().run_test():
        engine = Processes(1)
        try:
            assert engine.submit(trainers.talkative, "there").result(LONG) == "there"
        finally:
            engine.close(now=True)
