"""From what was asked for to a run: the lesson, defaults by the data, early refusals."""

from __future__ import annotations

import pytest

from pandatui.data import DataError
from pandatui.training import ConfigError, PlannedNudge
from pandatui.training.setup import RunOptions, parse_hidden, prepare


def test_nothing_asked_for_is_the_lesson():
    config, dataset = prepare(RunOptions())
    assert RunOptions().lesson
    assert (config.data, config.hidden, config.learning_rate, config.epochs) == (
        "spirals",
        (32, 32),
        0.0316,
        60,
    )
    assert (config.optimizer, config.batch_size, config.standardise) == ("momentum", 64, "column")
    assert dataset.name == "spirals"


def test_the_lesson_takes_what_is_asked_for():
    config, _ = prepare(RunOptions(hidden=(4,), epochs=2))
    assert (config.hidden, config.epochs, config.learning_rate) == ((4,), 2, 0.0316)
    config, _ = prepare(RunOptions(optimizer="adam"))
    assert config.learning_rate == 0.001


def test_named_data_have_the_plain_defaults():
    config, dataset = prepare(RunOptions(data="digits", dtype="float64"))
    assert (config.hidden, config.learning_rate, config.batch_size) == ((64, 32), 0.1, 64)
    assert config.standardise == "overall"  # images
    assert dataset.dtype == "float64"


def few_rows(tmp_path, rows):
    path = tmp_path / "few.csv"
    path.write_text("a,b,label\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(rows)))
    return str(path)


def test_few_rows_are_one_mini_batch(tmp_path):
    config, dataset = prepare(RunOptions(data=few_rows(tmp_path, 20)))
    assert config.batch_size == len(dataset.train) == 16


def test_more_than_the_training_rows_asked_for_is_refused(tmp_path):
    path = few_rows(tmp_path, 20)
    assert prepare(RunOptions(data=path, batch_size=16))[0].batch_size == 16
    with pytest.raises(ConfigError, match="batch size 17: expected at most the 16 training rows"):
        prepare(RunOptions(data=path, batch_size=17))


def test_what_no_data_can_mend_is_refused_before_they_load():
    nowhere = "/nowhere/at/all.csv"
    for options in (
        RunOptions(data=nowhere, epochs=0),
        RunOptions(data=nowhere, batch_size=0),
        RunOptions(data=nowhere, optimizer="sgd", plan=(PlannedNudge(1, "momentum", to=0.5),)),
    ):
        with pytest.raises(ConfigError):
            prepare(options)
    with pytest.raises(DataError):
        prepare(RunOptions(data=nowhere))


@pytest.mark.parametrize(("text", "hidden"), [("64,32", (64, 32)), ("7", (7,)), (" 8 , 4 ", (8, 4))])
def test_hidden_units_from_text(text, hidden):
    assert parse_hidden(text) == hidden


@pytest.mark.parametrize("text", ["", ",", "64,", "64;32", "a", "1e3", "6 4"])
def test_hidden_units_that_are_none(text):
    with pytest.raises(ConfigError, match="expected numbers of units such as 64,32"):
        parse_hidden(text)
