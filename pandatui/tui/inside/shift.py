"""View 3, what batch norm does: how the inputs of a layer's activation are spread, over all of training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip

from pandatui.training import Run
from pandatui.training.distributions import BINS, EDGES
from pandatui.tui.canvas import Cells, Ink, Palette
from pandatui.tui.heat import Scale, draw_heat, resampled, rows_for
from pandatui.tui.inside.view import InsideView

_LEFT = 7  # columns for the values
_TICKS = (-30, -10, -3, -1, -0.3, 0, 0.3, 1, 3, 10, 30)


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Distributions of one run: epochs (n,), counts (n, layers, 32)."""

    name: str
    epochs: tuple[int, ...]
    counts: NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class ShiftLook:
    """One run, or two to stand one above the other."""

    spreads: tuple[Spread, ...]


def spread_of(run: Run) -> Spread:
    kept = run.distributions
    return Spread(
        "with batch norm" if run.config.batch_norm else "without batch norm",
        tuple(kept.epochs),
        kept.counts(),
    )


class ShiftView(InsideView):
    """A heat map: time across, value up, density as shade."""

    TITLE = "how the inputs of a layer's activation are spread (dev data, test mode; asinh scale)"
    WEIGHTS = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._look: ShiftLook | None = None
        self._layer = 0

    def question(self) -> Callable[[Run], Any]:
        return lambda run: ShiftLook((spread_of(run),))

    def show(self, facts: ShiftLook) -> None:
        self._look = facts
        self.redraw()

    def turn(self, by: int) -> str:
        layers = self._look.spreads[0].counts.shape[1] if self._look is not None else 1
        self._layer = (self._layer + by) % max(1, layers)
        self.redraw()
        return f"hidden layer {self._layer + 1} of {layers}"

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._look is None:
            return None
        return draw_shift(
            self._look, self._layer, width, height, palette, unicode=self.unicode, colour=self.colour
        )


def draw_shift(
    look: ShiftLook, layer: int, width: int, height: int, palette: Palette, *, unicode: bool, colour: bool
) -> list[Strip]:
    cells = Cells(width, height, Ink(palette.foreground), unicode=unicode)
    each = height // len(look.spreads)
    for i, spread in enumerate(look.spreads):
        chosen = min(layer, spread.counts.shape[1] - 1) if spread.counts.size else 0
        words = f"hidden {chosen + 1} · {spread.name}"
        _draw_one(cells, spread, chosen, i * each, each, words, palette, colour=colour)
    return cells.strips(palette.background)


def _draw_one(
    cells: Cells,
    spread: Spread,
    layer: int,
    top: int,
    height: int,
    words: str,
    palette: Palette,
    *,
    colour: bool,
) -> None:
    muted = Ink(palette.muted)
    cells.write(1, top, words, Ink(palette.foreground, bold=True))
    rows, columns = height - 2, cells.width - _LEFT - 1
    if rows < 2 or columns < 4:
        return
    if len(spread.epochs) < 2:
        cells.write(_LEFT, top + 1 + rows // 2, "from the end of the second epoch on", muted)
        return
    counts = spread.counts[:, layer].astype(np.float64)
    used = np.flatnonzero(counts.sum(axis=0))
    low, high = max(0, int(used[0]) - 1), min(BINS, int(used[-1]) + 2)
    shares = np.sqrt(counts[:, low:high] / counts.max(axis=1, keepdims=True)).T[::-1]  # the thin tails, too
    picture = resampled(shares, rows_for(rows, unicode=cells.unicode, colour=colour), columns)
    draw_heat(cells, _LEFT, top + 1, picture, Scale(palette.background, palette.train), colour=colour)
    for value in _TICKS:
        bin_ = int(np.searchsorted(EDGES, value))
        row = round((high - 0.5 - bin_) / (high - low) * rows - 0.5)
        if low <= bin_ < high and not cells.weight(_LEFT - 2, top + 1 + row):
            cells.write(0, top + 1 + row, f"{value:g}".rjust(_LEFT - 1), muted)
    first, last = f"epoch {spread.epochs[0]}", f"epoch {spread.epochs[-1]}"
    cells.write(_LEFT, top + 1 + rows, first, muted)
    cells.write(max(_LEFT + len(first) + 1, cells.width - 1 - len(last)), top + 1 + rows, last, muted)
