"""The study file: its fields, its one way to JSON and back, and the way to a study and back.

Bounded, checked and hashed as session files are. Dev points are thinned for the eye; first, last and best
stay, so that a study read from its file ranks its trials as the race did.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pandatui.data import Dataset
from pandatui.search.space import Space, Value, settings
from pandatui.search.spec import Spec
from pandatui.search.study import Round, Study, Trial
from pandatui.sessions.schema import (
    MOST,
    Count,
    Number,
    SessionError,
    Sha256,
    Text,
    in_one_line,
    integrity_of,
    plain_of,
    to_number,
    to_numbers,
)
from pandatui.training import RunConfig
from pandatui.training.config import MAX_STEP

FORMAT: Literal["pandatui-study"] = "pandatui-study"
VERSION: Literal[1] = 1
POINTS = 64  # dev points of one trial
ALL_POINTS = 320_000  # of all trials together, as long as each may have LEAST_POINTS
LEAST_POINTS = 8
_MOST = {**MOST, b",": 3_000_000, b'"': 2_000_000}

Status = Literal["running", "stopped", "finished"]
Ended = Literal["finished", "diverged", "dropped", "stopped", "failed"]
Environment = dict[str, str | int]
Knobs = dict[Text, bool | int | float | Text]


class DataRecord(Struct, forbid_unknown_fields=True):
    name: Text
    source: Text
    sha256: Sha256
    train_rows: Count
    dev_rows: Count
    test_rows: Count
    features: Count
    classes: list[str]


class Dev(Struct, forbid_unknown_fields=True):
    """Dev cost and accuracy after so many steps, at the ends of epochs."""

    step: list[Count]
    cost: list[Number]
    accuracy: list[Number]


class TrialRecord(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One trial. One that has not ended is "waiting": it will begin anew, and nothing of it is kept."""

    number: Count
    round: Count
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    knobs: Knobs
    status: Literal["waiting"] | Ended
    reason: Text = ""
    steps: Count = 0
    epochs: Count = 0
    dev_cost: Number | None = None
    dev_accuracy: Number | None = None
    weights_sha256: Sha256 | None = None
    costs_sha256: Sha256 | None = None
    seconds: float = 0.0
    environment: Count | None = None
    dev: Dev | None = None


class RoundRecord(Struct, forbid_unknown_fields=True):
    """One round: its box, the numbers of its trials, and the epochs at which halving has decided."""

    number: Count
    box: dict[str, Any]
    first: Count
    last: Count
    decided: list[Count]


