"""The worst mistakes on images as pixel art, each with what it is, what was said, and how sure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pandatui.training.predictions import Mistakes
from pandatui.tui.canvas import Cells, Ink, Palette
from pandatui.tui.heat import Scale, draw_heat, resampled, rows_for

_LEAST_WIDTH = 12  # of a picture with its two lines of words
_LEAST_PICTURE = 9  # columns, of larger ones
_WANTED = 6  # pictures, before they are made larger
_SCALES = (4, 3, 2, 1.5, 1, 0.75, 0.5, 1 / 3, 0.25, 1 / 8)

Floats = NDArray[np.floating]


def draw_pictures(
    cells: Cells,
    left: int,
    pictures: Floats,
    missed: Mistakes,
    classes: Sequence[str],
    palette: Palette,
    *,
    colour: bool,
) -> None:
    """As large as leaves room for six, as many as fit; pictures (n, h, w)."""
    room, height = cells.width - left - 1, cells.height - 2
    if not len(pictures):
        cells.write(left + 1, 1, "no mistakes", Ink(palette.muted))
        return
    words = "the worst mistakes"
    cells.write(left + 1, 1, words[: max(0, room - 1)], Ink(palette.muted))
    wide, high = _size(pictures.shape[1:], min(len(pictures), _WANTED), room, height)
    if wide < 2 or high < 1:
        return
    step = max(wide, _LEAST_WIDTH) + 2
    across = max(1, (room + 1) // step)
    down = (height + 1) // (high + 3)
    scale = Scale(palette.background, palette.foreground)
    rows = rows_for(high, unicode=cells.unicode, colour=colour)
    for i, picture in enumerate(pictures[: across * down]):
        x, y = left + 1 + i % across * step, 2 + i // across * (high + 3)
        low, top = float(picture.min()), float(picture.max())
        shares = (picture - low) / (top - low) if top > low else picture * 0
        draw_heat(cells, x, y, resampled(shares, rows, wide), scale, colour=colour)
        names = classes[missed.true[i]], classes[missed.predicted[i]]
        chances = missed.probability[i], missed.sureness[i]
        for line, (word, name, chance, ink) in enumerate(
            zip(("is", "said"), names, chances, (palette.accent, palette.error), strict=True)
        ):
            _caption(cells, x, y + high + line, step - 1, f"{word} {name}", float(chance), ink)


def _caption(cells: Cells, x: int, y: int, width: int, words: str, chance: float, color: str) -> None:
    share = f" · {chance:.0%}"
    cells.write(x, y, words[: max(1, width - len(share))] + share, Ink(color))


def _size(shape: tuple[int, ...], wanted: int, room: int, height: int) -> tuple[int, int]:
    """Columns and rows of each: the largest at which so many fit, else at which the most do."""
    best = (0, 0, 0)
    least = min(shape[1], _LEAST_PICTURE)
    for scale in _SCALES:
        wide = max(1, round(shape[1] * scale))
        if wide < least and best[0]:
            break
        high = max(1, round(shape[0] * scale / 2))
        across = (room + 1) // (max(wide, _LEAST_WIDTH) + 2)
        fit = across * ((height + 1) // (high + 3))
        if fit >= wanted:
            return wide, high
        best = max(best, (fit, wide, high))
    return best[1:]
