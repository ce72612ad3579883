"""What the tests of engines share: trials, what they come to alone, and two ways to train them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pandatui.data import load
from pandatui.search.cohort import Slice, train_slice
from pandatui.search.race import Race
from pandatui.search.space import default_space
from pandatui.search.spec import Spec
from pandatui.search.study import Study
from pandatui.training import Run, RunConfig
from pandatui.training.setup import RunOptions

LONG = 60  # only a failure waits so long


def config(rate: float, **more: object) -> RunConfig:
    settings: dict[str, object] = {"hidden": (6, 5), "batch_size": 64, "epochs": 5} | more
    return RunConfig(data="moons", standardise="column", learning_rate=rate, **settings)  # type: ignore[arg-type]


TWELVE = [
    config(rate, momentum=momentum, decay=decay, batch_norm=False)
    for rate in (0.01, 0.1, 1.0, 100.0)  # the last does not last
    for momentum, decay in ((0.9, 0.0), (0.5, 1.0), (0.99, 0.0))
]


def alone(dataset, config):
    """Status, steps, train costs, dev points and weights of a run by itself, which knows no population."""
    run = Run(config, dataset)
    while run.ready:
        run.step()
    dev = run.history.dev_cost.part(0, run.history.epochs).tolist()
    return run.status, run.steps, run.history.costs_sha256(), dev, run.weights_sha256()


def trained(engine, dataset, configs, width, steps):
    """The same of every config, trained on an engine in cohorts of `width`, `steps` a slice."""
    costs = {i: [] for i in range(len(configs))}
    dev = {i: [] for i in costs}
    ended = {}
    cohorts = [(list(costs)[i : i + width], None) for i in range(0, len(configs), width)]
    while cohorts:
        out = [
            (
                rows,
                engine.submit(
                    train_slice, Slice(tuple(configs[i] for i in rows), dataset.sha256, state, steps, 5)
                ),
            )
            for rows, state in cohorts
        ]
        cohorts = []
        for rows, future in out:
            outcome = future.result(LONG)
            for row, i in enumerate(rows):
                column = outcome.costs[:, row]
                costs[i] += column[~np.isnan(column)].tolist()
            for point in outcome.dev:
                for member, cost in zip(point.members, point.cost, strict=True):
                    dev[rows[member]].append(float(cost))
            for end in outcome.ended:
                ended[rows[end.member]] = end
            if outcome.state is not None:
                cohorts.append(([rows[member] for member in outcome.members], outcome.state))
    found = []
    for i, end in sorted(ended.items()):
        # fewer steps than a block of the chain has
        chain = hashlib.sha256(bytes(32) + np.array(costs[i], "<f8").tobytes()).hexdigest()
        found.append((end.status, end.steps, chain, dev[i], end.weights_sha256))
    return found


class Notes:
    """A ledger that lists which trials have ended."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def began(self, made) -> None:
        pass

    def ended(self, trials) -> None:
        self.numbers += [trial.number for trial in trials]

    def decided(self, of, epoch, dropped) -> None:
        self.ended(dropped)


def raced(engine, dataset, rates, train=train_slice, epochs=5):
    """Race these learning rates; every trial's result, once it is sure that none has ended twice."""
    base = config(0.1, epochs=epochs)
    spec = Spec(RunOptions(data="moons", epochs=epochs), trials=len(rates), rounds=1)
    study = Study(spec, base, default_space(base), [{"learning_rate": rate} for rate in rates])
    notes = Notes()
    Race(study, dataset, engine, notes, train=train).run()
    assert sorted(notes.numbers) == list(study.trials) == list(range(1, len(rates) + 1))
    return [
        (trial.status, trial.reason, trial.steps, trial.dev, trial.costs_sha256, trial.weights_sha256)
        for trial in study.trials.values()
    ]


@pytest.fixture(scope="session")
def moons():
    return load("moons", standardise="column")


@pytest.fixture
def trainers(monkeypatch):
    """The module of trainers, where workers find it too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import engine_trainers

    return engine_trainers


@pytest.fixture(scope="session")
def oracle(moons):
    return [alone(moons, each) for each in TWELVE]


@pytest.fixture(scope="session")
def new_config():
    return config


@pytest.fixture(scope="session")
def twelve():
    return TWELVE


@pytest.fixture(scope="session")
def train_all():
    return trained


@pytest.fixture(scope="session")
def race():
    return raced


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += map(int, listed.read_text().split())
    return found


@pytest.fixture(scope="session")
def children():
    return children_of


@pytest.fixture
def begun(tmp_path):
    """A pipe in which `endless` says that it has begun, and a function that reads so many process ids."""
    path = tmp_path / "begun"
    os.mkfifo(path)
    with open(os.open(path, os.O_RDWR)) as file:
        yield str(path), lambda count: [int(file.readline()) for _ in range(count)]
