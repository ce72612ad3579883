"""View 2, layers: one row each: what goes into its activation, how test mode lags, gradient and update."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from textual.strip import Strip

from pandatui.training import Run
from pandatui.training.diagnostics import HEALTHY, LayerHealth, examine, troubles
from pandatui.tui.canvas import Cells, Ink, Palette, levels, sparkline
from pandatui.tui.inside.view import InsideView

_KEPT = 120  # looks back, for the sparklines
_GAUGE = (-6.0, 0.0)  # log10 of update over weight
_GAUGE_WIDTH = 13


@dataclass(frozen=True, slots=True, eq=False)
class LayersLook:
    steps: int
    layers: tuple[LayerHealth, ...]
    troubles: tuple[str, ...]


def layers_of(run: Run) -> LayersLook:
    found = examine(run)
    return LayersLook(run.steps, found, troubles(found))


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a layer: its head, its width, and the text. Those of least use go first."""

    head: str
    width: int
    text: Callable[[LayerHealth], str]
    use: int


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    return f"{value:.2f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.0e}"


def _pair(ends: tuple[float, float]) -> str:
    return "–" if math.isnan(ends[0]) else f"{ends[0]:.2f} … {ends[1]:.2f}"


def _asleep(layer: LayerHealth) -> str:
    if not math.isnan(layer.dead):
        return f"{layer.dead:.0%} dead"
    return "–" if math.isnan(layer.saturated) else f"{layer.saturated:.0%} saturated"


COLUMNS = (
    Column("layer", 9, lambda each: each.name, 9),
    Column("units", 6, lambda each: f"{each.units:,}", 3),
    Column("inputs: mean ± spread", 22, lambda each: f"{_number(each.mean)} ± {_number(each.spread)}", 7),
    Column("test mode lags", 15, lambda each: "–" if math.isnan(each.lag) else f"{each.lag:.2f} σ", 6),
    Column(
        "its spread",
        11,
        lambda each: "–" if math.isnan(each.spread_ratio) else f"×{each.spread_ratio:.2f}",
        4,
    ),
    Column("scale", 15, lambda each: _pair(each.scale), 2),
    Column("shift", 16, lambda each: _pair(each.shift), 1),
    Column("asleep", 15, _asleep, 5),
    Column("gradient", 10, lambda each: _number(each.gradient), 8),
)


class LayersView(InsideView):
    """One row a layer; the last looks as sparklines."""

    TITLE = "layers, front to back, on the mini-batch that comes next"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._look: LayersLook | None = None
        self._past: dict[str, deque[tuple[float, float]]] = {}

    def question(self) -> Callable[[Run], Any]:
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

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._look is None:
            return None
        return draw_layers(self._look, self._past, width, height, palette, unicode=self.unicode)


def draw_layers(
    look: LayersLook,
    past: dict[str, deque[tuple[float, float]]],
    width: int,
    height: int,
    palette: Palette,
    *,
    unicode: bool,
) -> list[Strip]:
    """The rows, the gauge of the update, the flow of the gradient, and in words what is wrong."""
    text, muted = Ink(palette.foreground), Ink(palette.muted)
    cells = Cells(width, height, text, unicode=unicode)
    room = width - _GAUGE_WIDTH - 10
    columns = list(COLUMNS)
    while sum(column.width for column in columns) > room and len(columns) > 1:
        columns.remove(min(columns, key=lambda column: column.use))
    spark = room - sum(column.width for column in columns)
    x = 1
    for column in columns:
        cells.write(x, 0, column.head[: column.width - 1], muted)
        x += column.width
    cells.write(x, 0, "log update/weight", muted)
    if spark >= 8:
        cells.write(x + _GAUGE_WIDTH + 7, 0, "over time"[:spark], muted)
    shown = max(1, min(len(look.layers), height - 3 - len(look.troubles)))
    layers = look.layers if shown >= len(look.layers) else (*look.layers[: shown - 1], look.layers[-1])
    for row, layer in enumerate(layers, start=1):
        x = 1
        for column in columns:
            cells.write(x, row, column.text(layer)[: column.width - 1], text)
            x += column.width
        _gauge(cells, x, row, layer.update, palette)
        if spark >= 8:
            updates = np.array([update for _, update in past.get(layer.name, ())][-(spark - 1) :])
            cells.write(x + _GAUGE_WIDTH + 7, row, sparkline(updates, spark - 1, unicode), Ink(palette.train))
    row = len(layers) + 1
    if shown < len(look.layers):
        cells.write(1, row, f"… {len(look.layers) - shown} layers between", muted)
        row += 1
    if row + 1 < height:
        _flow(cells, row + 1, look.layers, palette)
    for line, words in enumerate(look.troubles):
        cells.write(1, row + 3 + line, words, Ink(palette.error, bold=True))
    if not look.troubles and row + 3 < height:
        cells.write(1, row + 3, "nothing vanishes, explodes or sleeps", muted)
    return cells.strips(palette.background)


def _gauge(cells: Cells, x: int, row: int, update: float, palette: Palette) -> None:
    """Where log10 of update over weight is, with its healthy neighbourhood marked."""
    low, high = _GAUGE

    def place(value: float) -> int:
        return round((min(max(value, low), high) - low) / (high - low) * (_GAUGE_WIDTH - 1))

    well = range(place(HEALTHY[0]), place(HEALTHY[1]) + 1)
    for i in range(_GAUGE_WIDTH):
        sign = "═" if cells.unicode else "="
        cells.put(x + i, row, sign if i in well else "·" if cells.unicode else ".", Ink(palette.muted))
    if math.isnan(update):
        return
    healthy = HEALTHY[0] <= update <= HEALTHY[1]
    ink = Ink(palette.train if healthy else palette.error, bold=True)
    cells.put(x + place(update), row, "●" if cells.unicode else "o", ink)
    cells.write(x + _GAUGE_WIDTH + 1, row, f"{update:.1f}", ink if not healthy else Ink(palette.foreground))


def _flow(cells: Cells, row: int, layers: tuple[LayerHealth, ...], palette: Palette) -> None:
    """Gradients front to back, as bars on a scale of powers of ten about the output's."""
    logs = np.array([math.log10(each.gradient) if each.gradient > 0 else math.nan for each in layers])
    if np.isnan(logs).all():
        return
    reference = logs[-1] if not math.isnan(logs[-1]) else float(np.nanmax(logs))
    bars = levels((logs - reference + 3) / 6, unicode=cells.unicode)
    words = "gradient, front to back  "
    cells.write(1, row, words, Ink(palette.muted))
    cells.write(1 + len(words), row, " ".join(bars[: max(1, (cells.width - 40) // 2)]), Ink(palette.train))
