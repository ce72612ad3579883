"""From a snapshot, or from a session's record, to the chart that is drawn."""

from collections.abc import Iterable
from dataclasses import dataclass

from pandatui.sessions import Session
from pandatui.sessions.player import Recording
from pandatui.training.events import Gesture, gestures
from pandatui.training.history import Floats
from pandatui.training.knobs import KNOBS
from pandatui.training.snapshot import CurveLook, Snapshot
from pandatui.tui.chart import Band, Chart, Curve, Mark, Trace
from pandatui.tui.company import band_of, traces_of

SMOOTHING = (6, 15, 0)  # text columns that the average looks back on; `s` goes round
_NICE_EPOCHS = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
ROOM = 1.25  # the axis ends this far beyond the present: there stand the curves' names


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
    epochs = max(steps / max(1, steps_per_epoch), 1) * ROOM
    scale = 1
    while epochs > 100 * scale:
        scale *= 10
    nice = next(n * scale for n in _NICE_EPOCHS if n * scale >= epochs)
    whole = max(float(steps), float(steps_per_epoch * target_epochs)) * ROOM
    return min(float(steps_per_epoch * nice), whole)


def mark_of(gesture: Gesture) -> Mark:
    """A gesture's sign on the curve: `α↑`."""
    knob = KNOBS[gesture.knob]
    arrow = "↑" if gesture.after > gesture.before else "↓"
    return Mark(gesture.first_step, gesture.number, f"{knob.symbol or knob.label}{arrow}")


def chart_of(snapshot: Snapshot, look: Look) -> Chart:
    """The chart of a running or ended run."""
    s = snapshot
    return _chart(
        s.curve,
        look,
        last=look.last or axis_end(s.steps, s.steps_per_epoch, s.target_epochs),
        guessing=s.guessing,
        steps_per_epoch=s.steps_per_epoch,
        nudges=s.gestures,
        abandoned=s.abandoned,
        diverged_at=s.steps if s.status == "diverged" else None,
        ghosts=traces_of(s),
        band=band_of(s),
    )


def chart_of_session(session: Session, look: Look) -> Chart:
    """The chart of a recorded session: no training, no data."""
    r = Recording.of(session)
    return _chart(
        r,
        look,
        last=whole_of(session),
        guessing=r.guessing,
        steps_per_epoch=r.steps_per_epoch,
        nudges=gestures(r.events),
        abandoned=tuple((steps, costs) for _, steps, costs in r.abandoned),
        diverged_at=session.steps if session.status == "diverged" else None,
    )


def whole_of(session: Session) -> float:
    """The last step of the unzoomed axis of a record, which grows no more."""
    return max(session.steps, 1) * ROOM


def _chart(
    c: CurveLook | Recording,
    look: Look,
    *,
    last: float,
    guessing: float,
    steps_per_epoch: float,
    nudges: Iterable[Gesture],
    abandoned: Iterable[tuple[Floats, Floats]],
    diverged_at: int | None,
    ghosts: tuple[Trace, ...] = (),
    band: Band | None = None,
) -> Chart:
    """The curves and what stands beside them, as a person wants to look at them."""
    first, last = look.window or (0.0, last)
    return Chart(
        first=first,
        last=last,
        train=Curve(c.steps, c.low, c.mean, c.high),
        dev_steps=c.dev_steps,
        dev_costs=c.dev_costs,
        guessing=guessing,
        epoch_steps=c.dev_steps,
        epoch_numbers=c.dev_epochs,
        steps_per_epoch=steps_per_epoch,
        marks=tuple(mark_of(g) for g in nudges if not g.undone),
        rate_steps=c.rate_steps,
        rates=c.rates,
        abandoned=tuple(Trace("undone", steps, costs) for steps, costs in abandoned),
        ghosts=ghosts,
        band=band,
        log_axis=look.log_axis,
        smoothing=look.smoothing,
        cursor=look.cursor,
        diverged_at=diverged_at,
    )
