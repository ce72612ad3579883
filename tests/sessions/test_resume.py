"""Going on: the bits of a run that was never interrupted, whatever interrupted it."""

from __future__ import annotations

import shutil
import threading
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from pandatui.sessions import Recorder, SessionError, Store
from pandatui.sessions import lock as lock_module
from pandatui.sessions import recorder as recorder_module
from pandatui.sessions.lock import Held
from pandatui.sessions.recorder import Identity
from pandatui.sessions.records import JournalError
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.resume import recovered, resume
from pandatui.sessions.schema import Parent, encode
from pandatui.sessions.store import belongings, look, read
from pandatui.training import Driver, PlannedNudge, Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Diverged, Finished, Nudge, Pause, Recorded, Redo, Rewind, Undo
from pandatui.training.setup import RunOptions, prepare

LONG = 60  # seconds: only a failure waits so long
PLAN = ("5:learning_rate=0.2", "9:momentum=0.5", "9:batch_size=16", "40:learning_rate=*0.5")


@pytest.fixture(autouse=True)
def _one_blas_thread():
    pin_blas()


def new_run(plan=PLAN, **options):
    planned = tuple(PlannedNudge.parse(text) for text in plan)
    options = {"data": "xor", "hidden": (6,), "epochs": 12, "decay": 0.1} | options
    return Run(*prepare(RunOptions(**options, plan=planned)))


def hashes(result):
    return result.weights_sha256, result.costs_sha256


def to_the_end(run):
    while run.ready:
        run.step()
    return run.weights_sha256(), run.history.costs_sha256()


@pytest.fixture
def killed(tmp_path):
    """A session whose process is gone after this gesture: as it lies in the folder then."""
    made = []

    def killed(do, *, run=None, name="one", parent=None):
        store = Store(tmp_path / "sessions")
        elsewhere = Store(tmp_path / f"alive-{len(made)}")
        driver = Driver(run or new_run())
        recorder = Recorder(driver, elsewhere, Identity.new(name, parent))
        made.append((driver, recorder))
        recorder.start()
        recorder._closing = True  # its thread rests; we are its thread
        recorder._wanted.set()
        recorder._thread.join()
        store.prepare()
        live = driver.ask(lambda run: run).result()
        for step in do:
            if isinstance(step, int):
                while live.steps < step and live.ready:
                    driver._push(live.step(driver.seconds))
            else:
                driver._push(live.apply(step, driver.seconds))
        recorder._tick()
        for path in (elsewhere.path(name), journal_path(elsewhere.path(name))):
            shutil.copy(path, store.folder)
        return store, store.path(name), live

    yield killed
    for driver, recorder in made:
        driver.close(LONG)
        recorder.close(evaluate=False)


def go_on(store, path, **more):
    """Resume to the end, as the commands do."""
    resumed = resume(store, path, **more)
    done = threading.Event()
    resumed.driver.subscribe(lambda fact: done.set() if isinstance(fact, Finished | Diverged) else None)
    if not resumed.driver.ask(lambda run: run.ready).result():
        done.set()
    resumed.recorder.start()
    resumed.driver.start()
    assert done.wait(LONG)
    resumed.driver.close(LONG)
    session = resumed.recorder.close()
    assert resumed.recorder.problem == ""
    assert resumed.driver.failure is None
    return resumed, session


@pytest.mark.parametrize("steps", [0, 1, 4, 5, 8, 9, 10, 19, 20, 39, 40, 41])
def test_killed_anywhere_it_ends_as_if_it_never_had_been(killed, steps):
    store, path, _ = killed([steps])
    stored = look(path)
    assert (stored.status, stored.session.steps, stored.holder) == ("crashed", steps, None)
    _, session = go_on(store, path)
    assert hashes(session.result) == to_the_end(new_run())
    events = [(e.id, e.step, e.knob, e.after) for e in session.events]
    assert events == [(e.id, e.step, e.knob, e.after) for e in finished().events]
    left = {p.name for p in store.folder.iterdir()}
    assert left - {"one.checkpoints"} == {"one.json"}  # those are kept of what has taken long
    on_disk, whole = read(path)
    assert whole
    assert (on_disk.status, on_disk.id) == ("finished", session.id)


