"""Every operation of a save failed in turn: the session is always whole, old or new, and saving comes back.

A plan counts the operations of the recorder's files (open, write, fsync, replace) and fails the n-th, once or
from there on for good.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pandatui.sessions import Recorder, Store
from pandatui.sessions.recorder import Identity
from pandatui.sessions.resume import recovered, resume
from pandatui.sessions.store import read
from pandatui.training import Driver, Run
from pandatui.training.events import Nudge
from pandatui.training.setup import RunOptions, prepare

ERRORS = {"open": errno.EROFS, "write": errno.ENOSPC, "fsync": errno.EIO, "replace": errno.EIO}


class Disk:
    """Counts operations below a folder, and fails the n-th; `for_good`: all that come after it too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: list[str] = []
        self.fail_at: int | None = None
        self.for_good = False
        for name in ERRORS:
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))
        monkeypatch.setattr(Path, "open", self._counted("open", Path.open))

    def _counted(self, name, real):
        def operation(*args, **more):
            if name == "open" and self._flags(args) == os.O_RDONLY:  # reading is no part of a save
                return real(*args, **more)
            number = len(self.operations)
            self.operations.append(name)
            failing = self.fail_at is not None and (
                number == self.fail_at or (self.for_good and number > self.fail_at)
            )
            if failing:
                raise OSError(ERRORS[name], os.strerror(ERRORS[name]))
            return real(*args, **more)

        return operation

    @staticmethod
    def _flags(args):
        flags = args[1] if len(args) > 1 else "r"
        if isinstance(flags, str):
            return os.O_RDONLY if flags in ("r", "rb") else -1
        return flags & (os.O_WRONLY | os.O_RDWR)

    def heal(self):
        self.fail_at, self.for_good = None, False


def new_run() -> Run:
    return Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=6)))


class Scene:
    """A recorder worked by hand, one beat at a time: the same operations in the same order each time."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.driver = Driver(new_run())
        self.run: Run = self.driver.ask(lambda run: run).result()
        self.recorder = Recorder(self.driver, self.store, Identity.new("one"))
        self.path = self.store.path("one")
        self.recorder.start()
        self.recorder._closing = True  # its thread rests; we are its thread
        self.recorder._wanted.set()
        self.recorder._thread.join()

    def beat(self) -> None:
        for _ in range(3):
            self.driver._push(self.run.step(1.0))
        self.driver._push(self.run.apply(Nudge("learning_rate", notches=1), 1.0))
        self.recorder._tick()
        self.recorder._save()

    def end(self) -> None:
        self.driver.close()
        self.recorder.close()


def operations_of_a_beat(tmp_path: Path, disk: Disk) -> int:
    scene = Scene(tmp_path / "counted")
    scene.beat()
    before = len(disk.operations)
    scene.beat()
    found = len(disk.operations) - before
    scene.end()
    return found


@pytest.mark.campaign
@pytest.mark.parametrize("long_journal", [0, 2**30], ids=["journal-restarts", "journal-goes-on"])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for-good"])
def test_each_operation_of_a_save_failed_in_turn(tmp_path, monkeypatch, for_good, long_journal):
    monkeypatch.setattr("pandatui.sessions.recorder.LONG_JOURNAL", long_journal)
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        count = operations_of_a_beat(tmp_path, disk)
        assert {"write", "fsync", "replace"} <= set(disk.operations)
        assert count >= 6
        for number in range(count):
            scene = Scene(tmp_path / f"{number}")
            scene.beat()
            old = read(scene.path)[0]
            disk.fail_at, disk.for_good = len(disk.operations) + number, for_good
            scene.beat()
            told = scene.recorder.problem
            disk.heal()
            session, whole = read(scene.path)
            assert whole
            assert session.steps in (old.steps, scene.run.steps)
            both = recovered(scene.path)
            assert both.steps in (old.steps, scene.run.steps)
            lost = [e.id for e in scene.run.events if e.id > len(both.events)]
            assert told or not lost, f"operation {number} failed and nobody was told"
            scene.recorder._tick()
            scene.recorder._save()
            assert scene.recorder.problem == ""
            assert read(scene.path)[0].steps == scene.run.steps
            left = {p.name for p in scene.store.folder.iterdir()}
            scene.end()
            assert left == {"one.json", "one.journal"}, f"operation {number}"


@pytest.mark.campaign
def test_killed_at_each_operation_it_goes_on(tmp_path, monkeypatch):
    """A process that dies in a save leaves what it has written: here a fault that nothing catches."""
    monkeypatch.setattr("pandatui.sessions.recorder.LONG_JOURNAL", 0)

    class Died(BaseException):
        pass

    with monkeypatch.context() as patch:
        disk = Disk(patch)
        count = operations_of_a_beat(tmp_path, disk)
    for number in range(count):
        scene = Scene(tmp_path / f"{number}")
        scene.beat()
        with monkeypatch.context() as patch:
            disk = Disk(patch)
            disk.fail_at, disk.for_good = number, True
            patch.setattr("pandatui.sessions.recorder.OSError", Died, raising=False)
            patch.setattr(Path, "unlink", lambda *_, **__: None)  # nobody tidies up after a kill
            with pytest.raises(OSError):
                scene.beat()
        journal = scene.recorder._journal
        journal.close(remove=False)
        scene.recorder._journal = None
        found = recovered(scene.path)
        assert len(found.events) >= 1
        resumed = resume(scene.store, scene.path)
        run = resumed.driver.ask(lambda run: run).result()
        again = new_run()
        for event in found.events:
            while again.steps < event.step - 1:
                again.step()
            again.apply(Nudge(event.knob, to=event.after))
        while again.steps < run.steps:
            again.step()
        assert (run.weights_sha256(), run.steps) == (again.weights_sha256(), found.steps)
        resumed.recorder.start()
        resumed.driver.close()
        assert resumed.recorder.close().status == "stopped"
