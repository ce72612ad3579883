"""Standardised rows that are made when they are taken, from a file that stays on disk."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from pandatui.data.mapped import Mapped
from pandatui.data.split import Rows
from pandatui.data.standardise import Array, Standardisation, chunks

GROUP_VALUES = 1 << 16  # standardised at a time: 512 KiB of float64 stay in cache


class Standardised:
    """Some rows of a mapped array as a network takes them: (rows, features), read-only, bits as if loaded.

    It has an array's length, shape and dtype; a slice or an array of row numbers gives an array. Any thread
    may take from it. Raises DataError when the file has changed.
    """

    def __init__(self, raw: Mapped, rows: Rows, standardisation: Standardisation, dtype: str) -> None:
        self._raw, self._rows, self._standardisation = raw, rows, standardisation
        self.shape = (len(rows), raw.features)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._group = max(1, GROUP_VALUES // raw.features)
        self._own = threading.local()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: slice | npt.NDArray[Any]) -> Array:
        rows = self._rows[which]
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        self._fill(rows, out)
        return out

    def take(self, which: npt.NDArray[np.intp], out: Array) -> None:
        """Gather rows (m,) into out (m, features). Row numbers are clipped, as in `Part.take`."""
        self._fill(np.take(self._rows, which, mode="clip"), out)

    def check(self) -> None:
        """Raise DataError for the first value that dtype cannot hold once standardised: one pass through."""
        for part in chunks(*self.shape):
            self._standardisation.gather(self._raw, self._rows[part], self.dtype)

    def _fill(self, rows: Rows, out: Array) -> None:
        self._raw.check()
        raw, wide = self._buffers()
        for start in range(0, len(rows), self._group):
            group = rows[start : start + self._group]
            m = len(group)
            self._raw.take(group, raw[:m])
            self._standardisation.into(raw[:m], wide[:m], out[start : start + m])

    def _buffers(self) -> tuple[Array, Array]:
        """This thread's own: a group of rows as on disk, and in float64."""
        found: tuple[Array, Array] | None = getattr(self._own, "buffers", None)
        if found is None:
            shape = (self._group, self.shape[1])
            found = self._own.buffers = np.empty(shape, self._raw.dtype), np.empty(shape)
        return found
