"""The columns of view 2: each a figure of a layer, as text, bar, gauge or sparkline."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pandatui.training.diagnostics import (
    DEAD_SHARE,
    EXPLODED,
    HEALTHY,
    SATURATED_SHARE,
    VANISHED,
    LayerHealth,
)
from pandatui.tui.canvas import Cells, Ink, Palette, sparkline

_GAUGE = (-6, 0)  # log10 of update over weight
_LEAST_DECADES = 2
OVER_TIME = "over time"
_EIGHTHS = " ▏▎▍▌▋▊▉█"

Past = dict[str, deque[tuple[float, float]]]  # by layer: log10 of gradient, log10 of update over weight


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What the columns draw from. `decades`: the range of log10 of the gradients."""

    layers: tuple[LayerHealth, ...]
    past: Mapping[str, deque[tuple[float, float]]]
    palette: Palette
    decades: tuple[int, int]

    @classmethod
    def of(cls, layers: tuple[LayerHealth, ...], past: Past, palette: Palette) -> "Sight":
        logs = [math.log10(each.gradient) for each in layers if 0 < each.gradient < math.inf]
        high = math.ceil(max(logs, default=0.0))
        low = min(math.floor(min(logs, default=0.0)), high - _LEAST_DECADES)
        return cls(layers, past, palette, (low, high))

    def flows(self, layer: LayerHealth) -> bool:
        """Whether its gradient is neither far below the output's nor far above."""
        output = self.layers[-1].gradient
        return not (output > 0) or VANISHED * output <= layer.gradient <= EXPLODED * output


Draw = Callable[[Cells, int, int, int, LayerHealth, Sight], None]


@dataclass(frozen=True, slots=True)
class Column:
    """`width` with the blank behind it; those of most `use` come first; `grow` is its part of spare room."""

    head: str
    width: int
    use: int
    draw: Draw
    grow: int = 0
    most: int = 0
    brief: str = ""  # its head where it is no wider than it must be
    axis: Callable[[Cells, int, int, int, Sight], None] | None = None

    @property
    def over_time(self) -> bool:
        return self.head == OVER_TIME

    def draw_head(self, cells: Cells, x: int, row: int, width: int, sight: Sight) -> None:
        if self.axis is not None:
            self.axis(cells, x, row, width, sight)
            return
        head = self.head if len(self.head) < width else self.brief or self.head
        cells.write(x, row, head[: width - 1], Ink(sight.palette.muted))


