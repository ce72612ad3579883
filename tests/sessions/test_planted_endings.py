"""Killed after an end: what a person did to a run that had finished or diverged is on record all the same.

The file says "finished" from that moment on, and the journal is ahead of it again as soon as the run goes on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pandatui.sessions import Recorder, SessionError, Store
from pandatui.sessions.keeping import annotate
from pandatui.sessions.recorder import Identity
from pandatui.sessions.resume import recovered, resume
from pandatui.sessions.store import look, read
from pandatui.training import Driver, Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Extend, Nudge, Rescue, Undo
from pandatui.training.setup import RunOptions, prepare


@pytest.fixture
def ended(tmp_path):
    """Trains to an end, saves, does something, and hands over the folder as a kill would leave it then."""
    pin_blas()
    made = []

    def ended(after, *, save=True, **options):
        alive, store = Store(tmp_path / "alive"), Store(tmp_path / "killed")
        store.prepare()
        run = Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=6, **options)))
        driver = Driver(run)
        recorder = Recorder(driver, alive, Identity.new("one"))
        made.append((driver, recorder))
        recorder.start()
        recorder._closing = True  # its thread rests; we are its thread
        recorder._wanted.set()
        recorder._thread.join()
        run.apply(Nudge("learning_rate", notches=-1))
        while run.ready:
            driver._push(run.step())
        if save:
            recorder._save()
            assert read(alive.path("one"))[0].status == run.status
        for command in after:
            driver._push(run.apply(command))
        if run.ready and after:
            driver._push(run.step())
        recorder._tick()
        for path in alive.folder.iterdir():
            if path.is_file():
                shutil.copy(path, store.folder)
        return store, store.path("one"), run

    yield ended
    for driver, recorder in made:
        driver.close()
        recorder.close(evaluate=False)


AFTER = {
    "on to more epochs": ([Extend(8), Nudge("learning_rate", notches=1)], {}),
    "an undo": ([Undo()], {}),
    "a rescue": ([Rescue()], {"learning_rate": 100.0, "batch_norm": False, "optimizer": "sgd"}),
}


@pytest.mark.parametrize("what", AFTER)
def test_what_was_done_after_an_end_is_not_lost(ended, what):
    after, options = AFTER[what]
    store, path, run = ended(after, **options)
    stored = look(path)
    assert (stored.status, stored.warning) == ("crashed", "")
    for found in (stored.session, recovered(path)):
        assert [(e.id, e.kind, e.undone_by) for e in found.events] == [
            (e.id, e.kind, e.undone_by) for e in run.events
        ]
        assert found.steps == run.steps
    with pytest.raises(SessionError, match="has crashed"):
        annotate(path, "a note")
    resumed = resume(store, path)
    again = resumed.driver.ask(lambda run: run).result()
    assert (again.steps, again.weights_sha256()) == (run.steps, run.weights_sha256())
    resumed.recorder.close(evaluate=False)


def test_an_end_that_is_on_file_is_an_end(ended):
    _, path, run = ended([])
    assert look(path).status == "finished"
    assert annotate(path, "a note").status == "finished"
    assert recovered(path).steps == run.steps


def pandatui(*arguments: str, folder: Path):
    command = [sys.executable, "-m", "pandatui", *arguments, "--sessions", str(folder), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)


def test_killed_between_its_end_and_its_file_it_is_finished_by_resume(ended):
    store, path, run = ended([], save=False)
    assert (look(path).status, recovered(path).status) == ("crashed", "finished")
    told = pandatui("resume", "one", folder=store.folder)
    assert told["weights_sha256"] == run.weights_sha256()
    (listed,) = pandatui("sessions", folder=store.folder)
    assert listed["status"] == "finished"
    assert not path.with_suffix(".journal").exists()
