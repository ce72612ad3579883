"""Signals, hang-ups and ctrl-c twice: saved, the terminal as it was, 128 + n, nothing broken, nobody left.

Three programs, the app, `train` and `batch`, each at a moment between its start and well into its work;
with SIGINT, once its record is there.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from pandatui.search.shelf import look as look_at_study
from pandatui.sessions.lock import holder
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.store import look

pytestmark = pytest.mark.campaign

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
ENDLESS = ("--data", "moons", "--hidden", "8", "--epochs", "1000000", "--name", "one")
PROGRAMS = {
    "app": ENDLESS,
    "train": ("train", *ENDLESS),
    "batch": ("batch", "--data", "moons", "--hidden", "8", "--epochs", "1000000", "--trials", "40", "--name",
              "one", "--workers", "2"),
}  # fmt: skip
LONG = 60.0  # seconds: only a failure waits so long
LASTS = 2.0  # seconds of work in which it is attacked


def kept(folder: Path, program: str) -> Path:
    return folder / ("one.study.json" if program == "batch" else "one.json")


def begun(attacks: Any, program: str, after: float) -> Any:
    """A program so many seconds after its record is there; before that, when `after` is negative."""
    for each in attacks.folder.glob("*") if attacks.folder.exists() else ():
        if each.is_file():
            each.unlink()
    terminal = attacks.terminal(*PROGRAMS[program])
    if after < 0:
        terminal.until(lambda: os.tcgetpgrp(terminal.master) == terminal.process.pid, "a terminal of its own")
        terminal.read_for(1 + after)
    else:
        terminal.until(kept(attacks.folder, program).exists, "its record")
        terminal.read_for(after)
    return terminal


def whole(attacks: Any, program: str, *, at_once: bool = False) -> bool:
    """Whether there is a record: then it is whole, closed, and nobody's.

    Who left `at_once` has not put away what it was writing beside it; whoever opens the record next does.
    """
    path = kept(attacks.folder, program)
    if not path.exists():
        attacks.seen["before there was a record"] += 1
        return False
    if program == "batch":
        study = look_at_study(path)
        assert (study.warning, study.edited) == ("", False)
        assert study.status in ("stopped", "finished", "crashed")
        attacks.seen[f"study {study.status}"] += 1
    else:
        stored = look(path)
        assert (stored.warning, stored.edited, stored.holder) == ("", False, None)
        assert stored.status == "stopped"
    assert holder(journal_path(path)) is None
    assert at_once or not [each.name for each in attacks.folder.rglob("*.tmp")]
    return True


def wrong(terminal: Any, code: int, expected: int, *, closed: bool = False) -> list[str]:
    """What is not as it ought to be after the end."""
    found = [f"status {code} for {expected}"] if code != expected else []
    found += ["a mistake is shown"] if terminal.broken else []
    found += ["terminal not restored"] if not (closed or terminal.restored) else []
    found += ["left behind"] if terminal.orphans() else []
    return [*found, repr(terminal.shown[-1500:])] if found else []


def test_a_signal_at_any_moment(attacks: Any) -> None:
    found = attacks("signals")
    ways = [*itertools.product(PROGRAMS, (*SIGNALS, None))]
    found.chance.shuffle(ways)
    failures = []
    for number in range(found.count):
        program, sent = ways[number % len(ways)]
        # while Python imports the program, before a line of it runs, SIGINT ends it with Python's traceback
        after = found.chance.uniform(0 if sent is signal.SIGINT else -0.8, LASTS)
        terminal = begun(found, program, after)
        at = time.monotonic()
        if sent is None:
            terminal.hang_up()
        elif terminal.process.poll() is None:
            terminal.process.send_signal(sent)
        code = terminal.ends()
        found.took(time.monotonic() - at)
        name = sent.name if sent else "terminals closed"
        odd = wrong(terminal, code, 128 + (sent or signal.SIGHUP), closed=sent is None)
        failures += [f"{program}, {name} after {after:.3f} s: {', '.join(odd)}"] if odd else []
        found.seen["saved"] += whole(found, program)
        found.seen[name] += 1
    assert not failures, "\n".join(failures)


def test_ctrl_c_twice_at_any_delay(attacks: Any) -> None:
    found = attacks("ctrl-c twice")
    programs = itertools.cycle(PROGRAMS)
    failures = []
    for number in range(found.count):
        program = next(programs)
        delay = 2.4 * ((number + found.chance.random()) / found.count) ** 2  # most of them soon
        after = found.chance.uniform(0, LASTS / 2)
        terminal = begun(found, program, after)
        terminal.type("\x03")
        at = time.monotonic()
        terminal.read_for(delay)
        terminal.type("\x03")
        second = last = time.monotonic()
        end = second + LONG
        while program == "app" and terminal.process.poll() is None and time.monotonic() < end:
            terminal.read()
            if (
                time.monotonic() - last > 1
            ):  # to the app the two seconds were over: it takes this for the second
                found.seen["too late to be a second"] += 1
                terminal.type("\x03")
                last = time.monotonic()
        code = terminal.ends()
        if second - at < 1.5:
            found.took(time.monotonic() - second)
        odd = wrong(terminal, code, 130)
        failures += [f"{program}, {after:.3f} s, again {delay:.3f} s: {', '.join(odd)}"] if odd else []
        whole(found, program, at_once=program == "batch")
        found.seen[program] += 1
    assert not failures, "\n".join(failures)
