"""What the campaigns against the installed program share: a terminal, the processes behind it, what was seen.

`PANDATUI_KILLS` says how many attacks of each kind; `PANDATUI_SEED` takes the same moments again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

ATTACKS = int(os.environ.get("PANDATUI_KILLS", "4"))
SEED = os.environ["PANDATUI_SEED"]
LONG = 60.0  # seconds: only a failure waits so long
PROGRAM = str(Path(sys.executable).with_name("pandatui"))
_LAST = b"<that was all>"
_PRIVATE = re.compile(r"\x1b\[[>?][0-9;$]*[a-zA-Z]")  # pyte takes some of them for text
# makes the terminal its own, so that the kernel sends it what a person's terminal would
_OWN = (
    "import fcntl, os, sys, termios; "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)

# all that the program imports is loaded before it waits, so that those who wait start within a millisecond
_HELD = (
    "import sys, runpy; sys.argv = sys.argv[1:]; ready = sys.argv.pop(0); "
    "import numpy, click, pandatui.cli, pandatui.tui.app, pandatui.sessions.resume, pandatui.search.keeper; "
    "open(ready + '.waits', 'w').write('1'); open(ready).close(); "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)

_seen: dict[str, Counter[str]] = {}
_slowest: dict[str, float] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind, seen in _seen.items():
        words = ", ".join(f"{count:,} {what}" for what, count in sorted(seen.items()))
        slowest = f", the slowest {_slowest[kind]:.2f} s" if kind in _slowest else ""
        terminalreporter.write_line(f"{kind} (PANDATUI_SEED={SEED}): {words}{slowest}")


class Attacks:
    """The attacks of one kind in a folder of their own."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.count = ATTACKS
        self.folder = folder
        self.seen = _seen.setdefault(kind, Counter())
        self.chance = random.Random(f"{SEED}/{kind}")
        self._opened: list[Terminal] = []

    def took(self, seconds: float) -> None:
        _slowest[self.kind] = max(seconds, _slowest.get(self.kind, 0.0))

    def environ(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
        own = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PANDATUI_SESSIONS": str(self.folder)}
        return kept | own | more

    def terminal(
        self, *arguments: str, size: tuple[int, int] = (120, 36), ready: Path | None = None, **environ: str
    ) -> Terminal:
        """`pandatui ARGUMENTS` on a terminal of its own; `ready` as for `running`."""
        command = held(self.command(*arguments), ready)
        self._opened.append(Terminal(command, self.environ(**environ), size))
        return self._opened[-1]

    def shell(self, script: str, *arguments: str) -> Terminal:
        """A line for the shell on a terminal of its own, where `$0` is `pandatui`."""
        self._opened.append(
            Terminal(["/bin/sh", "-c", script, PROGRAM, *arguments], self.environ(), (120, 36))
        )
        return self._opened[-1]

    def command(self, *arguments: str) -> list[str]:
        return [PROGRAM, *arguments]

    def answer(
        self, *arguments: str, patience: float = LONG, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """`pandatui ARGUMENTS` without a terminal."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environ(**environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
        )

    def running(self, *arguments: str, ready: Path | None = None) -> subprocess.Popen[str]:
        """The same, begun and not waited for; with `ready`, a pipe, it starts when somebody opens that."""
        return subprocess.Popen(
            held(self.command(*arguments), ready),
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        for each in self._opened:
            each.close()


class Terminal:
    """A program that owns a pty. `shown` is every byte that it has shown."""

    def __init__(self, command: list[str], environ: dict[str, str], size: tuple[int, int]) -> None:
        self.shown = b""
        self.master, self._slave = pty.openpty()
        self._before = termios.tcgetattr(self._slave)
        self.resize(*size)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=environ,
            start_new_session=True,
        )

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float = 0.01) -> bool:
        """What it shows, if that comes so soon."""
        if not select.select([self.master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            self.shown += os.read(self.master, 1 << 16)
        except OSError:  # EIO: nobody has its other side open
            return False
        return True

    def read_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.read(min(rest, 0.01))

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}:\n{self.picture()}"
            self.read()

    def picture(self) -> str:
        """The screen as it is now; pyte is the judge."""
        columns, rows = os.get_terminal_size(self.master)
        screen = pyte.Screen(columns, rows)
        pyte.Stream(screen).feed(_PRIVATE.sub("", self.shown.decode(errors="replace")))
        return "\n".join(screen.display)

    def says(self, words: str, since: int = 0) -> None:
        self.until(lambda: words.encode() in self.shown[since:], repr(words))

    def type(self, keys: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        """The terminal's window is closed."""
        for each in (self._slave, self.master):
            os.close(each)
        self.master = self._slave = -1

    def ends(self) -> int:
        """Wait for the end, reading all that it still says; the exit status as a shell has it."""
        if self.master < 0:
            code = self.process.wait(LONG)
        else:
            self.until(lambda: self.process.poll() is not None, "the end")
            while self.read():
                pass
            end = time.monotonic() + LONG
            while _LAST not in self.shown:  # what it has said may still be on its way; this comes behind it
                assert time.monotonic() < end, "waited in vain for its last words"
                os.write(self._slave, _LAST)  # again: a late ctrl-c throws away what has not been read
                self.read(1.0)
            self.shown = self.shown.replace(_LAST, b"")
            code = self.process.returncode
        return code if code >= 0 else 128 - code

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: its modes, the main screen, the cursor, no mouse reports."""
        pairs = ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1000h", b"?1000l"))
        back = all(self.shown.rfind(b"\x1b[" + on) <= self.shown.rfind(b"\x1b[" + off) for on, off in pairs)
        return back and termios.tcgetattr(self._slave) == self._before

    @property
    def broken(self) -> bool:
        """Whether a mistake of ours was shown."""
        return b"Traceback" in self.shown or b"internal error" in self.shown

    def family(self) -> list[int]:
        """The processes of its session that live, itself among them."""
        return family(self.process.pid)

    def orphans(self, seconds: float = 15.0) -> list[int]:
        """The processes that are left some seconds after its end: five, and ten for a machine that stands."""
        end = time.monotonic() + seconds
        while (left := self.family()) and time.monotonic() < end:
            select.select([], [], [], 0.01)
        return left

    def close(self) -> None:
        for pid in self.family():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        if self.master >= 0:
            self.hang_up()


def held(command: list[str], ready: Path | None) -> list[str]:
    """The command as it is, or one that loads all, says so and waits until the pipe `ready` is opened."""
    return command if ready is None else [sys.executable, "-c", _HELD, str(ready), *command]


def family(session: int) -> list[int]:
    """The processes of a session that live; those that wait to be buried do not."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


@pytest.fixture
def attacks(tmp_path: Path) -> Iterator[Callable[[str], Attacks]]:
    """The attacks of a kind; what they have seen is told at the end of the tests."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("looks into /proc for what is left of a program")
    made: list[Attacks] = []

    def attacks(kind: str) -> Attacks:
        made.append(Attacks(kind, tmp_path / "sessions"))
        return made[-1]

    yield attacks
    for each in made:
        each.close()
