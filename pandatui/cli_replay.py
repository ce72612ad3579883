"""What `pandatui replay` does: verify a session by training it again, or train and save its ghost."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from pandatui import report, report_replay
from pandatui.data import Dataset
from pandatui.sessions import Session, SessionError, Store
from pandatui.sessions.checkpoints import folder_of
from pandatui.sessions.ghosts import check_gestures, ghost_name, keep_ghost, train_ghost, worth
from pandatui.sessions.replay import RerunError, data_of, rerun
from pandatui.sessions.replay import verify as compare
from pandatui.sessions.resume import recovered
from pandatui.sessions.store import read
from pandatui.training import ConfigError

IDENTICAL, OTHER_ARITHMETIC, OTHER_RECORD, NOT_TO_BE_RERUN = 0, 3, 4, 5


@dataclass(frozen=True, slots=True)
class Replay:
    """What was asked for."""

    store: Store
    path: Path
    data: str | None
    accept_edited: bool
    as_json: bool

    @property
    def called(self) -> str:
        """The session as one would type it."""
        ours = self.path.parent.resolve() == self.store.folder.resolve()
        return shlex.quote(self.path.stem if ours else str(self.path))

    def record(self) -> Session:
        """The session. Raises RerunError for one that is damaged or, unless that is accepted, edited."""
        try:
            _, whole = read(self.path)
        except SessionError as error:
            raise RerunError(str(error)) from None
        if not (whole or self.accept_edited):
            raise RerunError(
                f"{self.path.name!r} is not as it was written; "
                "to train it again all the same, give the command with --accept-edited"
            )
        return recovered(self.path)  # with what its journal has ahead of the file

    @property
    def trusted(self) -> bool:
        """Whether it is of the folder in use: for such alone a path on record is followed."""
        return self.path.resolve().parent == self.store.folder.resolve()

    def checkpoints(self) -> Path | None:
        """Where to start from: the checkpoints of a session of the folder in use, unless it was edited."""
        folder = folder_of(self.path)
        return folder if self.trusted and folder.is_dir() and read(self.path)[1] else None

    def dataset(self, session: Session) -> Dataset:
        """Its data."""
        return data_of(session, self.data, trusted=self.trusted, progress=report.LoadProgress())

    def refuse(self, error: Exception) -> int:
        """It can't be trained again here."""
        if self.as_json:
            report.put(json.dumps({"session": str(self.path), "problem": str(error)}))
        report.say(f"pandatui: cannot be trained again: {error}")
        return NOT_TO_BE_RERUN


def verify(asked: Replay) -> int:
    """Train it again and compare; the exit status."""
    progress = report.StepProgress("training it again")
    try:
        session = asked.record()
        run = rerun(session, asked.dataset(session), progress=progress)
    except (RerunError, ConfigError) as error:
        return asked.refuse(error)
    finally:
        progress.done()
    verdict = compare(session, run)
    if verdict.identical:
        status = IDENTICAL
    else:
        status = OTHER_RECORD if verdict.same_environment else OTHER_ARITHMETIC
    if asked.as_json:
        report.put(json.dumps(report_replay.verdict_json(asked.path, verdict, status, asked.called)))
    else:
        report.put(report_replay.verdict_text(session, verdict, asked.called))
    return status


def ghost(asked: Replay, without: Sequence[str], until: int | None) -> int:
    """Train the ghost, save it, and say what the nudges were worth; the exit status."""
    progress = report.StepProgress("training the ghost")
    try:
        session = asked.record()
        numbers = _numbers(session, without)
        if until is not None and until > session.steps:
            raise click.UsageError(f"step {until}: expected one from 1 to {session.steps:,}")
        dataset = asked.dataset(session)
        run = train_ghost(session, dataset, without=numbers, until=until, progress=progress)
    except (RerunError, ConfigError) as error:
        return asked.refuse(error)
    finally:
        progress.done()
    name = ghost_name(asked.store, asked.path.stem, numbers, until)
    path, branch = keep_ghost(asked.store, session, run, name, without=numbers)
    found = worth(session, run, numbers) if numbers else None
    if asked.as_json:
        report.put(json.dumps(report_replay.ghost_json(path, session, branch, found)))
        return 0
    lines = [] if found is None else [report_replay.worth_words(found)]
    if session.status == "diverged" and branch.status != "diverged":
        lines.append(f"without {'it' if len(numbers) == 1 else 'them'} it has not diverged by then")
    report.put("\n".join([*lines, report.summary_text(branch)]))
    report.say(f"saved as {path}")
    return 0


def _numbers(session: Session, without: Sequence[str]) -> set[int]:
    try:
        numbers = check_gestures(session, without)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if without and not numbers:
        raise click.UsageError("it has no nudges that stand")
    return numbers
