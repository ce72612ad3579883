"""A study killed again and again at random moments ends with the table of the undisturbed one.

Each kill is a SIGKILL to a `pandatui batch` of its own, with its workers left to find out. `PANDATUI_KILLS`
says how many; four in every run.
"""

from __future__ import annotations

import json
import os
import random
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


def batch(folder: Path, workers: int) -> list[str]:
    options = {"data": "digits", "hidden": "16", "epochs": "60", "trials": "36", "rounds": "3", "seed": "1"}
    asked = [word for name, value in options.items() for word in (f"--{name}", value)]
    told = ["--halving", "--json", "--name", "mine", "--sessions", str(folder), "--workers", str(workers)]
    return [sys.executable, "-m", "pandatui", "batch", *asked, *told]


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


def ended(stored: StoredStudy) -> dict[int, str | None]:
    """The trials that have ended, with what they came to."""
    assert stored.study is not None
    return {trial.number: trial.costs_sha256 for trial in stored.study.trials if trial.status != "waiting"}


@pytest.mark.campaign
@pytest.mark.timeout(120 + 10 * KILLS)
def test_killed_at_any_moment_it_ends_with_the_table_of_the_undisturbed_one(tmp_path: Path) -> None:
    chance = random.Random(KILLS)
    began = time.monotonic()
    wanted = answer(tmp_path / "whole", 2)
    took = time.monotonic() - began
    hashes = {trial["number"]: trial["costs_sha256"] for trial in wanted["trials"]}
    folder = tmp_path / "killed"
    caught = finished = 0
    for number in range(KILLS):
        killed(folder, 1 + number % 2, chance.uniform(0.1, 0.9 * took))
        path = folder / "mine.study.json"
        if not path.exists():
            continue
        stored = look(path)
        assert (stored.warning, stored.edited) == ("", False)
        assert stored.study is not None
        restored(stored.study)
        kept = ended(stored)
        assert kept.items() <= hashes.items()
        caught += stored.status == "crashed"
        if stored.status == "finished":
            finished += 1
            path.unlink()
    assert answer(folder, 2) == wanted
    assert [each.name for each in folder.iterdir()] == ["mine.study.json"]
    assert caught >= KILLS // 4, "the kills come too late to show anything"
    assert caught + finished <= KILLS
