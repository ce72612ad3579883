"""Sampling: the same trial from the same seed and number, uniform on each knob's scale, and a plain grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension, Space
from pandatui.search.sampling import distinct, draw, grid
from pandatui.search.space import default_space, wide_space
from pandatui.training import RunConfig

DIGITS = RunConfig("digits")
SPACE = wide_space(DIGITS, 1_000)


def test_a_trial_depends_on_the_seed_its_number_and_the_box_alone():
    forwards = [draw(SPACE, 7, number) for number in range(20)]
    backwards = [draw(SPACE, 7, number) for number in reversed(range(20))]
    assert forwards == backwards[::-1]
    assert draw(SPACE, 8, 3) != forwards[3] != forwards[4]


def test_a_knobs_draw_is_the_same_whichever_others_vary():
    alone = Space((SPACE["l2"],))
    assert [draw(alone, 1, i)["l2"] for i in range(9)] == [draw(SPACE, 1, i)["l2"] for i in range(9)]


def test_the_draws_are_those_of_earlier_versions():
    """On record in studies: a change here changes what every study does."""
    assert draw(default_space(DIGITS), 1, 1) == {
        "learning_rate": 0.0799941216919,
        "momentum": 0.993707500464,
        "decay": 0.00417269534733,
        "l2": 8.32618382457,
    }


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**6))
def test_every_draw_is_in_the_box(seed, number):
    assert SPACE.contains(draw(SPACE, seed, number))


def kolmogorov_smirnov(sample: list[float], cdf) -> float:
    """√n · sup |F_n − F|, with Stephens' correction for finite n (1970)."""
    ordered = np.sort(sample)
    n = len(ordered)
    expected = np.array([cdf(value) for value in ordered])
    steps = np.arange(n + 1) / n
    distance = max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))
    return (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance


CRITICAL = 1.95  # exceeded by one honest sample in a thousand


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("dimension", "cdf"),
    [
        (Dimension("learning_rate", "log", 1e-4, 1), lambda v: math.log10(v / 1e-4) / 4),
        (Dimension("momentum", "log1m", 0.9, 0.999), lambda v: math.log10(0.1 / (1 - v)) / 2),
        (Dimension("momentum", "linear", 0.2, 0.6), lambda v: (v - 0.2) / 0.4),
        (Dimension("decay", "log", 1e-3, 1), lambda v: math.log10(v / 1e-3) / 3),
        (Dimension("l2", "log", 1e-3, 10), lambda v: math.log10(v / 1e-3) / 4),
    ],
)
def test_draws_are_uniform_on_the_scale(dimension, cdf, seed):
    sample = [draw(Space((dimension,)), seed, number)[dimension.knob] for number in range(2_000)]
    assert kolmogorov_smirnov(sample, cdf) < CRITICAL


def test_the_uniformity_test_notices_the_wrong_scale():
    linear = Dimension("learning_rate", "linear", 1e-4, 1)
    sample = [draw(Space((linear,)), 1, number)["learning_rate"] for number in range(50)]
    assert kolmogorov_smirnov(sample, lambda v: math.log10(v / 1e-4) / 4) > CRITICAL


@pytest.mark.parametrize("knob", ["layers", "units", "activation"])
def test_whole_numbers_and_choices_are_drawn_evenly(knob):
    drawn = [draw(SPACE, 1, number)[knob] for number in range(2_000)]
    values, counts = np.unique(drawn, return_counts=True)
    chi_squared = float(((counts - 2_000 / len(values)) ** 2 / (2_000 / len(values))).sum())
    assert chi_squared < {4: 16.3, 5: 18.5}[len(values)]  # one honest sample in a thousand is above


def test_knobs_are_drawn_independently():
    drawn = [draw(default_space(DIGITS), 1, number) for number in range(2_000)]
    space = default_space(DIGITS)
    units = np.array([[space[knob].unit(values[knob]) for knob in space.knobs] for values in drawn])
    correlation = np.corrcoef(units.T) - np.eye(len(space.knobs))
    assert np.abs(correlation).max() < 3.3 / math.sqrt(2_000)


@pytest.mark.parametrize(
    ("trials", "knobs", "points"),
    [(48, 4, 16), (81, 4, 81), (80, 4, 16), (15, 4, 1), (16, 4, 16), (1, 4, 1), (100, 2, 100), (99, 2, 81)],
)
def test_a_grid_has_as_many_points_as_an_equal_number_a_knob_allows(trials, knobs, points):
    box = Space(default_space(DIGITS).dimensions[:knobs])
    tried = grid(box, trials)
    assert len(tried) == points
    assert set(distinct(tried).values()) == {round(points ** (1 / knobs))}


def test_a_knob_with_few_choices_has_all_of_them_and_the_others_go_on():
    sizes = Dimension("batch_size", "choice", choices=(16, 64))
    box = Space((Dimension("learning_rate", "log", 1e-4, 1), sizes))
    tried = grid(box, 20)
    assert distinct(tried) == {"learning_rate": 10, "batch_size": 2}
    assert len(grid(Space((sizes,)), 20)) == 2


def test_a_grids_values_are_the_middles_of_equal_shares_of_the_scale():
    box = Space((Dimension("learning_rate", "log", 1e-4, 1), Dimension("momentum", "log1m", 0.9, 0.999)))
    tried = grid(box, 4)
    assert [(v["learning_rate"], v["momentum"]) for v in tried] == [
        (0.001, pytest.approx(1 - 10**-1.5)),
        (0.001, pytest.approx(1 - 10**-2.5)),
        (0.1, pytest.approx(1 - 10**-1.5)),
        (0.1, pytest.approx(1 - 10**-2.5)),
    ]


@given(st.integers(1, 400))
def test_a_grid_is_never_more_than_asked_and_all_different(trials):
    tried = grid(SPACE, trials)
    assert 1 <= len(tried) <= trials
    assert len({tuple(values.items()) for values in tried}) == len(tried)
    assert all(SPACE.contains(values) for values in tried)


def test_random_trials_try_more_values_of_each_knob_than_a_grid():
    box = default_space(DIGITS)
    assert distinct(grid(box, 81)) == dict.fromkeys(box.knobs, 3)
    assert distinct(draw(box, 1, number) for number in range(81)) == dict.fromkeys(box.knobs, 81)
    assert distinct([]) == {}
