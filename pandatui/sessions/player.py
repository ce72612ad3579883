"""Player: a recorded session with the Driver's face, so that the watch screen shows it like a live run.

It plays the live path by a clock of its own, in running seconds: no training, no data, any machine. Time that
was spent on stretches that were left is cut out.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pandatui.sessions.replay import config_of, events_of
from pandatui.sessions.schema import Number, Session, Values, from_number
from pandatui.sessions.seeking import distributions_of
from pandatui.training.distributions import Distributions
from pandatui.training.events import Command, Event, Fact, GoOn, Pause, Refused, gestures
from pandatui.training.history import Floats
from pandatui.training.knobs import LIVE
from pandatui.training.snapshot import CurveLook, Snapshot, View

SLOWEST, FASTEST = 0.25, 1000.0  # times as fast as it was

Subscriber = Callable[[Fact], None]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A session's curves as arrays. Train: (n,) middle steps, min, mean, max. Dev: one row an epoch kept."""

    steps: Floats
    low: Floats
    mean: Floats
    high: Floats
    dev_epochs: Floats
    dev_steps: Floats
    dev_costs: Floats
    dev_accuracies: Floats
    rate_steps: Floats
    rates: Floats
    abandoned: tuple[tuple[int, Floats, Floats], ...]  # the event that left it, its steps, its costs
    events: tuple[Event, ...]
    guessing: float
    steps_per_epoch: float
    distributions: Distributions

    @classmethod
    def of(cls, session: Session) -> "Recording":
        steps, low, mean, high = _train(session.curves.train)
        dev_epochs, dev_steps = _dev(session.curves.dev_step, session.epochs)
        events = tuple(events_of(session))
        rate_steps, rates = rates_in_use(session, events, dev_epochs, dev_steps)
        return cls(
            steps=steps,
            low=low,
            mean=mean,
            high=high,
            dev_epochs=dev_epochs,
            dev_steps=dev_steps,
            dev_costs=_dev(session.curves.dev_cost, session.epochs)[1],
            dev_accuracies=_dev(session.curves.dev_accuracy, session.epochs)[1],
            rate_steps=rate_steps,
            rates=rates,
            abandoned=tuple(
                (each.event, np.array(each.step), _array(each.cost)) for each in session.curves.abandoned
            ),
            events=events,
            guessing=math.log(max(2, len(session.data.classes))),
            steps_per_epoch=_steps_per_epoch(session, dev_steps),
            distributions=distributions_of(session, len(config_of(session).hidden)),
        )


