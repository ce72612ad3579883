"""The confusion of classes as a heat map with its numbers, and precision and recall beside it."""

from collections.abc import Sequence

import numpy as np

from pandatui.training.predictions import Mistakes
from pandatui.tui.canvas import Cells, Ink, Palette, blend
from pandatui.tui.heat import Scale, draw_heat, resampled, rows_for

_TOP = 2  # rows above it: the view's head, its own
_MOST_LABEL = 12
_MOST_NAME = 4  # characters, beside a map of shades
_MOST_CELL = 9


def draw_confusion(
    cells: Cells,
    place: tuple[int, int],
    missed: Mistakes,
    classes: Sequence[str],
    palette: Palette,
    *,
    colour: bool,
) -> int:
    """In columns from … to: numbers in shaded cells while they fit, else a heat map. Returns its end."""
    left, right = place
    confusion, n = missed.confusion, len(classes)
    rows = cells.height - _TOP - 1
    digits = max(2, len(str(confusion.max()))) + 1
    label = min(_MOST_LABEL, max(map(len, classes)))
    while label > 3 and label + 2 + n * digits > right - left:
        label -= 1
    if rows < n or label + 2 + n * digits > right - left:
        return _draw_map(cells, left, right, confusion, classes, palette, colour=colour)
    wide = min(_MOST_CELL, (right - left - label - 2) // n)
    high = max(1, min(wide // 2, rows // n, 3))
    x = left + label + 2
    _head(cells, left, x + n * wide, palette)
    for j, name in enumerate(classes):
        text = name[: wide - 1]
        cells.write(x + j * wide + (wide - 1 - len(text)) // 2, _TOP, text, Ink(palette.muted))
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    for i, name in enumerate(classes):
        y = _TOP + 1 + i * high
        cells.write(left + 1, y + (high - 1) // 2, name[:label].rjust(label), Ink(palette.muted))
        for j in range(n):
            share = 0.65 * float(shares[i, j]) ** 0.5
            base = palette.train if i == j else palette.error
            back = blend(base, palette.background, round(share * 24) / 24) if colour and share else ""
            _draw_cell(
                cells, (x + j * wide, y), (wide - 1, high), int(confusion[i, j]), back, palette, own=i == j
            )
    return x + n * wide


def _head(cells: Cells, left: int, right: int, palette: Palette) -> None:
    forms = "down: what it is · across: what was said", "down: is · across: said", "is ↓ said →", ""
    words = next(form for form in forms if len(form) < right - left)
    cells.write(left + 1, 1, words, Ink(palette.muted))


def _draw_cell(
    cells: Cells,
    at: tuple[int, int],
    size: tuple[int, int],
    count: int,
    back: str,
    palette: Palette,
    *,
    own: bool,
) -> None:
    (x, y), (wide, high) = at, size
    text = (
        (f"{count:,}" if len(f"{count:,}") <= wide else str(count))
        if count
        else ("·" if cells.unicode else ".")
    )
    start = (wide - len(text) + 1) // 2
    ink = Ink(palette.foreground if count else palette.muted, bold=own and count > 0, back=back)
    for row in range(high):
        line = (" " * start + text).ljust(wide) if row == (high - 1) // 2 else " " * wide
        for k, character in enumerate(cells.text(line)):
            cells.put(x + k, y + row, character, ink)


def _draw_map(
    cells: Cells,
    left: int,
    right: int,
    confusion: np.ndarray,
    classes: Sequence[str],
    palette: Palette,
    *,
    colour: bool,
) -> int:
    """Where numbers do not fit: shade alone, the first and the last class named, or their numbers."""
    n = len(classes)
    first, last = classes[0], classes[-1]
    if max(len(first), len(last)) > _MOST_NAME:
        first, last = "1", str(n)
    names = max(len(first), len(last))
    height = cells.height - _TOP - 1
    width = min(right - left - names - 3, 2 * height)
    if height < 2 or width < 2:
        return left
    shares = np.sqrt(confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1))
    rows = rows_for(height, unicode=cells.unicode, colour=colour)
    if (times := min(rows, width) // n) > 0:  # each class as large as the others
        picture = np.repeat(np.repeat(shares, times, axis=0), times, axis=1)
        width, odd = n * times, n * times % 2
        picture = np.pad(picture, ((0, odd), (0, 0)), constant_values=np.nan)
        height = -(-n * times * height // rows)
    else:
        picture = _largest(shares, rows, width)
    x = left + names + 2
    _head(cells, left, x + width, palette)
    draw_heat(cells, x, _TOP + 1, picture, Scale(palette.background, palette.train), colour=colour)
    muted = Ink(palette.muted)
    cells.write(x, _TOP, first, muted)
    cells.write(x + width - len(last), _TOP, last, muted)
    cells.write(left + 1, _TOP + 1, first.rjust(names), muted)
    cells.write(left + 1, _TOP + height, last.rjust(names), muted)
    return x + width


def _largest(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """At another size: the largest where it shrinks, so that no mistake is lost among noughts."""
    for axis, count in ((0, rows), (1, columns)):
        n = values.shape[axis]
        if n > count:
            values = np.maximum.reduceat(values, np.arange(count) * n // count, axis=axis)
    return np.asarray(resampled(values, rows, columns))


def draw_scores(cells: Cells, left: int, missed: Mistakes, classes: Sequence[str], palette: Palette) -> None:
    """Precision and recall by class, where there are many the worst first; then what is taken for what."""
    muted, text = Ink(palette.muted), Ink(palette.foreground)
    room = cells.height - _TOP - 1
    precision, recall = missed.precision, missed.recall
    order = list(range(len(classes)))
    pairs = _pairs(missed.confusion)[:5]
    below = len(pairs) + 2 if pairs and room >= len(classes) + 6 else 0
    shown = room - below
    head = "precision   recall"
    if len(classes) > shown:
        both = np.nan_to_num(precision) + np.nan_to_num(recall)
        order = np.argsort(both, kind="stable")[: max(1, shown)].tolist()
        cells.write(left + 1, 1, f"the {len(order)} worst of {len(classes)} classes", muted)
    width = min(max(len(classes[i]) for i in order), max(4, cells.width - left - len(head) - 4))
    cells.write(left + 1, _TOP, " " * (width + 2) + head, muted)
    for row, i in enumerate(order, start=_TOP + 1):
        cells.write(left + 1, row, classes[i][:width], text)
        for value, at in ((precision[i], 9), (recall[i], 18)):
            words = "–" if np.isnan(value) else f"{value:.1%}"
            cells.write(left + 3 + width + at - len(words), row, words, text if words != "–" else muted)
    row = _TOP + 2 + len(order)
    if below:
        cells.write(left + 1, row, "most often mistaken", muted)
    for line, (count, i, j) in enumerate(pairs if below else (), start=row + 1):
        cells.write(
            left + 1, line, f"{count:,} × {classes[i]} for {classes[j]}"[: cells.width - left - 2], text
        )


def _pairs(confusion: np.ndarray) -> list[tuple[int, int, int]]:
    """(count, true, said) of the mistakes that are made most."""
    found = [(int(confusion[i, j]), int(i), int(j)) for i, j in np.argwhere(confusion) if i != j]
    return sorted(found, key=lambda pair: (-pair[0], pair[1:]))
