"""A curve of any length in bounded memory.

A `Series` keeps its first and its recent values in full and the whole of itself as blocks with min, mean and
max, which start at multiples of their size, so that a spike of one step stays visible after ten million.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DRAWN = 16_384  # values read for one view at the most
_COARSEST = 4_096  # a file has blocks of at most this part of the whole


class Growing:
    """A float64 array (n, width) that grows by doubling; `truncate` forgets the tail."""

    def __init__(self, width: int) -> None:
        self._array = np.empty((64, width))
        self.n = 0

    def append(self, row: tuple[Any, ...]) -> None:
        if self.n == len(self._array):
            self._array = np.concatenate([self._array, np.empty_like(self._array)])
        self._array[self.n] = row
        self.n += 1

    def extend(self, rows: Floats) -> None:
        n = self.n + len(rows)
        if n > len(self._array):
            bigger = np.empty((max(n, 2 * len(self._array)), self._array.shape[1]))
            bigger[: self.n] = self.rows()
            self._array = bigger
        self._array[self.n : n] = rows
        self.n = n

    def truncate(self, n: int) -> None:
        self.n = min(self.n, n)

    def rows(self, start: int = 0, stop: int | None = None) -> Floats:
        return self._array[start : self.n if stop is None else min(stop, self.n)]


class Series:
    """One value a position, counted from 0. Block `sizes` ascend, each a multiple of the one before.

    The first `keep_first` values are kept in full, and of the last at least `keep_recent` (after a `truncate`
    at least its tail). `keep_first` is at most twice `keep_recent`.

    After a `recall` it knows what a record has: of the first values `known`, and no blocks below `grain`.
    Smaller ones are then filled from those, for the eye only, until `truncate` makes the last exact.
    """

    def __init__(self, sizes: tuple[int, ...], keep_first: int, keep_recent: int) -> None:
        self.sizes = sizes
        self.n = 0
        self.first = np.empty(keep_first)
        self.known = keep_first
        self.grain = sizes[0]
        self.keep_recent = keep_recent
        self.recent_start = 0  # position of the first recent value
        self._recent = np.empty(min(4096, 2 * keep_recent))
        self._levels = tuple(Growing(3) for _ in sizes)

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

    def extend(self, values: Floats) -> None:
        """As `append` of each."""
        start = self.n // self.sizes[0] * self.sizes[0]
        since = np.concatenate([self.raw(start, self.n), values])
        here = self.first[self.n : self.n + len(values)]
        here[:] = values[: len(here)]
        while len(values):
            i = self.n - self.recent_start
            if i == len(self._recent):
                i = self._make_room()
            part = values[: len(self._recent) - i]
            self._recent[i : i + len(part)] = part
            self.n += len(part)
            values = values[len(part) :]
        self._close(since)

    def _close(self, values: Floats) -> None:
        """Append the blocks that these values fill; they follow on the last one of the least size."""
        with np.errstate(all="ignore"):  # costs may be huge or infinite
            size = self.sizes[0]
            parts = values[: len(values) // size * size].reshape(-1, size)
            self._levels[0].extend(np.stack([parts.min(1), parts.mean(1), parts.max(1)], axis=1))
            for lower, upper, small, big in zip(
                self._levels, self._levels[1:], self.sizes, self.sizes[1:], strict=False
            ):
                ratio = big // small
                rows = lower.rows(upper.n * ratio)
                part = rows[: len(rows) // ratio * ratio].reshape(-1, ratio, 3)
                low, mean, high = part[:, :, 0].min(1), part[:, :, 1].mean(1), part[:, :, 2].max(1)
                upper.extend(np.stack([low, mean, high], axis=1))

    def raw(self, start: int, stop: int) -> Floats:
        """Values start … stop − 1, which must be among the recent ones. A view."""
        return self._recent[start - self.recent_start : stop - self.recent_start]

    def part(self, start: int, stop: int) -> Floats:
        """Values start … stop − 1, or as many of the last of them as are kept in full. A view."""
        if stop <= len(self.first):
            return self.first[start:stop]
        start = max(start, self.recent_start)
        return self.raw(start, max(start, stop))

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
        return self.last(max(least, self.n // _COARSEST, self.n % self.grain)).copy()

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
        if self.recalled:
            self._refine()

    # -- of a record -------------------------------------------------------------------------------------

    @property
    def recalled(self) -> bool:
        """Whether it is that of a record still, which knows less."""
        return self.grain > self.sizes[0] or self.known < len(self.first)

    def recall(self, n: int, first: Floats, size: int, blocks: Floats) -> None:
        """Be the series of n values of which a record has the first, and blocks (blocks, 3) of one `size`.

        Nothing may follow but `truncate`. Raises ValueError for blocks that are no multiple of one's own.
        """
        own = [each for each in self.sizes if each <= size]
        if not own or any(size % each for each in own) or not 0 < len(blocks) <= n // size:
            raise ValueError(f"{len(blocks)} blocks of {size} for {n} values")
        self.n, self.recent_start = n, n
        self._recent = np.empty(2 * self.keep_recent)
        self.known, self.grain = len(first), size
        self.first[: len(first)] = first
        between = np.arange(len(first), min(n, len(self.first)))
        self.first[between] = blocks[np.minimum(between // size, len(blocks) - 1), 1]
        for level, each in zip(self._levels, own, strict=False):
            level.truncate(0)
            level.extend(np.repeat(blocks, size // each, axis=0))
        self._close(np.empty(0))

    def reaches(self, n: int, tail: Floats, least: int) -> bool:
        """Whether `truncate` gives all that there was at n: the blocks of a file, and the last values."""
        if n <= self.known:
            return True
        whole = n // self.grain * self.grain <= self._levels[0].n * self.sizes[0]
        return whole and len(self.first) < n <= self.n and len(tail) >= max(min(n, least), n % self.grain)

    def _refine(self) -> None:
        """Make the blocks exact behind the last one of the record; where all values are known again, all."""
        if self.n <= self.known:
            values = self.first[: self.n].copy()
            self.n = self.recent_start = 0
            self.known, self.grain = len(self.first), self.sizes[0]
            for level in self._levels:
                level.truncate(0)
            self.extend(values)
        else:
            start = self.n // self.grain * self.grain
            for level, size in zip(self._levels, self.sizes, strict=True):
                level.truncate(start // size)
            self._close(self.raw(start, self.n))

    # -- looking -----------------------------------------------------------------------------------------

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
