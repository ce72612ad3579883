"""Whole files, killed between any two calls to the system: the old one, the new one, or none; never half."""

from __future__ import annotations

import errno
import os

import pytest

from pandatui.sessions import Store
from pandatui.sessions.journal import Journal
from pandatui.sessions.store import belongings, write_whole

LONGEST = "x" * 64  # a session's name


class Killed(BaseException):
    """Nobody tidies up after it."""


@pytest.fixture
def killed_at(monkeypatch):
    """From the so-manieth call that changes the folder on, none is carried out."""

    def killed_at(number, patch):
        count = 0

        def dying(real):
            def call(*args, **more):
                nonlocal count
                count += 1
                if count >= number:
                    raise Killed
                return real(*args, **more)

            return call

        for name in ("open", "fsync", "link", "replace", "unlink"):
            patch.setattr(os, name, dying(getattr(os, name)))
        return lambda: count

    return killed_at


@pytest.mark.parametrize("number", range(1, 10))
def test_a_new_file_is_whole_or_not_there(tmp_path, killed_at, number):
    path = tmp_path / "one.json"
    with pytest.MonkeyPatch.context() as patch:
        calls = killed_at(number, patch)
        try:
            write_whole(path, b"whole", new=True)
        except Killed:
            assert calls() >= number
        else:
            assert 5 <= calls() < number
    assert not path.exists() or path.read_bytes() == b"whole"


def test_where_files_have_no_links_new_never_overwrites_either(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "one.json"
    write_whole(path, b"mine", new=True)
    with pytest.raises(FileExistsError) as caught:
        write_whole(path, b"yours", new=True)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["one.json"]


def test_what_a_killed_save_leaves_belongs_to_the_longest_name_too(tmp_path, killed_at):
    """And to no other that begins alike."""
    store = Store(tmp_path)
    path, other = store.path(LONGEST), store.path(LONGEST[:40])
    other.write_bytes(b"")
    journal = Journal.create(path.with_suffix(".journal"), "id-1")
    with pytest.MonkeyPatch.context() as patch:
        killed_at(3, patch)  # its new file is there
        with pytest.raises(Killed):
            journal.restart("id-1", journal.end, journal.number)
    journal.close(remove=True)
    with pytest.MonkeyPatch.context() as patch:
        killed_at(2, patch)
        with pytest.raises(Killed):
            write_whole(path, b"whole")
    path.write_bytes(b"whole")
    left = sorted(each for each in tmp_path.iterdir() if each.suffix == ".tmp")
    assert len(left) == 2
    assert belongings(path) == [path, *left]
    assert belongings(other) == [other]
