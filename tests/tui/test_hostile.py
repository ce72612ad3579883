"""No string from a file, an option or a person reaches the terminal as it is, or acts as markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.events import Paste
from textual.widgets import Input

from pandatui.charset import terminal_has_utf8, to_ascii
from pandatui.data import Dataset
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.training import Run
from pandatui.training.events import Note
from pandatui.tui.screens.record import RecordScreen
from pandatui.tui.screens.watch import WatchScreen

Opened = Callable[..., Any]

EVIL = [
    "\x1b[31mred\x1b]0;title\x07",
    "a[/b]c",
    "[@click=app.quit]x[/]",
    "\u202egnp.exe\u2066",
    "\x9b31m\x00\x7f",
    "漢字" * 30,
    "e" + "\u0301" * 40,
    "\ud800",
    "line\nbreak\r\u2028end",
]


def is_clean(text: str) -> bool:
    return not any(
        unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in text if c not in "\n\t"
    )


@pytest.mark.parametrize("evil", EVIL)
async def test_names_and_notes_are_shown_and_do_nothing(
    stage: Opened, dataset: Callable[..., Dataset], evil: str
) -> None:
    name = evil.replace("\ud800", "?")  # no file can hold it
    async with stage(data=replace(dataset(61), name=name)) as s:
        await s.until(lambda: s.steps == 1)
        if "\ud800" not in evil:
            s.app.live.driver.send(Note(evil))
            await s.says("note: ")
        s.watch.say(evil)
        s.app.notify("kept alive", markup=False)
        await s.seen()
        lines = s.screen().splitlines()
        assert all(map(is_clean, lines))
        assert {cell_len(line) for line in lines} == {120}
        assert s.app.is_running
        if "[" in evil and evil.isprintable():
            assert evil in s.screen()


@pytest.mark.parametrize("evil", [each for each in EVIL if "\ud800" not in each])
async def test_a_hostile_session_is_listed_previewed_and_opened(
    stage: Opened, new_run: Callable[..., Run], dataset: Callable[..., Dataset], folder: Path, evil: str
) -> None:
    run = new_run(replace(dataset(), name=evil, source=evil, classes=(evil, "b", "c")), label=evil)
    run.apply(Note(evil))
    while run.status == "running":
        run.step()
    folder.mkdir()
    path = folder / "evil.json"
    path.write_bytes(encode(record(run, Identity(evil, evil, evil), 1.0, None)))
    async with stage(size=(130, 40)) as s:
        await s.press("ctrl+o")
        await s.says("2 sessions in")
        await s.press("down")
        await s.seen()
        assert is_clean(s.screen())
        s.app.push_screen(RecordScreen(path))
        await s.says("settings", "note: ")
        assert is_clean(s.screen())
        await s.press("escape", "escape")
        await s.until(lambda: isinstance(s.app.screen, WatchScreen))


def test_ascii_is_ascii_and_our_own_signs_are_spelled_out() -> None:
    assert to_ascii("α 0.1 → 0.316 (×3.16) · ✖ 漢") == "a 0.1 -> 0.316 (x3.16) - X ?"


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({}, False),
        ({"LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # Python put it there
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "de_DE.utf8"}, True),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8", "LC_ALL": "C.UTF-8"}, True),
    ],
)
def test_the_locale_says_whether_there_is_utf_8(environ: dict[str, str], utf8: bool) -> None:
    assert terminal_has_utf8(environ) is utf8


async def test_what_is_pasted_into_a_dialog_is_shown_and_does_nothing(stage: Opened) -> None:
    async with stage() as s:
        await s.press("c")
        await s.says("Queue a batch")
        s.app.post_message(Paste("a\x1b[31m\x9e\u202eb\nc"))
        await s.says("expected a whole number")
        assert is_clean(s.screen())
        typed = s.app.screen.query_one("#trials", Input).value
        assert typed.replace("48", "") == "a\\x1b[31m\\x9e\\u202eb"
