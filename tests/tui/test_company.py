"""Ghosts and twins as curves and in words, from snapshots of real runs that have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pandatui.training import Run
from pandatui.training.companions import GHOST, LEFT_ALONE, Companions
from pandatui.training.effect import Effect
from pandatui.training.events import Nudge, Undo
from pandatui.training.snapshot import Snapshot, View, look
from pandatui.tui.charting import Look, chart_of
from pandatui.tui.company import (
    band_of,
    best_left_alone,
    ghost_words,
    gone_words,
    left_alone_words,
    nudge_names,
    traces_of,
    twins_words,
)
from pandatui.tui.lesson import lesson_line
from pandatui.tui.wording import plot_foot

NUDGES = {7: ("learning_rate", 0.4), 23: ("batch_size", 8.0)}  # the second halves the steps of an epoch


@pytest.fixture
def run(new_run: Callable[..., Run], dataset: Callable[..., Any]) -> Run:
    """80 steps of 13, later 7 an epoch."""
    run = new_run(dataset(50), epochs=99)
    while run.steps < 80:
        if run.steps + 1 in NUDGES:
            knob, value = NUDGES[run.steps + 1]
            run.apply(Nudge(knob, to=value))
        run.step()
    return run


def seen(run: Run, companions: Companions, **changes: Any) -> Snapshot:
    while companions.attend(run, full_pace=False):
        pass
    return replace(look(run, View()), companions=companions.look(run, 240), **changes)


def test_the_names_of_gestures() -> None:
    assert nudge_names([2]) == "nudge 2"
    assert nudge_names([1, 2, 3]) == "nudges 1–3"
    assert nudge_names([1, 3]) == "nudges 1, 3"


def test_without_companions_nothing_is_said_or_drawn(run: Run) -> None:
    s = look(run, View())
    assert (ghost_words(s), twins_words(s), left_alone_words(s), gone_words(s)) == ("", "", "", "")
    assert (traces_of(s), band_of(s), best_left_alone(s)) == ((), None, None)
    assert plot_foot(s).startswith("best dev")


def test_a_ghost_lies_at_the_runs_steps_of_equal_epochs(run: Run) -> None:
    """Its batches are half as large from step 23 on; its dev points stand above the run's all the same."""
    companions = Companions()
    companions.ghost(run, frozenset({2}))
    s = seen(run, companions)
    (trace,) = traces_of(s)
    ghost = s.companions[0]
    assert not np.array_equal(ghost.dev_steps, s.curve.dev_steps[-len(ghost.dev_steps) :])
    ends = dict(zip(s.curve.dev_epochs, s.curve.dev_steps, strict=True))
    wanted = [ends[epoch] for epoch in ghost.dev_epochs if epoch in ends]
    assert trace.name == "without 2"
    assert trace.points
    assert trace.steps[0] == 13  # the last that both have
    assert trace.costs[0] == s.curve.dev_costs[0]
    assert trace.steps[1:] == pytest.approx(wanted)
    assert trace.costs[1:] == pytest.approx(ghost.dev_costs[: len(wanted), 0])
    assert chart_of(s, Look()).ghosts[0].name == "without 2"


def test_left_alone_is_read_at_the_last_epoch_that_both_have(run: Run) -> None:
    companions = Companions()
    companions.ghost(run, None, asked=False)
    s = seen(run, companions)
    alone = s.companions[0]
    assert alone.kind == LEFT_ALONE
    theirs = dict(zip(alone.dev_epochs, alone.dev_costs[:, 0], strict=True))[s.epoch]
    assert left_alone_words(s) == f"you {s.dev_cost:.2f} · left alone {theirs:.2f}"
    assert plot_foot(s) == f"{left_alone_words(s)} · now {s.dev_accuracy:.1%} right"
    both = [*alone.dev_costs[alone.dev_epochs <= s.epoch, 0], *s.curve.dev_costs[s.curve.dev_steps <= 6]]
    assert best_left_alone(s) == min(both)
    end = lesson_line(replace(s, status="finished"))
    assert end == f"You: {s.best_dev_cost:.2f}. Left alone: {min(both):.2f}. Try: pandatui --data digits"
    assert ghost_words(s) == ""  # nobody asked


