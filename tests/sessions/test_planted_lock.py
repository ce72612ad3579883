"""Races for the lock, and what is left open after one."""

from __future__ import annotations

import fcntl
import os

import pytest

from pandatui.sessions import lock as module
from pandatui.sessions.journal import Journal
from pandatui.sessions.lock import Held, holder, is_at, locked


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_file_that_goes_before_it_is_locked_is_not_the_one(tmp_path, monkeypatch, how):
    """Its owner starts it anew, or ends, between our opening it and our lock on it."""
    path = tmp_path / "one.journal"
    path.write_bytes(b"old")
    flock, calls = fcntl.flock, []

    def late(descriptor, operation):
        if not calls:
            if how == "replaced":
                (tmp_path / "new").write_bytes(b"new")
                os.replace(tmp_path / "new", path)
            else:
                path.unlink()
        calls.append(operation)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    descriptor = locked(path)
    assert is_at(descriptor, path)
    assert os.pread(descriptor, 10, 0) == (b"new" if how == "replaced" else b"")
    os.close(descriptor)


def test_a_writer_that_begins_its_journal_anew_is_seen_all_the_while(tmp_path, monkeypatch):
    """Who looks has opened the old journal, and asks for its lock when the writer has let that go."""
    journal = Journal.create(tmp_path / "one.journal", "id-1")
    flock = fcntl.flock

    def late(descriptor, operation):
        monkeypatch.setattr(fcntl, "flock", flock)
        journal.restart("id-1", journal.end, journal.number)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert holder(tmp_path / "one.journal").pid == os.getpid()
    journal.close(remove=True)


def test_no_descriptor_is_left_open_by_one_who_is_turned_away(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TRIES", 1)
    journal = Journal.create(tmp_path / "one.journal", "id-1")
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        with pytest.raises(Held):
            locked(tmp_path / "one.journal")
        assert holder(tmp_path / "one.journal") is not None
    assert len(os.listdir("/dev/fd")) == before
    journal.close(remove=True)


def test_a_program_that_is_started_meanwhile_does_not_inherit_the_lock(tmp_path):
    journal = Journal.create(tmp_path / "one.journal", "id-1")
    try:
        journal.restart("id-1", journal.end, journal.number)
        assert not os.get_inheritable(journal._descriptor)
    finally:
        journal.close(remove=True)


def test_a_pipe_in_a_journals_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "one.journal")
    assert holder(tmp_path / "one.journal") is None
