"""The studies of the sessions folder: what they are called, looking at them, and taking one away."""

import os
from dataclasses import dataclass
from pathlib import Path

from pandatui.search.ledger import with_journal
from pandatui.search.records import StudyRecord, decode
from pandatui.sessions import keeping
from pandatui.sessions.lock import Holder, holder
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.schema import SessionError
from pandatui.sessions.store import NameRefused, Store, check_name, read_as

SUFFIX = ".study.json"


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """One study file of the folder, as `Stored` is one session file."""

    path: Path
    study: StudyRecord | None
    edited: bool
    problem: str
    status: str = ""
    holder: Holder | None = None
    warning: str = ""

    @property
    def name(self) -> str:
        return study_name(self.path)


def study_path(store: Store, name: str) -> Path:
    """Where a study of this name is. Raises NameRefused."""
    return store.folder / f"{check_name(name)}{SUFFIX}"


def study_name(path: Path) -> str:
    """What the study with this file is called."""
    return path.name.removesuffix(SUFFIX)


def is_study(path: Path) -> bool:
    """Whether the name is a study's."""
    return path.name.endswith(SUFFIX)


def read(path: Path) -> tuple[StudyRecord, bool]:
    """A study from its file, and whether its integrity holds. Raises SessionError with the file's name."""
    return read_as(path, "study", decode)


def look(path: Path) -> StoredStudy:
    """A study as it is now, with what its journal has ahead of its file.

    Raises SessionError with the file's name.
    """
    owner = holder(journal_path(path))
    written, whole = read(path)
    found, warning = with_journal(written, journal_path(path))
    status: str = written.status
    if status == "running" or found is not written:  # one that had finished may have gone on since
        status = "running" if owner else "crashed"
    return StoredStudy(path, found, not whole, "", status, owner, warning)


def studies(store: Store) -> list[StoredStudy]:
    """Every study of the folder, newest first; one that can't be read comes with the reason."""
    dated = []
    for path in store.folder.glob(f"*{SUFFIX}"):
        try:
            dated.append((path.stat().st_mtime_ns, path.name, path))
        except OSError:  # it went away while we looked
            continue
    found = []
    for *_, path in sorted(dated, reverse=True):
        try:
            found.append(look(path))
        except SessionError as error:
            found.append(StoredStudy(path, None, edited=False, problem=str(error)))
    return found


def find(store: Store, which: str) -> Path | None:
    """The study that a person means by a name or a path; None where there is none."""
    path = Path(which)
    if os.sep in which or is_study(path):
        return path if is_study(path) and path.is_file() else None
    try:
        path = study_path(store, which)
    except NameRefused:
        return None
    return path if path.is_file() else None


def delete(path: Path) -> list[Path]:
    """Take away a study and what belongs to it, as `keeping.delete` a session. Raises as that."""
    return keeping.delete(path, read)
