"""Recorded sessions as tables, summaries and JSON. Pure: from records to text."""

import unicodedata
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from pandatui.plain import plain
from pandatui.sessions import Session
from pandatui.sessions.replay import events_of
from pandatui.sessions.schema import Parent, from_number
from pandatui.sessions.store import Stored
from pandatui.training.events import Event, Gesture, Recorded, gestures
from pandatui.training.words import cost, duration, gesture_words, number, plural, sentence

_HEADINGS = ("name", "when", "data", "network", "status", "steps", "best dev", "right", "nudges", "parent")
_RIGHT = {"steps", "best dev", "right", "nudges"}  # columns of numbers


# -- the list ------------------------------------------------------------------------------------------------


def network_words(config: dict[str, Any]) -> str:
    """64-32 BN momentum, 64-32 tanh adam."""
    parts = ["-".join(map(str, config["hidden"]))]
    parts += ["BN"] if config["batch_norm"] else []
    parts += [config["activation"].replace("_", " ")] if config["activation"] != "relu" else []
    return plain(" ".join([*parts, config["optimizer"]]), 60)


def when_words(created: str) -> str:
    """2026-11-21 06:43, in UTC as recorded."""
    return plain(created[:16].replace("T", " "), 16)


def parent_words(parent: Parent | None) -> str:
    """brave-otter@412, or the trial that it was."""
    if parent is None:
        return ""
    if parent.study is not None:
        return f"{plain(parent.study, 30)} trial {parent.trial}"
    return f"{plain(parent.name or parent.id or 'unknown', 30)}@{parent.step or 0}"


def standing(session: Session) -> list[Gesture]:
    """The gestures that were not undone."""
    return [each for each in gestures(events_of(session)) if not each.undone]


def table(found: Sequence[Stored]) -> str:
    """One line a session; what can't be read comes with the reason."""
    rows = [_row(each) for each in found if each.session is not None]
    lines = aligned([_HEADINGS, *rows], _RIGHT) if rows else []
    for each in found:
        if each.session is None:
            lines.append(f"unreadable: {plain(each.problem, 300)}")
    return "\n".join(lines)


def _row(stored: Stored) -> tuple[str, ...]:
    session = stored.session
    assert session is not None
    best, right = session.result.best_dev_cost, session.result.best_dev_accuracy
    return (
        plain(stored.path.stem, 30),
        when_words(session.created),
        plain(session.data.name, 16),
        plain(network_words(session.config), 24),
        (stored.status or session.status) + (" (edited)" if stored.edited else ""),
        f"{session.steps:,}",
        cost(from_number(best)) if best is not None else "",
        f"{from_number(right):.1%}" if right is not None else "",
        str(len(standing(session)) or ""),
        parent_words(session.parent),
    )


def aligned(rows: Sequence[Sequence[str]], right: Container[str]) -> list[str]:
    """A table's lines; the first row has the headings, and numbers stand below those in `right`."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]

    def cell(text: str, width: int, heading: str) -> str:
        gap = " " * (width - _width(text))
        return gap + text if heading in right else text + gap

    return ["  ".join(map(cell, row, widths, rows[0])).rstrip() for row in rows]


def _width(text: str) -> int:
    """In terminal cells."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def listed(stored: Stored) -> dict[str, Any]:
    """One session of the list as JSON."""
    session = stored.session
    if session is None:
        return {"name": stored.path.stem, "session": str(stored.path), "problem": stored.problem}
    result = session.result
    return {
        "name": stored.path.stem,
        "session": str(stored.path),
        "id": session.id,
        "created": session.created,
        "data": session.data.name,
        "network": network_words(session.config),
        "status": stored.status or session.status,
        "edited": stored.edited,
        "steps": session.steps,
        "epochs": session.epochs,
        "best_dev_cost": result.best_dev_cost,
        "best_dev_accuracy": result.best_dev_accuracy,
        "nudges": len(standing(session)),
        "parent": _parent(session),
    }


def _parent(session: Session) -> Any:
    return None if session.parent is None else msgspec.to_builtins(session.parent)


# -- one session ---------------------------------------------------------------------------------------------


