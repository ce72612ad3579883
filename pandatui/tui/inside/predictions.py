"""View 4, predictions on dev data in test mode: regions of the plane, or confusion and the worst mistakes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip

from pandatui.data import Part
from pandatui.plain import plain
from pandatui.training import Run
from pandatui.training.predictions import (
    MOST_ROWS,
    Mistakes,
    Regions,
    extent,
    mistakes,
    raw_inputs,
    regions,
    rows_in_a_moment,
)
from pandatui.tui.canvas import Cells, Ink, Palette
from pandatui.tui.heat import rows_for
from pandatui.tui.inside.confusion import draw_confusion, draw_scores
from pandatui.tui.inside.pictures import draw_pictures
from pandatui.tui.inside.plane import draw_plane, plane_width
from pandatui.tui.inside.view import InsideView, Question

_MOST_POINTS = 400
_BESIDE = 70  # columns from which two things stand side by side

Floats = NDArray[np.floating]
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class PredictionsLook:
    """Which of them there is depends on the data; `pictures` (n, h, w) are the worst mistakes of images."""

    classes: tuple[str, ...]
    missed: Mistakes
    examined: int
    rows: int  # of dev data, all of them
    plane: Regions | None = None
    points: Floats | None = None  # (n, 2)
    labels: NDArray[np.intp] | None = None
    pictures: Floats | None = None


def look_at(run: Run, width: int, height: int, bounds: Bounds | None = None) -> PredictionsLook:
    """All that the view shows: a plane of width × height cells; `bounds` where it is known.

    While the run trains it looks at no more of the dev data than takes a moment.
    """
    data, network = run.dataset, run.network
    whole = len(data.dev)
    rows = rows_in_a_moment(network, whole) if run.ready else min(whole, MOST_ROWS)
    missed = mistakes(network, data.dev, data.n_classes, rows=rows)
    common = tuple(plain(name, 40) for name in data.classes), missed, rows, whole
    if data.n_features == 2:
        plane = regions(network, data, bounds or extent(data), width, height)
        points = raw_inputs(data, Part(data.dev.inputs[:_MOST_POINTS], data.dev.labels[:_MOST_POINTS]))
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
        self._second = False  # where there is room for one thing: the other of the two

    def question(self) -> Question:
        width, height = self.size
        rows = rows_for(max(1, height - 1), unicode=self.unicode, colour=self.colour)
        columns = plane_width(width, height)
        plane = self._look.plane if self._look is not None else None
        bounds = plane.bounds if plane is not None else None
        return lambda run: look_at(run, columns, rows, bounds)

    def show(self, facts: PredictionsLook) -> None:
        self._look = facts
        self.redraw()

    @property
    def _two(self) -> bool:
        """Whether there is another thing to show than the one that has room."""
        return self._look is not None and self._look.plane is None and self.size.width < _BESIDE

    @property
    def _other(self) -> str:
        scores = self._look is None or self._look.pictures is None
        return "precision and recall" if scores else "the worst mistakes"

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        return (("tab", "confusion" if self._second else self._other),) if self._two else ()

    def turn(self, by: int) -> str:
        if not self._two:
            return ""
        self._second = not self._second
        self.redraw()
        return self._other if self._second else "confusion"

    def picture(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._look is None:
            return None
        cells = Cells(width, height, Ink(palette.foreground), unicode=self.unicode)
        draw_predictions(cells, self._look, palette, colour=self.colour, second=self._second)
        return cells.strips(palette.background)


def draw_predictions(
    cells: Cells, look: PredictionsLook, palette: Palette, *, colour: bool, second: bool = False
) -> None:
    """The plane; or side by side confusion and mistakes or scores, one of them where it is narrow."""
    missed = look.missed
    right = int(np.trace(missed.confusion))
    head = f"{right / max(1, look.examined):.1%} right"
    of = f"{right:,} of {look.examined:,}"
    if look.examined < look.rows:
        of += f" (the first of {look.rows:,})"
    cells.write(1, 0, head[: cells.width - 1], Ink(palette.foreground, bold=True))
    cells.write(3 + len(head), 0, of[: max(0, cells.width - len(head) - 4)], Ink(palette.muted))
    if look.plane is not None:
        assert look.points is not None
        assert look.labels is not None
        wrong = missed.first_predicted[: len(look.labels)] != look.labels
        draw_plane(cells, look.plane, look.points, look.labels, wrong, look.classes, palette, colour=colour)
        return
    beside = cells.width >= _BESIDE
    middle = (cells.width - 2) * 55 // 100 if beside else cells.width
    if beside or not second:
        used = draw_confusion(cells, (0, middle), missed, look.classes, palette, colour=colour)
        middle = used if beside else middle
    if beside or second:
        left = middle + 2 if beside else 0
        if look.pictures is not None:
            draw_pictures(cells, left, look.pictures, missed, look.classes, palette, colour=colour)
        else:
            draw_scores(cells, left, missed, look.classes, palette)
