"""What the kill campaigns share: how many and with what seed, the commands, and a count of what was seen.

`PANDATUI_KILLS` says how many there are in all; `PANDATUI_SEED` repeats a campaign's keys and moments, as far
as a machine can be repeated. And the strings that strangers send: `PANDATUI_STRINGS` says how many are generated.
"""

# ruff: noqa: E501 (tables read best with one case a line)

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pandatui import cli
from pandatui.sessions import Store
from pandatui.sessions.checkpoints import folder_of
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.store import Stored, belongings, look, read

KILLS = int(os.environ.get("PANDATUI_KILLS", "5"))
SEED = os.environ["PANDATUI_SEED"]
PERCENT = {"the app": 34, "a resumed run": 16, "a long run": 3}  # of the kills; the rest are of a new run
STRINGS = int(os.environ.get("PANDATUI_STRINGS", "12"))
LONG = 120.0  # seconds: only a failure waits so long
START = 0.6  # seconds that a command takes, about, until its session is there

# the program dies when its run has come to this step
DIES = """
import os, signal, sys
from pandatui.training.run import Run
at, step = int(sys.argv.pop(1)), Run.step
def until(self, *seconds):
    if self.steps == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *seconds)
Run.step = until
from pandatui.__main__ import main
main()
"""

_seen: dict[str, Counter[str]] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind, seen in _seen.items():
        words = ", ".join(f"{count:,} {what}" for what, count in seen.items() if count)
        terminalreporter.write_line(f"kills of {kind} (PANDATUI_SEED={SEED}): {words}")


