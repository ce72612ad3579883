"""Recorder: on disk before the first step, kept up in the background, and whole at the end."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pandatui.sessions import Recorder, Store
from pandatui.sessions import recorder as module
from pandatui.sessions.lock import holder
from pandatui.sessions.recorder import Identity
from pandatui.sessions.records import read_journal
from pandatui.sessions.store import look, read
from pandatui.training import Driver
from pandatui.training.events import Finished, GoOn, Nudge

LONG = 60  # seconds: only a failure waits so long


def until(true, seconds=LONG):
    """Wait for another thread, a millisecond at a time."""
    end = time.monotonic() + seconds
    tick = threading.Event()
    while not true():
        assert time.monotonic() < end
        tick.wait(0.001)


@pytest.fixture
def recording(new_run, tmp_path, monkeypatch):
    """Makes a driver and its recorder in a folder that is not there yet; both are ended at the end.

    A slow disk does not make saves rare here, as it does for a person.
    """
    monkeypatch.setattr(module, "SHARE", 1e9)
    made = []

    def recording(folder: Path | None = None, **settings):
        driver = Driver(new_run(**settings))
        store = Store(tmp_path / "sessions" if folder is None else folder)
        recorder = Recorder(driver, store, Identity.new("brave-otter"))
        made.append((driver, recorder))
        return driver, recorder

    yield recording
    for driver, recorder in made:
        driver.close(LONG)
        recorder.close(evaluate=False)


def test_an_identity_is_its_own():
    one, two = Identity.new("a"), Identity.new("a")
    assert one.id != two.id
    assert one.created.endswith("+00:00")


def test_the_file_is_there_before_the_first_step(recording):
    _, recorder = recording()
    recorder.start()
    session, whole = read(Path(recorder.path))
    assert whole
    assert (session.status, session.steps, session.events) == ("running", 0, [])
    assert session.result.costs_sha256 == "00" * 32
    assert session.environment["threads"] == 1
    assert session.config["learning_rate"] == 0.1
    assert session.id == recorder.identity.id


def test_a_name_that_is_taken_is_left_alone(recording):
    _, first = recording()
    first.start()
    before = Path(first.path).read_bytes()
    _, second = recording()
    with pytest.raises(FileExistsError):
        second.start()
    assert Path(first.path).read_bytes() == before


def test_it_saves_every_so_often_and_when_asked(recording, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.005)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    until(lambda: recorder.saves >= 3)
    monkeypatch.setattr(module, "PERIOD", 1_000)
    before = read(Path(recorder.path))[0].steps
    driver.send(Nudge("learning_rate", notches=1))
    saves = recorder.saves
    while recorder.saves < saves + 2:
        recorder.save()
        until(lambda: recorder.saves > saves)
    session, whole = read(Path(recorder.path))
    assert whole
    assert session.steps > before
    assert [event.kind for event in session.events] == ["nudge"]
    assert session.status == "running"
    assert session.result.test_accuracy is None


def test_the_end_of_a_finished_run(recording, new_run):
    driver, recorder = recording()
    done = threading.Event()
    driver.subscribe(lambda fact: done.set() if isinstance(fact, Finished) else None)
    recorder.start()
    driver.start()
    assert done.wait(LONG)
    driver.close(LONG)
    session = recorder.close()
    again = new_run()
    while again.ready:
        again.step()
    found = again.evaluate()
    assert (session.status, session.steps, session.epochs) == ("finished", 20, 4)
    assert session.result.weights_sha256 == again.weights_sha256()
    assert session.result.costs_sha256 == again.history.costs_sha256()
    assert session.result.dev_cost == found.dev_cost
    assert session.result.test_accuracy == found.test_accuracy
    assert session.result.best_dev_cost == again.history.best[1]
    on_disk, whole = read(Path(recorder.path))
    assert whole
    on_disk.integrity = ""
    assert on_disk == session
    assert recorder.problem == ""
    left = {p.name for p in Path(recorder.path).parent.iterdir()}
    assert left - {"brave-otter.checkpoints"} == {"brave-otter.json"}  # those are kept of what has taken long


def test_a_run_that_is_closed_in_mid_epoch_is_stopped_and_its_curve_has_no_extra_point(recording):
    driver, recorder = recording()
    recorder.start()
    driver.send(GoOn(7))
    driver.start()
    until(lambda: driver.ask(lambda run: run.paused).result(LONG))
    driver.close(LONG)
    session = recorder.close()
    assert (session.status, session.steps, session.epochs) == ("stopped", 7, 1)
    assert len(session.curves.dev_cost.first) == 1
    assert session.result.dev_cost != session.curves.dev_cost.first[0]
    assert session.result.best_dev_cost == session.curves.dev_cost.first[0]
    assert session.result.test_accuracy is not None


def test_a_folder_that_goes_away_is_a_problem_until_it_is_back(recording, tmp_path, monkeypatch):
    """A file in its place: not even root can write into that. Training goes on meanwhile."""
    monkeypatch.setattr(module, "PERIOD", 0.005)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    until(lambda: recorder.saves >= 1)
    folder = tmp_path / "sessions"
    replace_by_file(folder)
    until(lambda: recorder.problem.startswith("not saved: "))
    steps = driver.ask(lambda run: run.steps).result(LONG)
    until(lambda: driver.ask(lambda run: run.steps).result(LONG) > steps)
    folder.unlink()
    until(lambda: not recorder.problem and read(Path(recorder.path))[0].steps > steps)


def replace_by_file(folder: Path) -> None:
    """Put a file where the folder was; the recorder may make a new folder there in between."""
    for attempt in range(1000):
        folder.rename(folder.with_name(f"aside-{attempt}"))
        try:
            folder.touch(exist_ok=False)
        except FileExistsError:
            continue
        return


def test_a_last_save_that_fails_is_told(recording, tmp_path):
    driver, recorder = recording()
    recorder.start()
    driver.start()
    driver.close(LONG)
    replace_by_file(tmp_path / "sessions")
    session = recorder.close()
    assert session.steps >= 0
    assert recorder.problem.startswith("not saved: ")


def test_a_mistake_of_ours_while_saving_is_seen_and_raised_at_the_end(recording, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.005)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    with monkeypatch.context() as patch:
        patch.setattr(module, "encode", lambda session: 1 / 0)
        until(lambda: recorder.problem)
        assert "internal error: ZeroDivisionError" in recorder.problem
        driver.close(LONG)
        with pytest.raises(ZeroDivisionError):
            recorder.close()


def test_closing_what_never_started(recording):
    driver, recorder = recording()
    driver.close()
    assert recorder.close().status == "stopped"


# -- the journal --


def test_journal_and_lock_are_there_before_the_first_step_and_gone_at_the_end(recording):
    driver, recorder = recording()
    recorder.start()
    path = Path(recorder.path)
    journal = path.with_suffix(".journal")
    assert journal.stat().st_size > 0
    assert holder(journal).pid == os.getpid()
    assert look(path).status == "running"
    driver.close(LONG)
    recorder.close()
    assert not journal.exists()
    assert look(path).status == "stopped"


def test_costs_are_in_the_journal_while_the_file_waits(recording, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 1_000)
    monkeypatch.setattr(module, "TICK", 0.005)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    path = Path(recorder.path)
    until(lambda: look(path).session.steps > 100)
    assert read(path)[0].steps == 0


def test_a_nudge_that_reached_no_disk_is_marked_and_written_later(recording, monkeypatch):
    driver, recorder = recording()
    recorder.start()
    recorder._closing = True  # its thread rests; we are its thread
    recorder._wanted.set()
    recorder._thread.join()
    path = Path(recorder.path)
    heard = []
    driver.subscribe(lambda fact: heard.append((recorder.unsaved, len(look(path).session.events))))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    run = driver.ask(lambda run: run).result()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        driver._push(run.apply(Nudge("learning_rate", notches=1)))
        assert recorder.problem == "not saved: No space left on device"
    driver._push(run.apply(Nudge("momentum", notches=1)))
    assert heard == [(True, 0), (False, 2)]
    assert recorder.problem == ""


def test_a_journal_that_is_taken_away_is_made_again(recording, monkeypatch):
    monkeypatch.setattr(module, "TICK", 0.005)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    journal = Path(recorder.path).with_suffix(".journal")
    journal.unlink()
    until(journal.exists)
    until(lambda: holder(journal) is not None)
    steps = driver.ask(lambda run: run.steps).result(LONG)
    until(lambda: look(Path(recorder.path)).session.steps > steps)


def test_a_folder_taken_away_and_no_room_to_write_it_again_loses_nothing(recording, monkeypatch, tmp_path):
    """Neither file nor journal: what happens meanwhile is in the new ones once they can be written."""
    monkeypatch.setattr(module, "TICK", 0.005)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    path = Path(recorder.path)
    driver.send(Nudge("learning_rate", notches=1))
    until(lambda: len(look(path).session.events) == 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail_to_replace)
        path.parent.rename(tmp_path / "gone")  # at once: deleting it races with who writes in it
        until(lambda: recorder.problem != "")
        driver.send(Nudge("momentum", notches=1))
        until(lambda: len(driver.ask(lambda run: list(run.events)).result(LONG)) == 2)
    until(lambda: recorder.problem == "" and path.exists() and path.with_suffix(".journal").exists())
    until(lambda: len(look(path).session.events) == 2)
    # the lock comes before the record that says whose it is
    until(lambda: getattr(holder(path.with_suffix(".journal")), "pid", None) == os.getpid())


def test_a_journal_does_not_grow_for_ever(recording, monkeypatch):
    monkeypatch.setattr(module, "TICK", 0.002)
    monkeypatch.setattr(module, "PERIOD", 0.01)
    monkeypatch.setattr(module, "LONG_JOURNAL", 2_000)
    driver, recorder = recording(epochs=1_000_000)
    recorder.start()
    driver.start()
    journal = Path(recorder.path).with_suffix(".journal")

    def begun_anew():
        found = read_journal(journal)
        assert found.records[0]["kind"] == "start"
        return found.number > len(found.records)

    until(begun_anew)
    found = look(Path(recorder.path))
    assert (found.warning, found.status) == ("", "running")


def test_what_can_not_be_saved_at_the_end_stays_in_the_journal(recording, monkeypatch):
    driver, recorder = recording()
    recorder.start()
    driver.start()
    until(lambda: driver.ask(lambda run: run.status).result(LONG) == "finished")
    driver.close(LONG)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail_to_replace)
        recorder.close()
    assert recorder.problem == "not saved: Read-only file system"
    stored = look(Path(recorder.path))
    assert stored.session.steps == 20


def fail_to_replace(*_):
    raise OSError(30, "Read-only file system")
