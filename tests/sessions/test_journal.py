"""The journal: whole records or none, a torn tail cut, a damaged middle named, never other content."""

from __future__ import annotations

import os
import random
import stat

import pytest

from pandatui.sessions import records as module
from pandatui.sessions.journal import Journal, start_record
from pandatui.sessions.lock import holder
from pandatui.sessions.records import JournalError, line, parse, parse_line, read_journal

RECORDS = [
    {"kind": "costs", "from": 0, "costs": [2.302585092994046, 0.1, 5e-324, "NaN"]},
    {"kind": "events", "events": [{"id": 1, "step": 5, "text": "a\nb ü"}]},
    {"kind": "costs", "from": 4, "costs": [1.7976931348623157e308]},
    {"kind": "end", "status": "stopped"},
]


@pytest.fixture
def path(tmp_path):
    """A journal of five records, closed."""
    path = tmp_path / "one.journal"
    journal = Journal.create(path, "id-1")
    for record in RECORDS:
        journal.append([record], sync=False)
    journal.close(remove=False)
    return path


def lines_of(raw):
    return raw.splitlines(keepends=True)


def test_what_is_written_is_read(path):
    contents = read_journal(path)
    assert contents.records[0]["session"] == "id-1"
    assert contents.records[0]["pid"] == os.getpid()
    assert list(contents.records[1:]) == RECORDS
    assert (contents.end, contents.number, contents.damage) == (path.stat().st_size, 5, "")


def test_the_crc_is_the_standard_one():
    """zlib's CRC-32 of `1 {"kind":"end"}`, worked out apart."""
    import binascii

    assert line(1, {"kind": "end"}) == b'{"n":1,"crc":%d,"record":{"kind":"end"}}\n' % binascii.crc32(
        b'1 {"kind":"end"}'
    )


def test_cut_at_every_byte_of_the_last_three_records(path):
    whole = path.read_bytes()
    lines = lines_of(whole)
    first = len(whole) - sum(map(len, lines[-3:]))
    for cut in range(first, len(whole) + 1):
        path.write_bytes(whole[:cut])
        journal, contents, aside = Journal.reopen(path, "id-1")
        journal.append([{"kind": "after", "cut": cut}], sync=True)
        journal.close(remove=False)
        kept = [each for each in lines if whole.find(each) + len(each) <= cut]
        torn = whole[sum(map(len, kept)) : cut]
        assert len(contents.records) == len(kept)
        assert (aside.read_bytes() if aside else b"") == torn
        again, contents, aside = Journal.reopen(path, "id-1")
        again.close(remove=False)
        assert aside is None
        assert contents.records[-1] == {"kind": "after", "cut": cut}
        assert list(contents.records[1 : len(kept)]) == RECORDS[: len(kept) - 1]
        assert contents.number == len(kept) + 2


def test_an_empty_file_is_a_journal_of_nothing(path):
    path.write_bytes(b"")
    journal, contents, aside = Journal.reopen(path, "id-1")
    journal.close(remove=False)
    assert (contents.records, aside) == ((), None)
    assert [r["kind"] for r in read_journal(path).records] == ["start"]


def test_no_flipped_bit_is_read_as_other_content(path):
    whole = path.read_bytes()
    true = read_journal(path).records
    chance = random.Random(7)
    for place in range(len(whole)):
        bit = 1 << chance.randrange(8)
        found = parse(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        assert found.records == true[: len(found.records)]
        assert len(found.records) < len(true)
        in_last = place >= len(whole) - len(lines_of(whole)[-1]) - 1
        assert bool(found.damage) != in_last or place == len(whole) - len(lines_of(whole)[-1]) - 1


def test_damage_in_the_middle_is_an_error_and_nothing_is_written(path):
    whole = path.read_bytes()
    start = len(lines_of(whole)[0])
    damaged = bytearray(whole)
    damaged[start + 30] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=rf"'one\.journal': journal damaged at byte {start}: .*record 2"):
        Journal.reopen(path, "id-1")
    assert path.read_bytes() == damaged
    assert holder(path) is None
    assert len(read_journal(path).records) == 1


