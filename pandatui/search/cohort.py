"""Cohorts: trials of one shape in lockstep, trained slice by slice wherever there is a processor.

A `Slice` goes out with the state of its members and comes back as an `Outcome`, so that any executor will do:
curves are live, a trial can be stopped, and of a worker that dies only the slice is done again. The bits do
not depend on how trials are put together.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from pandatui.data import Dataset
from pandatui.nn import Architecture
from pandatui.training import RunConfig
from pandatui.training.environment import describe, pin_blas
from pandatui.training.history import Floats
from pandatui.training.population import DevPoint, Ended, Members, Population, shape_of
from pandatui.training.setup import load_for

CACHE_BYTES = 4 * 2**20  # what a cohort may take to stay in cache
MOST_MEMBERS = 64
_KEPT_DATASETS = 2


class DataMoved(ValueError):  # noqa: N818 - the answer of a worker that can't take part
    """The data that a worker finds are not those of the study."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Members of one cohort, to be trained `steps` further or to the end of `until_epoch`.

    Without a state they begin at the start. `sha256` is that of the data, which a worker loads by itself.
    """

    configs: tuple[RunConfig, ...]
    sha256: str
    state: Members | None
    steps: int
    until_epoch: int


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a slice has come to. Rows of `costs` (n, K) are steps, NaN where a member took none any more.

    `state` holds those who go on, `members` their places in the slice's configs.
    """

    costs: Floats
    dev: tuple[DevPoint, ...]
    ended: tuple[Ended, ...]
    state: Members | None
    members: tuple[int, ...]
    seconds: float
    environment: dict[str, str | int]


Train = Callable[[Slice], Outcome]


def train_slice(work: Slice) -> Outcome:
    """Train one slice. Runs in any process; raises DataMoved where the data are not at hand."""
    pin_blas()
    dataset = _data_for(work)
    began = time.perf_counter()
    population = Population(work.configs, dataset, work.state)
    start = population.steps
    costs = np.full((work.steps, len(work.configs)), np.nan)
    dev: list[DevPoint] = []
    while population.members and population.epoch < work.until_epoch:
        done = population.steps - start
        if done == work.steps:
            break
        members = list(population.members)
        costs[done, members], point = population.step()
        if point is not None:
            dev.append(point)
    return Outcome(
        costs[: population.steps - start],
        tuple(dev),
        tuple(population.ended),
        population.state() if population.members else None,
        tuple(population.members),
        time.perf_counter() - began,
        describe(),
    )


# -- data ----------------------------------------------------------------------------------------------------

_datasets: dict[tuple[str, int, str, str], Dataset] = {}
_loading = threading.Lock()  # a worker on a cluster may have several threads


def lend(dataset: Dataset, config: RunConfig) -> None:
    """Have the data of this config at hand in this process."""
    while len(_datasets) >= _KEPT_DATASETS:
        _datasets.pop(next(iter(_datasets)))
    _datasets[_key(dataset.sha256, config)] = dataset


def _key(sha256: str, config: RunConfig) -> tuple[str, int, str, str]:
    return sha256, config.split_seed, config.standardise, config.dtype


def _data_for(work: Slice) -> Dataset:
    config = work.configs[0]
    key = _key(work.sha256, config)
    with _loading:
        if key not in _datasets:
            dataset = load_for(asdict(config))
            if dataset.sha256 != work.sha256:
                expected, found = work.sha256[:12], dataset.sha256[:12]
                raise DataMoved(
                    f"{config.data!r} holds other data: expected sha256 {expected}…, found {found}…"
                )
            lend(dataset, config)
        return _datasets[key]


# -- putting trials together ---------------------------------------------------------------------------------


def width_for(config: RunConfig, features: int, classes: int) -> int:
    """How many members of this shape train quickest together: as many as stay in cache."""
    widths = (features, *config.hidden, classes)
    architecture = Architecture(features, config.hidden, classes, config.activation, config.batch_norm)
    weights = sum(rows * columns for rows, columns in architecture.parameter_shapes().values())
    moments = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2}[config.optimizer]
    passes = config.batch_size * (3 * sum(config.hidden) + widths[-1])
    member = np.dtype(config.dtype).itemsize * (weights * (2 + moments) + passes)
    return int(min(MOST_MEMBERS, max(1, CACHE_BYTES // member)))


def cohorts(configs: Sequence[RunConfig], width: Callable[[RunConfig], int], workers: int) -> list[list[int]]:
    """The configs' indices by cohort: one shape and seed in each, no wider than is quick.

    Where that leaves workers without one, narrower. In order of the first index.
    """
    by_shape: dict[tuple[object, ...], list[int]] = {}
    for i, config in enumerate(configs):
        by_shape.setdefault((*shape_of(config), config.seed), []).append(i)
    made = []
    for alike in by_shape.values():
        share = -(-len(configs) // workers)  # so that every worker gets some
        most = max(1, min(width(configs[alike[0]]), share))
        parts = -(-len(alike) // most)
        made += [part.tolist() for part in np.array_split(alike, parts)]
    return sorted(made, key=lambda part: part[0])
