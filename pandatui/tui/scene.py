"""A chart worked out for one size and palette: what every step of the drawing shares."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pandatui.tui import curves
from pandatui.tui.axes import Frame, Scale, column_of, cost_scale, frame_of, share_across
from pandatui.tui.canvas import LINE, Cells, Ink, Palette, blend
from pandatui.tui.chart import Chart, Trace, bounded

ABANDONED, GHOST, OTHER, DEV, TRAIN = (
    1,
    2,
    3,
    4,
    5,
)  # layers, and plotext's colour numbers: the higher is drawn later


@dataclass(frozen=True, slots=True)
class Look:
    """Every character and ink of the chart, for one palette in Unicode or in ASCII."""

    unicode: bool
    base: Ink
    muted: Ink
    band: Ink
    guessing: Ink
    rate: Ink
    seeds: Ink
    accent: Ink
    error: Ink
    cursor: Ink
    letter: Ink
    layers: dict[int, Ink]

    def pick(self, character: str, plain: str) -> str:
        return character if self.unicode else plain


@lru_cache(maxsize=16)
def look_of(palette: Palette, unicode: bool) -> Look:
    muted, background = palette.muted, palette.background
    return Look(
        unicode,
        base=Ink(palette.foreground),
        muted=Ink(muted),
        band=Ink(blend(muted, background, 0.5)),
        guessing=Ink(blend(muted, background, 0.75)),
        rate=Ink(blend(palette.accent, background, 0.6)),
        seeds=Ink(blend(palette.ghost, background, 0.6)),
        accent=Ink(palette.accent),
        error=Ink(palette.error, bold=True),
        cursor=Ink(palette.foreground, bold=True),
        letter=Ink(palette.foreground, bold=True),
        layers={
            ABANDONED: Ink(blend(muted, background, 0.8)),
            GHOST: Ink(palette.ghost),
            OTHER: Ink(blend(palette.foreground, background, 0.75)),
            TRAIN: Ink(palette.train, bold=True),
            DEV: Ink(palette.dev),
        },
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """A chart worked out for one size: what every drawing step below shares."""

    chart: Chart
    frame: Frame
    look: Look
    scale: Scale
    buckets: curves.Buckets
    line: np.ndarray  # the train line's costs, one a bucket
    cells: Cells

    @property
    def dots(self) -> tuple[int, int]:
        across, up = (2, 4) if self.look.unicode else (1, 1)
        return across * self.frame.columns, up * self.frame.rows

    def column(self, step: float) -> int | None:
        return column_of(self.chart, step, self.cells.width, self.cells.height)

    def row(self, cost: float) -> int:
        """The row of a cost; one that is infinite lies at the top."""
        cost = min(cost, 1e100)
        return self.frame.top + self.scale.row(cost, self.frame.rows)

    def put(self, column: int, row: int, character: str, ink: Ink, weight: int = LINE) -> None:
        if self.frame.left <= column < self.frame.right and self.frame.top <= row < self.frame.bottom:
            self.cells.put(column, row, character, ink, weight)


def dimmed(scene: Scene, trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """A trace as it is drawn: shares of the view and smoothed costs, nan where that is out of range."""
    shares, costs = _line_of(scene.chart, trace, scene.frame.columns)
    return shares, np.where(scene.scale.within(costs), costs, np.nan)  # no dimmed line along the edges


def _line_of(chart: Chart, trace: Trace, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the view and smoothed costs of a trace."""
    shares, costs = curves.extremes(share_across(chart, bounded(trace.steps)), trace.costs, columns)
    if trace.points:
        return shares, costs
    window = curves.window_in_columns(shares, columns, chart.smoothing)
    return shares, curves.smoothed(costs, window, log=chart.log_axis)


def _beside(chart: Chart, columns: int) -> np.ndarray:
    """The costs in view of what is drawn beside the run and must be within the range, too."""
    lines = [_line_of(chart, trace, columns) for trace in (*chart.ghosts, *chart.others)]
    if (band := chart.band) is not None:
        shares = share_across(chart, bounded(band.steps))
        lines += [(shares, band.low), (shares, band.high)]
    return np.concatenate([np.empty(0), *(costs[(x >= 0) & (x <= 1)] for x, costs in lines)])


def scene_of(chart: Chart, width: int, height: int, look: Look) -> Scene:
    frame = frame_of(width, height)
    buckets = curves.buckets_in_view(chart, chart.train, 2 * max(frame.columns, 1))
    window = curves.window_in_columns(buckets.shares, frame.columns, chart.smoothing)
    line = curves.smoothed(buckets.mean, window, log=chart.log_axis)
    shares = share_across(chart, bounded(chart.dev_steps))
    dev = np.asarray(chart.dev_costs, dtype=np.float64)[(shares >= 0) & (shares <= 1)]
    dev = np.concatenate([dev, _beside(chart, max(frame.columns, 1))])
    scale = cost_scale(chart, line, buckets.low, buckets.high, dev)
    cells = Cells(max(width, 0), max(height, 0), look.base, unicode=look.unicode)
    return Scene(chart, frame, look, scale, buckets, line, cells)