class StudyRecord(Struct, forbid_unknown_fields=True):
    """A study. `fingerprint` is that of what was asked for; `points` is what is tried where nothing is
    sampled. Environments are counted from 0, rounds and trials from 1."""

    format: Literal["pandatui-study"]
    version: Literal[1]
    id: Text
    name: Text
    created: Text
    status: Status
    fingerprint: Sha256
    spec: dict[str, Any]
    config: dict[str, Any]
    space: dict[str, Any]
    points: list[Knobs]
    data: DataRecord
    environments: list[Environment]
    rounds: list[RoundRecord]
    trials: list[TrialRecord]
    integrity: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a study is called and what was asked for."""

    name: str
    id: str
    created: str
    fingerprint: str
    data: DataRecord


# -- from a study --------------------------------------------------------------------------------------------


def record(study: Study, identity: Identity, status: Status) -> StudyRecord:
    """The study as it is now."""
    most = points_for(len(study.trials))
    return StudyRecord(
        format=FORMAT,
        version=VERSION,
        id=identity.id,
        name=identity.name,
        created=identity.created,
        status=status,
        fingerprint=identity.fingerprint,
        spec=study.spec.to_plain(),
        config=study.base.to_dict(),
        space=study.space.to_plain(),
        points=[dict(point) for point in study.points],
        data=identity.data,
        environments=study.environments,
        rounds=[round_record(each) for each in study.rounds],
        trials=[trial_record(each, most) for each in study.trials.values()],
    )


def data_record(dataset: Dataset) -> DataRecord:
    return DataRecord(
        dataset.name,
        dataset.source,
        dataset.sha256,
        len(dataset.train),
        len(dataset.dev),
        len(dataset.test),
        dataset.n_features,
        list(dataset.classes),
    )


def round_record(made: Round) -> RoundRecord:
    first, last = made.trials.start, made.trials.stop - 1
    return RoundRecord(made.number, made.box.to_plain(), first, last, list(made.decided))


def trial_record(trial: Trial, most: int = POINTS) -> TrialRecord:
    """The trial with at most so many of its dev points."""
    found = TrialRecord(trial.number, trial.round, trial.config.seed, dict(trial.values), "waiting")
    if trial.stands:
        return found
    found.status = trial.status  # type: ignore[assignment]  # the other ways to end are `Ended`
    found.reason, found.steps, found.epochs = trial.reason, trial.steps, trial.epochs
    found.weights_sha256, found.costs_sha256 = trial.weights_sha256, trial.costs_sha256
    found.seconds, found.environment = round(trial.seconds, 3), trial.environment
    if trial.dev:
        found.dev_cost, found.dev_accuracy = to_number(trial.dev_cost), to_number(trial.dev_accuracy)
        steps, costs, accuracies = zip(*thinned(trial.dev, most), strict=True)
        found.dev = Dev(list(steps), to_numbers(costs), to_numbers(accuracies))
    return found


def points_for(trials: int) -> int:
    """How many dev points each of so many trials may have."""
    return min(POINTS, max(LEAST_POINTS, ALL_POINTS // max(1, trials)))


def thinned(dev: Sequence[tuple[int, float, float]], most: int) -> list[tuple[int, float, float]]:
    """At most so many (3 or more) of the points, evenly spread, with the first, the last and the best."""
    if len(dev) <= most:
        return list(dev)
    best = min(range(len(dev)), key=lambda i: dev[i][1] if math.isfinite(dev[i][1]) else math.inf)
    last = len(dev) - 1
    chosen = {round(i * last / (most - 2)) for i in range(most - 1)} | {best}
    return [dev[i] for i in sorted(chosen)]


def encode(found: StudyRecord) -> bytes:
    """The file's bytes: readable by a person, one round and one trial a line."""
    plain = msgspec.to_builtins(found)
    plain["integrity"] = integrity_of(plain)
    parts = []
    for key, value in plain.items():
        if key in ("rounds", "trials") and value:
            body = b"[\n    " + b",\n    ".join(map(msgspec.json.encode, value)) + b"\n  ]"
        else:
            body = msgspec.json.format(msgspec.json.encode(value), indent=2).replace(b"\n", b"\n  ")
        parts.append(b'  "%s": %s' % (key.encode(), body))
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


# -- and back ------------------------------------------------------------------------------------------------


def decode(raw: bytes) -> tuple[StudyRecord, bool]:
    """The record, each field of its type, and whether its integrity holds (False: it was edited).

    Whether a study can be so is for `restored` to say. Raises SessionError.
    """
    with in_one_line("study"):
        plain = plain_of(raw, "study", VERSION, _MOST)
        found = msgspec.convert(plain, StudyRecord)
        Spec.from_plain(found.spec)  # lists and previews go by it
        return found, found.integrity == integrity_of(plain)


def restored(found: StudyRecord) -> Study:
    """The study on record; what has not ended waits. Raises SessionError: no study can be so."""
    with in_one_line("study"):
        spec, base = Spec.from_plain(found.spec), RunConfig.from_dict(found.config)
        study = Study(spec, base, Space.from_plain(found.space), [dict(point) for point in found.points])
        study.environments = list(found.environments)
        for each in found.rounds:
            study.rounds.append(_round(study, each, len(found.trials)))
        if sum(len(each.trials) for each in study.rounds) != len(found.trials):
            raise SessionError("$.rounds: expected as many trials as there are")
        for _ in range(len(study.rounds) - len(study.sizes)):
            study.more_rounds()
        bases = {seed: replace(study.base, seed=seed) for seed in {each.seed for each in found.trials}}
        for made in study.rounds:
            for number in made.trials:
                study.trials[number] = _trial(study, found.trials[number - 1], number, made, bases)
        return study