def finished():
    run = new_run()
    to_the_end(run)
    return run


GESTURES = [
    [7, Nudge("learning_rate", notches=-5)],
    [7, Nudge("learning_rate", notches=-5), 12, Undo(), 15],
    [7, Nudge("learning_rate", notches=-5), 12, Undo()],
    [12, Undo()],  # of the two planned ones: they stay spent
    [12, Undo(), Undo()],
    [12, Rewind(6), 7],  # these are pending again
    [12, Rewind(6)],
    [12, Rewind(6), Redo()],
    [12, Undo(), 14, Redo(), 15],
    [12, Rewind(3), 7, Redo()],
    [20, Pause()],
    [30, Nudge("decay", to=1.0), 45, Rewind(25), 28, Nudge("l2", notches=1), 29, Undo()],
]


@pytest.mark.parametrize("do", GESTURES)
def test_killed_after_a_persons_gestures(killed, do):
    store, path, live = killed(do)
    found = recovered(path)
    assert found.steps == live.steps
    assert [msgspec.to_builtins(e)["id"] for e in found.events] == [e.id for e in live.events]
    assert [e.undone_by for e in found.events] == [e.undone_by for e in live.events]
    _, session = go_on(store, path)
    live.paused = False
    assert hashes(session.result) == to_the_end(live)


def test_a_nudge_is_on_disk_before_anybody_hears_of_it(tmp_path):
    store = Store(tmp_path)
    driver = Driver(new_run())
    recorder = Recorder(driver, store, Identity.new("one"))
    found = []

    def hear(fact):
        if isinstance(fact, Recorded):
            found.append(fact.event.id in {event.id for event in recovered(store.path("one")).events})

    driver.subscribe(hear)
    recorder.start()
    driver.send(Nudge("learning_rate", notches=1))
    driver.start()
    driver.close(LONG)
    recorder.close()
    assert found[0]
    assert all(found)


def test_a_stopped_session_goes_on_and_keeps_what_it_is(killed, tmp_path):
    store, path, _ = killed([12, Nudge("l2", notches=1), 20, Undo()], parent=Parent(id="p", name="q", step=3))
    first = resume(store, path)
    first.recorder.start()
    first.driver.close()
    stopped = first.recorder.close()
    assert stopped.status == "stopped"
    edited = msgspec.structs.replace(
        stopped, environment={"threads": 1, "python": "0"}, queue=[{"a": 1}], seconds=77.0
    )
    path.write_bytes(encode(edited))
    resumed, session = go_on(store, path)
    assert (session.id, session.name, session.created) == (stopped.id, "one", stopped.created)
    assert (session.environment, session.queue) == (edited.environment, edited.queue)
    assert session.parent == stopped.parent
    assert session.seconds >= 77.0
    assert len(session.curves.abandoned) == len(stopped.curves.abandoned)
    assert resumed.notes == ()


def test_a_finished_one_goes_on_to_a_new_total(killed):
    store, path, _ = killed([10_000])
    _, session = go_on(store, path)
    assert session.status == "finished"
    _, longer = go_on(store, path, epochs=15)
    assert hashes(longer.result) == to_the_end(new_run(epochs=15))
    assert [e.kind for e in longer.events][-1] == "extend"
    for epochs in (15, 1):
        if epochs == 15:
            _, same = go_on(store, path, epochs=epochs)
            assert hashes(same.result) == hashes(longer.result)
        else:
            with pytest.raises(SessionError, match="epochs 1: expected more than 15"):
                resume(store, path, epochs=epochs)


def test_a_diverged_one_diverges_again_and_can_be_undone(killed):
    wild = new_run(plan=("8:learning_rate=100",), batch_norm=False, optimizer="sgd")
    store, path, live = killed([10_000], run=wild)
    assert live.status == "diverged"
    resumed = resume(store, path)
    run = resumed.driver.ask(lambda run: run).result()
    assert (run.status, run.steps, len(run.events)) == ("diverged", live.steps, len(live.events))
    assert isinstance(run.apply(Undo())[0], Recorded)
    assert run.status == "running"
    resumed.recorder.close(evaluate=False)


