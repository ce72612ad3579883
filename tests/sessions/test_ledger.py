"""The journal's records of a run, and the session that file and records make together."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from pandatui.sessions.ledger import UNKNOWN, Ledger, merged
from pandatui.sessions.record import Identity, record
from pandatui.sessions.records import JournalError
from pandatui.sessions.schema import decode, encode
from pandatui.training.events import Extend, Note, Nudge, Redo, Rewind, Undo

WHO = Identity("one", "id-1", "2026-01-02T03:04:05+00:00")


def saved(run, seconds=0.0):
    return decode(encode(record(run, WHO, seconds, None)))[0]


def wander(run, chance):
    """One thing a person may do."""
    what = chance.randrange(8)
    if what <= 3:
        for _ in range(chance.randrange(1, 9)):
            if run.ready:
                run.step()
    elif what == 4:
        run.apply(Nudge(chance.choice(["learning_rate", "l2", "batch_size"]), notches=chance.choice([-1, 1])))
    elif what == 5:
        run.apply(Undo() if chance.random() < 0.5 else Redo())
    elif what == 6 and run.steps:
        run.apply(Rewind(chance.randrange(run.steps)))
    else:
        run.apply(Note("looked"))


def seen(session):
    """What both must have in common: the merged one knows no weights, test figures and later inputs."""
    plain = msgspec.to_builtins(session)
    for name in ("weights_sha256", "test_cost", "test_accuracy"):
        del plain["result"][name]
    for name in ("seconds", "integrity"):
        del plain[name]
    del plain["curves"]["abandoned"], plain["curves"]["inputs"]
    return plain


def inputs_of(session):
    """The spread of the layers' inputs by epoch."""
    found = session.curves.inputs
    return dict(zip(found.epochs, found.counts, strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_file_and_journal_are_the_run_whatever_a_person_does(new_run, seed):
    """Against the run itself. The file may be from any moment, the journal reach back behind it."""
    chance = random.Random(seed)
    plan = ({"step": 5, "knob": "momentum", "to": 0.5}, {"step": 13, "knob": "l2", "to": 0.1})
    from pandatui.training import PlannedNudge

    run = new_run(epochs=30, plan=tuple(PlannedNudge(**each) for each in plan))
    ledger, files, journal = Ledger(run), [saved(run)], []
    for _ in range(60):
        wander(run, chance)
        if chance.random() < 0.6 or len(run.events) > ledger.events:
            journal += ledger.news(run, 1.0)
            ledger.reset(run)
        if chance.random() < 0.1:
            journal += ledger.news(run, 1.0)
            ledger.reset(run)
            files.append(saved(run))
    journal += ledger.news(run, 2.0)
    for file in files:
        found = merged(file, tuple(journal))
        assert seen(decode(encode(found))[0]) == seen(saved(run))
        assert inputs_of(found).items() <= inputs_of(saved(run)).items()


def test_nothing_ahead_is_the_file_itself(new_run):
    run = new_run()
    run.step()
    file = saved(run)
    assert merged(file, ()) is file
    assert merged(file, ({"kind": "start", "pid": 1},)) is file
    assert Ledger(run).news(run, 0.0) == []


def test_what_nobody_evaluated_is_not_known(new_run):
    run = new_run()
    file, ledger = saved(run), Ledger(run)
    run.step()
    found = merged(file, tuple(ledger.news(run, 3.5)))
    assert found.result.weights_sha256 == UNKNOWN
    assert found.result.costs_sha256 == run.history.costs_sha256()
    assert (found.steps, found.seconds, found.status) == (1, 3.5, "running")


def test_an_event_without_the_costs_that_a_torn_write_lost(new_run):
    run = new_run()
    file, ledger = saved(run), Ledger(run)
    for _ in range(3):
        run.step()
    run.apply(Nudge("learning_rate", notches=1))
    events, costs = ledger.news(run, 1.0)
    assert (events["kind"], costs["kind"]) == ("events", "costs")
    found = merged(file, (events,))
    assert (found.steps, len(found.events), found.curves.train.first) == (3, 1, [])
    assert found.result.costs_sha256 == UNKNOWN


def test_finished_and_diverged_are_told_from_the_records(new_run, monkeypatch):
    run = new_run(epochs=2)
    file, ledger = saved(run), Ledger(run)
    while run.ready:
        run.step()
    assert merged(file, tuple(ledger.news(run, 1.0))).status == "finished"
    run.apply(Extend(3))
    assert merged(file, tuple(ledger.news(run, 1.0))).status == "running"
    monkeypatch.setattr(run.learner, "step", lambda *_: (np.array([np.nan]), False))
    run.step()
    assert merged(file, tuple(ledger.news(run, 1.0))).status == "diverged"


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "other"},
        {},
        {"kind": "costs", "from": -1, "costs": [], "seconds": 0.0},
        {"kind": "costs", "from": 10**12, "costs": [1.0], "seconds": 0.0},
        {"kind": "costs", "from": 0, "costs": ["x"], "seconds": 0.0},
        {"kind": "costs", "from": 0, "costs": [], "seconds": 0.0, "more": 1},
        {"kind": "costs", "from": 0, "costs": [], "seconds": 0.0, "mo\nre\x1b[2J": 1},
        {"kind": "events", "steps": 0, "events": [{"id": 3, "step": 1, "kind": "note", "seconds": 0.0}]},
        {"kind": "dev", "from": 0, "points": [[1, 2.0]]},
    ],
)
def test_records_that_no_run_writes(new_run, record):
    with pytest.raises(JournalError, match="journal: ") as caught:
        merged(saved(new_run()), (record,))
    assert not {"\n", "\x1b"} & set(str(caught.value))
