"""Housekeeping: notes, names and deletion, under the lock, whole at whatever moment the process is killed."""

from __future__ import annotations

import contextlib
import errno
import os

import pytest

from pandatui.sessions import SessionError
from pandatui.sessions.journal import Journal
from pandatui.sessions.keeping import annotate, delete, rename
from pandatui.sessions.lock import Held
from pandatui.sessions.record import Identity, record
from pandatui.sessions.replay import rerun, verify
from pandatui.sessions.schema import encode
from pandatui.sessions.store import belongings, read
from pandatui.training.events import Nudge

WRITING = ("replace", "link", "rename", "unlink", "rmdir", "fsync", "utime")


@pytest.fixture
def kept(tmp_path, new_run):
    """A finished session of 24 steps with a nudge, and all that can belong to it; beside it a neighbour."""
    run = new_run()
    while run.status == "running":
        if run.steps == 3:
            run.apply(Nudge("learning_rate", notches=2))
        run.step()
    session = record(run, Identity("one", "id-1", "2026-01-02T03:04:05+00:00"), 7.5, run.evaluate())
    path = tmp_path / "one.json"
    path.write_bytes(encode(session))
    os.utime(path, (1e9, 1e9))
    checkpoints = tmp_path / "one.checkpoints"
    checkpoints.mkdir()
    (checkpoints / "8.npz").write_bytes(b"eight")
    (checkpoints / f".8-{'0' * 16}.tmp").write_bytes(b"half")
    (tmp_path / "one.journal.torn-00000000").write_bytes(b"torn")
    (tmp_path / f".one-{'0' * 16}.tmp").write_bytes(b"half")
    session.name, session.id = "one-more", "id-2"
    (tmp_path / "one-more.json").write_bytes(encode(session))
    (tmp_path / "one-more.journal.torn-00000000").write_bytes(b"mine")
    return path


def everything(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def edit(path):
    path.write_bytes(path.read_bytes().replace(b'"epochs": 4', b'"epochs": 3'))


def spoil(path):
    path.write_bytes(path.read_bytes()[:-40])


def crash(path):
    session, _ = read(path)
    session.status = "running"
    path.write_bytes(encode(session))


def note(path):
    return annotate(path, "a note")


def move(path):
    return rename(path, "two")


# -- a note --


def test_a_note_is_the_last_event_and_nothing_else_changes(kept, dataset):
    before, _ = read(kept)
    annotate(kept, "  best\nof the \x1b[31m week ")
    after = annotate(kept, "again")
    found, whole = read(kept)
    assert whole
    assert found == after
    first, second = found.events[len(before.events) :]
    assert (first.kind, first.text, first.step) == ("note", "best of the �[31m week", before.steps + 1)
    assert (second.id, second.text, second.seconds) == (len(before.events) + 2, "again", 7.5)
    found.events, found.integrity = before.events, before.integrity
    assert found == before
    assert kept.stat().st_mtime == 1e9
    assert not kept.with_suffix(".journal").exists()
    found, _ = read(kept)
    assert verify(found, rerun(found, dataset())).identical


def test_a_note_is_cut_to_the_length_of_notes(kept):
    assert len(annotate(kept, "x" * 10_000).events[-1].text) == 2_000


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_a_note_without_words_is_refused(kept, text):
    before = everything(kept.parent)
    with pytest.raises(SessionError, match="at least one word"):
        annotate(kept, text)
    assert everything(kept.parent) == before


@pytest.mark.parametrize("change", [note, move])
@pytest.mark.parametrize(
    ("spoiled", "words"), [(edit, "was edited"), (spoil, "not a session"), (crash, "has crashed")]
)
def test_what_is_edited_unreadable_or_crashed_is_not_written(kept, change, spoiled, words):
    spoiled(kept)
    before = everything(kept.parent)
    with pytest.raises(SessionError, match=words):
        change(kept)
    assert everything(kept.parent) == before


@pytest.mark.parametrize("change", [note, move, delete])
def test_what_is_being_trained_is_left_alone(kept, change):
    journal = Journal.create(kept.with_suffix(".journal"), "id-1")
    before = everything(kept.parent)
    with pytest.raises(Held, match=f"'one' is being trained by process {os.getpid()} since"):
        change(kept)
    assert everything(kept.parent) == before
    journal.close(remove=True)
    change(kept)


@pytest.mark.parametrize("change", [note, move])
def test_a_link_is_no_session_of_the_folder(kept, change):
    elsewhere = kept.parent / "elsewhere"
    kept.rename(elsewhere)
    kept.symlink_to(elsewhere)
    with pytest.raises(SessionError, match="not a link"):
        change(kept)


# -- another name --


def test_a_new_name_in_the_file_and_for_all_that_belongs_to_it(kept):
    before, _ = read(kept)
    folder = kept.parent
    assert rename(kept, "two") == folder / "two.json"
    found, whole = read(folder / "two.json")
    assert whole
    assert found.name == "two"
    found.name, found.integrity = before.name, before.integrity
    assert found == before
    assert (folder / "two.json").stat().st_mtime == 1e9
    assert sorted(everything(folder)) == [
        "one-more.journal.torn-00000000",
        "one-more.json",
        f"two.checkpoints/.8-{'0' * 16}.tmp",
        "two.checkpoints/8.npz",
        "two.journal.torn-00000000",
        "two.json",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("one", "is its name already"),
        ("one-more", "taken"),
        ("orphan", "taken"),
        ("left", "taken"),
        ("../two", "expected up to 64"),
        ("two.json", "expected up to 64"),
        ("", "expected up to 64"),
    ],
)
def test_names_that_are_refused(kept, name, words):
    (kept.parent / "orphan.checkpoints").mkdir()
    (kept.parent / "left.journal").write_bytes(b"something")
    before = everything(kept.parent)
    with pytest.raises(SessionError, match=words):
        rename(kept, name)
    assert everything(kept.parent) == before


