"""Specs: what they refuse, their rounds, and a fingerprint of what is meant however it is written."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension, Space
from pandatui.search.space import wide_space
from pandatui.search.spec import RUN_OPTIONS, Spec, SpecError
from pandatui.training import PlannedNudge, RunConfig
from pandatui.training.setup import RunOptions

DIGITS = RunConfig("digits")
ALPHA = Dimension("learning_rate", "log", 1e-4, 1)
FULL = Spec(
    run=RunOptions(
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
        batch_size=16,
        epochs=3,
        split_seed=7,
        dtype="float64",
    ),
    space=wide_space(DIGITS, 1_000),
    rounds=2,
    trials=9,
    keep=0.5,
    seed=2**63 - 4,
    objective="dev_accuracy",
    sampling="grid",
    halving=True,
    seeds=4,
)


@pytest.mark.parametrize("spec", [Spec(), Spec(run=RunOptions(data="digits")), FULL])
def test_to_plain_and_back_through_json(spec):
    plain = json.loads(json.dumps(spec.to_plain()))
    assert Spec.from_plain(plain) == spec
    assert Spec.from_plain(plain).fingerprint() == spec.fingerprint()


def test_every_default_of_the_study_is_written_out():
    assert Spec(run=RunOptions(data="digits")).to_plain() == {
        "run": {"data": "digits"},
        "space": "default",
        "rounds": 3,
        "trials": 60,
        "keep": 0.25,
        "seed": 1,
        "objective": "dev_cost",
        "sampling": "random",
        "halving": False,
        "seeds": 1,
    }
    assert set(FULL.to_plain()["run"]) == set(RUN_OPTIONS)


@pytest.mark.parametrize(
    ("trials", "rounds", "sizes"),
    [
        (60, 3, (20, 20, 20)),
        (48, 3, (16, 16, 16)),
        (50, 3, (17, 17, 16)),
        (7, 4, (2, 2, 2, 1)),
        (3, 3, (1,) * 3),
    ],
)
def test_trials_are_spread_evenly_and_the_earlier_rounds_get_the_rest(trials, rounds, sizes):
    assert Spec(trials=trials, rounds=rounds).round_sizes() == sizes


@given(st.integers(1, 100), st.integers(1, 20_000))
def test_round_sizes_add_up_and_differ_by_at_most_one(rounds, trials):
    if trials < rounds:
        with pytest.raises(SpecError, match=f"trials {trials}: expected at least one a round"):
            Spec(rounds=rounds, trials=trials)
        return
    sizes = Spec(rounds=rounds, trials=trials).round_sizes()
    assert sum(sizes) == trials
    assert len(sizes) == rounds
    assert list(sizes) == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ([], "spec []: expected a table"),
        (None, "spec None: expected a table"),
        ({"colour": 1}, "spec: 'colour': expected one of run, space"),
        ({"workers": 2}, "spec: 'workers': expected one of"),
        ({"run": []}, "run []: expected a table"),
        ({"run": {"colour": 1}}, "run: 'colour': expected one of data"),
        ({"run": {"seed": 1}}, "run: 'seed': expected one of"),
        ({"run": {"plan": []}}, "run: 'plan': expected one of"),
        ({"run": {"data": 5}}, "run: data 5: expected text"),
        ({"run": {"data": "\udcff"}}, "run: data '\\udcff': expected text"),
        ({"run": {"hidden": "64"}}, "run.hidden '64': expected a list"),
        ({"run": {"hidden": ["64"]}}, "run: hidden units '64': expected a whole number"),
        ({"run": {"drop": "id"}}, "run.drop 'id': expected a list"),
        ({"run": {"drop": [1]}}, "run: drop 1: expected text"),
        ({"run": {"standardise": "some"}}, "run.standardise 'some': expected one of auto"),
        ({"run": {"standardise": []}}, "run.standardise []: expected one of auto"),
        ({"run": {"optimizer": "lion"}}, "run: optimizer 'lion': expected one of"),
        ({"run": {"optimizer": {}}}, "run: optimizer {}: expected one of"),
        ({"run": {"learning_rate": 1e3}}, "run: learning rate 1000.0: expected 1e-06 … 100"),
        ({"run": {"momentum": math.nan}}, "run: momentum nan: expected"),
        ({"run": {"batch_size": 1}}, "run: batch size 1: expected with batch norm"),
        ({"run": {"epochs": 0}}, "run: epochs 0: expected a whole number"),
        ({"run": {"batch_norm": 1}}, "run: batch norm 1: expected true or false"),
        ({"space": "narrow"}, "space 'narrow': expected one of default, wide"),
        ({"space": 5}, "space 5: expected a table of knobs"),
        ({"space": None}, "space None: expected a table of knobs"),
        ({"space": {}}, "space: expected at least one knob"),
        ({"space": {"colour": {}}}, "space: knob 'colour': expected one of"),
        ({"space": {"colour": {"scale": "log", "low": 1, "high": 2}}}, "space: knob 'colour'"),
        ({"space": {"l2": {"scale": "log", "low": 0, "high": 2}}}, "space: l2: low 0: expected more than 0"),
        ({"space": {"second_moment": {"scale": "log1m", "low": 0.9, "high": 0.99}}}, "not used by momentum"),
        (
            {"space": {"batch_size": {"scale": "int", "low": 1, "high": 9}}},
            "space: batch_size 1: expected at",
        ),
        ({"rounds": 0}, "rounds 0: expected a whole number from 1 to 100"),
        ({"rounds": 2.0}, "rounds 2.0: expected a whole number"),
        ({"rounds": None}, "rounds None: expected a whole number"),
        ({"rounds": True}, "rounds True: expected a whole number"),
        ({"rounds": 101, "trials": 200}, "rounds 101: expected a whole number from 1 to 100"),
        ({"trials": 2}, "trials 2: expected at least one a round, a whole number from 3 to 20,000"),
        ({"trials": 100_001}, "trials 100001: expected"),
        ({"keep": 0}, "keep 0: expected a part above 0, at most 1"),
        ({"keep": 1.1}, "keep 1.1: expected"),
        ({"keep": math.nan}, "keep nan: expected"),
        ({"keep": "0.25"}, "keep '0.25': expected"),
        ({"seed": -1}, "seed -1: expected a whole number from 0"),
        ({"seed": 2**63}, "seed 9223372036854775808: expected"),
        ({"seed": 2**63 - 1, "seeds": 2}, "seed 9223372036854775807: expected"),
        ({"seeds": 0}, "seeds 0: expected a whole number from 1 to 100"),
        ({"objective": "test_cost"}, "objective 'test_cost': expected one of dev_cost"),
        ({"objective": ["dev_cost"]}, "objective ['dev_cost']: expected one of"),
        ({"sampling": "bayes"}, "sampling 'bayes': expected one of random, grid, neighbours"),
        ({"sampling": "neighbours"}, "rounds 3: expected 1 of neighbours"),
        ({"halving": 1}, "halving 1: expected true or false"),
    ],
)
def test_what_is_no_spec_is_refused_in_one_line_that_says_where(plain, expected):
    with pytest.raises(SpecError) as caught:
        Spec.from_plain(plain)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_has_the_studys_seed_and_no_nudges():
    with pytest.raises(SpecError, match=r"run\.seed: expected the study's seed"):
        Spec(run=RunOptions(seed=0))
    with pytest.raises(SpecError, match=r"run\.plan: expected no planned nudges"):
        Spec(run=RunOptions(plan=(PlannedNudge(1, "l2", to=0.1),)))
    assert Spec(seed=5).settled().seed == 5


# -- fingerprint ---------------------------------------------------------------------------------------------


def test_the_fingerprint_is_of_what_is_meant():
    bare = Spec.from_plain({"run": {"data": "digits"}})
    written = {
        "seeds": 1,
        "halving": False,
        "sampling": "random",
        "objective": "dev_cost",
        "seed": 1,
        "keep": 0.25,
        "trials": 60,
        "rounds": 3,
        "space": "default",
        "run": {
            "dtype": "float32",
            "epochs": 60,
            "batch_size": 64,
            "l2": 0,
            "decay": 0.0,
            "second_moment": 0.999,
            "momentum": 0.9,
            "learning_rate": 0.1,
            "optimizer": "momentum",
            "batch_norm": True,
            "activation": "relu",
            "hidden": [64, 32],
            "standardise": "auto",
            "drop": [],
            "label": None,
            "split_seed": 0,
            "data": "digits",
        },
    }
    assert Spec.from_plain(written).fingerprint() == bare.fingerprint()


def test_the_lesson_written_out_is_the_lesson():
    lesson = Spec.from_plain({"run": {"data": "spirals", "hidden": [32, 32], "learning_rate": 0.0316}})
    assert lesson.fingerprint() == Spec().fingerprint()


def test_numbers_and_order_in_a_space_do_not_matter():
    one = {
        "learning_rate": {"scale": "log", "low": 1, "high": 10},
        "layers": {"scale": "int", "low": 1, "high": 4},
    }
    other = {
        "layers": {"high": 4, "low": 1, "scale": "int"},
        "learning_rate": {"high": 10.0, "low": 1.0, "scale": "log"},
    }
    assert Spec.from_plain({"space": one}).fingerprint() == Spec.from_plain({"space": other}).fingerprint()
    assert Spec.from_plain({"keep": 1}).fingerprint() == Spec.from_plain({"keep": 1.0}).fingerprint()


CHANGES = [
    {"space": "wide"},
    {"space": Space((ALPHA,))},
    {"rounds": 2},
    {"trials": 61},
    {"keep": 0.3},
    {"seed": 2},
    {"objective": "best_dev_cost"},
    {"sampling": "grid"},
    {"halving": True},
    {"seeds": 2},
    {"run": RunOptions(data="digits", epochs=61)},
    {"run": RunOptions(data="digits", standardise="column")},
    {"run": RunOptions(data="digits", split_seed=1)},
    {"run": RunOptions(data="moons")},
    {"run": RunOptions(data="digits", drop=("a",))},
]


def test_whatever_changes_the_study_changes_the_fingerprint():
    bare = Spec(run=RunOptions(data="digits"))
    prints = {replace(bare, **change).fingerprint() for change in CHANGES} | {bare.fingerprint()}
    assert len(prints) == len(CHANGES) + 1


def test_the_fingerprint_is_the_same_in_another_process():
    code = (
        "from pandatui.search.spec import Spec; from pandatui.training.setup import RunOptions;"
        "print(Spec(run=RunOptions(data='digits'), space='wide').fingerprint())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == Spec(run=RunOptions(data="digits"), space="wide").fingerprint()
