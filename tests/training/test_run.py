"""Run: the same bits for the same commands, exact steps, and every way that a run can end."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pandatui.data import Part
from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.training import ConfigError, PlannedNudge
from pandatui.training.events import (
    Diverged,
    EpochDone,
    Extend,
    Finished,
    GoOn,
    Note,
    Nudge,
    Pause,
    Recorded,
    Refused,
    WorseThanGuessing,
    gestures,
)


def finish(run, limit=100_000):
    """Step to the end; every fact on the way."""
    facts = []
    while run.ready:
        facts += run.step()
        assert run.steps < limit
    return facts


def hashes(run):
    return run.weights_sha256(), run.history.costs_sha256()


def steps(run, count):
    for _ in range(count):
        run.step()


class Spy:
    """A Part that remembers which rows were taken, mini-batch by mini-batch."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.taken: list[list[int]] = []

    def __getattr__(self, name):
        return getattr(self.part, name)

    def __len__(self):
        return len(self.part)

    def take(self, rows, *out):
        self.taken.append(rows.tolist())
        return self.part.take(rows, *out)


def spied(dataset):
    from dataclasses import replace

    spy = Spy(dataset.train)
    return replace(dataset, train=spy), spy


# -- the same bits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_the_same_config_gives_the_same_bits(new_run, optimizer):
    one, two, other = (new_run(optimizer=optimizer, seed=seed) for seed in (1, 1, 2))
    for run in (one, two, other):
        finish(run)
    assert hashes(one) == hashes(two)
    assert hashes(one)[0] != hashes(other)[0]
    assert hashes(one)[1] != hashes(other)[1]


def test_it_is_the_learner_stepped_by_hand_with_a_nudge_in_use_at_the_very_next_step(new_run, dataset):
    """Three steps at 0.1, a nudge, then steps at 0.025: against nn alone, fed with the same mini-batches."""
    data = dataset()
    run = new_run(data, epochs=2)
    start, shuffle = (np.random.default_rng(s) for s in np.random.SeedSequence(1).spawn(2))
    network = Network(Architecture(3, (5, 4), 3), 1, "float32")
    network.initialise([start])
    optimizer = Optimizer("momentum", network.parameters)
    learner = Learner(network, optimizer)
    order = shuffle.permutation(21)
    for step in range(5):
        rate = 0.1 if step < 3 else 0.025
        optimizer.set(*(np.full((1, 1), value) for value in (rate, 0.9, 0.999)))
        rows = order[4 * step : 4 * step + 4]
        costs, finite = learner.step(data.train.inputs[rows], data.train.labels[rows])
        assert finite
        if step == 3:
            (fact,) = run.apply(Nudge("learning_rate", times=0.25))
            assert fact.event.step == 4
        run.step()
        assert run.history.train.last(1)[0] == float(costs[0])
        assert np.array_equal(run.network.parameters, network.parameters)


def test_a_pause_one_step_and_a_stretch_leave_the_bits(new_run):
    plain, paused = new_run(), new_run()
    finish(plain)
    steps(paused, 3)
    assert [type(f) for f in paused.apply(Pause())] == [Recorded]
    assert not paused.ready
    assert paused.apply(Pause()) == []
    for count in (1, 1, 7):
        paused.apply(GoOn(count))
        before = paused.steps
        finish(paused)
        assert paused.steps == before + count
        assert paused.paused
    paused.apply(GoOn())
    finish(paused)
    assert hashes(paused) == hashes(plain)
    assert [e.kind for e in paused.events] == ["pause"] + 3 * ["go on", "pause"] + ["go on"]


def test_looking_and_noting_change_nothing(new_run):
    plain, watched = new_run(decay=0.1), new_run(decay=0.1)
    finish(plain)
    while watched.ready:
        watched.step()
        watched.evaluate()
        watched.state()
        watched.apply(Note("still here"))
        hashes(watched)
    assert hashes(watched) == hashes(plain)
    assert watched.history.dev_cost.last(9).tolist() == plain.history.dev_cost.last(9).tolist()


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_an_extended_run_has_the_bits_of_one_that_was_longer_from_the_start(new_run, decay):
    long, short = new_run(epochs=6, decay=decay), new_run(epochs=2, decay=decay)
    finish(long)
    assert isinstance(finish(short)[-1], Finished)
    assert not short.ready
    assert [type(f) for f in short.apply(GoOn())] == [Refused]
    (fact,) = short.apply(Extend(6))
    assert (fact.event.kind, fact.event.step, fact.event.epochs) == ("extend", 11, 6)
    finish(short)
    assert hashes(short) == hashes(long)
    assert short.history.dev_cost.last(9).tolist() == long.history.dev_cost.last(9).tolist()


