"""Where things go: the plot's frame in the cells, steps across, costs up, and the ticks of both.

Both maps are made in one place, so that the mouse, the cursor and the drawing agree to the cell. Ranges are
rounded outwards to nice values: a live chart must not jitter at every refresh.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pandatui.tui.chart import Chart, epoch_at, step_of_epoch, view

LEAST_COST = 1e-12  # the floor of the logarithm
GUTTER = 7  # columns left of the plot: a tick's label and the axis; fixed, so that the plot never shifts
CUT = 3.0  # costs above three times guessing leave the chart
_MANTISSAS = np.array([1, 2, 5, 3, 7, 1.5, 4, 6, 8, 9, 1.2, 1.4])  # in order of choice
_ALL_MANTISSAS = np.arange(10, 100) / 10  # for a range too narrow for the nice ones


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot's rectangle within the strips."""

    left: int
    top: int
    columns: int
    rows: int
    axes: bool  # False below 20×6: the curve alone

    @property
    def right(self) -> int:
        return self.left + self.columns

    @property
    def bottom(self) -> int:
        return self.top + self.rows

    @property
    def area(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom


def frame_of(width: int, height: int) -> Frame:
    """The layout of a size: a row for the marks, the plot, the rate, the axis and its numbers."""
    if width < 20 or height < 6:
        return Frame(0, 0, max(width, 0), max(height, 0), False)
    top = 1 if height >= 10 else 0
    return Frame(GUTTER, top, width - GUTTER - 1, height - 3 - top, True)


def share_across(chart: Chart, steps: np.ndarray) -> np.ndarray:
    """Steps as shares of the view, 0 at its left edge and 1 at its right."""
    first, last = view(chart)
    return (steps - first) / (last - first)


def columns_at(shares: np.ndarray, frame: Frame) -> np.ndarray:
    """The columns of shares within 0 … 1: those of their dots, of which a braille cell has two across."""
    return frame.left + np.floor(shares * (2 * frame.columns - 1) + 0.5).astype(np.int64) // 2


def column_of(chart: Chart, step: float, width: int, height: int = 24) -> int | None:
    """The column in which a step is drawn, or None outside the view."""
    frame = frame_of(width, height)
    share = share_across(chart, np.asarray(step, dtype=np.float64))
    if not 0.0 <= share <= 1.0 or not frame.columns:
        return None
    return int(columns_at(share, frame))


def step_at(chart: Chart, column: int, width: int, height: int = 24) -> float:
    """The step in the middle of a column, the nearest of the view for a column outside the plot."""
    frame = frame_of(width, height)
    first, last = view(chart)
    inside = min(max(column - frame.left, 0), max(frame.columns - 1, 0))
    return first + (last - first) * (2 * inside + 0.5) / max(2 * frame.columns - 1, 1)


@dataclass(frozen=True, slots=True)
class Scale:
    """Costs up the plot: linear between `low` and `high`, which are log10 of costs when `log`."""

    log: bool
    low: float
    high: float

    def across(self, costs: np.ndarray) -> np.ndarray:
        """Costs in the scale's own unit; nan where they are not finite."""
        costs = np.where(np.isfinite(costs), costs, np.nan)
        return np.log10(np.maximum(costs, LEAST_COST)) if self.log else costs

    def heights(self, values: np.ndarray, count: int) -> np.ndarray:
        """Values in the scale's unit as 0 … count − 1 from the bottom, clipped; nan stays nan."""
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.floor(share * (count - 1) + 0.5)

    def rows(self, costs: np.ndarray, rows: int) -> np.ndarray:
        """The rows of finite costs from the top, at the resolution of a cell of four dots."""
        return rows - 1 - self.heights(self.across(costs), 4 * rows).astype(np.int64) // 4

    def row(self, cost: float, rows: int) -> int:
        return int(self.rows(np.asarray(cost, dtype=np.float64), rows))

    def within(self, costs: np.ndarray) -> np.ndarray:
        """Which costs lie between the limits; what is not finite does not."""
        values = self.across(costs)
        return (values >= self.low) & (values <= self.high)

    def holds(self, cost: float) -> bool:
        return bool(self.within(np.asarray(cost, dtype=np.float64)))


def guessing_of(chart: Chart) -> float:
    """The cost of guessing, or 1 where it was given as nonsense."""
    return chart.guessing if LEAST_COST < chart.guessing < 1e6 else 1.0


def cost_scale(chart: Chart, line: np.ndarray, low: np.ndarray, high: np.ndarray, dev: np.ndarray) -> Scale:
    """The range that shows the curves in view and, while they are near it, the guessing line.

    Above, every mini-batch counts up to the cut, so that a spike shows its height. Below, the curve decides:
    the band adds its first percentile and at most half the lowest cost, lest one lucky batch squash the rest.
    """
    guessing = guessing_of(chart)
    cut = CUT * guessing
    curves = np.concatenate([line, dev])
    curves = np.clip(curves[np.isfinite(curves)], LEAST_COST, cut)
    lows, highs = low[np.isfinite(low)], high[~np.isnan(high)]
    if not len(curves):
        curves = np.array([guessing / 3, guessing])
    bottom, top = float(curves.min()), float(curves.max())
    if len(lows):
        bottom = min(bottom, max(float(np.percentile(lows, 1)), bottom / 2))
    if len(highs):
        top = max(top, min(float(highs.max()), cut))
    if top > guessing / 4:
        top = max(top, guessing)
    return log_scale(bottom, top) if chart.log_axis else _linear_scale(bottom, top)


def log_scale(bottom: float, top: float) -> Scale:
    """Rounded outwards to twentieths of a decade, and never less than a fifth of a decade."""
    low = np.floor(np.log10(max(bottom, LEAST_COST)) * 20 - 0.01) / 20
    high = np.ceil(np.log10(max(top, LEAST_COST)) * 20 + 0.01) / 20
    return Scale(True, float(low), float(max(high, low + 0.2)))


def _linear_scale(bottom: float, top: float) -> Scale:
    """From 0 unless the view is zoomed into a flat stretch; rounded outwards to about a tenth."""
    if bottom < 0.6 * top:
        bottom = 0.0
    unit = nice(max((top - bottom) / 10, top / 100, LEAST_COST))
    low, high = np.floor(bottom / unit) * unit, np.ceil(top / unit) * unit
    return Scale(False, float(low), float(max(high, low + unit)))


def nice(least: float) -> float:
    """The smallest of 1, 2, 5 × 10ᵏ that is not below `least`."""
    power = 10.0 ** np.floor(np.log10(least))
    return next((float(m * power) for m in (1.0, 2.0, 5.0) if m * power >= least * 0.999), float(10 * power))


def cost_ticks(scale: Scale, rows: int) -> dict[int, str]:
    """Row from the top → label, highest value first: as many nice values as keep their distance."""
    gap = 2 if rows < 20 else 3
    return _log_ticks(scale, rows, gap) if scale.log else _linear_ticks(scale, rows, gap)


def _log_ticks(scale: Scale, rows: int, gap: int) -> dict[int, str]:
    """Powers of ten first, then 2 and 5, then what still fits between: rows at least `gap` apart."""
    decades = 10.0 ** np.arange(np.floor(scale.low), np.ceil(scale.high) + 1)
    ticks: dict[int, str] = {}
    for mantissas in (_MANTISSAS, _ALL_MANTISSAS):
        values = (mantissas[:, None] * decades).ravel()
        powers = np.log10(values)
        inside = (powers >= scale.low) & (powers <= scale.high)
        places = rows - 1 - scale.heights(powers, 4 * rows) // 4
        for row, value in zip(places[inside].astype(int).tolist(), values[inside].tolist(), strict=True):
            if all(abs(row - other) >= gap for other in ticks):
                ticks[row] = tick_text(value)
        if len(ticks) >= 3:
            break
    return dict(sorted(ticks.items()))


def _linear_ticks(scale: Scale, rows: int, gap: int) -> dict[int, str]:
    unit = nice((scale.high - scale.low) * gap / max(rows - 1, 1))
    if (scale.high - scale.low) / unit < 2 and gap > 1:
        return _linear_ticks(scale, rows, gap - 1)
    decimals = max(0, -int(np.floor(np.log10(unit))))
    ticks: dict[int, str] = {}
    for multiple in range(int(np.ceil(scale.low / unit - 1e-9)), int(scale.high / unit + 1e-9) + 1):
        text = f"{multiple * unit:.{decimals}f}"
        text = (
            text if len(text) < GUTTER else f"{multiple * unit:.1e}".replace("e-0", "e-").replace("e+0", "e")
        )
        if text not in ticks.values():
            ticks[scale.row(multiple * unit, rows)] = text[: GUTTER - 1]
    return dict(sorted(ticks.items()))


def tick_text(value: float) -> str:
    """Two significant digits in at most six characters: 1.0, 0.8, 0.15, 0.002, 5e-4, 1.2e-5."""
    if 0.001 <= value < 10:
        text = f"{float(f'{value:.1e}'):.6g}"
        return text if "." in text else text + ".0"
    if 10 <= value < 1e6:
        return f"{float(f'{value:.1e}'):.0f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def epoch_ticks(chart: Chart, frame: Frame, locate: Callable[[float], int | None]) -> list[tuple[int, str]]:
    """(column, label) of whole epochs, 1, 2, 5, 10 ... apart; parts of an epoch only inside one or two."""
    first, last = view(chart)
    start, end = epoch_at(chart, first), epoch_at(chart, last)
    spacing = nice(max((end - start) * 9 / max(frame.columns, 1), 1e-6))
    if end - start >= 2:
        spacing = max(spacing, 1.0)
    decimals = max(0, -int(np.floor(np.log10(spacing))))
    ticks = []
    for multiple in range(int(np.ceil(start / spacing - 1e-9)), int(end / spacing + 1e-9) + 1):
        epoch = multiple * spacing
        column = locate(min(max(step_of_epoch(chart, epoch), first), last))
        if column is not None:
            ticks.append((column, f"{epoch:.{decimals}f}"))
        if len(ticks) > frame.columns:
            break
    return ticks
