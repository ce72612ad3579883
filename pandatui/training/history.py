"""The curves of one run: every train cost with its hash chain, and the dev points.

They take bounded memory at any length; see `Series`. A history can be that of a record, which knows less.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from pandatui.training.series import Floats, Growing, Series

__all__ = ["CHAIN_BLOCK", "Floats", "History", "HistoryState", "Series", "StepFunction", "chained"]

CHAIN_BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class HistoryState:
    """What a checkpoint keeps of the curves; closed blocks and their hashes don't change."""

    steps: int
    train_tail: Floats
    epochs: int
    dev_tails: tuple[Floats, ...]  # step, cost, accuracy
    best: tuple[int, float, float] | None


class History:
    """The curves of one run: every train cost, and (step, cost, accuracy) of dev at every epoch's end."""

    TRAIN_SIZES = (32, CHAIN_BLOCK, 32 * CHAIN_BLOCK)
    DEV_SIZES = (64, 2048)
    FULL_TRAIN, END_TRAIN = 100_000, 10_000  # all up to so many; beyond, so many first and last ones
    FULL_DEV, END_DEV = 10_000, 1_000

    def __init__(self) -> None:
        self.train = Series(self.TRAIN_SIZES, keep_first=self.FULL_TRAIN, keep_recent=131_072)
        self.dev_step, self.dev_cost, self.dev_accuracy = (
            Series(self.DEV_SIZES, keep_first=self.FULL_DEV, keep_recent=16_384) for _ in range(3)
        )
        self.links = [bytes(32)]  # h after 0, 1,024, 2,048, … steps
        self.best: tuple[int, float, float] | None = None  # epoch, dev cost, accuracy: the lowest cost

    @property
    def steps(self) -> int:
        return self.train.n

    @property
    def epochs(self) -> int:
        return self.dev_cost.n

    def add_train(self, cost: float) -> None:
        self.train.append(cost)
        if not self.train.n % CHAIN_BLOCK:
            self.links.append(chained(self.links[-1], self.train.last(CHAIN_BLOCK)))

    def add_dev(self, step: int, cost: float, accuracy: float) -> None:
        self.dev_step.append(step)
        self.dev_cost.append(cost)
        self.dev_accuracy.append(accuracy)
        if np.isfinite(cost) and (self.best is None or cost < self.best[1]):
            self.best = (self.epochs, cost, accuracy)

    def costs_sha256(self) -> str:
        """The chain over all train costs so far, the remainder included, in hexadecimal."""
        return chained(self.links[-1], self.train.last(self.steps % CHAIN_BLOCK)).hex()

    def state(self) -> HistoryState:
        return HistoryState(
            steps=self.steps,
            train_tail=self.train.tail(self.END_TRAIN),
            epochs=self.epochs,
            dev_tails=tuple(series.tail(self.END_DEV) for series in self.dev_series()),
            best=self.best,
        )

    def extend(self, costs: Floats, dev: Floats) -> None:
        """Put a stretch on the end: train costs (n,) and dev rows (m, 3) of step, cost, accuracy."""
        since = np.concatenate([self.train.last(self.steps % CHAIN_BLOCK), costs])
        self._link_up(since)
        self.train.extend(costs)
        before = self.epochs
        for series, column in zip(self.dev_series(), dev.T, strict=True):
            series.extend(column)
        finite = np.flatnonzero(np.isfinite(dev[:, 1]))
        if len(finite):
            lowest = int(finite[dev[finite, 1].argmin()])
            cost, accuracy = float(dev[lowest, 1]), float(dev[lowest, 2])
            if self.best is None or cost < self.best[1]:
                self.best = (before + lowest + 1, cost, accuracy)

    def _link_up(self, costs: Floats) -> None:
        """Go on with the chain by the whole blocks of these costs, which follow on its last link."""
        for start in range(0, len(costs) // CHAIN_BLOCK * CHAIN_BLOCK, CHAIN_BLOCK):
            self.links.append(chained(self.links[-1], costs[start : start + CHAIN_BLOCK]))

    def restore(self, state: HistoryState) -> None:
        """Back to an earlier point of this same history; of a recalled one to a state that it `reaches`."""
        if state.steps > self.steps or state.epochs > self.epochs:
            raise ValueError(f"this history has {self.steps} steps, the state {state.steps}")
        start = self.link_before(state.steps)
        recalled = self.train.recalled
        self.train.truncate(state.steps, state.train_tail)
        for series, tail in zip(self.dev_series(), state.dev_tails, strict=True):
            series.truncate(state.epochs, tail)
        del self.links[start // CHAIN_BLOCK + 1 :]
        if recalled:  # else there is no whole block behind `start`
            self._link_up(self.train.part(start, state.steps))
        self.best = state.best

    def link_before(self, steps: int) -> int:
        """The last step by `steps` of which a link of the chain is known; a record has not all of them."""
        if self.train.recalled and steps <= self.train.known:
            return 0
        return steps // max(CHAIN_BLOCK, self.train.grain) * max(CHAIN_BLOCK, self.train.grain)

    def reaches(self, state: HistoryState) -> bool:
        """Whether `restore` can go back to this state of the same path with all that was there."""
        return self.train.reaches(state.steps, state.train_tail, self.END_TRAIN) and all(
            series.reaches(state.epochs, tail, self.END_DEV)
            for series, tail in zip(self.dev_series(), state.dev_tails, strict=True)
        )

    def dev_series(self) -> tuple[Series, Series, Series]:
        """Step, cost, accuracy at every epoch's end."""
        return self.dev_step, self.dev_cost, self.dev_accuracy


def chained(link: bytes, costs: Floats) -> bytes:
    """The chain after these costs, which begin a block; `link` is where it stood before them."""
    for start in range(0, len(costs), CHAIN_BLOCK):
        link = hashlib.sha256(link + costs[start : start + CHAIN_BLOCK].astype("<f8").tobytes()).digest()
    return link


class StepFunction:
    """(step, value) at each change, for the strip of the rate in use; halves its past when it gets long."""

    LIMIT = 16_384

    def __init__(self) -> None:
        self._rows = Growing(2)

    def set(self, step: int, value: float) -> None:
        """From `step` on it is `value`; a second value for the same step replaces the first."""
        rows = self._rows.rows()
        if len(rows) and rows[-1, 0] == step:
            rows = rows[:-1]
            self._rows.truncate(len(rows))
        if len(rows) and rows[-1, 1] == value:
            return
        if len(rows) == self.LIMIT:
            thinner = np.concatenate([rows[: self.LIMIT // 2 : 2], rows[self.LIMIT // 2 :]])
            rows[: len(thinner)] = thinner
            self._rows.truncate(len(thinner))
        self._rows.append((step, value))

    def truncate(self, step: int) -> None:
        """Forget changes after `step`."""
        self._rows.truncate(int(np.searchsorted(self._rows.rows()[:, 0], step, side="right")))

    def since(self, step: int) -> Floats:
        """The changes after `step`, (n, 2)."""
        rows = self._rows.rows()
        return rows[np.searchsorted(rows[:, 0], step, side="right") :].copy()

    def arrays(self) -> tuple[Floats, Floats]:
        rows = self._rows.rows()
        return rows[:, 0].copy(), rows[:, 1].copy()
