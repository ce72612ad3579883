"""Going on while somebody else does, or where it can't: what a second process must find then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from pandatui.sessions import Recorder, SessionError, Store
from pandatui.sessions.journal import Journal
from pandatui.sessions.lock import holder
from pandatui.sessions.recorder import Identity
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.resume import resume
from pandatui.sessions.schema import encode
from pandatui.sessions.store import read
from pandatui.training import Driver, Run
from pandatui.training.events import Nudge
from pandatui.training.setup import RunOptions, prepare

WILD = {"optimizer": "sgd", "learning_rate": 100.0, "l2": 100.0, "batch_norm": False}


@pytest.fixture
def killed(tmp_path):
    """A session as a kill leaves it at step 9; and the same stopped at step 20, with another nudge."""
    alive, store = Store(tmp_path / "alive"), Store(tmp_path / "sessions")
    store.prepare()
    driver = Driver(Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=4))))
    recorder = Recorder(driver, alive, Identity.new("one"))
    recorder.start()
    recorder._closing = True  # its thread rests; we are its thread
    recorder._wanted.set()
    recorder._thread.join()
    run = driver.ask(lambda run: run).result()
    driver._push(run.apply(Nudge("learning_rate", notches=1)))
    while run.steps < 9:
        driver._push(run.step())
    recorder._tick()
    for each in alive.folder.iterdir():
        shutil.copy(each, store.folder)
    driver._push(run.apply(Nudge("momentum", notches=-1)))
    while run.steps < 20:
        driver._push(run.step())
    driver.close()
    recorder.close()
    return store, store.path("one"), alive.path("one"), run


def test_what_another_did_in_the_meantime_is_gone_on_from(killed, monkeypatch):
    """Between the first look at the file and the lock another has gone on, and stopped."""
    store, path, later, run = killed
    reopen = Journal.reopen

    def late(journal: Path, session: str):
        shutil.copy(later, path)
        journal.unlink()
        return reopen(journal, session)

    monkeypatch.setattr(Journal, "reopen", late)
    resumed = resume(store, path)
    again = resumed.driver.ask(lambda run: run).result()
    resumed.recorder.close(evaluate=False)
    assert (again.steps, again.weights_sha256()) == (20, run.weights_sha256())
    assert [event.knob for event in resumed.session.events] == ["learning_rate", "momentum"]


def test_where_it_can_not_go_on_it_lets_go_and_loses_nothing(killed):
    store, path, _, _ = killed
    with pytest.raises(SessionError, match="expected more than 4"):
        resume(store, path, epochs=1)
    assert holder(journal_path(path)) is None
    resumed = resume(store, path)
    assert resumed.session.steps == 9
    assert len(resumed.session.events) == 1
    resumed.recorder.close(evaluate=False)


def test_a_record_that_trains_otherwise_here_is_said(killed):
    """Its hash of the costs, or where it ends: as on a machine with other arithmetic."""
    store, _, later, _ = killed
    session, _ = read(later)
    path = store.path("one")
    for change, says in (
        ({"result": replace(session.result, costs_sha256="1" * 64)}, "its costs differ"),
        ({"config": session.config | WILD, "events": []}, "trained again to step"),
    ):
        path.write_bytes(encode(replace(session, **change)))
        resumed = resume(store, path)
        resumed.recorder.close(evaluate=False)
        assert [note for note in resumed.notes if says in note]
        shutil.rmtree(path.with_suffix(".checkpoints"), ignore_errors=True)
