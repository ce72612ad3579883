"""Branches at the very step of a nudge: what came before is the branch's own, what comes after is not."""

from __future__ import annotations

import pytest

from pandatui.sessions.branching import branch
from pandatui.sessions.record import Identity, record
from pandatui.sessions.replay import rerun, verify
from pandatui.sessions.schema import decode, encode
from pandatui.training.environment import pin_blas
from pandatui.training.events import Extend, Nudge


@pytest.fixture(autouse=True)
def _one_thread():
    pin_blas()


def written(run, name):
    return decode(encode(record(run, Identity.new(name), run.steps / 10, None)))[0]


def nudged(new_run, steps, **more):
    """A run with a nudge between steps 10 and 11, trained so far."""
    run = new_run(epochs=6, **more)
    while run.steps < 10:
        run.step()
    run.apply(Nudge("learning_rate", notches=5))
    while run.steps < steps:
        run.step()
    return run


def checked(run):
    """Its record is what it does: trained again, to a good deal later, it is the same run."""
    while run.ready:
        run.step()
    child = written(run, "child")
    assert verify(child, rerun(child, run.dataset)).identical
    return [(e.step, e.kind) for e in child.events]


@pytest.mark.parametrize(("step", "kept"), [(9, 0), (10, 0), (11, 1), (12, 1)])
def test_from_a_run_that_is_further_on(new_run, step, kept):
    run = nudged(new_run, 14)
    branch(run, written(run, "parent"), step)
    assert run.steps == step
    assert (run.knobs["learning_rate"] > 0.3) == bool(kept)
    assert checked(run) == [(11, "nudge")] * kept


@pytest.mark.parametrize("again", [False, True], ids=["as it runs", "from its record"])
def test_now_with_a_nudge_that_waits_for_the_next_step(new_run, again):
    run = nudged(new_run, 10)
    parent = written(run, "parent")
    if again:
        run = rerun(parent, run.dataset, until=10)
    branch(run, parent, 10)
    assert run.knobs["learning_rate"] > 0.3
    assert checked(run) == [(11, "nudge")]


def test_now_with_more_epochs_than_it_has_done(new_run):
    run = nudged(new_run, 10)
    while run.ready:
        run.step()
    run.apply(Extend(8))
    end = run.steps
    branch(run, written(run, "parent"), end)
    assert run.ready
    assert checked(run) == [(11, "nudge"), (end + 1, "extend")]
    assert run.epoch == 8
