"""The lock on a session: one writer, known to all, and none left behind by a killed one."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys

import pytest

from pandatui.sessions import lock as module
from pandatui.sessions.journal import Journal
from pandatui.sessions.lock import Held, holder

OWNER = """
import sys
from pathlib import Path
from pandatui.sessions.journal import Journal
journal = Journal.create(Path(sys.argv[1]), "id-1")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path):
    """A process that holds the lock on `one.journal`."""
    path = tmp_path / "one.journal"
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"locked\n"
    yield process, path
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_holder_is_known_and_keeps_others_out(owner, monkeypatch):
    process, path = owner
    monkeypatch.setattr(module, "_TRIES", 1)
    found = holder(path)
    assert found.pid == process.pid
    assert found.since.endswith("+00:00")
    before = path.read_bytes()
    for take in (Journal.create, Journal.reopen):
        with pytest.raises(
            Held, match=rf"'one' is being trained by process {process.pid} since 20"
        ) as caught:
            take(path, "id-1")
        assert caught.value.holder == found
    assert path.read_bytes() == before


def test_a_killed_owner_leaves_no_lock(owner):
    process, path = owner
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert holder(path) is None
    journal, contents, _ = Journal.reopen(path, "id-1")
    assert contents.records[0]["pid"] == process.pid
    assert holder(path).pid == os.getpid()
    journal.close(remove=False)
    assert holder(path) is None


def test_two_parts_of_one_program_keep_each_other_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TRIES", 1)
    journal = Journal.create(tmp_path / "a.journal", "x")
    with pytest.raises(Held):
        Journal.create(tmp_path / "a.journal", "x")
    journal.close(remove=True)


def test_nobody_holds_what_is_not_there(tmp_path):
    assert holder(tmp_path / "no.journal") is None


def test_a_look_in_passing_does_not_turn_an_owner_away(tmp_path, monkeypatch):
    """A reader holds a shared lock for an instant; whoever wants to write waits for that."""
    path = tmp_path / "a.journal"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            os.close(descriptor)

    monkeypatch.setattr(module.time, "sleep", wait)
    Journal.create(path, "x").close(remove=True)
    assert len(waits) == 3
