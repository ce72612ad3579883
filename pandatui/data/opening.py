"""The one door to files that people name: only regular files, never one that could block.

Checks that every format shares are here too: how large an array may be, how far it may be compressed.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pandatui.data.errors import DataError, show

GIB = 1 << 30
LARGEST = 4 * GIB  # bytes of one array once read
HIGHEST_RATIO = 200  # of an array's bytes to its compressed bytes; real data stay far below
ALWAYS_FINE = 64 << 20  # an array of up to 64 MiB may be compressed as far as it will go


def status(path: Path) -> os.stat_result:
    """What the path leads to. Raises DataError for what is missing, unreachable, or no path at all."""
    try:
        return path.stat()
    except FileNotFoundError:
        raise DataError(f"{show(path)}: expected a file, found nothing there") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(f"{show(path)}: cannot be read: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """An operating system's or library's error in one line, without the path."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((text or type(error).__name__).split())[:120]


def open_regular(path: Path) -> BinaryIO:
    """The file, open for reading. Raises DataError unless it is a regular file: a pipe could block."""
    kind = status(path)
    if not stat.S_ISREG(kind.st_mode):
        raise DataError(f"{show(path)}: expected a regular file, found {kind_of(kind.st_mode)}")
    try:
        # Non-blocking, should the path have become a pipe since it was looked at.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise DataError(f"{show(path)}: cannot be read: {reason(error)}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DataError(f"{show(path)}: expected a regular file, found another kind")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def kind_of(mode: int) -> str:
    names = {
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
        stat.S_ISSOCK: "a socket",
    }
    return next((name for test, name in names.items() if test(mode)), "something else")


def check_length(place: str, dtype: np.dtype[Any], shape: tuple[int, ...], found: int) -> None:
    """Refuse `found` bytes of data where a header promised another number."""
    expected = math.prod(shape) * dtype.itemsize
    if found != expected:
        raise DataError(
            f"{place}: expected {expected} bytes for shape {shape} of {dtype.name}, found {found}"
        )


def check_size(place: str, promised: int, compressed: int | None = None) -> None:
    """Refuse an array of more than LARGEST bytes, or one compressed beyond belief, before it is read."""
    if promised > LARGEST:
        raise DataError(
            f"{place}: expected at most {LARGEST // GIB} GiB of data, found {promised} bytes promised"
        )
    if compressed is not None and promised > ALWAYS_FINE and promised > HIGHEST_RATIO * compressed:
        raise DataError(
            f"{place}: expected data compressed at most {HIGHEST_RATIO} times, found {promised} bytes "
            f"promised by {compressed}"
        )
