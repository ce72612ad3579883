"""What reaches the disk, and in which order: mistakes in the journal that no reading of it shows at once."""

from __future__ import annotations

import os

import pytest

from pandatui.sessions.journal import Journal
from pandatui.sessions.records import line, read_journal

NOTE = {"kind": "costs", "from": 0, "costs": [0.5], "seconds": 0.0}


@pytest.fixture
def path(tmp_path):
    """A journal of two records, closed."""
    path = tmp_path / "one.journal"
    journal = Journal.create(path, "id-1")
    journal.append([NOTE], sync=False)
    journal.close(remove=False)
    return path


@pytest.fixture
def operations(monkeypatch, tmp_path):
    """What is asked of the system, in order, with the name of the file or folder that it is asked for."""
    found = []

    def name_of(descriptor):
        files = (tmp_path, *tmp_path.rglob("*"))
        path = next(each for each in files if os.path.samestat(each.stat(), os.fstat(descriptor)))
        return "folder" if path.is_dir() else path.name

    def told(what, real):
        def operation(first, *more):
            name = name_of(first) if isinstance(first, int) else os.path.basename(first)
            found.append((what, "new" if name.endswith(".tmp") else name.split("-")[0]))
            return real(first, *more)

        return operation

    for what in ("write", "fsync", "ftruncate", "replace"):
        monkeypatch.setattr(os, what, told(what, getattr(os, what)))
    return found


def test_a_new_journal_is_on_disk_with_its_name(tmp_path, operations):
    Journal.create(tmp_path / "one.journal", "id-1").close(remove=False)
    journal = "one.journal"
    assert operations == [("ftruncate", journal), ("write", journal), ("fsync", journal), ("fsync", "folder")]


def test_what_another_has_left_at_its_place_is_gone(path):
    journal = Journal.create(path, "id-2")
    journal.append([NOTE], sync=False)
    journal.close(remove=False)
    contents = read_journal(path)
    assert (contents.damage, contents.number, contents.end) == ("", 2, contents.size)
    assert [record.get("session") for record in contents.records] == ["id-2", None]


def test_a_record_is_on_disk_when_append_returns(path, operations):
    journal, _, _ = Journal.reopen(path, "id-1")
    operations.clear()
    journal.append([NOTE, NOTE], sync=True)
    journal.append([NOTE], sync=False)
    journal.sync()
    journal.close(remove=False)
    assert operations == [("write", path.name), ("fsync", path.name)] * 2


def test_a_journal_that_starts_anew_takes_the_old_ones_place_when_it_is_on_disk(path, operations):
    journal, _, _ = Journal.reopen(path, "id-1")
    operations.clear()
    journal.restart("id-1", journal.end, journal.number)
    journal.close(remove=False)
    assert operations == [("write", "new"), ("fsync", "new"), ("replace", "new"), ("fsync", "folder")]


def test_a_torn_tail_is_safe_before_it_is_cut(path, operations):
    path.write_bytes(path.read_bytes() + b'{"n":3,"cr')
    journal, _, aside = Journal.reopen(path, "id-1")
    journal.close(remove=False)
    kept = aside.name.split("-")[0]
    assert operations[:4] == [
        ("write", kept), ("fsync", kept), ("ftruncate", path.name), ("fsync", path.name),
    ]  # fmt: skip


def test_what_failed_does_not_come_along_when_it_starts_anew(path, monkeypatch):
    journal, _, _ = Journal.reopen(path, "id-1")
    write = os.write

    def half(descriptor, raw):
        write(descriptor, bytes(raw)[:-5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OSError):
            journal.append([NOTE], sync=False)
    end, number = journal.end, journal.number
    journal.restart("id-1", end, number)
    journal.append([NOTE], sync=False)
    journal.close(remove=False)
    contents = read_journal(path)
    assert (contents.damage, contents.end) == ("", contents.size)
    assert contents.records[1:] == (NOTE,)


def test_no_descriptor_is_left_open(path):
    before = len(os.listdir("/dev/fd"))
    journal, _, _ = Journal.reopen(path, "id-1")
    for _ in range(5):
        journal.restart("id-1", journal.end, journal.number)
    journal.close(remove=False)
    path.write_bytes(line(1, {"kind": "other"}))
    for _ in range(5):
        with pytest.raises(ValueError):
            Journal.reopen(path, "id-1")
    assert len(os.listdir("/dev/fd")) == before


def test_a_system_that_writes_and_reads_in_small_pieces(path, monkeypatch):
    """As a file in a network, or a signal in between: all of it comes, in order."""
    write, pread = os.write, os.pread
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, raw: write(descriptor, bytes(raw)[:7]))
        patch.setattr(os, "pread", lambda descriptor, size, at: pread(descriptor, min(size, 11), at))
        journal, contents, aside = Journal.reopen(path, "id-1")
        assert (contents.number, contents.damage, aside) == (2, "", None)
        journal.append([NOTE, NOTE], sync=True)
        journal.close(remove=False)
    contents = read_journal(path)
    assert (contents.damage, contents.number, contents.end) == ("", 5, contents.size)
