"""Snapshot: one frozen look at a run between two steps, which is all that a screen needs to draw."""

from dataclasses import dataclass

from pandatui.training.companions import CompanionLook
from pandatui.training.events import Event, Gesture, gestures, last_gesture
from pandatui.training.history import Floats
from pandatui.training.run import Run

_DRAWN_ABANDONED = 8


@dataclass(frozen=True, slots=True)
class View:
    """Which steps of the curve are looked at, and in how many buckets. `last` None: up to where it is now."""

    first: float = 1
    last: float | None = None
    buckets: int = 240


@dataclass(frozen=True, slots=True, eq=False)
class CurveLook:
    """The curves within a view: train as buckets (middle step, min, mean, max), dev points, rates in use."""

    steps: Floats
    low: Floats
    mean: Floats
    high: Floats
    dev_epochs: Floats
    dev_steps: Floats
    dev_costs: Floats
    rate_steps: Floats
    rates: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    status: str  # running, finished, diverged
    paused: bool
    steps: int
    epoch: int
    target_epochs: int
    steps_per_epoch: int
    place: float  # epochs done, with the fraction of the present one
    knobs: dict[str, float]
    train_cost: float  # nan before the first step; mean of the last few
    dev_cost: float
    dev_accuracy: float
    raggedness: float  # (highest − lowest) / mean of the last epoch's train costs, at most 64 of them
    best_epoch: int
    best_dev_cost: float
    guessing: float
    curve: CurveLook
    gestures: tuple[Gesture, ...]
    events: tuple[Event, ...]
    abandoned: tuple[tuple[Floats, Floats], ...] = ()  # steps and costs of each stretch that was left
    undo_number: int = 0  # the gesture that an undo would take back; 0: there is none
    undo_steps: int = 0  # how far back that is
    can_redo: bool = False
    speed: float | None = None  # how many times as fast as it was a recording plays; None: it is live
    at_end: bool = False  # whether a recording has been played to its end
    seconds: float = 0.0
    pace: float | None = None
    steps_per_second: float = 0.0
    companions: tuple[CompanionLook, ...] = ()

    @property
    def training(self) -> bool:
        return self.status == "running" and not self.paused


def look(run: Run, view: View) -> Snapshot:
    """Take a snapshot; call it between two steps."""
    history = run.history
    first = last_gesture(run.events)
    last = run.steps if view.last is None else view.last
    steps, low, mean, high = history.train.view(view.first, last, view.buckets)
    dev_epochs, _, dev_steps, _ = history.dev_step.view(1, history.epochs, 2 * view.buckets)
    _, _, dev_costs, _ = history.dev_cost.view(1, history.epochs, 2 * view.buckets)
    rate_steps, rates = run.rates.arrays()
    recent = history.train.last(min(10, max(1, run.steps)))
    nan = float("nan")
    per_epoch = run.batches.steps_per_epoch(int(run.knobs["batch_size"]))
    dev = history.dev_cost.last(1), history.dev_accuracy.last(1)
    best = history.best or (0, nan, nan)
    return Snapshot(
        status=run.status,
        paused=run.paused,
        steps=run.steps,
        epoch=run.epoch,
        target_epochs=run.target_epochs,
        steps_per_epoch=per_epoch,
        place=run.epoch + run.batches.place / run.batches.rows,
        knobs=dict(run.knobs),
        train_cost=float(recent.mean()) if len(recent) else nan,
        dev_cost=float(dev[0][0]) if len(dev[0]) else nan,
        dev_accuracy=float(dev[1][0]) if len(dev[1]) else nan,
        raggedness=raggedness(history.train.last(min(64, per_epoch))),
        best_epoch=best[0],
        best_dev_cost=best[1],
        guessing=run.guessing,
        curve=CurveLook(
            steps=steps.copy(),  # views of arrays that the run goes on writing to
            low=low.copy(),
            mean=mean.copy(),
            high=high.copy(),
            dev_epochs=dev_epochs.copy(),
            dev_steps=dev_steps.copy(),
            dev_costs=dev_costs.copy(),
            rate_steps=rate_steps,
            rates=rates,
        ),
        gestures=gestures(run.events),
        events=tuple(run.events),
        abandoned=tuple(left.drawn() for left in run.timeline.abandoned[-_DRAWN_ABANDONED:]),
        undo_number=first.nudge or 0 if first is not None else 0,
        undo_steps=run.steps + 1 - first.step if first is not None else 0,
        can_redo=bool(run.timeline.redoable),
    )


def raggedness(costs: Floats) -> float:
    """(highest − lowest) / mean."""
    return float((costs.max() - costs.min()) / max(costs.mean(), 1e-12)) if len(costs) else 0.0
