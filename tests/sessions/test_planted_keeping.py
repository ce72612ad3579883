"""Housekeeping beside somebody else's, what reaches the disk, and names that look alike."""

from __future__ import annotations

import os

import pytest

from pandatui.sessions.journal import Journal
from pandatui.sessions.keeping import annotate, delete, rename
from pandatui.sessions.lock import Held, locked
from pandatui.sessions.record import Identity, record
from pandatui.sessions.schema import encode
from pandatui.sessions.store import Store, belongings, write_whole


@pytest.fixture
def kept(tmp_path, new_run):
    """A finished session."""
    run = new_run()
    while run.ready:
        run.step()
    path = tmp_path / "one.json"
    path.write_bytes(
        encode(record(run, Identity("one", "id-1", "2026-01-02T03:04:05+00:00"), 1.0, run.evaluate()))
    )
    return path


def test_a_name_that_another_is_just_taking_is_not_taken_from_it(kept, monkeypatch):
    """Its journal is locked and empty still; its file is not there yet."""
    descriptor = locked(kept.with_name("two.journal"))
    before = kept.read_bytes()
    with pytest.raises(Held):
        rename(kept, "two")
    os.close(descriptor)
    assert kept.read_bytes() == before
    assert not kept.with_name("two.json").exists()


def test_a_journal_that_says_nothing_new_is_not_taken_away_by_a_note(kept):
    journal = Journal.create(kept.with_suffix(".journal"), "id-1")
    journal.close(remove=False)
    before = journal.path.read_bytes()
    annotate(kept, "a note")
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("change", [delete, lambda path: rename(path, "two")], ids=["delete", "rename"])
def test_the_folder_is_flushed_when_all_is_done(kept, monkeypatch, change):
    seen = []
    fsync = os.fsync

    def told(descriptor):
        fsync(descriptor)
        if os.path.samestat(os.fstat(descriptor), kept.parent.stat()):
            seen.append(kept.exists())

    monkeypatch.setattr(os, "fsync", told)
    change(kept)
    assert seen
    assert not seen[-1]


def test_all_of_a_file_is_there_when_it_is_flushed(tmp_path, monkeypatch):
    sizes = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (sizes.append(os.fstat(descriptor).st_size), fsync(descriptor))
    )
    write_whole(tmp_path / "a.json", b"x" * 100)
    assert sizes[0] == 100


def test_what_only_looks_as_if_it_belonged(tmp_path):
    path = Store(tmp_path).path("a.b")
    path.touch()
    for name in (
        f".a.b-{'0' * 16}.tmp.mine",
        f".axb-{'0' * 16}.tmp",
        "axb.journal.torn-00000000",
        "a.b.journalx",
    ):
        (tmp_path / name).touch()
    (tmp_path / "a.b.journal.torn-00000000.mine").touch()
    assert belongings(path) == [path]
