"""state() and restore(): from any step, go on, and have the bits of the run that was never left."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandatui.training import PlannedNudge
from pandatui.training.events import Nudge, WorseThanGuessing

PLAN = (
    PlannedNudge(4, "learning_rate", times=0.5),
    PlannedNudge(9, "batch_size", to=7.0),
    PlannedNudge(13, "decay", to=0.2),
    PlannedNudge(17, "momentum", to=0.5),
)


def record(run):
    """Everything that must be equal: hashes, costs, dev points, best, rates, knobs, state of the stream."""
    history = run.history
    return (
        run.weights_sha256(),
        history.costs_sha256(),
        history.train.last(10_000).tolist(),
        [
            series.last(10_000).tolist()
            for series in (history.dev_step, history.dev_cost, history.dev_accuracy)
        ],
        history.best,
        [values.tolist() for values in run.rates.arrays()],
        dict(run.knobs),
        run.base_rate,
        run.batches.state(),
        (run.steps, run.epoch, run.status),
    )


def make(new_run, optimizer, batch_norm=True, dtype="float32"):
    plan = PLAN if optimizer in ("momentum", "adam") else PLAN[:3]
    return new_run(
        optimizer=optimizer, batch_norm=batch_norm, dtype=dtype, decay=0.3, l2=0.5, epochs=6, plan=plan
    )


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
@settings(max_examples=25)
@given(back_to=st.integers(0, 28), ahead=st.integers(0, 28), batch_norm=st.booleans())
def test_back_to_any_step_and_on_again(new_run, optimizer, back_to, ahead, batch_norm):
    plain, run = (make(new_run, optimizer, batch_norm) for _ in range(2))
    while plain.ready:
        plain.step()
    while run.ready and run.steps < back_to:
        run.step()
    state = run.state()
    there = record(run)
    for press in range(ahead):
        if not run.ready:
            break
        if press % 5 == 3:  # what is undone shall leave no trace
            run.apply(Nudge("l2", notches=1))
            run.apply(Nudge("batch_size", times=0.5))
        run.step()
    run.restore(state)
    assert record(run) == there
    while run.ready:
        run.step()
    assert record(run) == record(plain)


def test_a_state_is_a_copy_and_serves_more_than_once(new_run):
    run = make(new_run, "adam")
    for _ in range(8):
        run.step()
    state = run.state()
    ends = []
    for _ in range(3):
        while run.ready:
            run.step()
        ends.append(record(run))
        run.restore(state)
    assert ends[0] == ends[1] == ends[2]


def test_back_to_before_the_first_step(new_run):
    run = make(new_run, "adam")
    state, fresh = run.state(), record(run)
    while run.ready:
        run.step()
    run.restore(state)
    assert record(run) == fresh
    assert run.history.best is None


def test_the_events_stay_as_the_record(new_run):
    run = make(new_run, "momentum")
    state = run.state()
    for _ in range(10):
        run.step()
    run.restore(state)
    assert [event.step for event in run.events] == [4, 9]


def test_a_state_from_ahead_is_refused(new_run):
    run, ahead = make(new_run, "sgd"), make(new_run, "sgd")
    ahead.step()
    with pytest.raises(ValueError, match="0 steps, the state 1"):
        run.restore(ahead.state())


def test_far_back_the_blown_up_rule_still_sees_its_fifty_costs(new_run, monkeypatch):
    """Costs put in its way, in a history that keeps few: without them the mean would be of six costs only."""

    def scripted(run):
        def cost(*_):
            return np.array([20 * math.log(3) if 1_000 <= run.steps + 1 <= 1_028 else 1.0]), True

        monkeypatch.setattr(run.learner, "step", cost)

    def short_memory(run):
        from pandatui.training.history import Series

        run.history.train = Series(run.history.TRAIN_SIZES, keep_first=64, keep_recent=2_048)
        return run

    runs = [short_memory(new_run(epochs=2_000)) for _ in range(2)]
    for run in runs:
        scripted(run)
        monkeypatch.setattr(run.network, "evaluate", lambda *_: (np.ones(1), np.ones(1)))
    plain, back = runs
    while plain.ready:
        plain.step()
    state = None
    while back.ready and back.steps < 1_020:
        back.step()
    state = back.state()
    status_before = plain.status
    monkeypatch.setattr(back.learner, "step", lambda *_: (np.ones(1), True))
    back.status = "running"
    for _ in range(6_000):
        back.step()
    scripted(back)
    back.restore(state)
    while back.ready:
        back.step()
    assert (back.status, back.steps) == (status_before, plain.steps)
    assert status_before == "diverged"


def test_a_blown_up_run_restored_from_before_is_running_again(new_run, monkeypatch):
    run = new_run(epochs=60)
    for _ in range(20):
        run.step()
    state = run.state()
    monkeypatch.setattr(run.learner, "step", lambda *_: (np.array([1e6]), True))
    while run.ready:
        run.step()
    assert run.status == "diverged"
    run.restore(state)
    assert (run.status, run.ready, run.steps) == ("running", True, 20)
    monkeypatch.undo()
    for _ in range(60):
        run.step()
    assert run.status == "running"


def test_a_hot_cost_at_the_edge_of_the_window_is_remembered_by_a_restore(new_run, monkeypatch):
    """Step 2 alone carries the mean of steps 2 … 51 over the limit of 500 ln 3 in all."""
    run = new_run(epochs=60)
    monkeypatch.setattr(
        run.learner, "step", lambda *_: (np.array([501.0 if run.steps + 1 == 2 else 1.0]), True)
    )
    for _ in range(10):
        run.step()
    state = run.state()
    while run.ready:
        run.step()
    run.restore(state)
    while run.ready:
        run.step()
    assert (run.status, run.steps) == ("diverged", 51)


def test_worse_than_guessing_is_counted_from_where_it_was(new_run, monkeypatch):
    script = {1: 0.5, 2: 2.0, 3: 0.5, 4: 0.5}
    run = new_run()
    monkeypatch.setattr(run.network, "evaluate", lambda *_: (np.array([script[run.epoch]]), np.ones(1)))
    while run.epoch < 2:
        run.step()
    state = run.state()
    while run.ready:
        run.step()
    run.restore(state)
    script[3] = 2.0
    facts = []
    while run.ready:
        facts += run.step()
    assert [fact.since_epoch for fact in facts if isinstance(fact, WorseThanGuessing)] == [2]
