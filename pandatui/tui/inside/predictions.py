"""View 4, predictions on dev data in test mode: regions of the plane, or confusion and the worst mistakes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip

from pandatui.plain import plain
from pandatui.training import Run
from pandatui.training.predictions import Mistakes, Regions, extent, mistakes, raw_inputs, regions
from pandatui.tui.canvas import LINE, Cells, Ink, Palette, blend
from pandatui.tui.heat import Scale, draw_heat, resampled, rows_for
from pandatui.tui.inside.view import InsideView

_MOST_POINTS = 400
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyz"
_HUES = (
    "#4fa3ff",
    "#ff9f43",
    "#3ecf8e",
    "#e05dbb",
    "#e8d44d",
    "#9b7bff",
    "#ff6b6b",
    "#48d1cc",
    "#b0b0b0",
    "#8fbf3f",
)

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class PredictionsLook:
    """Which of the two there is depends on the data; `pictures` (n, h, w) are the worst mistakes of images."""

    classes: tuple[str, ...]
    missed: Mistakes
    examined: int
    plane: Regions | None = None
    points: Floats | None = None  # (n, 2)
    labels: NDArray[np.intp] | None = None
    pictures: Floats | None = None


def look_at(run: Run, width: int, height: int) -> PredictionsLook:
    """All that the view shows, of cells width × height."""
    data, network = run.dataset, run.network
    missed = mistakes(network, data.dev, data.n_classes)
    common = tuple(plain(name, 20) for name in data.classes), missed, int(missed.confusion.sum())
    if data.n_features == 2:
        plane = regions(network, data, extent(data), width, height)
        points = raw_inputs(data, data.dev)[:_MOST_POINTS]
        return PredictionsLook(*common, plane, points, data.dev.labels[:_MOST_POINTS])
    if data.image_shape is not None and len(data.image_shape) >= 2:
        shape = data.image_shape
        pictures = data.dev.inputs[missed.rows].reshape(-1, *shape)
        if len(shape) > 2:
            pictures = pictures.mean(axis=-1)  # of colours their brightness
        return PredictionsLook(*common, pictures=pictures.astype(np.float64))
    return PredictionsLook(*common)


class PredictionsView(InsideView):
    """What the network says of data that it was not trained on."""

    TITLE = "predictions on dev data, in test mode"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._look: PredictionsLook | None = None

    def question(self) -> Callable[[Run], Any]:
        width, height = self.size
        rows = rows_for(max(1, height - 1), unicode=self.unicode, colour=self.colour)
        columns = max(2, min(width - 24, 3 * height))
        return lambda run: look_at(run, columns, rows)

    def show(self, facts: PredictionsLook) -> None:
        self._look = facts
        self.redraw()

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._look is None:
            return None
        cells = Cells(width, height, Ink(palette.foreground), unicode=self.unicode)
        draw_predictions(cells, self._look, palette, colour=self.colour)
        return cells.strips(palette.background)


def draw_predictions(cells: Cells, look: PredictionsLook, palette: Palette, *, colour: bool) -> None:
    right = np.trace(look.missed.confusion)
    words = f"{right:,} of {look.examined:,} right, {right / max(1, look.examined):.1%}"
    if look.plane is not None:
        _draw_plane(cells, look, palette, words, colour=colour)
        return
    confusion = look.missed.confusion
    cells.write(1, 0, f"{words} · rows: what it is, columns: what was said", Ink(palette.muted))
    used = _draw_confusion(cells, confusion, look.classes, palette, colour=colour)
    if look.pictures is not None and cells.width - used > 12:
        _draw_pictures(cells, used + 2, look, palette, colour=colour)
    elif cells.width - used > 30:
        _draw_scores(cells, used + 2, look, palette)


# -- the plane -----------------------------------------------------------------------------------------------


def _draw_plane(cells: Cells, look: PredictionsLook, palette: Palette, words: str, *, colour: bool) -> None:
    plane, points, labels = look.plane, look.points, look.labels
    assert plane is not None
    assert points is not None
    assert labels is not None
    shown = colour and cells.unicode
    rows, columns = plane.winner.shape
    classes = len(look.classes)
    least = 1 / classes
    for y in range(0, rows, 2 if shown else 1):
        for x in range(columns):
            if shown:
                upper, lower = (_region(plane, row, x, least, palette) for row in (y, min(y + 1, rows - 1)))
                cells.put(x, y // 2, "▀", Ink(upper, back=lower))
            else:
                sign = _SIGNS[plane.winner[y, x] % len(_SIGNS)]
                cells.put(x, y, sign if (x + 2 * y) % 4 == 0 else " ", Ink(palette.muted))
    left, end, bottom, top = plane.bounds
    predicted = plane.winner
    for (px, py), label in zip(points, labels, strict=True):
        x = min(int((px - left) / (end - left) * columns), columns - 1)
        row = min(int((top - py) / (top - bottom) * rows), rows - 1)
        wrong = predicted[row, x] != label
        hue = _HUES[label % len(_HUES)]
        sign = ("✖" if wrong else "•") if cells.unicode else ("X" if wrong else "o")
        back = _region(plane, row, x, least, palette) if shown else ""
        cells.put(
            x, row // 2 if shown else row, sign, Ink(hue if shown else palette.foreground, True, back), LINE
        )
    x = columns + 2
    for line, text in enumerate((words, "")):
        cells.write(x, line, text, Ink(palette.foreground, bold=True))
    for i, name in enumerate(look.classes[: max(0, cells.height - 6)]):
        sign = ("■ " if shown else f"{_SIGNS[i % len(_SIGNS)]} ") + name
        cells.write(x, 2 + i, sign, Ink(_HUES[i % len(_HUES)] if shown else palette.foreground))
    below = 3 + min(len(look.classes), max(0, cells.height - 6))
    cells.write(x, below, "• a dev point", Ink(palette.muted))
    cells.write(x, below + 1, "✖ one that is missed", Ink(palette.muted))
    cells.write(x, below + 2, "pale: not sure", Ink(palette.muted))


def _region(plane: Regions, row: int, column: int, least: float, palette: Palette) -> str:
    sure = (plane.certainty[row, column] - least) / (1 - least)
    share = 0.12 + 0.5 * (round(min(max(float(sure), 0.0), 1.0) * 8) / 8 if sure == sure else 0.0)
    return blend(_HUES[plane.winner[row, column] % len(_HUES)], palette.background, share)


# -- classes -------------------------------------------------------------------------------------------------


def _draw_confusion(
    cells: Cells, confusion: NDArray[np.intp], classes: Sequence[str], palette: Palette, *, colour: bool
) -> int:
    """As numbers in shaded cells while they fit, else as a heat map; returns the columns that it took."""
    n = len(classes)
    label = min(12, max(map(len, classes)))
    digits = max(3, len(str(confusion.max())) + 1)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    if n + 2 > cells.height or label + 2 + n * digits > cells.width:
        rows = rows_for(cells.height - 2, unicode=cells.unicode, colour=colour)
        columns = min(cells.width - 2, 2 * (cells.height - 2))
        picture = resampled(np.sqrt(shares), rows, columns)
        draw_heat(cells, 1, 1, picture, Scale(palette.background, palette.train), colour=colour)
        return columns + 1
    for j, name in enumerate(classes):
        cells.write(label + 2 + j * digits, 1, name[: digits - 1].rjust(digits - 1), Ink(palette.muted))
    for i, name in enumerate(classes):
        cells.write(1, 2 + i, name[:label].rjust(label), Ink(palette.muted))
        for j in range(n):
            count = int(confusion[i, j])
            base = palette.train if i == j else palette.error
            share = 0.6 * float(shares[i, j]) ** 0.5
            back = blend(base, palette.background, round(share * 16) / 16) if colour else ""
            text = str(count).rjust(digits - 1) if count else "·".rjust(digits - 1)
            ink = Ink(palette.foreground if count else palette.muted, bold=i == j, back=back if count else "")
            for k, character in enumerate(cells.text(text)):
                cells.put(label + 2 + j * digits + k, 2 + i, character, ink)
    return label + 2 + n * digits


def _draw_scores(cells: Cells, left: int, look: PredictionsLook, palette: Palette) -> None:
    """Precision and recall by class."""
    cells.write(left, 1, f"{'':12} precision  recall", Ink(palette.muted))
    figures = zip(look.classes, look.missed.precision, look.missed.recall, strict=True)
    for line, (name, precision, recall) in enumerate(figures):
        if 2 + line >= cells.height:
            return
        shown = ["–" if np.isnan(value) else f"{value:.1%}" for value in (precision, recall)]
        cells.write(left, 2 + line, f"{name[:12]:12} {shown[0]:>9} {shown[1]:>7}", Ink(palette.foreground))


def _draw_pictures(cells: Cells, left: int, look: PredictionsLook, palette: Palette, *, colour: bool) -> None:
    """The worst mistakes as pixel art, each with what it is and what was said."""
    assert look.pictures is not None
    if not len(look.pictures):
        cells.write(left, 2, "no mistakes", Ink(palette.muted))
        return
    wide = min(look.pictures.shape[2], 28, cells.width - left - 1)
    high = min(-(-look.pictures.shape[1] * wide // look.pictures.shape[2] // 2), cells.height - 3)
    scale = Scale(palette.background, palette.foreground)
    cells.write(left, 0, "the worst mistakes", Ink(palette.muted))
    across = max(1, (cells.width - left) // (max(wide, 9) + 2))
    for i, picture in enumerate(look.pictures):
        x, y = left + i % across * (max(wide, 9) + 2), 1 + i // across * (high + 2)
        if y + high >= cells.height:
            return
        missed = look.missed
        said = f"{look.classes[missed.true[i]][:5]} not {look.classes[missed.predicted[i]][:5]}"
        low, top = float(picture.min()), float(picture.max())
        shares = (picture - low) / (top - low) if top > low else picture * 0
        rows = rows_for(high, unicode=cells.unicode, colour=colour)
        draw_heat(cells, x, y, resampled(shares, rows, wide), scale, colour=colour)
        cells.write(x, y + high, said, Ink(palette.foreground))
