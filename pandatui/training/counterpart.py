"""The counterpart of a run: the same with batch norm off, or on where it is off.

A trainer of its own, with the run's seed, mini-batches and nudges at their steps, stepped beside it, so that
the two differ in batch norm alone. The run's bits do not change by having one.
"""

import math
from dataclasses import dataclass, replace

from pandatui.training.config import MAX_EPOCHS
from pandatui.training.distributions import Counts
from pandatui.training.events import Event
from pandatui.training.run import Run
from pandatui.training.state import RunState
from pandatui.training.trainer import Trainer

MOST_BYTES = 64 * 2**20  # of states before nudges, to follow the run when it goes back
MOST_KEPT = 16


@dataclass(frozen=True, slots=True, eq=False)
class CounterpartLook:
    """A counterpart as it is now; `counts` (epochs, layers, 32) of its layers' inputs.

    `dev_cost` is NaN before the end of its first epoch; `ended` says why it follows no more.
    """

    batch_norm: bool
    epoch: int
    behind: bool
    ended: str
    dev_cost: float
    epochs: tuple[int, ...]
    counts: Counts


class Counterpart:
    """Follows a run from its start. Raises ConfigError where batch norm can't be had: batches of one."""

    def __init__(self, run: Run) -> None:
        config = replace(run.config, batch_norm=not run.config.batch_norm, plan=())
        self.trainer = Trainer(config, run.dataset)
        self.trainer.target_epochs = MAX_EPOCHS  # it ends where the run is, not by itself
        start = self.trainer.state()
        size = sum(a.nbytes for a in (start.parameters, start.running, start.first, start.second))
        self._room = max(2, min(MOST_KEPT, MOST_BYTES // max(1, size)))
        self._kept: list[tuple[RunState, int]] = [(start, 0)]  # the start; before nudges: how many are behind
        self._applied: list[int] = []  # ids of the nudges that it has behind it
        self._coming: list[Event] = []
        self._heard = -1  # how many of the run's events it knows
        self.ended = ""

    def behind(self, run: Run) -> bool:
        """Whether the run has taken more steps; where its past has changed, from where it is the same."""
        if len(run.events) != self._heard:
            self._heard = len(run.events)
            self._follow([e for e in run.events if e.kind == "nudge" and e.undone_by is None])
        return not self.ended and self.trainer.steps < run.steps

    def _follow(self, standing: list[Event]) -> None:
        ids = [event.id for event in standing]

        def shares(steps: int, applied: list[int]) -> bool:
            done = len(applied)
            return ids[:done] == applied and all(event.step > steps for event in standing[done:])

        if not shares(self.trainer.steps, self._applied):
            while not shares(self._kept[-1][0].steps, self._applied[: self._kept[-1][1]]):
                self._kept.pop()  # the start is always shared
            state, done = self._kept[-1]
            self.trainer.restore(state)
            self.trainer.target_epochs = MAX_EPOCHS
            del self._applied[done:]
            self.ended = ""
        self._coming = standing[len(self._applied) :]

    def step(self, run: Run) -> None:
        """One step, with the run's nudges for it. Call it while it is behind."""
        trainer = self.trainer
        while self._coming and self._coming[0].step <= trainer.steps + 1:
            self._nudge(self._coming.pop(0))
        if self.ended:
            return
        trainer.train_step()
        if trainer.status == "diverged":
            self.ended = f"diverged at step {trainer.steps:,}"

    def _nudge(self, event: Event) -> None:
        trainer = self.trainer
        assert event.knob is not None
        assert event.after is not None
        if self._kept[-1][0].steps != trainer.steps:
            self._kept.append((trainer.state(), len(self._applied)))
            if len(self._kept) > self._room:
                del self._kept[1]
        self._applied.append(event.id)
        low, _ = trainer.limits(event.knob)
        if event.after < low:
            self.ended = "batch norm has nothing to say of mini-batches of one"
        else:
            trainer.set_knob(event.knob, event.after)

    def look(self, run: Run) -> CounterpartLook:
        """As it is now, and no further than the run."""
        trainer, seen = self.trainer, self.trainer.distributions
        kept = sum(epoch <= run.epoch for epoch in seen.epochs)
        ends = min(trainer.epoch, run.epoch)
        dev = trainer.history.dev_cost.part(max(0, ends - 1), ends)
        return CounterpartLook(
            trainer.config.batch_norm,
            ends,
            not self.ended and trainer.steps < run.steps,
            self.ended,
            float(dev[-1]) if len(dev) else math.nan,
            tuple(seen.epochs[:kept]),
            seen.counts()[:kept],
        )
