"""Every notch against the table of knobs, worked out here by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.training.knobs import COARSE, DEFAULT_RATES, KNOBS, LIVE, averages_over, clean

# knob, from, notches, to: 10^0.1 = 1.25892541179417, 10^0.3 = 1.99526231496888
NOTCHES = [
    ("learning_rate", 0.1, 1, 0.125892541179),
    ("learning_rate", 0.1, -1, 0.0794328234724),
    ("learning_rate", 0.0316, COARSE, 0.0999279740613),
    ("learning_rate", 90.0, 1, 100.0),
    ("learning_rate", 1.1e-6, -1, 1e-6),
    ("momentum", 0.9, 1, 0.920567176528),  # 1 − 0.1/10^0.1
    ("momentum", 0.9, -1, 0.874107458821),  # 1 − 0.1·10^0.1
    ("momentum", 0.5, -COARSE, 0.0),  # 1 − 0.5·3.16 is below 0
    ("momentum", 0.0, 1, 0.205671765276),
    ("momentum", 0.9999, 1, 0.9999),
    ("second_moment", 0.999, 1, 0.999205671765),
    ("second_moment", 0.99999, 1, 0.99999),
    ("batch_size", 64, 1, 128.0),
    ("batch_size", 65, -1, 32.0),
    ("batch_size", 64, -COARSE, 2.0),
    ("batch_size", 900, 1, 1000.0),
    ("batch_size", 3, -COARSE, 1.0),
    ("decay", 0.0, 1, 0.01),
    ("decay", 0.0, 2, 0.0199526231497),
    ("decay", 0.0, -1, 0.0),
    ("decay", 0.01, -1, 0.00501187233627),
    ("decay", 0.001, -1, 0.0),
    ("decay", 0.001, -COARSE, 0.0),
    ("decay", 8.0, 1, 10.0),
    ("l2", 0.0, 1, 0.001),
    ("l2", 0.001, 1, 0.00199526231497),
    ("l2", 1.5e-5, -1, 0.0),
    ("l2", 90.0, 1, 100.0),
]


@pytest.mark.parametrize(("name", "before", "notches", "after"), NOTCHES)
def test_a_notch_is_as_in_the_table(name, before, notches, after):
    high = 1000 if name == "batch_size" else KNOBS[name].high
    assert KNOBS[name].turned(before, notches, KNOBS[name].low, high) == after


@pytest.mark.parametrize("name", LIVE)
def test_the_limits_are_reached_exactly_and_kept_to(name):
    """Single notches reach either limit; there a notch changes nothing, and no value is ever refused."""
    knob = KNOBS[name]
    high = 1437 if knob.whole else knob.high
    value = {"batch_size": 64.0, "decay": 0.01, "l2": 0.001, "momentum": 0.9, "second_moment": 0.999}.get(
        name, 0.1
    )
    for direction, limit in ((1, high), (-1, knob.low)):
        for _ in range(200):
            value = knob.turned(value, direction, knob.low, high)
            assert knob.allows(value, knob.low, high)
            assert value == clean(value)
        assert value == limit


def test_thirty_notches_end_at_the_round_number_that_a_person_would_type():
    rate, beta = 0.1, 0.9
    for _ in range(30):
        rate = KNOBS["learning_rate"].turned(rate, 1, 1e-6, 100)
        beta = KNOBS["momentum"].turned(beta, 1, 0, 0.9999)
    assert (rate, beta) == (100.0, 0.9999)
    for _ in range(40):
        beta = KNOBS["momentum"].turned(beta, -1, 0, 0.9999)
    assert beta == 0.0


@given(st.floats(1e-6, 100), st.integers(-60, 60))
def test_every_value_has_twelve_significant_digits(value, notches):
    new = KNOBS["learning_rate"].turned(value, notches, 1e-6, 100)
    assert new == float(f"{new:.12g}")
    assert 1e-6 <= new <= 100


@given(st.sampled_from(LIVE), st.floats(0, 1e300), st.floats(1e-300, 1e300))
def test_a_factor_of_any_size_gives_an_allowed_value(name, value, factor):
    knob = KNOBS[name]
    high = 1437 if knob.whole else knob.high
    assert knob.allows(knob.kept(value * factor, knob.low, high), knob.low, high)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("learning_rate", (1e-6, 100), (0, 9e-7, 101, -1)),
        ("momentum", (0, 0.9999), (-0.1, 0.99991, 1)),
        ("second_moment", (0, 0.99999), (-0.1, 1)),
        ("decay", (0, 0.001, 10), (0.0009, 10.1, -0.001)),
        ("l2", (0, 1e-5, 100), (9e-6, 101, -1)),
        ("batch_size", (1, 2**53), (0, 1.5, 2**54)),
    ],
)
def test_limits(name, inside, outside):
    knob = KNOBS[name]
    for value in inside:
        assert knob.allows(value, knob.low, knob.high)
    for value in (*outside, math.nan, math.inf, -math.inf):
        assert not knob.allows(value, knob.low, knob.high)


def test_the_table():
    assert LIVE == ("learning_rate", "momentum", "batch_size", "decay", "l2", "second_moment")
    assert DEFAULT_RATES == {"momentum": 0.1, "sgd": 0.1, "adam": 0.001, "rmsprop": 0.001}
    assert KNOBS["momentum"].used_by == {"momentum", "adam"}
    assert KNOBS["second_moment"].used_by == {"rmsprop", "adam"}
    for name in ("learning_rate", "batch_size", "decay", "l2"):
        assert KNOBS[name].used_by == {"momentum", "adam", "rmsprop", "sgd"}


def test_the_limits_in_words():
    assert KNOBS["learning_rate"].expectation(1e-6, 100) == "1e-06 … 100"
    assert KNOBS["decay"].expectation(0, 10) == "0, or 0.001 … 10"
    assert KNOBS["batch_size"].expectation(2, 1437) == "a whole number from 2 to 1,437"


@pytest.mark.parametrize(("beta", "steps"), [(0.9, 10), (0.98, 50), (0.995, 200), (0, 1)])
def test_what_an_average_looks_back_on(beta, steps):
    assert round(averages_over(beta), 9) == steps
