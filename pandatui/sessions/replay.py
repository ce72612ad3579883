"""Training a session again: to check that it was so, to go on from it, or to see a stretch of it.

Config, data and the events that still stand are the whole truth. A re-run applies every nudge `to` the value
on record, at its step, and the plan only beyond the last recorded step.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pandatui.data import BUILT_IN, DataError, Dataset, load
from pandatui.sessions.schema import EventRecord, Session, from_number
from pandatui.sessions.seeking import seek
from pandatui.training import ConfigError, Run, RunConfig
from pandatui.training.environment import describe, pin_blas
from pandatui.training.events import JUMPS, Event
from pandatui.training.history import History

Progress = Callable[[int, int], None]  # steps done, steps in all
UNKNOWN = "0" * 64  # the weights' hash of a run that was killed
_TOLD_EVERY = 256  # steps


class RerunError(ValueError):
    """The session can't be trained again here: one line that says why, and what would help."""


def events_of(session: Session) -> list[Event]:
    """The session's events as training knows them."""
    return [event_of(record) for record in session.events]


def event_of(record: EventRecord) -> Event:
    return Event(**{name: getattr(record, name) for name in Event.__dataclass_fields__})


def config_of(session: Session) -> RunConfig:
    """The session's config. Raises RerunError where no run can have it."""
    try:
        return RunConfig.from_dict(session.config)
    except (ConfigError, TypeError, ValueError) as error:
        raise RerunError(f"its config: {error}") from None


def data_of(session: Session, given: str | None, *, trusted: bool, progress: Any = None) -> Dataset:
    """The session's data, which must have the recorded hash.

    `given` is a person's --data. Without it a path on record is followed only for a `trusted` session, one of
    the sessions folder in use, and only to a regular file or folder. Raises RerunError.
    """
    config = config_of(session)
    source = given or config.data
    ask = f"give it with --data FILE (sha256 {session.data.sha256[:12]}…)"
    if given is None and config.data not in BUILT_IN:
        if not trusted:
            raise RerunError(f"its data {config.data!r} is not opened for a file from elsewhere; {ask}")
        if not (Path(source).is_file() or Path(source).is_dir()):
            raise RerunError(f"its data {source!r} is not there any more; {ask}")
    try:
        dataset = load(
            source,
            label=config.label,
            drop=config.drop,
            standardise=config.standardise,
            split_seed=config.split_seed,
            dtype=config.dtype,
            progress=progress,
        )
    except DataError as error:
        raise RerunError(f"its data: {error}") from None
    if dataset.sha256 != session.data.sha256:
        expected, found = session.data.sha256[:12], dataset.sha256[:12]
        raise RerunError(f"{source!r} holds other data: expected sha256 {expected}…, found {found}…")
    return dataset


def rerun(
    session: Session,
    dataset: Dataset,
    *,
    without: Collection[int] = (),
    until: int | None = None,
    progress: Progress | None = None,
    checkpoints: Path | None = None,
) -> Run:
    """Train the live path again, without the gestures named in `without`, up to step `until`.

    From the seed; or with a folder of its `checkpoints`, where one serves, from the last of them: the bits
    are the same. The run that comes back has the record's events and can go on. A run that diverged diverges
    again.
    """
    pin_blas()  # the bits depend on the number of threads
    steps = session.steps if until is None else min(until, session.steps)
    events = events_of(session)
    own = [replace(e, undone_by=e.undone_by or 0) if e.nudge in without else e for e in events]
    run = _begun(session, dataset, own, until, checkpoints)
    run.adopt(own, session.steps)
    for mark in range(run.steps + _TOLD_EVERY, steps, _TOLD_EVERY):
        run.train_again(mark, last_by(events, mark))
        if progress is not None:
            progress(mark, steps)
    last = len(events) if until is None else last_by(events, steps)
    run.train_again(steps, last)
    if until is None and session.status == "diverged" and run.status != "diverged":
        run.step()  # the one that was not taken, because its cost or gradient was not finite
    run.last_event = len(run.events)
    return run


