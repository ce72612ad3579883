"""A branch is a session of its own: it verifies itself, and without other nudges it is the run it left."""

import random

import pytest

from pandatui.sessions.branching import branch
from pandatui.sessions.record import Identity, record
from pandatui.sessions.replay import rerun, verify
from pandatui.sessions.schema import decode, encode
from pandatui.training.environment import pin_blas
from pandatui.training.events import Extend, Note, Nudge, Pause, Redo, Refused, Rewind, Undo


@pytest.fixture(autouse=True)
def _one_thread():
    pin_blas()


def written(run, name):
    session, whole = decode(encode(record(run, Identity.new(name), run.steps / 10, None)))
    assert whole
    return session


@pytest.mark.parametrize("seed", range(5))
def test_a_branch_of_a_lived_in_run_verifies_itself(new_run, seed):
    chance = random.Random(seed)
    run = new_run(epochs=60, decay=0.01)
    for _ in range(25):
        for _ in range(chance.randrange(1, 25)):
            if run.ready:
                run.step(run.steps / 10)
        kind = chance.random()
        if kind < 0.5:
            run.apply(Nudge(chance.choice(["learning_rate", "decay", "l2"]), notches=chance.choice([-1, 2])))
        elif kind < 0.6:
            run.apply(Undo())
        elif kind < 0.7:
            run.apply(Redo())
        elif kind < 0.8 and run.steps:
            run.apply(Rewind(chance.randrange(run.steps)))
        else:
            run.apply(Note("so far"))
    session = written(run, "parent")
    step = chance.randrange(1, run.steps)
    parent = branch(run, session, step)
    assert (parent.name, parent.step, parent.id) == ("parent", step, session.id)
    assert run.steps == step
    assert [e.id for e in run.events] == list(range(1, len(run.events) + 1))
    assert all(e.undone_by is None for e in run.events)
    run.apply(Nudge("momentum", notches=-1))
    for _ in range(30):
        if run.ready:
            run.step()
    child = written(run, "child")
    assert verify(child, rerun(child, run.dataset)).identical


def test_without_other_nudges_it_is_the_run_that_it_left(new_run):
    run, other = new_run(epochs=30), new_run(epochs=30)
    for each in (run, other):
        while each.steps < 60:
            each.step()
        each.apply(Nudge("learning_rate", notches=2))
        while each.ready:
            each.step()
    assert run.steps > 100
    branch(run, written(run, "parent"), 100)
    while run.ready:
        run.step()
    assert run.weights_sha256() == other.weights_sha256()
    assert run.history.costs_sha256() == other.history.costs_sha256()


def test_it_goes_on_even_where_its_parent_was_paused_and_has_its_own_undo(new_run):
    run = new_run(epochs=30)
    for _ in range(50):
        run.step()
    run.apply(Nudge("learning_rate", notches=2))
    for _ in range(50):
        run.step()
    run.apply(Pause())
    branch(run, written(run, "parent"), 80)
    assert run.ready
    assert isinstance(run.apply(Redo())[0], Refused)
    run.apply(Undo())
    assert run.steps == 50
    run.apply(Extend(31))
    assert run.target_epochs == 31
