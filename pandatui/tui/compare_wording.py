"""The table below compared curves, as pure functions: one row a record, its columns what differs."""

import json
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from textual.content import Content

from pandatui.plain import plain
from pandatui.training.knobs import KNOBS
from pandatui.training.words import cost, knob_value, number
from pandatui.tui.comparing import Compared, sign_of
from pandatui.tui.wording import MUTED

_NEVER = ("data", "plan", "label", "drop")  # told otherwise, or of no use
_FIRST = (
    "learning_rate", "momentum", "hidden", "batch_size", "decay", "l2", "optimizer", "batch_norm", "seed",
)  # fmt: skip
_HEADS = {"learning_rate": "α", "momentum": "β", "l2": "λ", "second_moment": "β2", "batch_size": "batch",
          "batch_norm": "BN", "split_seed": "split"}  # fmt: skip
_NUDGES = 28  # columns that they have at the least
_GAP = "  "


def differing(all_of: Sequence[Compared]) -> list[str]:
    """The settings that are not the same in all, the more important first."""
    names = {name for each in all_of for name in each.config} - set(_NEVER)
    found = [n for n in names if len({_canonical(each.config.get(n)) for each in all_of}) > 1]
    order = {name: i for i, name in enumerate(_FIRST)}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def setting(name: str, value: Any) -> str:
    """0.0316, 32-32, on."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return plain("-".join(map(str, value)), 16)
    if isinstance(value, int | float) and name in KNOBS:
        return knob_value(name, float(value))
    if isinstance(value, float):
        return number(value)
    return plain("" if value is None else str(value), 12)


def nudges_words(each: Compared, room: int) -> str:
    """α 0.1 at 96, α 0.316 at 191, 3 more."""
    words: list[str] = []
    for g in each.nudges:
        knob = KNOBS[g.knob]
        words.append(f"{knob.symbol or knob.label} {knob_value(g.knob, g.after)} at {g.first_step:,}")
    for shown in range(len(words), 0, -1):
        rest = [f"{len(words) - shown} more"] if shown < len(words) else []
        if cell_len(said := ", ".join([*words[:shown], *rest])) <= room:
            return said
    return f"{len(words)} nudges" if words else "none"


def table(
    first: Compared, others: Sequence[Compared], place: float, way: str, width: int, *, train: bool, here: str
) -> tuple[list[Content], int]:
    """Head and rows, and how many settings that differ had no room.

    `place` is where the costs are read, `here` what to call it.
    """
    all_of = (first, *others)
    signs = ["●", *(sign_of(i) for i in range(len(others)))]
    columns = [("", signs), ("", [each.name for each in all_of])]
    kind = "train" if train else "dev"
    columns.append((f"{kind} {here}", [_read(each, place, way, train) for each in all_of]))
    columns.append(("best dev", [_best(each) for each in all_of]))
    if len({each.sha256 for each in all_of}) > 1:
        columns.append(
            ("data", [each.data + ("" if each.sha256 == first.sha256 else " ≠") for each in all_of])
        )
    room = width - sum(map(_width, columns))
    counts = ("nudges", [str(len(each.nudges) or "") for each in all_of])
    for_nudges = _NUDGES if width >= 100 else _width(counts)
    told = [
        (_HEADS.get(name, name.replace("_", " ")), [setting(name, each.config.get(name)) for each in all_of])
        for name in differing(all_of)
    ]
    fit = 0
    while fit < len(told) and _width(told[fit]) <= room - for_nudges:
        room -= _width(told[fit])
        fit += 1
    columns += told[:fit]
    if width >= 100:
        columns.append(("nudges", [nudges_words(each, room) for each in all_of]))
    elif room >= for_nudges:
        columns.append(counts)
    return _rows(columns, train), len(told) - fit


def _width(column: tuple[str, list[str]]) -> int:
    return max(map(cell_len, (column[0], *column[1]))) + len(_GAP)


def _read(each: Compared, place: float, way: str, train: bool) -> str:
    if each.left is not None and not train:
        return "train only"
    found = each.at(place, way, train=train)
    return "" if found is None else cost(found)


def _best(each: Compared) -> str:
    return "" if each.best is None else f"{cost(each.best[0])} @{each.best[1]:,}"


def _rows(columns: Sequence[tuple[str, list[str]]], train: bool) -> list[Content]:
    widths = [_width(column) for column in columns]
    head = "".join(_padded(name, width) for (name, _), width in zip(columns, widths, strict=True))
    rows = [Content.styled(head, MUTED)]
    for i in range(len(columns[0][1])):
        parts = []
        for at, ((_, cells), width) in enumerate(zip(columns, widths, strict=True)):
            style = ("$primary" if train else "$secondary") if not i else ""
            parts.append((_padded(cells[i], width), f"bold {style}".strip() if at < 3 else ""))
        rows.append(Content.assemble(*parts))
    return rows


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
