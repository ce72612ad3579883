"""Two programs that start on one session, or one study, at the same moment: one writer, the other is told.

What they have trained together is what one alone would have.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions.lock import holder
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.store import look

pytestmark = pytest.mark.campaign

LONG = 60.0  # seconds: only a failure waits so long
TOLD = ("is being trained by", "exists in", "was begun by another program just now")
RUN = ("--data", "digits", "--hidden", "32")


@contextlib.contextmanager
def gate(folder: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A pipe at which two programs wait, all loaded, and what lets both go at once."""
    path = folder / "gate"
    folder.mkdir(exist_ok=True)
    for each in (path, Path(f"{path}.waits")):
        os.mkfifo(each)
    waits = os.open(f"{path}.waits", os.O_RDWR)
    opened = []

    def open_it() -> None:
        count = 0
        while count < 2:
            assert select.select([waits], [], [], LONG)[0], "waited in vain for two to wait"
            count += len(os.read(waits, 2 - count))
        opened.append(os.open(path, os.O_RDWR))  # and left so, should one be a moment late

    try:
        yield path, open_it
    finally:
        for descriptor in (waits, *opened):
            os.close(descriptor)
        for each in (path, Path(f"{path}.waits")):
            each.unlink()


def both(found: Any, first: Sequence[str], second: Sequence[str]) -> list[tuple[int, str, str]]:
    """Start two at one instant; status, stdout and stderr of each."""
    with (
        gate(found.folder) as (ready, open_it),
        found.running(*first, ready=ready) as one,
        found.running(*second, ready=ready) as other,
    ):
        open_it()
        said = [each.communicate(timeout=LONG) for each in (one, other)]
    return [(each.returncode, *words) for each, words in zip((one, other), said, strict=True)]


def told_apart(found: Any, ends: list[tuple[int, str, str]]) -> None:
    """One writes; the other is told in one line that it may not, unless it came when the first had ended."""
    told = [(status, err) for status, _, err in ends if status]
    assert len(told) <= 1, ends
    assert not any("Traceback" in err for _, _, err in ends), ends
    for status, err in told:
        assert status == 2, ends
        assert any(words in err for words in TOLD), ends
        assert len(err.splitlines()) == 1, ends
        found.seen["told"] += 1
    found.seen["one after the other"] += not told


def nobody_holds(folder: Path) -> None:
    for path in folder.glob("*.json"):
        assert holder(journal_path(path)) is None
    assert not [*folder.rglob("*.tmp"), *folder.rglob("*.journal")]


def as_it_was(session: Path, raw: bytes) -> None:
    """Take away the session with all that belongs to it, and put back its file."""
    for each in session.parent.glob(f"{session.stem}*"):
        subprocess.run(["rm", "-r", each], check=True)
    session.write_bytes(raw)


def test_two_go_on_with_one_session(attacks: Any) -> None:
    found = attacks("two on one session")
    alone = found.answer("train", *RUN, "--epochs", "400", "--json", "--name", "alone")
    wanted = json.loads(alone.stdout)
    assert found.answer("train", *RUN, "--epochs", "4", "--name", "shared").returncode == 0
    shared = found.folder / "shared.json"
    raw = shared.read_bytes()
    for _ in range(max(2, found.count // 3)):
        as_it_was(shared, raw)
        go_on = ("resume", "shared", "--epochs", "400", "--headless", "--json")
        ends = both(found, go_on, go_on)
        told_apart(found, ends)
        stored = look(shared)
        assert (stored.status, stored.warning, stored.holder) == ("finished", "", None)
        assert stored.session is not None
        result = stored.session.result
        assert (result.weights_sha256, result.costs_sha256) == (
            wanted["weights_sha256"],
            wanted["costs_sha256"],
        )
        nobody_holds(found.folder)
        found.seen["starts"] += 2


def test_two_begin_a_session_or_a_study_of_one_name(attacks: Any) -> None:
    found = attacks("two of one name")
    batch = ("batch", *RUN, "--epochs", "3", "--trials", "6", "--rounds", "1", "--workers", "1")
    train = ("train", *RUN, "--epochs", "20")
    for number in range(max(2, found.count // 3)):
        command = (batch, train)[number % 2]
        ends = both(found, *[(*command, "--name", f"run-{number}")] * 2)
        told_apart(found, ends)
        nobody_holds(found.folder)
        found.seen["starts"] += 2
    assert not any(each.get("problem") for each in json.loads(found.answer("sessions", "--json").stdout))


def test_the_app_and_resume_go_on_with_one_session(attacks: Any) -> None:
    """Whichever is later is told; the app then ends as a command that was refused does."""
    found = attacks("the app and resume on one session")
    assert found.answer("train", *RUN, "--epochs", "4", "--name", "shared").returncode == 0
    shared = found.folder / "shared.json"
    raw = shared.read_bytes()
    for _ in range(max(2, found.count // 3)):
        as_it_was(shared, raw)
        go_on = ("resume", "shared", "--epochs", "100000")
        with gate(found.folder) as (ready, open_it):
            app = found.terminal(*go_on, ready=ready)
            with found.running(*go_on, "--headless", ready=ready) as headless:
                open_it()
                while app.process.poll() is None and headless.poll() is None:
                    app.read()
                if headless.poll() is not None:
                    app.until(lambda: look(shared).holder is not None, "the app to train")
                    assert look(shared).holder.pid == app.process.pid
                    status, err = headless.returncode, headless.communicate()[1]
                    app.says("momentum")
                    app.type("q")
                    assert app.ends() == 0
                    found.seen["the app writes"] += 1
                else:
                    # till then a signal is not heard
                    app.until(lambda: look(shared).status == "running", "the other to train")
                    assert look(shared).holder.pid == headless.pid
                    status, err = app.ends(), app.shown.decode()
                    headless.terminate()
                    assert headless.wait(LONG) == 143
                    found.seen["resume writes"] += 1
        assert status == 2, err
        assert "is being trained by process" in err, err
        assert not app.broken
        assert app.restored
        stored = look(shared)
        assert (stored.status, stored.warning, stored.holder) == ("stopped", "", None)
        nobody_holds(found.folder)
        found.seen["starts"] += 2


def test_the_app_while_another_trains_the_session(attacks: Any) -> None:
    """The app opens it read-only, and says who trains it when asked to go on."""
    found = attacks("read-only beside a writer")
    for number in range(max(1, found.count // 6)):
        name = f"run-{number}"
        path = found.folder / f"{name}.json"
        writer = found.terminal("train", *RUN, "--epochs", "1000000", "--name", name)
        writer.until(path.exists, "the session")
        reader = found.terminal(str(path))
        reader.says(name)
        reader.says("watching, keys that train are off: process")
        reader.type("q")
        assert reader.ends() == 0
        second = found.terminal("resume", name)
        assert second.ends() == 2
        assert b"is being trained by process" in second.shown
        writer.type("\x03")
        assert writer.ends() == 130
        assert look(path).status == "stopped"
        assert not reader.broken
        nobody_holds(found.folder)
        found.seen["read"] += 1
