"""Every trial's cost curve in one picture: thin lines that thicken where many run, the best one strong.

The lines are drawn by NumPy, all at once: each trial is a row of heights, one for each column of dots. A
`Curves` keeps the rows, so that a frame costs the drawing and not the resampling of ten thousand trials.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from textual.strip import Strip

from pandatui.search.study import STANDING
from pandatui.tui.axes import CUT, GUTTER, LEAST_COST, Scale, cost_ticks, log_scale
from pandatui.tui.canvas import FAINT, FREE, LINE, Cells, Ink, Palette, blend
from pandatui.tui.chart import cost_text
from pandatui.tui.race_view import STATES, Entry, RaceView

SIGNS = {"finished": "●", "dropped": "○", "stopped": "○", "diverged": "✖", "failed": "✖"}
PLAIN_SIGNS = {"●": "*", "○": "o", "✖": "X"}
_SHADES = (0.55, 0.7, 0.85)  # of the colour, where one, a few and many lines pass
_BEFORE = (0.45, 0.6, 0.75)  # the same for the rounds before
_NAME = 10  # cells right of the plot for names, where there is room
_FEW, _MANY = 0.01, 0.04  # of all lines, and at least 2 and 5
_THIN = 0b10010101  # every second dot of a braille cell: what is not the best is told from it without colour
_BITS = np.array([[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]])  # by column and row of a cell's dots


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot's rectangle within the picture; `axes` only where there is room for them."""

    left: int
    columns: int
    rows: int
    axes: bool

    @property
    def area(self) -> tuple[int, int, int, int]:
        return self.left, 0, self.left + self.columns, self.rows


def frame_of(width: int, height: int, margin: int = 1) -> Frame:
    """`margin`: cells to leave free on the right."""
    if width < 24 or height < 6:
        return Frame(0, max(width, 0), max(height, 0), False)
    return Frame(GUTTER, width - GUTTER - margin, height - 2, True)


class Curves:
    """The trials' costs as log10, (n, dots): one column of dots after the other, NaN beyond a trial's end."""

    def __init__(self) -> None:
        self._seen: list[Entry] = []
        self._rows = np.empty((0, 0))
        self._budget = 0

    def rows(self, view: RaceView, dots: int) -> np.ndarray:
        """As of this view; only trials that are not as they were are sampled again."""
        if self._rows.shape[1] != dots or self._budget != view.budget:
            self._seen, self._rows, self._budget = [], np.empty((0, dots)), view.budget
        known = len(self._seen)
        if len(view.trials) > known:
            more = np.full((len(view.trials) - known, dots), np.nan)
            self._rows = np.concatenate([self._rows, more])
        for row, entry in enumerate(view.trials):
            if row >= known or self._seen[row] is not entry:
                self._rows[row] = _sampled(entry, view.budget, dots)
        self._seen = list(view.trials)
        return self._rows


def _sampled(entry: Entry, budget: int, dots: int) -> np.ndarray:
    """log10 of a curve at each column of dots; epoch 1 is the left edge, the last of the budget the right."""
    line = np.full(dots, np.nan)
    usable = np.isfinite(entry.costs)
    if not usable.any() or not dots:
        return line
    at = (entry.at[usable] - 1) * (dots - 1) / max(1, budget - 1)
    first, last = int(np.ceil(at[0] - 1e-9)), min(int(at[-1] + 0.5), dots - 1)
    columns = np.arange(min(first, last), last + 1)
    line[columns] = np.interp(columns, at, np.log10(np.maximum(entry.costs[usable], LEAST_COST)))
    return line


def scale_of(rows: np.ndarray, guessing: float) -> Scale:
    """From the lowest cost to three times guessing, at the most; guessing itself is always in view."""
    most = np.log10(CUT * guessing)
    finite = rows[np.isfinite(rows)]
    low = 10 ** float(min(finite.min(), most)) if len(finite) else guessing / 3
    high = 10 ** float(min(finite.max(), most)) if len(finite) else guessing
    return log_scale(min(low, guessing), max(high, guessing))


def draw_curves(
    curves: Curves,
    view: RaceView,
    chosen: int | None,
    width: int,
    height: int,
    palette: Palette,
    *,
    unicode: bool = True,
) -> list[Strip]:
    """`height` strips of `width` cells. `chosen` is the number of the trial under the cursor."""
    cells = Cells(max(width, 0), max(height, 0), Ink(palette.foreground), unicode=unicode)
    frame = frame_of(width, height, _NAME if width >= 5 * _NAME else 1)
    if frame.columns > 0 and frame.rows > 0:
        with np.errstate(all="ignore"):
            _Drawing(curves, view, frame, cells, palette).draw(chosen)
    return cells.strips(palette.background)


