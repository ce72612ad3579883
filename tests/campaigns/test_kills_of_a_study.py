"""A study killed again and again at random moments ends with the table of the undisturbed one.

Each kill is a SIGKILL to a `pandatui batch` of its own, with its workers left to find out, at a moment of the
clock or, every fourth, of its work. `PANDATUI_KILLS` says how many; four in every run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pandatui.search.records import restored
from pandatui.search.shelf import StoredStudy, look

KILLS = int(os.environ.get("PANDATUI_KILLS", "4"))
LONG = 120  # seconds: only a failure waits so long
WRITES = 6  # of the journal; a study that begins has more

# the program dies as it writes its journal for the nth time
DIES = """
import os, signal, sys
from pandatui.sessions.journal import Journal
left, append = [int(sys.argv.pop(1))], Journal.append
def until(self, records, *, sync):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, records, sync=sync)
Journal.append = until
from pandatui.__main__ import main
main()
"""


def batch(folder: Path, workers: int, program: tuple[str, ...] = ("-m", "pandatui")) -> list[str]:
    options = {"data": "digits", "hidden": "16", "epochs": "60", "trials": "36", "rounds": "3", "seed": "1"}
    asked = [word for name, value in options.items() for word in (f"--{name}", value)]
    told = ["--halving", "--json", "--name", "mine", "--sessions", str(folder), "--workers", str(workers)]
    return [sys.executable, *program, "batch", *asked, *told]


def answer(folder: Path, workers: int) -> dict[str, Any]:
    done = subprocess.run(batch(folder, workers), capture_output=True, check=True, timeout=LONG)
    found: dict[str, Any] = json.loads(done.stdout)
    return {key: value for key, value in found.items() if key != "study"}


def killed(folder: Path, workers: int, after: float) -> None:
    """Start or go on with the study, and kill it so long after its start."""
    with subprocess.Popen(
        batch(folder, workers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        threading.Event().wait(after)
        process.kill()


def dead(folder: Path, workers: int, writes: int) -> bool:
    """The same, dead when it has written its journal so often; whether it had not ended before."""
    command = batch(folder, workers, ("-c", DIES, str(writes)))
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LONG)
    return done.returncode == -signal.SIGKILL


def ended(stored: StoredStudy) -> dict[int, str | None]:
    """The trials that have ended, with what they came to."""
    assert stored.study is not None
    return {trial.number: trial.costs_sha256 for trial in stored.study.trials if trial.status != "waiting"}


@pytest.mark.campaign
def test_killed_at_any_moment_it_ends_with_the_table_of_the_undisturbed_one(tmp_path: Path) -> None:
    chance = random.Random(f"{os.environ['PANDATUI_SEED']}/a study")
    began = time.monotonic()
    wanted = answer(tmp_path / "whole", 2)
    took = time.monotonic() - began
    hashes = {trial["number"]: trial["costs_sha256"] for trial in wanted["trials"]}
    folder = tmp_path / "killed"
    for number in range(KILLS):
        workers = 1 + number % 2
        if number % 4:
            killed(folder, workers, chance.uniform(0.1, 0.9 * took))
        else:
            died = dead(folder, workers, chance.randint(2, WRITES))
            assert died or number
        path = folder / "mine.study.json"
        if not path.exists():
            continue
        stored = look(path)
        assert (stored.warning, stored.edited) == ("", False)
        assert stored.study is not None
        restored(stored.study)
        kept = ended(stored)
        assert kept.items() <= hashes.items()
        if stored.status == "finished":
            path.unlink()
    assert answer(folder, 2) == wanted
    left = [each.name for each in folder.iterdir() if ".torn-" not in each.name]
    assert left == ["mine.study.json"]