def test_a_record_that_is_left_out_is_damage(path):
    lines = lines_of(path.read_bytes())
    assert "damaged" in parse(b"".join(lines[:2] + lines[3:])).damage
    assert "damaged" in parse(b"".join(lines[:3] + lines[2:])).damage


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'{"n":1,"crc":0,"record":[]}',
        b'{"n":01,"crc":0,"record":{}}',
        b"\x00" * 40,
        b'{"n":1,"crc":0,"record":' + b'{"a":' * 2000 + b"1" + b"}" * 2001,
    ],
)
def test_lines_that_are_none(raw):
    assert parse_line(raw) is None


def test_deep_nesting_with_a_right_crc_is_no_record():
    body = b'{"a":' * 5000 + b"1" + b"}" * 5000
    raw = b'{"n":1,"crc":%d,"record":%s}' % (module.crc_of(1, body), body)
    assert parse_line(raw) is None


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"kind": "start", "format": "pandatui-journal", "version": 1, "session": "id-2"}, "another session"),
        ({"kind": "start", "format": "pandatui-journal", "version": 2, "session": "id-1"}, "version 1"),
        ({"kind": "other"}, "not a pandatui journal"),
    ],
)
def test_anothers_journal_is_left_alone(path, record, says):
    path.write_bytes(line(1, record))
    before = path.read_bytes()
    with pytest.raises(JournalError, match=says):
        Journal.reopen(path, "id-1")
    assert path.read_bytes() == before


def test_each_append_is_one_write(path, monkeypatch):
    journal, _, _ = Journal.reopen(path, "id-1")
    written = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, raw: written.append(bytes(raw)) or write(fd, raw))
    journal.append(RECORDS, sync=False)
    assert len(written) == 1
    assert written[0].count(b"\n") == 4
    monkeypatch.undo()
    journal.close(remove=False)


@pytest.mark.parametrize("broken", ["write", "short", "fsync"])
def test_after_a_write_that_failed_the_next_one_leaves_no_damage(path, monkeypatch, broken):
    journal, _, _ = Journal.reopen(path, "id-1")
    before = len(read_journal(path).records)
    write, calls = os.write, []

    def fail(*_):
        raise OSError(28, "No space left on device")

    def short(fd, raw):
        calls.append(1)
        if len(calls) > 1:
            fail()
        return write(fd, bytes(raw)[:10])

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync" if broken == "fsync" else "write", short if broken == "short" else fail)
        with pytest.raises(OSError):
            journal.append([{"kind": "lost"}], sync=True)
    journal.append([{"kind": "kept"}], sync=True)
    journal.close(remove=False)
    contents = read_journal(path)
    assert (contents.damage, contents.end) == ("", contents.size)
    assert [r["kind"] for r in contents.records[before:]] == ["kept"]


def test_starting_anew_keeps_what_the_file_does_not_have_yet(path):
    journal, _, _ = Journal.reopen(path, "id-1")
    end, number = journal.end, journal.number
    journal.append(RECORDS[:2], sync=False)
    journal.restart("id-1", end, number)
    journal.append([{"kind": "after"}], sync=False)
    assert journal.in_place()
    contents = read_journal(path)
    assert contents.damage == ""
    assert list(contents.records[1:]) == [*RECORDS[:2], {"kind": "after"}]
    assert contents.number == number + 3
    assert holder(path).pid == os.getpid()
    journal.close(remove=False)
    assert [p.name for p in path.parent.iterdir()] == ["one.journal"]


def test_a_new_start_that_fails_leaves_the_old_one(path, monkeypatch):
    journal, _, _ = Journal.reopen(path, "id-1")
    before = path.read_bytes()

    def fail(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError):
            journal.restart("id-1", journal.end, journal.number)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["one.journal"]
    journal.append([{"kind": "after"}], sync=True)
    journal.close(remove=False)
    assert read_journal(path).records[-1] == {"kind": "after"}


def test_closing_removes_it_when_told_and_only_its_own(path):
    journal, _, _ = Journal.reopen(path, "id-1")
    journal.close(remove=True)
    journal.close(remove=True)
    assert not path.exists()
    journal = Journal.create(path, "id-1")
    path.rename(path.with_name("aside"))
    path.write_bytes(b"another's")
    assert not journal.in_place()
    journal.close(remove=True)
    assert path.read_bytes() == b"another's"


def test_a_size_that_no_journal_has(path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(JournalError, match="larger than"):
        read_journal(path)


def test_the_mode_is_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        Journal.create(tmp_path / "a.journal", "x").close(remove=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.journal").stat().st_mode) == 0o640


def test_a_start_says_who(monkeypatch):
    assert start_record("x")["since"].endswith("+00:00")
