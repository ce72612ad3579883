"""Keeper: a race's ledger on disk, `NAME.study.journal` ahead of `NAME.study.json`.

What has ended is in the journal before the race goes on, so that no finished trial is trained twice. The file
is written when a round begins or ends, every few seconds in between, and at the end. A disk that is full or
gone stops no race: the problem is there to be shown, and saving is tried again with the next news.
"""

import errno
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pandatui.search.ledger import RoundLine, RungLine, TrialsLine, merged
from pandatui.search.records import (
    Identity,
    Status,
    StudyRecord,
    data_record,
    encode,
    points_for,
    record,
    restored,
    round_record,
    trial_record,
)
from pandatui.search.setup import Ready
from pandatui.search.shelf import look, read, study_name, study_path
from pandatui.search.study import Round, Study, Trial
from pandatui.sessions.journal import Journal
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.schema import MAX_BYTES, SessionError
from pandatui.sessions.store import Store, belongings, write_whole

PERIOD = 5.0  # seconds from file to file within a round, at least
SHARE = 0.05  # of the time goes into saving, at most
LONG_JOURNAL = 4 * 2**20  # bytes


class Keeper:
    """Keeps one study on record, under its lock. `problem` is what keeps it from being saved, or empty.

    Make one by `open_study`. Its methods are called in the thread of the race, `close` once that has ended.
    """

    def __init__(
        self, study: Study, store: Store, identity: Identity, journal: Journal, written: Status = "running"
    ) -> None:
        self.identity = identity
        self.path = study_path(store, identity.name)
        self._study = study
        self._store = store
        self._journal = journal
        self._untold: list[dict[str, Any]] = []  # records that the journal has not taken yet
        self._not_journalled = ""
        self._not_saved = ""
        self._written = written  # the status in the file
        self._changed = False  # since it was written
        self._due = time.monotonic() + PERIOD

    @property
    def problem(self) -> str:
        return self._not_journalled or self._not_saved

    def began(self, made: Round) -> None:
        trials = [trial_record(self._study.trials[number]) for number in made.trials]
        self._note(RoundLine(round_record(made), trials))
        self.save()

    def ended(self, trials: list[Trial]) -> None:
        self._note(TrialsLine(self._records(trials), self._study.environments))
        if not self._study.standing() or time.monotonic() >= self._due:
            self.save()

    def decided(self, of: Round, epoch: int, dropped: list[Trial]) -> None:
        self._note(RungLine(of.number, epoch, self._records(dropped), self._study.environments))

    def save(self, status: Status = "running") -> None:
        """Write the file now. What is wrong is in `problem`."""
        began = time.monotonic()
        try:
            self._write(status)
        except OSError as error:
            self._not_saved = f"not saved: {error.strerror or error}"
        else:
            self._untold.clear()
            self._not_journalled = self._not_saved = ""
        ended = time.monotonic()
        self._due = ended + max(PERIOD, (ended - began) / SHARE)

    def close(self) -> None:
        """The last save. The journal goes once the file has all of it, and stays where it has not."""
        try:
            status: Status = "finished" if self._study.over else "stopped"
            if self._changed or self._written != status:
                self.save(status)
            if self._not_saved:
                self._tell()
        finally:
            self.let_go(remove=not self._not_saved)

    def let_go(self, *, remove: bool) -> None:
        """Give the lock back; with `remove`, the file has all."""
        self._journal.close(remove=remove)

    def begin(self, *, new: bool) -> None:
        """Put on disk that the study is running. Raises OSError, FileExistsError where the name is taken."""
        self._write("running", new=new)

    def _records(self, trials: Sequence[Trial]) -> list[Any]:
        most = points_for(len(self._study.trials))
        return [trial_record(trial, most) for trial in trials]

    def _note(self, line: Struct) -> None:
        self._changed = True
        self._untold.append(msgspec.to_builtins(line))
        self._tell()

    def _tell(self) -> None:
        """Write to the journal what it does not have yet; what fails is tried again with the next news."""
        try:
            if self._renewed():
                self._write("running")
            self._journal.append(self._untold, sync=True)
        except OSError as error:
            self._not_journalled = f"not saved: {error.strerror or error}"
        else:
            self._untold.clear()
            self._not_journalled = ""

    def _write(self, status: Status, *, new: bool = False) -> None:
        self._renewed()
        raw = encode(record(self._study, self.identity, status))
        if len(raw) > MAX_BYTES:  # which nobody would read
            raise OSError(errno.EFBIG, f"the study is larger than {MAX_BYTES // 2**20} MiB")
        write_whole(self.path, raw, new=new)
        self._written, self._changed = status, False
        if self._journal.end > LONG_JOURNAL:
            self._journal.restart(self.identity.id, self._journal.end, self._journal.number)

    def _renewed(self) -> bool:
        """Whether a new journal had to be made: the folder went away, or the old one in it."""
        if self._journal.in_place():
            return False
        self._store.prepare()
        new = Journal.create(journal_path(self.path), self.identity.id)
        self._journal.close(remove=False)
        self._journal = new
        return True


