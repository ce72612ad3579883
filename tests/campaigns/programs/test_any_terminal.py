"""Any terminal: resized without end, without colour or UTF-8, dumb, none; ctrl-c before the first frame.

`PANDATUI_RESIZES` says how many resizes, at up to 500 a second.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions.store import look

pyte = pytest.importorskip("pyte")
pytestmark = pytest.mark.campaign

RESIZES = int(os.environ.get("PANDATUI_RESIZES", "200"))
A_SECOND = 500
ENDLESS = ("--data", "moons", "--hidden", "8", "--epochs", "1000000", "--name", "one")
SMALL = ("--data", "moons", "--hidden", "8", "--name", "one")
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
COLOUR = re.compile(r"(3|4|9|10)[0-9]|58|59")
ESCAPE = "\x1b[27u"  # which is not taken for the start of something else
# views, comparison, dialogs, lists, help, palette
EVERYWHERE = (
    "2",
    "3",
    "4",
    "1",
    "5",
    ESCAPE,
    ESCAPE,
    "c",
    ESCAPE,
    "\x0e",
    ESCAPE,
    "\x0f",
    ESCAPE,
    "?",
    "?",
    "\x10",
)


def look_around(terminal: Any, keys: Sequence[str] = EVERYWHERE) -> None:
    """Press these keys, each once the one before has been answered, and end it."""
    for key in keys:
        before = len(terminal.shown)
        terminal.type(key)
        terminal.until(lambda before=before: len(terminal.shown) > before, f"an answer to {key!r}")
        terminal.read_for(0.1)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ends() == 128 + signal.SIGTERM, terminal.shown[-6000:].decode(errors="replace")


def plot_in(terminal: Any) -> str:
    return "\n".join(line[:78] for line in terminal.picture().splitlines()[1:24])


def path_with(folder: Path) -> str:
    """What the program's Python looks through: this folder, then what it is told here."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


# -- sizes ---------------------------------------------------------------------------------------------------


def test_resized_without_end_while_training(attacks: Any) -> None:
    found = attacks("resizes")
    terminal = found.terminal(*ENDLESS, "--pace", "max")
    terminal.says("train")
    begun = time.monotonic()
    for number in range(RESIZES):
        terminal.resize(found.chance.randint(1, 200), found.chance.randint(1, 60))
        terminal.read_for(begun + (number + 1) / A_SECOND - time.monotonic())
    took = time.monotonic() - begun
    found.seen["resizes"] += RESIZES
    found.seen["a second"] = round(RESIZES / took)
    terminal.resize(118, 33)
    since = len(terminal.shown)
    terminal.says("what happened", since)
    terminal.until(lambda: look(found.folder / "one.json").session.steps, "a step on record")
    terminal.type("q")
    assert terminal.ends() == 0, terminal.shown[-2000:]
    assert terminal.restored
    assert not terminal.broken
    stored = look(found.folder / "one.json")
    assert (stored.warning, stored.edited, stored.holder, stored.status) == ("", False, None, "stopped")


# the first time that the size is (60, 10), it changes after it has been read and before it has been heard
BETWEEN = """
import fcntl, os, struct, termios
def size(fd, real=os.get_terminal_size, once=[(60, 10)]):
    found = real(fd)
    if found in once:
        once.clear()
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 118, 0, 0))
    return found
os.get_terminal_size = size
"""


def test_of_two_sizes_the_newer_one_holds(attacks: Any, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BETWEEN)
    terminal = attacks("resizes").terminal(*ENDLESS, size=(100, 30), PYTHONPATH=path_with(tmp_path))
    terminal.says("train")
    terminal.resize(60, 10)
    terminal.until(lambda: os.get_terminal_size(terminal.master) == (118, 33), "the other size")
    terminal.until(lambda: re.search(rb"\x1b\[33;\d+H", terminal.shown), "the last row")
    terminal.type("q")
    assert terminal.ends() == 0


def test_begun_in_one_cell(attacks: Any) -> None:
    found = attacks("resizes")
    terminal = found.terminal(*SMALL, size=(1, 1))
    terminal.until((found.folder / "one.json").exists, "its record")
    terminal.resize(120, 36)
    terminal.says("what happened")
    terminal.type("q")
    assert (terminal.ends(), terminal.restored, terminal.broken) == (0, True, False)


# -- colours and characters ----------------------------------------------------------------------------------


def test_without_colour_none_is_sent_and_the_curves_are_told_apart(attacks: Any) -> None:
    terminal = attacks("without colour").terminal(*ENDLESS, "--pace", "5", NO_COLOR="1")
    terminal.says("dev 0.")
    # dev's curve is points, an epoch each, train's a line; each has its name (a frame may be there by half)
    for sign in ("●", "[\u2801-\u28ff]{3}", r"train 0\.\d", r"dev 0\.\d"):
        terminal.until(lambda sign=sign: re.search(sign, plot_in(terminal)), f"{sign} on the plot")
    look_around(terminal)
    codes = {code for codes in SGR.findall(terminal.shown) for code in codes.decode().split(";")}
    assert not {code for code in codes if COLOUR.fullmatch(code)}
    assert "7" in codes  # what is chosen stands out all the same


def test_a_no_color_that_is_empty_says_nothing(attacks: Any) -> None:
    """https://no-color.org: when present and not an empty string."""
    terminal = attacks("without colour").terminal(*SMALL, NO_COLOR="")
    terminal.says("\x1b[38;5;")
    terminal.type("q")
    assert terminal.ends() == 0


