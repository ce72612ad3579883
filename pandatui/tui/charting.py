"""From a snapshot, or from a session's record, to the chart that is drawn."""

from dataclasses import dataclass

from pandatui.sessions import Session
from pandatui.sessions.player import Recording
from pandatui.training.events import Gesture, gestures
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
    r = Recording.of(session)
    first, last = look.window or (0.0, max(session.steps, 1) * 1.12)
    return Chart(
        first=first,
        last=last,
        train=Curve(r.steps, r.low, r.mean, r.high),
        dev_steps=r.dev_steps,
        dev_costs=r.dev_costs,
        guessing=r.guessing,
        epoch_steps=r.dev_steps,
        epoch_numbers=r.dev_epochs,
        steps_per_epoch=r.steps_per_epoch,
        marks=tuple(mark_of(g) for g in gestures(r.events) if not g.undone),
        rate_steps=r.rate_steps,
        rates=r.rates,
        abandoned=tuple(Trace("", steps, costs) for _, steps, costs in r.abandoned),
        log_axis=look.log_axis,
        smoothing=look.smoothing,
        cursor=look.cursor,
        diverged_at=session.steps if session.status == "diverged" else None,
    )
