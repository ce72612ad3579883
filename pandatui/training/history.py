"""Curves of any length in bounded memory.

A `Series` keeps its first and its recent values in full and the whole of itself as blocks with min, mean and
max, which start at multiples of their size, so that a spike of one step stays visible after ten million.
`History` adds the hash chain over every train cost and the dev points.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHAIN_BLOCK = 1024
_DRAWN = 16_384  # values read for one view at the most


class _Growing:
    """A float64 array (n, width) that grows by doubling; `truncate` forgets the tail."""

    def __init__(self, width: int) -> None:
        self._array = np.empty((64, width))
        self.n = 0

    def append(self, row: tuple[Any, ...]) -> None:
        if self.n == len(self._array):
            self._array = np.concatenate([self._array, np.empty_like(self._array)])
        self._array[self.n] = row
        self.n += 1

    def truncate(self, n: int) -> None:
        self.n = min(self.n, n)

    def rows(self, start: int = 0, stop: int | None = None) -> Floats:
        return self._array[start : self.n if stop is None else min(stop, self.n)]


class Series:
    """One value a position, counted from 0. Block `sizes` ascend, each a multiple of the one before.

    The first `keep_first` values are kept in full, and of the last at least `keep_recent` (after a `truncate`
    at least its tail). `keep_first` is at most twice `keep_recent`.
    """

    def __init__(self, sizes: tuple[int, ...], keep_first: int, keep_recent: int) -> None:
        self.sizes = sizes
        self.n = 0
        self.first = np.empty(keep_first)
        self.keep_recent = keep_recent
        self.recent_start = 0  # position of the first recent value
        self._recent = np.empty(min(4096, 2 * keep_recent))
        self._levels = tuple(_Growing(3) for _ in sizes)

    def append(self, value: float) -> None:
        i = self.n - self.recent_start
        if i == len(self._recent):
            i = self._make_room()
        self._recent[i] = value
        if self.n < len(self.first):
            self.first[self.n] = value
        self.n += 1
        if not self.n % self.sizes[0]:
            self._fold()

    def _make_room(self) -> int:
        """Grow, or once at full length forget the older half; returns the free position."""
        used = self.n - self.recent_start
        if used < 2 * self.keep_recent:
            bigger = np.empty(min(2 * used, 2 * self.keep_recent))
            bigger[:used] = self._recent[:used]
            self._recent = bigger
            return used
        self._recent[: self.keep_recent] = self._recent[used - self.keep_recent : used]
        self.recent_start = self.n - self.keep_recent
        return self.keep_recent

    def _fold(self) -> None:
        """Close the blocks that end here: the least from raw values, each other from the level below."""
        with np.errstate(all="ignore"):  # costs may be huge or infinite
            self._fold_levels(self.raw(self.n - self.sizes[0], self.n))

    def _fold_levels(self, rows: Floats) -> None:
        self._levels[0].append((rows.min(), rows.mean(), rows.max()))
        for lower, size in enumerate(self.sizes[1:]):
            if self.n % size:
                return
            ratio = size // self.sizes[lower]
            part = self._levels[lower].rows(self._levels[lower].n - ratio)
            self._levels[lower + 1].append((part[:, 0].min(), part[:, 1].mean(), part[:, 2].max()))

    def raw(self, start: int, stop: int) -> Floats:
        """Values start … stop − 1, which must be among the recent ones. A view."""
        return self._recent[start - self.recent_start : stop - self.recent_start]

    def part(self, start: int, stop: int) -> Floats:
        """Values start … stop − 1, or as many of the last of them as are kept in full. A view."""
        if stop <= len(self.first):
            return self.first[start:stop]
        return self.raw(max(start, self.recent_start), stop)

    def last(self, count: int) -> Floats:
        """The last values, at most `count` of them and as many as are still there."""
        return self.raw(max(self.recent_start, self.n - count), self.n)

    def blocks(self, size: int) -> Floats:
        """The closed blocks of one size: (blocks, 3), min, mean, max."""
        return self._levels[self.sizes.index(size)].rows()

    def tail(self, least: int) -> Floats:
        """What `truncate` needs to come back to here: nothing while the first values are all there are."""
        if self.n <= len(self.first):
            return np.empty(0)
        return self.last(max(least, self.n % self.sizes[0])).copy()

    def truncate(self, n: int, tail: Floats) -> None:
        """Forget what came after the first n values; `tail` is what `tail()` gave when there were n."""
        for level, size in zip(self._levels, self.sizes, strict=True):
            level.truncate(n // size)
        if n <= len(self.first):
            if self.recent_start:
                self.recent_start = 0
                self._recent[:n] = self.first[:n]
        elif n - len(tail) < self.recent_start:
            self.recent_start = n - len(tail)
            self._recent[: len(tail)] = tail
        self.n = n

    def view(self, first: float, last: float, buckets: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Positions (1-based, the middle of each bucket) and their min, mean and max between two positions.

        Costs the same for a run of any length: it reads the finest level with at most 16,384 values there.
        Whole blocks are read, so that the first and last bucket may reach over the edge; buckets start at
        multiples of their width.
        """
        start, stop = max(0, int(first) - 1), min(self.n, int(np.ceil(last)))
        if stop <= start:
            empty = np.empty(0)
            return empty, empty, empty, empty
        with np.errstate(all="ignore"):  # costs may be huge or infinite
            size, low, mean, high, origin = self._level_for(start, stop)
            step = max(1, -(-int(last - first + 1) // (size * max(1, buckets))))
            cuts = np.arange(-(origin // size) % step, len(mean), step)
            if not len(cuts) or cuts[0] != 0:
                cuts = np.concatenate([[0], cuts])
            weights = np.full(len(mean), float(size))
            weights[-1] = min(size, self.n - origin - (len(mean) - 1) * size)  # the open block is shorter
            edges = origin + np.append(cuts, len(mean)) * size
            edges[-1] = min(edges[-1], stop)
            return (
                (edges[:-1] + edges[1:] + 1) / 2,
                np.minimum.reduceat(low, cuts),
                np.add.reduceat(mean * weights, cuts) / np.add.reduceat(weights, cuts),
                np.maximum.reduceat(high, cuts),
            )

    def _level_for(self, start: int, stop: int) -> tuple[int, Floats, Floats, Floats, int]:
        """(block size, min, mean, max, position of the first) of the finest level that will do."""
        if stop - start <= _DRAWN and start >= self.recent_start:
            values = self.raw(start, stop)
            return 1, values, values, values, start
        if stop <= len(self.first) and stop - start <= _DRAWN:
            values = self.first[start:stop]
            return 1, values, values, values, start
        for level, size in zip(self._levels, self.sizes, strict=True):
            rows = level.rows(start // size, -(-stop // size))
            if len(rows) <= _DRAWN or size == self.sizes[-1]:
                break
        closed = (start // size + len(rows)) * size
        if closed < stop:  # the open block, as far as it has come
            rows = np.concatenate([rows, [self._open(closed)]])
        return size, rows[:, 0], rows[:, 1], rows[:, 2], start // size * size

    def _open(self, start: int) -> tuple[float, float, float]:
        """min, mean, max from `start` to the end, from the finest closed blocks and the raw rest."""
        parts = self._levels[0].rows(start // self.sizes[0])
        rest = self.raw(self.n - self.n % self.sizes[0], self.n)
        low = np.concatenate([parts[:, 0], rest])
        mean = (parts[:, 1].sum() * self.sizes[0] + rest.sum()) / (self.n - start)
        return low.min(), mean, np.concatenate([parts[:, 2], rest]).max()


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
            self.links.append(_link(self.links[-1], self.train.last(CHAIN_BLOCK)))

    def add_dev(self, step: int, cost: float, accuracy: float) -> None:
        self.dev_step.append(step)
        self.dev_cost.append(cost)
        self.dev_accuracy.append(accuracy)
        if np.isfinite(cost) and (self.best is None or cost < self.best[1]):
            self.best = (self.epochs, cost, accuracy)

    def costs_sha256(self) -> str:
        """The chain over all train costs so far, the remainder included, in hexadecimal."""
        rest = self.train.last(self.steps % CHAIN_BLOCK)
        return (_link(self.links[-1], rest) if len(rest) else self.links[-1]).hex()

    def state(self) -> HistoryState:
        return HistoryState(
            steps=self.steps,
            train_tail=self.train.tail(self.END_TRAIN),
            epochs=self.epochs,
            dev_tails=tuple(series.tail(self.END_DEV) for series in self._dev_series()),
            best=self.best,
        )

    def extend(self, costs: Floats, dev: Floats) -> None:
        """Put a stretch on the end: train costs (n,) and dev rows (m, 3) of step, cost, accuracy."""
        for cost in costs:
            self.add_train(float(cost))
        for step, cost, accuracy in dev:
            self.add_dev(int(step), float(cost), float(accuracy))

    def restore(self, state: HistoryState) -> None:
        """Back to an earlier point of this same history."""
        if state.steps > self.steps or state.epochs > self.epochs:
            raise ValueError(f"this history has {self.steps} steps, the state {state.steps}")
        self.train.truncate(state.steps, state.train_tail)
        for series, tail in zip(self._dev_series(), state.dev_tails, strict=True):
            series.truncate(state.epochs, tail)
        del self.links[state.steps // CHAIN_BLOCK + 1 :]
        self.best = state.best

    def _dev_series(self) -> tuple[Series, Series, Series]:
        return self.dev_step, self.dev_cost, self.dev_accuracy


def _link(previous: bytes, costs: Floats) -> bytes:
    return hashlib.sha256(previous + costs.astype("<f8").tobytes()).digest()


class StepFunction:
    """(step, value) at each change, for the strip of the rate in use; halves its past when it gets long."""

    LIMIT = 16_384

    def __init__(self) -> None:
        self._rows = _Growing(2)

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
