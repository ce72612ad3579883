"""Heat: numbers of 0 … 1 as shades, two rows in a cell; without colour as characters that are ever darker."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pandatui.tui.canvas import FAINT, Cells, Ink, blend

SHADES = 24
_DARKER = " ░▒▓█"
_PLAIN_DARKER = " .:-=+*%@#"

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` over nothing to `high`: two colours and what lies under them."""

    background: str
    color: str

    def shade(self, share: float) -> str:
        """The colour of a share; NaN is nothing at all."""
        level = round(min(max(share, 0.0), 1.0) * SHADES) / SHADES if share == share else 0.0
        return blend(self.color, self.background, level)


def draw_heat(cells: Cells, left: int, top: int, shares: Floats, scale: Scale, *, colour: bool) -> None:
    """Put shares (2·rows, columns), or (rows, columns) without colour, into the cells from `left`, `top` on.

    Use `rows_for` to know how many rows of numbers a height takes.
    """
    if not (colour and cells.unicode):
        signs = _DARKER if cells.unicode else _PLAIN_DARKER
        ink = Ink(scale.color)
        for y, row in enumerate(shares):
            for x, share in enumerate(row):
                level = min(max(float(share), 0.0), 1.0) if share == share else 0.0
                sign = signs[min(int(level * len(signs)), len(signs) - 1)]
                cells.put(left + x, top + y, sign, ink, FAINT)
        return
    inks: dict[tuple[str, str], Ink] = {}
    for y in range(0, len(shares) - 1, 2):
        for x, (upper, lower) in enumerate(zip(shares[y], shares[y + 1], strict=True)):
            pair = scale.shade(float(upper)), scale.shade(float(lower))
            ink = inks.setdefault(pair, Ink(pair[0], back=pair[1]))
            cells.put(left + x, top + y // 2, "▀", ink, FAINT)


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
