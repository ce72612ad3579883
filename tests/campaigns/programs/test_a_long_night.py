"""A long night: the app on its terminal at full pace, and a monkey at its keys.

The short form is some seconds. `PANDATUI_NIGHT` says how many steps are to be trained, and 660000 are as many
as eight hours at the default pace on the digits. Every key of the watch screen and of what it opens is
pressed, values are typed, a hundred times it goes back, twenty times it branches. Memory has to be flat,
nothing may go wrong, and every session that is left has to verify.
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pandatui.sessions import Session
from pandatui.sessions.replay import event_of
from pandatui.sessions.store import look
from pandatui.training.events import JUMPS

pytestmark = pytest.mark.campaign

EIGHT_HOURS = 660_000  # steps: an epoch a second, 23 mini-batches an epoch
NIGHT = int(os.environ.get("PANDATUI_NIGHT", "1500"))
LONG = NIGHT >= 100_000
EVERY = 0.5 if LONG else 0.05  # seconds from one of the monkey's gestures to the next
UNDOS = max(3, 100 * NIGHT // EIGHT_HOURS)
BRANCHES = max(1, 20 * NIGHT // EIGHT_HOURS)
GESTURES = 12  # at the least
ONE_SESSION = 0.4  # of the night, before the first branch: a curve that no longer is kept whole
RUN = ("--data", "digits", "--epochs", "28800", "--pace", "max" if LONG else "40")
PATIENCE = 60.0  # seconds without a step, whatever is pressed: only a failure waits so long

# what is flat: from the third quarter of the night to the last. In the first half checkpoints, the curve and
# what was undone still fill what room they have.
RISE = 0.05  # of the median

ESC, ENTER, TAB = "\x1b", "\r", "\t"
UP, DOWN, LEFT, RIGHT = (f"\x1b[{letter}" for letter in "ABDC")
HOME, END, BACK_ONE, ON_ONE = "\x1b[H", "\x1b[F", "\x1b[1;2D", "\x1b[1;2C"
NEW, SESSIONS, SAVE, LATER = "\x0e", "\x0f", "\x13", "\x0c"  # ctrl with n, o, s and l
QUIT = "\x11"  # ctrl+q, heard on every screen
WHEEL_UP, WHEEL_DOWN = "\x1b[<64;40;12M", "\x1b[<65;40;12M"
KEYS = [*"aAbBdDx-+=uUhgkotlszZy12345?nrC. <>", ENTER, ESC, TAB, UP, DOWN, LEFT, RIGHT, HOME, END]
KEYS += [BACK_ONE, ON_ONE, SAVE, NEW, SESSIONS, WHEEL_UP, WHEEL_DOWN]
VALUES = ["0.05", "0.9", "0.01", "64", "32", "256", "0", "1e-3", "-1", "nan", "1e400", "١", "0.1.2", "é"]
NOTES = ["a note", "[b]bold[/b] \\o/", "ünïcödé 漢字", "x" * 300]
# seconds that a key has to itself: what follows esc at once is another key, and what follows the others goes
# where the one before went
SETTLES = {ESC: 0.15, TAB: 0.4, "c": 0.4}
CLOSED = [ESC, ESC, ESC, "1"]  # whatever is open


class Monkey:
    """Picks gestures: keys one after the other."""

    def __init__(self, chance: Any) -> None:
        self.chance = chance

    def gesture(self, late: bool) -> list[str]:
        """Mostly a single key. `late`: it may end the session for another."""
        pick = self.chance.choice
        if self.chance.random() < 0.6:
            return [pick(KEYS)]
        kinds = [self.value, self.steps, self.note, self.twins, self.back, self.batch, self.sessions]
        kinds += [self.leave, self.slow, self.mouse, self.race, self.ghost]
        return pick([*kinds, self.other, self.new] if late else kinds)()

    def moved(self, keys: tuple[str, ...], most: int) -> list[str]:
        return [self.chance.choice(keys) for _ in range(self.chance.randrange(most))]

    def value(self) -> list[str]:
        return [*CLOSED, *self.moved((UP, DOWN), 5), ENTER, self.chance.choice(VALUES), ENTER, ESC]

    def steps(self) -> list[str]:
        return [*CLOSED, " ", "r", self.chance.choice(["1", "50", "0", "many", "700"]), ENTER, ESC, ".", " "]

    def note(self) -> list[str]:
        return [*CLOSED, "n", self.chance.choice(NOTES), ENTER]

    def twins(self) -> list[str]:
        return [*CLOSED, "t", self.chance.choice([ENTER, "h", ESC, "n"])]

    def ghost(self) -> list[str]:
        return [*CLOSED, "A", "g", *self.moved(("g", "k"), 3)]

    def back(self) -> list[str]:
        return [
            *CLOSED,
            *self.moved((LEFT, LEFT, RIGHT, BACK_ONE), 6),
            ENTER,
            self.chance.choice([ENTER, ESC]),
        ]

    def batch(self) -> list[str]:
        """Three trials of two epochs, in a race at once or for later; or the form alone."""
        filled = ["c", "3", TAB, "1", TAB, "2", TAB]
        return [*CLOSED, *self.chance.choice([[*filled, ENTER], [*filled, LATER], ["c", TAB, "x", ESC]])]

    def race(self) -> list[str]:
        return [*CLOSED, "C", *self.moved((DOWN, UP, TAB, " "), 6), ESC]

    def sessions(self) -> list[str]:
        """Look at a recorded one, and play it."""
        seen = self.moved((" ", ">", LEFT, RIGHT, HOME, "1", "2", "3", "4", "l", "z"), 8)
        return [*CLOSED, SESSIONS, *self.moved((DOWN,), 5), ENTER, *seen, ESC, ESC, ESC]

    def other(self) -> list[str]:
        """Go on with a recorded one."""
        return [*CLOSED, SESSIONS, *self.moved((DOWN,), 4), ENTER, "r", ENTER, ESC]

    def new(self) -> list[str]:
        return [*CLOSED, NEW, *self.chance.choice([[NEW], [ESC], [ESC]])]

    def leave(self) -> list[str]:
        return [*CLOSED, self.chance.choice("fnrct"), "1", ESC]

    def slow(self) -> list[str]:
        return [*CLOSED, "<", "<", *[">"] * 12]

    def mouse(self) -> list[str]:
        return [self.chance.choice([WHEEL_UP, WHEEL_DOWN]) for _ in range(4)]

    def undo(self) -> list[str]:
        return [*CLOSED, self.chance.choice("aAbBdD"), "u"]

    def branch(self) -> list[str]:
        """From near the start mostly, that what is left at the end is not trained again for hours."""
        near = [HOME, *self.moved((RIGHT,), 4)] if self.chance.random() < 0.8 else self.moved((LEFT,), 4)
        return [*CLOSED, *near, "f", ENTER]


class Record:
    """What the night's sessions say so far; those that have ended are read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[int, int, int, int]] = {}  # when changed, steps, undos, branches

    def read(self) -> tuple[int, int, int]:
        """Steps that were trained, undone ones too; undos; branches."""
        for path in self.paths():
            journal = path.with_suffix(".journal")
            changed = 0 if journal.exists() else path.stat().st_mtime_ns
            if not changed or self._known.get(path, (0,))[0] != changed:
                session = look(path).session
                assert session is not None
                self._known[path] = (changed, *counted(session))
        rows = [row[1:] for row in self._known.values()]
        return sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] for r in rows)

    def paths(self) -> list[Path]:
        return sorted(p for p in self.folder.glob("*.json") if not p.name.endswith(".study.json"))


