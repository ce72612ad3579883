"""Snapshot → chart, session → chart: the two agree at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.sessions.player import Recording
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import decode, encode
from pandatui.training import Run
from pandatui.training.events import Nudge
from pandatui.training.snapshot import View, look
from pandatui.tui.charting import Look, axis_end, chart_of, chart_of_session

WHO = Identity("made-run", "0", "2026-11-21T10:00:00+00:00")


@given(st.integers(1, 500), st.integers(1, 300))
def test_the_axis_never_shrinks_and_ends_little_beyond_the_present(per_epoch: int, target: int) -> None:
    ends = [
        axis_end(step, per_epoch, target) for step in range(0, per_epoch * target + 1, max(1, per_epoch // 2))
    ]
    assert all(a <= b for a, b in pairwise(ends))
    assert len(set(ends)) <= 24
    for i, end in enumerate(ends):
        step = i * max(1, per_epoch // 2)
        assert end >= step
        assert end <= max(5 * per_epoch, 2 * 1.25 * step, 2.5 * step, per_epoch * target * 1.25) + 1e-9


def test_the_axis_of_an_extended_run_reaches_its_new_end() -> None:
    assert axis_end(600, 10, 120) < 10 * 120
    assert axis_end(1200, 10, 120) == 10 * 120 * 1.25


def played(run: Run) -> Run:
    """A run with decay, nudged in many ways, in and between epochs."""
    plan = {3: Nudge("learning_rate", notches=5), 9: Nudge("decay", to=0.3), 10: Nudge("momentum", notches=1)}
    plan |= {17: Nudge("learning_rate", times=0.5), 31: Nudge("decay", notches=-1), 32: Nudge("decay", to=0)}
    while run.status == "running":
        if (nudge := plan.get(run.steps + 1)) is not None:
            run.apply(nudge, 0.1)
        run.step(0.1)
    return run


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_record_draws_what_the_live_run_drew(
    new_run: Callable[..., Run], dataset: Callable[..., Any], decay: float
) -> None:
    run = played(new_run(dataset(61), epochs=5, decay=decay))
    live = chart_of(look(run, View(1, None, 10_000)), Look())
    session, whole = decode(encode(record(run, WHO, 1.0, None)))
    assert whole
    kept = chart_of_session(session, Look())
    for name in ("steps", "low", "mean", "high"):
        np.testing.assert_array_equal(getattr(kept.train, name), getattr(live.train, name))
    for name in ("dev_steps", "dev_costs", "epoch_steps"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(live, name))
    assert (kept.last, kept.guessing, kept.steps_per_epoch) == (
        live.last,
        live.guessing,
        live.steps_per_epoch,
    )
    assert [vars_of(m) for m in kept.marks] == [vars_of(m) for m in live.marks]
    np.testing.assert_array_equal(kept.rate_steps, live.rate_steps)
    np.testing.assert_allclose(kept.rates, live.rates, rtol=1e-11)


def vars_of(mark: Any) -> tuple[int, int, str]:
    return mark.step, mark.number, mark.text


def test_undone_nudges_are_neither_marked_nor_in_the_rate(
    new_run: Callable[..., Run], dataset: Callable[..., Any]
) -> None:
    run = played(new_run(dataset(61), epochs=5))
    session, _ = decode(encode(record(run, WHO, 1.0, None)))
    for event in session.events:
        event.undone_by = 99
    chart = chart_of_session(session, Look())
    assert chart.marks == ()
    recording = Recording.of(session)
    steps, rates = recording.rate_steps, recording.rates
    assert list(steps) == [1]
    assert list(rates) == [0.1]


def test_before_the_first_epoch_the_axis_counts_epochs_as_the_data_have_them(
    new_run: Callable[..., Run], dataset: Callable[..., Any]
) -> None:
    run = new_run(dataset(60), epochs=5)
    run.step()
    chart = chart_of_session(record(run, WHO, 1.0, None), Look())
    assert chart.steps_per_epoch == 15
