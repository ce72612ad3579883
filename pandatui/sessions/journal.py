"""The journal: what a run has done since its session's file was written, one JSON line a record.

Records are written by one unbuffered write on a descriptor that appends. A torn tail is cut, and kept aside,
before anything is appended; behind damage nothing is ever written.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pandatui.sessions.lock import is_at, locked
from pandatui.sessions.records import Contents, JournalError, Record, line, parse, read_all, write_all

FORMAT = "pandatui-journal"
VERSION = 1


class Journal:
    """A journal open for writing, with the lock on its session. Make one by `create` or `reopen`.

    A write that fails halfway is cut back at the next one, so that a full disk leaves no damage.
    """

    def __init__(self, path: Path, descriptor: int, number: int, end: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.number = number  # of the last record
        self.end = end
        self._dirty = False  # bytes behind `end` that are no record

    @classmethod
    def create(cls, path: Path, session: str) -> "Journal":
        """A new one for the session with this id; what another left there is gone. Raises Held, OSError."""
        descriptor = locked(path)
        try:
            os.ftruncate(descriptor, 0)
            journal = cls(path, descriptor, 0, 0)
            journal.append([start_record(session)], sync=True)
            _sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    @classmethod
    def reopen(cls, path: Path, session: str) -> tuple["Journal", Contents, Path | None]:
        """Go on with the journal that is there, or with a new one; what it held; where a torn tail went.

        Raises Held, JournalError for a damaged one or another session's, OSError.
        """
        descriptor = locked(path)
        try:
            contents = parse(read_all(descriptor))
            if contents.damage:
                raise JournalError(f"{path.name!r}: {contents.damage}")
            check_owner(contents, session, path.name)
            aside = repair(descriptor, path, contents)
            journal = cls(path, descriptor, contents.number, contents.end)
            journal.append([start_record(session)], sync=True)
            _sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return journal, contents, aside

    def append(self, records: Sequence[Record], *, sync: bool) -> None:
        """Write records, all or none. Raises OSError."""
        if not records:
            return
        lines = [line(self.number + 1 + i, record) for i, record in enumerate(records)]
        raw = b"".join(lines)
        if self._dirty:
            os.ftruncate(self._descriptor, self.end)
        self._dirty = True
        write_all(self._descriptor, raw)
        if sync:
            os.fsync(self._descriptor)
        self._dirty = False
        self.number += len(lines)
        self.end += len(raw)

    def sync(self) -> None:
        """Flush what is written to the disk. Raises OSError."""
        os.fsync(self._descriptor)

    def in_place(self) -> bool:
        """Whether the file at the path is still this one."""
        return is_at(self._descriptor, self.path)

    def restart(self, session: str, end: int, number: int) -> None:
        """Drop the records up to `number`, which ends at byte `end`: the session's file has them.

        Atomically, by a new file that is locked before it takes the old one's place. Raises OSError.
        """
        rest = os.pread(self._descriptor, self.end - end, end)
        temporary = self.path.parent / f".{self.path.stem[:64]}-{secrets.token_hex(8)}.tmp"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raw = line(max(1, number), start_record(session)) + rest
            write_all(descriptor, raw)
            os.fsync(descriptor)
            os.replace(temporary, self.path)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor, self.end, self._dirty = descriptor, len(raw), False
        _sync_folder(self.path.parent)

    def close(self, *, remove: bool) -> None:
        """Give the lock back; with `remove`, the session's file has it all."""
        if self._descriptor < 0:
            return
        try:
            if remove and self.in_place():
                self.path.unlink()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1


def start_record(session: str) -> Record:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "kind": "start",
        "format": FORMAT,
        "version": VERSION,
        "session": session,
        "pid": os.getpid(),
        "since": since,
    }


def check_owner(contents: Contents, session: str, name: str) -> None:
    """Raises JournalError unless the journal is empty or belongs to the session with this id."""
    if not contents.records:
        return
    first = contents.records[0]
    if first.get("kind") != "start" or first.get("format") != FORMAT:
        raise JournalError(f"{name!r}: not a pandatui journal")
    if first.get("version") != VERSION:
        raise JournalError(f"{name!r}: expected version {VERSION}; use a newer pandatui")
    if first.get("session") != session:
        raise JournalError(f"{name!r}: belongs to another session")


def repair(descriptor: int, path: Path, contents: Contents) -> Path | None:
    """Cut the torn tail, under the lock, once its bytes are safe in a file beside; returns that file."""
    if contents.end == contents.size:
        return None
    tail = os.pread(descriptor, contents.size - contents.end, contents.end)
    aside = path.with_name(f"{path.name}.torn-{secrets.token_hex(4)}")
    kept = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(kept, tail)
        os.fsync(kept)
    finally:
        os.close(kept)
    os.ftruncate(descriptor, contents.end)
    os.fsync(descriptor)
    return aside


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