def counted(session: Session) -> tuple[int, int, int]:
    """Steps that it trained itself, its undos, and whether it is a branch. A ghost is nobody's night."""
    if "-without-" in session.name:
        return 0, 0, 0
    trained = at = undos = 0
    for event in map(event_of, session.events):
        trained += max(0, event.step - 1 - at)
        at = event.step - 1
        if event.kind in JUMPS and event.back_to is not None:
            at = event.back_to
        undos += event.kind == "undo"
    branch = session.parent is not None and session.parent.step is not None
    before = session.parent.step or 0 if session.parent is not None else 0
    return trained + max(0, session.steps - at) - before, undos, branch


def resident(pid: int) -> int:
    """kB of memory that a process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


class Night:
    """The app, its monkey, and what was seen of both."""

    def __init__(self, attacks: Any) -> None:
        self.attacks = attacks
        self.monkey = Monkey(attacks.chance)
        self.record = Record(attacks.folder)
        self.memory: list[tuple[int, int]] = []  # steps trained, kB
        self.terminal = attacks.terminal(*RUN, "--name", "the-night")
        self.terminal.says("train")

    def press(self, keys: list[str]) -> None:
        for key in keys:
            self.terminal.type(key)
            self.attacks.seen["keys"] += 1
            self.terminal.read_for(SETTLES.get(key, 0.02))

    def well(self) -> None:
        """Nothing of ours has gone wrong on the screen, and the program is there."""
        t = self.terminal
        for wrong in (b"Traceback", b"internal error", b"ended by an error", b"not saved"):
            if wrong in t.shown:
                t.read_for(1.0)
                pytest.fail(f"{wrong!r} on the screen:\n{t.shown[-9000:].decode(errors='replace')}")
        assert t.process.poll() is None, t.picture()
        t.shown = t.shown[-2000:]

    def pass_by(self) -> None:
        """Until all has happened that is to happen."""
        gestures = steps = undos = branches = 0
        moved = looked = time.monotonic()
        awake = 0
        while steps < NIGHT or undos < UNDOS or branches < BRANCHES or gestures < GESTURES:
            began = time.monotonic()
            share = min(1.0, max(steps / NIGHT, 0.0 if LONG else gestures / GESTURES))
            late = (share - ONE_SESSION) / (1 - ONE_SESSION)
            if undos < UNDOS * share:
                keys = self.monkey.undo()
            elif branches < BRANCHES * late:
                keys = self.monkey.branch()
            else:
                keys = self.monkey.gesture(late > 0)
            self.press(keys)
            gestures += 1
            self.terminal.read_for(began + EVERY - time.monotonic())
            self.well()
            if (now := time.monotonic()) - looked < (2.0 if LONG else 0.4):
                continue
            before, looked = steps, now
            steps, undos, branches = self.record.read()
            self.memory.append((steps, resident(self.terminal.process.pid)))
            if steps > before:
                moved, awake = now, 0
            else:  # paused, diverged, finished, or hidden behind a question
                assert now - moved < PATIENCE, f"no step for a minute: {self.terminal.shown[-4000:]!r}"
                self.press([*CLOSED, *(([" "], ["h"], [">"] * 12, ["u"])[awake % 4])])
                awake += 1
        self.attacks.seen["gestures"] += gestures

    def end(self) -> None:
        self.press([QUIT])
        assert self.terminal.ends() == 0
        assert not self.terminal.broken
        assert self.terminal.restored
        assert self.terminal.orphans() == []
        steps, undos, branches = self.record.read()
        for what, count in (("steps", steps), ("undos", undos), ("branches", branches)):
            self.attacks.seen[what] += count


def risen(memory: list[tuple[int, int]]) -> float:
    """The median memory of the last quarter over that of the third, less one."""
    steps, kilobytes = np.array(memory, float).T
    quarter = np.minimum(3, 4 * steps // steps[-1])
    third, last = (statistics.median(kilobytes[quarter == q]) for q in (2, 3))
    return last / third - 1


def test_a_long_night(attacks: Any) -> None:
    found = attacks("a long night")
    night = Night(found)
    night.pass_by()
    night.end()
    names = [path.stem for path in night.record.paths()]
    with ThreadPoolExecutor(2) as two:
        done = two.map(lambda name: found.answer("replay", name, "--verify", patience=3600), names)
        assert [each for each in done if each.returncode] == []
    found.seen["sessions verified"] += len(names)
    if LONG:
        rise = risen(night.memory)
        found.seen["kB at the most"] = max(kilobytes for _, kilobytes in night.memory)
        found.seen["per cent from the third quarter to the last"] = round(100 * rise)
    if NIGHT >= EIGHT_HOURS // 2:
        assert rise < RISE, str(night.memory)