def shown(path: Path, session: Session, whole: bool) -> dict[str, Any]:
    """One session as JSON: all but its curves, its queue and the statistics of its inputs."""
    built: dict[str, Any] = msgspec.to_builtins(session)
    data = {key: value for key, value in built["data"].items() if key != "statistics"}
    return {
        "session": str(path),
        "edited": not whole,
        **{key: built[key] for key in ("name", "id", "created", "status", "steps", "epochs", "seconds")},
        "parent": _parent(session),
        "result": built["result"],
        "nudges": [_gesture(each) for each in gestures(events_of(session))],
        "events": built["events"],
        "config": built["config"],
        "data": data,
        "environment": built["environment"],
    }


def exported(path: Path, session: Session, whole: bool) -> dict[str, Any]:
    """The same with its curves."""
    return shown(path, session, whole) | {"curves": msgspec.to_builtins(session.curves)}


def _gesture(gesture: Gesture) -> dict[str, Any]:
    fields = asdict(gesture)
    renamed = {"number": "nudge", "before": "from", "after": "to"}
    return {renamed.get(key, key): value for key, value in fields.items()}


def summary(session: Session, whole: bool, *, status: str = "", warning: str = "") -> str:
    """What a person wants to know of it, nudges numbered and undone ones marked."""
    lines = [
        f"{plain(session.name, 64)}: {status or session.status} after {plural(session.epochs, 'epoch')}, "
        f"{plural(session.steps, 'step')}, {duration(session.seconds)}"
    ]
    if not whole:
        lines.append("edited       this file is not as it was written")
    if warning:
        lines.append(f"warning      {plain(warning, 500)}")
    lines.append(f"recorded     {when_words(session.created)} UTC")
    if session.parent is not None:
        lines.append(f"branch of    {parent_words(session.parent)}")
    data = session.data
    lines.append(
        f"data         {plain(data.name, 60)}: {data.train_rows:,} train, {data.dev_rows:,} dev, "
        f"{data.test_rows:,} test rows, {plural(data.features, 'feature')}, "
        f"{len(data.classes)} classes, sha256 {data.sha256[:12]}…"
    )
    lines.append(f"network      {network_words(session.config)}, {session.config['dtype']}")
    lines.append(f"settings     {_settings(session.config)}")
    lines += _results(session)
    happened = list(_happened(session))
    if happened:
        lines += ["", *happened]
    return "\n".join(lines)


def _settings(config: dict[str, Any]) -> str:
    named = ("learning_rate", "momentum", "second_moment", "decay", "l2", "batch_size", "epochs", "seed")
    return ", ".join(f"{name.replace('_', ' ')} {number(config[name])}" for name in named)


def _results(session: Session) -> Iterable[str]:
    result = session.result
    if result.best_dev_cost is not None:
        yield (
            f"best dev     {cost(from_number(result.best_dev_cost))} at epoch {result.best_epoch} "
            f"({from_number(result.best_dev_accuracy):.1%} right)"
        )
    if result.dev_cost is not None:
        yield (
            f"last dev     {cost(from_number(result.dev_cost))} "
            f"({from_number(result.dev_accuracy):.1%} right)"
        )
    if result.test_accuracy is not None:
        yield f"test         {from_number(result.test_accuracy):.1%} right"


def _happened(session: Session) -> Iterable[str]:
    """Gestures and other events in the order of the record."""
    events = events_of(session)
    by_number = {each.number: each for each in gestures(events)}
    for event in events:
        if event.kind != "nudge":
            yield f"             {plain(_sentence(event))}{_mark(event.undone_by is not None)}"
        elif (gesture := by_number.pop(event.nudge or 0, None)) is not None:
            by = " (planned)" if gesture.by == "plan" else ""
            yield (
                f"nudge {gesture.number:<6} {gesture_words(gesture)} at step {gesture.first_step:,}"
                f"{by}{_mark(gesture.undone)}"
            )


def _sentence(event: Event) -> str:
    if event.kind in ("undo", "rewind"):
        return f"{event.kind} before step {event.step:,}: back to step {event.back_to:,}"
    if event.kind == "redo":
        return f"redo: step {event.back_to:,} again"
    return sentence(Recorded(event))


def _mark(undone: bool) -> str:
    return " [undone]" if undone else ""