class Campaign:
    """The kills of one kind: `count` of them, in the sessions folder `store`."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.store = Store(folder)
        self.store.prepare()
        shares = {name: KILLS * percent // 100 for name, percent in PERCENT.items()}
        self.count = shares.get(kind, KILLS - sum(shares.values()))
        self.seen = _seen.setdefault(kind, Counter()) if self.count else Counter()

    def inside(self, name: str) -> Campaign:
        """The same in a folder below."""
        return Campaign(self.kind, self.store.folder / name)

    def chance(self, number: int) -> random.Random:
        return random.Random(f"{SEED}/{self.kind}/{number}")

    def moment(self, number: int, low: float, high: float) -> float:
        """A random moment; those of all numbers together are spread over the whole stretch."""
        return low + (high - low) * (number + self.chance(number).random()) / self.count

    # -- killing -----------------------------------------------------------------------------------------

    def command(self, *arguments: str, dies_at: int | None = None) -> list[str]:
        """A command of the program, or of one that kills itself at a step."""
        program = ["-m", "pandatui"] if dies_at is None else ["-c", DIES, str(dies_at)]
        return [sys.executable, *program, *arguments, "--sessions", str(self.store.folder)]

    def killed(self, command: list[str], path: Path, after: float, stop: float | None = None) -> list[str]:
        """Start it, and kill it so many seconds after it has written its session (or before); what it said.

        With `stop` it is asked to end then, and killed so much later: while it saves, or when it has.
        """
        tick = threading.Event()
        before = path.stat().st_mtime_ns if path.exists() else 0
        said: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            reader = threading.Thread(target=lambda: said.extend(process.stderr or ()))
            reader.start()
            if after < 0:
                tick.wait(max(0.0, START + after))
            else:
                while process.poll() is None and not (path.exists() and path.stat().st_mtime_ns > before):
                    tick.wait(0.001)
                end = time.monotonic() + after
                while process.poll() is None and (left := end - time.monotonic()) > 0:
                    tick.wait(min(left, 0.02))
            if stop is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                tick.wait(stop)
            process.kill()
            reader.join()
        self.seen["kills"] += 1
        self.seen["ended before"] += process.returncode != -signal.SIGKILL
        return said

    # -- what is left ------------------------------------------------------------------------------------

    def answer(self, *arguments: str) -> Any:
        """What a command says as JSON; 6 is the status of a run that diverged."""
        done = subprocess.run(self.command(*arguments, "--json"), capture_output=True, timeout=LONG)
        assert done.returncode in (0, 6), done.stderr.decode()
        return json.loads(done.stdout)

    def listed(self) -> set[str]:
        """What `pandatui sessions` lists: all can be read, and what had not ended is crashed."""
        found = {each["name"]: each for each in self.answer("sessions")}
        for name, each in found.items():
            assert "problem" not in each
            written = read(self.store.path(name))[0].status
            assert each["status"] in ({"crashed"} if written == "running" else {"crashed", written})
            self.seen["crashed"] += each["status"] == "crashed"
        return set(found)

    def looked(self, path: Path) -> Stored:
        """The session as a kill has left it: nothing is wrong with it, and looking changes nothing."""
        stored = look(path)
        assert stored.session is not None
        assert (stored.warning, stored.edited, stored.holder) == ("", False, None)
        assert look(path).session == stored.session
        return stored

    def has_checkpoint(self, path: Path) -> bool:
        """Whether there is a state on disk to go on from."""
        found = any(folder_of(path).glob("*.npz"))
        self.seen["with a checkpoint"] += found
        return found

    # -- going on ----------------------------------------------------------------------------------------

    def resumed(self, path: Path) -> tuple[str, str]:
        """The final hashes, by `pandatui resume`; nothing is left of the killed one then."""
        crashed = look(path).status == "crashed"
        found = self.answer("resume", path.stem)
        if crashed:
            left = [each.name for each in belongings(path) if ".torn-" not in each.name]
            assert left in ([path.name], [path.name, folder_of(path).name])
            assert not list(folder_of(path).glob(".*"))
        return found["weights_sha256"], found["costs_sha256"]

    def resumed_from_the_seed(self, path: Path) -> tuple[str, str]:
        """The same by a copy without checkpoints."""
        other = self.inside("without")
        for each in (path, journal_path(path)):
            if each.exists():
                shutil.copy(each, other.store.folder)
        try:
            return other.resumed(other.store.path(path.stem))
        finally:
            shutil.rmtree(other.store.folder)


# -- what strangers send -------------------------------------------------------------------------------------

LISTED = [
    *("\x1b[31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]2;t\x1b\\", "\x1bc", "\x1b[6n", "\x1b[?1049h"),
    *("\x1b]52;c;cm0gLXJm\x07", "\x1b]52;p;?\x1b\\", "\x1b]8;;http://evil\x1b\\go\x1b]8;;\x1b\\", "\x1bP+q544e\x1b\\"),
    *("\x9b31m", "\x9d0;x\x9c", "\x90q\x9c", "\x85", "\x84", "\x8d", "\x9f", "\x7f", "\x08\x08\x08", "\x0b\x0c", "\x00", "a\0b"),
    *("\u202egnp.exe", "\u202a\u202b\u202c\u202d", "\u2066a\u2067b\u2068c\u2069", "\u200e\u200f", "\u061c", "\u2028", "\u2029"),
    *("[red]x[/red]", "a[/b]", "[@click=app.quit]x[/]", "[link=http://evil]x[/link]", "[[", "[bold", "]", "$x", "{x}", "%s%n"),
    *("http://evil", "file:///etc/passwd", "<b>&amp;</b>", "<script>alert(1)</script>", "]]>", '"/><x y="'),
    *("漢字" * 30, "ﷺ" * 9, "🐼" * 20, "👩‍👩‍👧‍👦", "🇩🇪", "e" + "\u0301" * 60, "Z\u0351\u0352\u0353", "\u200b\u200d\ufeff", "ａｂ"),
    *("a\nb", "a\r\nb", "\t\t", "\r", "", " ", "-", "--help", "=1+1", "@x", "../../x", "~", "x" * 3000, "'; rm -rf /; '"),
    *("\ue000", "\U000e0041\U000e0042", "\ufffe", "\U0010ffff", "`id`", "$(id)"),
]  # fmt: skip
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Strangers:
    """Hostile strings: the listed ones, then generated ones."""

    listed = len(LISTED)

    def __init__(self) -> None:
        chance = random.Random(SEED)
        parts = [*LISTED, *map(chr, range(256)), "\u202e", "\u2066", "\u2028", "漢", "\u0301", "a", "[", "/"]
        made = ("".join(chance.choices(parts, k=chance.randint(1, 6)))[:500] for _ in range(STRINGS))
        self.strings = [*LISTED, *made]

    def __str__(self) -> str:
        return f"PANDATUI_STRINGS={STRINGS} PANDATUI_SEED={SEED}"

    @staticmethod
    def unclean(text: str) -> set[str]:
        """What in it a terminal would act on."""
        acted_on = {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} - {"\n"}
        return {hex(ord(c)) for c in acted_on | set(_BIDI) & set(text)}


@pytest.fixture(scope="session")
def strangers() -> Strangers:
    return Strangers()


@pytest.fixture
def campaign(tmp_path: Path) -> Callable[[str], Campaign]:
    """The campaign of a kind; what it has seen is told at the end of the tests."""

    def campaign(kind: str) -> Campaign:
        made = Campaign(kind, tmp_path / "sessions")
        if not made.count:
            pytest.skip(f"none among {KILLS}; PANDATUI_KILLS says how many")
        return made

    return campaign


@pytest.fixture
def outside(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process, in a folder of its own: (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pandatui", *map(str, args)])
        try:
            cli.main()
            status = 0
        except SystemExit as done:
            status = done.code if isinstance(done.code, int) else 0
        return (status, *capfd.readouterr())

    return run
