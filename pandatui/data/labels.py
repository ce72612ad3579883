"""From what a label column holds to classes: their names, their order, and when numbers are none at all.

Whole numbers are sorted as numbers and named without a decimal point; anything else is text, sorted as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError, quote

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "-"})

# Numbers are classes when there are at most 20 of them, or ten rows a class on average; texts with three rows
# each.
FEW, ROWS_PER_NUMBER, ROWS_PER_TEXT = 20, 10, 3


def number(text: str) -> float | None:
    """The number a cell holds, None if it holds none. Python's 1_000 is not a number in a file."""
    if "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def whole(text: str) -> int | None:
    """The integer that a numeric text stands for ("3", "3.0", "3e0"), None if it stands for none."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        return int(value) if value.is_integer() and abs(value) < 2**53 else None


def order_classes(
    distinct: Sequence[str], rows: int, place: Callable[[int], str]
) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Class names in order, and for each distinct text the index of its class.

    `distinct` are the texts as found, `rows` how many labels there are, `place(i)` says where distinct[i] was
    first seen, file included. Raises DataError for a missing or non-finite label, for numbers that look like
    a quantity, for nearly as many texts as rows, and for one class only.
    """
    numbers = [number(text) for text in distinct]
    numeric = [value is not None for value in numbers]
    # "NA" among numbers is a missing number; among texts it may be a name.
    among_numbers = any(numeric) and all(
        known or is_missing(text) for known, text in zip(numeric, distinct, strict=True)
    )
    for index, (text, value) in enumerate(zip(distinct, numbers, strict=True)):
        if text == "" or (among_numbers and is_missing(text)):
            raise DataError(f"{place(index)}: expected a label, found {quote(text)}")
        if among_numbers and value is not None and not math.isfinite(value):
            raise DataError(f"{place(index)}: expected a finite label, found {quote(text)}")
    if all(numeric):
        return _order_numbers(distinct, rows, place)
    if len(distinct) > max(FEW, rows // ROWS_PER_TEXT):
        raise DataError(
            f"{place(0)}: expected a column of classes, found {len(distinct)} different texts in {rows} rows "
            "(choose another with --label)"
        )
    names = tuple(sorted(distinct))
    if len(names) < 2:
        raise DataError(f"{place(0)}: expected at least two classes, found one, {quote(names[0])}")
    index_of = {name: index for index, name in enumerate(names)}
    return names, np.array([index_of[text] for text in distinct], dtype=np.intp)


def _order_numbers(
    distinct: Sequence[str], rows: int, place: Callable[[int], str]
) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    values: list[int] = []
    for index, text in enumerate(distinct):
        value = whole(text)
        if value is None:
            raise DataError(
                f"{place(index)}: expected whole numbers as labels, found {quote(text)}: "
                "pandatui classifies, it does not regress"
            )
        values.append(value)
    ordered = sorted(set(values))
    if len(ordered) > max(FEW, rows // ROWS_PER_NUMBER):
        raise DataError(
            f"{place(0)}: expected at most {max(FEW, rows // ROWS_PER_NUMBER)} classes in {rows} rows, found "
            f"{len(ordered)} different numbers: pandatui classifies, it does not regress"
        )
    if len(ordered) < 2:
        raise DataError(f"{place(0)}: expected at least two classes, found one, {quote(str(ordered[0]))}")
    index_of = {value: index for index, value in enumerate(ordered)}
    return tuple(map(str, ordered)), np.array([index_of[value] for value in values], dtype=np.intp)
