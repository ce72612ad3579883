"""Handing a session on: its curves as a table, its nudges as a schedule, its trained network as arrays."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pandatui.data import Dataset
from pandatui.data.opening import open_regular
from pandatui.nn.layers import BATCH_NORM_EPSILON
from pandatui.plain import plain
from pandatui.sessions.replay import RerunError, events_of
from pandatui.sessions.schema import Session, Values, from_number
from pandatui.training import ConfigError, PlannedNudge, Run
from pandatui.training.events import Recorded, gestures
from pandatui.training.words import gesture_words, sentence

MAX_SCHEDULE = 1 << 20  # bytes
_MAX_NAMES = 1 << 24  # characters of all class names, each as long as the longest


# -- curves --------------------------------------------------------------------------------------------------


def train_rows(session: Session) -> NDArray[np.float64]:
    """(n, 4): step, mean, min and max of train cost; what is on record in blocks counts at a block's end."""
    values, steps = session.curves.train, session.steps
    first = np.array([from_number(v) for v in values.first])
    last = np.array([from_number(v) for v in values.last])
    parts = [_rows(np.arange(1, len(first) + 1), first, first, first)]
    if values.blocks is not None:
        blocks = values.blocks
        mean, low, high = (
            np.array([from_number(v) for v in column]) for column in (blocks.mean, blocks.min, blocks.max)
        )
        ends = (np.arange(len(mean)) + 1) * blocks.size
        between = (ends - blocks.size >= len(first)) & (ends <= steps - len(last))
        parts.append(_rows(*(column[between] for column in (ends, mean, low, high))))
    parts.append(_rows(np.arange(steps - len(last) + 1, steps + 1), last, last, last))
    return np.concatenate(parts)


def _rows(*columns: NDArray[np.float64] | NDArray[np.intp]) -> NDArray[np.float64]:
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def dev_rows(session: Session) -> NDArray[np.float64]:
    """(n, 3): step, dev cost and accuracy at the ends of epochs that are on record one by one."""
    curves = session.curves

    def ends(values: Values) -> list[float]:
        return [from_number(v) for v in (*values.first, *values.last)]

    columns = ends(curves.dev_step), ends(curves.dev_cost), ends(curves.dev_accuracy)
    return np.array(columns, np.float64).reshape(3, -1).T


def as_csv(session: Session) -> str:
    """One row a step that has something on record: costs, dev figures, and what happened before it."""
    rows: dict[int, list[str]] = {}

    def cells(step: float) -> list[str]:
        return rows.setdefault(int(step), ["", "", "", "", "", ""])

    for step, mean, low, high in train_rows(session):
        spread = [repr(float(low)), repr(float(high))] if low < high else ["", ""]
        cells(step)[:3] = [repr(float(mean)), *spread]
    for step, cost, accuracy in dev_rows(session):
        cells(step)[3:5] = [repr(float(cost)), repr(float(accuracy))]
    for step, words in happened(session):
        row = cells(step)
        row[5] = f"{row[5]}; {words}" if row[5] else words
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["step", "train_cost", "train_min", "train_max", "dev_cost", "dev_accuracy", "event"])
    writer.writerows([str(step), *rows[step]] for step in sorted(rows))
    return out.getvalue()


def happened(session: Session) -> list[tuple[int, str]]:
    """(step, words) of each gesture and each other event, but for what was undone and the jumps."""
    events = [e for e in events_of(session) if e.undone_by is None]
    found = [
        (e.step, plain(sentence(Recorded(e)), 2_000))
        for e in events
        if e.kind in ("note", "extend", "diverged", "pause")
    ]
    found += [(g.first_step, f"nudge {g.number}: {gesture_words(g)}") for g in gestures(events)]
    return sorted(found, key=lambda pair: pair[0])


# -- nudges --------------------------------------------------------------------------------------------------


def as_schedule(session: Session) -> str:
    """The nudges that stand, as lines of STEP:KNOB=VALUE for `pandatui train --nudges`."""
    turns: dict[tuple[int, str], tuple[int | None, float]] = {}
    for event in events_of(session):
        if event.kind == "nudge" and event.undone_by is None:
            assert event.knob is not None
            assert event.after is not None
            turns[event.step, event.knob] = event.nudge, event.after
    lines = ["# STEP:KNOB=VALUE, for: pandatui train --nudges FILE"]
    seen: int | None = None
    for (step, knob), (number, after) in turns.items():
        if number != seen:
            lines.append(f"# nudge {number}")
            seen = number
        lines.append(f"{step}:{knob}={int(after) if knob == 'batch_size' else repr(after)}")
    return "\n".join(lines) + "\n"


