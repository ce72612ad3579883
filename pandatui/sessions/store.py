"""The sessions folder: where it is, what names are allowed, and files that are always whole."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import platformdirs

from pandatui.sessions.lock import Holder, holder
from pandatui.sessions.recovery import journal_path, with_journal
from pandatui.sessions.schema import MAX_BYTES, Session, SessionError, decode

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ADJECTIVES = """
    able bold brave bright calm clever cosy curious deft eager fair fleet fond gentle glad happy keen
    kind light lively lucky merry mild modest neat nimble patient plucky proud quick quiet ready shy
    sleepy sly smart steady sunny swift tidy tender vivid warm wise witty young zesty
"""
_ANIMALS = """
    badger bear beaver bison bobcat camel cat crane deer dingo dolphin eagle falcon ferret finch fox
    gecko goose hare hawk heron horse ibex jackal jay koala lark lemur lion llama lynx magpie marten
    mole moose newt otter owl panda puffin quail raven robin seal shrew sparrow squirrel stork swan
    tapir tiger toad turtle vole walrus weasel whale wolf wombat wren yak zebra
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of the folder: a session and whether it is as written, or why it can't be read.

    `status` is the session's, or "crashed" where it says running and nobody does it; `holder` trains it. What
    its journal has ahead of the file is in `session`; `warning` says what is wrong with that journal.
    """

    path: Path
    session: Session | None
    edited: bool
    problem: str
    status: str = ""
    holder: Holder | None = None
    warning: str = ""


class NameRefused(ValueError):  # noqa: N818 - as Refused, the answer to a command
    """A name that no file may have."""


def check_name(name: str) -> str:
    """The name itself if it may become a file's name; else NameRefused."""
    if not _NAME.fullmatch(name) or name.endswith((".json", ".study", ".journal")):
        raise NameRefused(
            f"name {name!r}: expected up to 64 letters, digits, '-', '_' or '.', the first a letter or digit"
        )
    return name


def sessions_folder(option: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """--sessions, else PANDATUI_SESSIONS, else ./sessions where there is one, else the user's data folder."""
    chosen = option or environ.get("PANDATUI_SESSIONS")
    if chosen:
        return Path(chosen)
    if Path("sessions").is_dir():
        return Path("sessions")
    return Path(platformdirs.user_data_dir("pandatui", appauthor=False)) / "sessions"


class Store:
    """Reads and writes the sessions of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder if need be. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / f"{check_name(name)}.json"

    def new_name(self) -> str:
        """A name nobody has here yet, such as brave-otter."""
        for _ in range(50):
            name = f"{secrets.choice(_ADJECTIVES.split())}-{secrets.choice(_ANIMALS.split())}"
            if not self.path(name).exists():
                return name
        return f"{name}-{secrets.token_hex(3)}"

    def write(self, name: str, raw: bytes, *, new: bool = False) -> None:
        """Replace the session's file in one stroke; with `new`, FileExistsError where there is one."""
        write_whole(self.path(name), raw, new=new)

    def find(self, which: str | None) -> Path:
        """A session by path, by name, or (None) the newest of the folder. Raises SessionError."""
        if which is None:
            found = self.newest_first()
            if not found:
                raise SessionError(f"no sessions in {self.folder} yet")
            return found[0]
        path = Path(which)
        if path.suffix == ".json" or os.sep in which:
            if not path.is_file():
                raise SessionError(f"{which!r}: no such session file")
            return path
        try:
            path = self.path(which)
        except NameRefused as error:
            raise SessionError(str(error)) from None
        if not path.is_file():
            raise SessionError(f"no session {which!r} in {self.folder}")
        return path

    def newest_first(self) -> list[Path]:
        """The folder's session files by time of change; studies are left out."""
        if not self.folder.is_dir():
            return []
        dated = []
        for path in self.folder.glob("*.json"):
            if path.name.endswith(".study.json"):
                continue
            try:
                dated.append((path.stat().st_mtime_ns, path.name, path))
            except OSError:  # it went away while we looked
                continue
        return [path for *_, path in sorted(dated, reverse=True)]

    def list(self) -> list[Stored]:
        """Every session of the folder, newest first; one that can't be read comes with the reason."""
        return [self._stored(path) for path in self.newest_first()]

    def _stored(self, path: Path) -> Stored:
        try:
            return look(path)
        except SessionError as error:
            return Stored(path, None, edited=False, problem=str(error))


def look(path: Path) -> Stored:
    """A session as it is now: one that is running, or was when its process was killed, with its journal.

    Raises SessionError with the file's name.
    """
    owner = holder(journal_path(path))
    written, whole = read(path)
    session, warning = with_journal(written, path)
    status: str = written.status
    if status == "running" or session is not written:  # one that had finished may have gone on since
        status = "running" if owner else "crashed"
    return Stored(path, session, not whole, "", status, owner, warning)


def belongings(path: Path) -> list[Path]:
    """All that belongs to the session file at `path` and is there, the file first: what deleting takes away.

    Checkpoints are a folder. What a killed save has left behind is among them.
    """
    journal = journal_path(path)
    stem, name = re.escape(path.stem), re.escape(journal.name)
    left = re.compile(rf"\.{stem}-[0-9a-f]{{16}}\.tmp|{name}\.torn-[0-9a-f]{{8}}")
    beside = sorted(each for each in path.parent.iterdir() if left.fullmatch(each.name))
    known = (path, journal, path.with_suffix(".checkpoints"))
    return [each for each in known if each.exists()] + beside


def read(path: Path) -> tuple[Session, bool]:
    """A session from its file, and whether its integrity holds. Raises SessionError with the file's name."""
    return read_as(path, "session", decode)


def read_as(path: Path, noun: str, decoded: Callable[[bytes], T]) -> T:
    """What a file of ours, a `noun`, decodes to. Raises SessionError with the file's name."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise SessionError(f"larger than {MAX_BYTES // 2**20} MiB, which no {noun} is")
        return decoded(raw)
    except (SessionError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SessionError(f"{path.name!r}: {reason}") from None


def check_regular(path: Path) -> None:
    """Raises SessionError, without the file's name, where there is no file or what could block."""
    if not path.is_file():
        raise SessionError("expected a regular file" if os.path.lexists(path) else "no such file")


def write_whole(path: Path, raw: bytes, *, new: bool = False) -> None:
    """Atomically: a temporary file in the same folder, fsync, replace, fsync of the folder.

    Raises OSError; with `new`, FileExistsError rather than replace what is there.
    """
    temporary = path.parent / f".{path.stem[:64]}-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _put_new(temporary, path)
        else:
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _put_new(temporary: Path, path: Path) -> None:
    """Give a file a name that nothing has: a link replaces nothing, and what it names is whole at once."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise FileExistsError(error.errno, error.strerror, str(path)) from None
    except OSError:  # a file system without links: there an empty file holds the name for an instant
        path.open("xb").close()
        try:
            os.replace(temporary, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    else:
        temporary.unlink(missing_ok=True)
