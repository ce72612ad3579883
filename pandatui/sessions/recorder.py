"""Recorder: keeps a session's file in step with its run.

It has a thread of its own: every ten seconds it asks the Driver for a copy of the record between two steps
(quick), then encodes and writes it while training goes on. A disk that is full or gone stops no training:
the problem is there to be shown, and saving is tried again.
"""

import threading
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
    Result,
    Session,
    Statistics,
    Stretch,
    Values,
    encode,
    to_number,
    to_numbers,
)
from pandatui.sessions.store import Store
from pandatui.training import Driver, Run
from pandatui.training.environment import describe
from pandatui.training.events import Diverged, Fact, Failed, Finished
from pandatui.training.history import CHAIN_BLOCK, Floats, Series
from pandatui.training.run import Evaluation
from pandatui.training.timeline import Abandoned

PERIOD = 10.0  # seconds
_MAX_BLOCKS = 8_192


@dataclass(frozen=True, slots=True)
class Identity:
    """What a session is called and where it comes from."""

    name: str
    id: str
    created: str

    @classmethod
    def new(cls, name: str) -> "Identity":
        return cls(name, str(uuid.uuid4()), datetime.now(UTC).isoformat(timespec="seconds"))


class Recorder:
    """Saves one Driver's run. `problem` is what kept the last save from succeeding, or empty."""

    def __init__(self, driver: Driver, store: Store, identity: Identity) -> None:
        self._driver = driver
        self._store = store
        self.identity = identity
        self.problem = ""
        self.saves = 0
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._main, name="pandatui-recorder", daemon=True)
        self._lock = threading.Lock()
        driver.subscribe(self._hear)

    @property
    def path(self) -> str:
        return str(self._store.path(self.identity.name))

    def start(self) -> None:
        """Write the file before the first step, then go on in the background.

        Raises OSError, FileExistsError where the name is taken.
        """
        self._store.prepare()
        self._store.write(self.identity.name, encode(self._ask(None)), new=True)
        self._thread.start()

    def save(self) -> None:
        """Ask for a save soon."""
        self._wanted.set()

    def close(self, evaluate: bool = True) -> Session:
        """The last save, once the Driver has ended: with the final status and figures. Returns the record."""
        self._closing = True
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join()
        evaluation = self._driver.ask(Run.evaluate).result() if evaluate else None
        session = self._ask(evaluation)
        if session.status == "running":
            session.status = "stopped"
        self._write(session)
        return session

    def _hear(self, fact: Fact) -> None:
        """In the training thread: an end is worth a save at once."""
        if isinstance(fact, Finished | Diverged | Failed):
            self._wanted.set()

    def _main(self) -> None:
        while True:
            self._wanted.wait(PERIOD)
            self._wanted.clear()
            if self._closing:
                return
            try:
                self._write(self._ask(None))
            except Exception as error:  # a mistake of ours: to be seen, and raised again by `close`
                self.problem = f"not saved: internal error: {type(error).__name__}: {error}"

    def _write(self, session: Session) -> None:
        with self._lock:
            try:
                self._store.prepare()
                self._store.write(self.identity.name, encode(session))
                self.problem = ""
                self.saves += 1
            except OSError as error:
                self.problem = f"not saved: {error.strerror or error}"

    def _ask(self, evaluation: Evaluation | None) -> Session:
        return self._driver.ask(
            lambda run: record(run, self.identity, self._driver.seconds, evaluation)
        ).result()


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
        parent=None,
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
        blocks=_blocks(series.blocks(size), size, links),
    )


def _blocks(rows: Floats, size: int, links: list[str]) -> Blocks:
    """Blocks (n, 3) of min, mean, max for the file; pairs merge until there are at most 8,192.

    An odd block at the end has no pair and goes: its values are among the last.
    """
    while len(rows) > _MAX_BLOCKS:
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
