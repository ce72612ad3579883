"""Nothing is final: back to the instant before any nudge, forth again, back to any step.

A `Timeline` keeps states of a run: on a stride that doubles, so that the whole run stays within reach, before
every nudge, at pauses and at the best dev cost. Going back restores the nearest of them and trains forward
from there, which gives the same bits. The stretch that is left is `Abandoned`, kept for the eye and for redo.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pandatui.training.distributions import Counts
from pandatui.training.history import Floats

if TYPE_CHECKING:
    from pandatui.training.run import Run
    from pandatui.training.state import RunState

MOST_ON_STRIDE = 64
MOST_ASKED = 32
MOST_BYTES = 256 * 2**20
FIRST_STRIDE = 32  # steps
MOST_ABANDONED = 64


@dataclass(frozen=True, slots=True, eq=False)
class Abandoned:
    """A stretch that was left by the undo, redo or rewind with the id `event`.

    `fork` is where it leaves the live path, `end` where it was left. `costs` are its train costs, as many of
    the last as were still kept in full; `dev` its rows (n, 3) of step, cost, accuracy; `rates` its changes of
    the rate.
    """

    event: int
    fork: "RunState"
    end: "RunState"
    costs: Floats
    dev: Floats
    rates: Floats
    distributions: Sequence[tuple[int, Counts]] = ()

    @property
    def whole(self) -> bool:
        """Whether all its costs are there, so that it can be brought back without training it again."""
        return (
            len(self.costs) == self.end.steps - self.fork.steps
            and len(self.dev) == self.end.epoch - self.fork.epoch
        )

    def drawn(self, most: int = 240) -> tuple[Floats, Floats]:
        """Steps and costs for the eye: means of at most so many equal pieces."""
        n = len(self.costs)
        if not n:
            return np.empty(0), np.empty(0)
        starts = np.arange(0, n, -(-n // most))
        sizes = np.diff(np.append(starts, n))
        with np.errstate(all="ignore"):  # costs may be huge
            means = np.add.reduceat(self.costs, starts) / sizes
        return self.end.steps - n + starts + (sizes + 1) / 2, means


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A state within reach, and why it is."""

    state: "RunState"
    why: str  # "stride", "asked" (before a nudge, at a pause) or "best"


