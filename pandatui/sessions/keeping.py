"""Housekeeping of recorded sessions: a note on one, a batch it had queued, another name, taking it away.

All under the lock of the session, so never while somebody trains it. A process killed in between leaves a
session that is whole; doing it once more ends what was begun.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pandatui.plain import plain
from pandatui.sessions.checkpoints import folder_of
from pandatui.sessions.lock import is_at, locked
from pandatui.sessions.recovery import journal_path, with_journal
from pandatui.sessions.schema import EventRecord, Session, SessionError, decode, encode
from pandatui.sessions.store import NameRefused, belongings, check_name, check_regular, read, write_whole
from pandatui.training.run import MAX_NOTE


def annotate(path: Path, text: str) -> Session:
    """Put a note of one line at the end of a session's record; returns the session as it is then.

    Raises SessionError (no words, unreadable, edited, running, crashed), Held, OSError.
    """
    words = plain(" ".join(text.split()), MAX_NOTE)
    if not words:
        raise SessionError("expected a note of at least one word")
    with _ours(path):
        session = _closed(path)
        number = len(session.events) + 1
        note = EventRecord(number, session.steps + 1, "note", session.seconds, text=words)
        session.events.append(note)
        return _write(path, session, path)


def batch_begun(path: Path, place: int, study: str) -> Session:
    """Put on record which study the batch at this place of a session's queue has become; the session then.

    Raises SessionError (no such batch, unreadable, edited, running, crashed), Held, OSError.
    """
    with _ours(path):
        session = _closed(path)
        if place >= len(session.queue):
            raise SessionError(f"{path.stem!r}: expected a batch {place + 1} in its queue")
        session.queue[place] = session.queue[place] | {"study": study}
        return _write(path, session, path)


def rename(path: Path, name: str) -> Path:
    """Give a session another name, in its file and for all that belongs to it; returns where it is then.

    The new file is whole before anything of the old one goes. Raises SessionError (a name that no file may
    have or that is taken, unreadable, edited, running, crashed), Held, OSError.
    """
    target = path.with_name(f"{_checked(name)}.json")
    if target == path:
        raise SessionError(f"{path.stem!r} is its name already")
    if journal_path(target).exists() and journal_path(target).stat().st_size:
        raise SessionError(f"{name!r} is taken: expected a name that nothing in the folder has")
    with _ours(path), _ours(target):
        session = _closed(path)
        session.name = name
        if not _begun(path, target, session):
            if target.exists() or folder_of(target).exists():
                raise SessionError(f"{name!r} is taken: expected a name that nothing in the folder has")
            _write(target, session, path, new=True)
        for each in belongings(path):
            _move(each, path, target)
        path.unlink()
        journal_path(path).unlink(missing_ok=True)
        _sync(path.parent)
    return target


def delete(path: Path, known: Callable[[Path], object] = read) -> list[Path]:
    """Take away a session and what belongs to it, its file nearly last; returns what is not its own.

    Only what `known` can read is ours to take. Raises SessionError (it could not), Held, OSError.
    """
    _regular(path)
    with _ours(path):
        if path.stat().st_size:  # an empty file is what a killed save has left
            known(path)
        stays = []
        for each in belongings(path):
            if each == folder_of(path):
                stays += _emptied(each)
            elif each not in (path, journal_path(path)):
                each.unlink(missing_ok=True)
        path.unlink()
        journal_path(path).unlink(missing_ok=True)
        _sync(path.parent)
    return stays


@contextlib.contextmanager
def _ours(path: Path) -> Iterator[None]:
    """Hold the session's lock. A journal that is there for that alone goes again. Raises Held, OSError."""
    journal = journal_path(path)
    descriptor = locked(journal)
    try:
        yield
    finally:
        try:
            if not os.fstat(descriptor).st_size and is_at(descriptor, journal):
                with contextlib.suppress(OSError):
                    journal.unlink()
        finally:
            os.close(descriptor)


def _checked(name: str) -> str:
    try:
        return check_name(name)
    except NameRefused as error:
        raise SessionError(str(error)) from None


def _regular(path: Path) -> None:
    try:
        check_regular(path)
    except SessionError as error:
        raise SessionError(f"{path.name!r}: {error}") from None


def _closed(path: Path) -> Session:
    """The session, if somebody closed it and nobody edited it since. Raises SessionError."""
    if path.is_symlink():
        raise SessionError(f"{path.name!r}: expected a regular file, not a link")
    session, whole = read(path)
    if not whole:
        raise SessionError(f"{path.name!r} was edited: its integrity does not hold")
    if session.status == "running" or with_journal(session, path)[0] is not session:
        raise SessionError(f"{path.stem!r} has crashed: expected one that ended; go on with it first")
    return session


def _write(path: Path, session: Session, old: Path, *, new: bool = False) -> Session:
    """Write what is read back without fault. Its place in the list, by time of change, stays `old`'s."""
    was = old.stat()
    raw = encode(session)
    try:
        session, _ = decode(raw)
    except SessionError as error:
        raise SessionError(f"{old.name!r}: no room for that: {error}") from None
    write_whole(path, raw, new=new)
    with contextlib.suppress(OSError):
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    return session


def _begun(path: Path, target: Path, renamed: Session) -> bool:
    """Whether the file at `target` is what a rename that was killed has written of the one at `path`."""
    try:
        found, whole = read(target)
    except SessionError:
        return False
    renamed.integrity = found.integrity
    both = folder_of(path).exists() and folder_of(target).exists()
    return whole and not both and found == renamed


def _move(each: Path, path: Path, target: Path) -> None:
    """One belonging to its new name; what a killed save has left goes."""
    if each in (path, journal_path(path)):
        return
    if each == folder_of(path):
        os.rename(each, folder_of(target))
    elif each.suffix == ".tmp":
        each.unlink(missing_ok=True)
    else:  # a torn tail, kept aside
        old, new = journal_path(path).name, journal_path(target).name
        os.rename(each, each.with_name(new + each.name.removeprefix(old)))


def _emptied(folder: Path) -> list[Path]:
    """Take away checkpoints and their folder, unless something else is in it: that is returned."""
    if folder.is_symlink() or not folder.is_dir():
        return [folder]
    others = []
    for each in sorted(folder.iterdir()):
        ours = each.suffix == ".npz" and each.stem.isdecimal()
        left = each.suffix == ".tmp" and each.name.startswith(".")
        if (ours or left) and not (each.is_dir() and not each.is_symlink()):
            each.unlink(missing_ok=True)
        else:
            others.append(each)
    if not others:
        folder.rmdir()
    return others


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
