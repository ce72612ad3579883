"""View 2, layers: what goes into each activation, how test mode keeps up, and what flows back."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from textual.strip import Strip

from pandatui.training import Run
from pandatui.training.diagnostics import HEALTHY, LayerHealth, examine, troubles
from pandatui.tui.canvas import Cells, Ink, Palette
from pandatui.tui.inside.layer_columns import FLOW, INPUTS, Column, Past, Sight, fitted
from pandatui.tui.inside.view import InsideView, Question, wrapped

_KEPT = 120  # looks back, for the sparklines
_MOST_SAID = 5  # lines of troubles


@dataclass(frozen=True, slots=True, eq=False)
class LayersLook:
    steps: int
    layers: tuple[LayerHealth, ...]
    troubles: tuple[str, ...]


def layers_of(run: Run) -> LayersLook:
    found = examine(run)
    return LayersLook(run.steps, found, troubles(found))


class LayersView(InsideView):
    """One row a layer; the last looks as sparklines."""

    TITLE = "layers, front to back, on the mini-batch that comes next"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._look: LayersLook | None = None
        self._past: Past = {}

    def question(self) -> Question:
        return layers_of

    def show(self, facts: LayersLook) -> None:
        if self._look is not None and facts.steps < self._look.steps:
            self._past.clear()  # the run went back
        if self._look is None or facts.steps != self._look.steps:
            for layer in facts.layers:
                past = self._past.setdefault(layer.name, deque(maxlen=_KEPT))
                past.append((math.log10(layer.gradient) if layer.gradient > 0 else math.nan, layer.update))
        self._look = facts
        self.redraw()

    def picture(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._look is None:
            return None
        return draw_layers(self._look, self._past, width, height, palette, unicode=self.unicode)


def draw_layers(
    look: LayersLook, past: Past, width: int, height: int, palette: Palette, *, unicode: bool
) -> list[Strip]:
    """In words what is wrong, then a row a layer: in two tables where there is room, else in one."""
    cells = Cells(width, height, Ink(palette.foreground), unicode=unicode)
    sight = Sight.of(look.layers, past, palette)
    top = _verdict(cells, look, palette)
    rows = len(look.layers)
    both = top + 2 * (rows + 2) + 1
    if both <= height and width >= 70:
        spare = height - both
        top += spare > 2
        _title(cells, top, "what goes into each activation", palette)
        top = _table(cells, top + 1, list(INPUTS), sight, rows + 1)[0] + 1 + (spare > 4)
        _title(cells, top, "what flows back: how hard each layer is pulled, and how far it moves", palette)
        top, shown = _table(cells, top + 1, list(FLOW), sight, rows + 1)
    else:
        top, shown = _table(cells, top, [*INPUTS, *FLOW[1:]], sight, height - top - (height >= 12))
    looks = max((len(each) for each in past.values()), default=0)
    _legend(cells, top, looks if any(column.over_time for column in shown) else 0, palette)
    return cells.strips(palette.background)


def _title(cells: Cells, row: int, words: str, palette: Palette) -> None:
    cells.write(1, row, words, Ink(palette.foreground, bold=True))


def _verdict(cells: Cells, look: LayersLook, palette: Palette) -> int:
    """What is wrong, the worst first; returns the row below it."""
    sign = "▲ " if cells.unicode else "! "
    if not look.troubles:
        normed = any(not math.isnan(layer.lag) for layer in look.layers)
        more = ", test mode keeps up" if normed else ""
        good = f"nothing vanishes, explodes or sleeps{more}"
        if len(good) + 4 > cells.width:
            good = "every layer is well"
        cells.write(1, 0, f"● {good}", Ink(palette.accent, bold=True))
        return 1
    lines = [
        (sign if not i else "  ") + line
        for words in look.troubles
        for i, line in enumerate(wrapped(words, max(10, cells.width - 4)))
    ]
    room = max(1, min(_MOST_SAID, cells.height // 3))
    for row, line in enumerate(lines[:room]):
        cells.write(1, row, line, Ink(palette.error, bold=True))
    return min(len(lines), room)


def _table(
    cells: Cells, top: int, columns: list[Column], sight: Sight, room: int
) -> tuple[int, list[Column]]:
    """Heads and a row a layer, the middle left out where they do not fit. The row below, what it shows."""
    placed = fitted(columns, cells.width - 2, sight)
    for column, x, width in placed:
        column.draw_head(cells, 1 + x, top, width, sight)
    layers: list[LayerHealth | None] = list(sight.layers)
    fit = max(2, min(room, cells.height - top) - 1)
    if len(layers) > fit:
        first = fit // 2
        layers = [*layers[:first], None, *layers[len(layers) - (fit - first - 1) :]]
    row = top
    for row, layer in enumerate(layers, start=top + 1):
        if layer is None:
            gone = len(sight.layers) - len(layers) + 1
            words = f"{'…' if cells.unicode else '...'} {gone} layers between"
            cells.write(1, row, words, Ink(sight.palette.muted))
            continue
        for column, x, width in placed:
            column.draw(cells, 1 + x, row, width, layer, sight)
    return row + 1, [column for column, _, _ in placed]


def _legend(cells: Cells, top: int, looks: int, palette: Palette) -> None:
    """How to read it, at the bottom, as much as fits."""
    low, high = (f"{value:g}".replace("-", "−") for value in HEALTHY)
    healthy = f"{'═' if cells.unicode else '='} healthy: log10 of update/weight {low} … {high}"
    lines = [
        (
            f"{healthy}, about a thousandth of the weights a step",
            healthy,
            f"healthy updates: {low} … {high}",
        )
    ]
    if looks:
        last = "the last look" if looks == 1 else f"the last {looks} looks"
        lines.append(
            (f"over time: {last}; it is looked at only while this view is shown", f"over time: {last}", "")
        )
    room = cells.height - top
    for i, forms in enumerate(lines[: max(0, room)]):
        shown = next((form for form in forms if len(form) < cells.width - 1), "")
        cells.write(1, cells.height - min(room, len(lines)) + i, shown, Ink(palette.muted))