class Timeline:
    """The states within reach, all on the live path, and the stretches that were left."""

    def __init__(self, start: "RunState") -> None:
        self._start = start
        self._kept: list[Kept] = []
        self._stride = FIRST_STRIDE
        size = sum(a.nbytes for a in (start.parameters, start.running, start.first, start.second))
        self._room = max(2, MOST_BYTES // max(1, size))
        self.abandoned: list[Abandoned] = []
        self.redoable: list[Abandoned] = []
        self._aside: dict[int, list[Kept]] = {}  # the states of each stretch that may be brought back

    def branched(self, now: "RunState") -> "Timeline":
        """The timeline of a branch: the start and now are within reach."""
        made = Timeline(self._start)
        made._keep(Kept(now, "asked"))
        return made

    def passed(self, run: "Run") -> None:
        """A step is done: keep its state if the stride asks for it, or dev cost is the lowest so far."""
        if not run.steps % self._stride:
            self._keep(Kept(run.state(), "stride"))
        best = run.history.best
        if not run.batches.place and best is not None and best[0] == run.epoch:
            self._kept = [kept for kept in self._kept if kept.why != "best"]
            self._keep(Kept(run.state(), "best"))

    def asked(self, run: "Run") -> None:
        """A gesture is about to begin, or the run has been paused: somebody may want to come back here."""
        self._keep(Kept(run.state(), "asked"))

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What is within reach, in order of steps; the start is not among them."""
        return tuple(sorted(self._kept, key=lambda kept: kept.state.steps))

    def states(self) -> tuple["RunState", ...]:
        """The states within reach, in order of their steps; that of the start is not among them."""
        return tuple(kept.state for kept in self.kept)

    def reach(self, kept: Sequence[Kept]) -> None:
        """Have these states of the live path within reach, in order of steps, as if just passed."""
        while kept and kept[-1].state.steps // self._stride > MOST_ON_STRIDE:
            self._stride *= 2
        self._kept = [k for k in kept if k.why != "stride" or not k.state.steps % self._stride]

    def _keep(self, kept: Kept) -> None:
        self._spare()
        self._kept.append(kept)
        self._thin(lambda: len(self._because("stride")) > MOST_ON_STRIDE)
        asked = self._because("asked")
        if len(asked) > MOST_ASKED:
            self._kept.remove(asked[0])
        # over the limit in bytes: the stride's go first, then the oldest that were asked for, never the best
        self._thin(lambda: len(self._kept) > self._room and len(self._because("stride")) > 1)
        while len(self._kept) > self._room and (rest := self._because("asked") or self._because("stride")):
            self._kept.remove(rest[0])

    def _because(self, why: str) -> list[Kept]:
        return [each for each in self._kept if each.why == why]

    def _thin(self, too_many: Callable[[], bool]) -> None:
        while too_many():
            self._stride *= 2
            self._kept = [k for k in self._kept if k.why != "stride" or not k.state.steps % self._stride]

    def _spare(self) -> None:
        """States aside are for redo alone, and have what room the others leave; the oldest go first."""
        wanted = {left.event for left in self.redoable}
        self._aside = {event: states for event, states in self._aside.items() if event in wanted}
        room = min(self._room, 2 * (MOST_ON_STRIDE + MOST_ASKED)) - len(self._kept)
        while self._aside and sum(map(len, self._aside.values())) > room:
            del self._aside[min(self._aside)]

    # -- going back and forth ----------------------------------------------------------------------------

    def leave(self, run: "Run", steps: int, last_event: int, by_event: int) -> None:
        """Take the run back to `steps`, with the events up to `last_event` applied; the rest is abandoned."""
        end = run.state()
        history = run.history
        costs = history.train.part(steps, history.steps).copy()
        steps_of_dev = history.dev_step.part(0, history.epochs)
        since = history.epochs - int((steps_of_dev > steps).sum())
        dev = np.stack(
            [
                s.part(since, history.epochs)
                for s in (history.dev_step, history.dev_cost, history.dev_accuracy)
            ],
            axis=1,
        ).copy()
        rates, epoch, distributions = run.rates.since(steps), run.epoch, run.distributions.since(0)
        aside = [k for k in self._kept if k.state.steps > steps or k.state.last_event > last_event]
        self.seek(run, steps, last_event)
        self._drop_after(steps, last_event)
        gone = [each for each in distributions if run.epoch < each[0] <= epoch]
        left = Abandoned(by_event, run.state(), end, costs, dev, rates, gone)
        self.abandoned = [*self.abandoned[-MOST_ABANDONED + 1 :], left]
        self.redoable.append(left)
        self._aside[by_event] = aside
        self._spare()

    def seek(self, run: "Run", steps: int, last_event: int) -> None:
        """Restore the nearest state on the way to `steps` and train forward, nudges on record included."""
        run.restore(self.nearest(steps, last_event))
        run.train_again(steps, last_event)

    def nearest(self, steps: int, last_event: int) -> "RunState":
        """The last state within reach that is on the way to `steps` with the events up to `last_event`."""
        nearest = self._start
        for kept in self._kept:
            state = kept.state
            if state.steps <= steps and state.last_event <= last_event and state.steps >= nearest.steps:
                nearest = state
        return nearest

    def take_back(self, run: "Run", left: Abandoned) -> None:
        """Bring a stretch back: its costs and its last state; where costs are gone, train it again."""
        run.restore(left.fork)
        if left.whole:
            run.history.extend(left.costs, left.dev)
            for step, rate in left.rates:
                run.rates.set(int(step), float(rate))
            for epoch, counts in left.distributions:
                run.distributions.add(epoch, counts)
            run.restore(left.end)
        else:
            run.train_again(left.end.steps, left.end.last_event)
        self._drop_after(left.fork.steps, left.fork.last_event)
        aside = self._aside.pop(left.event, [])
        if any(kept.why == "best" for kept in aside):
            self._kept = [kept for kept in self._kept if kept.why != "best"]
        self._kept += [k for k in aside if k.why != "stride" or not k.state.steps % self._stride]

    def last_good(self, run: "Run", limit: float) -> int:
        """The latest step with a state of its own where the mean of the last 50 costs was below `limit`."""
        for state in reversed(self.states()):
            steps = state.steps
            # far back the curve has no single costs any more, and the state has its own
            costs = state.history.train_tail[-50:]
            if not len(costs):
                costs = run.history.train.part(max(0, steps - 50), steps)
            if steps < run.steps and len(costs) and costs.mean() < limit:
                return steps
        return 0

    def _drop_after(self, steps: int, last_event: int) -> None:
        self._kept = [k for k in self._kept if k.state.steps <= steps and k.state.last_event <= last_event]
