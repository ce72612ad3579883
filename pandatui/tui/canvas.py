"""A grid of cells, each a character in one ink, and the strips made of it.

The grid also weighs what it holds, so that a label finds a place where it hides least. Every character that
enters takes one cell, whatever a name from a file holds: a strip is always as wide as it was asked to be.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

FREE, FAINT, LINE, TEXT = (
    0,
    1,
    5,
    99,
)  # what it costs a label to cover: nothing, a band, a curve, another label

_PLAIN = str.maketrans(
    {
        "α": "a",
        "β": "b",
        "λ": "l",
        "γ": "g",
        "↑": "+",
        "↓": "-",
        "–": "-",
        "·": "|",
        "×": "x",
        "−": "-",
        "✖": "X",
        "●": "*",
        "○": "o",
        "▸": ">",
        "±": "+-",
        "…": "..",
        "σ": "s",
        "•": "o",
        "■": "#",
    }
)


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as "#rrggbb"."""

    background: str
    foreground: str
    muted: str
    train: str
    dev: str
    accent: str
    error: str
    ghost: str


@dataclass(frozen=True, slots=True)
class Ink:
    """How a cell is written: a colour, and bold for the few things that must stand out without it.

    `back` is the cell's own background, where it has one.
    """

    color: str
    bold: bool = False
    back: str = ""


@lru_cache(maxsize=1024)
def _style(ink: Ink, background: str) -> Style:
    return Style(color=ink.color, bgcolor=ink.back or background or None, bold=ink.bold or None)


@lru_cache(maxsize=64)
def blend(color: str, background: str, share: float) -> str:
    """`share` of a colour over a background; the colour itself where either is not "#rrggbb"."""
    try:
        pairs = [(int(color[i : i + 2], 16), int(background[i : i + 2], 16)) for i in (1, 3, 5)]
    except ValueError:
        return color
    return "#" + "".join(f"{round(share * top + (1 - share) * under):02x}" for top, under in pairs)


def plain(text: str) -> str:
    """Text in ASCII: the field's letters by name, whatever else is unknown as a question mark."""
    return text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")


@lru_cache(maxsize=1024)
def _single(character: str) -> str:
    return character if character.isprintable() and cell_len(character) == 1 else "?"


class Cells:
    """A `width` × `height` grid; what falls outside is left out without a word."""

    def __init__(self, width: int, height: int, ink: Ink, *, unicode: bool = True) -> None:
        self.width, self.height, self.unicode = width, height, unicode
        self._characters = [[" "] * width for _ in range(height)]
        self._inks = [[ink] * width for _ in range(height)]
        self._weights = [[FREE] * width for _ in range(height)]

    def put(self, column: int, row: int, character: str, ink: Ink, weight: int = LINE) -> None:
        if 0 <= column < self.width and 0 <= row < self.height:
            self._characters[row][column] = character
            self._inks[row][column] = ink
            self._weights[row][column] = weight

    def write(self, column: int, row: int, text: str, ink: Ink) -> None:
        for offset, character in enumerate(self.text(text)):
            self.put(column + offset, row, character, ink, TEXT)

    def text(self, text: str) -> str:
        """The text as this grid can write it: one cell a character, ASCII if need be."""
        return "".join(map(_single, text if self.unicode else plain(text)))

    def weight(self, column: int, row: int) -> int:
        return self._weights[row][column]

    def cost(self, column: int, row: int, length: int) -> int:
        """What a text of that length would hide there; a blank before and after is asked for."""
        return sum(self._weights[row][max(0, column - 1) : column + length + 1])

    def place(
        self, text: str, ink: Ink, spots: Iterable[tuple[int, int]], area: tuple[int, int, int, int]
    ) -> bool:
        """Write a text at that spot (column, row) within the area which hides least, the earlier of equals.

        The area is left, top, right, bottom (both past the end). A spot on another text is no spot.
        """
        text = self.text(text)
        left, top, right, bottom = area
        best: tuple[int, int, int] | None = None
        for column, row in spots:
            if column < left or column + len(text) > right or not top <= row < bottom:
                continue
            cost = self.cost(column, row, len(text))
            if cost < TEXT and (best is None or cost < best[0]):
                best = (cost, column, row)
                if cost == FREE:
                    break
        if best is not None:
            self.write(best[1], best[2], text, ink)
        return best is not None

    def strips(self, background: str) -> list[Strip]:
        """One strip a row, neighbouring cells of one ink merged into one segment."""
        return [
            Strip(_segments(row, inks, background), self.width)
            for row, inks in zip(self._characters, self._inks, strict=True)
        ]


def _segments(characters: list[str], inks: list[Ink], background: str) -> list[Segment]:
    segments, start = [], 0
    for end in range(1, len(inks) + 1):
        if end == len(inks) or (
            inks[end] is not inks[start] and (characters[end] != " " or inks[end].back != inks[start].back)
        ):
            segments.append(Segment("".join(characters[start:end]), _style(inks[start], background)))
            start = end
    return segments


EIGHTHS = "▁▂▃▄▅▆▇█"
PLAIN_EIGHTHS = "_.-~=+*#"


def levels(shares: np.ndarray, *, unicode: bool = True) -> str:
    """Shares of 0 … 1 as bars of eighths; a blank where there is no number."""
    bars = EIGHTHS if unicode else PLAIN_EIGHTHS
    return "".join(bars[int(min(max(s, 0.0), 1.0) * 7 + 0.5)] if np.isfinite(s) else " " for s in shares)


def sparkline(values: np.ndarray, width: int, unicode: bool = True) -> str:
    """A curve as one row of `width` bars over its own range: means of equal stretches, blank where none."""
    values = np.asarray(values, dtype=np.float64).ravel()
    if width <= 0 or not len(values):
        return " " * max(width, 0)
    values = np.clip(values, -1e100, 1e100)  # so that sums and differences stay finite
    pieces = (
        np.array_split(values, width)
        if len(values) > width
        else [values[i : i + 1] for i in range(len(values))]
    )
    means = np.array([np.nan if np.isnan(p).all() else float(np.nanmean(p)) for p in pieces])
    if np.isnan(means).all():
        return " " * width
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    shares = (means - low) / (high - low) if high > low else means * 0.0
    return levels(shares, unicode=unicode).ljust(width)
