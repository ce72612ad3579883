"""A counterpart against a run that was trained by itself without batch norm; and the run that has one against
one that has none: the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from pandatui.training import ConfigError
from pandatui.training.companions import Companions
from pandatui.training.counterpart import Counterpart
from pandatui.training.driver import Driver
from pandatui.training.events import Nudge, Redo, Rewind, Undo

NUDGES = {7: ("learning_rate", 0.4), 12: ("decay", 1.0), 23: ("batch_size", 8.0), 31: ("momentum", 0.5)}


def go(run, steps, companions=None):
    while run.steps < steps:
        if run.steps + 1 in NUDGES and not any(e.step == run.steps + 1 for e in run.events):
            knob, value = NUDGES[run.steps + 1]
            run.apply(Nudge(knob, to=value))
        run.step()
        if companions is not None:
            companions.attend(run, full_pace=True)
    return run


def caught_up(companions, run):
    while companions.attend(run, full_pace=True):
        pass
    return companions.counterpart


def beside(run):
    companions = Companions()
    companions.counterpart = Counterpart(run)
    return companions


@pytest.fixture
def data(dataset):
    return dataset(50)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("since", [0, 9, 60])
def test_it_is_the_run_with_the_other_batch_norm(new_run, data, batch_norm, optimizer, since):
    run = go(new_run(data, epochs=99, batch_norm=batch_norm, optimizer=optimizer), since)
    companions = beside(run)
    go(run, 60, companions)
    other = caught_up(companions, run).trainer
    alone = go(new_run(data, epochs=99, batch_norm=not batch_norm, optimizer=optimizer), 60)
    assert other.weights_sha256() == alone.weights_sha256()
    assert other.history.costs_sha256() == alone.history.costs_sha256()
    assert other.distributions.epochs == alone.distributions.epochs
    assert np.array_equal(other.distributions.counts(), alone.distributions.counts())


def test_the_run_s_bits_do_not_change_by_having_one(new_run, data):
    run, alone = new_run(data, epochs=99), go(new_run(data, epochs=99), 60)
    companions = beside(run)
    go(run, 60, companions)
    assert run.weights_sha256() == alone.weights_sha256()
    assert run.history.costs_sha256() == alone.history.costs_sha256()


def test_it_has_the_planned_nudges_once(new_run, data):
    from pandatui.training import PlannedNudge

    plan = (PlannedNudge(5, "learning_rate", to=0.3), PlannedNudge(9, "momentum", to=0.2))
    run = new_run(data, epochs=99, plan=plan)
    companions = beside(run)
    while run.steps < 40:
        run.step()
    alone = new_run(data, epochs=99, plan=plan, batch_norm=False)
    while alone.steps < 40:
        alone.step()
    assert caught_up(companions, run).trainer.weights_sha256() == alone.weights_sha256()


@pytest.mark.parametrize(
    "commands", [[Undo()], [Undo(), Undo()], [Undo(), Redo()], [Rewind(5)], [Rewind(28)]]
)
def test_it_follows_the_run_back_and_forth(new_run, data, commands):
    run, alone = (go(new_run(data, epochs=99, batch_norm=b), 40) for b in (True, False))
    companions = beside(run)
    caught_up(companions, run)
    for command in commands:
        for each in (run, alone):
            each.apply(command)
        caught_up(companions, run)
    for each in (run, alone):
        each.apply(Nudge("learning_rate", to=0.01))
        each.step()
        go(each, 70, companions if each is run else None)
    assert caught_up(companions, run).trainer.weights_sha256() == alone.weights_sha256()


def test_what_it_shows_ends_where_the_run_is(new_run, data):
    run = go(new_run(data, epochs=99), 60)
    companions = beside(run)
    look = companions.counterpart.look(run)
    assert (look.behind, look.epoch, look.epochs) == (True, 0, ())
    assert np.isnan(look.dev_cost)
    other = caught_up(companions, run)
    whole = other.look(run)
    assert (whole.behind, whole.ended, whole.batch_norm) == (False, "", False)
    assert whole.epochs == tuple(range(1, run.epoch + 1))
    run.apply(Rewind(30))  # the other is ahead of it now, on the same path
    caught_up(companions, run)
    look = other.look(run)
    assert look.epoch == run.epoch == look.epochs[-1]
    assert look.dev_cost == other.trainer.history.dev_cost.first[run.epoch - 1]


def test_it_says_where_it_diverged_and_follows_again_from_before(new_run, data):
    run = new_run(data, epochs=99)
    companions = beside(run)
    while run.steps < 30:
        run.step()
    run.apply(Nudge("learning_rate", to=90.0))
    while run.steps < 60:
        run.step()
    other = caught_up(companions, run)
    assert other.ended.startswith("diverged at step ")
    assert not other.behind(run)
    run.apply(Undo())
    assert caught_up(companions, run).ended == ""
    assert other.trainer.steps == run.steps


def test_batch_norm_can_t_be_had_of_single_examples(new_run, data):
    with pytest.raises(ConfigError):
        Counterpart(new_run(data, batch_size=1, batch_norm=False))
    run = new_run(data, epochs=99, batch_norm=False)
    companions = beside(run)
    run.step()
    run.apply(Nudge("batch_size", to=1.0))
    run.step()
    assert "mini-batches of one" in caught_up(companions, run).ended


def test_states_to_go_back_to_are_few(new_run, data):
    run = new_run(data, epochs=99)
    companions = beside(run)
    for i in range(40):
        run.apply(Nudge("learning_rate", to=0.01 * (i % 7 + 1)))
        run.step()
    other = caught_up(companions, run)
    assert len(other._kept) <= 16
    run.apply(Undo())
    assert caught_up(companions, run).trainer.steps == run.steps


def test_a_driver_steps_it_beside_the_run(new_run, data):
    run = new_run(data, epochs=20)
    driver = Driver(run)
    driver.companions.counterpart = Counterpart(run)
    driver.start()
    alone = new_run(data, epochs=20, batch_norm=False)
    while alone.ready:
        alone.step()
    for _ in range(10_000):
        if driver.ask(lambda run: (run.status, driver.companions.counterpart.behind(run))).result(30) == (
            "finished",
            False,
        ):
            break
    driver.close()
    assert driver.companions.counterpart.trainer.weights_sha256() == alone.weights_sha256()
