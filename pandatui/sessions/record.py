"""The session of a run as it is between two steps: events, curves and figures, as they stand in the file."""

import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np

from pandatui.data import Dataset
from pandatui.sessions.schema import (
    FORMAT,
    VERSION,
    Blocks,
    Curves,
    DataRecord,
    EventRecord,
    Histograms,
    Parent,
    Result,
    Session,
    Statistics,
    Stretch,
    Values,
    to_number,
    to_numbers,
)
from pandatui.training import Run
from pandatui.training.environment import describe
from pandatui.training.history import CHAIN_BLOCK, Floats, Series
from pandatui.training.state import Evaluation
from pandatui.training.timeline import Abandoned

_MAX_BLOCKS = 8_192


@dataclass(frozen=True, slots=True)
class Identity:
    """What a session is called and where it comes from."""

    name: str
    id: str
    created: str
    parent: Parent | None = None

    @classmethod
    def new(cls, name: str, parent: Parent | None = None) -> "Identity":
        return cls(name, str(uuid.uuid4()), datetime.now(UTC).isoformat(timespec="seconds"), parent)


def record(run: Run, identity: Identity, seconds: float, evaluation: Evaluation | None) -> Session:
    """The session of a run as it is between two steps. With an evaluation its figures are the last ones."""
    return Session(
        format=FORMAT,
        version=VERSION,
        id=identity.id,
        name=identity.name,
        created=identity.created,
        status=run.status,  # type: ignore[arg-type]
        environment=describe(),
        config=run.config.to_dict(),
        data=_data_record(run.dataset),
        steps=run.steps,
        epochs=run.epoch,
        seconds=round(seconds, 3),
        events=[EventRecord(**asdict(event)) for event in run.events],
        curves=_curves(run),
        result=_result(run, evaluation),
        queue=[],
        parent=identity.parent,
    )


def _data_record(dataset: Dataset) -> DataRecord:
    statistics = dataset.standardisation
    return DataRecord(
        name=dataset.name,
        source=dataset.source,
        sha256=dataset.sha256,
        train_rows=len(dataset.train),
        dev_rows=len(dataset.dev),
        test_rows=len(dataset.test),
        features=dataset.n_features,
        image_shape=list(dataset.image_shape) if dataset.image_shape else None,
        classes=list(dataset.classes),
        statistics=Statistics(
            statistics.kind, statistics.mean.ravel().tolist(), statistics.scale.ravel().tolist()
        ),
    )


def _curves(run: Run) -> Curves:
    history = run.history
    links = [link.hex() for link in history.links[1:]] if history.steps > history.FULL_TRAIN else []

    def dev(series: Series) -> Values:
        return _values(series, history.FULL_DEV, history.END_DEV, history.DEV_SIZES[0], [])

    return Curves(
        train=_values(history.train, history.FULL_TRAIN, history.END_TRAIN, CHAIN_BLOCK, links),
        dev_step=dev(history.dev_step),
        dev_cost=dev(history.dev_cost),
        dev_accuracy=dev(history.dev_accuracy),
        abandoned=[_stretch(left) for left in run.timeline.abandoned],
        inputs=Histograms(list(run.distributions.epochs), run.distributions.counts().tolist()),
    )


def _stretch(left: Abandoned) -> Stretch:
    steps, costs = left.drawn()
    return Stretch(left.event, steps.tolist(), to_numbers(costs.tolist()))


def _values(series: Series, full: int, end: int, size: int, links: list[str]) -> Values:
    if series.n <= full:
        return Values(first=to_numbers(series.first[: series.n].tolist()))
    return Values(
        first=to_numbers(series.first[:end].tolist()),
        last=to_numbers(series.last(end).tolist()),
        blocks=_blocks(series.blocks(size), size, links, series.grain),
    )


def _blocks(rows: Floats, size: int, links: list[str], grain: int) -> Blocks:
    """Blocks (n, 3) of min, mean, max for the file; pairs merge until there are at most 8,192 of the grain.

    An odd block at the end has no pair and goes: its values are among the last.
    """
    while len(rows) > _MAX_BLOCKS or size < grain:
        even = len(rows) // 2 * 2
        one, two = rows[0:even:2], rows[1:even:2]
        low, high = np.minimum(one[:, 0], two[:, 0]), np.maximum(one[:, 2], two[:, 2])
        with np.errstate(all="ignore"):
            mean = (one[:, 1] + two[:, 1]) / 2
        rows = np.stack([low, mean, high], axis=1)
        size, links = size * 2, links[1:even:2]
    columns = [to_numbers(column) for column in rows.T.tolist()]
    return Blocks(size, min=columns[0], mean=columns[1], max=columns[2], h=links)


def _result(run: Run, evaluation: Evaluation | None) -> Result:
    history = run.history
    best = history.best
    dev_cost, dev_accuracy = history.dev_cost.last(1), history.dev_accuracy.last(1)
    recent = history.train.last(1)
    result = Result(
        train_cost=to_number(recent[0]) if len(recent) else None,
        best_epoch=best[0] if best else None,
        best_dev_cost=to_number(best[1]) if best else None,
        best_dev_accuracy=to_number(best[2]) if best else None,
        dev_cost=to_number(dev_cost[0]) if len(dev_cost) else None,
        dev_accuracy=to_number(dev_accuracy[0]) if len(dev_accuracy) else None,
        test_cost=None,
        test_accuracy=None,
        weights_sha256=run.weights_sha256(),
        costs_sha256=history.costs_sha256(),
    )
    if evaluation is not None:
        result.dev_cost, result.dev_accuracy = (
            to_number(evaluation.dev_cost),
            to_number(evaluation.dev_accuracy),
        )
        result.test_cost = to_number(evaluation.test_cost)
        result.test_accuracy = to_number(evaluation.test_accuracy)
    return result