# -- taking it away --


def test_delete_takes_what_belongs_to_it_and_nothing_else(kept):
    assert delete(kept) == []
    assert sorted(os.listdir(kept.parent)) == ["one-more.journal.torn-00000000", "one-more.json"]


def test_what_is_not_a_checkpoint_stays_and_is_named(kept):
    mine = kept.with_suffix(".checkpoints") / "thesis.txt"
    mine.write_bytes(b"mine")
    assert delete(kept) == [mine]
    assert os.listdir(mine.parent) == ["thesis.txt"]
    assert belongings(kept) == [mine.parent]


def test_a_folder_of_checkpoints_that_is_a_link_is_not_followed(kept, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "8.npz").write_bytes(b"mine")
    folder = kept.with_suffix(".checkpoints")
    folder.rename(other / "old")
    folder.symlink_to(other)
    assert delete(kept) == [folder]
    assert (other / "8.npz").exists()


@pytest.mark.parametrize("spoiled", [edit, crash])
def test_an_edited_or_crashed_session_can_be_deleted(kept, spoiled):
    spoiled(kept)
    kept.with_suffix(".journal").write_bytes(b"what it was ahead")
    delete(kept)
    assert belongings(kept) == []


def test_what_is_no_session_has_nothing_of_its_own(kept):
    spoil(kept)
    before = everything(kept.parent)
    with pytest.raises(SessionError, match="not a session"):
        delete(kept)
    (kept.parent / "folder.json").mkdir()
    with pytest.raises(SessionError, match="regular file"):
        delete(kept.parent / "folder.json")
    with pytest.raises(SessionError, match="no such file"):
        delete(kept.parent / "gone.json")
    assert everything(kept.parent) == before


def test_what_a_killed_save_has_left_can_be_deleted(kept):
    kept.write_bytes(b"")
    delete(kept)
    assert not kept.exists()


# -- killed, and disks that fail --


class Killed(BaseException):
    pass


def fail_from(monkeypatch, number, error, *, for_good):
    """From the so-manieth writing call on: none is carried out (for good), or only that one is not."""
    count = 0

    def broken(real):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number or (for_good and count > number):
                raise error
            return real(*args, **kwargs)

        return call

    for name in WRITING:
        monkeypatch.setattr(os, name, broken(getattr(os, name)))
    return lambda: count


@pytest.mark.parametrize("number", range(1, 16))
@pytest.mark.parametrize("error", [Killed(), OSError(errno.EIO, "Input/output error")])
@pytest.mark.parametrize("change", [note, move, delete])
def test_at_every_call_that_writes_it_is_the_old_or_the_new(kept, change, error, number):
    folder, before = kept.parent, read(kept)[0]
    neighbours = {name: raw for name, raw in everything(folder).items() if name.startswith("one-more")}
    with pytest.MonkeyPatch.context() as patch:
        calls = fail_from(patch, number, error, for_good=isinstance(error, Killed))
        with contextlib.suppress(Killed, OSError):
            change(kept)
        if calls() < number:
            return  # it needs no more calls
    two = folder / "two.json"
    found = [path for path in (kept, two) if path.exists() and path.stat().st_size]
    for path in found:
        session, whole = read(path)
        assert whole
        assert session.name == path.stem
        assert session.steps == before.steps
        assert session.events[: len(before.events)] == before.events
    assert found or change is delete
    checkpoints = [p for p in (folder / "one.checkpoints", folder / "two.checkpoints") if p.exists()]
    assert len(checkpoints) == 1 or change is delete
    if kept.exists():  # once more ends what was begun
        if two.exists() and not two.stat().st_size:
            delete(two)
        change(kept)
    if change is move:
        assert read(two)[1]
        assert (folder / "two.checkpoints" / "8.npz").read_bytes() == b"eight"
    if change is not note:
        assert not kept.exists()
        assert [each for each in belongings(kept) if each.suffix != ".journal"] == []
    assert {n: raw for n, raw in everything(folder).items() if n.startswith("one-more")} == neighbours
