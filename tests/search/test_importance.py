"""How much each knob mattered: functions whose answer is known, a case by hand, and Optuna's numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension, Space
from pandatui.search.dimension import VARIED
from pandatui.search.importance import LEAST_TRIALS, TEXTBOOK, importance, textbook_place
from pandatui.search.sampling import draw
from pandatui.search.space import default_space, wide_space
from pandatui.training import RunConfig

SMALL = default_space(RunConfig("digits"))
WIDE = wide_space(RunConfig("digits"), 1_000)
GOLDEN = json.loads((Path(__file__).parent / "golden" / "importance.json").read_text(encoding="utf-8"))


def tried(space, cost, trials, seed=1):
    drawn = [draw(space, seed, number) for number in range(trials)]
    return [(v, cost({knob: space[knob].unit(v[knob]) for knob in space.knobs})) for v in drawn]


@pytest.mark.parametrize("case", GOLDEN, ids=[case["name"] for case in GOLDEN])
def test_the_numbers_are_optunas(case):
    """Made by `python -m benchmarks.importance --write`, with Optuna 5.0.0."""
    results = [(values, math.inf if cost is None else cost) for values, cost in case["trials"]]
    found = importance(Space.from_plain(case["space"]), results)
    assert found == pytest.approx(case["importance"], rel=1e-9, abs=1e-12)
    assert list(found) == list(case["importance"])


def test_worked_by_hand():
    """20 trials, of which the first 5 are best; each word has half of all 20.

    A kernel is its choice and 1/(kernels) of all, evened out; the prior is one more. All 20: 3 kernels,
    (4/5, 1/5), (1/5, 4/5), (1/2, 1/2) with weights 10, 10, 1 of 21: (1/2, 1/2).
    optimizer, best all adam: 2 kernels, (3/4, 1/4) and (1/2, 1/2) with 5/6 and 1/6: (17/24, 7/24). The
    divergence is the mean of (17/12 − 1)² and (7/12 − 1)², 25/144.
    activation, best 3 relu and 2 tanh: (4/5, 1/5), (1/5, 4/5), (1/2, 1/2) with 3, 2, 1 of 6: (11/20, 9/20).
    The divergence is (1/10)².
    """
    space = Space(
        (
            Dimension("optimizer", "choice", choices=("adam", "sgd")),
            Dimension("activation", "choice", choices=("relu", "tanh")),
        )
    )
    optimizers = ("adam",) * 10 + ("sgd",) * 10
    activations = ("relu", "tanh", "relu", "tanh", "relu") + ("tanh",) * 8 + ("relu",) * 7
    results = [
        ({"optimizer": one, "activation": other}, float(cost))
        for cost, (one, other) in enumerate(zip(optimizers, activations, strict=True))
    ]
    assert importance(space, results) == pytest.approx(
        {"optimizer": (25 / 144) / (25 / 144 + 0.01), "activation": 0.01 / (25 / 144 + 0.01)}
    )


@pytest.mark.parametrize("knob", WIDE.knobs)
def test_the_one_knob_that_matters_comes_first(knob):
    found = importance(WIDE, tried(WIDE, lambda unit: abs(unit[knob] - 0.3), 300))
    assert next(iter(found)) == knob
    assert found[knob] > 0.6
    assert sum(found.values()) == pytest.approx(1)


def test_a_knob_that_matters_more_has_more_of_it():
    def cost(unit):
        return 4 * (unit["learning_rate"] - 0.5) ** 2 + (unit["momentum"] - 0.5) ** 2

    found = importance(SMALL, tried(SMALL, cost, 1_000))
    assert list(found)[:2] == ["learning_rate", "momentum"]
    assert found["decay"] + found["l2"] < 0.02


def test_knobs_that_matter_alike_have_alike():
    def cost(unit):
        return (unit["learning_rate"] - 0.5) ** 2 + (unit["l2"] - 0.5) ** 2

    found = importance(SMALL, tried(SMALL, cost, 4_000))
    assert found["learning_rate"] == pytest.approx(0.5, abs=0.05)
    assert found["l2"] == pytest.approx(0.5, abs=0.05)


def test_what_diverged_has_its_say():
    """Above the middle of the learning rates everything diverges; below it the cost is chance."""
    chance = np.random.default_rng(1)
    results = tried(SMALL, lambda unit: math.inf if unit["learning_rate"] > 0.5 else chance.random(), 200)
    found = importance(SMALL, results)
    assert next(iter(found)) == "learning_rate"
    assert found["learning_rate"] > 0.5
    as_nan = [(values, math.nan if math.isinf(cost) else cost) for values, cost in results]
    assert importance(SMALL, as_nan) == found
    finished = [(values, cost) for values, cost in results if math.isfinite(cost)]
    assert importance(SMALL, finished)["learning_rate"] < found["learning_rate"]


@pytest.mark.parametrize("finite", [2, 3, 4])
def test_where_nearly_all_diverged_the_rest_are_the_best(finite):
    near = {"learning_rate": 0.01, "momentum": 0.95, "decay": 0.01, "l2": 0.01}
    results = [(near, 1.0)] * finite
    results += [(draw(SMALL, 1, number), math.inf) for number in range(50)]
    assert sum(importance(SMALL, results).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "results",
    [
        [],
        tried(SMALL, lambda unit: unit["l2"], LEAST_TRIALS - 1),
        tried(SMALL, lambda unit: math.inf, 50),
        [*tried(SMALL, lambda unit: math.inf, 50), (draw(SMALL, 1, 99), 1.0)],
        tried(SMALL, lambda unit: 1.0, 50),
    ],
    ids=["none", "too few", "all diverged", "one finished", "all equal"],
)
def test_nothing_is_said_where_nothing_can_be(results):
    assert importance(SMALL, results) == {}


def test_as_many_as_are_enough():
    assert set(importance(SMALL, tried(SMALL, lambda unit: unit["l2"], LEAST_TRIALS))) == set(SMALL.knobs)


def test_a_trial_of_a_box_that_was_edited_beyond_the_space_counts_too():
    first = Space(
        (
            Dimension("learning_rate", "log", 1e-3, 1),
            Dimension("layers", "int", 1, 3),
            Dimension("activation", "choice", choices=("relu", "tanh")),
        )
    )
    beyond = {"learning_rate": 50.0, "layers": 9, "activation": "sigmoid"}
    results = [*tried(first, lambda unit: unit["learning_rate"], 40), (beyond, 0.0)]
    assert sum(importance(first, results).values()) == pytest.approx(1)


@given(st.randoms(use_true_random=False), st.integers(20, 80))
def test_neither_the_order_of_trials_nor_the_size_of_costs_matters(random, trials):
    results = tried(WIDE, lambda unit: round(unit["l2"] + 0.5 * unit["layers"], 2), trials)
    found = importance(WIDE, results)
    shuffled = [(values, math.exp(5 * cost)) for values, cost in results]
    random.shuffle(shuffled)
    assert importance(WIDE, shuffled) == pytest.approx(found)


def test_the_textbook_has_a_place_for_every_knob():
    assert sorted(knob for group in TEXTBOOK for knob in group) == sorted(VARIED)
    assert [textbook_place(knob) for knob in ("learning_rate", "units", "decay", "second_moment")] == [
        *range(1, 5)
    ]