def _begun(
    session: Session, dataset: Dataset, events: list[Event], until: int | None, checkpoints: Path | None
) -> Run:
    """The run at its last checkpoint that serves, or before its first step."""
    run = Run(config_of(session), dataset)
    if checkpoints is not None:
        try:
            seek(session, run, events, checkpoints, until)
        except (ValueError, TypeError, KeyError):  # a checkpoint with a right CRC that no run can have
            return Run(config_of(session), dataset)
    return run


def last_by(events: Sequence[Event], step: int) -> int:
    """The id of the last event by a step that still stands; jumps apart, those are in order of steps."""
    standing = (e.id for e in events if e.undone_by is None and e.kind not in JUMPS and e.step <= step)
    return max(standing, default=0)


# -- verifying -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """The first train cost that differs: both values, and how many floats of a dtype lie between them."""

    step: int
    recorded: float
    found: float
    ulps: int
    dtype: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What training a session again has shown."""

    identical: bool
    steps: int
    found_steps: int  # fewer where it diverged before the record's end
    costs_equal: bool
    weights_equal: bool
    environment: tuple[tuple[str, str, str], ...]  # what differs: name, recorded, here
    block: tuple[int, int] | None = None  # the first block of steps that differs
    first: Difference | None = None  # where its costs are on record

    @property
    def same_environment(self) -> bool:
        return not self.environment


def verify(session: Session, run: Run) -> Verdict:
    """Compare a finished re-run with the record: every cost through the chain, and the final weights."""
    result, history = session.result, run.history
    costs_equal = run.steps == session.steps and history.costs_sha256() == result.costs_sha256
    weights_equal = result.weights_sha256 in (UNKNOWN, run.weights_sha256())
    here = describe()
    odd = tuple(
        (name, str(session.environment.get(name)), str(here.get(name)))
        for name in ("python", "numpy", "blas", "kernel", "threads", "simd", "machine")
        if session.environment.get(name) != here.get(name)
    )
    first = None if costs_equal else _first_difference(session, run)
    return Verdict(
        identical=costs_equal and weights_equal,
        steps=session.steps,
        found_steps=run.steps,
        costs_equal=costs_equal,
        weights_equal=weights_equal,
        environment=odd,
        block=None if costs_equal else _first_block(session, history, first),
        first=first,
    )


def _first_difference(session: Session, run: Run) -> Difference | None:
    """Among the costs that both have in full."""
    recorded = np.array([from_number(value) for value in session.curves.train.first])
    found = run.history.train.part(0, min(len(recorded), run.steps))
    n = min(len(recorded), len(found))
    unequal = np.flatnonzero(recorded[:n] != found[:n])
    if not len(unequal):
        return None
    i = int(unequal[0])
    one, other = float(recorded[i]), float(found[i])
    dtype = run.network.dtype.name if _is_float32(one) and _is_float32(other) else "float64"
    return Difference(i + 1, one, other, ulps(one, other, dtype), dtype)


def _is_float32(value: float) -> bool:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) == value


def _first_block(session: Session, history: History, first: Difference | None) -> tuple[int, int] | None:
    if first is not None:
        start = (first.step - 1) // 1024 * 1024
        return start + 1, min(start + 1024, session.steps)
    blocks = session.curves.train.blocks
    if blocks is None:
        return None
    for i, link in enumerate(blocks.h):
        at = (i + 1) * blocks.size // 1024
        if at >= len(history.links) or history.links[at].hex() != link:
            return i * blocks.size + 1, (i + 1) * blocks.size
    return len(blocks.h) * blocks.size + 1, session.steps


def ulps(a: float, b: float, dtype: str = "float64") -> int:
    """How many steps from one float of that type to the next lie between two of them; -1 if not finite."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return -1
    single = dtype == "float32"

    def place(x: float) -> int:
        bits = int(np.float32(x).view(np.int32)) if single else int(np.float64(x).view(np.int64))
        return bits if bits >= 0 else -(bits & (0x7FFFFFFF if single else 0x7FFFFFFFFFFFFFFF))

    return abs(place(a) - place(b))
