"""Engines: the same bits on every one, and nothing lost, done twice or left behind when workers die."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pandatui.search.cohort import DataMoved, Slice, train_slice
from pandatui.search.engines import EngineError, Inline, Processes, WorkerDied, cores

HERE = Path(__file__).parent
Children = Callable[[int], list[int]]
SOON = 20  # seconds in which a worker is to be gone: five, were the machine not busy
LONG_CAMPAIGN = int(os.environ.get("PANDATUI_KILLS", "10")) > 10
LONG = 60  # only a failure waits so long


@pytest.fixture
def two():
    engine = Processes(2)
    yield engine
    engine.close(now=True)


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


# -- the same bits -------------------------------------------------------------------------------------------


def test_the_oracle_has_trials_that_finish_and_trials_that_diverge(oracle):
    assert {status for status, *_ in oracle} == {"finished", "diverged"}


@pytest.mark.parametrize(("width", "steps"), [(1, 1000), (1, 7), (3, 20), (12, 1), (12, 1000)])
def test_inline_gives_each_trial_the_bits_of_a_run_alone(moons, oracle, width, steps, twelve, train_all):
    assert train_all(Inline(), moons, twelve, width, steps) == oracle


def test_a_cohort_of_sixty_four_gives_them_too(moons, oracle, twelve, train_all, new_config):
    more = [new_config(0.001 * i, batch_norm=False) for i in range(1, 53)]
    assert train_all(Inline(), moons, twelve + more, 64, 30)[:12] == oracle


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_give_the_same_bits(moons, oracle, workers, twelve, train_all, children):
    engine = Processes(workers)
    try:
        for width, steps in ((1, 1000), (3, 20), (12, 50)):
            assert train_all(engine, moons, twelve, width, steps) == oracle
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


def test_other_data_than_the_study_has_are_refused_by_the_worker(two, new_config):
    error = two.submit(train_slice, Slice((new_config(0.1),), "0" * 64, None, 1, 5)).exception(LONG)
    assert isinstance(error, DataMoved)
    assert not two.died(error)


def test_a_worker_that_died_idle_costs_no_slice(trainers, children):
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


def test_of_two_workers_one_dies_and_the_other_never_notices(two, trainers, begun, children):
    path, begun_by = begun
    doomed = two.submit(trainers.endless, path)
    (pid,) = begun_by(1)
    other, _ = two.submit(trainers.where, None).result(LONG)
    os.kill(pid, signal.SIGKILL)
    error = doomed.exception(LONG)
    assert isinstance(error, WorkerDied)
    assert two.died(error)
    assert str(error) == "worker ended by signal 9"
    assert other in children(os.getpid())


@pytest.mark.parametrize("size", [2**10, 2**22], ids=["in one piece", "in pieces"])
def test_a_worker_killed_while_it_answers_has_died(size, trainers, two):
    """Half a frame and then nothing: what makes a ProcessPoolExecutor wait for ever."""
    error = two.submit(trainers.half_an_answer, size).exception(LONG)
    assert isinstance(error, WorkerDied)
    assert two.submit(trainers.talkative, "on").result(LONG) == "on"


def test_closing_at_once_kills_what_works_and_leaves_nothing(trainers, begun, children):
    path, begun_by = begun
    engine = Processes(2)
    futures = [engine.submit(trainers.endless, path) for _ in range(3)]
    pids = begun_by(2)
    engine.close(now=True)
    assert all(future.done() for future in futures)
    assert children(os.getpid()) == []
    wait_until_gone(pids)


def test_closing_waits_for_what_is_out(trainers, moons, children, new_config):
    engine = Processes(1)
    future = engine.submit(train_slice, Slice((new_config(0.1),), moons.sha256, None, 1000, 5))
    engine.close(now=False)
    assert future.done()
    assert future.result().ended[0].status == "finished"
    assert children(os.getpid()) == []


def test_a_worker_that_cannot_start_is_an_error_and_no_death(monkeypatch, race, children, new_config):
    monkeypatch.setattr(sys, "path", [])
    engine = Processes(1)
    try:
        error = engine.submit(train_slice, Slice((new_config(0.1),), "", None, 1, 5)).exception(LONG)
    finally:
        engine.close(now=True)
    assert isinstance(error, EngineError)
    assert str(error).startswith("no worker can start: worker ended with status 1: ")
    assert "\n" not in str(error)


# -- a race in which workers die -----------------------------------------------------------------------------


RATES = np.geomspace(0.001, 0.9, 16).tolist()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_race_in_which_workers_are_killed_ends_as_any_other(moons, race, trainers, tmp_path, workers):
    undisturbed = race(Inline(), moons, RATES)
    assert {status for status, *_ in undisturbed} == {"finished"}
    for life in range(6):
        (tmp_path / str(life)).touch()
    engine = Processes(workers)
    try:
        assert race(engine, moons, RATES, partial(trainers.mortal, str(tmp_path))) == undisturbed
    finally:
        engine.close(now=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "engine"), [("poisoned", Processes), ("hungry", Processes), ("hungry", Inline)]
)
def test_a_poison_trial_fails_alone(moons, trainers, name, engine, race):
    rates = [*RATES[:5], trainers.POISON, *RATES[5:]]
    expected = race(Inline(), moons, rates)
    expected[5] = ("failed", "worker died 3 times", 0, [], None, None)
    made = Processes(2) if engine is Processes else Inline()
    try:
        assert race(made, moons, rates, getattr(trainers, name)) == expected
    finally:
        made.close(now=True)


def kill_at_random(children: Children, every: float, over: threading.Event, killed: list[int]) -> None:
    """Kill one worker after the other until it is over."""
    rng = random.Random(1)
    while not over.wait(every):
        if there := children(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid := rng.choice(there), signal.SIGKILL)
                killed.append(pid)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.skipif(not LONG_CAMPAIGN, reason="minutes; PANDATUI_KILLS above 10 asks for it")
def test_a_worker_killed_every_other_second_costs_no_trial(moons, race, children):
    rates = np.geomspace(0.001, 0.9, 64).tolist()
    undisturbed = race(Inline(), moons, rates, epochs=2000)
    engine, over, killed = Processes(2), threading.Event(), []
    with ThreadPoolExecutor(1) as thread:
        killer = thread.submit(kill_at_random, children, 2.0, over, killed)
        try:
            while len(killed) < 5:
                assert race(engine, moons, rates, epochs=2000) == undisturbed
        finally:
            over.set()
            engine.close(now=True)
        killer.result()


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
    print("waits", flush=True)
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
def test_a_parent_that_is_killed_leaves_no_worker(program, begun, end, children):
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
        assert [parent.stdout.readline() for _ in range(2)] == ["begins\n", "waits\n"]
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdout.readline() == "interrupted\n"
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