def fitted(columns: list[Column], room: int, sight: Sight) -> list[tuple[Column, int, int]]:
    """As many columns as fit, with their places and widths."""
    normed = any(not math.isnan(layer.lag) for layer in sight.layers)
    columns = [column for column in columns if normed or column not in OF_BATCH_NORM]
    chosen: list[Column] = []
    for column in sorted(columns, key=lambda column: -column.use):
        if not chosen or sum(each.width for each in chosen) + column.width <= room:
            chosen.append(column)
    columns = [column for column in columns if column in chosen]
    spare = room - sum(column.width for column in columns)
    parts = sum(column.grow for column in columns)
    placed, x = [], 0
    for column in columns:
        more = min(spare * column.grow // parts, max(0, column.most - column.width)) if parts else 0
        placed.append((column, x, column.width + more))
        x += column.width + more
    return placed


# -- texts ---------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    words = f"{value:.2f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.0e}"
    return words.replace("-", "−") if value < 0 else words


def _pair(ends: tuple[float, float]) -> str:
    return "–" if math.isnan(ends[0]) else f"{number(ends[0])} … {number(ends[1])}"


def _asleep(layer: LayerHealth) -> str:
    if not math.isnan(layer.dead):
        return f"{layer.dead:.0%} dead"
    return "–" if math.isnan(layer.saturated) else f"{layer.saturated:.0%} saturated"


def _test_mode(layer: LayerHealth) -> str:
    if math.isnan(layer.lag):
        return "–"
    words = "behind" if layer.test_mode_lags else "in step"
    return f"{words}: {layer.lag:.2f} σ, ×{layer.spread_ratio:.2f}"


def _test_mode_in_words(layer: LayerHealth) -> str:
    return _test_mode(layer).replace("σ, ×", "σ off, spread ×")


def _text(
    of: Callable[[LayerHealth], str],
    wrong: Callable[[LayerHealth, Sight], bool] = lambda layer, sight: False,
    *,
    right: bool = False,
    long: Callable[[LayerHealth], str] | None = None,
) -> Draw:
    def draw(cells: Cells, x: int, row: int, width: int, layer: LayerHealth, sight: Sight) -> None:
        palette = sight.palette
        bad = wrong(layer, sight)
        words = long(layer) if long is not None else of(layer)
        words = words if len(words) < width else of(layer)
        ink = Ink(palette.error, bold=True) if bad else Ink(palette.foreground)
        if words == "–":
            ink = Ink(palette.muted)
        words = words[: width - 1]
        cells.write(x, row, words.rjust(width - 1) if right else words, ink)

    return draw


def _sleeps(layer: LayerHealth, sight: Sight) -> bool:
    return layer.dead >= DEAD_SHARE or layer.saturated >= SATURATED_SHARE


def _lags(layer: LayerHealth, sight: Sight) -> bool:
    return layer.test_mode_lags


def _ill_pulled(layer: LayerHealth, sight: Sight) -> bool:
    return not sight.flows(layer)


def _healthy(update: float) -> bool:
    return HEALTHY[0] <= update <= HEALTHY[1]


# -- pictures ------------------------------------------------------------------------------------------------


def _bar(cells: Cells, x: int, row: int, width: int, layer: LayerHealth, sight: Sight) -> None:
    """The gradient on a log scale that all layers share."""
    if not 0 < layer.gradient < math.inf:
        return
    low, high = sight.decades
    share = (math.log10(layer.gradient) - low) / (high - low)
    eighths = max(1, round(share * 8 * (width - 2)))
    if cells.unicode:
        bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    else:
        bar = "#" * max(1, round(eighths / 8))
    palette = sight.palette
    cells.write(x, row, bar, Ink(palette.train if sight.flows(layer) else palette.error))


def _bar_axis(cells: Cells, x: int, row: int, width: int, sight: Sight) -> None:
    low, high = (f"{10.0**d:g}" if -4 < d < 4 else f"1e{d}" for d in sight.decades)
    muted = Ink(sight.palette.muted)
    cells.write(x, row, low, muted)
    words = "log scale"
    if width - 2 >= len(low) + len(high) + len(words) + 4:
        cells.write(x + (width - 2 - len(words)) // 2, row, words, muted)
    cells.write(x + width - 2 - len(high), row, high, muted)


def _place(value: float, width: int) -> int:
    low, high = _GAUGE
    return round((min(max(value, low), high) - low) / (high - low) * (width - 1))


def _gauge(cells: Cells, x: int, row: int, width: int, layer: LayerHealth, sight: Sight) -> None:
    """Where log10 of update over weight is, with its healthy neighbourhood marked."""
    width -= 2
    palette, update = sight.palette, layer.update
    well = range(_place(HEALTHY[0], width), _place(HEALTHY[1], width) + 1)
    for i in range(width):
        sign = ("═" if cells.unicode else "=") if i in well else ("·" if cells.unicode else ".")
        cells.put(x + i, row, sign, Ink(palette.accent if i in well else palette.muted))
    if not math.isnan(update):
        ink = Ink(palette.train if _healthy(update) else palette.error, bold=True)
        cells.put(x + _place(update, width), row, "●" if cells.unicode else "o", ink)


def _gauge_axis(cells: Cells, x: int, row: int, width: int, sight: Sight) -> None:
    for tick in range(_GAUGE[0], _GAUGE[1] + 1, 2):
        words = f"−{-tick}" if tick else "0"
        place = _place(tick, width - 2)
        cells.write(x + max(0, place - (len(words) - 1)), row, words, Ink(sight.palette.muted))


def _over_time(which: int) -> Draw:
    def draw(cells: Cells, x: int, row: int, width: int, layer: LayerHealth, sight: Sight) -> None:
        past = [each[which] for each in sight.past.get(layer.name, ())]
        words = sparkline(np.array(past[-4 * width :]), width - 2, cells.unicode)
        cells.write(x, row, words, Ink(sight.palette.dev))

    return draw


def _update(layer: LayerHealth) -> str:
    return "–" if math.isnan(layer.update) else f"{layer.update:.1f}".replace("-", "−")


INPUTS = (
    Column("layer", 11, 20, _text(lambda each: each.name)),
    Column("units", 7, 5, _text(lambda each: f"{each.units:,}", right=True)),
    Column(
        "  mean ± spread",
        18,
        14,
        _text(lambda each: f"  {number(each.mean)} ± {number(each.spread)}"),
    ),
    Column("asleep", 15, 12, _text(_asleep, _sleeps)),
    Column("scale", 14, 3, _text(lambda each: _pair(each.scale))),
    Column("shift", 15, 2, _text(lambda each: _pair(each.shift))),
    Column(
        "test mode against mini-batch",
        24,
        7,
        _text(_test_mode, _lags, long=_test_mode_in_words),
        8,
        34,
        "test mode",
    ),
)
FLOW = (
    INPUTS[0],
    Column("gradient", 10, 16, _text(lambda each: number(each.gradient), _ill_pulled, right=True)),
    Column("", 14, 13, _bar, 3, 40, axis=_bar_axis),
    Column(OVER_TIME, 12, 8, _over_time(0), 1, 24),
    Column(
        "update/weight",
        8,
        17,
        _text(_update, lambda each, _: not _healthy(each.update), right=True),
        2,
        15,
        "update",
    ),
    Column("", 15, 15, _gauge, 1, 27, axis=_gauge_axis),
    Column(OVER_TIME, 12, 9, _over_time(1), 1, 24),
)
OF_BATCH_NORM = INPUTS[4:]
