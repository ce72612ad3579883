"""A Player shows what the run's own Driver showed, from the record alone."""

import numpy as np
import pytest

from pandatui.sessions.player import Player
from pandatui.sessions.recorder import Identity, record
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Extend, GoOn, Nudge, Pause, Refused, Undo
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.snapshot import View, look


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def recorded():
    """A session at ten steps a second with nudges and an undo, and looks at the run taken on the way."""
    pin_blas()
    run = Run(*prepare(RunOptions(data="xor", hidden=(8,), epochs=10, decay=0.05)))
    looks = {}
    keys = {20: Nudge("learning_rate", notches=2), 60: Nudge("momentum", notches=-1), 90: Undo()}
    seen = set()
    time = 0.0
    while run.ready:
        if run.steps in keys and run.steps not in seen:
            seen.add(run.steps)
            run.apply(keys[run.steps], time)
        run.step(time)
        time += 0.1
        looks[run.steps] = look(run, View(1, None, 100_000))
    return record(run, Identity.new("played"), time, run.evaluate()), looks, run


def player_of(session):
    clock = Clock()
    player = Player(session, clock=clock)
    return player, clock


def test_at_every_step_it_looks_as_it_did(recorded):
    session, looks, _ = recorded
    player, _ = player_of(session)
    for steps in (1, 19, 21, 40, 80, 100, session.steps):
        player.seek(steps)
        shown, was = player.snapshot(View()), looks[steps]
        assert shown.steps == was.steps == steps
        assert shown.epoch == was.epoch
        np.testing.assert_array_equal(shown.curve.mean, was.curve.mean)
        np.testing.assert_array_equal(shown.curve.dev_costs, was.curve.dev_costs)
        assert shown.knobs == pytest.approx(was.knobs)
        assert shown.best_dev_cost == was.best_dev_cost or was.best_epoch == 0
    np.testing.assert_allclose(shown.curve.rates, was.curve.rates)
    np.testing.assert_array_equal(shown.curve.rate_steps, was.curve.rate_steps)


def test_each_step_can_be_gone_to_late_in_a_long_and_fast_session():
    """A step takes 10 µs after eleven days; a float of so many seconds is exact to 1e-10 s."""
    pin_blas()
    run = Run(*prepare(RunOptions(data="xor", hidden=(8,), epochs=10)))
    time = 0.0
    while run.ready:
        if run.steps == 20:
            time = 1e6
            run.apply(Nudge("learning_rate", notches=2), time)
        run.step(time)
        time += 1e-5
    player, _ = player_of(record(run, Identity.new("played"), time, run.evaluate()))
    for step in range(run.steps + 1):
        player.seek(step)
        assert player.steps == step


def test_it_plays_by_its_own_clock(recorded):
    session, _, _ = recorded
    player, clock = player_of(session)
    assert player.steps == 0
    player.start()
    clock.now = 1.5
    assert player.steps == pytest.approx(15, abs=1)
    player.set_speed(4)
    clock.now = 2.0
    assert player.steps == pytest.approx(35, abs=1)
    player.send(Pause())
    clock.now = 50.0
    assert player.steps == pytest.approx(35, abs=1)
    assert player.snapshot(View()).paused
    player.send(GoOn())
    clock.now = 1000.0
    assert player.steps == session.steps
    assert player.snapshot(View()).status == "finished"
    player.set_speed(1e9)
    assert player.speed == 1000


def test_a_stretch_that_was_left_takes_no_time(recorded):
    session, _, _ = recorded
    player, _ = player_of(session)
    assert player.length == pytest.approx(session.steps / 10, abs=0.5)
    player.seek(60)
    assert player.snapshot(View()).abandoned == ()
    player.seek(61)  # on the way that was taken: from here on, what was left lies beside it
    shown = player.snapshot(View())
    assert len(shown.abandoned) == 1
    assert [g.number for g in shown.gestures if g.undone] == [2]
    assert [e.kind for e in shown.events][-1] == "undo"
    player.seek(session.steps)
    (left,) = player.snapshot(View()).abandoned
    assert left[0][0] >= 60


def test_only_playing_can_be_asked_of_it(recorded):
    session, _, _ = recorded
    player, _ = player_of(session)
    heard = []
    player.subscribe(heard.append)
    for command in (Nudge("learning_rate", notches=1), Extend(99), Undo()):
        player.send(command)
    assert [type(fact) for fact in heard] == [Refused] * 3


def test_the_smallest_records_play():
    pin_blas()
    run = Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=1)))
    player, _ = player_of(record(run, Identity.new("empty"), 0.0, None))
    assert player.snapshot(View()).steps == 0
    player.seek(5)
    assert player.steps == 0
