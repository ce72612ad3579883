"""What the recorder must have done before it says so: mistakes that only a power cut or a race would show."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pandatui.sessions import Recorder, Store
from pandatui.sessions import recorder as module
from pandatui.sessions.journal import Journal
from pandatui.sessions.lock import holder
from pandatui.sessions.recorder import Identity
from pandatui.sessions.resume import recovered, resume
from pandatui.sessions.store import read
from pandatui.training import Driver, Run
from pandatui.training.events import Nudge, Undo
from pandatui.training.setup import RunOptions, prepare

LONG = 60  # seconds: only a failure waits so long


@pytest.fixture
def scene(tmp_path):
    """A recorder and its driver; both are ended at the end."""
    driver = Driver(Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=4))))
    recorder = Recorder(driver, Store(tmp_path), Identity.new("one"))
    yield recorder, driver
    driver.close(LONG)
    recorder.close(evaluate=False)


def rest(recorder):
    """Its thread rests; we are its thread."""
    recorder._closing = True
    recorder._wanted.set()
    recorder._thread.join()


@pytest.fixture
def synced(monkeypatch):
    """How large each file was when it was last flushed to the disk, by its identity."""
    sizes = {}
    fsync = os.fsync

    def told(descriptor):
        fsync(descriptor)
        status = os.fstat(descriptor)
        sizes[status.st_dev, status.st_ino] = status.st_size

    monkeypatch.setattr(os, "fsync", told)

    def on_disk(path: Path) -> bool:
        status = path.stat()
        return sizes.get((status.st_dev, status.st_ino)) == status.st_size

    return on_disk


def test_an_event_is_on_disk_not_only_written_when_others_hear_of_it(scene, synced):
    recorder, driver = scene
    recorder.start()
    rest(recorder)
    journal = Path(recorder.path).with_suffix(".journal")
    heard = []
    driver.subscribe(lambda fact: heard.append(synced(journal)))
    run = driver.ask(lambda run: run).result()
    for _ in range(3):
        driver._push(run.step())
        driver._push(run.apply(Nudge("learning_rate", notches=1)))
    assert heard == [True] * 3


def test_costs_are_on_disk_with_the_next_tick(scene, synced):
    recorder, driver = scene
    recorder.start()
    rest(recorder)
    journal = Path(recorder.path).with_suffix(".journal")
    before = journal.stat().st_size
    driver._push(driver.ask(lambda run: run).result().step())
    recorder._tick()
    assert journal.stat().st_size > before
    assert synced(journal)


def test_an_end_is_in_the_file_long_before_it_would_be_due(scene, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 1_000)
    recorder, driver = scene
    recorder.start()
    driver.start()
    end, tick = time.monotonic() + LONG, threading.Event()
    while read(Path(recorder.path))[0].status != "finished":
        assert time.monotonic() < end
        tick.wait(0.001)


def test_a_session_that_another_made_in_the_meantime_is_left_alone(scene, monkeypatch):
    """Between the look whether the name is free and the writing of the file."""
    recorder, _ = scene
    path = Path(recorder.path)
    create = Journal.create

    def late(*arguments):
        path.write_bytes(b"another's")
        return create(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "create", late)
        with pytest.raises(FileExistsError):
            recorder.start()
    assert path.read_bytes() == b"another's"
    assert holder(path.with_suffix(".journal")) is None
    assert os.listdir(path.parent) == ["one.json"]


def test_what_comes_while_the_file_is_written_stays_in_the_journal(scene, monkeypatch):
    """The journal is cut where the file's record of it ends, not where it ends by then."""
    monkeypatch.setattr(module, "LONG_JOURNAL", 0)
    recorder, driver = scene
    recorder.start()
    rest(recorder)
    run = driver.ask(lambda run: run).result()
    write = recorder._write

    def slow(session):
        write(session)
        driver._push(run.step())
        driver._push(run.apply(Nudge("learning_rate", notches=1)))

    monkeypatch.setattr(recorder, "_write", slow)
    driver._push(run.step())
    recorder._save()
    monkeypatch.setattr(recorder, "_write", write)
    assert len(read(Path(recorder.path))[0].events) == 0
    found = recovered(Path(recorder.path))
    assert (found.steps, [e.kind for e in found.events]) == (2, ["nudge"])
    assert found.result.costs_sha256 == run.history.costs_sha256()


def test_a_journal_is_not_cut_for_a_file_that_was_not_written(scene, monkeypatch):
    monkeypatch.setattr(module, "LONG_JOURNAL", 0)
    recorder, driver = scene
    recorder.start()
    rest(recorder)
    run = driver.ask(lambda run: run).result()
    driver._push(run.apply(Nudge("learning_rate", notches=1)))

    def full(name, raw, *, new=False):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(recorder._store, "write", full)
        recorder._save()
    assert recorder.problem == "not saved: No space left on device"
    assert [e.kind for e in recovered(Path(recorder.path)).events] == ["nudge"]


def test_stretches_that_were_left_before_are_kept_when_it_goes_on(scene):
    recorder, driver = scene
    recorder.start()
    rest(recorder)
    run = driver.ask(lambda run: run).result()
    store, path = Store(Path(recorder.path).parent), Path(recorder.path)
    left = []
    for steps in (6, 11):
        for command in (Nudge("learning_rate", notches=1), None, Undo()):
            while run.steps < steps:
                driver._push(run.step())
            if command is None:
                driver._push(run.step())
            else:
                driver._push(run.apply(command))
        driver.close(LONG)
        recorder.close(evaluate=False)
        left.append(read(path)[0].curves.abandoned)
        resumed = resume(store, path)
        recorder, driver = resumed.recorder, resumed.driver
        recorder.start()
        rest(recorder)
        run = driver.ask(lambda run: run).result()
    driver.close(LONG)
    recorder.close(evaluate=False)
    assert [len(stretches) for stretches in left] == [1, 2]
    assert left[1][0] == left[0][0]