def read_schedule(path: Path) -> tuple[PlannedNudge, ...]:
    """The planned nudges of such a file. Raises ConfigError with the line, DataError for what is no file."""
    with open_regular(path) as file:
        raw = file.read(MAX_SCHEDULE + 1)
    if len(raw) > MAX_SCHEDULE:
        raise ConfigError(f"{path.name!r}: expected a schedule of at most {MAX_SCHEDULE:,} bytes")
    try:
        lines = raw.decode().splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name!r}: expected lines of text, STEP:KNOB=VALUE") from None
    planned = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                planned.append(PlannedNudge.parse(text[:200]))
            except ConfigError as error:
                raise ConfigError(f"{path.name!r}, line {number}: {error}") from None
    return tuple(planned)


# -- the network ---------------------------------------------------------------------------------------------


def step_of(session: Session, at: str) -> int:
    """The step that best, last or a number stands for. Raises ValueError."""
    if at == "last":
        return session.steps
    if at == "best":
        epoch = session.result.best_epoch
        steps = dev_rows(session)[:, 0]
        if epoch is None:
            raise ValueError("expected last or a step: it has no end of an epoch yet")
        place = epoch - 1 if epoch <= len(session.curves.dev_step.first) else epoch - 1 - session.epochs
        if -len(session.curves.dev_step.last) <= place < len(session.curves.dev_step.first):
            return int(steps[place])
        step = _step_in_block(session, epoch)
        if step is None:
            raise ValueError("expected last or a step: the step of the best epoch is not on record")
        return step
    if at.isdecimal() and len(at) < 16 and 0 <= int(at) <= session.steps:
        return int(at)
    raise ValueError(f"expected best, last, or a step from 0 to {session.steps:,}, found {at!r}")


def _step_in_block(session: Session, epoch: int) -> int | None:
    """The step at an epoch's end by the block that it is in: all its epochs are as long as each other, unless
    somebody turned the batch size meanwhile.
    """
    blocks = session.curves.dev_step.blocks
    if blocks is None or blocks.size < 2 or not 0 <= (i := (epoch - 1) // blocks.size) < len(blocks.min):
        return None
    first, last = from_number(blocks.min[i]), from_number(blocks.max[i])
    if not 0 < first <= last <= session.steps:
        return None
    for event in session.events:
        if event.knob == "batch_size" and event.undone_by is None and first < event.step <= last:
            return None
    return int(first + (last - first) * ((epoch - 1) % blocks.size) / (blocks.size - 1))


def as_npz(run: Run, dataset: Dataset) -> bytes:
    """The trained network: W, b, scale, shift by layer; running means and variances, bias-corrected;
    how inputs are standardised; class names. Loads with allow_pickle=False.

    A row x gives: a = (x − input_mean)/input_scale; by hidden layer z = a W, a = activation(scale·(z − mean)/
    √(variance + epsilon) + shift), or of z + b without batch norm; softmax(a W + b) of the last.
    """
    classes = dataset.classes
    if len(classes) * max(map(len, classes)) > _MAX_NAMES:
        raise RerunError("its class names are too long for an array")
    arrays = {name: view[0] for name, view in run.network.views.items()}
    arrays |= {name: view[0] for name, view in run.network.test_statistics().items()}
    shape = dataset.image_shape or (dataset.n_features,)
    facts: dict[str, NDArray[Any]] = {
        "input_mean": dataset.standardisation.mean,
        "input_scale": dataset.standardisation.scale,
        "input_shape": np.array(shape),
        "classes": np.array(classes, dtype=np.str_),
        "activation": np.array(run.config.activation),
        "epsilon": np.array(BATCH_NORM_EPSILON),
        "step": np.array(run.steps),
    }
    out = io.BytesIO()
    every: dict[str, Any] = arrays | facts
    np.savez(out, **every)
    return out.getvalue()
