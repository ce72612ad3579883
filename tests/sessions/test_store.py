"""The sessions folder: names, files that are whole or not there, and finding them again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.sessions import SessionError, Store
from pandatui.sessions import store as module
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.sessions.store import NameRefused, check_name, read, sessions_folder, write_whole


def raw(new_run, name="one"):
    return encode(record(new_run(), Identity(name, "0", "2026-01-02T03:04:05+00:00"), 0.0, None))


# -- names --


@pytest.mark.parametrize("name", ["a", "7", "brave-otter", "A.b_c-d", "x" * 64, "nul", "a..b"])
def test_names_that_files_may_have(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-x",
        "a/b",
        "../a",
        "a\\b",
        "a b",
        "a\n",
        "a\x00",
        "\x1b[31m",
        "ü",
        "x" * 65,
        "a.json",
        "a.study",
        "a.journal",
        "٣",
    ],
)
def test_names_that_no_file_may_have(name):
    with pytest.raises(NameRefused) as caught:
        check_name(name)
    assert "\n" not in str(caught.value)
    with pytest.raises(NameRefused):
        Store(Path()).path(name)


@given(st.text(max_size=80))
def test_any_name_stays_in_the_folder(name):
    folder = Path("/somewhere/sessions")
    try:
        path = Store(folder).path(name)
    except NameRefused:
        return
    assert path.parent == folder
    assert os.path.normpath(path) == str(path)
    assert not path.name.startswith(".")


def test_a_new_name_is_nobodys_yet(tmp_path, monkeypatch):
    store = Store(tmp_path)
    assert check_name(store.new_name())
    monkeypatch.setattr(module, "_ADJECTIVES", "calm")
    monkeypatch.setattr(module, "_ANIMALS", "yak")
    assert store.new_name() == "calm-yak"
    store.path("calm-yak").write_bytes(b"")
    other = store.new_name()
    assert other.startswith("calm-yak-")
    assert check_name(other)


# -- whole files --


def test_write_and_replace(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, b"one", new=True)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.json"]


def test_new_never_overwrites(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError) as caught:
        write_whole(path, b"yours", new=True)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_when_writing_fails_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch, new, broken, error):
    path = tmp_path / "a.json"
    if not new:
        path.write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, broken, fail)
    if broken == "replace":
        monkeypatch.setattr(os, "link", fail)
    with pytest.raises(type(error)):
        write_whole(path, b"new", new=new)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({} if new else {"a.json": b"old"})


def test_the_file_and_then_its_folder_are_flushed_to_disk(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor):
        order.append("folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "file")
        fsync(descriptor)

    def replaced(*paths):
        order.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", replaced)
    write_whole(tmp_path / "a.json", b"x")
    assert order == ["file", "replace", "folder"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mode_is_as_the_umask_says(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "a.json", b"x", new=True)
        write_whole(tmp_path / "b.json", b"x")
    finally:
        os.umask(before)
    for name in ("a.json", "b.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "sessions").write_bytes(b"")
    with pytest.raises(OSError, match="sessions"):
        Store(tmp_path / "sessions").prepare()
    with pytest.raises(OSError):
        write_whole(tmp_path / "sessions" / "a.json", b"x")


# -- finding them --


@pytest.fixture
def store(tmp_path, new_run):
    """Two sessions, the second newer; a broken one, older than both; and files that are none."""
    store = Store(tmp_path / "sessions")
    store.prepare()
    for age, name in ((20, "one"), (10, "two")):
        store.write(name, raw(new_run, name), new=True)
        os.utime(store.path(name), (1e9 - age, 1e9 - age))
    broken = store.folder / "broken.json"
    broken.write_bytes(b"{")
    os.utime(broken, (1e9 - 30, 1e9 - 30))
    (store.folder / "big.study.json").write_bytes(b"{}")
    (store.folder / "two.journal").write_bytes(b"")
    (store.folder / "notes.txt").write_bytes(b"")
    return store


def test_find(store):
    assert store.find(None) == store.path("two")
    assert store.find("one") == store.path("one")
    assert store.find(str(store.path("one"))) == store.path("one")


@pytest.mark.parametrize(
    "which", ["three", "", "../one", "/nowhere/one.json", "one.json", "a b", "x\x00y", "x\x00.json", "\x1b"]
)
def test_what_is_not_there_is_said_in_one_line(store, which):
    with pytest.raises(SessionError) as caught:
        store.find(which)
    assert "\n" not in str(caught.value)


def test_an_empty_or_missing_folder(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert Store(folder).list() == []
        with pytest.raises(SessionError, match="no sessions in"):
            Store(folder).find(None)


def test_the_list_is_newest_first_with_what_is_wrong(store, new_run):
    edited = store.path("one").read_bytes().replace(b'"epochs": 0', b'"epochs": 7')
    store.path("one").write_bytes(edited)
    (store.folder / "folder.json").mkdir()
    os.utime(store.folder / "folder.json", (1e9 - 40, 1e9 - 40))
    os.utime(store.path("one"), (1e9 - 20, 1e9 - 20))
    found = store.list()
    assert [stored.path.name for stored in found] == ["two.json", "one.json", "broken.json", "folder.json"]
    two, one, broken, folder = found
    assert (two.session.name, two.edited, two.problem) == ("two", False, "")
    assert (one.session.epochs, one.edited) == (7, True)
    assert broken.session is None
    assert broken.problem.startswith("'broken.json': not a session")
    assert folder.problem == "'folder.json': expected a regular file"


def test_a_file_too_large_to_be_one(store, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(SessionError, match=r"'one\.json': larger than"):
        read(store.path("one"))


def test_a_pipe_is_not_waited_for(store):
    os.mkfifo(store.folder / "pipe.json")
    assert [s.problem for s in store.list() if s.path.name == "pipe.json"] == [
        "'pipe.json': expected a regular file"
    ]


def test_what_is_gone_is_no_pipe(store):
    store.path("one").unlink()
    with pytest.raises(SessionError, match=r"'one\.json': no such file"):
        read(store.path("one"))


# -- where the folder is --


def test_option_beats_environment_beats_here_beats_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home = Path(platformdirs.user_data_dir("pandatui", appauthor=False)) / "sessions"
    assert sessions_folder(None, {}) == home
    (tmp_path / "sessions").mkdir()
    assert sessions_folder(None, {}) == Path("sessions")
    environ = {"PANDATUI_SESSIONS": "/elsewhere"}
    assert sessions_folder(None, environ) == Path("/elsewhere")
    assert sessions_folder("mine", environ) == Path("mine")
    assert sessions_folder(None, {"PANDATUI_SESSIONS": ""}) == Path("sessions")
