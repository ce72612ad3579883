"""What the tests of searches share: small studies, raced in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pandatui.search.cohort import lend, train_slice
from pandatui.search.engines import Inline
from pandatui.search.keeper import Opened, open_study
from pandatui.search.race import Race
from pandatui.search.setup import Ready, prepare
from pandatui.search.spec import Spec
from pandatui.search.study import Study
from pandatui.sessions import Store
from pandatui.training.setup import RunOptions


def make_ready(**settings: object) -> Ready:
    """Nine trials in three rounds on xor, a network of four units, six epochs each."""
    run = RunOptions(data="xor", hidden=(4,), epochs=6)
    ready = prepare(Spec(**({"run": run, "trials": 9} | settings)))  # type: ignore[arg-type]
    lend(ready.dataset, ready.base)
    return ready


def race_of(opened: Opened, ready: Ready, train: Callable = train_slice, **more: bool) -> Race:
    return Race(opened.study, ready.dataset, Inline(), opened.keeper, train=train, **more)


def raced(folder: Path, ready: Ready, train: Callable = train_slice) -> Study:
    """Open it, race it to the end, and close it."""
    opened = open_study(Store(folder), ready)
    race_of(opened, ready, train).run()
    opened.keeper.close()
    assert opened.keeper.problem == ""
    return opened.study


def table_of(study: Study) -> list[tuple[object, ...]]:
    """All that trials have come to, and the boxes they were sampled from."""
    names = ("number", "round", "values", "config", "status", "reason", "steps", "epochs", "dev")
    names += ("weights_sha256", "costs_sha256")
    trials = [tuple(getattr(trial, name) for name in names) for trial in study.trials.values()]
    return [*trials, *((r.number, r.box, r.trials, r.decided) for r in study.rounds)]


@pytest.fixture(scope="session")
def new_ready() -> Callable[..., Ready]:
    return make_ready


@pytest.fixture(scope="session")
def finish() -> Callable[..., Study]:
    return raced


@pytest.fixture(scope="session")
def table() -> Callable[[Study], list[tuple[object, ...]]]:
    return table_of


@pytest.fixture(scope="session")
def new_race() -> Callable[..., Race]:
    return race_of
