"""Exit statuses, by the installed program; and a training thread that has died, which is shown at once."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions.schema import encode
from pandatui.sessions.store import read

pytestmark = pytest.mark.campaign

SMALL = ("--data", "xor", "--hidden", "4", "--epochs", "4")
# faults of ours, which a program meets because it starts with the folder that holds this
STEP_FAILS = """
import time
from pathlib import Path
from pandatui.training.run import Run
step = Run.step
def fails(run, *args):
    if run.steps == {at}:
        Path({noted!r}).write_text(repr(time.monotonic()))
        raise RuntimeError("a bug of ours")
    return step(run, *args)
Run.step = fails
"""
WORKERS_DIE = """
import os, sys
if "-c" in sys.orig_argv:
    import pandatui.search.worker as worker
    worker._answer = lambda request: os._exit(9)
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Any:
    """Plants a fault; returns what a program's environment must say to meet it."""

    def plant(source: str) -> dict[str, str]:
        (tmp_path / "faults").mkdir(exist_ok=True)
        (tmp_path / "faults/sitecustomize.py").write_text(source)
        return {"PYTHONPATH": ":".join([str(tmp_path / "faults"), *sys.path])}

    return plant


def changed(path: Path, name: str, *, weights: bool = False, machine: bool = False) -> None:
    """The session under another name, with other weights on record, or from another machine."""
    session, whole = read(path)
    assert whole
    session.name = name
    if weights:
        session.result.weights_sha256 = "1" * 64
    if machine:
        session.environment["numpy"] = "1.0"
    path.with_name(f"{name}.json").write_bytes(encode(session))


def test_every_status(attacks: Any, faulty: Any, tmp_path: Path) -> None:
    found = attacks("exit statuses")
    first = found.answer("train", *SMALL, "--name", "first")
    assert first.returncode == 0, first.stderr
    kept = found.folder / "first.json"
    changed(kept, "other-weights", weights=True)
    changed(kept, "other-machine", weights=True, machine=True)
    (found.folder / "edited.json").write_text(kept.read_text().replace('"steps":', '"steps": 1', 1))
    (found.folder / "newer.json").write_text(json.dumps(json.loads(kept.read_text()) | {"version": 99}))
    (tmp_path / "bad.csv").write_text("a,b\n1,x\nzwei,y\n")
    batch = ("batch", *SMALL, "--trials", "2", "--rounds", "1", "--workers")
    wild = ("--data", "spirals", "--no-batch-norm", "--optimizer", "sgd", "--learning-rate", "100")
    expected: list[tuple[int, tuple[str, ...], str]] = [
        (0, ("--version",), ""),
        (0, ("--help",), ""),
        (0, ("sessions", "--json"), ""),
        (0, ("replay", "first", "--verify"), ""),
        (0, ("resume", "first", "--headless"), ""),
        (0, (*batch, "1", "--name", "raced"), ""),
        (2, ("nonsense",), ""),
        (2, ("train", "--nonsense"), ""),
        (2, ("train", "--data", str(tmp_path / "bad.csv")), ""),
        (2, ("train", *SMALL, "--name", "first"), ""),
        (2, ("train", *SMALL, "--learning-rate", "-1"), ""),
        (2, ("show", "nobody"), ""),
        (2, (*batch, "0"), ""),
        (2, ("--data", "xor"), ""),  # no terminal
        (3, ("replay", "other-machine", "--verify"), ""),
        (4, ("replay", "other-weights", "--verify"), ""),
        (5, ("replay", "edited", "--verify"), ""),
        (5, ("replay", "newer", "--verify"), ""),
        (6, ("train", *wild, "--epochs", "20"), ""),
        (7, (*batch, "2", "--name", "dying"), WORKERS_DIE),
        (70, ("train", *SMALL, "--name", "failing"), STEP_FAILS.format(at=7, noted=str(tmp_path / "at"))),
    ]
    failures = []
    for status, arguments, fault in expected:
        done = found.answer(*arguments, **(faulty(fault) if fault else {}))
        shown = f"{' '.join(arguments)}: {done.returncode} for {status}: {done.stderr}"
        failures += [shown] if done.returncode != status else []
        if status == 2:
            assert done.stdout == ""
            assert len(done.stderr.splitlines()) == 1, shown
        assert ("Traceback" in done.stderr) == (status == 70), shown
        found.seen[f"of {status}"] += 1
    assert not failures, "\n".join(failures)
    assert read(found.folder / "failing.json")[0].steps == 7


def test_a_dead_training_thread_is_shown_at_once(attacks: Any, faulty: Any, tmp_path: Path) -> None:
    found = attacks("dead training threads")
    noted = tmp_path / "at"
    for number in range(max(1, found.count // 6)):
        at = found.chance.randrange(20, 120)
        terminal = found.terminal(
            "--data", "xor", "--hidden", "4", "--pace", "20", "--epochs", "100000", "--name", f"run-{number}",
            **faulty(STEP_FAILS.format(at=at, noted=str(noted))),
        )  # fmt: skip
        terminal.says("a bug of ours")
        found.took(time.monotonic() - float(noted.read_text()))
        terminal.type("q")
        assert terminal.ends() == 70
        assert terminal.restored
        assert not terminal.orphans()
        session, whole = read(found.folder / f"run-{number}.json")
        assert (whole, session.status, session.steps) == (True, "stopped", at)
        found.seen["shown"] += 1
