"""Neighbours of a run's settings: one coarse step of each live knob, within limits, and always a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search.neighbours import neighbours
from pandatui.search.space import settings
from pandatui.training import RunConfig

DIGITS = RunConfig("digits")


def turned(found):
    """What differs from the settings themselves, neighbour by neighbour."""
    return [{knob: value for knob, value in each.items() if value != found[0][knob]} for each in found[1:]]


def test_the_neighbours_of_the_defaults():
    found = neighbours(DIGITS, {}, 1_078)
    assert found[0] == {"learning_rate": 0.1, "momentum": 0.9, "batch_size": 64, "decay": 0.0, "l2": 0.0}
    assert turned(found) == [
        {"learning_rate": pytest.approx(0.1 / 10**0.5)},
        {"learning_rate": pytest.approx(0.1 * 10**0.5)},
        {"momentum": pytest.approx(1 - 0.1 * 10**0.5)},
        {"momentum": pytest.approx(1 - 0.1 / 10**0.5)},
        {"batch_size": 2},
        {"batch_size": 1_078},
        {"decay": pytest.approx(0.01 * 10**1.2)},
        {"l2": pytest.approx(0.001 * 10**1.2)},
    ]


@pytest.mark.parametrize(
    ("optimizer", "knobs"),
    [
        ("sgd", {"learning_rate", "batch_size", "decay", "l2"}),
        ("rmsprop", {"learning_rate", "batch_size", "decay", "l2", "second_moment"}),
        ("adam", {"learning_rate", "momentum", "batch_size", "decay", "l2", "second_moment"}),
    ],
)
def test_only_what_the_optimizer_uses_is_turned(optimizer, knobs):
    found = neighbours(replace(DIGITS, optimizer=optimizer), {}, 1_078)
    assert set(found[0]) == knobs
    assert {knob for each in turned(found) for knob in each} == knobs
    assert all(len(each) == 1 for each in turned(found))


def test_around_the_knobs_as_nudges_left_them():
    found = neighbours(DIGITS, {"learning_rate": 0.5, "layers": 3, "decay": 0.01}, 1_078)
    assert found[0]["learning_rate"] == 0.5
    assert {"decay": 0.0} in turned(found)  # 0.01 / 10^1.5 is below the least positive value
    assert all(settings(DIGITS, each).hidden == (64, 32, 32) for each in found)


def test_a_knob_at_its_limit_has_one_neighbour():
    at = replace(DIGITS, learning_rate=100.0, momentum=0.0, batch_size=2)
    assert [
        each for each in turned(neighbours(at, {}, 1_078)) if set(each) & {"learning_rate", "momentum"}
    ] == [
        {"learning_rate": pytest.approx(100 / 10**0.5)},
        {"momentum": pytest.approx(1 - 10**-0.5)},
    ]
    assert {"batch_size": 64} in turned(neighbours(at, {}, 1_078))


@given(
    st.floats(1e-6, 100),
    st.floats(0, 0.9999),
    st.integers(2, 500),
    st.one_of(st.just(0.0), st.floats(0.001, 10)),
    st.sampled_from(["momentum", "adam", "rmsprop", "sgd"]),
)
def test_every_neighbour_is_a_run(rate, beta, batch, decay, optimizer):
    config = replace(
        DIGITS, learning_rate=rate, momentum=beta, batch_size=batch, decay=decay, optimizer=optimizer
    )
    found = neighbours(config, {}, 500)
    assert settings(config, found[0]) == config
    runs = [settings(config, each) for each in found]
    assert len(set(runs)) == len(runs)
    assert all(run.batch_size <= 500 for run in runs)