@pytest.mark.parametrize(
    ("arguments", "environ", "keys"), [((), {"LANG": "C"}, EVERYWHERE), (("--ascii",), {}, ("5", "\x10"))]
)
def test_where_there_is_only_ascii_only_ascii_is_sent(
    attacks: Any, arguments: tuple[str, ...], environ: dict[str, str], keys: tuple[str, ...]
) -> None:
    terminal = attacks("ascii").terminal(*ENDLESS, *arguments, **environ)
    terminal.says("dev 0.")
    look_around(terminal, keys)
    assert not re.findall(rb".{0,40}[\x80-\xff]+", terminal.shown)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("train", *SMALL, "--epochs", "3"), ("data",), ("nonsense-é",)],
)
def test_talk_is_ascii_where_the_terminal_is(attacks: Any, arguments: tuple[str, ...]) -> None:
    terminal = attacks("ascii").terminal(*arguments, LANG="C")
    assert terminal.ends() in (0, 2)
    assert terminal.shown.isascii()
    assert terminal.shown


def test_what_goes_into_a_file_stays_as_it_is(attacks: Any) -> None:
    said = attacks("ascii").answer("data", LANG="C")
    assert "8×8" in said.stdout


# -- no screen to draw on ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "command"), [("dumb", ()), ("unknown", ("resume",)), ("DUMB", ("replay",))])
def test_a_dumb_terminal_is_told_what_works(attacks: Any, name: str, command: tuple[str, ...]) -> None:
    found = attacks("no screen")
    terminal = found.terminal(*command, TERM=name)
    assert terminal.ends() == 2
    assert re.fullmatch(
        rb"pandatui: the screen needs a terminal that moves its cursor; .+\r\n", terminal.shown
    )
    assert not found.folder.exists()


@pytest.mark.parametrize(
    ("closed", "command"),
    [
        ("<&-", ""), ("</dev/null", "resume"), ("<&- >&-", "replay"),
        ("2>&-", ""), ("2>/dev/null", "resume"), ("<&- >&- 2>&-", "replay"),
    ],
)  # fmt: skip
def test_without_a_terminal_it_is_one_line_and_2(attacks: Any, closed: str, command: str) -> None:
    found = attacks("no screen")
    terminal = found.shell(f'"$0" {command} {closed}; echo "status $?"')
    assert terminal.ends() == 0
    *said, status = terminal.shown.decode().splitlines()
    assert status == "status 2"
    assert len(said) == ("2>" not in closed)
    assert all(line.startswith("pandatui: the screen needs a terminal; without one use: ") for line in said)
    assert not found.folder.exists()


@pytest.mark.parametrize(
    ("closed", "status"),
    [("2>&-", 0), ("<&-", 0), ("<&- 2>&- >/dev/null", 0), (">&-", 2), ("<&- >&- 2>&-", 2), (">/dev/full", 2)],
)
def test_training_does_not_need_its_streams_but_tells_what_was_lost(
    attacks: Any, closed: str, status: int
) -> None:
    found = attacks("no screen")
    terminal = found.shell(
        f'"$0" train --data xor --hidden 4 --epochs 2 --name one {closed}; echo "status $?"'
    )
    assert terminal.ends() == 0
    assert terminal.shown.decode().splitlines()[-1] == f"status {status}"
    assert b"Exception" not in terminal.shown
    assert not terminal.broken
    stored = look(found.folder / "one.json")
    assert (stored.warning, stored.edited, stored.status) == ("", False, "finished")


# -- ctrl-c --------------------------------------------------------------------------------------------------

# says when the program looks for its commands: before, Python itself is starting, and ctrl-c is Python's
BEGUN = """
import sys
from pathlib import Path
class Finder:
    def find_spec(name, *_):
        if name == "pandatui.cli":
            Path({noted!r}).touch()
sys.meta_path.insert(0, Finder)
"""


def test_ctrl_c_before_the_first_frame_ends_it_without_a_word(attacks: Any, tmp_path: Path) -> None:
    found = attacks("ctrl-c before the first frame")
    noted = tmp_path / "begun"
    (tmp_path / "sitecustomize.py").write_text(BEGUN.format(noted=str(noted)))
    failures = []
    for number in range(found.count):
        noted.unlink(missing_ok=True)
        terminal = found.terminal(*ENDLESS[:-1], f"run-{number}", PYTHONPATH=path_with(tmp_path))
        terminal.until(noted.exists, "the program")
        delay = 0.8 * (number + found.chance.random()) / found.count
        if number % 3 == 2:  # from when the terminal is taken over
            terminal.says("\x1b[?1049h")
            delay /= 4
        terminal.read_for(delay)
        terminal.process.send_signal(signal.SIGINT)
        code = terminal.ends()
        found.seen["on its screen" if b"?1049h" in terminal.shown else "before"] += 1
        if (code, terminal.restored, b"Traceback" in terminal.shown) != (130, True, False):
            failures.append(f"after {delay:.3f} s: {code}, {terminal.shown[-1500:]!r}")
    assert not failures, "\n".join(failures)


def test_ctrl_c_that_is_ignored_stays_so(attacks: Any) -> None:
    """As a shell starts what is put behind it: `trap '' INT`."""
    found = attacks("ctrl-c before the first frame")
    script = (
        """trap '' INT; "$0" train --data xor --hidden 4 --epochs 40 --name one & kill -INT $!; wait $!"""
    )
    terminal = found.shell(script)
    assert terminal.ends() == 0
    assert look(found.folder / "one.json").status == "finished"
