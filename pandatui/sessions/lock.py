"""Who may write a session: whoever holds the `flock` on its journal.

The lock goes with its process, so that a killed owner leaves none behind. Who it is stands in the journal.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pandatui.sessions.records import JournalError, Record, parse, read_all

# a reader that looks who holds the lock has it for an instant; a busy machine may take long between two tries
_TRIES, _BETWEEN = 50, 0.005  # seconds


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes a session: its process, and since when (ISO 8601, UTC)."""

    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} since {self.since}" if self.pid else "another process"


class Held(OSError):  # noqa: N818 - a state of affairs, as BlockingIOError
    """Another process, or another part of this one, writes this session."""

    def __init__(self, name: str, holder: Holder) -> None:
        super().__init__(errno.EAGAIN, f"{name!r} is being trained by {holder}")
        self.holder = holder


def holder(path: Path) -> Holder | None:
    """Who writes this journal's session now; None when nobody does."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if is_at(descriptor, path) or not path.exists():  # else its writer has just begun it anew
                return None
        except BlockingIOError:
            with contextlib.suppress(OSError, JournalError):
                return _holder_of(parse(read_all(descriptor)).records)
            return Holder(0, "")
        except OSError:  # a file system without locks
            return None
        finally:
            os.close(descriptor)


def _holder_of(records: Iterable[Record]) -> Holder:
    found = Holder(0, "")
    for record in records:
        if record.get("kind") == "start":
            pid, since = record.get("pid"), record.get("since")
            if isinstance(pid, int) and isinstance(since, str):
                found = Holder(pid, since[:40])
    return found


def locked(path: Path) -> int:
    """A descriptor that appends to the file at this path, made if need be, with the lock.

    Raises Held, OSError.
    """
    tries = _TRIES
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(descriptor, path):  # else it was replaced or removed while we waited
                return descriptor
        except BlockingIOError:
            tries -= 1
            if tries <= 0:
                found = holder(path) or Holder(0, "")
                os.close(descriptor)
                raise Held(path.stem, found) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        time.sleep(_BETWEEN)


def is_at(descriptor: int, path: Path) -> bool:
    try:
        there, ours = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