def _steps_per_epoch(session: Session, dev_steps: Floats) -> float:
    """Steps of the last whole epoch; before the first, as the training rows and the batch size have it."""
    if len(dev_steps):
        return max(1.0, float(dev_steps[-1] - (dev_steps[-2] if len(dev_steps) > 1 else 0)))
    batch = max(1, int(session.config.get("batch_size") or 1))
    return float(max(1, -(-session.data.train_rows // batch)))


def _array(values: Sequence[Number]) -> Floats:
    return np.array([from_number(v) for v in values], dtype=np.float64)


def _train(values: Values) -> tuple[Floats, Floats, Floats, Floats]:
    first = _array(values.first)
    if values.blocks is None:
        return np.arange(1, len(first) + 1).astype(np.float64), first, first, first
    b = values.blocks
    middles = (np.arange(len(b.mean), dtype=np.float64) + 0.5) * b.size + 0.5
    return middles, _array(b.min), _array(b.mean), _array(b.max)


def _dev(values: Values, epochs: int) -> tuple[Floats, Floats]:
    """Epoch numbers and values: all, or the first, the blocks' means between, and the last."""
    first, last = _array(values.first), _array(values.last)
    numbers = np.arange(1.0, len(first) + 1)
    if values.blocks is None:
        return numbers, first
    b = values.blocks
    middles = (np.arange(len(b.mean)) + 0.5) * b.size + 0.5
    between = (middles > len(first)) & (middles <= epochs - len(last))
    numbers = np.concatenate([numbers, middles[between], np.arange(epochs - len(last), epochs) + 1.0])
    return numbers, np.concatenate([first, _array(b.mean)[between], last])


def rates_in_use(
    session: Session, events: tuple[Event, ...], dev_epochs: Floats, dev_steps: Floats
) -> tuple[Floats, Floats]:
    """The learning rate in use as a step function, from the record alone: α₀/(1 + decay·e) and its nudges."""
    base = rate = float(session.config.get("learning_rate") or 0.1)
    decay = float(session.config.get("decay") or 0.0)
    changes: dict[int, float] = {1: rate}
    moments: list[tuple[int, int, float, Event | None]] = [
        (int(step) + 1, 0, epoch, None) for epoch, step in zip(dev_epochs, dev_steps, strict=True)
    ]
    moments += [(e.step, 1, 0.0, e) for e in events if e.kind == "nudge" and e.undone_by is None]
    epoch = 0.0
    for step, _, ended, event in sorted(moments, key=lambda moment: moment[:2]):
        if event is None:
            epoch = ended
            rate = base / (1 + decay * epoch)
        elif event.knob in ("learning_rate", "decay") and event.after is not None:
            if event.knob == "learning_rate":
                rate = event.after
            else:
                decay = event.after
            base = rate * (1 + decay * epoch)
        changes[step] = rate
    steps = sorted(changes)
    kept = [s for i, s in enumerate(steps) if not i or changes[s] != changes[steps[i - 1]]]
    return np.array(kept, dtype=np.float64), np.array([changes[s] for s in kept])


def playing_times(session: Session, events: tuple[Event, ...]) -> tuple[Floats, Floats]:
    """Knots of the live path: seconds of playing, rising, and the steps done by then."""
    knots = [(0.0, 0.0)]
    lost = 0.0
    for event in events:
        now, done = max(0.0, event.seconds - lost), float(event.step - 1)
        if event.back_to is not None and event.kind in ("undo", "rewind"):
            while len(knots) > 1 and knots[-1][1] >= event.back_to:
                knots.pop()
            seconds, steps = knots[-1]
            share = (event.back_to - steps) / max(1.0, done - steps)
            back = seconds + share * max(0.0, now - seconds)
            lost += now - back
            knots.append((back, float(event.back_to)))
        elif event.kind == "redo" and event.back_to is not None:
            knots.append((now, float(event.back_to)))
        elif event.undone_by is None or done > knots[-1][1]:
            knots.append((now, max(knots[-1][1], done)))
    knots.append((max(knots[-1][0] + 1e-3, session.seconds - lost), float(session.steps)))
    seconds_at, steps_at = np.array(knots).T
    return np.maximum.accumulate(seconds_at), np.maximum.accumulate(np.minimum(steps_at, session.steps))


class Player:
    """Plays a session. `speed` is how many times as fast as it was."""

    def __init__(
        self, session: Session, *, speed: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.session = session
        self.recording = Recording.of(session)
        self._knots = playing_times(session, self.recording.events)
        self._clock = clock
        self._speed = speed
        self._at = 0.0
        self._since: float | None = None
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self.failure: BaseException | None = None
        self.pace: float | None = 1.0  # never "as fast as it goes": it trains nothing

    @property
    def alive(self) -> bool:
        return True

    @property
    def length(self) -> float:
        """Seconds of playing at speed 1."""
        return float(self._knots[0][-1])

    @property
    def seconds(self) -> float:
        """Where it is, in seconds of playing."""
        since = self._since
        moved = (self._clock() - since) * self._speed if since is not None else 0.0
        return min(self.length, self._at + moved)

    @property
    def standing(self) -> bool:
        """Whether it does not play: paused, or at the end."""
        return self._since is None or self.seconds >= self.length

    def set_pace(self, pace: float | None) -> None:
        """A recording has a speed, not a pace."""

    @property
    def speed(self) -> float:
        return self._speed

    def start(self) -> None:
        self._since = self._clock()

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def close(self, timeout: float | None = None) -> bool:
        self._since = None
        return True

    def send(self, command: Command) -> None:
        """Pause and go on; nothing else can be asked of a record."""
        match command:
            case Pause():
                self._stand()
            case GoOn():
                if self.seconds >= self.length:
                    self._at = 0.0
                self._since = self._clock()
            case _:
                for subscriber in self._subscribers:
                    subscriber(Refused(command, "this is a recording: f trains on from here"))

    def set_speed(self, speed: float) -> None:
        playing = self._since is not None
        self._stand()
        self._speed = min(FASTEST, max(SLOWEST, speed))
        self._since = self._clock() if playing else None

    def seek(self, step: float) -> None:
        """Go to a step; playing goes on from there."""
        seconds, steps = self._knots
        i = int(np.searchsorted(steps, step))
        if i == 0:
            at = 0.0
        elif i >= len(steps):
            at = self.length
        else:
            share = (step - steps[i - 1]) / max(1e-12, steps[i] - steps[i - 1])
            at = float(seconds[i - 1] + share * (seconds[i] - seconds[i - 1]))
        playing = self._since is not None
        self._at, self._since = at, (self._clock() if playing else None)

    def _stand(self) -> None:
        self._at, self._since = self.seconds, None

    @property
    def steps(self) -> int:
        """Steps done where it is."""
        return int(np.interp(self.seconds, *self._knots) + 1e-4)  # the seconds of a step are rounded

    def snapshot(self, view: View, timeout: float = 0.0) -> Snapshot:
        """The look of the run as it was here."""
        r, session, steps = self.recording, self.session, self.steps
        ended = self.seconds >= self.length
        last = min(steps, view.last if view.last is not None else steps)
        shown = slice(
            int(np.searchsorted(r.steps, view.first - 1)), int(np.searchsorted(r.steps, last, "right"))
        )
        epochs = int(np.searchsorted(r.dev_steps, steps, "right"))
        past = r.events if ended else tuple(e for e in r.events if _first_step(e) <= steps)
        knobs = self._knobs(steps)
        costs = r.dev_costs[:epochs]
        best = int(np.nanargmin(costs)) if epochs and np.isfinite(costs).any() else None
        nan = float("nan")
        recent = r.mean[max(0, shown.stop - 10) : shown.stop]
        return Snapshot(
            status=session.status if ended and session.status in ("finished", "diverged") else "running",
            paused=self._since is None or ended,
            steps=steps,
            epoch=int(r.dev_epochs[epochs - 1]) if epochs else 0,
            target_epochs=max(session.epochs, int(session.config.get("epochs") or 1)),
            steps_per_epoch=int(r.steps_per_epoch),
            place=steps / r.steps_per_epoch,
            knobs=knobs,
            train_cost=float(recent.mean()) if len(recent) else nan,
            dev_cost=float(costs[-1]) if epochs else nan,
            dev_accuracy=float(r.dev_accuracies[epochs - 1]) if epochs else nan,
            raggedness=0.0,
            best_epoch=int(r.dev_epochs[best]) if best is not None else 0,
            best_dev_cost=float(costs[best]) if best is not None else nan,
            guessing=r.guessing,
            curve=CurveLook(
                steps=r.steps[shown],
                low=r.low[shown],
                mean=r.mean[shown],
                high=r.high[shown],
                dev_epochs=r.dev_epochs[:epochs],
                dev_steps=r.dev_steps[:epochs],
                dev_costs=costs,
                rate_steps=r.rate_steps[r.rate_steps <= steps + 1],
                rates=r.rates[r.rate_steps <= steps + 1],
            ),
            gestures=gestures(past),
            events=past,
            abandoned=tuple((s, c) for event, s, c in r.abandoned if any(e.id == event for e in past)),
            seconds=self.seconds,
            speed=self._speed,
            at_end=ended,
        )

    def _knobs(self, steps: int) -> dict[str, float]:
        knobs = {name: float(self.session.config.get(name) or 0.0) for name in LIVE}
        for event in self.recording.events:
            if event.kind == "nudge" and event.undone_by is None and event.step <= steps + 1:
                knobs[event.knob or ""] = event.after or 0.0
        r = self.recording
        knobs["learning_rate"] = float(
            r.rates[max(0, int(np.searchsorted(r.rate_steps, steps + 1, "right")) - 1)]
        )
        return {name: knobs[name] for name in LIVE}


def _first_step(event: Event) -> int:
    """The first step of the live path that an event bears on: of one that goes back, the first after that."""
    back = event.kind in ("undo", "rewind") and event.back_to is not None
    return (event.back_to or 0) + 1 if back else event.step
