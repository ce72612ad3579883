"""config.toml: what it may hold, what is refused in one line, and the theme that is remembered."""

from __future__ import annotations

import os
import tomllib

import pytest

from pandatui.settings import Settings, SettingsError, load_settings, remember_theme, settings_file
from pandatui.toml import MAX_BYTES
from pandatui.tui.beside import Habits


@pytest.fixture
def write():
    def write(text: str | bytes):
        settings_file().parent.mkdir(parents=True, exist_ok=True)
        settings_file().write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


def test_the_file_is_in_the_users_config_folder(home):
    assert settings_file().is_relative_to(home)
    assert settings_file().parts[-2:] == ("pandatui", "config.toml")


def test_no_file_means_the_defaults():
    assert load_settings() == Settings(theme=None, keys={}, sessions=None)


def test_what_it_may_hold(write):
    write('theme = "projector"\nsessions = "/data/sessions"\n[keys]\nlower_rate = "j"\n')
    assert load_settings() == Settings("projector", {"lower_rate": "j"}, "/data/sessions")


@pytest.mark.parametrize(
    "text",
    [
        "theme",
        "theme = 5",
        "theme = [",
        'colour = "red"',
        "keys = 5",
        "[keys]\na = 5",
        "sessions = true",
        b"\xff\xfe",
        'theme = "a"\ntheme = "b"',
        "theme = " + "9" * 5_000,
        "theme = " + "[" * 100_000,
        "theme = " + "{a=" * 100_000,
        "a." * 20_000 + "a = 1",
        "s" * 5_000 + " = 1",
        "#" * (MAX_BYTES + 1),
    ],
    ids=lambda text: text[:30] if isinstance(text, str) else "bytes",
)
def test_what_it_may_not_hold(write, text):
    write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(settings_file()) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_pipe_or_a_device_in_its_place_holds_nobody(make):
    settings_file().parent.mkdir(parents=True)
    make(settings_file())
    with pytest.raises(SettingsError, match="expected a regular file"):
        load_settings()


def test_a_folder_in_its_place():
    settings_file().mkdir(parents=True)
    with pytest.raises(SettingsError):
        load_settings()


@pytest.mark.parametrize(
    "before",
    [
        None,
        "",
        'sessions = "s"\n[keys]\na = "b"\n',
        'theme = "old"\nsessions = "s"\n[keys]\na = "b"\n',
        'sessions = "s"\n  theme="old" # mine\n\n[keys]\na = "b"\ntheme = "t"\n',
        '[keys]\ntheme = "t"\n',
    ],
)
@pytest.mark.parametrize("name", ["panda-light", 'odd "name" \\1'])
def test_a_theme_is_remembered_and_the_rest_left_alone(write, before, name):
    if before is not None:
        write(before)
    old = load_settings()
    for _ in range(2):
        remember_theme(name)
        assert load_settings() == Settings(name, old.keys, old.sessions)
    found = tomllib.loads(settings_file().read_text())
    assert set(found) == {"theme"} | set(tomllib.loads(before or ""))
    assert [p.name for p in settings_file().parent.iterdir()] == ["config.toml"]


def test_hints_and_the_bell(write):
    write('hints = false\nhints_off = ["flat", "slow"]\nbell = true\n')
    kept = load_settings()
    assert (kept.hints, kept.hints_off, kept.bell) == (False, ("flat", "slow"), True)
    assert Habits.of(kept) == Habits(hints=False, off=("flat", "slow"), bell=True)
    assert Habits.of(Settings()) == Habits(hints=True, off=(), bell=False)


@pytest.mark.parametrize("text", ["hints = 1", 'bell = "yes"', "hints_off = true", "hints_off = [1]"])
def test_hints_and_the_bell_of_another_type(write, text):
    write(text)
    with pytest.raises(SettingsError, match=r"config\.toml"):
        load_settings()


def test_a_hint_that_there_is_not(write):
    write('hints_off = ["flatt"]')
    with pytest.raises(SettingsError, match="'hints_off': expected some of overfitting, long memory"):
        Habits.of(load_settings())
