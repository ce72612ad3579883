"""Nothing is final: undo, redo and rewind against a second run that never went there, bit for bit."""

import random
from itertools import pairwise

import pytest

from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import GoOn, Nudge, Pause, Recorded, Redo, Refused, Rescue, Rewind, Undo
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.timeline import Timeline


@pytest.fixture(autouse=True)
def _one_blas_thread():
    pin_blas()


def run(**options):
    return Run(*prepare(RunOptions(**({"data": "xor", "hidden": (8, 4), "epochs": 200} | options))))


def go(a_run, steps):
    while a_run.steps < steps and a_run.ready:
        a_run.step()


def all_of(a_run):
    """Everything that a person or a file sees of the live path."""
    h = a_run.history
    return (
        a_run.steps,
        a_run.weights_sha256(),
        h.costs_sha256(),
        h.best,
        [series.last(10_000).tolist() for series in (h.dev_step, h.dev_cost, h.dev_accuracy)],
        [each.tolist() for each in a_run.rates.arrays()],
        dict(a_run.knobs),
        a_run.status,
    )


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "rmsprop", "sgd"])
def test_undone_is_the_run_that_never_had_it_and_redone_the_one_that_had(optimizer):
    chance = random.Random(optimizer)
    one = run(optimizer=optimizer, decay=0.01)
    other = Run(one.config, one.dataset)
    for _ in range(20):
        go(one, one.steps + chance.randrange(1, 90))
        go(other, one.steps)
        before = all_of(one)
        assert all_of(other) == before
        nudge = Nudge(
            chance.choice(["learning_rate", "decay", "l2", "batch_size"]), notches=chance.choice([-2, 2])
        )
        if not isinstance(one.apply(nudge)[0], Recorded):
            continue
        go(one, one.steps + chance.randrange(0, 60))
        had_it = all_of(one)
        one.apply(Undo())
        assert all_of(one) == before
        go(one, one.steps + chance.randrange(0, 30))
        if chance.random() < 0.5:
            one.apply(Redo())
            assert all_of(one) == had_it
            other.apply(nudge)
        go(other, one.steps)
        assert all_of(other) == all_of(one)


def test_rewinding_anywhere_and_taking_it_back():
    chance = random.Random(1)
    one = run()
    seen = {0: all_of(one)}
    while one.steps < 600:
        if one.steps % 97 == 50:
            one.apply(Nudge("learning_rate", notches=chance.choice([-1, 1])))
        one.step()
        seen[one.steps] = all_of(one)
    for _ in range(20):
        steps, end = chance.randrange(0, one.steps), all_of(one)
        one.apply(Rewind(steps))
        assert all_of(one)[:3] == seen[steps][:3]
        one.apply(Redo())
        assert all_of(one) == end


def test_the_record_keeps_what_was_left():
    one = run()
    go(one, 10)
    one.apply(Nudge("learning_rate", notches=1))
    go(one, 20)
    one.apply(Nudge("momentum", notches=1))
    go(one, 30)
    one.apply(Undo())
    assert one.steps == 20
    assert [(e.kind, e.step, e.back_to, e.undone_by) for e in one.events] == [
        ("nudge", 11, None, None),
        ("nudge", 21, None, 3),
        ("undo", 31, 20, None),
    ]
    one.apply(Redo())
    assert one.steps == 30
    assert [e.undone_by for e in one.events] == [None, None, None, None]
    one.apply(Undo())
    one.apply(Undo())
    assert one.steps == 10
    one.apply(Nudge("decay", to=0.1))  # a nudge ends what could be taken back
    assert isinstance(one.apply(Redo())[0], Refused)
    assert one.events[-1].nudge == 3  # numbers are never used again
    assert [stretch.event for stretch in one.timeline.abandoned] == [3, 5, 6]


def test_a_planned_nudge_is_spent_by_undo_and_pending_again_after_a_rewind():
    from pandatui.training import PlannedNudge

    one = run(plan=(PlannedNudge(10, "learning_rate", to=0.5),))
    go(one, 20)
    one.apply(Undo())
    assert one.steps == 9
    go(one, 20)
    assert one.knobs["learning_rate"] == one.config.learning_rate
    one.apply(Redo())
    assert one.knobs["learning_rate"] == 0.5
    one.apply(Rewind(5))
    go(one, 20)
    assert one.knobs["learning_rate"] == 0.5


