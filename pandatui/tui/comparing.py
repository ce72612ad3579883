"""Several records on one plot, as pure functions: aligned with the first by step, epoch or running time.

The plot's axis is that of the first record: where the others were at the same step, epoch or second is where
they are drawn. So the cursor stands on a step of the first, and reads all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pandatui.plain import plain
from pandatui.sessions import Session
from pandatui.sessions.player import Recording, playing_times
from pandatui.sessions.schema import from_number
from pandatui.training.events import Gesture, gestures
from pandatui.training.history import Floats
from pandatui.tui.chart import Chart, Curve, Trace
from pandatui.tui.charting import ROOM, Look, mark_of

STEP, EPOCH, TIME = "step", "epoch", "running time"
WAYS = (EPOCH, STEP, TIME)  # of aligning; a key goes round
_PIECES = 200
SIGNS = "ABCDEFGH"  # of the others, on the plot and in the table


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A record, or with `left` the stretch that the event of this id left. Names are cleaned."""

    key: str
    name: str
    config: dict[str, Any]
    data: str
    sha256: str
    steps: int
    best: tuple[float, int] | None  # dev cost, and the epoch
    recording: Recording
    seconds_at: Floats  # knots: seconds of running, rising, and the steps done by then
    steps_at: Floats
    left: int | None = None

    @classmethod
    def of(cls, session: Session, key: str = "", left: int | None = None) -> "Compared":
        r = Recording.of(session)
        seconds, steps = playing_times(session, r.events)
        name = plain(session.name, 30)
        best = session.result.best_dev_cost
        there = None if best is None else (from_number(best), session.result.best_epoch or 0)
        if left is not None:
            name, there = f"{name}, {undone_words(r, left)}", None
        return cls(
            key, name, session.config, plain(session.data.name, 20), session.data.sha256, session.steps,
            there, r, seconds, steps, left,
        )  # fmt: skip

    @property
    def nudges(self) -> tuple[Gesture, ...]:
        """Those that stand; of a stretch, those that were left with it, too."""
        found = gestures(self.recording.events)
        if self.left is None:
            return tuple(g for g in found if not g.undone)
        with_it = {e.nudge for e in self.recording.events if e.undone_by == self.left and e.kind == "nudge"}
        first = float(self.stretch[0][0]) if len(self.stretch[0]) else np.inf
        return tuple(g for g in found if g.number in with_it or (not g.undone and g.first_step < first))

    @property
    def stretch(self) -> tuple[Floats, Floats]:
        """Steps and train costs of the stretch that was left."""
        none = np.empty(0)
        return next(((s, c) for event, s, c in self.recording.abandoned if event == self.left), (none, none))

    def train(self) -> tuple[Floats, Floats]:
        return self.stretch if self.left is not None else (self.recording.steps, self.recording.mean)

    def dev(self) -> tuple[Floats, Floats]:
        none = np.empty(0)
        r = self.recording
        return (none, none) if self.left is not None else (r.dev_steps, r.dev_costs)

    # -- where it is -------------------------------------------------------------------------------------

    def place(self, steps: Floats, way: str) -> Floats:
        """Its steps as steps, epochs or seconds."""
        own, places, beyond = self._knots(way)
        past: Floats = places[-1] + (steps - own[-1]) * beyond
        return np.where(steps > own[-1], past, np.interp(steps, own, places))

    def step_of(self, places: Floats, way: str) -> Floats:
        """The steps at which it was there: the inverse of `place`."""
        own, found, beyond = self._knots(way)
        past: Floats = own[-1] + (places - found[-1]) / beyond
        return np.where(places > found[-1], past, np.interp(places, found, own))

    def _knots(self, way: str) -> tuple[Floats, Floats, float]:
        """Steps, rising, where it was at them, and how far a step goes behind the last."""
        r = self.recording
        if way == STEP:
            return np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1.0
        if way == EPOCH:
            steps = np.maximum.accumulate(np.concatenate([[0.0], r.dev_steps]))
            return steps, np.concatenate([[0.0], r.dev_epochs]), 1 / max(1.0, r.steps_per_epoch)
        pace = self.seconds_at[-1] / max(1.0, self.steps_at[-1])
        return self.steps_at, self.seconds_at, max(float(pace), 1e-9)

    def axis(self, way: str) -> tuple[Floats, Floats, float]:
        """Its ticks: numbers, the steps at which they were reached, and the steps that one more takes."""
        steps, numbers, beyond = self._knots(way)
        known = slice(1 if len(steps) > 1 and not steps[0] else 0, None)  # the start needs no telling
        return numbers[known], steps[known], 1 / beyond

    def at(self, place: float, way: str, *, train: bool) -> float | None:
        """Its cost at a place: the dev cost that it had then, or the nearest train cost; None beyond it."""
        step = float(self.step_of(np.array(place), way))
        steps, costs = self.train() if train else self.dev()
        known = np.isfinite(costs)
        steps, costs = steps[known], costs[known]
        if not len(steps) or step > self.end + 1:
            return None
        if train:
            nearest = int(np.argmin(np.abs(steps - step)))
            return float(costs[nearest]) if self.left is None or step >= steps[0] - 1 else None
        before = int(np.searchsorted(steps, step + 0.5))
        return float(costs[before - 1]) if before else None

    @property
    def end(self) -> float:
        """Its last step."""
        return float(self.stretch[0][-1]) if self.left is not None and len(self.stretch[0]) else self.steps


