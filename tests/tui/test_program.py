"""The real program on a terminal of its own: keys, signals, crashes, and what is left when it has gone."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

DEADLINE = 30.0  # seconds, on a busy machine
LAST = b"<that was all>"


class Terminal:
    """A program on a pty, and what its terminal shows."""

    def __init__(self, arguments: list[str], environ: dict[str, str], size: tuple[int, int]) -> None:
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.raw = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            arguments, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
        )

    def read(self, seconds: float = 0.05) -> None:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            data = os.read(self.master, 1 << 16)
            self.raw += data
            # pyte takes the private CSI > … u and its like for text
            self.stream.feed(self.decoder.decode(data))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + DEADLINE
        while not (found := condition()):
            assert time.monotonic() < end, f"waited in vain for {what}:\n" + "\n".join(self.screen.display)
            self.read()
        return found

    def says(self, words: str) -> None:
        self.until(lambda: any(words in line for line in self.screen.display), repr(words))

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def ends(self) -> int:
        """Wait for the end, reading all that it still says; the exit status."""
        self.until(lambda: self.process.poll() is not None, "the end")
        while select.select([self.master], [], [], 0.05)[0]:
            self.read()
        end = time.monotonic() + DEADLINE
        while LAST not in self.raw:  # what it has said may still be on its way; this comes behind it
            assert time.monotonic() < end, "waited in vain for its last words"
            os.write(self.slave, LAST)  # again: a late ctrl-c throws away what has not been read
            self.read(1.0)
        self.raw = self.raw.replace(LAST, b"")
        return self.process.returncode

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: its modes, the main screen, the cursor, no mouse reports."""
        modes = termios.tcgetattr(self.slave) == self.before
        last = [self.raw.rfind(code) for code in (b"\x1b[?1049h", b"\x1b[?1049l")]
        cursor = [self.raw.rfind(code) for code in (b"\x1b[?25l", b"\x1b[?25h")]
        mouse = [self.raw.rfind(code) for code in (b"\x1b[?1000h", b"\x1b[?1000l")]
        return modes and all(off < on for off, on in (last, cursor, mouse))

    def hang_up(self) -> None:
        """The terminal's window is closed."""
        for each in (self.master, self.slave):
            if each >= 0:
                os.close(each)
        self.master = self.slave = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()


