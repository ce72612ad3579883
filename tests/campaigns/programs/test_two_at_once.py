"""Two programs that start on one session, or one study, at the same moment: one writer, the other is told.

What they have trained together is what one alone would have.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions.lock import holder
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.store import look

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(7200)]

LONG = 30.0  # seconds: only a failure waits so long
TOLD = ("is being trained by", "exists in", "was begun by another program just now")
RUN = ("--data", "digits", "--hidden", "32")


def both(found: Any, first: Sequence[str], second: Sequence[str]) -> list[tuple[int, str, str]]:
    """Start two at one instant; status, stdout and stderr of each."""
    gate = Gate(found.folder)
    with found.running(*first, ready=gate.path) as one, found.running(*second, ready=gate.path) as other:
        gate.open_for(one.pid, other.pid)
        said = [each.communicate(timeout=LONG) for each in (one, other)]
    return [(each.returncode, *words) for each, words in zip((one, other), said, strict=True)]


class Gate:
    """A pipe at which programs wait, all loaded; opening it starts them together."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / "gate"
        self.path.unlink(missing_ok=True)
        os.mkfifo(self.path)

    def open_for(self, *pids: int) -> None:
        end = time.monotonic() + LONG
        while not all(self._waits(pid) for pid in pids):
            assert time.monotonic() < end, "waited in vain for them to wait"
            select.select([], [], [], 0.001)
        os.close(os.open(self.path, os.O_WRONLY))
        self.path.unlink()

    def _waits(self, pid: int) -> bool:
        """Whether it stands at the pipe: in the kernel, and not for the disk."""
        try:
            where = Path(f"/proc/{pid}/wchan").read_text()
        except OSError:
            return True  # it has gone, which will be seen
        return "fifo" in where or "pipe" in where


def told_apart(found: Any, ends: list[tuple[int, str, str]]) -> None:
    """One writes; the other is told in one line that it may not, unless it came when the first had ended."""
    told = [(status, err) for status, _, err in ends if status]
    assert len(told) <= 1, ends
    assert not any("Traceback" in err for _, _, err in ends), ends
    for status, err in told:
        assert status == 2, ends
        assert any(words in err for words in TOLD), ends
        assert len(err.splitlines()) == 1, ends
        found.seen["told"] += 1
    found.seen["one after the other"] += not told


def nobody_holds(folder: Path) -> None:
    for path in folder.glob("*.json"):
        assert holder(journal_path(path)) is None
    assert not [*folder.rglob("*.tmp"), *folder.rglob("*.journal")]


def test_two_go_on_with_one_session(attacks: Any) -> None:
    found = attacks("two on one session")
    alone = found.answer("train", *RUN, "--epochs", "36", "--json", "--name", "alone")
    wanted = json.loads(alone.stdout)
    assert found.answer("train", *RUN, "--epochs", "4", "--name", "shared").returncode == 0
    shared = found.folder / "shared.json"
    raw = shared.read_bytes()
    for _ in range(found.count):
        for each in found.folder.glob("shared*"):
            subprocess.run(["rm", "-r", each], check=True)
        shared.write_bytes(raw)
        go_on = ("resume", "shared", "--epochs", "36", "--headless", "--json")
        ends = both(found, go_on, go_on)
        told_apart(found, ends)
        stored = look(shared)
        assert (stored.status, stored.warning, stored.holder) == ("finished", "", None)
        assert stored.session is not None
        result = stored.session.result
        assert (result.weights_sha256, result.costs_sha256) == (
            wanted["weights_sha256"],
            wanted["costs_sha256"],
        )
        nobody_holds(found.folder)
        found.seen["starts"] += 2


def test_two_begin_a_session_or_a_study_of_one_name(attacks: Any) -> None:
    found = attacks("two of one name")
    batch = ("batch", *RUN, "--epochs", "3", "--trials", "6", "--rounds", "1", "--workers", "1")
    train = ("train", *RUN, "--epochs", "20")
    for number in range(max(2, found.count // 2)):
        command = (batch, train)[number % 2]
        ends = both(found, *[(*command, "--name", f"run-{number}")] * 2)
        told_apart(found, ends)
        nobody_holds(found.folder)
        found.seen["starts"] += 2
    assert not any(each.get("problem") for each in json.loads(found.answer("sessions", "--json").stdout))


def test_the_app_while_another_trains_the_session(attacks: Any) -> None:
    """The app opens it read-only, and says who trains it when asked to go on."""
    found = attacks("read-only beside a writer")
    for number in range(max(1, found.count // 6)):
        name = f"run-{number}"
        path = found.folder / f"{name}.json"
        writer = found.terminal("train", *RUN, "--epochs", "1000000", "--name", name)
        writer.until(path.exists, "the session")
        reader = found.terminal(str(path))
        reader.says(name)
        reader.says("watching, keys that train are off: process")
        reader.type("q")
        assert reader.ends() == 0
        second = found.terminal("resume", name)
        assert second.ends() == 2
        assert b"is being trained by process" in second.shown
        writer.type("\x03")
        assert writer.ends() == 130
        assert look(path).status == "stopped"
        assert not reader.broken
        nobody_holds(found.folder)
        found.seen["read"] += 1
