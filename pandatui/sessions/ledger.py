"""What the journal says of a run, and what a session is with it: `Ledger.news` and its inverse, `merged`.

Every record says where it belongs (event ids, the step that costs follow on, the step that a jump keeps), so
that records which the session's file has already are read over once more without harm.
"""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from pandatui.plain import one_line
from pandatui.sessions.records import JournalError, Record
from pandatui.sessions.schema import (
    Blocks,
    Count,
    EventRecord,
    Histograms,
    Number,
    Session,
    Values,
    from_number,
    to_number,
    to_numbers,
)
from pandatui.training import Run
from pandatui.training.events import JUMPS
from pandatui.training.history import History

UNKNOWN = "0" * 64  # the hash of what only training again can tell
_MAX_GAP = 1_000_000  # steps

Seconds = Annotated[float, Meta(ge=0)]


class EventsLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="events"):
    """New events. After an undo, redo or rewind: every undone event with its `undone_by`; what is kept."""

    events: list[EventRecord]
    steps: Count  # of the run when it was written
    undone: list[tuple[Count, Count]] | None = None
    keep: Count | None = None


class CostsLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="costs", rename={"after": "from"}):
    """Train costs of the steps behind `from`."""

    after: Count
    costs: list[Number]
    seconds: Seconds


class DevLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="dev", rename={"after": "from"}):
    """Dev points (step, cost, accuracy) of the epochs behind `from`."""

    after: Count
    points: list[tuple[Count, Number, Number]]


class EndLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="end"):
    status: Literal["running", "stopped", "finished", "diverged"]


class Ledger:
    """How far a run is on record: its events, steps and epochs."""

    def __init__(self, run: Run) -> None:
        self.reset(run)

    def reset(self, run: Run) -> None:
        """All that the run has is on record."""
        self.events, self.steps, self.epochs = len(run.events), run.steps, run.history.epochs

    def news(self, run: Run, seconds: float) -> list[Record]:
        """Records of what is not on record yet; events first: a torn write loses costs, not nudges."""
        records: list[Struct] = []
        keep, epochs = self.steps, self.epochs
        if events := run.events[self.events :]:
            found = EventsLine([EventRecord(**_plain(event)) for event in events], run.steps)
            if any(event.kind in JUMPS for event in events):
                keep = min(keep, *(e.back_to or 0 for e in run.events if e.kind in ("undo", "rewind")))
                epochs = _epochs_at(run.history, keep)
                found.undone = [(e.id, e.undone_by) for e in run.events if e.undone_by is not None]
                found.keep = keep
            records.append(found)
        if run.steps > keep:
            costs = run.history.train.part(keep, run.steps)
            records.append(
                CostsLine(run.steps - len(costs), to_numbers(costs.tolist()), round(max(0.0, seconds), 3))
            )
        history = run.history
        if history.epochs > epochs:
            columns = [
                series.part(epochs, history.epochs).tolist()
                for series in (history.dev_step, history.dev_cost, history.dev_accuracy)
            ]
            points = [(int(s), to_number(c), to_number(a)) for s, c, a in zip(*columns, strict=True)]
            records.append(DevLine(history.epochs - len(points), points))
        return [msgspec.to_builtins(record) for record in records]


def _plain(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in EventRecord.__struct_fields__}


def _epochs_at(history: History, steps: int) -> int:
    points = history.dev_step.last(history.dev_step.n)
    return history.epochs - int((points > steps).sum())


# -- and back ------------------------------------------------------------------------------------------------


def merged(session: Session, records: tuple[Record, ...]) -> Session:
    """The session with what its journal has ahead of it. Raises JournalError for records that can't be.

    The weights' hash is unknown then, and test figures: nobody has evaluated that run.
    """
    path = _Path(session)
    for number, record in enumerate(records, 1):
        if record.get("kind") == "start":
            continue
        try:
            found = msgspec.convert(record, EventsLine | CostsLine | DevLine | EndLine)
        except msgspec.ValidationError as error:
            raise JournalError(f"journal: record {number}: {one_line(error, 200)}") from None
        path.take(found)
    return path.session()


