"""Data and settings at the edge of sense: each as documented, and no warning among the words."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Outside = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.campaign


def table(path: Path, rows: list[tuple[object, ...]]) -> str:
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return str(path)


def plain(n: int, classes: int = 2) -> list[tuple[object, ...]]:
    return [(i % 7 + i % classes, i % 5, "abcdefg"[i % classes]) for i in range(n)]


@pytest.fixture
def trained(outside: Outside, tmp_path: Path) -> Callable[..., dict]:
    """Trains and gives the record; the data are inspected too."""

    def train(rows: list[tuple[object, ...]], *args: str, epochs: int = 3) -> dict:
        source = table(tmp_path / "t.csv", rows)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            status, out, err = outside("data", source)
            assert status == 0, err
            common = ("--epochs", str(epochs), "--json", "--sessions", "kept")
            status, out, err = outside("train", "--data", source, *common, "--hidden", "4", *args)
        assert status == 0, err
        assert "warning" not in (out + err).lower()
        found = json.loads(out, parse_constant=lambda text: pytest.fail(text))
        return json.loads(Path(found["session"]).read_text())

    return train


@pytest.fixture
def refused(outside: Outside, tmp_path: Path) -> Callable[..., str]:
    def refuse(rows: list[tuple[object, ...]], *args: str) -> str:
        source = table(tmp_path / "t.csv", rows)
        status, out, err = outside("train", "--data", source, "--epochs", "2", "--sessions", "kept", *args)
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        return err

    return refuse


def test_a_batch_of_one(trained: Callable[..., dict], refused: Callable[..., str]) -> None:
    found = trained(plain(30), "--batch-size", "1", "--no-batch-norm")
    assert found["steps"] == 3 * found["data"]["train_rows"]
    assert "batch size 1: expected with batch norm" in refused(plain(30), "--batch-size", "1")


def test_a_remainder_of_one_is_dropped(trained: Callable[..., dict]) -> None:
    found = trained(plain(41), "--batch-size", "4")
    assert found["data"]["train_rows"] % 4 == 1
    assert found["steps"] == 3 * (found["data"]["train_rows"] // 4)


def test_a_constant_column_has_scale_one(trained: Callable[..., dict], outside: Outside) -> None:
    found = trained([(x, 5, y) for x, _, y in plain(40)])
    assert found["data"]["statistics"]["scale"][1] == 1.0
    assert "constant in the training rows" in outside("data", "t.csv")[1]


def test_one_class(refused: Callable[..., str]) -> None:
    assert "expected at least two classes, found one, 'a'" in refused([(i, i % 3, "a") for i in range(30)])


def test_a_class_absent_from_dev_trains_and_is_told(trained: Callable[..., dict], outside: Outside) -> None:
    found = trained([*plain(40), (9, 9, "z"), (8, 8, "z")])
    assert found["data"]["classes"] == ["a", "b", "z"]
    assert "too few rows to be in dev and test" in outside("data", "t.csv")[1]


def test_fewer_rows_than_a_batch(trained: Callable[..., dict], refused: Callable[..., str]) -> None:
    found = trained(plain(30))
    assert found["config"]["batch_size"] == found["data"]["train_rows"] < 64
    assert found["steps"] == 3
    assert f"expected at most the {found['data']['train_rows']} training rows" in refused(
        plain(30), "--batch-size", "64"
    )


def test_one_feature(trained: Callable[..., dict]) -> None:
    assert trained([(i % 9 + i % 2, "ab"[i % 2]) for i in range(40)])["data"]["features"] == 1


def test_a_thousand_classes(trained: Callable[..., dict]) -> None:
    found = trained([(i % 1000, i % 7, f"c{i % 1000}") for i in range(4000)], "--batch-size", "512", epochs=1)
    assert len(found["data"]["classes"]) == 1000
    assert np.isfinite(found["result"]["dev_cost"])


@pytest.mark.parametrize("batch_norm", ["--batch-norm", "--no-batch-norm"])
def test_inputs_that_are_all_equal(trained: Callable[..., dict], batch_norm: str) -> None:
    """Nothing can be learned but the classes' shares: no better than guessing, and finite."""
    found = trained([(3, 3, "ab"[i % 2]) for i in range(60)], batch_norm)
    assert found["result"]["dev_accuracy"] == 0.5
    assert found["data"]["statistics"]["scale"] == [1.0, 1.0]


def test_the_fewest_rows_that_can_be_split(trained: Callable[..., dict], refused: Callable[..., str]) -> None:
    found = trained([(1, 2, "a"), (2, 3, "a"), (3, 1, "a"), (4, 4, "b")])["data"]
    assert (found["train_rows"], found["dev_rows"], found["test_rows"]) == (2, 1, 1)
    assert "expected a class with at least 3 rows" in refused([(1, 2, "a"), (2, 3, "a"), (3, 1, "b")])


def test_a_lopsided_set(trained: Callable[..., dict], outside: Outside) -> None:
    trained([(i % 7, i % 5, "a" if i % 50 else "b") for i in range(400)])
    assert "unbalanced" in outside("data", "t.csv")[1]


def test_a_single_hidden_unit_and_rows_that_are_all_twice(trained: Callable[..., dict]) -> None:
    assert np.isfinite(trained(plain(20) * 2, "--hidden", "1")["result"]["dev_cost"])
