"""RunConfig: round trip, every field refused in one line, planned nudges from text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.training import ConfigError, PlannedNudge, RunConfig

FULL = RunConfig(
    data="table.csv",
    label="kind",
    drop=("id", "3"),
    standardise="overall",
    hidden=(8, 4, 2),
    activation="tanh",
    batch_norm=False,
    optimizer="adam",
    learning_rate=0.0316,
    momentum=0.8,
    second_moment=0.99,
    decay=0.01,
    l2=0.001,
    batch_size=1,
    epochs=3,
    seed=2**63 - 1,
    split_seed=7,
    dtype="float64",
    plan=(PlannedNudge(9, "decay", times=2.0), PlannedNudge(2, "l2", to=0.0)),
)


@pytest.mark.parametrize("config", [RunConfig("digits"), FULL])
def test_to_dict_and_back_through_json(config):
    plain = config.to_dict()
    assert RunConfig.from_dict(json.loads(json.dumps(plain))) == config
    assert set(plain) == set(RunConfig.__dataclass_fields__)


def test_every_default_is_written_out():
    assert RunConfig("digits").to_dict() == {
        "data": "digits",
        "label": None,
        "drop": [],
        "standardise": "column",
        "hidden": [64, 32],
        "activation": "relu",
        "batch_norm": True,
        "optimizer": "momentum",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "second_moment": 0.999,
        "decay": 0.0,
        "l2": 0.0,
        "batch_size": 64,
        "epochs": 60,
        "seed": 1,
        "split_seed": 0,
        "dtype": "float32",
        "plan": [],
    }


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("momentum", 0.1), ("sgd", 0.1), ("adam", 0.001), ("rmsprop", 0.001)]
)
def test_the_rate_is_the_optimizers_own_where_nothing_was_said(optimizer, rate):
    assert RunConfig("digits", optimizer=optimizer).learning_rate == rate
    assert RunConfig("digits", optimizer=optimizer, learning_rate=0.5).learning_rate == 0.5


def test_values_have_twelve_digits_and_the_plan_is_in_order_of_steps():
    assert RunConfig("digits", learning_rate=0.1234567890123456).learning_rate == 0.123456789012
    assert [nudge.step for nudge in FULL.plan] == [2, 9]
    nudges = (PlannedNudge(5, "l2", to=1.0), PlannedNudge(5, "l2", to=2.0))
    assert RunConfig("digits", plan=nudges).plan == nudges  # as given, where the step is the same


INVALID = [
    ("data", 5, "text in UTF-8"),
    ("data", "\udcff.csv", "text in UTF-8"),
    ("data", "x" * 5000, "text in UTF-8"),
    ("label", 5, "text in UTF-8"),
    ("drop", [3], "text in UTF-8"),
    ("drop", "ab", "a list"),
    ("standardise", "auto", "one of column, overall, none"),
    ("hidden", [], "1 … 32"),
    ("hidden", [1] * 33, "1 … 32"),
    ("hidden", [0], "a whole number from 1 to 65,536"),
    ("hidden", [65_537], "a whole number from 1 to 65,536"),
    ("hidden", [1.5], "a whole number from 1 to 65,536"),
    ("hidden", "64", "a list"),
    ("hidden", None, "a list"),
    ("activation", "swish", "one of relu, leaky_relu, tanh, sigmoid"),
    ("activation", ["relu"], "one of relu, leaky_relu, tanh, sigmoid"),
    ("batch_norm", 1, "true or false"),
    ("optimizer", "lion", "one of"),
    ("optimizer", None, "one of"),
    ("learning_rate", 0, "1e-06 … 100"),
    ("learning_rate", 101, "1e-06 … 100"),
    ("learning_rate", math.nan, "1e-06 … 100"),
    ("learning_rate", 10**400, "1e-06 … 100"),
    ("learning_rate", "0.1", "1e-06 … 100"),
    ("learning_rate", True, "1e-06 … 100"),
    ("momentum", 1, "0 … 0.9999"),
    ("momentum", None, "0 … 0.9999"),
    ("second_moment", -0.1, "0 … 0.99999"),
    ("decay", 0.0001, "0, or 0.001 … 10"),
    ("decay", math.inf, "0, or 0.001 … 10"),
    ("l2", 1e-6, "0, or 1e-05 … 100"),
    ("batch_size", 1, "with batch norm, a whole number from 2"),
    ("batch_size", 64.0, "a whole number from 2"),
    ("batch_size", True, "a whole number from 2"),
    ("epochs", 0, "a whole number from 1 to 10,000,000"),
    ("epochs", 10_000_001, "a whole number from 1 to 10,000,000"),
    ("seed", -1, "a whole number from 0"),
    ("seed", 2**63, "a whole number from 0"),
    ("split_seed", 0.5, "a whole number from 0"),
    ("dtype", "float16", "one of float32, float64"),
    ("plan", {}, "a list"),
    ("plan", [5], "step, knob and either to or times"),
    ("plan", [{"step": 1}], "step, knob and either to or times"),
    ("plan", [{"step": 1, "knob": "l2", "to": 0.1, "odd": 1}], "step, knob and either to or times"),
    ("plan", [{"step": 1, "knob": "l2"}], "either a value or a factor"),
    ("plan", [{"step": 1, "knob": "l2", "to": 0.1, "times": 2.0}], "either a value or a factor"),
    ("plan", [{"step": 0, "knob": "l2", "to": 0.1}], "a whole number from 1"),
    ("plan", [{"step": True, "knob": "l2", "to": 0.1}], "a whole number from 1"),
    ("plan", [{"step": 1, "knob": "hidden", "to": 5}], "one of learning_rate"),
    ("plan", [{"step": 1, "knob": [], "to": 5}], "one of learning_rate"),
    ("plan", [{"step": 1, "knob": "l2", "times": "2"}], "a positive number"),
    ("plan", [{"step": 1, "knob": "l2", "times": 0}], "a positive number"),
    ("plan", [{"step": 1, "knob": "l2", "to": 101}], "0, or 1e-05 … 100"),
    ("plan", [{"step": 1, "knob": "second_moment", "to": 0.9}], "is not used by momentum"),
]


@pytest.mark.parametrize(("field", "value", "expected"), INVALID)
def test_an_invalid_field_is_refused_in_one_line(field, value, expected):
    plain = RunConfig("digits").to_dict() | {field: value}
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_dict(plain)
    message = str(caught.value)
    assert expected in message
    assert "\n" not in message
    assert field == "plan" or field.split("_", maxsplit=1)[0] in message.lower()


@pytest.mark.parametrize("odd", [{"colour": "red"}, {"": 1}])
def test_unknown_and_missing_fields_are_named(odd):
    plain = RunConfig("digits").to_dict()
    with pytest.raises(ConfigError, match=repr(next(iter(odd)))):
        RunConfig.from_dict(plain | odd)
    del plain["l2"]
    with pytest.raises(ConfigError, match="'l2'"):
        RunConfig.from_dict(plain)


def test_a_rate_left_to_the_optimizer_is_none_on_record():
    with pytest.raises(ConfigError, match="learning rate None"):
        RunConfig.from_dict(RunConfig("digits").to_dict() | {"learning_rate": None})


@pytest.mark.parametrize(
    ("text", "nudge"),
    [
        ("500:learning_rate=0.01", PlannedNudge(500, "learning_rate", to=0.01)),
        (" 500 : learning_rate = 1e-2 ", PlannedNudge(500, "learning_rate", to=0.01)),
        ("1:momentum=*0.5", PlannedNudge(1, "momentum", times=0.5)),
        ("1:momentum=x0.5", PlannedNudge(1, "momentum", times=0.5)),
        ("1:momentum=/2", PlannedNudge(1, "momentum", times=0.5)),
        ("7:batch_size=32", PlannedNudge(7, "batch_size", to=32.0)),
        ("7:decay=0", PlannedNudge(7, "decay", to=0.0)),
        ("7:l2=0.12345678901234", PlannedNudge(7, "l2", to=0.123456789012)),
    ],
)
def test_a_planned_nudge_from_text(text, nudge):
    assert PlannedNudge.parse(text) == nudge


@pytest.mark.parametrize(
    "text",
    [
        "",
        "500",
        "500:",
        "500:learning_rate",
        "500:learning_rate=",
        "500:learning_rate=fast",
        "500:learning_rate=0.1=0.2",
        "500:learning_rate=inf",
        "500:learning_rate=nan",
        "500:learning_rate=1e999",
        "500:batch_size=inf",
        "500:batch_size=1e999",
        "500:batch_size=2.5",
        "500:learning_rate=/0",
        "500:learning_rate=*0",
        "500:learning_rate=*-1",
        "500:learning_rate=*nan",
        "500:learning_rate=*inf",
        "500:learning_rate=/inf",
        "500:learning_rate=/1e-320",
        "500:learning_rate=**2",
        "500:learning_rate=-0.1",
        "500:hidden=5",
        "500:rate=5",
        "0:learning_rate=0.1",
        "-5:learning_rate=0.1",
        "1.5:learning_rate=0.1",
        "1e3:learning_rate=0.1",
        "99999999999999999999:learning_rate=0.1",
        "9999999999999999:learning_rate=0.1",
        "²:learning_rate=0.1",
        ":learning_rate=0.1",
        "4:learning_rate=" + "\x7f" * 5_000,
        "\x7f" * 5_000,
    ],
)
def test_a_nudge_that_cannot_be_is_refused_in_one_short_line(text):
    with pytest.raises(ConfigError) as caught:
        PlannedNudge.parse(text)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.text(max_size=30))
def test_any_text_is_a_nudge_or_a_config_error(text):
    for attempt in (text, f"5:{text}", f"5:learning_rate={text}", f"{text}:l2=0"):
        try:
            nudge = PlannedNudge.parse(attempt)
        except ConfigError:
            continue
        assert nudge.step >= 1
