"""Memory that is given back. glibc gives each thread a heap of its own, which seldom shrinks.

The app's threads come and go with runs, and each copies and encodes whole records: in a night of branches and
saves that would be a hundred megabytes of holes. Only what is larger than `_LARGE` lies outside of the heap:
a run copies its weights every few dozen steps, and memory given back each time is paid for again.
"""

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # from malloc.h
_LARGE = 4 * 2**20  # bytes


def one_heap() -> None:
    """One heap for all threads; what is large lies outside of it. Nothing where there is no glibc."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _LARGE)