@pytest.mark.parametrize("epochs", [0, 1, 4, 10_000_001])
def test_an_extension_must_be_longer(new_run, epochs):
    run = new_run()
    assert [type(f) for f in run.apply(Extend(epochs))] == [Refused]
    assert run.target_epochs == 4


def test_a_pause_that_was_ahead_does_not_survive_the_end(new_run):
    run = new_run(epochs=1)
    run.apply(GoOn(7))
    finish(run)
    run.apply(Extend(2))
    finish(run)
    assert (run.status, run.steps) == ("finished", 10)


# -- epochs and mini-batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "batch_size", "batch_norm", "per_epoch"),
    [
        (21, 4, True, 5),  # the one left over is dropped
        (21, 4, False, 5),
        (22, 4, True, 6),  # the ragged last of two is used
        (20, 4, True, 5),
        (21, 1, False, 21),
        (21, 21, True, 1),
        (21, 20, True, 1),
        (3, 2, True, 1),
        (1, 1, False, 1),
    ],
)
def test_steps_of_an_epoch(new_run, dataset, rows, batch_size, batch_norm, per_epoch):
    run = new_run(dataset(rows), batch_size=batch_size, batch_norm=batch_norm, epochs=3)
    assert run.batches.steps_per_epoch(batch_size) == per_epoch
    facts = finish(run)
    assert run.steps == 3 * per_epoch
    ends = [(f.epoch, f.step) for f in facts if isinstance(f, EpochDone)]
    assert ends == [(e, e * per_epoch) for e in (1, 2, 3)]
    assert run.history.epochs == run.epoch == 3


@pytest.mark.parametrize("rows", [20, 21, 22])
def test_an_epoch_takes_each_row_once(new_run, dataset, rows):
    data, spy = spied(dataset(rows))
    run = new_run(data, epochs=2)
    finish(run)
    half = len(spy.taken) // 2
    for epoch in (spy.taken[:half], spy.taken[half:]):
        seen = [row for batch in epoch for row in batch]
        assert len(set(seen)) == len(seen) == rows - (rows % 4 == 1)
    assert spy.taken[:half] != spy.taken[half:]


def test_a_new_batch_size_takes_the_next_rows_of_the_same_permutation(new_run, dataset):
    data, spy = spied(dataset(22))
    run = new_run(data, epochs=1)
    for batch_size in (4, 8, 2, 3, 5):
        run.apply(Nudge("batch_size", to=batch_size))
        run.step()
    assert run.epoch == 1
    assert [len(batch) for batch in spy.taken] == [4, 8, 2, 3, 5]
    plain = np.random.default_rng(np.random.SeedSequence(1).spawn(2)[1]).permutation(22)
    assert [row for batch in spy.taken for row in batch] == plain.tolist()


@pytest.mark.parametrize(
    ("batch_size", "batch_norm", "expected"),
    [(22, True, "2 to 21"), (22, False, "1 to 21")],
)
def test_a_batch_size_that_the_data_cannot_fill_is_refused(new_run, batch_size, batch_norm, expected):
    with pytest.raises(ConfigError, match=expected):
        new_run(batch_size=batch_size, batch_norm=batch_norm)
    with pytest.raises(ConfigError, match=expected):
        new_run(batch_norm=batch_norm, plan=(PlannedNudge(3, "batch_size", to=batch_size),))


# -- nudges --------------------------------------------------------------------------------------------------


def test_a_nudge_is_on_record_with_its_step_and_values(new_run):
    run = new_run()
    steps(run, 2)
    (fact,) = run.apply(Nudge("learning_rate", notches=5), seconds=1.23456)
    event = fact.event
    assert (event.id, event.step, event.kind, event.seconds) == (1, 3, "nudge", 1.235)
    assert (event.knob, event.before, event.after) == ("learning_rate", 0.1, 0.316227766017)
    assert (event.by, event.nudge) == ("you", 1)
    assert run.knobs["learning_rate"] == 0.316227766017


