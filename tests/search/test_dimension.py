"""Dimensions: values to [0, 1] and back on every scale, refusals in one line, and the command line's form."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension
from pandatui.search.dimension import parse_vary
from pandatui.training import ConfigError

ALPHA = Dimension("learning_rate", "log", 1e-4, 1)
BETA = Dimension("momentum", "log1m", 0.9, 0.999)
DROPPED = Dimension("l2", "linear", 0, 1)
LAYERS = Dimension("layers", "int", 1, 4)
WORDS = Dimension("activation", "choice", choices=("relu", "tanh", "sigmoid"))
SIZES = Dimension("batch_size", "choice", choices=(16, 64))
ALL = [ALPHA, BETA, DROPPED, LAYERS, WORDS, SIZES, Dimension("batch_norm", "choice", choices=(True, False))]


@pytest.mark.parametrize(
    ("dimension", "unit", "value"),
    [
        (ALPHA, 0.0, 1e-4),
        (ALPHA, 0.25, 1e-3),
        (ALPHA, 0.5, 1e-2),
        (ALPHA, 1.0, 1.0),
        (BETA, 0.0, 0.9),
        (BETA, 0.5, 0.99),
        (BETA, 1.0, 0.999),
        (DROPPED, 0.5, 0.5),
        (Dimension("momentum", "log1m", 0, 0.9999), 0.25, 0.9),
    ],
)
def test_a_value_is_where_its_scale_puts_it(dimension, unit, value):
    assert dimension.value(unit) == value
    assert dimension.unit(value) == pytest.approx(unit, abs=1e-9)


def test_whole_numbers_and_choices_have_equal_shares():
    units = [i / 1000 for i in range(1000)]
    for dimension, values in ((LAYERS, (1, 2, 3, 4)), (SIZES, (16, 64))):
        found = [dimension.value(unit) for unit in units]
        assert {value: found.count(value) for value in values} == {v: 1000 // len(values) for v in values}
        assert all(type(value) is int for value in found)
        assert dimension.value(1.0) == values[-1]
    assert [WORDS.unit(word) for word in WORDS.choices] == pytest.approx([1 / 6, 1 / 2, 5 / 6])


@st.composite
def dimensions(draw):
    """Ranges of every scale, wide enough for 12 digits to tell their values apart."""
    scale = draw(st.sampled_from(["log", "log1m", "linear"]))
    if scale == "log":
        low = draw(st.floats(1e-6, 1))
        return Dimension("learning_rate", scale, low, low * draw(st.floats(1.5, 100)))
    if scale == "log1m":
        rest = draw(st.floats(3e-4, 1))
        return Dimension("momentum", scale, 1 - rest, 1 - rest / draw(st.floats(1.5, 3)))
    low = draw(st.floats(0.0, 0.5))
    return Dimension("momentum", scale, low, low + draw(st.floats(0.01, 0.4)))


@given(dimensions(), st.floats(0, 1))
def test_there_and_back_is_the_same_place(dimension, unit):
    value = dimension.value(unit)
    assert dimension.contains(value)
    assert dimension.unit(value) == pytest.approx(unit, abs=2e-5)  # values snap to short numbers
    assert value == float(f"{value:.12g}")


@given(dimensions(), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_place_has_no_lower_value(dimension, one, other):
    low, high = sorted((one, other))
    assert dimension.value(low) <= dimension.value(high)


@given(st.sampled_from([LAYERS, WORDS, SIZES, ALL[-1]]), st.floats(0, 1))
def test_a_whole_number_or_a_choice_comes_back_from_its_place(dimension, unit):
    value = dimension.value(unit)
    assert dimension.contains(value)
    assert dimension.value(dimension.unit(value)) == value
    assert type(dimension.value(dimension.unit(value))) is type(value)


def test_linear_from_0_has_nothing_that_the_knob_refuses():
    low = Dimension("decay", "linear", 0, 0.01)
    values = [low.value(i / 1000) for i in range(1001)]
    assert all(value == 0 or value >= 0.001 for value in values)
    assert values[0] == values[99] == 0
    assert values[100] == 0.001


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.knob)
def test_to_plain_and_back_through_json(each):
    assert Dimension.from_plain(each.knob, json.loads(json.dumps(each.to_plain()))) == each


def test_what_a_dimension_contains():
    assert ALPHA.contains(1)
    assert not any(ALPHA.contains(v) for v in (9e-5, 1.1, math.nan, "0.1", None, True))
    assert not any(LAYERS.contains(v) for v in (0, 5, 2.0, True))
    assert not any(WORDS.contains(v) for v in ("leaky_relu", 0, None, ["relu"]))
    assert not ALL[-1].contains(1)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (("colour", "log", 1, 2), "'colour'"),
        ((["l2"], "log", 1, 2), "['l2']"),
        (("learning_rate", "cubic", 1, 2), "'cubic'"),
        (("learning_rate", 5, 1, 2), "5: expected log or linear or choice"),
        (("learning_rate", "log1m", 0.1, 0.2), "'log1m': expected log or linear or choice"),
        (("activation", "log", 1, 2), "'log': expected choice"),
        (("units", "log", 1, 2), "'log': expected int or choice"),
        (("learning_rate", "log", 0, 1), "0: expected 1e-06 … 100"),
        (("momentum", "log", 0, 0.9), "0: expected more than 0 on a log scale"),
        (("l2", "log", 0, 1), "0: expected more than 0 on a log scale"),
        (("l2", "log", 1e-6, 1), "1e-06: expected 0, or 1e-05 … 100"),
        (("learning_rate", "log", 1e-4, 101), "101: expected 1e-06 … 100"),
        (("learning_rate", "log", math.nan, 1), "nan: expected"),
        (("learning_rate", "log", 10**400, 1), "expected 1e-06 … 100"),
        (("learning_rate", "log", "a", 1), "low 'a': expected a number"),
        (("learning_rate", "log", True, 1), "low True: expected a number"),
        (("learning_rate", "log", 0.1, None), "high None: expected a number"),
        (("learning_rate", "log", 1, 0.1), "1.0 … 0.1: expected low below high"),
        (("learning_rate", "log", 0.1, 0.1), "0.1 … 0.1: expected low below high"),
        (("momentum", "log1m", 0.9, 1), "1: expected 0 … 0.9999"),
        (("momentum", "log1m", -0.1, 0.9), "-0.1: expected 0 … 0.9999"),
        (("layers", "int", 0, 4), "0: expected a whole number from 1 to 32"),
        (("layers", "int", 1, 33), "33: expected a whole number from 1 to 32"),
        (("layers", "int", 1, 3.5), "3.5: expected a whole number from 1 to 32"),
        (("units", "int", 1, 65_537), "65537: expected a whole number from 1 to 65,536"),
        (("learning_rate", "log", 0.1, 1, (0.5,)), "(0.5,): expected low and high"),
        (("learning_rate", "choice", 0.1, 1, (0.5,)), "0.1, high 1: expected choices alone"),
        (("activation", "choice", None, None, ()), "(): expected 1 … 100"),
        (("activation", "choice", None, None, "relu"), "'relu': expected 1 … 100"),
        (("activation", "choice", None, None, ("swish",)), "'swish': expected one of relu, leaky_relu"),
        (("activation", "choice", None, None, (["relu"],)), "['relu']: expected one of"),
        (("activation", "choice", None, None, ("relu", "relu")), "('relu', 'relu'): expected each once"),
        (("batch_norm", "choice", None, None, (1,)), "1: expected one of true, false"),
        (("batch_size", "choice", None, None, (16.0,)), "16.0: expected a whole number"),
        (("learning_rate", "choice", None, None, (0.1, 200)), "200: expected 1e-06 … 100"),
    ],
)
def test_a_dimension_that_cannot_be_is_refused_in_one_line(given_, expected):
    with pytest.raises(ConfigError) as caught:
        Dimension(*given_)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ([], "[]: expected scale with low and high"),
        ({"scale": "log", "low": 1}, "expected scale with low and high"),
        ({"scale": "log", "low": 1, "high": 2, "choices": []}, "expected scale with low and high"),
        ({"scale": "log", "low": 1, "high": 2, "odd": 1}, "expected scale with low and high"),
        ({"scale": "choice", "choices": "ab"}, "'ab': expected a list"),
        ({"scale": "choice", "choices": {"a": 1}}, "{'a': 1}: expected a list"),
        ({"scale": [], "low": 1, "high": 2}, "[]: expected log or linear"),
        ({"scale": "log", "low": [], "high": 2}, "low []: expected a number"),
    ],
)
def test_plain_types_from_outside_are_checked(plain, expected):
    with pytest.raises(ConfigError) as caught:
        Dimension.from_plain("learning_rate", plain)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("learning_rate=log:1e-4:1", ALPHA),
        (" learning_rate = log : 1e-4 : 1 ", ALPHA),
        ("momentum=log1m:0.9:0.999", BETA),
        ("l2=linear:0:1", DROPPED),
        ("layers=int:1:4", LAYERS),
        ("activation=choice:relu, tanh,sigmoid", WORDS),
        ("batch_size=choice:16,64", SIZES),
        ("batch_norm=choice:true,false", ALL[-1]),
        ("decay=choice:0,0.01", Dimension("decay", "choice", choices=(0.0, 0.01))),
    ],
)
def test_a_dimension_from_the_command_line(text, dimension):
    assert parse_vary(text) == dimension


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", "''"),
        ("learning_rate", "'learning_rate'"),
        ("learning_rate=0.1", "'learning_rate=0.1'"),
        ("learning_rate=log", "'learning_rate=log'"),
        ("learning_rate=log:1", "'learning_rate=log:1'"),
        ("learning_rate=log:1:", "''"),
        ("learning_rate=log:a:1", "'a'"),
        ("learning_rate=log:1:2:3", "'2:3'"),
        ("learning_rate=log:nan:1", "nan"),
        ("learning_rate=log:1e-4:inf", "inf"),
        ("learning_rate=cubic:1:2", "'cubic'"),
        ("rate=log:1:2", "'rate'"),
        ("layers=int:1:2.5", "'2.5'"),
        ("activation=choice:", "''"),
        ("activation=choice:relu,", "''"),
        ("activation=relu,tanh", "'activation=relu,tanh'"),
        ("batch_size=choice:16,many", "'many'"),
        ("batch_norm=choice:yes", "'yes'"),
        ("learning_rate=choice:0.1,nan", "nan"),
    ],
)
def test_what_is_no_dimension_is_refused_with_what_was_typed(text, quoted):
    with pytest.raises(ConfigError) as caught:
        parse_vary(text)
    assert quoted in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_dimension_or_a_refusal(text):
    for typed in (text, f"learning_rate={text}", f"units=int:{text}", f"activation=choice:{text}"):
        try:
            said = parse_vary(typed).knob
        except ConfigError as error:
            said = str(error)
        assert said.splitlines() == [said]