def test_only_one_at_a_time(killed, monkeypatch):
    monkeypatch.setattr(lock_module, "_TRIES", 1)
    store, path, _ = killed([5])
    first = resume(store, path)
    with pytest.raises(Held, match="'one' is being trained by process"):
        resume(store, path)
    assert look(path).status == "running"
    first.recorder.close(evaluate=False)
    assert look(path).status == "stopped"


def test_a_torn_tail_is_kept_aside_and_told(killed):
    store, path, _ = killed([9])
    journal = journal_path(path)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"n":99,"cr')
    resumed, session = go_on(store, path)
    (note,) = resumed.notes
    aside = next(p for p in store.folder.iterdir() if "torn" in p.name)
    assert aside.name in note
    assert aside.read_bytes() == b'{"n":99,"cr'
    assert hashes(session.result) == to_the_end(new_run())


def test_a_damaged_middle_shows_what_stands_before_it_and_is_not_written_on(killed):
    store, path, _ = killed([9])
    journal = journal_path(path)
    raw = bytearray(journal.read_bytes())
    raw[raw.index(b"\n") + 30] ^= 1
    journal.write_bytes(raw)
    stored = look(path)
    assert stored.session.steps == 0
    assert "damaged at byte" in stored.warning
    with pytest.raises(JournalError, match="damaged at byte"):
        resume(store, path)
    assert journal.read_bytes() == raw


def test_a_journal_that_is_lost_costs_only_what_was_ahead(killed):
    store, path, _ = killed([9])
    journal_path(path).unlink()
    assert look(path).status == "crashed"
    _, session = go_on(store, path)
    assert hashes(session.result) == to_the_end(new_run())


def test_sessions_that_are_not_gone_on_with(killed, tmp_path):
    store, path, _ = killed([9])
    other = tmp_path / "other.json"
    shutil.copy(path, other)
    with pytest.raises(SessionError, match="expected a session of"):
        resume(store, other)
    path.write_bytes(path.read_bytes().replace(b'"seconds": 0.0', b'"seconds": 5.0'))
    with pytest.raises(SessionError, match="was edited"):
        resume(store, path)
    resume(store, path, accept_edited=True).recorder.close(evaluate=False)


def test_saving_takes_its_share_at_most(tmp_path, monkeypatch):
    """A save that takes long is followed by a pause that is nineteen times as long, and more."""
    clock = [0.0]
    waited = []
    driver = Driver(new_run())
    recorder = Recorder(driver, Store(tmp_path), Identity.new("one"))

    class Wanted:
        def wait(self, seconds):
            waited.append(seconds)
            clock[0] += seconds
            recorder._closing = len(waited) > 400
            return False

        def clear(self): ...

    saves = []

    def slow_save():
        saves.append(clock[0])
        clock[0] += 3.0

    monkeypatch.setattr(recorder_module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(recorder, "_wanted", Wanted())
    monkeypatch.setattr(recorder, "_tick", lambda: None)
    monkeypatch.setattr(recorder, "_save", slow_save)
    recorder._main()
    gaps = [b - a for a, b in pairwise(saves)]
    assert len(gaps) >= 2
    assert min(gaps) >= 60
    assert max(waited) <= 0.5


def test_the_folder_of_a_store_may_be_relative(killed, monkeypatch, tmp_path):
    _, path, _ = killed([9])
    monkeypatch.chdir(tmp_path)
    resume(Store(Path("sessions")), path).recorder.close(evaluate=False)


def test_what_belongs_to_a_session_and_what_a_killed_save_left(killed):
    store, path, _ = killed([9])
    for name in (".one-0123456789abcdef.tmp", ".one-two-0123456789abcdef.tmp", "one.journal.torn-01234567"):
        (store.folder / name).touch()
    (store.folder / "one.checkpoints").mkdir()
    (store.folder / "one-two.json").touch()
    names = [".one-0123456789abcdef.tmp", "one.journal.torn-01234567"]
    assert [p.name for p in belongings(path)] == ["one.json", "one.journal", "one.checkpoints", *names]
    resume(store, path).recorder.close(evaluate=False)
    assert not (store.folder / names[0]).exists()
    assert (store.folder / ".one-two-0123456789abcdef.tmp").exists()
    assert (store.folder / names[1]).exists()
