"""Killed at any moment: every session can be read, goes on, and ends as if nothing had happened.

Each kill is a SIGKILL to a training process of its own. `PANDATUI_KILLS` says how many; ten in every run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pandatui.sessions import Store
from pandatui.sessions.resume import resume
from pandatui.sessions.store import look
from pandatui.training.events import Diverged, Finished

KILLS = int(os.environ.get("PANDATUI_KILLS", "10"))
LONG = 60  # seconds: only a failure waits so long
NUDGES = (
    "3:learning_rate=0.05",
    "40:momentum=0.8",
    "40:batch_size=32",
    "700:l2=0.1",
    "2500:learning_rate=*0.5",
)
TRAINED = "in use from step"


def train(folder: Path, name: str) -> list[str]:
    options = [
        "--data",
        "spirals",
        "--hidden",
        "8,8",
        "--epochs",
        "150",
        "--decay",
        "0.01",
        "--every",
        "0.05",
    ]
    nudges = [word for nudge in NUDGES for word in ("--nudge", nudge)]
    command = [sys.executable, "-m", "pandatui", "train", "--json"]
    return [*command, "--sessions", str(folder), "--name", name, *options, *nudges]


def go_on(store: Store, path: Path) -> tuple[str, str]:
    """Resume to the end: its final hashes."""
    resumed = resume(store, path)
    done = threading.Event()
    resumed.driver.subscribe(lambda fact: done.set() if isinstance(fact, Finished | Diverged) else None)
    if not resumed.driver.ask(lambda run: run.ready).result():
        done.set()
    resumed.recorder.start()
    resumed.driver.start()
    assert done.wait(LONG)
    assert resumed.driver.close(LONG)
    session = resumed.recorder.close()
    assert resumed.recorder.problem == ""
    return session.result.weights_sha256, session.result.costs_sha256


@pytest.mark.campaign
@pytest.mark.timeout(60 + 10 * KILLS)
def test_killed_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(KILLS)
    whole = subprocess.run(train(tmp_path, "whole"), capture_output=True, check=True, timeout=LONG)
    found = json.loads(whole.stdout)
    wanted = (found["weights_sha256"], found["costs_sha256"])
    took = found["seconds"]
    store = Store(tmp_path)
    caught = 0
    for number in range(KILLS):
        path = store.path(f"run-{number}")
        shown = killed(train(tmp_path, path.stem), path, chance.uniform(-0.3, took))
        if not path.exists():  # killed before there was a session; then there is none to be seen
            assert all(each.path != path for each in store.list())
            path.with_suffix(".journal").unlink(missing_ok=True)
            continue
        stored = look(path)
        assert stored.warning == ""
        assert len(stored.session.events) >= shown, "a nudge that was shown is lost"
        caught += stored.status == "crashed"
        again = look(path)
        assert again.session == stored.session, "looking changes nothing"
        assert go_on(store, path) == wanted
        assert not path.with_suffix(".journal").exists()
        path.unlink()
    assert caught >= KILLS // 4, "the kills come too late to show anything"
    assert sorted(p.suffix for p in tmp_path.iterdir() if not p.name.startswith(".")) == [".json"]


def killed(command: list[str], path: Path, after: float) -> int:
    """Start it, kill it so long after its session is there (or before), and count the nudges that it told."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        tick = threading.Event()
        if after < 0:
            tick.wait(0.6 + after)
        else:
            while process.poll() is None and not path.exists():
                tick.wait(0.001)
            tick.wait(after)
        process.kill()
        assert process.stderr is not None
        return sum(TRAINED in line for line in process.stderr)