# -- opening -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A study that is ready to be raced, and locked until `keeper.close()`. `notes` are for the person."""

    study: Study
    keeper: Keeper
    notes: tuple[str, ...] = ()


def default_name(ready: Ready) -> str:
    """digits-study-3f2a9c: the same for the same study."""
    start = re.sub(r"[^A-Za-z0-9_-]", "", ready.dataset.name).lstrip("_-")[:24] or "data"
    return f"{start}-study-{ready.fingerprint()[:6]}"


def open_study(store: Store, ready: Ready, name: str | None = None) -> Opened:
    """The study of these settings: gone on with where it has begun, else new.

    What has ended in it is there, what has not waits; `study.over` says whether anything is left to do. The
    caller races it with `keeper` as its ledger, then closes that.

    Raises SessionError (the name is another study's, the file unreadable or edited), NameRefused,
    JournalError, Held (an OSError: another process races it), OSError.
    """
    asked = ready.fingerprint()
    name = name or default_name(ready)
    path = study_path(store, name)
    store.prepare()
    if not path.exists():
        created = datetime.now(UTC).isoformat(timespec="seconds")
        identity = Identity(name, str(uuid.uuid4()), created, asked, data_record(ready.dataset))
        study = ready.study()
        journal = Journal.create(journal_path(path), identity.id)
        _tidy(path)
        return _begun(Keeper(study, store, identity, journal), study, (), new=True)
    found = _checked(path, asked)
    journal, contents, torn = Journal.reopen(journal_path(path), found.id)
    try:
        found = _checked(path, asked)  # as it is now that nobody else writes it
        _tidy(path)
        study = restored(merged(found, contents.records))
    except BaseException:
        journal.close(remove=False)
        raise
    identity = Identity(found.name, found.id, found.created, found.fingerprint, found.data)
    keeper = Keeper(study, store, identity, journal, found.status)
    notes = (f"the journal's torn tail is kept in {torn.name!r}",) if torn is not None else ()
    if found.status == "finished" and study.over:
        return Opened(study, keeper, notes)
    return _begun(keeper, study, notes, new=False)


def _tidy(path: Path) -> None:
    """Take away what a killed save has left; for the one who has the lock."""
    for each in belongings(path):
        if each.suffix == ".tmp":
            each.unlink(missing_ok=True)


def finished_study(store: Store, ready: Ready, name: str | None = None) -> Study | None:
    """The study of these settings where it has finished, to be looked at alone. Raises as `open_study`."""
    path = study_path(store, name or default_name(ready))
    if not path.exists() or look(path).status != "finished":
        return None
    return restored(_checked(path, ready.fingerprint()))


def _begun(keeper: Keeper, study: Study, notes: tuple[str, ...], *, new: bool) -> Opened:
    try:
        keeper.begin(new=new)
    except FileExistsError:
        keeper.let_go(remove=new)
        name = study_name(keeper.path)
        raise SessionError(f"study {name!r} was begun by another program just now") from None
    except BaseException:
        keeper.let_go(remove=new)
        raise
    return Opened(study, keeper, notes)


def _checked(path: Path, asked: str) -> StudyRecord:
    """The record, if it is whole, named as its file, and of what is asked for. Raises SessionError."""
    found, whole = read(path)
    if not whole:
        raise SessionError(f"{path.name!r} was edited: its integrity does not hold")
    if found.fingerprint != asked or study_name(path) != found.name:
        raise SessionError(
            f"study {study_name(path)!r} exists in {path.parent} with other settings: expected a new --name"
        )
    return found
