"""Heat: numbers of 0 … 1 as shades, two rows in a cell; without colour as characters that are ever darker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pandatui.tui.canvas import FAINT, Cells, Ink, blend

SHADES = 24
_DARKER = " ░▒▓█"
_PLAIN_DARKER = " .:-=+*%@#"

Floats = NDArray[np.floating]
Colours = Sequence[Sequence[str]]  # "#rrggbb", two rows for each row of cells


@dataclass(frozen=True, slots=True)
class Scale:
    """From `background`, nothing, to `color`, all there is."""

    background: str
    color: str

    def shade(self, share: float) -> str:
        """The colour of a share; NaN is nothing at all."""
        level = round(min(max(share, 0.0), 1.0) * SHADES) / SHADES if share == share else 0.0
        return blend(self.color, self.background, level)


def shades(shares: Floats, scale: Scale) -> list[list[str]]:
    """The colours of shares (rows, columns)."""
    return [[scale.shade(share) for share in row] for row in np.asarray(shares, np.float64).tolist()]


def draw_colours(cells: Cells, left: int, top: int, colours: Colours) -> None:
    """Put colours into the cells from `left`, `top` on: the upper half of each and the lower."""
    inks: dict[tuple[str, str], Ink] = {}
    for y in range(0, len(colours) - 1, 2):
        for x, pair in enumerate(zip(colours[y], colours[y + 1], strict=True)):
            ink = inks.setdefault(pair, Ink(pair[0], back=pair[1]))
            cells.put(left + x, top + y // 2, "▀", ink, FAINT)


def draw_heat(cells: Cells, left: int, top: int, shares: Floats, scale: Scale, *, colour: bool) -> None:
    """Put shares (2·rows, columns), or (rows, columns) without colour, into the cells from `left`, `top` on.

    Use `rows_for` to know how many rows of numbers a height takes.
    """
    if colour and cells.unicode:
        draw_colours(cells, left, top, shades(shares, scale))
        return
    signs = _DARKER if cells.unicode else _PLAIN_DARKER
    ink = Ink(scale.color)
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            level = min(max(float(share), 0.0), 1.0) if share == share else 0.0
            cells.put(left + x, top + y, signs[min(int(level * len(signs)), len(signs) - 1)], ink, FAINT)


def rows_for(height: int, *, unicode: bool, colour: bool) -> int:
    """Rows of numbers that so many rows of cells show."""
    return 2 * height if unicode and colour else height


def resampled(values: Floats, rows: int, columns: int) -> Floats:
    """An array (r, c) at another size: means where it shrinks, repeats where it grows."""
    return _along(_along(values, rows).T, columns).T


def _along(values: Floats, count: int) -> Floats:
    n = len(values)
    if n <= count:
        return values[np.arange(count) * n // count]
    edges = np.arange(count) * n // count
    sizes = np.diff(np.append(edges, n))
    return np.asarray(np.add.reduceat(values, edges, axis=0) / sizes[:, None])