def test_nothing_to_go_back_to_is_said():
    one = run()
    go(one, 5)
    for command in (Undo(), Redo(), Rewind(5), Rewind(-1), Rescue()):
        assert isinstance(one.apply(command)[0], Refused)
    assert one.steps == 5
    assert not one.events


def test_after_divergence_back_to_the_last_good_state_with_half_the_rate():
    one = run(batch_norm=False, optimizer="sgd", epochs=2000)
    go(one, 200)
    one.apply(Nudge("learning_rate", to=100))
    go(one, 10_000)
    assert one.status == "diverged"
    at = one.steps
    one.apply(Rescue())
    assert one.status == "running"
    assert one.steps <= at
    assert one.ready
    go(one, one.steps + 1)
    one.apply(Rewind(100))
    assert one.knobs["learning_rate"] == one.config.learning_rate


def test_states_stay_few_and_within_reach(monkeypatch):
    one = run(epochs=2000)
    go(one, 5000)
    kept = [each for each in one.timeline._kept if each.why == "stride"]
    assert len(kept) <= 64
    gaps = [b.state.steps - a.state.steps for a, b in pairwise(kept)]
    assert set(gaps) == {one.timeline._stride}
    tight = Timeline(one.state())
    tight._room = 3
    for _ in range(300):
        one.step()
        tight.passed(one)
    assert len(tight._kept) <= 3


def test_the_best_and_the_pauses_are_within_reach_and_the_best_stays_over_the_limit():
    one = run(epochs=2000)
    go(one, 1000)
    one.apply(Pause())
    one.apply(GoOn())
    go(one, 1500)
    per_epoch = one.batches.steps_per_epoch(one.config.batch_size)
    steps = {state.steps for state in one.timeline.states()}
    assert {1000, one.history.best[0] * per_epoch} <= steps
    one.timeline._room = 2
    go(one, 2500)
    assert len(one.timeline._kept) <= 3
    assert one.history.best[0] * per_epoch in {state.steps for state in one.timeline.states()}


def test_what_was_within_reach_is_so_again_after_a_redo():
    """Going back and forth does not make the next way back longer."""
    one = run(epochs=2000)
    for steps in (300, 700, 1400):
        go(one, steps)
        one.apply(Nudge("momentum", notches=-1))
    go(one, 3000)
    reach = [(kept.state.steps, kept.state.last_event, kept.why) for kept in one.timeline.kept]
    for back in (Rewind(2999), Rewind(1000), Undo(), Rewind(0)):
        one.apply(back)
        go(one, one.steps + 40)
        one.apply(Redo())
        assert [(k.state.steps, k.state.last_event, k.why) for k in one.timeline.kept] == reach
    one.apply(Rewind(1000))
    one.apply(Undo())
    for _ in range(2):
        one.apply(Redo())
    assert [(k.state.steps, k.state.last_event, k.why) for k in one.timeline.kept] == reach
    for _ in range(3):
        one.apply(Undo())
    assert one.timeline._aside
    one.apply(Nudge("l2", to=0.1))  # what was left can't be brought back any more
    one.apply(Nudge("decay", to=0.1))
    assert not one.timeline._aside


def test_states_aside_have_the_room_that_the_live_path_leaves():
    one = run(epochs=2000)
    one.timeline._room = 12
    for _ in range(30):
        go(one, one.steps + 150)
        one.apply(Rewind(one.steps - 100))
        aside = sum(map(len, one.timeline._aside.values()))
        assert aside + len(one.timeline._kept) <= 13
    before = all_of(one)
    one.apply(Redo())
    one.apply(Rewind(one.steps - 100))
    assert all_of(one) == before


def test_gone_back_from_a_divergence_it_waits_for_a_hand(new_run):
    run = new_run(learning_rate=90.0, epochs=60)
    while run.ready:
        run.step()
    assert run.status == "diverged"
    facts = run.apply(Rewind(20))
    assert [fact.event.kind for fact in facts] == ["rewind", "pause"]
    assert (run.status, run.paused, run.ready, run.steps) == ("running", True, False, 20)
    run.apply(Nudge("learning_rate", to=0.01))
    run.apply(GoOn())
    assert run.ready
