"""Single bits flipped at random in what a killed run has left: never is other content shown, or gone on from.

`PANDATUI_FLIPS` says how many in each of the files: session, journal and checkpoint, and a study's two.
"""

from __future__ import annotations

import os
import random
import shutil
from itertools import pairwise

import pytest
from msgspec.structs import replace

from pandatui.search import shelf
from pandatui.search.cohort import lend
from pandatui.search.engines import Inline
from pandatui.search.keeper import Keeper, open_study
from pandatui.search.ledger import merged as study_with
from pandatui.search.race import Race
from pandatui.search.setup import prepare as prepare_study
from pandatui.search.spec import Spec
from pandatui.sessions import Recorder, SessionError, Store
from pandatui.sessions import recorder as recorder_module
from pandatui.sessions.checkpoints import folder_of
from pandatui.sessions.ledger import merged
from pandatui.sessions.record import Identity
from pandatui.sessions.records import read_journal
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.resume import resume
from pandatui.sessions.schema import decode, encode
from pandatui.sessions.store import look, read
from pandatui.training import Driver, Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Note, Nudge, Undo
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.trainer import Trainer

FLIPS = int(os.environ.get("PANDATUI_FLIPS", "200"))
SEED = os.environ["PANDATUI_SEED"]

pytestmark = pytest.mark.campaign


@pytest.fixture
def left(tmp_path, monkeypatch):
    """A folder as a kill leaves it: a file, a journal that is ahead of it, checkpoints; and the run."""
    pin_blas()
    monkeypatch.setattr(recorder_module, "WORTH_IT", 0.0)
    alive, folder = Store(tmp_path / "alive"), tmp_path / "killed"
    driver = Driver(Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=30, optimizer="adam"))))
    recorder = Recorder(driver, alive, Identity.new("one"))
    run = driver.ask(lambda run: run).result()
    recorder.start()
    recorder._closing = True  # its thread rests; we are its thread
    recorder._wanted.set()
    recorder._thread.join()
    for number, command in enumerate(
        [
            Nudge("learning_rate", notches=1),
            Nudge("decay", notches=1),
            Note("ü"),
            Nudge("l2", notches=2),
            Undo(),
        ]
    ):
        for _ in range(7):
            driver._push(run.step())
        driver._push(run.apply(command))
        recorder._tick()
        if number == 2:
            recorder._save()
    while run.steps < 40:
        driver._push(run.step())
    recorder._tick()
    shutil.copytree(alive.folder, folder)
    driver.close()
    recorder.close(evaluate=False)
    return folder / "one.json", run


def checked(session):
    return decode(encode(session))[0]


def content(session) -> bytes:
    return encode(replace(session, integrity=""))


def flipped(raw: bytes, what: str):
    """The bytes with one bit flipped, again and again; says with what seed, should one of them pass."""
    print(f"PANDATUI_FLIPS={FLIPS} PANDATUI_SEED={SEED}")
    chance = random.Random(f"{SEED}/{what}")
    for _ in range(FLIPS):
        place = chance.randrange(len(raw))
        yield raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]


def test_in_the_session(left):
    path, _ = left
    true, refused, edited = look(path).session, 0, 0
    for raw in flipped(path.read_bytes(), "session"):
        path.write_bytes(raw)
        try:
            found = look(path)
        except SessionError:
            refused += 1
            continue
        edited += found.edited
        assert found.edited or found.session == true
    assert refused + edited > 0.9 * FLIPS  # the rest are spaces of its layout


def test_in_the_journal(left):
    """What is shown is the file with the first so many records."""
    path, _ = left
    journal = journal_path(path)
    file, records = read(path)[0], read_journal(journal).records
    shown = [content(checked(merged(file, records[:n]))) for n in range(len(records) + 1)]
    assert len(set(shown)) > 4
    for raw in flipped(journal.read_bytes(), "journal"):
        journal.write_bytes(raw)
        assert content(look(path).session) in shown[:-1]


def test_in_a_checkpoint(left, monkeypatch):
    """What goes on from the folder is the run that it was: from the checkpoint, or else from the seed."""
    path, run = left
    checkpoints = sorted(folder_of(path).iterdir(), key=lambda each: int(each.stem))
    last = checkpoints.pop()
    for each in checkpoints:
        each.unlink()
    journal, trained = journal_path(path).read_bytes(), []
    monkeypatch.setattr(os, "fsync", lambda _: None)  # slow, and of no weight here
    step = Trainer.train_step
    monkeypatch.setattr(Trainer, "train_step", lambda self: trained.append(1) or step(self))

    def gone_on():
        trained.clear()
        journal_path(path).write_bytes(journal)
        resumed = resume(Store(path.parent), path)
        assert resumed.recorder._journal is not None
        resumed.recorder._journal.close(remove=False)  # nothing is written but what resuming writes
        again = resumed.driver.ask(lambda run: run).result()
        assert again.history.costs_sha256() == run.history.costs_sha256()
        assert again.weights_sha256() == run.weights_sha256()
        assert (again.knobs, again.batches.state()) == (run.knobs, run.batches.state())
        return len(trained)

    assert gone_on() == run.steps - int(last.stem)
    from_the_seed = 0
    for raw in flipped(last.read_bytes(), "checkpoint"):
        last.write_bytes(raw)
        from_the_seed += gone_on() == run.steps
    assert from_the_seed > 0.5 * FLIPS  # the rest are what the archive has twice, or dates


# -- a study -------------------------------------------------------------------------------------------------


@pytest.fixture
def raced(tmp_path, monkeypatch):
    """A study as a kill leaves it: its file from the start, all that has ended in its journal."""
    spec = Spec(run=RunOptions(data="xor", hidden=(4,), epochs=2), trials=6, rounds=2)
    ready = prepare_study(spec)
    lend(ready.dataset, ready.base)
    opened = open_study(Store(tmp_path / "racing"), ready, "one")
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "save", lambda self, status="running": None)
        Race(opened.study, ready.dataset, Inline(), opened.keeper).run()
    shutil.copytree(tmp_path / "racing", tmp_path / "killed")
    opened.keeper.close()
    return tmp_path / "killed" / "one.study.json"


def test_in_a_study(raced):
    journal_path(raced).unlink(missing_ok=True)
    true, refused, edited = shelf.look(raced).study, 0, 0
    for raw in flipped(raced.read_bytes(), "study"):
        raced.write_bytes(raw)
        try:
            found = shelf.look(raced)
        except SessionError:
            refused += 1
            continue
        edited += found.edited
        assert found.edited or found.study == true
    assert refused + edited > 0.9 * FLIPS


def test_in_the_journal_of_a_study(raced):
    """What is shown is the file with the first so many records."""
    journal = journal_path(raced)
    file, records = shelf.read(raced)[0], read_journal(journal).records
    shown = [study_with(file, records[:n]) for n in range(len(records) + 1)]
    assert all(one != other for one, other in pairwise(shown[1:]))  # the first says who writes
    assert len(shown) > 4
    for raw in flipped(journal.read_bytes(), "journal of a study"):
        journal.write_bytes(raw)
        assert shelf.look(raced).study in shown[:-1]
