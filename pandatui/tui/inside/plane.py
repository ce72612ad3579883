"""Regions of the plane of two inputs as a heat map, with the dev points on it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pandatui.training.predictions import Regions
from pandatui.tui.canvas import LINE, Cells, Ink, Palette, blend
from pandatui.tui.heat import draw_colours
from pandatui.tui.inside.hues import hues

SIGNS = "abcdefghijklmnopqrstuvwyz"  # of classes without colour; x is a miss
_LEGEND = 24  # columns
_WIDE = 60  # from here on there is a legend beside it
_STEPS = 8  # of certainty

Floats = NDArray[np.floating]
Ints = NDArray[np.intp]


def plane_width(width: int, height: int) -> int:
    """Columns of the plane in a view of this size; a cell is about twice as high as it is wide."""
    return max(2, min(width - _LEGEND, 3 * height) if width >= _WIDE else width)


def draw_plane(
    cells: Cells,
    plane: Regions,
    points: Floats,
    labels: Ints,
    wrong: NDArray[np.bool_],
    classes: Sequence[str],
    palette: Palette,
    *,
    colour: bool,
) -> None:
    """Regions below the first row, points (n, 2) in their own units, and a legend beside if there is room."""
    rows, columns = plane.winner.shape
    shown = colour and cells.unicode
    colors = hues(len(classes), palette)
    background = np.full((rows, columns), "", object)
    if shown:
        background = _shades(plane, colors, palette)
        draw_colours(cells, 0, 1, background.tolist())
    else:
        _draw_signs(cells, plane, palette)
    left, end, bottom, top = plane.bounds
    for (px, py), label, missed in zip(points, labels, wrong, strict=True):
        x = min(max(int((px - left) / (end - left) * columns), 0), columns - 1)
        row = min(max(int((top - py) / (top - bottom) * rows), 0), rows - 1)
        sign = _point(int(label), bool(missed), unicode=cells.unicode, shown=shown)
        ink = Ink(palette.foreground, bold=True)
        if shown:
            strong = colors[label] if missed else blend(colors[label], palette.foreground, 0.6)
            ink = Ink(strong, bold=True, back=background[row, x])
        cells.put(x, 1 + (row // 2 if shown else row), sign, ink, LINE)
    if cells.width >= _WIDE:
        _draw_legend(cells, columns + 2, classes, colors, palette, shown=shown)


def _shades(plane: Regions, colors: Sequence[str], palette: Palette) -> NDArray[np.object_]:
    """The colour of each place: its class's, paler where it is less sure."""
    least = 1 / max(2, len(colors))
    sure = np.nan_to_num((plane.certainty - least) / (1 - least))
    level = np.rint(np.clip(sure, 0, 1) * _STEPS).astype(np.intp)
    table = np.array(
        [[blend(h, palette.background, 0.1 + 0.5 * i / _STEPS) for i in range(_STEPS + 1)] for h in colors],
        object,
    )
    return np.asarray(table[plane.winner, level])


def _draw_signs(cells: Cells, plane: Regions, palette: Palette) -> None:
    """Without colour: the class's letter, here and there."""
    rows, columns = plane.winner.shape
    for y in range(rows):
        for x in range((2 * y) % 4, columns, 4):
            sign = SIGNS[plane.winner[y, x] % len(SIGNS)]
            cells.put(x, 1 + y, sign, Ink(palette.muted))


def _point(label: int, missed: bool, *, unicode: bool, shown: bool) -> str:
    if missed:
        return "✖" if unicode else "X"
    return "•" if shown else SIGNS[label % len(SIGNS)].upper()


def _draw_legend(
    cells: Cells, x: int, classes: Sequence[str], colors: Sequence[str], palette: Palette, *, shown: bool
) -> None:
    room = max(1, cells.height - 7)
    names = list(classes[: room - 1 if len(classes) > room else room])
    width = cells.width - x - 3
    for i, name in enumerate(names):
        sign = SIGNS[i % len(SIGNS)]
        mark = "■" if shown else f"{sign} {sign.upper()}"
        cells.write(x, 2 + i, f"{mark} {name}"[:width], Ink(colors[i] if shown else palette.foreground))
    row = 2 + len(names)
    if len(names) < len(classes):
        cells.write(x, row, f"and {len(classes) - len(names)} more", Ink(palette.muted))
        row += 1
    miss = "✖" if cells.unicode else "X"
    lines = (
        ["• a dev point", f"{miss} one that is missed", "faint: not sure"]
        if shown
        else ["A a dev point", f"{miss} one that is missed", "a its region"]
    )
    for i, line in enumerate(lines):
        cells.write(x, row + 1 + i, line[: width + 2], Ink(palette.muted))
