"""Going on where a session ended, whatever ended it: stopped, finished, diverged, or killed.

Its journal is mended and locked, its live path trained again from a checkpoint or the seed, and a Driver and
a Recorder go on with the same session: name, id, running seconds and environment stay those of its beginning.
"""

from dataclasses import dataclass
from pathlib import Path

from pandatui.sessions.checkpoints import folder_of
from pandatui.sessions.journal import Journal
from pandatui.sessions.ledger import UNKNOWN, total_of
from pandatui.sessions.record import Identity
from pandatui.sessions.recorder import Recorder
from pandatui.sessions.recovery import checked, journal_path, with_journal
from pandatui.sessions.replay import Progress, data_of, rerun
from pandatui.sessions.schema import Session, SessionError
from pandatui.sessions.store import Store, belongings, read
from pandatui.training import Driver, Run
from pandatui.training.events import Extend, Refused


@dataclass(frozen=True, slots=True, eq=False)
class Resumed:
    """A session that is ready to go on: start the recorder, then the driver.

    `session` is what was on record; `notes` are sentences that the person should read.
    """

    driver: Driver
    recorder: Recorder
    session: Session
    notes: tuple[str, ...]


def recovered(path: Path) -> Session:
    """A session with what its journal has ahead of its file, whoever writes it now. Nothing is changed.

    Of a journal with a torn tail or with damage it is what stands before that. Raises SessionError.
    """
    return with_journal(read(path)[0], path)[0]


def resume(
    store: Store,
    path: Path,
    *,
    data: str | None = None,
    epochs: int | None = None,
    accept_edited: bool = False,
    pace: float | None = None,
    progress: Progress | None = None,
) -> Resumed:
    """Make a session ready to go on: `started = resume(store, store.find(which), data=…, epochs=…)`.

    `epochs` is the new total; None leaves it, and a finished session then has nothing left to do
    (`session.status` says so beforehand). `progress(done, steps)` is called while it trains again. The caller
    subscribes to `driver`, then calls `recorder.start()` and `driver.start()`; `recorder.close()` lets go.

    Raises SessionError (no session, edited, other folder, epochs that it can't have), JournalError (damaged),
    Held (an OSError: another process trains it, with its pid and since when), RerunError (data that moved, a
    config that does not fit), OSError.
    """
    session, whole = read(path)
    if not (whole or accept_edited):
        raise SessionError(f"{path.name!r} was edited: its integrity does not hold")
    if path.resolve() != store.path(path.stem).resolve() or session.name != path.stem:
        raise SessionError(f"{path.name!r}: expected a session of {store.folder}, named as its file")
    dataset = data_of(session, data, trusted=True)
    journal, contents, torn = Journal.reopen(journal_path(path), session.id)
    try:
        for each in belongings(path):  # what a killed save has left, now that nobody else writes it
            if each.suffix == ".tmp":
                each.unlink(missing_ok=True)
        # as it is now that nobody else writes it; one that had finished may have gone on since
        session = checked(read(path)[0], contents, path)
        run = rerun(session, dataset, progress=progress, checkpoints=folder_of(path) if whole else None)
        notes = [f"the journal's torn tail is kept in {torn.name!r}"] if torn is not None else []
        notes += _compared(session, run)
        if epochs is not None:
            _extend(run, epochs, session)
        driver = Driver(run, pace=pace, seconds=session.seconds)
        identity = Identity(session.name, session.id, session.created, session.parent)
        recorder = Recorder(driver, store, identity, journal=journal, before=session)
    except BaseException:
        journal.close(remove=False)
        raise
    return Resumed(driver, recorder, session, tuple(notes))


def _check_total(session: Session, epochs: int | None) -> None:
    """A new total is beyond the present one. Raises SessionError."""
    if epochs is not None and epochs < (total := total_of(session)):
        raise SessionError(f"epochs {epochs}: expected at least {total:,}, what it is to train already")


def _extend(run: Run, epochs: int, session: Session) -> None:
    """The new total, put on record unless it is the old one. Raises SessionError."""
    if epochs == run.target_epochs:
        return
    answer = run.apply(Extend(epochs), session.seconds)[0]
    if isinstance(answer, Refused):
        raise SessionError(f"epochs {epochs}: {answer.reason}")


def _compared(session: Session, run: Run) -> list[str]:
    """Whether training again gave what is on record."""
    recorded = session.result.costs_sha256
    if run.steps != session.steps:
        return [f"trained again to step {run.steps:,}, not to step {session.steps:,} as on record"]
    if recorded not in (UNKNOWN, run.history.costs_sha256()) and session.steps:
        return ["trained again, its costs differ from those on record; pandatui replay --verify says where"]
    return []
