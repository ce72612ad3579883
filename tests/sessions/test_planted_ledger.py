"""Mistakes by one, and by one line, in what the journal says of a jump: the places where they would show."""

from __future__ import annotations

import pytest

from pandatui.sessions.export import train_rows
from pandatui.sessions.ledger import Ledger, merged
from pandatui.sessions.record import Identity, record
from pandatui.sessions.schema import decode, encode, from_number
from pandatui.training.events import Extend, Nudge, Redo, Rewind, Undo
from pandatui.training.history import History

WHO = Identity("one", "id-1", "2026-01-02T03:04:05+00:00")
EPOCH = 5  # steps of the run's first epoch


def saved(run):
    return decode(encode(record(run, WHO, 0.0, None)))[0]


def go(run, steps):
    while run.steps < steps:
        run.step()


def lived(session):
    """The live path: its costs, its dev points, its events and which of them stand."""
    c = session.curves
    dev = zip(c.dev_step.first, c.dev_cost.first, c.dev_accuracy.first, strict=True)
    events = [(e.id, e.kind, e.undone_by) for e in session.events]
    return session.steps, session.epochs, session.status, c.train.first, list(dev), events


class Written:
    """A run whose file is of its first moment, and what its journal says when each command is carried out."""

    def __init__(self, run):
        self.run, self.file, self.ledger = run, saved(run), Ledger(run)
        self.journal = []

    def note(self):
        self.journal += self.ledger.news(self.run, 1.0)
        self.ledger.reset(self.run)

    def apply(self, command):
        self.run.apply(command)
        self.note()

    def check(self):
        assert lived(decode(encode(merged(self.file, tuple(self.journal))))[0]) == lived(saved(self.run))


@pytest.mark.parametrize("at", [EPOCH - 2, EPOCH - 1, EPOCH, EPOCH + 1])
def test_back_to_before_around_and_at_the_end_of_an_epoch(new_run, at):
    """The nudge is in use from step `at + 1` on: its dev point is of the path that was left."""
    written = Written(new_run(epochs=6))
    for back in (Undo(), Rewind(at)):
        go(written.run, at)
        written.apply(Nudge("learning_rate", notches=5))
        go(written.run, at + 8)
        written.note()
        written.apply(back)
        assert written.run.steps == at
        written.check()
        written.apply(Redo())
        written.check()
        written.apply(Rewind(at))
        go(written.run, at + 3)
        written.note()
        written.check()


def test_a_batch_size_that_is_undone_leaves_no_cost_behind(new_run):
    """Of all knobs it alone changes the cost of the very step that it is first used at."""
    written = Written(new_run(epochs=6))
    go(written.run, 7)
    written.apply(Nudge("batch_size", times=2.0))
    go(written.run, 12)
    written.note()
    written.run.apply(Undo())
    go(written.run, 12)  # a disk that was full: the jump and what followed are written together
    written.note()
    written.check()


@pytest.mark.parametrize("lost", [1, 2])
def test_of_the_path_that_was_left_no_cost_is_shown_though_the_new_ones_are_torn_away(new_run, lost):
    written = Written(new_run(epochs=6))
    go(written.run, 7)
    written.apply(Nudge("learning_rate", notches=5))
    go(written.run, 14)
    written.note()
    written.run.apply(Undo())
    go(written.run, 14)
    written.note()
    assert [each["kind"] for each in written.journal[-3:]] == ["events", "costs", "dev"]
    found = merged(written.file, tuple(written.journal[:-lost]))
    true = written.run.history.train.part(0, 14).tolist()
    shown = [from_number(cost) for cost in found.curves.train.first]
    assert shown == true[: len(shown)]
    assert len(shown) == (14 if lost == 1 else 7)
    assert [from_number(cost) for cost in found.curves.dev_cost.first] == [
        written.run.history.dev_cost.part(0, 1)[0]
    ]


def test_an_extension_that_was_undone_ends_where_it_would_have(new_run):
    written = Written(new_run(epochs=2))
    while written.run.ready:
        written.run.step()
    written.apply(Extend(4))
    go(written.run, 2 * EPOCH + 3)
    written.apply(Rewind(EPOCH))
    written.check()
    while written.run.ready:
        written.run.step()
    written.note()
    assert written.run.status == "finished"
    written.check()


def test_running_time_never_goes_back(new_run):
    run = new_run()
    file, ledger = decode(encode(record(run, WHO, 7.5, None)))[0], Ledger(run)
    run.step()
    assert merged(file, tuple(ledger.news(run, 2.0))).seconds == 7.5


@pytest.mark.parametrize("back", [None, 2590, 2610])
def test_of_a_long_run_the_last_costs_are_those_of_its_last_steps(new_run, monkeypatch, back):
    """The file has no longer every cost: first ones, blocks, and last ones that the journal goes on from."""
    monkeypatch.setattr(History, "FULL_TRAIN", 2048)
    monkeypatch.setattr(History, "END_TRAIN", 512)
    run = new_run(epochs=10_000)
    go(run, 2600)
    file, ledger = saved(run), Ledger(run)
    assert file.curves.train.blocks is not None
    go(run, 2650)
    journal = ledger.news(run, 1.0)
    if back is not None:
        ledger.reset(run)
        run.apply(Rewind(back))
        journal += ledger.news(run, 1.0)
        ledger.reset(run)
        go(run, back + 15)
        journal += ledger.news(run, 1.0)
    found = decode(encode(merged(file, tuple(journal))))[0]
    last = [from_number(cost) for cost in found.curves.train.last]
    assert found.steps == run.steps
    assert len(last) >= 500
    assert last == run.history.train.last(len(last)).tolist()
    assert from_number(found.result.train_cost) == last[-1]


def test_of_a_long_run_that_went_far_back_nothing_is_shown_of_what_was_left(new_run, monkeypatch):
    monkeypatch.setattr(History, "FULL_TRAIN", 4096)
    monkeypatch.setattr(History, "END_TRAIN", 512)
    run = new_run(epochs=10_000)
    go(run, 5200)
    file, ledger = saved(run), Ledger(run)
    run.apply(Rewind(300))
    journal = ledger.news(run, 1.0)
    ledger.reset(run)
    run.apply(Nudge("learning_rate", to=0.3))
    go(run, 1400)
    journal += ledger.news(run, 1.0)
    found = decode(encode(merged(file, tuple(journal))))[0]
    rows = train_rows(found)
    assert rows[:, 0].tolist() == list(range(1, 1401))
    assert rows[:, 1].tolist() == run.history.train.part(0, 1400).tolist()
