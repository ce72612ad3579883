"""The app killed on its terminal: what it has shown as in use is on record, and goes on as it would have.

The real program on a pty, with keys pressed at random; SIGKILL at a random moment, or as soon as its screen
says that a nudge is in use. The same commands at the same steps, given to a run without files or threads,
must end with the same bits as the killed one when it is resumed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from pandatui.sessions import Session
from pandatui.sessions.replay import config_of, data_of, event_of
from pandatui.training import Run
from pandatui.training.events import Event, Extend, GoOn, Nudge, Pause, Recorded, Redo, Rescue, Undo
from pandatui.training.words import sentence

pytestmark = pytest.mark.campaign

LONG = 120.0  # seconds: only a failure waits so long
LASTS = 4.0  # seconds of training on the screen: checkpoints are written after two
APP = ("--data", "xor", "--hidden", "6", "--decay", "0.01", "--epochs", "80", "--pace", "20")
KEYS = ["A", "A", "a", "a", "b", "B", "D", "d", "u", "u", "U", "x", "  ", "\x13"]  # ctrl+s saves
# what the message line says of what is on record, in one piece of text between two commands to the terminal
SAID = re.compile(
    rb"(?:paused: )?(?:learning rate|momentum|decay) [^\x1b]*?, in use from [a-z, ]*[\d,]+(?=[^\d,])"
    rb"|went back [\d,]+ steps?, to step [\d,]+\. U takes it back\."
    rb"|took that back: step [\d,]+ again"
)


class Terminal:
    """A program on a pty. `shown` is every byte that it has shown."""

    def __init__(self, command: list[str]) -> None:
        self.shown = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        environ = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
        )
        os.close(slave)

    def read(self, seconds: float) -> bool:
        """Wait for what comes next; False when the program has gone and all is read."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if ready:
            try:
                self.shown += os.read(self._master, 1 << 16)
            except OSError:  # EIO: nobody has its other side open
                return False
        return True

    def type(self, keys: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, keys.encode())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(LONG)
        while self.read(LONG):
            pass
        os.close(self._master)


def said(shown: bytes) -> set[str]:
    return {found.decode() for found in SAID.findall(shown)}


def pressed_and_killed(kills, number: int, path: Path) -> set[str]:
    """Press keys until the moment comes, and kill it; what it had said. Every third dies by what it says."""
    chance = kills.chance(number)
    after = kills.moment(number, -0.6, LASTS + 0.3)
    at_a_word = number % 3 == 0
    terminal = Terminal([*kills.command(), *APP, "--name", path.stem])
    try:
        began = since = time.monotonic()
        due, words = since, 0
        while terminal.process.poll() is None:
            now = time.monotonic()
            assert now - began < LONG
            if not path.exists():
                since = now if after >= 0 else began + 0.8
            elif now >= due and b"train" in terminal.shown:
                terminal.type(chance.choice(KEYS))
                due = now + chance.uniform(0.02, 0.25)
            if now - since >= after:
                if not at_a_word:
                    break
                words = words or len(said(terminal.shown)) + 1
                if len(said(terminal.shown)) >= words:
                    break
            terminal.read(min(0.002, due - now) if path.exists() else 0.002)
    finally:
        terminal.kill()
    kills.seen["kills"] += 1
    assert terminal.process.returncode == -signal.SIGKILL
    return said(terminal.shown)


def command_of(event: Event, gesture: int | None):
    """What a person did, from its event and the number of the gesture before it."""
    match event.kind:
        case "nudge":
            return Nudge(event.knob or "", to=event.after, continues=event.nudge == gesture)
        case "undo":
            return Undo()
        case "redo":
            return Redo()
        case "pause":
            return Pause()
        case "go on":
            return GoOn()
        case "extend":
            return Extend(event.epochs or 0)
        case "rewind":
            return Rescue()
    return None


def uninterrupted(session: Session) -> tuple[str, str]:
    """The final hashes of a run that nothing has ever ended, with the same commands at the same steps."""
    run = Run(config_of(session), data_of(session, None, trusted=True))
    gesture = None
    for event in map(event_of, session.events):
        while run.steps < event.step - 1 and run.status == "running":
            run.step()
        assert run.steps == event.step - 1
        command = command_of(event, gesture)
        if command is not None:
            (fact,) = run.apply(command)
            assert isinstance(fact, Recorded)
            assert (fact.event.kind, fact.event.after, fact.event.nudge) == (
                event.kind,
                event.after,
                event.nudge,
            )
        gesture = event.nudge or gesture
    while run.status == "running":
        run.step()
    return run.weights_sha256(), run.history.costs_sha256()


def test_the_app_killed_at_any_moment(campaign) -> None:
    kills = campaign("the app")
    paths = [kills.store.path(f"run-{number}") for number in range(kills.count)]
    shown = {path: pressed_and_killed(kills, number, path) for number, path in enumerate(paths)}
    listed = kills.listed()
    assert listed == {path.stem for path in paths if path.exists()}
    for number, path in enumerate(paths):
        if not path.exists():
            assert not shown[path]
            kills.seen["before there was a session"] += 1
            continue
        events = [event_of(event) for event in kills.looked(path).session.events]
        recorded = {sentence(Recorded(e), paused=paused) for e in events for paused in (False, True)}
        assert shown[path] <= recorded, f"{path.stem}: what was shown is lost"
        kills.seen["nudges and undos shown"] += len(shown[path])
        wanted = uninterrupted(kills.looked(path).session)
        checkpointed = kills.has_checkpoint(path)
        if number % 4 == 1:  # killed once more, as it is made ready or goes on
            again = kills.command("resume", path.stem, "--headless")
            kills.killed(again, path, kills.chance(-number).uniform(-0.4, 0.1))
            kills.seen["kills"] -= 1
            kills.seen["killed again"] += 1
            assert [event_of(event) for event in kills.looked(path).session.events] == events
        if checkpointed:
            assert kills.resumed_from_the_seed(path) == wanted, path.stem
        assert kills.resumed(path) == wanted, path.stem
        shutil.rmtree(path.with_suffix(".checkpoints"), ignore_errors=True)
    assert kills.seen["nudges and undos shown"] >= kills.count
