"""Strings from strangers on the screens: all that the program sends to its terminal is looked at.

Sessions, notes, classes and studies that are called so are listed, opened, compared and raced; a run of such
a file is trained, and a batch of it queued.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

from pandatui.sessions.schema import integrity_of

pytestmark = pytest.mark.campaign

BATCH = 100  # strings in one folder
FEW = 8  # in the short form
PATIENCE = 3.0  # seconds for a key to be answered
TRIES = 20  # times that it is pressed
# What Textual sends of its own: colours, places and modes, and the shape of the pointer.
CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\]22;[a-z]*\x07")
PRIVATE = re.compile(rb"\x1b\[[>?][0-9;$]*[a-zA-Z]")  # pyte takes some of them for text
UNFINISHED = re.compile(rb"\x1b(\[[0-?]*[ -/]*)?$|\x1b\][^\x07]*$")
DOWN, ENTER, LIST, DELETE = "\x1b[B", "\r", "\x0f", "\x1b[3~"
ESCAPE = "\x1b[27u"  # which is not taken for the start of something else


def some(found: Any, strings: list[str]) -> list[str]:
    """In the short form another few each time."""
    return strings if len(strings) > 2 * BATCH else found.chance.sample(strings, FEW)


def batches(strings: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(strings), BATCH):
        yield strings[start : start + BATCH]


def written(path: Path, plain: dict[str, Any]) -> None:
    path.write_text(json.dumps(plain | {"integrity": integrity_of(plain)}))


class Shown:
    """A program on a terminal, and keys that are pressed when it has answered the one before."""

    def __init__(self, found: Any, *arguments: str) -> None:
        self.terminal = found.terminal(*arguments, size=(140, 45))
        self._since = self._drawn = 0
        self._screen = pyte.Screen(140, 45)
        self._stream = pyte.ByteStream(self._screen)

    def press(self, keys: str, *words: str) -> None:
        self._since = len(self.terminal.shown)
        self.terminal.type(keys)
        self.says(*words)

    def says(self, *words: str) -> None:
        for each in words:
            self.terminal.says(each, self._since)
        if not words:
            self.terminal.until(lambda: len(self.terminal.shown) > self._since, "anything")

    def leave(self, words: str) -> None:
        """Press escape, and wait until what says these words is no longer on the screen, nor takes keys."""
        self.terminal.until(lambda: words in self._picture(), repr(words))
        self.terminal.type(ESCAPE)
        self.terminal.until(lambda: words not in self._picture(), f"{words!r} to go")

    def _picture(self) -> str:
        """The screen as it is now; while half a command to it has come, as it was."""
        new = self.terminal.shown[self._drawn :]
        if not UNFINISHED.search(new):
            self._drawn += len(new)
            self._stream.feed(PRIVATE.sub(b"", new))
        return "\n".join(self._screen.display)

    def until(
        self, keys: str, condition: Callable[[], object], what: str, patience: float = PATIENCE
    ) -> None:
        """Press them, and again after a while: a screen that is just closing may have taken the first."""
        for _ in range(TRIES):
            self.terminal.type(keys)
            end = time.monotonic() + patience
            while time.monotonic() < end:
                if condition():
                    return
                self.terminal.read()
        pytest.fail(f"waited in vain for {what}:\n{self.terminal.picture()}")

    def ends_harmless(self, strangers: Any, strings: list[str]) -> None:
        """It is still there to be asked to end; nothing of these strings was for the terminal to act on."""
        self.until("q", lambda: self.terminal.process.poll() is not None, "the end")
        assert self.terminal.ends() == 0
        assert self.terminal.restored
        assert not self.terminal.broken
        shown = self.terminal.shown
        # a key that comes as it leaves is echoed by the terminal, between the bytes of a sign, too
        left = CONTROL.sub(b"", shown).decode(errors="replace")
        where = {repr(left[m.start() - 30 : m.start() + 60]) for m in re.finditer("[\x1b\x07]", left)}
        assert strangers.unclean(left) <= {hex(ord("\r"))}, where
        for each in strings:
            raw = each.encode()
            if CONTROL.search(raw) and CONTROL.sub(b"", raw):  # else Textual may well send the same
                assert raw not in shown, each


def test_sessions_records_comparisons_and_a_race(attacks: Any, strangers: Any) -> None:
    found = attacks("hostile strings on the screens")
    small = ("--data", "xor", "--hidden", "4", "--epochs", "2")
    assert found.answer("train", *small, "--name", "one").returncode == 0
    batch = ("--trials", "4", "--rounds", "1", "--workers", "1", "--name", "two")
    assert found.answer("batch", *small, *batch).returncode == 0
    one, two = (found.folder / each for each in ("one.json", "two.study.json"))
    session, study = json.loads(one.read_bytes()), json.loads(two.read_bytes())
    one.unlink()
    for strings in batches(some(found, strangers.strings)):
        for number, evil in enumerate(strings):
            plain = session | {"name": evil, "id": f"{number} {evil}", "created": evil}
            plain["data"] = session["data"] | {"name": evil, "source": evil, "classes": [evil, evil + "2"]}
            plain["config"] = session["config"] | {"data": evil, "label": evil, "drop": [evil]}
            plain["environment"] = session["environment"] | {"kernel": evil}
            plain["parent"] = {"id": f"{number - 1} {evil}", "name": evil, "step": 1}
            plain["events"] = [
                {"id": 1 + i, "step": 1, "kind": "note", "seconds": 0.5, "text": each}
                for i, each in enumerate((evil, *strings[number : number + 10]))
            ]
            plain["queue"] = [{"spec": {"run": {"data": evil}}, "study": evil}]
            written(found.folder / f"s{number:03}.json", plain)
        evil = strings[found.chance.randrange(len(strings))]
        plain = study | {"name": evil, "id": evil, "created": evil}
        plain["data"] = study["data"] | {"name": evil, "source": evil, "classes": [evil, evil + "2"]}
        reasons = [strings[found.chance.randrange(len(strings))] for _ in study["trials"]]
        plain["trials"] = [
            each | {"status": "failed", "reason": why}
            for each, why in zip(study["trials"], reasons, strict=True)
        ]
        written(two, plain)
        plain["spec"] = study["spec"] | {"run": study["spec"]["run"] | {evil: evil}, "objective": evil}
        plain["config"] = study["config"] | {"data": evil, "label": evil, "drop": [evil]}
        written(found.folder / "bad.study.json", plain)

        shown = Shown(found, str(found.folder / "s001.json"))
        shown.says("go on")
        shown.press("5", "at the most")
        for number in range(4):
            shown.press(" ", "s picked" if number else "1 run picked")
        shown.press(ENTER, "dev now")
        for keys in ("\t", "v", "\x1b[D"):
            shown.press(keys)
        shown.press(ESCAPE)  # from the cursor to the end
        shown.press(ESCAPE, "go on")
        shown.press(LIST, "choose")
        for _ in strings:
            shown.press(DOWN)
        for keys, asked in (("n", "Note on"), ("R", "New name of"), (DELETE, "for good")):
            shown.press(keys, asked)
            shown.leave(asked)
        shown.press("/", "all again")
        shown.press("two", "1 of")
        shown.press(ENTER)  # from the filter to the list, which is not told by any word
        while shown.terminal.read(0.3):
            pass
        shown.until(ENTER, lambda t=shown.terminal: b"leaderboard" in t.shown, "the race", 20.0)
        for _ in range(3):
            shown.press(DOWN)
        shown.press(ENTER, "Adopt trial")
        shown.leave("Adopt trial")
        shown.press("e", "low, or choices")
        shown.leave("low, or choices")
        shown.ends_harmless(strangers, strings)
        found.seen["strings"] += len(strings)


def test_a_file_that_is_trained_and_a_batch_of_it_that_is_queued(
    attacks: Any, strangers: Any, tmp_path: Path
) -> None:
    """The app alone shows a file's own name, columns and classes while it trains; what is pasted, too."""
    found = attacks("hostile strings on the screens")
    strings = [re.sub("[\n\r\0]", " ", each) for each in some(found, strangers.strings)[-BATCH:]]
    names = [each for each in strings if each.strip() and "/" not in each and len(each.encode()) < 200]
    cells = ['"' + each.replace('"', '""') + f'k{i}"' for i, each in enumerate(strings[:8])]
    rows = "".join(
        ",".join(str((i + 1) * (j + 3) % 11) for j in range(len(cells))) + f",{cells[i % len(cells)]}\n"
        for i in range(50 * len(cells))
    )
    for number in range(max(1, len(strangers.strings) // 1_000)):
        evil = found.chance.choice(names)
        data = tmp_path / f"{evil}{number}.csv"
        data.write_text(f"{','.join(cells)},kind\n{rows}", encoding="utf-8")
        shown = Shown(
            found, "--data", str(data), "--hidden", "4", "--epochs", "100000", "--name", f"live{number}"
        )
        shown.says("train")
        for view in "2341":
            shown.press(view)
        shown.press("c", "Queue a batch")
        for each in strings:
            shown.press(f"\x1b[200~{each}\x1b[201~")
        shown.press(ESCAPE)
        # so the dialog has gone: it would have taken the key
        shown.until(" ", lambda t=shown.terminal: b"paused" in t.shown, "the pause")
        shown.press("c", "Queue a batch")
        shown.press("\t")
        shown.press(ENTER, "C shows it")
        shown.press("C", "leaderboard")
        shown.says("round 1 of 3")
        shown.ends_harmless(strangers, [*strings, evil])
        found.seen["strings pasted"] += len(strings)
