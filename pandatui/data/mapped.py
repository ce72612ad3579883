"""An array that stays on disk: a .npy file mapped into memory, its rows read when they are asked for.

Its pages belong to the system's cache, not to the process: whatever the size of the file, they cost it no
memory of its own, and processes that map the same file share them. What is written to the file meanwhile
would be seen, and a look beyond the end of one cut short would end the process with SIGBUS: so size and time
of the last change are compared before every look, and a file that has changed is refused. What is left is a
cut within the microseconds of a look, and a disk that fails.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError
from pandatui.data.opening import check_length

MAPPED_FROM = 256 << 20  # bytes: smaller arrays are quickly loaded in full, and then quicker to train on


class Mapped:
    """(rows, ...) numbers in C order, of any byte order and alignment; looked at as (rows, features).

    Raises DataError when the file is not, or is no longer, what it was.
    """

    def __init__(
        self, file: BinaryIO, place: str, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int
    ) -> None:
        self.place, self.dtype, self.shape = place, dtype, shape
        self.nbytes = math.prod(shape) * dtype.itemsize
        self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file).atexit = False  # a training thread may still look at it
        self._as_found = self._stamp()
        check_length(place, dtype, shape, self._as_found[0] - offset)
        pages = mmap.mmap(self._file, offset + self.nbytes, access=mmap.ACCESS_READ)
        # bytes: rows are copied as they stand, and need be neither aligned nor of this machine's byte order
        self._bytes = np.frombuffer(pages, np.uint8, self.nbytes, offset).reshape(shape[0], -1)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def features(self) -> int:
        """Numbers in a row."""
        return math.prod(self.shape[1:])

    def __getitem__(self, rows: slice | npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Rows as they are on disk, (m, features): a view of the pages for a slice, else a copy."""
        self.check()
        if isinstance(rows, slice):
            return self._bytes[rows].view(self.dtype)
        out = np.empty((len(rows), self.features), self.dtype)
        self.take(rows, out)
        return out

    def take(self, rows: npt.NDArray[np.intp], out: npt.NDArray[Any]) -> None:
        """Gather rows (m,) into out (m, features) of the same dtype. Like `Part.take`, it clips."""
        np.take(self._bytes, rows, axis=0, out=out.view(np.uint8), mode="clip")

    def check(self) -> None:
        """Raise DataError if the file was cut, or written to, since it was mapped."""
        if self._stamp() != self._as_found:
            raise DataError(
                f"{self.place}: expected a file that stays as it is while in use, found it changed"
            )

    def _stamp(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_size, found.st_mtime_ns
