"""Killed at any moment: every session can be read, goes on, and ends as if nothing had happened.

Each kill is a SIGKILL to a training process of its own: in the first second, in the middle, or as it saves.
Most come by the clock, every fourth at a step.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from pandatui.sessions.checkpoints import WORTH_IT
from pandatui.sessions.recorder import PERIOD
from pandatui.sessions.store import look, read
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.setup import RunOptions, prepare

pytestmark = pytest.mark.campaign

SHORT = ("--data", "spirals", "--hidden", "8,8", "--epochs", "150", "--decay", "0.01", "--every", "0.05")
NUDGES = (
    "3:learning_rate=0.05",
    "40:momentum=0.8",
    "40:batch_size=32",
    "700:l2=0.1",
    "2500:learning_rate=*0.5",
)
SHOWN = "in use from step"
PATIENCE = 60.0  # seconds: only a failure waits so long


def planned(*nudges: str) -> list[str]:
    return [word for nudge in nudges for word in ("--nudge", nudge)]


def hashes(found) -> tuple[str, str]:
    return found["weights_sha256"], found["costs_sha256"]


def test_a_new_run_killed_at_any_moment(campaign) -> None:
    """From before its session is there up to after its end."""
    kills = campaign("a new run")
    train = ["train", *SHORT, *planned(*NUDGES)]
    whole = kills.answer(*train, "--name", "whole")
    shown = {}
    for number in range(kills.count):
        path = kills.store.path(f"run-{number}")
        at = None if number % 4 else kills.chance(number).randrange(1, whole["steps"])
        command = kills.command(*train, "--name", path.stem, dies_at=at)
        after = kills.moment(number, -0.3, whole["seconds"] + 0.2) if at is None else PATIENCE
        shown[path] = sum(SHOWN in line for line in kills.killed(command, path, after))
        assert at is None or path.exists()
    listed = kills.listed() - {"whole"}
    assert listed == {path.stem for path in shown if path.exists()}
    for path in shown:
        if path.exists():
            events = kills.looked(path).session.events
            assert len(events) >= shown[path], f"{path.stem}: a nudge that was shown is lost"
            kills.seen["nudges shown"] += shown[path]
            kills.has_checkpoint(path)
            assert kills.resumed(path) == hashes(whole), path.stem
        else:  # killed before there was a session
            assert not shown[path]
            kills.seen["before there was a session"] += 1
    assert kills.seen["crashed"] >= kills.count // 4


# -- runs that have checkpoints ------------------------------------------------------------------------------


def epochs_that_take(seconds: float) -> int:
    """How many epochs of the wide run this machine trains in so long, about."""
    pin_blas()  # as the command does; more threads than free cores are many times slower
    run = Run(*prepare(RunOptions(data="digits", hidden=(192, 192), epochs=1_000_000)))
    for _ in range(50):
        run.step()
    began, steps = time.perf_counter(), run.steps
    while time.perf_counter() - began < 0.3:
        run.step()
    rate = (run.steps - steps) / (time.perf_counter() - began)
    return max(2, int(seconds * rate / run.batches.steps_per_epoch(64)))


def wide(seconds: float) -> list[str]:
    """Options of a run of about so long, with nudges all along."""
    epochs = epochs_that_take(seconds)
    nudges = [f"{epochs * 23 * share // 16 + 5}:learning_rate=*{f}" for share, f in enumerate([0.9, 1.1] * 8)]
    return ["--data", "digits", "--hidden", "192,192", "--epochs", str(epochs), *planned(*nudges)]


def seconds_of(path: Path) -> float:
    """How long it has trained, by its record so far."""
    session = look(path).session
    assert session is not None
    return session.seconds


def stopped(kills, train: list[str], name: str) -> Path | None:
    """A session that was stopped once it had checkpoints; None when it had ended by itself before that."""
    path = kills.store.path(name)
    tick = threading.Event()
    command = kills.command(*train, "--name", name)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (path.exists() and seconds_of(path) > WORTH_IT):
            tick.wait(0.05)
        process.send_signal(signal.SIGTERM)
    if read(path)[0].status == "finished":  # the machine is faster than it was when the epochs were counted
        return None
    assert process.returncode == 128 + signal.SIGTERM
    assert read(path)[0].status == "stopped"
    assert kills.has_checkpoint(path)
    return path


def test_a_resumed_run_killed_at_any_moment_and_again(campaign) -> None:
    """It trains on from a checkpoint; killed then, up to three times, as it does or as it saves its end."""
    kills = campaign("a resumed run")
    for seconds in (2.0, 5.0, 10.0):
        train = wide(WORTH_IT + seconds)
        mother = stopped(kills, ["train", *train], f"mother-{seconds:.0f}")
        if mother is not None:
            break
    assert mother is not None
    whole = hashes(kills.answer("train", *train, "--name", "whole"))
    number = 0
    while number < kills.count:
        here = kills.inside(f"run-{number}")
        path = here.store.path(mother.stem)
        shutil.copytree(mother.with_suffix(".checkpoints"), path.with_suffix(".checkpoints"))
        shutil.copy(mother, path)
        shown = here.looked(path).session.events
        for _ in range(here.chance(number).choice([1, 1, 2, 3])):
            if number == kills.count or look(path).status == "finished":
                break
            chance = here.chance(number)
            stop = chance.uniform(0, 0.5) if chance.random() < 0.4 else None
            here.killed(
                here.command("resume", mother.stem, "--headless"), path, here.moment(number, -0.5, 2), stop
            )
            number += 1
            events = here.looked(path).session.events
            assert events[: len(shown)] == shown
            shown = events
            here.listed()
        assert here.has_checkpoint(path)
        if number % 3 == 0:
            assert here.resumed_from_the_seed(path) == whole
        assert here.resumed(path) == whole
        shutil.rmtree(here.store.folder)


def test_a_long_run_killed_when_it_has_saved_by_itself(campaign) -> None:
    """Its file and its checkpoints are those of ten seconds; the journal has what came then."""
    kills = campaign("a long run")
    train = wide(PERIOD + 5)
    whole = hashes(kills.answer("train", *train, "--name", "whole"))
    for number in range(kills.count):
        path = kills.store.path(f"run-{number}")
        command = kills.command("train", *train, "--name", path.stem)
        kills.killed(command, path, kills.moment(number, PERIOD - 0.2, PERIOD + 2.0))
        kills.looked(path)
    kills.listed()
    for number in range(kills.count):
        path = kills.store.path(f"run-{number}")
        kills.has_checkpoint(path)
        assert kills.resumed(path) == whole
    assert kills.seen["with a checkpoint"] >= kills.count // 2