@pytest.mark.parametrize(
    ("nudge", "words"),
    [
        (Nudge("second_moment", notches=1), "second moment is not used by momentum"),
        (Nudge("learning_rate", to=1000.0), "expected 1e-06 … 100"),
        (Nudge("learning_rate", to=math.nan), "expected 1e-06 … 100"),
        (Nudge("learning_rate", to=0.1), "already 0.1"),
        (Nudge("batch_size", to=1), "expected a whole number from 2 to 21"),
        (Nudge("batch_size", to=3.5), "expected a whole number from 2 to 21"),
        (Nudge("batch_size", to=math.inf), "expected a whole number from 2 to 21"),
        (Nudge("decay", notches=-1), "already at its limit, 0"),
        (Nudge("l2", times=2.0), "already at its limit, 0"),
        (Nudge("decay", to=0.0001), "expected 0, or 0.001 … 10"),
    ],
)
def test_a_nudge_that_changes_nothing_says_why(new_run, nudge, words):
    run = new_run()
    (fact,) = run.apply(nudge)
    assert isinstance(fact, Refused)
    assert words in fact.reason
    assert run.events == []


@pytest.mark.parametrize(
    ("knob", "notches", "limit"),
    [("learning_rate", 200, "100"), ("momentum", 99, "0.9999"), ("batch_size", 9, "21"), ("l2", 99, "100")],
)
def test_at_a_limit_a_notch_is_no_nudge(new_run, knob, notches, limit):
    run = new_run()
    assert isinstance(run.apply(Nudge(knob, notches=notches))[0], Recorded)
    (fact,) = run.apply(Nudge(knob, notches=1))
    assert fact.reason == f"already at its limit, {limit}"


def test_a_factor_below_the_least_gives_zero_as_a_notch_does(new_run):
    run = new_run(decay=0.001, l2=1e-5)
    for knob in ("decay", "l2"):
        run.apply(Nudge(knob, times=0.5))
        assert run.knobs[knob] == 0


def test_presses_of_one_gesture_share_its_number(new_run):
    run = new_run()
    presses = [
        Nudge("learning_rate", notches=1),
        Nudge("learning_rate", notches=1, continues=True),
        Nudge("momentum", notches=1),
        Nudge("momentum", notches=-1, continues=True),
        Nudge("learning_rate", notches=1, continues=True),  # another knob was between
        Nudge("learning_rate", to=0.5, by="plan"),
        Nudge("learning_rate", notches=1, continues=True),  # a planned nudge is its own gesture
    ]
    for press in presses:
        run.apply(press)
        run.step()
    assert [e.nudge for e in run.events] == [1, 1, 2, 2, 3, 4, 5]
    first, second, *_ = gestures(run.events)
    assert (first.first_step, first.last_step, first.presses) == (1, 2, 2)
    assert (first.before, first.after) == (0.1, clean_product(0.1, 2))
    assert (second.before, second.after) == (0.9, 0.9)


def clean_product(value, notches):
    for _ in range(notches):
        value = float(f"{value * 10**0.1:.12g}")
    return value


def rates(run, epochs):
    """The rate in use in each of the next epochs."""
    found = []
    for _ in range(epochs):
        found.append(run.knobs["learning_rate"])
        epoch = run.epoch
        while run.epoch == epoch:
            run.step()
    return found


def test_decay_divides_the_base_by_the_epochs_completed(new_run):
    run = new_run(epochs=99, decay=0.5)
    assert rates(run, 4) == pytest.approx([0.1 / (1 + 0.5 * e) for e in range(4)], rel=1e-15)


def test_a_nudge_of_the_rate_sets_the_rate_in_use_and_decay_goes_on_from_there(new_run):
    run = new_run(epochs=99, decay=0.5)
    rates(run, 2)
    run.step()
    run.apply(Nudge("learning_rate", to=0.2))
    assert run.knobs["learning_rate"] == 0.2
    base = 0.2 * (1 + 0.5 * 2)
    assert rates(run, 3) == pytest.approx([0.2, base / 2.5, base / 3], rel=1e-15)