@pytest.fixture
def program(tmp_path: Path, home: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts `pandatui ARGUMENTS`, or a program that is given, on a terminal."""
    opened: list[Terminal] = []

    def start(*arguments: str, size: tuple[int, int] = (120, 36), source: str = "", **extra: str) -> Terminal:
        command = ["-c", source] if source else ["-m", "pandatui"]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("LC_")}
        environ |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PANDATUI_SESSIONS": str(tmp_path / "kept")}
        environ |= extra
        opened.append(Terminal([sys.executable, *command, *arguments], environ, size))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def the_session(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "kept").glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


# where a busy machine lies between two presses they are one gesture all the same
UNHURRIED = """
import pandatui.training.driver
pandatui.training.driver.GESTURE_SECONDS = 1e6
from pandatui.cli import main
main()
"""


def test_the_first_lesson_on_a_terminal(program: Callable[..., Terminal], tmp_path: Path) -> None:
    t = program(source=UNHURRIED)
    t.says("train")
    t.says("1.10")
    t.says("Press A five times")
    t.type("A")
    t.says("learning rate 0.0398 (×1.26), in use from step")
    t.type("A")
    t.says("learning rate 0.0501 (×1.26), in use from step")
    t.type("b")
    t.says("momentum 0.874")
    t.type("D")
    t.says("decay 0.01, in use from step")
    t.says("you   1  learning rate 0.0316 → 0.0501 (2 presses)")
    t.says("you   2  momentum 0.900 → 0.874")
    t.says("you   3  decay 0 → 0.01")
    t.type("q")
    assert t.ends() == 0
    assert t.restored
    talk = t.raw.rsplit(b"\x1b[?1049l", 1)[1].decode()
    session = the_session(tmp_path)
    nudges = [event for event in session["events"] if event["kind"] == "nudge"]
    assert [(e["knob"], e["nudge"]) for e in nudges] == [
        ("learning_rate", 1), ("learning_rate", 1), ("momentum", 2), ("decay", 3),
    ]  # fmt: skip
    for e in nudges[:2]:
        assert e["to"] / e["from"] == pytest.approx(10**0.1, rel=1e-11)
    assert [e["step"] for e in nudges] == sorted(e["step"] for e in nudges)
    assert all(1 <= e["step"] <= session["steps"] + 1 for e in nudges)
    assert session["status"] == "stopped"
    assert f"saved as {tmp_path}/kept/{session['name']}.json" in talk.replace("\r\n", "").replace("\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_a_signal_saves_and_restores_the_terminal(
    program: Callable[..., Terminal], tmp_path: Path, number: signal.Signals
) -> None:
    t = program("--data", "moons")
    t.says("train")
    t.process.send_signal(number)
    assert t.ends() == 128 + number
    assert t.restored
    assert the_session(tmp_path)["status"] == "stopped"


def test_a_terminal_that_goes_without_a_signal_ends_it(
    program: Callable[..., Terminal], tmp_path: Path
) -> None:
    """The kernel tells those to whom it belongs; in a container or under a service it may be nobody's."""
    t = program("--data", "moons")
    t.says("train")
    t.hang_up()
    assert t.process.wait(DEADLINE) == 128 + signal.SIGHUP
    assert the_session(tmp_path)["status"] == "stopped"


CRASH = """
import sys
from pandatui.tui.screens.watch import WatchScreen
def crash(self):
    raise RuntimeError("a bug of ours")
WatchScreen.action_coarse = crash
from pandatui.cli import main
main()
"""


def test_an_error_in_a_handler_is_shown_saved_and_ends_with_70(
    program: Callable[..., Terminal], tmp_path: Path
) -> None:
    t = program("--data", "moons", source=CRASH)
    t.says("train")
    t.type("x")
    assert t.ends() == 70
    assert t.restored
    assert "a bug of ours" in t.raw.decode(errors="replace")
    assert the_session(tmp_path)["status"] == "stopped"


def test_the_size_is_the_terminals_whatever_the_environment_says(program: Callable[..., Terminal]) -> None:
    t = program("--data", "xor", size=(110, 33), LINES="24", COLUMNS="80")
    t.says("what happened")  # at 24 rows its log is one line without a frame
    t.says("q quit")
    assert t.screen.display[1].rstrip()[-1] == "╮"
    assert len(t.screen.display[1].rstrip()) == 110
    assert t.screen.display[-1].strip().endswith("q quit")
    t.type("q")
    assert t.ends() == 0


def test_in_ascii_nothing_else_is_shown(program: Callable[..., Terminal]) -> None:
    t = program("--data", "moons", LANG="C")
    t.says("train")
    t.type("A")
    t.says("learning rate 0.126 (x1.26), in use from step")
    assert all(line.isascii() for line in t.screen.display)
    t.type("q")
    assert t.ends() == 0


def test_without_colour_the_curve_is_there(program: Callable[..., Terminal]) -> None:
    t = program("--data", "moons", NO_COLOR="1", size=(80, 24))
    t.says("train")
    t.says("dev")
    t.type("\x03")
    t.until(lambda: b"again within 2 s" in t.raw, "its answer")  # for two seconds alone
    t.type("\x03\x03")  # twice: before this comes the two seconds may be over
    assert t.ends() == 130
    assert t.restored


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "'nonsense': no such command or file"),
        (["--pace", "slow"], "pace 'slow': expected epochs a second"),
        (["--hidden", "x"], "hidden 'x': expected numbers of units such as 64,32"),
        (["--name", "../up", "--data", "moons"], "name '../up': expected"),
    ],
)
def test_what_can_not_be_started_is_one_line_and_status_2(
    program: Callable[..., Terminal], arguments: list[str], words: str
) -> None:
    t = program(*arguments, size=(200, 24))
    assert t.ends() == 2
    assert words in t.raw.decode()
    assert b"\x1b[?1049h" not in t.raw