class _Drawing:
    """One frame, from the back to the front."""

    def __init__(self, curves: Curves, view: RaceView, frame: Frame, cells: Cells, palette: Palette) -> None:
        self.view, self.frame, self.cells, self.palette = view, frame, cells, palette
        self.across, self.up = (2, 4) if cells.unicode else (1, 1)
        self.rows = curves.rows(view, self.across * frame.columns)
        self.scale = scale_of(self.rows, view.guessing)
        self.muted = Ink(palette.muted)

    def draw(self, chosen: int | None) -> None:
        view, palette = self.view, self.palette
        if self.frame.axes:
            self._axes()
        heights = self.scale.heights(self.rows, self.up * self.frame.rows)
        latest = view.rounds == len(view.boxes)
        self._lines(heights[~latest], palette.muted, _BEFORE)
        self._lines(heights[latest], palette.dev, _SHADES)
        self._ends()
        best, picked = view.best, view.entry(chosen) if chosen is not None else None
        if picked is not None and picked is not best:
            self._one(heights, picked, Ink(palette.foreground, bold=True))
        if best is not None:
            self._one(heights, best, Ink(palette.dev, bold=True))
        if best is not None:
            self._name(heights, best, Ink(palette.dev, bold=True), up=-1)
        if picked is not None and picked is not best:
            self._name(heights, picked, Ink(palette.foreground, bold=True), up=1)
        if self.frame.axes:
            self._guessing()
        if not len(view.trials) or not np.isfinite(self.rows).any():
            self._middle("the first epochs are on their way")

    # -- lines -------------------------------------------------------------------------------------------

    def _lines(self, heights: np.ndarray, color: str, shades: tuple[float, float, float]) -> None:
        """All these lines; a cell is stronger where more of them pass."""
        counts = passing(heights, self.up * self.frame.rows)
        few, many = max(2, _FEW * len(heights)), max(5, _MANY * len(heights))
        inks = [Ink(blend(color, self.palette.background, share)) for share in shades]
        for column, row, dots, most in self._touched(counts):
            ink = inks[0 if most < few else 1 if most < many else 2]
            character = chr(0x2800 + (dots & _THIN or dots)) if self.cells.unicode else "."
            self.cells.put(self.frame.left + column, row, character, ink, FAINT)

    def _one(self, heights: np.ndarray, entry: Entry, ink: Ink) -> None:
        counts = passing(heights[[entry.number - 1]], self.up * self.frame.rows)
        for column, row, dots, _ in self._touched(counts):
            character = chr(0x2800 + dots) if self.cells.unicode else "#"
            self.cells.put(self.frame.left + column, row, character, ink, LINE)
        if (spot := self._spot(heights, entry)) is not None:
            self.cells.put(*spot, self._sign(SIGNS.get(entry.status, "")) or character, ink, LINE)

    def _touched(self, counts: np.ndarray) -> Iterable[tuple[int, int, int, int]]:
        """(column, row from the top, dots, most lines through one dot) of the cells that lines touch."""
        columns, rows = self.frame.columns, self.frame.rows
        cells = counts.reshape(columns, self.across, rows, self.up)[:, :, ::-1, ::-1]
        most = cells.max(axis=(1, 3))
        dots = ((cells > 0) * _BITS[None, :, None, :]).sum(axis=(1, 3)) if self.cells.unicode else most
        found = np.nonzero(most)
        return zip(*(a.tolist() for a in (*found, dots[found], most[found])), strict=True)

    def _pick(self, sign: str, plain: str) -> str:
        return sign if self.cells.unicode else plain

    def _sign(self, sign: str) -> str:
        return sign if self.cells.unicode else PLAIN_SIGNS.get(sign, "")

    def _spot(self, heights: np.ndarray, entry: Entry) -> tuple[int, int] | None:
        """The cell in which a trial's line ends."""
        known = np.flatnonzero(np.isfinite(heights[entry.number - 1]))
        if not len(known):
            return None
        height = int(heights[entry.number - 1, known[-1]])
        return self.frame.left + int(known[-1]) // self.across, self.frame.rows - 1 - height // self.up

    def _ends(self) -> None:
        """A sign where each ended trial's line ends; of several in a cell the gravest."""
        finite = np.isfinite(self.rows)
        last = finite.shape[1] - 1 - np.argmax(finite[:, ::-1], axis=1)
        ended = np.flatnonzero((self.view.states >= len(STANDING)) & finite.any(axis=1))
        tops = self.scale.heights(self.rows[ended, last[ended]], self.up * self.frame.rows)
        latest = len(self.view.boxes)
        cells: dict[tuple[int, int], tuple[int, bool]] = {}
        where = zip(
            (last[ended] // self.across).tolist(),
            (self.frame.rows - 1 - tops.astype(np.int64) // self.up).tolist(),
            self.view.states[ended].tolist(),
            (self.view.rounds[ended] == latest).tolist(),
            strict=True,
        )
        signs = {state: "○●✖".index(SIGNS[name]) for state, name in enumerate(STATES) if name in SIGNS}
        for column, row, state, new in where:
            before = cells.get((column, row), (-1, False))
            cells[column, row] = max(before[0], signs[state]), before[1] or new
        background = self.palette.background
        for (column, row), (sign, new) in cells.items():
            color = self.palette.error if sign == 2 else self.palette.dev if new else self.palette.muted
            ink = Ink(blend(color, background, 0.8 if new else 0.6))
            self.cells.put(self.frame.left + column, row, self._sign("○●✖"[sign]), ink, FAINT)

    # -- words -------------------------------------------------------------------------------------------

    def _name(self, heights: np.ndarray, entry: Entry, ink: Ink, *, up: int) -> None:
        """27 0.0871, right of the end of its line, else where it hides least."""
        spot = self._spot(heights, entry)
        if spot is None or not self.frame.axes:
            return
        words = f"{entry.number} {cost_text(entry.dev_cost)}"
        column, row = spot
        left = column - len(words) - 1
        beside = [(column + 2, row - up * by) for by in (0, 1, -1, 2, -2)]
        above = [(left, row + by) for by in (-1, 1, -2, 2, -3, 3)]
        area = (self.frame.left, 0, self.cells.width, self.frame.rows)
        if not self.cells.place(words, ink, beside, area):
            self.cells.place(words, ink, above, area)

    def _guessing(self) -> None:
        words, row = (
            f"guessing {cost_text(self.view.guessing)}",
            self.scale.row(self.view.guessing, self.frame.rows),
        )
        left, _, right, _ = self.frame.area
        columns = (right - len(words) - 4, left + (right - left - len(words)) // 2, left + 1)
        spots = [(column, row + by) for column in columns for by in (0, -1, 1)]
        self.cells.place(words, self.muted, spots, self.frame.area)

    def _middle(self, words: str) -> None:
        left, _, right, bottom = self.frame.area
        start = left + (right - left - len(words)) // 2
        self.cells.write(max(left, start), bottom // 2, words[: right - left], Ink(self.palette.foreground))

    def _axes(self) -> None:
        cells, frame = self.cells, self.frame
        axis = frame.left - 1
        for row in range(frame.rows):
            cells.put(axis, row, self._pick("│", "|"), self.muted)
        for row, label in cost_ticks(self.scale, frame.rows).items():
            cells.put(axis, row, self._pick("┤", "+"), self.muted)
            cells.write(max(0, axis - 1 - len(label)), row, label, self.muted)
        if self.scale.holds(self.view.guessing):
            row = self.scale.row(self.view.guessing, frame.rows)
            for column in range(frame.left, frame.left + frame.columns):
                cells.put(
                    column,
                    row,
                    self._pick("⋯", "."),
                    Ink(blend(self.palette.muted, self.palette.background, 0.6)),
                    FREE,
                )
        under = frame.rows
        cells.put(axis, under, self._pick("└", "+"), self.muted)
        for column in range(frame.left, cells.width):
            cells.put(column, under, self._pick("─", "-"), self.muted)
        name = " epoch"
        cells.write(cells.width - len(name), under, name, self.muted)
        for column, label in epoch_labels(self.view.budget, frame.columns):
            if frame.left + column < cells.width - len(name):
                cells.put(frame.left + column, under, self._pick("┬", "+"), self.muted)
            start = frame.left + column - (len(label) - 1) // 2
            cells.write(min(start, cells.width - len(label)), under + 1, label, self.muted)


def passing(heights: np.ndarray, count: int) -> np.ndarray:
    """How many lines pass each dot, (dots, count) from the bottom left: vertical runs, one a column.

    `heights` (n, dots) are whole numbers 0 … count − 1, NaN where a line is not.
    """
    dots = heights.shape[1]
    here = np.isfinite(heights)
    if not here.any():
        return np.zeros((dots, count), dtype=np.int64)
    before = np.concatenate([heights[:, :1], heights[:, :-1]], axis=1)
    before = np.where(np.isfinite(before), before, heights)
    low = np.where(heights > before, np.minimum(before + 1, heights), heights)
    high = np.where(heights < before, np.maximum(before - 1, heights), heights)
    column = np.broadcast_to(np.arange(dots), heights.shape)[here] * (count + 1)
    size = dots * (count + 1)
    starts = np.bincount(column + low[here].astype(np.int64), minlength=size)
    ends = np.bincount(column + high[here].astype(np.int64) + 1, minlength=size)
    return np.cumsum((starts - ends).reshape(dots, count + 1), axis=1)[:, :count]


def epoch_labels(budget: int, columns: int) -> list[tuple[int, str]]:
    """(column, label) of round epochs, 1 and the last among them, as many as keep their distance."""
    at = {epoch: round((epoch - 1) * (columns - 1) / max(1, budget - 1)) for epoch in (1, budget)}
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000):
        if step * columns / max(1, budget) >= 8:
            for epoch in range(step, budget, step):
                column = round((epoch - 1) * (columns - 1) / max(1, budget - 1))
                if all(abs(column - other) >= 6 for other in at.values()):
                    at[epoch] = column
            break
    return sorted((column, str(epoch)) for epoch, column in at.items())