@pytest.mark.parametrize(("old", "new"), [(0.5, 0.1), (0.1, 0.5), (0.5, 0.0), (0.0, 0.5)])
def test_a_nudge_of_decay_never_makes_the_rate_jump(new_run, old, new):
    run = new_run(epochs=99, decay=old)
    rates(run, 3)
    run.step()
    before = run.knobs["learning_rate"]
    run.apply(Nudge("decay", to=new))
    assert run.knobs["learning_rate"] == before
    assert rates(run, 3) == pytest.approx(
        [before * (1 + new * 3) / (1 + new * e) for e in (3, 4, 5)], rel=1e-15
    )


def test_less_decay_means_a_slower_fall(new_run):
    """Ten epochs at decay 0.1; lowered to 0.05 the rate then keeps 1.5/1.75 = 0.857 of itself over five more.

    At 0.1 it would keep 2/2.5 = 0.8. Counting epochs from the nudge would keep less: 1/1.25.
    """
    run = new_run(epochs=99, decay=0.1)
    rates(run, 10)
    run.apply(Nudge("decay", to=0.05))
    before = run.knobs["learning_rate"]
    rates(run, 5)
    assert run.knobs["learning_rate"] / before == pytest.approx(1.5 / 1.75, rel=1e-12)


def test_the_rate_strip_holds_every_change(new_run):
    run = new_run(epochs=3, decay=1.0)
    steps(run, 2)
    run.apply(Nudge("learning_rate", to=0.4))
    finish(run)
    at, values = run.rates.arrays()
    assert at.tolist() == [1, 3, 6, 11, 16]
    assert values.tolist() == pytest.approx([0.1, 0.4, 0.2, 0.4 / 3, 0.1])


# -- the plan ------------------------------------------------------------------------------------------------


def test_a_planned_nudge_is_applied_once_at_its_step(new_run):
    plan = (
        PlannedNudge(7, "learning_rate", times=0.5),
        PlannedNudge(3, "momentum", to=0.5),
        PlannedNudge(7, "learning_rate", to=0.2),
        PlannedNudge(10_000, "l2", to=1.0),
    )
    run = new_run(plan=plan)
    facts = finish(run)
    told = [f.event for f in facts if isinstance(f, Recorded)]
    assert told == run.events
    assert [(e.step, e.knob, e.before, e.after, e.by, e.nudge) for e in run.events] == [
        (3, "momentum", 0.9, 0.5, "plan", 1),
        (7, "learning_rate", 0.1, 0.05, "plan", 2),
        (7, "learning_rate", 0.05, 0.2, "plan", 3),
    ]


def test_a_plan_has_the_bits_of_the_same_nudges_by_hand(new_run):
    planned = new_run(plan=(PlannedNudge(3, "momentum", to=0.5), PlannedNudge(7, "learning_rate", times=2.0)))
    finish(planned)
    by_hand = new_run()
    steps(by_hand, 2)
    by_hand.apply(Nudge("momentum", to=0.5))
    steps(by_hand, 4)
    by_hand.apply(Nudge("learning_rate", times=2.0))
    finish(by_hand)
    assert hashes(by_hand) == hashes(planned)
    plain = new_run()
    finish(plain)
    assert hashes(plain) != hashes(planned)


def test_a_planned_nudge_that_changes_nothing_is_refused_once_and_training_goes_on(new_run):
    run = new_run(plan=(PlannedNudge(2, "momentum", to=0.9),))
    facts = finish(run)
    assert [f.reason for f in facts if isinstance(f, Refused)] == ["already 0.9"]
    assert run.status == "finished"


# -- divergence ----------------------------------------------------------------------------------------------


def wild(new_run, **settings):
    defaults = {"batch_norm": False, "hidden": (32, 32, 32), "learning_rate": 100.0}
    return new_run(**(defaults | settings))


