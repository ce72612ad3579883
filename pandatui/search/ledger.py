"""What a study's journal says, and what a study is with it: `merged`.

Every record says where it belongs, so that records which the study's file has already are read over once more
without harm. What a rung has decided is one record with the trials that it dropped: all of it or none.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from pandatui.plain import one_line
from pandatui.search.records import Environment, RoundRecord, StudyRecord, TrialRecord, restored
from pandatui.sessions.journal import check_owner
from pandatui.sessions.records import JournalError, Record, read_journal
from pandatui.sessions.schema import Count, SessionError


class RoundLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="round"):
    """A round began, with these trials."""

    round: RoundRecord
    trials: list[TrialRecord]


class TrialsLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="trials"):
    """Trials ended; all environments so far."""

    trials: list[TrialRecord]
    environments: list[Environment]


class RungLine(Struct, forbid_unknown_fields=True, tag_field="kind", tag="rung"):
    """Halving decided at this epoch of a round: these trials were dropped."""

    round: Count
    epoch: Count
    trials: list[TrialRecord]
    environments: list[Environment]


Line = RoundLine | TrialsLine | RungLine


def merged(found: StudyRecord, records: Sequence[Record]) -> StudyRecord:
    """The study with what its journal has ahead of it. Raises JournalError for records that can't be."""
    study = msgspec.structs.replace(found, rounds=list(found.rounds), trials=list(found.trials))
    for number, record in enumerate(records, 1):
        if record.get("kind") == "start":
            continue
        try:
            _take(study, msgspec.convert(record, Line))
        except (msgspec.ValidationError, JournalError) as error:
            raise JournalError(f"journal: record {number}: {one_line(error, 200)}") from None
    if (study.rounds, study.trials) == (found.rounds, found.trials):
        return found
    try:
        restored(study)
    except SessionError as error:
        raise JournalError(f"journal: {error}") from None
    return study


def _take(study: StudyRecord, line: Any) -> None:
    if isinstance(line, RoundLine):
        if line.round.number == len(study.rounds) + 1:
            study.rounds.append(line.round)
            study.trials += line.trials
        elif line.round.number > len(study.rounds):
            raise JournalError(f"expected round {len(study.rounds) + 1}")
        return
    if len(line.environments) > len(study.environments):
        study.environments = line.environments
    for trial in line.trials:
        if not 1 <= trial.number <= len(study.trials):
            raise JournalError(f"trial {trial.number}: expected one of {len(study.trials)}")
        if study.trials[trial.number - 1].status == "waiting":
            study.trials[trial.number - 1] = trial
    if isinstance(line, RungLine):
        if not 1 <= line.round <= len(study.rounds):
            raise JournalError(f"round {line.round}: expected one of {len(study.rounds)}")
        made = study.rounds[line.round - 1]
        if line.epoch not in made.decided:
            decided = [*made.decided, line.epoch]
            study.rounds[line.round - 1] = msgspec.structs.replace(made, decided=decided)


def with_journal(found: StudyRecord, journal: Path) -> tuple[StudyRecord, str]:
    """The study with what the journal at this path has ahead of it, and what is wrong with that journal."""
    try:
        contents = read_journal(journal)
        check_owner(contents, found.id, journal.name)
        damage = f"{journal.name!r}: {contents.damage}" if contents.damage else ""
        return merged(found, contents.records), damage
    except FileNotFoundError:
        return found, ""
    except OSError as error:
        return found, f"{journal.name!r}: {error.strerror or error}"
    except JournalError as error:
        return found, str(error)
