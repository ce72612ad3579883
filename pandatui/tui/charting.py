"""From a snapshot, or from a session's record, to the chart that is drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pandatui.sessions import Session
from pandatui.sessions.schema import Values, from_number
from pandatui.training.events import Event, Gesture, gestures
from pandatui.training.knobs import KNOBS
from pandatui.training.snapshot import Snapshot
from pandatui.tui.plotting import Chart, Curve, Mark, Trace

SMOOTHING = (6, 15, 0)  # text columns that the average looks back on; `s` goes round
_NICE_EPOCHS = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
_ROOM = 1.2  # the axis ends this far beyond the present


@dataclass(frozen=True, slots=True)
class Look:
    """How a person wants the curve drawn."""

    log_axis: bool = True
    smoothing: int = SMOOTHING[0]
    window: tuple[float, float] | None = None  # the steps shown when zoomed in
    cursor: float | None = None
    last: float | None = None  # where the unzoomed axis ends; None: beyond the present, as far as is useful


def axis_end(steps: int, steps_per_epoch: int, target_epochs: int) -> float:
    """The last step of the unzoomed axis: beyond the present, at a round epoch, so that it rarely moves."""
    epochs = max(steps / max(1, steps_per_epoch), 1) * _ROOM
    scale = 1
    while epochs > 100 * scale:
        scale *= 10
    nice = next(n * scale for n in _NICE_EPOCHS if n * scale >= epochs)
    whole = max(float(steps), float(steps_per_epoch * target_epochs)) * 1.12
    return min(float(steps_per_epoch * nice), whole)


def mark_of(gesture: Gesture) -> Mark:
    """A gesture's sign on the curve: `α↑`."""
    knob = KNOBS[gesture.knob]
    arrow = "↑" if gesture.after > gesture.before else "↓"
    return Mark(gesture.first_step, gesture.number, f"{knob.symbol or knob.label}{arrow}")


def chart_of(snapshot: Snapshot, look: Look) -> Chart:
    """The chart of a running or ended run."""
    first, last = look.window or (
        0.0,
        look.last or axis_end(snapshot.steps, snapshot.steps_per_epoch, snapshot.target_epochs),
    )
    c = snapshot.curve
    return Chart(
        first=first,
        last=last,
        train=Curve(c.steps, c.low, c.mean, c.high),
        dev_steps=c.dev_steps,
        dev_costs=c.dev_costs,
        guessing=snapshot.guessing,
        epoch_steps=c.dev_steps,
        epoch_numbers=c.dev_epochs,
        steps_per_epoch=snapshot.steps_per_epoch,
        marks=tuple(mark_of(g) for g in snapshot.gestures if not g.undone),
        rate_steps=c.rate_steps,
        rates=c.rates,
        abandoned=tuple(Trace("", steps, costs) for steps, costs in snapshot.abandoned),
        log_axis=look.log_axis,
        smoothing=look.smoothing,
        cursor=look.cursor,
        diverged_at=snapshot.steps if snapshot.status == "diverged" else None,
    )


def chart_of_session(session: Session, look: Look) -> Chart:
    """The chart of a recorded session: no training, no data."""
    steps, low, mean, high = _curve(session.curves.train)
    dev_steps = _all(session.curves.dev_step)
    guessing = math.log(max(2, len(session.data.classes)))
    per_epoch = _steps_per_epoch(session, dev_steps)
    events = [event_of(record) for record in session.events]
    rate_steps, rates = rates_of(session, events, dev_steps)
    first, last = look.window or (0.0, max(session.steps, 1) * 1.12)
    return Chart(
        first=first,
        last=last,
        train=Curve(steps, low, mean, high),
        dev_steps=dev_steps,
        dev_costs=_all(session.curves.dev_cost),
        guessing=guessing,
        epoch_steps=dev_steps,
        steps_per_epoch=per_epoch,
        marks=tuple(mark_of(g) for g in gestures(events) if not g.undone),
        rate_steps=rate_steps,
        rates=rates,
        abandoned=tuple(
            Trace("", np.array(left.step), np.array([from_number(v) for v in left.cost]))
            for left in session.curves.abandoned
        ),
        log_axis=look.log_axis,
        smoothing=look.smoothing,
        cursor=look.cursor,
        diverged_at=session.steps if session.status == "diverged" else None,
    )


def _steps_per_epoch(session: Session, dev_steps: np.ndarray) -> float:
    """Steps of the last whole epoch; before the first, as the training rows and the batch size have it."""
    if len(dev_steps):
        return max(1.0, float(dev_steps[-1] - (dev_steps[-2] if len(dev_steps) > 1 else 0)))
    batch = max(1, int(session.config.get("batch_size") or 1))
    return float(max(1, -(-session.data.train_rows // batch)))


def event_of(record: "object") -> Event:
    """An event from its record in a file."""
    return Event(**{name: getattr(record, name) for name in Event.__dataclass_fields__})


def rates_of(
    session: Session, events: Sequence[Event], dev_steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The learning rate in use as a step function, from the record alone: α₀/(1 + decay·e) and its nudges."""
    base = rate = float(session.config.get("learning_rate") or 0.1)
    decay = float(session.config.get("decay") or 0.0)
    changes = [(1.0, rate)]
    moments: list[tuple[float, Event | None]] = [(float(step), None) for step in dev_steps]
    moments += [(float(e.step) - 0.5, e) for e in events if e.kind == "nudge" and e.undone_by is None]
    epoch = 0
    for step, event in sorted(moments, key=lambda moment: moment[0]):
        if event is None:
            epoch += 1
            rate = base / (1 + decay * epoch)
        elif event.knob in ("learning_rate", "decay") and event.after is not None:
            if event.knob == "learning_rate":
                rate = event.after
            else:
                decay = event.after
            base = rate * (1 + decay * epoch)
        if rate != changes[-1][1]:
            changes.append((np.ceil(step) + (event is None), rate))
    return np.array([c[0] for c in changes]), np.array([c[1] for c in changes])


def _all(values: Values) -> np.ndarray:
    return np.array([from_number(v) for v in (*values.first, *values.last)])


def _curve(values: Values) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if values.blocks is None:
        raw = _all(values)
        return np.arange(1.0, len(raw) + 1), raw, raw, raw
    b = values.blocks
    low, mean, high = (np.array([from_number(v) for v in each]) for each in (b.min, b.mean, b.max))
    return (np.arange(len(mean)) + 0.5) * b.size, low, mean, high
