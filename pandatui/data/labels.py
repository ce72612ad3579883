"""From what a label column holds to classes: their names, their order, and when numbers are none at all.

Whole numbers are sorted as numbers and named without a decimal point; anything else is text, sorted as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError, quote
from pandatui.data.opening import reason
from pandatui.data.standardise import Array

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


def encode(labelled: list[tuple[str, Array]]) -> tuple[tuple[str, ...], Array]:
    """Classes, and the labels of all arrays one after another as intp indices of them.

    Each array is (rows,), (rows, 1) or one-hot (rows, classes), of integers, whole floats or strings.
    """
    flat = [_flat_labels(labels, place) for place, labels in labelled]
    for (place_of, _), array in zip(labelled, flat, strict=True):
        if array.dtype.kind == "U":  # what is no character must never become a Python string
            points = np.ascontiguousarray(array).view(np.uint32)
            wrong = (points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))
            if wrong.any():
                found = int(points[np.argmax(wrong)])
                raise DataError(f"{place_of}: expected readable labels, found code point 0x{found:x}")
    if len({array.dtype.kind in "US" for array in flat}) > 1:
        raise DataError(
            f"{labelled[1][0]}: expected labels as in the training part, found {flat[1].dtype.name}"
        )
    joined = np.concatenate(flat)
    try:
        distinct, first, codes = np.unique(joined, return_index=True, return_inverse=True)
        texts = [_text(value) for value in distinct.tolist()]
    except (ValueError, UnicodeError) as error:
        raise DataError(
            f"{labelled[0][0]}: expected readable labels, found damage: {reason(error)}"
        ) from None
    ends = np.cumsum([len(array) for array in flat])

    def place(index: int) -> str:
        row = int(first[index])
        which = int(np.searchsorted(ends, row, side="right"))
        return f"{labelled[which][0]}[{row - (int(ends[which - 1]) if which else 0)}]"

    classes, order = order_classes(texts, len(joined), place)
    return classes, order[codes.reshape(-1)].astype(np.intp)


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _flat_labels(labels: Array, place: str) -> Array:
    if labels.ndim == 1:
        return labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels.reshape(-1)
    numbers = labels.ndim == 2 and labels.dtype.kind in "biuf"
    if numbers and bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
        return np.asarray(labels.argmax(axis=1))
    raise DataError(
        f"{place}: expected labels (rows,), or one-hot (rows, classes), found shape {labels.shape}"
    )
