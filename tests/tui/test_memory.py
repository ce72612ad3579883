"""Threads that come and go leave no heaps of their own behind."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# malloc_info lists a <heap> for each; what is allocated is small enough to be in one
SOURCE = """
import ctypes, sys, threading
from pandatui.tui.memory import one_heap

if sys.argv[1] == "one":
    one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
together = threading.Barrier(4)

def allocate():
    together.wait()
    for _ in range(100):
        libc.malloc(50_000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for each in threads: each.start()
for each in threads: each.join()
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_all_threads_share_one_heap() -> None:
    def heaps(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", SOURCE, how], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.count("<heap ")

    assert heaps("many") > 1
    assert heaps("one") == 1
