"""The study as the race screen sees it: the same ranking, cheap to read again, never in the race's way."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search.records import thinned
from pandatui.search.space import default_space
from pandatui.search.spec import Spec
from pandatui.search.study import Study
from pandatui.training.setup import RunOptions
from pandatui.tui.race_view import Clock, Reader, Seldom

STATUSES = ("finished", "diverged", "dropped", "stopped", "failed", "training", "waiting")


@pytest.fixture
def reader() -> Callable[[Study], Reader]:
    return lambda study: Reader(study, "race of brave-otter", math.log(2))


def test_a_study_that_has_not_begun(study: Callable[..., Study], reader: Callable[[Study], Reader]) -> None:
    view = reader(study()).read()
    assert (view.trials, view.best, view.ended, view.total, view.over) == ((), None, 0, 12, False)
    assert (view.boxes, view.proposed, view.rounds_planned, view.budget) == ((), None, 2, 6)
    assert view.knobs == ("learning_rate", "momentum", "decay", "l2")


@given(
    outcomes=st.lists(
        st.tuples(
            st.sampled_from(STATUSES),
            st.lists(st.floats(0.01, 3) | st.sampled_from([math.inf, math.nan]), max_size=6),
        ),
        min_size=8,
        max_size=8,
    )
)
def test_the_order_is_the_studys_ranking_then_who_trains_then_who_waits(
    outcomes: list[tuple[str, list[float]]],
) -> None:
    made = _begun(8)
    for trial, (status, costs) in zip(made.trials.values(), outcomes, strict=True):
        if status == "waiting":
            continue
        trial.dev = [(10 * e, cost, 0.5) for e, cost in enumerate(costs, 1)]
        trial.epochs = len(costs)
        trial.status = status
    view = Reader(made, "x", 1.0).read()
    order = [view.trials[place].number for place in view.order]
    ranked = [trial.number for trial in made.ranking()]
    assert order[: len(ranked)] == ranked
    rest = [made.trials[number] for number in order[len(ranked) :]]
    assert [trial.status for trial in rest] == sorted(trial.status for trial in rest)  # training, waiting
    assert (view.best.number if view.best else None) == (made.best.number if made.best else None)


def _begun(trials: int) -> Study:
    spec = Spec(run=RunOptions(data="xor", epochs=6), trials=trials, rounds=1)
    made = Study(spec, spec.settled(), default_space(spec.settled()))
    made.begin_round()
    return made


def test_only_what_changed_is_read_again(
    study: Callable[..., Study], ended: Callable[..., None], reader: Callable[[Study], Reader]
) -> None:
    made = study()
    made.begin_round()
    eyes = reader(made)
    first = eyes.read()
    assert eyes.read() is first
    ended(made.trials[3], [0.5, 0.4], "training")
    second = eyes.read()
    assert second.version != first.version
    assert [a is b for a, b in zip(first.trials, second.trials, strict=True)] == [
        number != 3 for number in range(1, 7)
    ]
    assert (second.trials[2].epochs, second.trials[2].dev_cost, first.trials[2].epochs) == (2, 0.4, 0)
    ended(made.trials[3], [0.5, 0.4, 0.3])
    assert (eyes.read().ended, first.ended) == (1, 0)
    made.trials[3].dev.append((40, 0.1, 0.9))  # an ended trial does not change, and is not looked at
    assert eyes.read().trials[2].dev_cost == 0.3


def test_places_are_those_of_the_first_space_and_epochs_those_of_thinned_points(
    study: Callable[..., Study], ended: Callable[..., None], reader: Callable[[Study], Reader]
) -> None:
    made = study(epochs=200)
    made.begin_round()
    ended(made.trials[1], [1 / e for e in range(1, 201)], steps=22)
    made.trials[1].dev = thinned(made.trials[1].dev, 64)
    view = reader(made).read()
    entry = view.trials[0]
    assert len(entry.costs) == len(made.trials[1].dev) <= 64
    np.testing.assert_allclose(entry.costs, 1 / entry.at)
    for row, knob in enumerate(view.knobs):
        assert view.places[0, row] == made.space[knob].unit(made.trials[1].values[knob])


def test_the_next_box_is_the_studys_until_a_person_has_another(
    study: Callable[..., Study], ended: Callable[..., None], reader: Callable[[Study], Reader]
) -> None:
    made = study()
    made.begin_round()
    for number, trial in made.trials.items():
        ended(trial, [0.1 * number])
    eyes = reader(made)
    view = eyes.read()
    assert view.proposed == made.proposed() != made.space
    assert eyes.read(next_box=made.space).proposed == made.space
    assert eyes.read().proposed == made.proposed()


def test_a_busy_race_is_not_waited_for(study: Callable[..., Study]) -> None:
    made, lock = study(), threading.RLock()
    eyes = Reader(made, "x", 1.0, lock=lock)
    before = eyes.read()
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            made.begin_round()
            held.set()
            let_go.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(30)
    assert eyes.read(Clock(True, problem="full")).trials == before.trials
    assert eyes.view.clock.problem == "full"  # what needs no lock is told at once
    let_go.set()
    other.join()
    assert len(eyes.read().trials) == 6


def test_what_is_slow_is_done_seldom() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert seldom.due("a")
    now[0] = 1.0
    seldom.done("a", 0.0)  # it took a second
    assert not seldom.due("a")
    assert not seldom.due("b")
    now[0] = 20.9
    assert not seldom.due("b")
    now[0] = 21.0
    assert seldom.due("b")
    assert not seldom.due("a")


def test_rounds_and_trials_are_counted_with_those_to_come(
    study: Callable[..., Study], ended: Callable[..., None], reader: Callable[[Study], Any]
) -> None:
    made = study()
    eyes = reader(made)
    made.begin_round()
    for trial in made.trials.values():
        ended(trial, [0.5])
    made.begin_round()
    view = eyes.read()
    assert (len(view.boxes), view.rounds_planned, view.ended, view.standing, view.total) == (2, 2, 6, 6, 12)
    assert view.rounds.tolist() == [1] * 6 + [2] * 6
    for trial in made.standing():
        ended(trial, [0.4])
    assert eyes.read().over
    made.more_rounds()
    view = eyes.read()
    assert (view.over, view.rounds_planned, view.total) == (False, 3, 18)