def test_a_non_finite_step_is_not_taken_and_changes_nothing(new_run):
    run = wild(new_run)
    while run.ready:
        before = run.state()
        facts = run.step()
    (diverged,) = facts
    assert isinstance(diverged, Diverged)
    assert (diverged.cause, diverged.step) == ("non-finite", run.steps + 1)
    after = run.state()
    assert run.steps == before.steps == run.history.steps
    for name in ("parameters", "running", "first", "second"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert (after.running_product, after.first_product) == (before.running_product, before.first_product)
    assert after.batches == before.batches
    assert np.isfinite(run.network.parameters).all()
    assert (run.events[-1].kind, run.events[-1].step) == ("diverged", run.steps + 1)
    for command in (GoOn(), Extend(99)):
        assert isinstance(run.apply(command)[0], Refused)


def test_data_that_overflow_stop_the_run_at_its_first_step(new_run, dataset):
    run = new_run(dataset(scale=1e38), batch_norm=True)
    fresh = run.weights_sha256()
    (diverged,) = run.step()
    assert (diverged.cause, diverged.step, run.steps) == ("non-finite", 1, 0)
    assert run.weights_sha256() == fresh
    assert run.network.running_product == 1.0


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_with_batch_norm_a_wild_rate_stays_finite_and_is_blown_up_at_the_first_step_of_the_rule(
    new_run, optimizer
):
    run = new_run(optimizer=optimizer, learning_rate=100.0, epochs=400)
    facts = finish(run)
    costs = run.history.train.last(run.steps)
    assert np.isfinite(costs).all()
    assert costs[1:].mean() > 10 * math.log(3)
    assert (facts[-1].cause, facts[-1].step, run.steps) == ("blown up", 51, 51)
    assert (run.events[-1].kind, run.events[-1].text, run.status) == ("diverged", "blown up", "diverged")


@pytest.mark.parametrize("hot", [0, 49, 50, 51, 120])
def test_the_window_of_fifty(new_run, monkeypatch, hot):
    """Costs put in its way: cool but for `hot` of them from step 30 on, each 60 ln 3."""
    run = new_run(epochs=60)
    costs = iter([60 * math.log(3) if 30 <= n < 30 + hot else 1.0 for n in range(1, 400)])
    monkeypatch.setattr(run.learner, "step", lambda *_: (np.array([next(costs)]), True))
    facts = finish(run)
    if hot == 0:
        assert run.status == "finished"
    else:
        assert run.steps == 51  # the first step of which the rule speaks has 22 hot ones in its window
        assert facts[-1].cause == "blown up"


@pytest.mark.parametrize(("spike", "status"), [(499.0, "finished"), (501.0, "diverged")])
def test_one_spike_counts_by_its_share_of_the_mean(new_run, monkeypatch, spike, status):
    """Over 50 steps the limit is 500 ln 3 = 549.3, of which 49 are the others."""
    run = new_run(epochs=60)
    costs = iter([spike if n == 60 else 1.0 for n in range(1, 400)])
    monkeypatch.setattr(run.learner, "step", lambda *_: (np.array([next(costs)]), True))
    finish(run)
    assert run.status == status


def test_worse_than_guessing_is_a_notice_once_after_two_epochs(new_run, monkeypatch):
    """Dev costs put in its way. Only after having been better, and only the second epoch in a row."""
    good, bad = 0.5, 2.0
    script = [bad, bad, good, bad, good, bad, bad, bad, math.nan, good, math.nan, math.nan]
    run = new_run(epochs=len(script))
    costs = iter(script)
    monkeypatch.setattr(run.network, "evaluate", lambda *_: (np.array([next(costs)]), np.array([0.5])))
    facts = finish(run)
    assert [f.since_epoch for f in facts if isinstance(f, WorseThanGuessing)] == [6, 11]
    assert run.status == "finished"


# -- results -------------------------------------------------------------------------------------------------


def test_dev_is_recorded_at_every_epochs_end_as_evaluated_there(new_run):
    run = new_run()
    expected = []
    while run.ready:
        facts = run.step()
        if any(isinstance(f, EpochDone) for f in facts):
            found = run.evaluate()
            expected.append((run.steps, found.dev_cost, found.dev_accuracy))
    series = (run.history.dev_step, run.history.dev_cost, run.history.dev_accuracy)
    assert list(zip(*(s.last(99).tolist() for s in series), strict=True)) == expected
    best = min(expected, key=lambda row: row[1])
    assert run.history.best == (expected.index(best) + 1, best[1], best[2])


def test_the_weights_hash_tells_one_bit(new_run):
    run = new_run()
    before = run.weights_sha256()
    run.network.running[0, 0] = np.nextafter(run.network.running[0, 0], np.float32(1))
    assert run.weights_sha256() != before


def test_a_long_note_is_cut(new_run):
    run = new_run()
    (fact,) = run.apply(Note("x" * 10_000))
    assert len(fact.event.text) == 2_000
