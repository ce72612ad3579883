"""The cost chart as a pure function: a frozen `Chart` and a size in, Textual strips out.

plotext rasterises the curves and nothing else; axes, band, marks, labels and the rate strip are laid out in
cells. This is the only door to plotext, which raises on inf, draws for a minute at a point far outside its
limits and keeps its state in the module: only whole dots within the canvas pass, in the screen's thread.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import plotext
from textual.strip import Strip

from pandatui.tui import curves, labels
from pandatui.tui.axes import LEAST_COST, column_of, columns_at, guessing_of, share_across, step_at
from pandatui.tui.canvas import FAINT, FREE, LINE, Palette, levels, sparkline
from pandatui.tui.chart import Chart, Curve, Mark, Trace, bounded, rate_at, reading_text, readings, view
from pandatui.tui.scene import ABANDONED, DEV, GHOST, OTHER, TRAIN, Scene, dimmed, look_of, scene_of

__all__ = [
    "Chart",
    "Curve",
    "Mark",
    "Palette",
    "Trace",
    "column_of",
    "draw",
    "reading_text",
    "readings",
    "sparkline",
    "step_at",
]

_PLAIN_PENS = {ABANDONED: ",", GHOST: ",", OTHER: "~", TRAIN: "*", DEV: "-"}
_LETTERS = 12  # columns from letter to letter on a line
_EVERY_SECOND = 0b10010101  # dots 1, 3, 5 and 8 of a braille cell
_SGR = re.compile(r"\x1b\[([\d;]*)m")


@lru_cache(maxsize=64)
def _layer_of(codes: str) -> int:
    """The layer whose colour an SGR sequence sets; 0 for any other."""
    return int(codes.removeprefix("38;5;")) if codes.startswith("38;5;") else 0


def _rasterise(
    paths: Sequence[tuple[int, curves.Path]], columns: int, rows: int, *, unicode: bool
) -> Iterable[tuple[int, int, str, int]]:
    """The cells (column, row, character, layer) that the lines touch; in a shared one the later stays."""
    dots = (2, 4) if unicode else (1, 1)
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(columns, rows)
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.axes_color("default")
    plotext.canvas_color("default")
    plotext.xlim(0, max(dots[0] * columns - 1, 1))
    plotext.ylim(0, max(dots[1] * rows - 1, 1))
    for layer, line in paths:
        if np.isfinite(line.ys).any():
            pen = "braille" if unicode else _PLAIN_PENS[layer]
            plotext.plot(line.xs.tolist(), line.ys.tolist(), marker=pen, color=layer)
    picture = plotext.build()
    return _parsed(picture.split("\n")[:rows])


def _parsed(lines: Sequence[str]) -> Iterable[tuple[int, int, str, int]]:
    for row, line in enumerate(lines):
        column, layer = 0, 0
        for position, piece in enumerate(_SGR.split(line)):
            if position % 2:
                layer = _layer_of(piece)
                continue
            for character in piece:
                if layer and character != " ":
                    yield column, row, character, layer
                column += 1


def draw(chart: Chart, width: int, height: int, palette: Palette, *, unicode: bool = True) -> list[Strip]:
    """`height` strips of `width` cells, of any data at any size; below 20×6 only the curves are drawn."""
    with np.errstate(all="ignore"):  # nan and inf are data here, not errors
        scene = scene_of(chart, width, height, look_of(palette, unicode))
        if scene.frame.columns > 0 and scene.frame.rows > 0:
            _draw(scene)
        return scene.cells.strips(palette.background)


def _draw(scene: Scene) -> None:
    """From the back to the front; labels last, when it is known what they would hide."""
    chart, axes = scene.chart, scene.frame.axes
    if axes:
        labels.draw_axes(scene)
        _draw_guessing(scene)
        _draw_rate(scene)
    if chart.band is not None:
        _draw_seeds(scene)  # in place of the other: two shades would not be told apart
    elif not chart.others:
        _draw_band(scene)
    if axes:
        labels.draw_mark_lines(scene)
    _draw_curves(scene)
    _draw_ghost_points(scene)
    _draw_dev_points(scene)
    _draw_letters(scene)
    _draw_leaving(scene)
    if not axes:
        return
    if chart.cursor is not None:
        _draw_cursor(scene, chart.cursor)
    labels.draw_mark_labels(scene)
    labels.draw_names(scene)


def _draw_guessing(scene: Scene) -> None:
    guessing = guessing_of(scene.chart)
    if not scene.scale.holds(guessing):
        return
    row = scene.row(guessing)
    for column in range(scene.frame.left, scene.frame.right):
        if scene.look.unicode or column % 2:
            scene.put(column, row, scene.look.pick("⋯", "."), scene.look.guessing, FREE)


def _draw_rate(scene: Scene) -> None:
    """The learning rate in use on a log scale over its own range, at least half a decade of it."""
    chart, frame, cells, look = scene.chart, scene.frame, scene.cells, scene.look
    row = frame.bottom
    cells.write(frame.left - 3, row, "α", look.accent)
    columns = range(frame.left, frame.right)
    steps = np.array([step_at(chart, column, cells.width, cells.height) for column in columns])
    now = _last_step(chart)
    rates = rate_at(chart, np.minimum(steps, now))
    rates[steps > now + (steps[-1] - steps[0]) / max(frame.columns - 1, 1)] = np.nan
    known = np.asarray(chart.rates, dtype=np.float64)
    known = known[np.isfinite(known) & (known > 0)]
    if not len(known):
        return
    low, high = float(np.log10(known.min())), float(np.log10(known.max()))
    shares = (np.log10(np.maximum(rates, known.min())) - low) / max(high - low, 0.5)
    bars = levels(np.where(np.isfinite(rates), shares, np.nan), unicode=look.unicode)
    for offset, bar in enumerate(bars):
        cells.put(frame.left + offset, row, bar, look.rate)
    end = frame.left + len(bars.rstrip())
    value = f"{float(np.asarray(chart.rates, dtype=np.float64)[-1]):.3g}"
    if scene.column(now) is not None and end + 1 + len(value) <= frame.right:
        cells.write(end + 1, row, value, look.accent)


def _last_step(chart: Chart) -> float:
    """The last step that the chart knows of: nothing was in use after it."""
    steps = np.concatenate([bounded(chart.train.steps)[-1:], bounded(chart.dev_steps)[-1:]])
    steps = steps[np.isfinite(steps)]
    rate_steps = bounded(chart.rate_steps)
    rate_steps = rate_steps[np.isfinite(rate_steps)]
    return float(np.max(np.concatenate([steps, rate_steps[-1:]]), initial=view(chart)[0]))


def _draw_band(scene: Scene) -> None:
    """From least to greatest mini-batch, one bar of single dots a text column: lighter than any line."""
    frame, look = scene.frame, scene.look
    up = 4 if look.unicode else 1
    for column, low, high in curves.band_dots(scene.buckets, scene.scale, frame.columns, scene.dots[1]):
        for cell in range(low // up, high // up + 1):
            character = _bar(max(low - up * cell, 0), min(high - up * cell, 3)) if look.unicode else ":"
            scene.cells.put(frame.left + column, frame.bottom - 1 - cell, character, look.band, FAINT)


def _draw_seeds(scene: Scene) -> None:
    """Where several runs lie: a shade within a deviation of their mean, a lighter from least to greatest."""
    band, frame, look = scene.chart.band, scene.frame, scene.look
    if band is None or not len(band.steps):
        return
    shares = share_across(scene.chart, bounded(band.steps))
    columns = (np.arange(frame.columns) + 0.5) / max(frame.columns, 1)
    half = 0.5 / max(frame.columns, 1)
    columns = columns[(columns >= shares[0] - half) & (columns <= shares[-1] + half)]
    edges = []
    for costs in (band.low, band.below, band.above, band.high):
        values = np.interp(columns, shares, scene.scale.across(np.maximum(costs, LEAST_COST)))
        edges.append(frame.rows - 1 - scene.scale.heights(values, 4 * frame.rows) // 4)
    for column, low, below, above, high in zip(columns_at(columns, frame), *edges, strict=True):
        if not np.isfinite([low, below, above, high]).all():
            continue
        for row in range(int(high), int(low) + 1):
            inner = above <= row <= below
            character = look.pick("▒", "%") if inner else look.pick("░", "'")
            scene.put(int(column), frame.top + row, character, look.seeds, FAINT)


@lru_cache(maxsize=16)
def _bar(low: int, high: int) -> str:
    """The left dots `low` … `high` of a braille cell, counted from its bottom."""
    return chr(0x2800 + sum((0x40, 0x04, 0x02, 0x01)[low : high + 1]))


def _draw_curves(scene: Scene) -> None:
    chart, frame, look, (across, up) = scene.chart, scene.frame, scene.look, scene.dots
    paths = []
    traces = [(ABANDONED, t) for t in chart.abandoned] + [(GHOST, t) for t in chart.ghosts]
    traces += [(OTHER, t) for t in chart.others]
    for layer, trace in traces:
        paths.append((layer, curves.path(*dimmed(scene, trace), scene.scale, across, up)))
    shares, costs = curves.extremes(
        share_across(chart, bounded(chart.dev_steps)), chart.dev_costs, frame.columns
    )
    paths.append((DEV, curves.path(shares, costs, scene.scale, across, up)))
    paths.append((TRAIN, curves.path(scene.buckets.shares, scene.line, scene.scale, across, up)))
    for column, row, character, layer in _rasterise(paths, frame.columns, frame.rows, unicode=look.unicode):
        if layer != TRAIN and look.unicode:
            character = _thinned(character)
        weight = FAINT if layer <= GHOST else LINE
        scene.put(frame.left + column, frame.top + row, character, look.layers[layer], weight)


@lru_cache(maxsize=256)
def _thinned(character: str) -> str:
    """Every second dot of a braille cell, so that the train line is told from all others without colour."""
    dots = ord(character) & 0xFF
    return chr(0x2800 + (dots & _EVERY_SECOND or dots))


def _draw_letters(scene: Scene) -> None:
    """Along each of the other lines its letter, the letters of neighbours not above each other."""
    count = len(scene.chart.others)
    for i, trace in enumerate(scene.chart.others):
        shares, costs = dimmed(scene, trace)
        seen = np.flatnonzero((shares >= 0) & (shares <= 1) & np.isfinite(costs))
        if not len(seen) or not trace.sign:
            continue
        columns = columns_at(shares[seen], scene.frame)
        offset = 2 + i * _LETTERS // max(1, count)
        wanted = np.arange(scene.frame.left + offset, columns[-1] + 1, _LETTERS)
        at = seen[np.minimum(np.searchsorted(columns, wanted), len(seen) - 1)]
        for point in np.unique(at[wanted >= columns[0]]).tolist():
            column, row = int(columns_at(shares[[point]], scene.frame)[0]), scene.row(float(costs[point]))
            scene.put(column, row, trace.sign, scene.look.letter)


def _draw_ghost_points(scene: Scene) -> None:
    for trace in scene.chart.ghosts:
        if trace.points:
            _draw_points(scene, trace.steps, trace.costs, scene.look.pick("○", "c"), GHOST)


def _draw_dev_points(scene: Scene) -> None:
    _draw_points(scene, scene.chart.dev_steps, scene.chart.dev_costs, scene.look.pick("●", "o"), DEV)


def _draw_points(scene: Scene, steps: np.ndarray, costs: np.ndarray, sign: str, layer: int) -> None:
    """A point an epoch; where they would touch, one in 2, 5, 10 ..., and always the latest."""
    chart, look = scene.chart, scene.look
    shares = share_across(chart, bounded(steps))
    costs = np.asarray(costs, dtype=np.float64)
    seen = np.flatnonzero((shares >= 0) & (shares <= 1) & np.isfinite(costs))
    columns = columns_at(shares[seen], scene.frame)
    rows = scene.frame.top + scene.scale.rows(costs[seen], scene.frame.rows)
    points = list(zip(columns.tolist(), rows.tolist(), (seen + 1).tolist(), strict=True))
    if not points:
        return
    spread = (points[-1][0] - points[0][0]) / max(len(points) - 1, 1)
    every = next(m * 10**p for p in range(12) for m in (1, 2, 5) if m * 10**p * spread >= 2 or p == 11)
    for column, row, number in points:
        if len(points) < 3 or number % every == 0 or number == points[-1][2]:
            scene.put(column, row, sign, look.layers[layer])


def _draw_leaving(scene: Scene) -> None:
    """▲ where a curve, or a single mini-batch, leaves the top, and ✖ where the run diverged."""
    frame, look, scale, buckets = scene.frame, scene.look, scene.scale, scene.buckets
    top = 10.0**scale.high if scale.log else scale.high
    for costs, ink in ((buckets.high, look.muted), (scene.line, look.layers[TRAIN])):
        outside = (costs > top) & (buckets.shares >= 0) & (buckets.shares <= 1)
        for column in columns_at(buckets.shares[outside], frame).tolist():
            scene.put(column, frame.top, look.pick("▲", "^"), ink)
    end = None if scene.chart.diverged_at is None else scene.column(scene.chart.diverged_at)
    if end is not None:
        finite = scene.line[np.isfinite(scene.line)]
        row = scene.row(float(finite[-1])) if len(finite) else frame.top
        scene.put(end, row, look.pick("✖", "X"), look.error)


def _draw_cursor(scene: Scene, step: float) -> None:
    column = scene.column(step)
    if column is None:
        return
    for row in range(scene.frame.top, scene.frame.bottom):
        if scene.cells.weight(column, row) < LINE:
            scene.put(column, row, scene.look.pick("│", "|"), scene.look.cursor)
