"""Where the good settings are: trials as points over two knobs, each on its own scale, and the rounds' boxes.

A point's sign and colour say how good it is: the best, the best quarter, the better half, the rest, or none.
Behind them a shade: the better the trials around, the more of it, and none where nobody has been.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from textual.strip import Strip

from pandatui.search.space import Dimension, Space, Value
from pandatui.training.knobs import KNOBS
from pandatui.training.words import knob_value
from pandatui.tui.axes import LEAST_COST, Scale, cost_ticks, log_scale, nice, tick_text
from pandatui.tui.canvas import FAINT, FREE, LINE, Cells, Ink, Palette, blend
from pandatui.tui.race_curves import Frame, frame_of
from pandatui.tui.race_view import STATES, RaceView

Axes = tuple[str, str]  # knobs across and up; "" up is the cost

SIGNS = ("★", "●", "•", "·")  # the best, the best quarter, the better half, the rest
PLAIN = {"★": "*", "●": "O", "•": "o", "·": ".", "✖": "X", "◌": "?"}
_WIDTH = 0.07  # of the kernel behind the shade, as a share of each axis
_NOBODY = 0.6  # trials' worth of neutral ground: alone in the wide, a trial casts half its shade
_DEEPEST = 0.5  # of the colour over the background
_LEVELS = 10
_MOST_SHADED = 1500  # trials that the shade takes into account: the latest


def axes_of(knobs: Sequence[str]) -> list[Axes]:
    """The pairs that a person can look at, the most telling first; one knob alone stands over the cost."""
    return list(combinations(knobs, 2)) or [(knobs[0], "")]


def knob_name(knob: str) -> str:
    """α, β, λ where it has a letter, else its name."""
    found = KNOBS.get(knob)
    return (found.symbol or found.label) if found is not None else knob.replace("_", " ")


def value_text(knob: str, value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value.replace("_", " ")
    return knob_value(knob, value) if knob in KNOBS else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """All trials on two axes, as shares of 0 … 1 from the bottom left; `ranks` 0 is the best, NaN none."""

    across: np.ndarray
    up: np.ndarray
    ranks: np.ndarray
    scale: Scale | None  # of the cost, where that is what goes up


def points_of(view: RaceView, axes: Axes) -> Points:
    """Ranks are shares of all trials with a cost, by the order of the leaderboard."""
    knobs = view.knobs
    across = view.places[:, knobs.index(axes[0])]
    ranks = np.full(len(view.trials), np.nan)
    good = view.order[np.isfinite(view.objectives[view.order])]
    ranks[good] = np.arange(len(good)) / max(1, len(good))
    if axes[1]:
        return Points(across, view.places[:, knobs.index(axes[1])], ranks, None)
    costs = np.where(np.isfinite(view.objectives), view.objectives, np.nan)
    known = costs[np.isfinite(costs)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.1, 1.0)
    scale = log_scale(low, min(high, 1e6))
    span = scale.high - scale.low
    up = (np.log10(np.maximum(np.nan_to_num(costs, nan=10**scale.high), LEAST_COST)) - scale.low) / span
    return Points(across, np.clip(up, 0, 1), ranks, scale)


def draw_map(
    view: RaceView,
    axes: Axes,
    chosen: int | None,
    width: int,
    height: int,
    palette: Palette,
    *,
    unicode: bool = True,
) -> list[Strip]:
    """`height` strips of `width` cells. `chosen` is the number of the trial under the cursor."""
    cells = Cells(max(width, 0), max(height, 0), Ink(palette.foreground), unicode=unicode)
    frame = frame_of(width, height)
    if frame.columns > 0 and frame.rows > 0 and view.knobs:
        with np.errstate(all="ignore"):
            _Drawing(view, axes, frame, cells, palette).draw(chosen)
    return cells.strips(palette.background)


class _Drawing:
    def __init__(self, view: RaceView, axes: Axes, frame: Frame, cells: Cells, palette: Palette) -> None:
        self.view, self.axes, self.frame, self.cells, self.palette = view, axes, frame, cells, palette
        self.points = points_of(view, axes)
        self.muted = Ink(palette.muted)
        self.shades = np.zeros((frame.rows, frame.columns))

    def draw(self, chosen: int | None) -> None:
        if self.cells.unicode:
            self._shade()
        if self.frame.axes:
            self._axes()
        words = self._boxes()
        self._points()
        for column, row, text, color in words:
            for offset, character in enumerate(text):
                self._put(column + 1 + offset, row, character, color, LINE, bold=True)
        if chosen is not None and self.view.entry(chosen) is not None:
            self._name(chosen)

    def _pick(self, sign: str, plain: str) -> str:
        return sign if self.cells.unicode else plain

    def _put(
        self, column: int, row: int, character: str, color: str, weight: int, bold: bool = False
    ) -> None:
        """Put a sign over the shade of its cell."""
        if 0 <= column < self.frame.columns and 0 <= row < self.frame.rows:
            back = self._back(float(self.shades[row, column]))
            self.cells.put(self.frame.left + column, row, character, Ink(color, bold, back), weight)

    def _column(self, share: float) -> int:
        return round(share * (self.frame.columns - 1))

    def _row(self, share: float) -> int:
        return self.frame.rows - 1 - round(share * (self.frame.rows - 1))

    # -- the shade ---------------------------------------------------------------------------------------

    def _back(self, depth: float) -> str:
        """The background of that depth, 0 … 1, in a few levels; none at 0."""
        level = round(depth * _LEVELS)
        if not level:
            return ""
        return blend(self.palette.dev, self.palette.background, _DEEPEST * level / _LEVELS)

    def _shade(self) -> None:
        """Two pixels a cell, one above the other."""
        columns, rows = self.frame.columns, self.frame.rows
        depths = goodness(self.points, columns, 2 * rows)
        if depths is None:
            return
        self.shades = depths.reshape(rows, 2, columns).mean(axis=1)
        levels = np.round(depths * _LEVELS).astype(int)
        for row in range(rows):
            for column in np.flatnonzero(levels[2 * row] + levels[2 * row + 1]).tolist():
                top, bottom = (self._back(depths[2 * row + half, column]) for half in (0, 1))
                ground = self.palette.background
                if top == bottom:
                    character, ink = " ", Ink(ground, back=bottom)
                else:
                    character, ink = "▀", Ink(top or ground, back=bottom)
                self.cells.put(self.frame.left + column, row, character, ink, FREE)

    # -- boxes and points --------------------------------------------------------------------------------

    def _boxes(self) -> list[tuple[int, int, str, str]]:
        """The rounds' boxes, the first of which is all there is; the proposed one dashed.

        Returns what is written at them, as (column, row, words, colour).
        """
        palette, boxes, unicode = self.palette, self.view.boxes, self.cells.unicode
        words = []
        for number, box in enumerate(boxes[1:], 2):
            share = 0.75 if number == len(boxes) else 0.45
            color = blend(palette.foreground, palette.background, share)
            words.append((*self._box(box, color, "─│┌┐└┘" if unicode else "-|++++"), str(number), color))
        if self.view.proposed is not None and self.view.proposed not in boxes:
            signs = "╌╎┌┐└┘" if unicode else "~:++++"
            spot = self._box(self.view.proposed, palette.accent, signs)
            words.append((*spot, f"{len(boxes) + 1}?", palette.accent))
        return words

    def _box(self, box: Space, color: str, signs: str) -> tuple[int, int]:
        """Draw a box; returns its upper left corner."""
        left, right = (self._column(share) for share in span(self.view.space, box, self.axes[0]))
        low, high = span(self.view.space, box, self.axes[1]) if self.axes[1] else (0.0, 1.0)
        top, bottom = self._row(high), self._row(low)
        for column in range(left, right + 1):
            self._put(column, top, signs[0], color, FAINT)
            self._put(column, bottom, signs[0], color, FAINT)
        for row in range(top, bottom + 1):
            self._put(left, row, signs[1], color, FAINT)
            self._put(right, row, signs[1], color, FAINT)
        corners = ((left, top), (right, top), (left, bottom), (right, bottom))
        for (column, row), sign in zip(corners, signs[2:], strict=True):
            self._put(column, row, sign, color, FAINT)
        return left, top

    def _points(self) -> None:
        """One sign a cell, that of the best trial there; one that diverged shows where no other is."""
        palette, ranks, states = self.palette, self.points.ranks, self.view.states
        if not len(ranks):
            return
        gone = np.isin(states, [STATES.index("diverged"), STATES.index("failed")])
        worth = np.where(gone, 3.0, np.nan_to_num(ranks, nan=2.0))
        columns = np.rint(self.points.across * (self.frame.columns - 1)).astype(np.int64)
        rows = self.frame.rows - 1 - np.rint(self.points.up * (self.frame.rows - 1)).astype(np.int64)
        order = np.argsort(worth, kind="stable")
        _, first = np.unique((rows * self.frame.columns + columns)[order], return_index=True)
        for place in order[first].tolist():
            rank = float(ranks[place])
            if gone[place]:
                sign, color = "✖", blend(palette.error, palette.background, 0.7)
            elif math.isnan(rank):
                sign, color = "◌", palette.muted
            else:
                sign = SIGNS[0 if rank == 0 else 1 if rank < 0.25 else 2 if rank < 0.5 else 3]
                share = 0.9 - round(0.4 * rank, 1)
                color = palette.dev if rank < 0.25 else blend(palette.foreground, palette.background, share)
            character = sign if self.cells.unicode else PLAIN[sign]
            self._put(int(columns[place]), int(rows[place]), character, color, LINE, bold=rank == 0)

    def _name(self, number: int) -> None:
        """The number of the trial under the cursor beside its point, in brackets: ▸27."""
        column = self._column(float(self.points.across[number - 1]))
        row = self._row(float(self.points.up[number - 1]))
        words = f"{self._pick('◂', '<')}{number}"
        start = column + 1
        if start + len(words) > self.frame.columns:
            words = f"{number}{self._pick('▸', '>')}"
            start = column - len(words)
        for offset, character in enumerate(words):
            self._put(start + offset, row, character, self.palette.foreground, LINE, bold=True)

    # -- axes --------------------------------------------------------------------------------------------

    def _axes(self) -> None:
        cells, frame, axis = self.cells, self.frame, self.frame.left - 1
        for row in range(frame.rows):
            cells.put(axis, row, self._pick("│", "|"), self.muted)
        cells.put(axis, frame.rows, self._pick("└", "+"), self.muted)
        for column in range(frame.left, cells.width):
            cells.put(column, frame.rows, self._pick("─", "-"), self.muted)
        name = f" {knob_name(self.axes[0])}"
        cells.write(cells.width - len(name), frame.rows, name, self.muted)
        free = -2
        for share, label in ticks(self.view.space[self.axes[0]]):
            column = self._column(share)
            start = min(frame.left + column - (len(label) - 1) // 2, cells.width - len(label))
            if start > free + 1 and frame.left + column < cells.width - len(name):
                cells.put(frame.left + column, frame.rows, self._pick("┬", "+"), self.muted)
                cells.write(start, frame.rows + 1, label, self.muted)
                free = start + len(label)
        self._ticks_up(axis)

    def _ticks_up(self, axis: int) -> None:
        if self.points.scale is not None:
            marks = cost_ticks(self.points.scale, self.frame.rows)
        else:
            marks = {}
            for share, label in ticks(self.view.space[self.axes[1]]):
                row = self._row(share)
                if all(abs(row - other) >= 2 for other in marks):
                    marks[row] = label
        for row, label in marks.items():
            self.cells.put(axis, row, self._pick("┤", "+"), self.muted)
            self.cells.write(max(0, axis - 1 - len(label)), row, label[: axis - 1], self.muted)
        name = knob_name(self.axes[1]) if self.axes[1] else "cost"
        self.cells.write(0, self.frame.rows, name[:axis], self.muted)


def goodness(points: Points, columns: int, rows: int) -> np.ndarray | None:
    """How good the trials around each pixel are, (rows, columns) from the top, 0 … 1; None without trials.

    A weighted mean of 1 − rank over the trials, with Gaussian weights in shares of the axes (Nadaraya 1964,
    Watson 1964) and some neutral ground; the worse half casts none.
    """
    known = np.flatnonzero(np.isfinite(points.ranks))[-_MOST_SHADED:]
    if len(known) < 2:
        return None
    width = _WIDTH
    x = np.linspace(0, 1, columns)[:, None]
    y = np.linspace(1, 0, rows)[:, None]
    across = np.exp(-0.5 * ((x - points.across[known]) / width) ** 2)  # (columns, n)
    up = np.exp(-0.5 * ((y - points.up[known]) / width) ** 2)  # (rows, n)
    good = np.clip(1 - 2 * points.ranks[known], -1, 1)
    weight = up @ across.T
    return np.asarray(np.clip((up * good) @ across.T / (weight + _NOBODY), 0, 1))


def span(first: Space, box: Space, knob: str) -> tuple[float, float]:
    """Where a box begins and ends on a knob, as shares of the first space."""
    if knob not in box.knobs:
        return 0.0, 1.0
    whole, part = first[knob], box[knob]
    if whole.scale == "choice":
        at = [whole.unit(choice) for choice in part.choices if choice in whole.choices]
        half = 0.5 / len(whole.choices)
        return (min(at) - half, max(at) + half) if at else (0.0, 1.0)
    if part.scale == "choice":
        at = [whole.unit(choice) for choice in part.choices]
        return min(at), max(at)
    low, high = part.ends
    return whole.unit(low), whole.unit(high)


def ticks(dimension: Dimension) -> list[tuple[float, str]]:
    """(share, label) of round values of a dimension, the ends where nothing rounder is at hand."""
    knob = dimension.knob
    if dimension.scale == "choice":
        return [(dimension.unit(choice), value_text(knob, choice)) for choice in dimension.choices]
    low, high = dimension.ends
    if dimension.scale == "int":
        step = max(1, round((high - low) / 6))
        return [(dimension.unit(v), str(v)) for v in range(int(low), int(high) + 1, step)]
    if dimension.scale == "linear":
        unit = nice((high - low) / 6)
        values = [k * unit for k in range(math.ceil(low / unit - 1e-9), math.floor(high / unit + 1e-9) + 1)]
        return [(dimension.unit(v), f"{v:.3g}") for v in values]
    ones = _round_between(1 - high, 1 - low) if dimension.scale == "log1m" else _round_between(low, high)
    if dimension.scale == "log1m":
        return [(dimension.unit(1 - v), _shortest(knob, 1 - v)) for v in reversed(ones)]
    return [(dimension.unit(v), tick_text(v)) for v in ones]


def _shortest(knob: str, value: float) -> str:
    """0.9 for 0.900."""
    text = knob_value(knob, value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _round_between(low: float, high: float) -> list[float]:
    """Powers of ten from low to high; 1, 2, 5 of each where those are few."""
    low = max(low, 1e-12)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for mantissas in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        values = [m * 10.0**p for p in powers for m in mantissas]
        values = [v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(values) >= 3:
            return values
    return [low, high]
