"""What the tests share: a home of their own, and small data sets and runs made to measure."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from pandatui.data import Dataset, Part, Standardisation
from pandatui.training import Run, RunConfig

settings.register_profile("tests", deadline=None)  # a busy machine is no failure
settings.load_profile("tests")

# seconds for a campaign without a limit of its own; one that is told how much to do may take hours
SHORT, LONG = 300, 7200
TOLD = any(
    name.startswith("PANDATUI_") and name not in ("PANDATUI_SEED", "PANDATUI_SESSIONS") for name in os.environ
)
# what takes keys, moments and bytes at random takes them from it, here and in the processes of `pytest -n`
SEED = os.environ.setdefault("PANDATUI_SEED", str(secrets.randbelow(10**9)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.get("failed"):
        terminalreporter.write_line(f"to take the same random keys and moments again: PANDATUI_SEED={SEED}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("campaign") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG if TOLD else SHORT))


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without settings or sessions, and nothing said by the environment or the clock."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("PANDATUI_SESSIONS", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(
        "pandatui.report._LONG_LOAD", math.inf
    )  # else a busy machine says more than is asked for
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    return folder


def make_dataset(
    rows: int = 21, *, features: int = 3, classes: int = 3, dtype: str = "float32", scale: float = 1.0
) -> Dataset:
    """Random points with labels that depend on them; every class is in every part."""
    rng = np.random.default_rng(5)

    def part(n: int) -> Part:
        labels = (np.arange(n) % classes).astype(np.intp)
        inputs = rng.standard_normal((n, features))
        inputs[:, 0] += labels
        return Part((scale * inputs).astype(dtype), labels)

    return Dataset(
        name="made",
        source="made",
        train=part(rows),
        dev=part(8),
        test=part(8),
        classes=tuple(map(str, range(classes))),
        features=tuple(f"x{i}" for i in range(1, features + 1)),
        image_shape=None,
        standardisation=Standardisation("none", np.zeros(features), np.ones(features)),
        sha256="0" * 64,
    )


def make_run(dataset: Dataset | None = None, **settings: object) -> Run:
    """A small run: 21 rows in mini-batches of 4, so that the last of an epoch would be one row."""
    dataset = make_dataset() if dataset is None else dataset
    defaults: dict[str, object] = {"data": "made", "standardise": "none", "hidden": (5, 4), "batch_size": 4}
    return Run(RunConfig(**(defaults | {"epochs": 4} | settings)), dataset)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def dataset() -> Callable[..., Dataset]:
    return make_dataset


@pytest.fixture(scope="session")
def new_run() -> Callable[..., Run]:
    return make_run