def _round(study: Study, found: RoundRecord, trials: int) -> Round:
    number = len(study.rounds) + 1
    first = study.rounds[-1].trials.stop if study.rounds else 1
    where = f"$.rounds[{number - 1}]"
    if found.number != number:
        raise SessionError(f"{where}.number: expected {number}, found {found.number}")
    if found.first != first or not first <= found.last <= trials:
        raise SessionError(f"{where}: expected trials from {first} to at most {trials}")
    _check_decided(study, found.decided, where)
    box = Space.from_plain(found.box)
    if box.knobs != study.space.knobs:
        raise SessionError(f"{where}.box: expected the knobs of the study's space")
    return Round(number, box, range(first, found.last + 1), tuple(found.decided))


def _check_decided(study: Study, decided: Sequence[int], where: str) -> None:
    """Raises SessionError unless these are the first of the rungs at which halving decides."""
    if tuple(decided) != study.rungs[:-1][: len(decided)]:
        raise SessionError(f"{where}.decided: expected the first of {list(study.rungs[:-1])}")


def _trial(study: Study, found: TrialRecord, number: int, of: Round, bases: dict[int, RunConfig]) -> Trial:
    where = f"$.trials[{number - 1}]"
    if (found.number, found.round) != (number, of.number):
        raise SessionError(f"{where}: expected trial {number} of round {of.number}")
    values: dict[str, Value] = dict(found.knobs)
    if study.points:
        place = (number - 1) // study.spec.seeds
        if place >= len(study.points) or values != study.points[place]:
            raise SessionError(f"{where}.knobs: expected the study's point {place + 1}")
    elif set(values) != set(study.space.knobs):
        raise SessionError(f"{where}.knobs: expected those of the study's space")
    else:
        for each in study.space.dimensions:
            if each.scale == "choice" and values[each.knob] not in each.choices:
                raise SessionError(f"{where}.knobs.{each.knob}: expected one of the space's choices")
    trial = Trial(number, of.number, values, settings(bases[found.seed], values))
    if found.status != "waiting":
        _end(trial, found, len(study.environments), where)
    return trial


def _end(trial: Trial, found: TrialRecord, environments: int, where: str) -> None:
    """Put on a trial what it has come to."""
    trial.status, trial.reason = found.status, found.reason
    trial.steps, trial.epochs = found.steps, found.epochs
    trial.weights_sha256, trial.costs_sha256 = found.weights_sha256, found.costs_sha256
    trial.seconds, trial.environment = found.seconds, found.environment
    if found.environment is not None and found.environment >= environments:
        raise SessionError(f"{where}.environment: expected one of {environments}")
    if not 0 <= found.seconds <= MAX_STEP or found.steps > MAX_STEP:
        raise SessionError(f"{where}: expected steps and seconds from 0")
    dev = found.dev or Dev([], [], [])
    if not len(dev.step) == len(dev.cost) == len(dev.accuracy) <= POINTS:
        raise SessionError(f"{where}.dev: expected as many steps as costs and accuracies, at most {POINTS}")
    if any(one >= other for one, other in zip(dev.step, dev.step[1:], strict=False)):
        raise SessionError(f"{where}.dev.step: expected ascending steps")
    trial.dev = list(zip(dev.step, map(float, dev.cost), map(float, dev.accuracy), strict=True))
    last = (dev.cost[-1], dev.accuracy[-1]) if dev.step else (None, None)
    if (found.dev_cost, found.dev_accuracy) != last:
        raise SessionError(f"{where}: expected the last dev cost and accuracy")
