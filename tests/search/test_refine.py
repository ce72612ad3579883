"""Coarse to fine: what the next round's box is, and what it is always."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension, Space
from pandatui.search.dimension import position
from pandatui.search.refine import best_of, narrow
from pandatui.search.sampling import draw
from pandatui.search.space import wide_space
from pandatui.training import RunConfig

FIRST = wide_space(RunConfig("digits"), 1_000)
ALPHA = Space((Dimension("learning_rate", "log", 1e-4, 1),))


def rates(*pairs):
    return [({"learning_rate": rate}, cost) for rate, cost in pairs]


def test_worked_by_hand():
    """The best quarter of 8 is 2: rates 0.01 and 0.02; a notch of α is 10^0.1."""
    tried = rates(
        (0.5, 9), (0.01, 1), (0.001, 8), (0.02, 2), (0.1, 3), (0.2, math.inf), (0.3, 4), (0.04, 2.5)
    )
    box = narrow(ALPHA, ALPHA, tried)
    assert box["learning_rate"].low == pytest.approx(0.01 / 10**0.1)
    assert box["learning_rate"].high == pytest.approx(0.02 * 10**0.1)


@pytest.mark.parametrize(
    ("dimension", "values", "expected"),
    [
        (Dimension("momentum", "log1m", 0.9, 0.999), (0.98, 0.99), (1 - 0.02 * 10**0.1, 1 - 0.01 / 10**0.1)),
        (Dimension("decay", "log", 1e-3, 1), (0.01, 0.1), (0.01 / 10**0.3, 0.1 * 10**0.3)),
        (Dimension("decay", "log", 1e-3, 1), (1e-3, 1), (1e-3, 1)),
        (Dimension("l2", "linear", 0, 1), (0.2, 0.4), (0.15, 0.45)),
        (Dimension("l2", "linear", 0, 1), (0.0, 0.0), (0, 0.05)),
        (Dimension("layers", "int", 1, 4), (2, 2), (1, 3)),
        (Dimension("layers", "int", 1, 4), (4, 4), (3, 4)),
        (Dimension("units", "int", 16, 116), (50, 60), (45, 65)),
    ],
)
def test_a_range_is_a_notch_wider_than_the_best_and_inside_the_first(dimension, values, expected):
    first = Space((dimension,))
    results = [({dimension.knob: value}, 1.0) for value in values]
    box = narrow(first, first, results)
    assert (box[dimension.knob].low, box[dimension.knob].high) == pytest.approx(expected)


def test_choices_that_did_not_survive_drop_out():
    first = Space((Dimension("activation", "choice", choices=("relu", "leaky_relu", "tanh", "sigmoid")),))
    words = ("sigmoid", "tanh", "relu", "sigmoid", "tanh", "sigmoid", "relu", "leaky_relu")
    results = [
        ({"activation": word}, cost) for word, cost in zip(words, (4, 1, 2, 5, 6, 7, 8, 9), strict=True)
    ]
    assert narrow(first, first, results)["activation"].choices == ("relu", "tanh")
    one = [({"activation": "tanh"}, 1.0), ({"activation": "tanh"}, 2.0)]
    assert narrow(first, first, one)["activation"].choices == ("tanh",)


def test_of_equals_the_first_trials_are_the_best():
    tried = rates((0.01, 1), (0.02, 1), (0.9, 1), (0.8, 1), (0.7, 1), (0.6, 1), (0.5, 1), (0.4, 1))
    assert best_of(tried, 0.25) == tried[:2]


def test_the_best_part_counts_those_that_diverged_but_has_none_of_them():
    tried = rates(*((0.1, math.inf),) * 10, (0.2, 3), (0.3, 2), (0.4, math.nan), (0.5, 1), *((0.6, 9),) * 6)
    assert [values["learning_rate"] for values, _ in best_of(tried, 0.25)] == [0.5, 0.3, 0.2, 0.6, 0.6]
    assert len(best_of(rates(*((0.1, 1.0),) * 5), 0.25)) == 2
    assert len(best_of(rates(*((0.1, 1.0),) * 9), 0.25)) == 3


@pytest.mark.parametrize(
    "tried",
    [
        [],
        rates((0.1, math.inf), (0.2, math.nan)),
        rates((0.1, math.inf), (0.2, 0.5), (0.3, math.inf)),  # one point does not say how wide
    ],
)
def test_with_nothing_to_go_by_the_box_stays_as_it_was(tried):
    box = Space((Dimension("learning_rate", "log", 1e-3, 0.5),))
    assert narrow(ALPHA, box, tried) == box


def test_what_lies_outside_the_first_space_does_not_widen_it():
    wider = Space((Dimension("learning_rate", "log", 1e-6, 100),))
    outside = narrow(ALPHA, wider, rates((50, 1), (60, 2)))["learning_rate"]
    assert (outside.low, outside.high) == (pytest.approx(10**-0.1), 1)
    first = Space((Dimension("activation", "choice", choices=("relu", "tanh")),))
    box = Space((Dimension("activation", "choice", choices=("sigmoid",)),))
    assert narrow(first, box, [({"activation": "sigmoid"}, 1.0)] * 2) == box


def test_a_spread_of_best_trials_at_a_boxs_edge_moves_the_next_box_beyond_it():
    box = Space((Dimension("learning_rate", "log", 0.01, 0.1),))
    assert narrow(ALPHA, box, rates((0.1, 1), (0.09, 2)))["learning_rate"].high > 0.1


def width(dimension):
    if dimension.scale == "choice":
        return len(dimension.choices)
    if dimension.scale == "int":
        return dimension.high - dimension.low
    return position(dimension.scale, dimension.high) - position(dimension.scale, dimension.low)


costs = st.one_of(st.floats(0, 10), st.just(math.inf), st.sampled_from([1.0, 2.0]))


@given(
    st.integers(0, 1_000), st.lists(costs, min_size=1, max_size=40), st.sampled_from([0.05, 0.25, 0.5, 1.0])
)
def test_a_narrowed_box_is_inside_the_first_contains_the_best_and_is_no_wider(seed, objectives, keep):
    results = [(draw(FIRST, seed, number), cost) for number, cost in enumerate(objectives)]
    box = narrow(FIRST, FIRST, results, keep)
    assert box.knobs == FIRST.knobs
    best = best_of(results, keep)
    assert all(box.contains(values) for values, _ in best)
    for first, each in zip(FIRST.dimensions, box.dimensions, strict=True):
        assert width(each) <= width(first)
        if each.scale == "choice":
            assert set(each.choices) <= set(first.choices)
        else:
            assert first.low <= each.low < each.high <= first.high
    again = narrow(FIRST, box, results, keep)
    assert again == box  # of results alone


@given(st.integers(0, 1_000))
def test_over_rounds_the_middling_trial_gets_better(seed):
    """A bowl around α = 0.03, 1 − β = 0.01, with decay and λ of no account: three rounds of 16."""
    box, middling = FIRST, []
    for number in range(3):
        trials = [draw(box, seed, 16 * number + i) for i in range(16)]
        results = [
            (t, math.log10(t["learning_rate"] / 0.03) ** 2 + math.log10((1 - t["momentum"]) / 0.01) ** 2)
            for t in trials
        ]
        middling.append(sorted(cost for _, cost in results)[8])
        box = narrow(FIRST, box, results)
    assert middling[2] < middling[0]