class _Path:
    """The live path of a session, as the records change it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        curves = session.curves
        self._known = len(session.events)
        self._events = list(session.events)
        self._jumped = False
        self._seconds = session.seconds
        self._whole = curves.train.blocks is None
        self._costs = list(curves.train.first if self._whole else curves.train.last)
        self._origin = session.steps - len(self._costs)
        self._steps = self._stands = session.steps  # up to `_stands` what the file has still holds
        dev = (curves.dev_step, curves.dev_cost, curves.dev_accuracy)
        self._dev_whole = curves.dev_cost.blocks is None
        columns = [values.first if self._dev_whole else values.last for values in dev]
        self._dev = [(int(from_number(s)), c, a) for s, c, a in zip(*columns, strict=True)]
        self._dev_origin = session.epochs - len(self._dev)
        self._shared = session.epochs  # of the path that the file knows

    def take(self, found: EventsLine | CostsLine | DevLine | EndLine) -> None:
        match found:
            case EventsLine():
                self._take_events(found)
            case CostsLine(after, costs, seconds):
                self._cut(after)
                self._costs += costs
                self._steps = after + len(costs)
                self._seconds = max(self._seconds, seconds)
            case DevLine(after, points):
                del self._dev[max(0, after - self._dev_origin) :]
                if after == self._dev_origin + len(self._dev):
                    self._dev += points

    def _take_events(self, found: EventsLine) -> None:
        new = [event for event in found.events if event.id > len(self._events)]
        if [event.id for event in new] != list(
            range(len(self._events) + 1, len(self._events) + 1 + len(new))
        ):
            raise JournalError(f"journal: expected event {len(self._events) + 1} next")
        self._events += new
        last = max((event.id for event in found.events), default=0)
        if found.keep is not None:
            self._cut(found.keep)
            self._dev = [point for point in self._dev if point[0] <= found.keep]
            if last > self._known:
                self._shared = min(self._shared, self._dev_origin + len(self._dev))
                undone = dict(found.undone or [])
                self._events = [
                    msgspec.structs.replace(event, undone_by=undone.get(event.id)) for event in self._events
                ]
                self._jumped = True
        self._steps = found.steps
        self._seconds = max(self._seconds, *(event.seconds for event in found.events), 0.0)

    def _cut(self, steps: int) -> None:
        """Costs up to `steps` and no more; where some are missing in between they are not known."""
        if steps < self._origin:
            self._costs, self._origin = [], steps
            self._stands = min(self._stands, steps)
        have = steps - self._origin
        if have - len(self._costs) > _MAX_GAP:
            raise JournalError(f"journal: costs behind step {steps:,} have no place")
        del self._costs[have:]
        self._costs += ["NaN"] * (have - len(self._costs))

    def session(self) -> Session:
        old = self._session
        ahead = self._jumped or self._steps > old.steps
        if not ahead and len(self._events) == self._known:
            return old
        new = msgspec.structs.replace(old, events=self._events, seconds=self._seconds)
        if ahead:
            self._put_curves(new)
        new.status = self._status(new)
        return new

    def _put_curves(self, new: Session) -> None:
        costs = self._costs[: max(0, self._steps - self._origin)]
        new.steps, new.epochs = self._steps, self._dev_origin + len(self._dev)
        curves = new.curves = msgspec.structs.replace(new.curves)
        if (seen := curves.inputs) is not None:
            kept = sum(epoch <= min(self._shared, new.epochs) for epoch in seen.epochs)
            curves.inputs = Histograms(seen.epochs[:kept], seen.counts[:kept])
        result = new.result = msgspec.structs.replace(
            new.result, test_cost=None, test_accuracy=None, weights_sha256=UNKNOWN, costs_sha256=UNKNOWN
        )
        result.train_cost = costs[-1] if costs else None
        result.dev_cost, result.dev_accuracy = self._dev[-1][1:] if self._dev else (None, None)
        history = History()
        if self._whole:
            history.extend(np.array([from_number(cost) for cost in costs]), np.empty((0, 3)))
            result.costs_sha256 = history.costs_sha256() if len(costs) == self._steps else UNKNOWN
            curves.train = Values(costs)
        else:
            curves.train = _cut_to(curves.train, self._stands, costs)
        if self._dev_whole:
            for step, cost, accuracy in self._dev:
                history.add_dev(step, from_number(cost), from_number(accuracy))
            best = history.best or (None, None, None)
            result.best_epoch, result.best_dev_cost, result.best_dev_accuracy = best
            columns: list[list[Number]] = [list(c) for c in zip(*self._dev, strict=True)] or [[], [], []]
            curves.dev_step, curves.dev_cost, curves.dev_accuracy = map(Values, columns)

    def _status(self, new: Session) -> Literal["running", "finished", "diverged"]:
        """As the run would say: a divergence that stands is always the last that happened to it."""
        if any(e.kind == "diverged" and e.undone_by is None for e in new.events):
            return "diverged"
        return "finished" if new.epochs >= total_of(new) else "running"


def total_of(session: Session) -> int:
    """The epochs that a session is to train in all, extensions that stand included."""
    extended = [e.epochs for e in session.events if e.kind == "extend" and e.undone_by is None]
    return next((epochs for epochs in reversed(extended) if epochs is not None), session.config["epochs"])


def _cut_to(values: Values, steps: int, last: list[Number]) -> Values:
    """The first values and the blocks up to a step, and the last ones behind them."""
    blocks = values.blocks
    if blocks is not None:
        n = steps // blocks.size
        blocks = Blocks(
            blocks.size, min=blocks.min[:n], mean=blocks.mean[:n], max=blocks.max[:n], h=blocks.h[:n]
        )
    return Values(first=values.first[:steps], last=last, blocks=blocks)