def test_left_alone_says_nothing_of_a_run_without_nudges_or_far_ahead(run: Run) -> None:
    companions = Companions()
    companions.ghost(run, None)
    behind = replace(look(run, View()), companions=companions.look(run, 240))
    assert left_alone_words(behind) == "left alone: catching up, epoch 0"
    assert best_left_alone(behind) is None
    assert ghost_words(behind) == f"without nudges 1–2: catching up, epoch 0 of {run.epoch}"
    run.apply(Undo())
    run.apply(Undo())
    companions.went_back(run)
    s = seen(run, companions)
    assert not s.gestures or all(g.undone for g in s.gestures)
    assert (left_alone_words(s), traces_of(s)) == ("", ())


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (None, "without nudge 2: drawn dim; after three epochs there is something to say"),
        (
            Effect(20, 500, -0.0123, 0.002, "growing"),
            "nudge 2: dev cost −0.012 at epoch 20, 500 steps later, and growing",
        ),
        (Effect(20, 1, 0.5, 0.1, "steady"), "nudge 2: dev cost +0.5 at epoch 20, 1 step later, and steady"),
        (
            Effect(20, 500, -0.01, 0.02, "steady"),
            "nudge 2: dev cost −0.01 at epoch 20, 500 steps later: within noise",
        ),
    ],
)
def test_the_verdict(run: Run, effect: Effect | None, words: str) -> None:
    companions = Companions()
    companions.ghost(run, frozenset({2}))
    s = seen(run, companions)
    ghost = replace(s.companions[0], effect=effect)
    assert ghost_words(replace(s, companions=(ghost,))) == words


def test_a_verdict_against_twins_names_them(run: Run) -> None:
    companions = Companions()
    companions.ghost(run, frozenset({2}))
    companions.twins(run, from_start=True)
    s = seen(run, companions)
    ghost, twins = s.companions
    at = int(twins.dev_epochs[-1])
    within = replace(ghost, effect=Effect(at, 57, -0.01, 0.5, "steady"))
    assert ghost_words(replace(s, companions=(within, twins))).endswith("within the spread of seeds")
    assert gone_words(s) == " · the ghost and the twins are gone"


def test_a_ghost_that_diverged_says_so(run: Run) -> None:
    companions = Companions()
    companions.ghost(run, frozenset({2}))
    s = seen(run, companions)
    gone = replace(s.companions[0], diverged=True)
    assert (
        ghost_words(replace(s, companions=(gone,)))
        == f"without nudge 2 it diverged at step {gone.steps_done}"
    )


def test_the_band_of_twins_and_where_the_run_lies_in_it(run: Run) -> None:
    companions = Companions()
    companions.twins(run, from_start=True)
    s = seen(run, companions)
    band, twins = band_of(s), s.companions[0]
    assert band is not None
    assert band.name == "5 seeds"
    costs = twins.dev_costs[: len(band.steps)]
    assert np.array_equal(band.low, costs.min(axis=1))
    assert np.array_equal(band.high, costs.max(axis=1))
    assert band.above - band.below == pytest.approx(2 * costs.std(axis=1, ddof=1))
    assert (band.steps <= s.steps).all()
    low, high = costs[-1].min(), costs[-1].max()
    for ours, place in ((low / 2, "below them all"), (high * 2, "above them all"), (low, "among them")):
        said = twins_words(replace(s, dev_cost=float(ours)))
        assert said.startswith(f"5 seeds at epoch {s.epoch}: dev {costs[-1].mean():.2f} ± ")
        assert said.endswith(place)
    cut = replace(twins, diverged=True, steps_done=40)
    assert (
        twins_words(replace(s, companions=(cut,))) == "5 seeds: one diverged at step 40, there the band ends"
    )
    late = replace(twins, place=1.0)
    assert twins_words(replace(s, companions=(late,))) == f"5 seeds catch up: epoch 1 of {s.epoch}"


def test_of_both_ghosts_each_has_its_line(run: Run) -> None:
    companions = Companions()
    companions.ghost(run, None, asked=False)
    companions.ghost(run, frozenset({2}))
    s = seen(run, companions)
    assert [trace.name for trace in traces_of(s)] == ["left alone", "without 2"]
    assert {each.kind for each in s.companions} == {LEFT_ALONE, GHOST}
