"""What is trained on a mapped folder, from outside: bits, files and words are those of one in memory."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pandatui import cli
from pandatui.data import mapped
from pandatui.data.taken import Standardised
from pandatui.search import cohort
from pandatui.sessions import inputs as sessions_inputs
from pandatui.training import Run
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.trainer import Trainer

ROWS = 1500
OPTIONS = ("--data", "big", "--hidden", "6", "--epochs", "3", "--batch-size", "50", "--name", "one")
BITS = ("weights_sha256", "costs_sha256", "dev_cost", "best_dev_cost", "test_accuracy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder "big": 5 numbers a row, three classes that they tell apart, more or less."""
    rng = np.random.default_rng(3)
    labels = rng.integers(3, size=ROWS)
    (tmp_path / "big").mkdir()
    inputs = rng.normal(7, 2, (ROWS, 5)) + labels[:, None]
    np.save(tmp_path / "big/X.npy", inputs.astype(np.float32))
    np.save(tmp_path / "big/y.npy", labels)
    return tmp_path


@pytest.fixture
def map_all(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    return lambda on: monkeypatch.setattr(mapped, "MAPPED_FROM", 1 if on else sys.maxsize)


@pytest.fixture
def pandatui_(monkeypatch, capfd, folder):
    """Runs a command in this process, beside the data: (status, stdout, stderr)."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PANDATUI_SESSIONS", "kept")

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pandatui", *args])
        try:
            cli.main()
            status = 0
        except SystemExit as done:
            status = done.code or 0  # type: ignore[assignment]
        return (status, *capfd.readouterr())

    return run


def both_ways(map_all, do: Callable[[], object]) -> list[object]:
    found = []
    for on in (False, True):
        map_all(on)
        found.append(do())
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("standardise", ["column", "overall", "none"])
def test_a_run_has_the_bits_that_it_has_in_memory(pandatui_, map_all, dtype, standardise):
    def train() -> dict[str, object]:
        name = f"run-{mapped.MAPPED_FROM}"
        options = (*OPTIONS[:-1], name, "--standardise", standardise, "--dtype", dtype)
        status, out, err = pandatui_("train", "--json", *options)
        assert status == 0, err
        return {key: json.loads(out)[key] for key in BITS}

    in_memory, there = both_ways(map_all, train)
    assert in_memory == there


def test_verified_exported_and_predicted_either_way(pandatui_, map_all):
    map_all(True)
    assert pandatui_("train", *OPTIONS)[0] == 0

    def handed_on() -> tuple[object, ...]:
        assert pandatui_("replay", "one", "--verify")[0] == 0
        assert pandatui_("export", "one", "--format", "npz", "-o", "net.npz")[0] == 0
        with np.load("net.npz") as net:
            arrays = {name: array.tobytes() for name, array in net.items()}
        return arrays, pandatui_("predict", "one", "big")

    in_memory, there = both_ways(map_all, handed_on)
    assert in_memory == there
    assert there[1][1].count("\n") == ROWS + 1


def test_rows_to_predict_are_read_as_they_are_needed(pandatui_, map_all):
    map_all(True)
    config, dataset = prepare(RunOptions(data="big"))
    found = sessions_inputs.load_inputs("big", config, dataset)
    assert isinstance(found, Standardised)
    expected = dataset.standardisation.apply(np.load("big/X.npy"))
    assert found[:].tobytes() == expected.tobytes()


def test_what_cannot_be_predicted_is_refused_in_one_line(pandatui_, map_all):
    map_all(True)
    assert pandatui_("train", *OPTIONS)[0] == 0
    os.rename("big", "good")
    for name, value in (("nan", np.nan), ("wide", 0)):
        inputs = np.load("good/X.npy")
        inputs[700, 3] = value
        os.mkdir(name)
        np.save(f"{name}/X.npy", np.repeat(inputs, 2, axis=1) if name == "wide" else inputs)
        np.save(f"{name}/y.npy", np.load("good/y.npy"))
    for name, words in (
        ("nan", "row 701, input 4: expected a number"),
        ("wide", "rows of 5 inputs, found 10"),
    ):
        status, out, err = pandatui_("predict", "one", name, "--data", "good")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_trials_have_the_bits_that_they_have_in_memory(pandatui_, map_all, monkeypatch):
    config, dataset = prepare(RunOptions(data="big", hidden=(6,), epochs=2, batch_size=50))

    def train() -> list[object]:
        monkeypatch.setattr(cohort, "_datasets", {})  # as in a worker, which loads by itself
        outcome = cohort.train_slice(cohort.Slice((config,) * 3, dataset.sha256, None, 10**3, 2))
        (loaded,) = cohort._datasets.values()
        assert isinstance(loaded.train.inputs, Standardised) == (mapped.MAPPED_FROM == 1)
        return [
            outcome.costs.tobytes(),
            [end.weights_sha256 for end in outcome.ended],
            [point.cost.tobytes() for point in outcome.dev],
        ]

    in_memory, there = both_ways(map_all, train)
    assert in_memory == there


def test_data_says_so(pandatui_, map_all):
    map_all(False)
    assert "mapped" not in pandatui_("data", "big")[1]
    map_all(True)
    status, out, err = pandatui_("data", "big")
    assert (status, err) == (0, "")
    assert "X.npy of 256 MB or more is mapped" in " ".join(pandatui_("data", "--help")[1].split())
    assert "memory    mapped: 0 MB of inputs stay on disk, rows are read as they are needed\n" in out


def cut_at(patch: pytest.MonkeyPatch, owner: type, method: str, call: int) -> None:
    """Have big/X.npy cut just before a method is called for the nth time."""
    meant = getattr(owner, method)
    calls = iter(range(1, 10**6))

    def cutting(*args: object, **named: object) -> object:
        if next(calls) == call:
            os.truncate("big/X.npy", 3000)
        return meant(*args, **named)

    patch.setattr(owner, method, cutting)


class TestDataThatChange:
    """A file cut in the middle of a run ends it in one line; all steps before it are on record."""

    @pytest.fixture
    def whole(self, pandatui_, map_all):
        """The bits of the run that nothing happens to."""
        map_all(True)
        status, out, _ = pandatui_("train", "--json", *OPTIONS[:-1], "whole")
        assert status == 0
        return [json.loads(out)[key] for key in BITS]

    @pytest.mark.parametrize(
        ("owner", "method", "call"),
        [(Run, "step", 37), (Trainer, "_end_epoch", 1), (Trainer, "_end_epoch", 3)],
        ids=["in a step", "in a dev evaluation", "in the last one"],
    )
    def test_it_is_told_and_gone_on_with(self, pandatui_, whole, monkeypatch, folder, owner, method, call):
        content = (folder / "big/X.npy").read_bytes()
        with monkeypatch.context() as patch:
            cut_at(patch, owner, method, call)
            status, _, err = pandatui_("train", *OPTIONS)
        assert status == 2
        assert "Traceback" not in err
        last = err.splitlines()[-1]
        assert "big/X.npy: expected a file that stays as it is while in use, found it changed" in last
        assert last.endswith("the session is kept/one.json")
        (folder / "big/X.npy").write_bytes(content)
        status, out, err = pandatui_("resume", "one", "--headless", "--json")
        assert status == 0, err
        assert [json.loads(out)[key] for key in BITS] == whole
        assert pandatui_("replay", "one", "--verify")[0] == 0

    def test_after_the_last_step_only_the_last_figures_are_missing(self, pandatui_, whole, monkeypatch):
        with monkeypatch.context() as patch:
            cut_at(patch, Run, "evaluate", 1)
            status, out, err = pandatui_("train", "--json", *OPTIONS)
        assert status == 2
        assert "saved without its last figures: big/X.npy: expected a file that stays" in err
        found = json.loads(out)
        assert [found[key] for key in BITS[:2]] == whole[:2]
        assert found["test_accuracy"] is None
