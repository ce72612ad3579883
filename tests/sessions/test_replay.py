"""Sessions trained again: identical or not, ghosts against runs that never had the nudge."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest

from pandatui.report_replay import verdict_text
from pandatui.sessions.ghosts import check_gestures, ghost_session, train_ghost, worth
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.replay import Verdict, rerun, ulps, verify
from pandatui.sessions.schema import decode, encode
from pandatui.training import PlannedNudge, Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Extend, Note, Nudge, Pause, Redo, Rewind, Undo
from pandatui.training.setup import RunOptions, prepare

ME = Identity("brave-otter", "0b8e0d5e-0000-4000-8000-000000000000", "2026-01-02T03:04:05+00:00")


@pytest.fixture(autouse=True)
def _one_thread():
    pin_blas()


def steps(run, count):
    for _ in range(count):
        run.step()


def finished(run):
    while run.ready:
        run.step()
    return session_of(run)


def session_of(run):
    session, whole = decode(encode(record(run, ME, 9.0, run.evaluate())))
    assert whole
    return session


def checked(session, dataset) -> Verdict:
    return verify(session, rerun(session, dataset))


def nudged(run, *commands):
    """Five steps before each command, and the run to its end."""
    for command in commands:
        steps(run, 5)
        run.apply(command, float(run.steps))
    return run


UNDO_AND_REDO = [
    Nudge("learning_rate", notches=3),
    Nudge("momentum", to=0.5),
    Undo(),
    Redo(),
    Undo(),
    Nudge("l2", to=0.01),
    Note("x"),
    Rewind(12),
    Nudge("batch_size", to=7),
]


def test_a_session_with_undo_redo_and_rewind_is_identical(new_run, dataset):
    session = finished(nudged(new_run(epochs=12), *UNDO_AND_REDO))
    verdict = checked(session, dataset())
    assert verdict.identical
    assert verdict.first is verdict.block is None


def test_one_that_diverged_diverges_again(new_run, dataset):
    run = nudged(new_run(epochs=12, batch_norm=False), Nudge("learning_rate", to=100.0))
    session = finished(run)
    assert session.status == "diverged"
    assert checked(session, dataset()).identical


def test_an_edited_nudge_is_found_at_the_first_step_that_it_bears_on(new_run, dataset):
    session = finished(nudged(new_run(epochs=12), Nudge("learning_rate", to=0.2)))
    session.events[0].after = 0.21
    verdict = checked(session, dataset())
    assert not verdict.identical
    assert verdict.same_environment
    assert verdict.block == (1, session.steps)
    assert verdict.first is not None
    assert verdict.first.step == 7  # the nudge is in use at 6; its cost is that before the update
    assert verdict.first.recorded == session.curves.train.first[6]
    assert verdict.first.ulps == ulps(verdict.first.recorded, verdict.first.found, "float32") > 0


def test_one_that_was_killed_has_no_weights_to_compare(new_run, dataset):
    session = finished(new_run())
    session.result.weights_sha256 = "0" * 64
    assert checked(session, dataset()).identical
    assert "its weights are on none" in verdict_text(session, checked(session, dataset()), "x")


def test_another_environment_is_named(new_run, dataset):
    session = finished(new_run())
    session.environment["kernel"] = "Other"
    verdict = checked(session, dataset())
    assert verdict.identical
    assert [(name, old) for name, old, _ in verdict.environment] == [("kernel", "Other")]


@pytest.mark.parametrize(
    ("a", "b", "dtype", "apart"),
    [
        (1.0, np.nextafter(1.0, 2.0), "float64", 1),
        (1.0, float(np.nextafter(np.float32(1.0), np.float32(2.0))), "float32", 1),
        (-5e-324, 5e-324, "float64", 2),
        (0.0, -0.0, "float64", 0),
        (math.nan, 1.0, "float64", -1),
    ],
)
def test_ulps(a, b, dtype, apart):
    assert ulps(float(a), float(b), dtype) == apart


# -- ghosts --------------------------------------------------------------------------------------------------


def test_the_ghost_of_all_nudges_is_the_run_that_never_had_any(new_run, dataset):
    session = finished(nudged(new_run(epochs=12), *UNDO_AND_REDO))
    plain = finished(new_run(epochs=12))
    numbers = check_gestures(session, ["all"])
    ghost = train_ghost(session, dataset(), without=numbers)
    assert ghost.weights_sha256() == plain.result.weights_sha256  # other batch sizes, as many epochs
    branch = ghost_session(session, ghost, ME, without=numbers)
    assert (branch.status, branch.epochs, branch.steps) == ("finished", 12, plain.steps)
    assert branch.result.costs_sha256 == plain.result.costs_sha256


@pytest.mark.parametrize("left_out", [1, 2, 3])
def test_the_ghost_of_one_nudge_verifies_itself(new_run, dataset, left_out):
    commands = [Nudge("learning_rate", notches=3), Nudge("batch_size", to=8), Nudge("decay", to=0.1)]
    session = finished(nudged(new_run(epochs=9), *commands))
    ghost = train_ghost(session, dataset(), without={left_out})
    never = finished(ghost_of_commands(new_run(epochs=9), commands, left_out))
    branch, whole = decode(encode(ghost_session(session, ghost, ME, without={left_out})))
    assert whole
    assert branch.result == never.result
    assert [asdict_of(e) for e in branch.events] == [asdict_of(e) for e in never.events]
    assert checked(branch, dataset()).identical
    assert branch.parent is not None
    assert (branch.parent.name, branch.parent.step) == ("brave-otter", 5 * left_out)


def asdict_of(event):
    return event.id, event.step, event.knob, event.before, event.after, event.nudge


def ghost_of_commands(run, commands, left_out):
    for i, command in enumerate(commands, start=1):
        steps(run, 5)
        if i != left_out:
            run.apply(command)
    return run


def test_a_nudge_after_one_that_is_left_out_starts_from_what_it_finds(new_run, dataset):
    run = nudged(new_run(epochs=9, decay=0.1), Nudge("learning_rate", to=0.3), Nudge("learning_rate", to=0.5))
    session = finished(run)
    branch = ghost_session(session, train_ghost(session, dataset(), without={1}), ME, without={1})
    never = new_run(epochs=9, decay=0.1)
    steps(never, 10)
    never.apply(Nudge("learning_rate", to=0.5))
    assert branch.events[0].before == never.events[0].before
    assert branch.events[0].nudge == 1


def test_until_is_the_session_as_far_as_that_step(new_run, dataset):
    session = finished(nudged(new_run(epochs=12), *UNDO_AND_REDO))
    for step in (1, 4, 5, 6, 20, session.steps):
        ghost = train_ghost(session, dataset(), until=step)
        assert ghost.steps == step
        branch = ghost_session(session, ghost, ME)
        assert branch.curves.train.first == session.curves.train.first[:step]
        assert checked(branch, dataset()).identical


def test_until_goes_no_further_for_an_event_that_was_undone_by_a_redo(new_run, dataset):
    """A note of the stretch that a redo left has a later id and an earlier step than what came back."""
    run = new_run(epochs=12)
    steps(run, 30)
    run.apply(Nudge("momentum", to=0.8))
    steps(run, 2)
    run.apply(Rewind(20))
    run.apply(Note("here"))
    run.apply(Redo())
    session = finished(run)
    assert rerun(session, dataset(), until=25).steps == 25
    assert checked(session, dataset()).identical


def test_a_planned_nudge_that_is_left_out_is_planned_no_more(new_run, dataset):
    plan = (PlannedNudge(6, "momentum", to=0.5), PlannedNudge(9, "learning_rate", times=2.0))
    session = finished(new_run(plan=plan))
    ghost = train_ghost(session, dataset(), without={1}, until=4)
    branch = ghost_session(session, ghost, ME, without={1})
    assert [each["knob"] for each in branch.config["plan"]] == ["learning_rate"]


def test_a_session_that_was_extended_and_paused(new_run, dataset):
    run = new_run(epochs=2)
    nudged(run, Nudge("learning_rate", to=0.2), Pause())
    run.paused = False
    while run.ready:
        run.step()
    run.apply(Extend(5))
    session = finished(run)
    assert checked(session, dataset()).identical
    branch = ghost_session(session, train_ghost(session, dataset(), without={1}), ME, without={1})
    assert (branch.epochs, branch.status) == (5, "finished")
    assert checked(branch, dataset()).identical


def test_the_ghost_of_a_divergence(new_run, dataset):
    run = nudged(new_run(epochs=12, batch_norm=False), Note("a"), Nudge("learning_rate", to=100.0))
    session = finished(run)
    ghost = train_ghost(session, dataset(), without={1})
    branch = ghost_session(session, ghost, ME, without={1})
    assert branch.status == "stopped"
    assert [e.kind for e in branch.events] == ["note"]
    assert checked(branch, dataset()).identical


def test_what_nudges_were_worth(new_run, dataset):
    session = finished(nudged(new_run(epochs=6), Nudge("learning_rate", to=0.2), Nudge("l2", to=0.1)))
    plain = finished(new_run(epochs=6))
    found = worth(session, train_ghost(session, dataset(), without={1, 2}), {1, 2})
    assert found.epoch == 6
    assert found.with_them == session.curves.dev_cost.first[5]
    assert found.without_them == plain.curves.dev_cost.first[5]
    assert found.lowered == found.without_them - found.with_them
    assert [g.number for g in found.gestures] == [1, 2]
    early = worth(session, train_ghost(session, dataset(), without={1}, until=4), {1})
    assert early.epoch == 0
    assert math.isnan(early.lowered)


def test_gestures_that_can_be_named(new_run):
    session = finished(nudged(new_run(epochs=12), *UNDO_AND_REDO))
    assert check_gestures(session, ["all"]) == {1, 4}
    assert check_gestures(session, ["4", "1"]) == {1, 4}
    for wrong in ("2", "3", "0", "-1", "x", "²", "9" * 5000, ""):
        with pytest.raises(ValueError, match="expected one that stands"):
            check_gestures(session, [wrong])


def test_progress_is_told(new_run, dataset):
    session = finished(new_run(epochs=60))
    told = []
    rerun(session, dataset(), progress=lambda done, of: told.append((done, of)))
    assert told == [(256, session.steps)]
    assert asdict(checked(session, dataset()))["identical"]


def test_trained_again_its_states_know_the_nudges_behind_them():
    """Else going back would apply a nudge once more, later, where decay has moved the rate since."""
    run = Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=40, decay=0.5)))
    for step, knob in ((20, "learning_rate"), (90, "momentum")):
        while run.steps < step:
            run.step()
        run.apply(Nudge(knob, notches=2))
    while run.ready:
        run.step()
    again = rerun(record(run, Identity.new("one"), 1.0, None), run.dataset)
    assert {s.steps: s.last_event for s in again.timeline.states()} == {
        s.steps: 0 if s.steps < 20 else 1 if s.steps < 90 else 2 for s in again.timeline.states()
    }
    for each in (run, again):
        each.apply(Rewind(200))
    assert again.knobs == run.knobs
    assert again.weights_sha256() == run.weights_sha256()
