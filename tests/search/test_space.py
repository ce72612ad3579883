"""Spaces: ready-made ones, around a run's settings, and from a trial's values to a run."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension, Space
from pandatui.search.sampling import draw
from pandatui.search.space import (
    centred,
    check_fits,
    default_space,
    setting_of,
    settings,
    space_named,
    wide_space,
)
from pandatui.training import ConfigError, PlannedNudge, RunConfig

DIGITS = RunConfig("digits")
ALPHA = Dimension("learning_rate", "log", 1e-4, 1)
BETA = Dimension("momentum", "log1m", 0.9, 0.999)
LAYERS = Dimension("layers", "int", 1, 4)
SIZES = Dimension("batch_size", "choice", choices=(16, 64))


def ends(space, knob):
    return space[knob].low, space[knob].high


@pytest.mark.parametrize(
    ("optimizer", "rates", "knobs"),
    [
        ("momentum", (1e-3, 10), ("learning_rate", "momentum", "decay", "l2")),
        ("sgd", (1e-3, 10), ("learning_rate", "decay", "l2")),
        ("adam", (1e-4, 1), ("learning_rate", "momentum", "decay", "l2")),
        ("rmsprop", (1e-4, 1), ("learning_rate", "decay", "l2")),
    ],
)
def test_the_default_space_varies_what_the_optimizer_uses(optimizer, rates, knobs):
    space = default_space(replace(DIGITS, optimizer=optimizer))
    assert space.knobs == knobs
    assert ends(space, "learning_rate") == rates
    assert (ends(space, "decay"), ends(space, "l2")) == ((1e-3, 1), (1e-3, 10))
    if "momentum" in knobs:
        assert space["momentum"] == BETA


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (1_078, (16, 32, 64, 128, 256, 512)),
        (512, (16, 32, 64, 128, 256, 512)),
        (511, (8, 16, 32, 64, 128, 256)),
        (40, (2, 4, 8, 16, 32)),
        (4, (2, 4)),
    ],
)
def test_the_wide_space_has_the_shape_too_and_batch_sizes_that_the_rows_allow(rows, sizes):
    space = wide_space(DIGITS, rows)
    assert set(space.knobs) == {*default_space(DIGITS).knobs, "batch_size", "units", "layers", "activation"}
    assert space["batch_size"].choices == sizes
    assert space["units"].choices == (16, 32, 64, 128, 256)
    assert ends(space, "layers") == (1, 4)
    assert space["activation"].choices == ("relu", "leaky_relu", "tanh", "sigmoid")
    check_fits(space, DIGITS, rows)


def test_a_handful_of_rows_leaves_the_batch_size_as_it_is():
    assert "batch_size" not in wide_space(DIGITS, 3).knobs


def test_spaces_have_names():
    assert space_named("default", DIGITS, 100) == default_space(DIGITS)
    assert space_named("wide", DIGITS, 100) == wide_space(DIGITS, 100)
    with pytest.raises(ConfigError, match="'narrow': expected one of default, wide"):
        space_named("narrow", DIGITS, 100)


def test_a_space_is_the_same_in_whatever_order_it_is_written():
    assert Space((LAYERS, BETA, ALPHA)) == Space((ALPHA, BETA, LAYERS))
    assert Space((LAYERS, BETA, ALPHA)).knobs == ("learning_rate", "momentum", "layers")


def test_to_plain_and_back_through_json():
    space = wide_space(DIGITS, 1_000)
    assert Space.from_plain(json.loads(json.dumps(space.to_plain()))) == space


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Space(()), "at least one knob"),
        (lambda: Space((ALPHA, BETA, ALPHA)), "learning_rate: expected a knob once, found it 2 times"),
        (lambda: Space.from_plain([]), "[]: expected a table of knobs"),
        (lambda: Space.from_plain({}), "at least one knob"),
        (lambda: Space.from_plain({"colour": {"scale": "log", "low": 1, "high": 2}}), "'colour'"),
    ],
)
def test_what_is_no_space_is_refused(make, expected):
    with pytest.raises(ConfigError) as caught:
        make()
    assert expected in str(caught.value)


def test_a_space_contains_values_of_all_its_knobs_and_no_others():
    space = Space((ALPHA, LAYERS))
    assert space.contains({"learning_rate": 0.1, "layers": 2})
    assert not space.contains({"learning_rate": 0.1})
    assert not space.contains({"learning_rate": 0.1, "layers": 2, "l2": 0.1})
    assert not space.contains({"learning_rate": 2.0, "layers": 2})


@pytest.mark.parametrize(
    ("space", "config", "rows", "expected"),
    [
        (Space((BETA,)), replace(DIGITS, optimizer="sgd"), None, "momentum: not used by sgd"),
        (
            Space((BETA, Dimension("optimizer", "choice", choices=("sgd", "rmsprop")))),
            DIGITS,
            None,
            "momentum: not used by sgd, rmsprop",
        ),
        (Space((Dimension("batch_size", "int", 1, 4),)), DIGITS, None, "batch_size 1: expected at least 2"),
        (
            Space(
                (
                    Dimension("batch_size", "int", 1, 4),
                    Dimension("batch_norm", "choice", choices=(False, True)),
                )
            ),
            replace(DIGITS, batch_norm=False),
            None,
            "batch_size 1: expected at least 2 with batch norm",
        ),
        (
            Space((Dimension("batch_norm", "choice", choices=(False, True)),)),
            replace(DIGITS, batch_norm=False, batch_size=1),
            None,
            "batch_size 1: expected at least 2 with batch norm",
        ),
        (Space((SIZES,)), DIGITS, 63, "batch_size 64: expected at most the 63 training rows"),
        (Space((ALPHA,)), DIGITS, 63, "batch_size 64: expected at most the 63 training rows"),
    ],
)
def test_a_space_of_which_some_point_is_no_run_is_refused(space, config, rows, expected):
    with pytest.raises(ConfigError) as caught:
        check_fits(space, config, rows)
    assert expected in str(caught.value)


def test_a_space_that_fits():
    either = Dimension("optimizer", "choice", choices=("sgd", "adam"))
    check_fits(Space((ALPHA, BETA, either)), replace(DIGITS, optimizer="sgd"))
    bare = Dimension("batch_norm", "choice", choices=(False,))
    check_fits(Space((Dimension("batch_size", "int", 1, 64), bare)), DIGITS, 64)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"learning_rate": 0.1234567890123456}, {"learning_rate": 0.123456789012}),
        ({"units": 16}, {"hidden": (16, 16)}),
        ({"layers": 1}, {"hidden": (64,)}),
        ({"layers": 2}, {"hidden": (64, 32)}),
        ({"layers": 4}, {"hidden": (64, 32, 32, 32)}),
        ({"units": 8, "layers": 3}, {"hidden": (8, 8, 8)}),
        ({"activation": "tanh", "batch_norm": False}, {"activation": "tanh", "batch_norm": False}),
        ({"batch_size": 16, "decay": 0.01, "l2": 1.0}, {"batch_size": 16, "decay": 0.01, "l2": 1.0}),
        ({"optimizer": "adam", "momentum": 0.8}, {"optimizer": "adam", "momentum": 0.8}),
        ({"optimizer": "rmsprop", "momentum": 0.8}, {"optimizer": "rmsprop"}),
        ({"second_moment": 0.9}, {}),
        (
            {"optimizer": "adam", "second_moment": 0.9, "learning_rate": 0.5},
            {"optimizer": "adam", "second_moment": 0.9, "learning_rate": 0.5},
        ),
    ],
)
def test_a_trials_values_make_a_run(values, expected):
    assert settings(DIGITS, values) == replace(DIGITS, **expected)


def test_a_trial_has_no_planned_nudges():
    planned = replace(DIGITS, plan=(PlannedNudge(5, "momentum", to=0.5),))
    assert settings(planned, {"optimizer": "sgd"}) == replace(DIGITS, optimizer="sgd")


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": 1e3},
        {"units": 0},
        {"units": 2.5},
        {"layers": "2"},
        {"epochs": 5},
        {"batch_size": 0.5},
        {"optimizer": "lion"},
        {"momentum": math.nan},
    ],
)
def test_values_that_no_run_can_have_are_refused(values):
    [(knob, value)] = values.items()
    with pytest.raises(ConfigError) as caught:
        settings(DIGITS, values)
    assert knob.replace("_", " ") in str(caught.value).lower().replace("_", " ")
    assert repr(value) in str(caught.value) or knob == "epochs"


def test_every_draw_from_a_wide_space_is_a_run():
    for optimizer in ("momentum", "sgd", "adam", "rmsprop"):
        base = replace(DIGITS, optimizer=optimizer)
        space = wide_space(base, 1_000)
        for number in range(50):
            values = draw(space, 1, number)
            run = settings(base, values)
            assert {knob: setting_of(run, knob) for knob in values} == values


# -- around a run's settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dimension", "config", "expected"),
    [
        (ALPHA, {"learning_rate": 0.1}, (1e-3, 10)),
        (ALPHA, {"learning_rate": 0.01}, (1e-4, 1)),
        (ALPHA, {"learning_rate": 50}, (0.01, 100)),  # slid down from 5,000
        (ALPHA, {"learning_rate": 1e-6}, (1e-6, 0.01)),
        (BETA, {"momentum": 0.9}, (0, 0.99)),
        (BETA, {"momentum": 0.99}, (0.9, 0.999)),
        (BETA, {"momentum": 0.9999}, (0.99, 0.9999)),
        (BETA, {"momentum": 0.0}, (0, 0.99)),
        (Dimension("l2", "log", 1e-3, 10), {"l2": 0.0}, (1e-3, 10)),  # no place on this scale
        (Dimension("l2", "log", 1e-3, 10), {"l2": 1e-5}, (1e-5, 0.1)),
        (Dimension("decay", "log", 1e-3, 1), {"decay": 10.0}, (0.01, 10)),
        (Dimension("momentum", "linear", 0.5, 0.7), {"momentum": 0.2}, (0.1, 0.3)),
        (Dimension("decay", "linear", 0, 1), {"decay": 0.0}, (0, 1)),
        (Dimension("momentum", "log", 0.5, 0.98), {"momentum": 0.7}, (0.5, 0.98)),
        (LAYERS, {"hidden": (8,) * 2}, (1, 4)),
        (LAYERS, {"hidden": (8,) * 5}, (4, 7)),
        (LAYERS, {"hidden": (8,)}, (1, 4)),
        (LAYERS, {"hidden": (8,) * 32}, (29, 32)),
        (Dimension("units", "int", 16, 128), {"hidden": (200, 10)}, (144, 256)),
        (Dimension("batch_size", "int", 16, 64), {"batch_size": 2}, (2, 50)),
        (Dimension("batch_size", "int", 16, 64), {"batch_size": 90}, (52, 100)),
        (Dimension("batch_size", "int", 16, 600), {"batch_size": 90}, (2, 100)),
    ],
)
def test_a_range_around_the_present_setting_is_as_wide_and_within_limits(dimension, config, expected):
    around = centred(replace(DIGITS, **config), Space((dimension,)), train_rows=100)[dimension.knob]
    assert (around.low, around.high) == pytest.approx(expected, rel=2e-3)
    assert around.scale == dimension.scale


@given(
    rate=st.floats(1e-6, 100),
    beta=st.floats(0, 0.9999),
    decay=st.floats(0.001, 10),
    units=st.integers(1, 65_536),
    layers=st.integers(1, 32),
)
def test_around_any_settings_a_space_contains_them_and_is_no_wider(rate, beta, decay, units, layers):
    config = replace(DIGITS, learning_rate=rate, momentum=beta, decay=decay, hidden=(units,) * layers)
    space = wide_space(config, 1_000)
    around = centred(config, space, 1_000)
    check_fits(around, config, 1_000)
    for each in around.dimensions:
        assert each.knob == "l2" or each.contains(setting_of(config, each.knob))
        if each.scale == "log":
            assert math.log(each.high / each.low) == pytest.approx(
                math.log(space[each.knob].high / space[each.knob].low)
            )
        if each.scale == "log1m":
            assert (1 - each.low) / (1 - each.high) == pytest.approx(100)


def test_a_choice_that_is_not_among_the_choices_joins_them():
    config = replace(DIGITS, batch_size=50, activation="sigmoid")
    words = Dimension("activation", "choice", choices=("tanh", "relu"))
    around = centred(config, Space((SIZES, words)), 1_000)
    assert around["batch_size"].choices == (16, 50, 64)
    assert around["activation"].choices == ("tanh", "relu", "sigmoid")


def test_what_the_optimizer_does_not_use_is_left_out():
    space = default_space(DIGITS)
    assert centred(replace(DIGITS, optimizer="sgd"), space, 1_000).knobs == ("learning_rate", "decay", "l2")