def undone_words(r: Recording, left: int) -> str:
    """undone at 301, of a stretch that was left there."""
    steps = next((steps for event, steps, _ in r.abandoned if event == left), np.empty(0))
    return f"undone at {steps[-1]:,.0f}" if len(steps) else "undone"


def sign_of(place: int) -> str:
    """The letter of one of the others."""
    return SIGNS[place % len(SIGNS)]


def _averaged(steps: Floats, costs: Floats, window: tuple[float, float]) -> tuple[Floats, Floats]:
    """What is in view as means of at most 200 equal pieces, so that all lines are as smooth."""
    inside = (steps >= window[0]) & (steps <= window[1])
    steps, costs = steps[inside], costs[inside]
    if len(steps) <= _PIECES:
        return steps, costs
    starts = np.arange(0, len(steps), -(-len(steps) // _PIECES))
    sizes = np.diff(np.append(starts, len(steps)))
    with np.errstate(all="ignore"):  # costs may be huge
        return np.add.reduceat(steps, starts) / sizes, np.add.reduceat(costs, starts) / sizes


def end_of(first: Compared, others: Sequence[Compared], way: str) -> float:
    """The last step of the unzoomed axis."""
    ends = [first.step_of(each.place(np.array(each.end), way), way) for each in others]
    return max(2.0, float(max([first.end, *map(float, ends)]))) * ROOM


def chart_of_all(first: Compared, others: Sequence[Compared], way: str, look: Look, *, train: bool) -> Chart:
    """All of them: dev costs, or train costs smoothed. The first is the one that is watched."""
    r, none = first.recording, np.empty(0)
    window = look.window or (0.0, end_of(first, others, way))
    steps, costs = _averaged(r.steps, r.mean, window)
    own = Curve(steps, costs, costs, costs) if train else Curve(none, none, none, none)
    traces = []
    for i, each in enumerate(others):
        steps, costs = each.train() if train else each.dev()
        there = first.step_of(each.place(steps, way), way) if len(steps) else steps
        there, costs = _averaged(there, costs, window) if train else (there, costs)
        name = f"{sign_of(i)} {each.name if each.left is None else 'undone'}"
        traces.append(Trace(name, there, costs, points=not train, sign=sign_of(i)))
    numbers, ends, length = first.axis(way)
    return Chart(
        first=window[0],
        last=window[1],
        train=own,
        dev_steps=none if train else r.dev_steps,
        dev_costs=none if train else r.dev_costs,
        guessing=r.guessing,
        epoch_steps=ends,
        epoch_numbers=numbers,
        steps_per_epoch=length,
        marks=tuple(mark_of(g) for g in first.nudges),
        rate_steps=r.rate_steps,
        rates=r.rates,
        others=tuple(traces),
        log_axis=look.log_axis,
        smoothing=look.smoothing,
        cursor=look.cursor,
        x_label="seconds" if way == TIME else way,
        names=(first.name, first.name),
    )
