"""Playing over an undo, a redo, and a best epoch that is not the last: what an ordinary session has not."""

from __future__ import annotations

import pytest

from pandatui.sessions.player import Player
from pandatui.sessions.recorder import Identity, record
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import GoOn, Nudge, Redo, Undo
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.snapshot import View, look

PER_SECOND = 10  # steps


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def lived():
    """Up to step 90, back to 60, on to 64, to 90 again by a redo; a bad end. And what the run looked like."""
    pin_blas()
    run = Run(*prepare(RunOptions(data="xor", hidden=(8,), epochs=12, batch_norm=False)))
    time, looks = 0.0, {}

    def go(steps):
        nonlocal time
        while run.steps < steps and run.ready:
            run.step(time)
            time += 1 / PER_SECOND
            looks[run.steps] = look(run, View())

    go(60)
    run.apply(Nudge("momentum", notches=-1), time)
    go(90)
    run.apply(Undo(), time)
    go(64)
    run.apply(Redo(), time)
    went_on = time
    go(110)
    run.apply(Nudge("learning_rate", to=60.0), time)
    go(10_000)
    return record(run, Identity.new("played"), time, run.evaluate()), looks, time - went_on


def test_after_a_redo_it_plays_from_where_the_redo_led(lived):
    session, _, since = lived
    clock = Clock()
    player = Player(session, clock=clock)
    player.start()
    clock.now = player.length - since + 0.01
    assert player.steps == 90
    seen = []
    for tenth in range(int(player.length * PER_SECOND) + 2):
        clock.now = tenth / PER_SECOND
        seen.append(player.steps)
    assert seen == sorted(seen)
    assert seen[-1] == session.steps


def test_every_step_can_be_gone_to(lived):
    session, _, _ = lived
    player = Player(session, clock=Clock())
    for step in range(session.steps + 1):
        player.seek(step)
        assert player.steps == step


def test_the_best_epoch_is_that_of_then(lived):
    session, looks, _ = lived
    player = Player(session, clock=Clock())
    bests = set()
    for step in range(110, session.steps):
        player.seek(step)
        shown = player.snapshot(View())
        assert (shown.best_epoch, shown.best_dev_cost) == (looks[step].best_epoch, looks[step].best_dev_cost)
        bests.add((shown.best_epoch, shown.epoch))
    assert any(best < epoch for best, epoch in bests)


def test_a_nudge_is_there_from_the_first_step_that_uses_it(lived):
    session, _, _ = lived
    player = Player(session, clock=Clock())
    player.seek(60)
    assert player.snapshot(View()).events == ()
    player.seek(61)
    assert 1 in [event.id for event in player.snapshot(View()).events]


def test_at_its_end_it_begins_anew(lived):
    session, _, _ = lived
    clock = Clock()
    player = Player(session, clock=clock)
    player.start()
    clock.now = player.length + 100.0
    assert player.standing
    player.send(GoOn())
    clock.now += 2.0
    assert player.seconds == pytest.approx(2.0)
    assert not player.standing
    player.seek(session.steps)
    player.send(GoOn())
    clock.now += 2.0
    assert player.seconds == pytest.approx(2.0)
