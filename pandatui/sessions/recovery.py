"""What a session is with its journal, when nobody closed it: for looking at it, and for going on."""

from pathlib import Path

from pandatui.sessions.journal import check_owner
from pandatui.sessions.ledger import merged
from pandatui.sessions.records import Contents, JournalError, read_journal
from pandatui.sessions.schema import Session, SessionError, decode, encode


def journal_path(path: Path) -> Path:
    """The journal of the session file at `path`."""
    return path.with_suffix(".journal")


def with_journal(session: Session, path: Path) -> tuple[Session, str]:
    """The session with what its journal has ahead of it, and what is wrong with that journal."""
    journal = journal_path(path)
    try:
        contents = read_journal(journal)
        check_owner(contents, session.id, journal.name)
        damage = f"{journal.name!r}: {contents.damage}" if contents.damage else ""
        return checked(session, contents, path), damage
    except FileNotFoundError:
        return session, ""
    except OSError as error:
        return session, f"{journal.name!r}: {error.strerror or error}"
    except JournalError as error:
        return session, str(error)


def checked(session: Session, contents: Contents, path: Path) -> Session:
    """The session with these records, held to all that a session file is held to. Raises JournalError."""
    whole = merged(session, contents.records)
    if whole is session:
        return session
    try:
        return decode(encode(whole))[0]
    except SessionError as error:
        raise JournalError(f"{journal_path(path).name!r}: {error}") from None
