"""The leaderboard: which rows are in sight and where the cursor is, and its picture.

While a race fills it the order changes, and the cursor must not: it stays on its trial, and the trial in its
row, until the person moves. Before the first move it is on the best, whichever that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from textual.strip import Strip

from pandatui.tui.canvas import Cells, Ink, Palette, blend
from pandatui.tui.race_map import knob_name
from pandatui.tui.race_view import Entry, RaceView
from pandatui.tui.race_wording import COLUMNS, row_cells

_NARROWEST_STATUS = 14


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person looks at: the trial under the cursor (None: the best) and the first place in sight."""

    chosen: int | None = None
    top: int = 0


def number_at(view: RaceView, place: int) -> int:
    return view.trials[int(view.order[place])].number


def place_of(view: RaceView, sight: Sight) -> int:
    """The cursor's place in the order, from 0."""
    if sight.chosen is None or not 1 <= sight.chosen <= len(view.trials):
        return 0
    return int(np.flatnonzero(view.order == sight.chosen - 1)[0])


def chosen_of(view: RaceView, sight: Sight) -> Entry | None:
    """The trial under the cursor."""
    return view.trials[int(view.order[place_of(view, sight)])] if view.trials else None


def moved(view: RaceView, sight: Sight, by: int, rows: int) -> Sight:
    """The cursor so many places further down."""
    if not view.trials:
        return sight
    place = min(max(place_of(view, sight) + by, 0), len(view.trials) - 1)
    return in_sight(view, Sight(number_at(view, place), sight.top), rows)


def in_sight(view: RaceView, sight: Sight, rows: int) -> Sight:
    """The same, scrolled so far that the cursor is in sight and no row is wasted."""
    place, rows = place_of(view, sight), max(1, rows)
    top = min(max(sight.top, place - rows + 1), place, max(0, len(view.trials) - rows))
    return Sight(sight.chosen, max(0, top))


def followed(before: RaceView, after: RaceView, sight: Sight, rows: int) -> Sight:
    """After a change of order: a chosen trial stays in its row, as far as there are rows above it."""
    if sight.chosen is None or not before.trials:
        return in_sight(after, sight, rows)
    row = place_of(before, sight) - sight.top
    return in_sight(after, Sight(sight.chosen, max(0, place_of(after, sight) - row)), rows)


def columns_of(
    view: RaceView, entries: Sequence[tuple[int, Entry]], width: int
) -> tuple[list[str], list[int]]:
    """The knobs for which there is room, and the widths of all columns but the last."""
    knobs = list(view.knobs)
    most = len(str(len(view.trials)))
    while True:
        heads = (*COLUMNS, *map(knob_name, knobs))
        cells = [row_cells(place, entry, knobs)[:-1] for place, entry in entries]
        widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(heads)]
        widths[0], widths[1] = max(widths[0], most), max(widths[1], most)
        widths[2] = max(widths[2], 8)
        widths[4:] = [max(w, 6) for w in widths[4:]]
        used = 2 + sum(widths) + 2 * len(widths)
        if used + _NARROWEST_STATUS <= width or not knobs:
            return knobs, widths
        knobs.pop()


def draw_board(
    view: RaceView, sight: Sight, width: int, height: int, palette: Palette, *, unicode: bool = True
) -> list[Strip]:
    """`height` strips of `width` cells: a head where there is room for one, then a row a trial."""
    cells = Cells(max(width, 0), max(height, 0), Ink(palette.foreground), unicode=unicode)
    header = height >= 4
    rows = height - header
    place, best = place_of(view, sight), view.best
    shown = [
        (at, view.trials[int(view.order[at])])
        for at in range(sight.top, min(sight.top + rows, len(view.trials)))
    ]
    knobs, widths = columns_of(view, shown, width)
    if header:
        names = (*COLUMNS, *map(knob_name, knobs), "status")
        _write(cells, 0, names, widths, Ink(palette.muted))
    bar = blend(palette.accent, palette.background, 0.22)
    for row, (at, entry) in enumerate(shown, int(header)):
        back = bar if at == place else ""
        color = palette.foreground
        if entry is best:
            color = palette.dev
        elif entry.status in ("diverged", "failed"):
            color = blend(palette.error, palette.background, 0.8)
        elif entry.status != "finished":
            color = palette.muted
        ink = Ink(color, bold=entry is best or at == place, back=back)
        if back:
            for column in range(cells.width):
                cells.put(column, row, " ", ink)
            cells.put(0, row, "▸" if unicode else ">", Ink(palette.accent, True, back))
        _write(cells, row, row_cells(at, entry, knobs), widths, ink)
    return cells.strips(palette.background)


def _write(cells: Cells, row: int, texts: Sequence[str], widths: Sequence[int], ink: Ink) -> None:
    """Numbers to the right of their columns; the last text as it comes."""
    column = 1
    for text, width in zip(texts, widths, strict=False):
        cells.write(column, row, f"{text:>{width}}", ink)
        column += width + 2
    cells.write(column, row, texts[-1], ink)
