"""Ghosts and twins against runs that were trained by themselves: the same costs; and the run that has them
against one that has none: the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from pandatui.training.companions import CATCHING_UP, GHOST, LEFT_ALONE, TWIN_BAND, Companions
from pandatui.training.effect import effect
from pandatui.training.events import Nudge, Redo, Undo
from pandatui.training.history import History

NUDGES = {7: ("learning_rate", 0.4), 12: ("decay", 1.0), 23: ("batch_size", 8.0), 31: ("momentum", 0.5)}


def nudged(run, steps, without=(), companions=None, full_pace=False):
    """Train with the nudges of the table, but for those whose number is in `without`."""
    while run.steps < steps:
        for number, (step, (knob, value)) in enumerate(NUDGES.items(), start=1):
            if run.steps + 1 == step and number not in without:
                run.apply(Nudge(knob, to=value))
        run.step()
        if companions is not None:
            companions.attend(run, full_pace=full_pace)
    return run


def caught_up(companions, run):
    while companions.attend(run, full_pace=False):
        pass
    return {look.kind: look for look in companions.look(run, 10_000)}


def dev_of(run):
    return run.history.dev_cost.part(0, run.history.epochs)


@pytest.fixture
def data(dataset):
    return dataset(50)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("without", [{1}, {2}, {4}, {1, 3}])
def test_a_ghost_is_the_run_without_those_nudges(new_run, data, optimizer, without):
    run = nudged(new_run(data, optimizer=optimizer, epochs=99), 60)
    companions = Companions()
    companions.ghost(run, frozenset(without))
    look = caught_up(companions, run)[GHOST]
    alone = nudged(new_run(data, optimizer=optimizer, epochs=99), look.steps_done, without)
    first = next(step for number, step in enumerate(NUDGES, start=1) if number in without)
    assert look.start == first - 1
    assert np.array_equal(look.train, alone.history.train.part(look.start, alone.steps))
    since = alone.history.epochs - len(look.dev_costs)
    assert np.array_equal(look.dev_costs[:, 0], dev_of(alone)[since:])
    assert np.array_equal(look.dev_epochs, np.arange(since + 1, alone.history.epochs + 1))
    assert (alone.epoch, alone.batches.place) >= (run.epoch, run.batches.place)


def test_left_alone_is_the_run_without_any(new_run, data):
    run = nudged(new_run(data, epochs=99), 60)
    companions = Companions()
    companions.ghost(run, None)
    look = caught_up(companions, run)[LEFT_ALONE]
    alone = nudged(new_run(data, epochs=99), look.steps_done, {1, 2, 3, 4})
    assert np.array_equal(look.dev_costs[:, 0], dev_of(alone)[-len(look.dev_costs) :])
    assert look.without == (1, 2, 3, 4)


def test_a_ghost_of_a_run_that_goes_on_is_nudged_with_it(new_run, data):
    """It is made after the second nudge and has the later ones at their steps."""
    companions = Companions()
    run = nudged(new_run(data, epochs=99), 15, companions=companions)
    companions.ghost(run, frozenset({2}))
    nudged(run, 60, companions=companions)
    look = caught_up(companions, run)[GHOST]
    alone = nudged(new_run(data, epochs=99), look.steps_done, {2})
    assert np.array_equal(look.train, alone.history.train.part(look.start, alone.steps))


def test_no_nudge_no_ghost(new_run, data):
    run = new_run(data)
    run.step()
    for numbers in (None, frozenset({1})):
        with pytest.raises(ValueError, match="no nudge"):
            Companions().ghost(run, numbers)


def test_twins_from_the_start_are_the_runs_with_other_seeds(new_run, data):
    run = nudged(new_run(data, epochs=99), 60)
    companions = Companions()
    companions.twins(run, from_start=True)
    look = caught_up(companions, run)[TWIN_BAND]
    runs = [nudged(new_run(data, epochs=99, seed=seed), look.steps_done) for seed in range(2, 7)]
    assert np.array_equal(look.dev_costs, np.stack([dev_of(twin) for twin in runs], axis=1))
    costs = np.stack([twin.history.train.part(0, twin.steps) for twin in runs])
    assert np.array_equal(look.train, costs.mean(axis=0))


def test_twins_from_here_differ_in_the_order_of_the_data_alone(new_run, data):
    run = nudged(new_run(data, epochs=99), 30)
    companions = Companions()
    companions.twins(run, from_start=False)
    nudged(run, 60, companions=companions)
    look = caught_up(companions, run)[TWIN_BAND]
    assert look.start == 30
    assert len(np.unique(look.dev_costs[-1])) == 5
    assert np.array_equal(look.dev_epochs, np.arange(look.dev_epochs[0], run.epoch + 1))


def test_the_run_has_the_same_bits_with_companions_and_without(new_run, data):
    companions = Companions()
    run = nudged(new_run(data, epochs=99), 15, companions=companions)
    companions.ghost(run, frozenset({1}))
    companions.ghost(run, None)
    companions.twins(run, from_start=True)
    nudged(run, 60, companions=companions)
    assert len(caught_up(companions, run)) == 3
    alone = nudged(new_run(data, epochs=99), 60)
    assert run.weights_sha256() == alone.weights_sha256()
    assert run.history.costs_sha256() == alone.history.costs_sha256()
    assert run.batches.state() == alone.batches.state()


def test_at_full_pace_only_those_that_were_asked_for_go_on(new_run, data):
    companions = Companions()
    run = nudged(new_run(data, epochs=99), 40)
    companions.ghost(run, None, asked=False)
    assert not companions.attend(run, full_pace=True)
    assert companions.attend(run, full_pace=False)
    companions.ghost(run, frozenset({1}))
    assert companions.attend(run, full_pace=True)
    looks = {look.kind: look for look in companions.look(run, 100)}
    assert looks[LEFT_ALONE].steps_done == looks[LEFT_ALONE].start + CATCHING_UP
    assert looks[GHOST].steps_done == looks[GHOST].start + CATCHING_UP


def test_when_the_run_goes_back_only_the_one_left_alone_stays(new_run, data):
    companions = Companions()
    run = nudged(new_run(data, epochs=99), 40)
    companions.ghost(run, frozenset({4}))
    companions.ghost(run, None)
    companions.twins(run, from_start=True)
    caught_up(companions, run)
    run.apply(Undo())
    companions.went_back(run)
    assert [look.kind for look in companions.look(run, 100)] == [LEFT_ALONE]
    assert not companions.attend(run, full_pace=False)
    run.apply(Redo())
    nudged(run, 60, companions=companions)
    look = caught_up(companions, run)[LEFT_ALONE]
    alone = nudged(new_run(data, epochs=99), look.steps_done, {1, 2, 3, 4})
    assert np.array_equal(look.dev_costs[:, 0], dev_of(alone)[-len(look.dev_costs) :])


def test_a_ghost_that_diverges_stops_where_it_did(new_run, data):
    run = nudged(new_run(data, epochs=99, learning_rate=90.0), 6)
    run.apply(Nudge("learning_rate", to=0.01))
    while run.steps < 70 and run.ready:
        run.step()
    companions = Companions()
    companions.ghost(run, frozenset({1}))
    look = caught_up(companions, run)[GHOST]
    assert look.diverged
    assert look.steps_done == 51


def dev_history(costs):
    history = History()
    history.extend(
        np.full(10 * len(costs), 1.0), np.array([(10 * (i + 1), c, 0.5) for i, c in enumerate(costs)])
    )
    return history


def test_the_effect_of_nudges_at_equal_epochs():
    history = dev_history([1.0, 0.9, 0.7, 0.5, 0.3, 0.2])
    ghost = np.array([(2, 0.9), (3, 0.8), (4, 0.7), (5, 0.6)])
    found = effect(history, ghost, 15)
    assert (found.epoch, found.steps_later, found.trend) == (5, 35, "growing")
    assert found.difference == pytest.approx(-0.3)
    assert found.noise == pytest.approx(0)
    assert not found.within_noise
    band = {5: np.array([0.3, 0.5, 0.4, 0.2, 0.6])}
    held = effect(history, ghost, 15, band.get)
    assert held.noise == pytest.approx(2 * 2**0.5 * band[5].std(ddof=1))
    assert held.within_noise


def test_too_early_to_say():
    later = np.array([(2, 0.9), (3, 0.8), (4, 0.7)])
    assert effect(dev_history([1.0, 0.9, 0.8]), later, 15) is None
    assert effect(dev_history([1.0]), np.empty((0, 2)), 5) is None
