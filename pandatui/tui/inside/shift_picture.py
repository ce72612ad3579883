"""The picture of view 3: heat maps of a layer's inputs, one above the other, on common axes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from textual.strip import Strip

from pandatui.training.distributions import BINS, EDGES, Counts
from pandatui.training.history import Floats
from pandatui.tui.canvas import TEXT, Cells, Ink, Palette
from pandatui.tui.heat import Scale, draw_colours, draw_heat, rows_for, shades

LEFT = 7  # columns for the values
_TICKS = (0, 1, -1, 3, -3, 10, -10, 30, -30, 0.3, -0.3)  # the first have their place first
_FAINT = 0.85  # exponent of density: below 1 the thin tails show, too
_LEAST = 4  # rows of a picture


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Distributions of one run: `words` to call it by, epochs (n,), counts (n, layers, 32)."""

    words: str
    epochs: tuple[int, ...]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Axes:
    """What both pictures share: the last epoch, and the bins from `low` to before `high`."""

    last: int
    low: int
    high: int

    @classmethod
    def of(cls, spreads: Sequence[Spread], layer: int) -> "Axes":
        used = np.zeros(BINS, np.bool_)
        for spread in spreads:
            if len(spread.epochs):
                used |= spread.counts[:, min(layer, spread.counts.shape[1] - 1)].sum(axis=0) > 0
        found = np.flatnonzero(used)
        low, high = (max(0, found[0] - 1), min(BINS, found[-1] + 2)) if len(found) else (12, 20)
        return cls(max((spread.epochs[-1] for spread in spreads if spread.epochs), default=0), low, high)

    def rows(self, place: Floats, rows: int) -> Floats:
        """Rows from the top, fractions included, of places among the bins; 3.5 is the middle of bin 3."""
        return (self.high - place) / (self.high - self.low) * rows - 0.5


def draw_shift(
    spreads: Sequence[Spread],
    nudges: Sequence[tuple[int, float]],
    layer: int,
    width: int,
    height: int,
    palette: Palette,
    *,
    unicode: bool,
    colour: bool,
) -> list[Strip]:
    """A picture for each spread, as many as have room, and how to read them."""
    cells = Cells(width, height, Ink(palette.foreground), unicode=unicode)
    legend = height >= 12
    room = height - legend
    shown = spreads[: max(1, room // (_LEAST + 2))]
    axes = Axes.of(shown, layer)
    top = 0
    for i, spread in enumerate(shown):
        rows = room // len(shown) + (i < room % len(shown))
        _draw_one(cells, spread, nudges, axes, layer, (top, rows), palette, colour=colour)
        top += rows
    if legend:
        words = "strong: where most values are · line: their median · dev data in test mode · asinh scale"
        cells.write(1, height - 1, _parts(words, width - 2), Ink(palette.muted))
    return cells.strips(palette.background)


def _parts(words: str, room: int) -> str:
    """As many of them as there is room for."""
    while len(words) > room and " · " in words:
        words = words.rpartition(" · ")[0]
    return words[:room]


def _draw_one(
    cells: Cells,
    spread: Spread,
    nudges: Sequence[tuple[int, float]],
    axes: Axes,
    layer: int,
    place: tuple[int, int],
    palette: Palette,
    *,
    colour: bool,
) -> None:
    top, height = place
    layers = spread.counts.shape[1] if len(spread.counts) else layer + 1
    chosen = min(layer, layers - 1)
    name = f"hidden {chosen + 1}"
    cells.write(
        1, top, _parts(f"{name} · {spread.words}", cells.width - 2), Ink(palette.foreground, bold=True)
    )
    cells.write(1, top, name, Ink(palette.accent, bold=True))
    rows, columns = height - 2, cells.width - LEFT - 1
    if rows < 2 or columns < 4:
        return
    if len(spread.epochs) < 1:
        words = "from the end of the first epoch on"
        x = max(1, min(LEFT, cells.width - len(words) - 1))
        cells.write(x, top + 1 + rows // 2, words, Ink(palette.muted))
        return
    fine = rows_for(rows, unicode=cells.unicode, colour=colour)
    counts, there = _columns(spread, chosen, axes, columns)
    picture = _density(counts, axes, fine)
    medians = axes.rows(_median(counts), fine)
    scale = Scale(palette.background, palette.train)
    if fine > rows:
        colours = shades(picture, scale)
        for x in np.flatnonzero(there).tolist():
            colours[min(max(round(float(medians[x])), 0), fine - 1)][x] = palette.dev
        draw_colours(cells, LEFT, top + 1, colours)
    else:
        draw_heat(cells, LEFT, top + 1, picture, scale, colour=colour)
        for x in np.flatnonzero(there).tolist():
            y = min(max(round(float(medians[x])), 0), rows - 1)
            cells.put(LEFT + x, top + 1 + y, "━" if cells.unicode else "o", Ink(palette.dev, bold=True))
    _values(cells, axes, top + 1, rows, palette)
    _epochs(cells, axes, nudges, top + 1 + rows, columns, palette)


def _columns(spread: Spread, layer: int, axes: Axes, columns: int) -> tuple[Floats, np.ndarray]:
    """Counts (columns, 32) over the time that each column of cells has, and where there are any."""
    epochs = np.array(spread.epochs)
    counts = spread.counts[:, layer].astype(np.float64)
    total = np.concatenate([np.zeros((1, BINS)), counts.cumsum(axis=0)])
    edges = np.arange(columns + 1) / columns * axes.last
    first = np.minimum(np.searchsorted(epochs, edges[:-1], "right"), len(epochs) - 1)
    end = np.maximum(np.searchsorted(epochs, edges[1:], "right"), first + 1)
    found = total[end] - total[first]
    there = edges[:-1] < epochs[-1]
    found[~there] = 0
    return found, there


def _density(counts: Floats, axes: Axes, rows: int) -> Floats:
    """Shares (rows, columns) of each column's highest, smooth between the bins."""
    highest = counts.max(axis=1, keepdims=True)
    shares = (counts / np.where(highest > 0, highest, 1)) ** _FAINT
    places = axes.high - (np.arange(rows) + 0.5) / rows * (axes.high - axes.low) - 0.5
    below = np.clip(np.floor(places).astype(np.intp), 0, BINS - 1)
    above = np.minimum(below + 1, BINS - 1)
    part = (places - np.floor(places))[:, None]
    return np.asarray((1 - part) * shares.T[below] + part * shares.T[above])


def _median(counts: Floats) -> Floats:
    """Where half the values are below, among the bins."""
    total = counts.cumsum(axis=1)
    half = total[:, -1:] / 2
    bins = (total < half).sum(axis=1)
    bins = np.minimum(bins, BINS - 1)
    rows = np.arange(len(counts))
    own = counts[rows, bins]
    before = total[rows, bins] - own
    return np.asarray(bins + (half[:, 0] - before) / np.where(own > 0, own, 1))


def _values(cells: Cells, axes: Axes, top: int, rows: int, palette: Palette) -> None:
    """The values up the side; where two would stand on one row, or touch, the lesser goes."""
    step = np.arcsinh(EDGES[1]) - np.arcsinh(EDGES[0])
    taken: set[int] = set()
    for value in _TICKS:
        row = round(float(axes.rows(np.arcsinh(value) / step + BINS / 2, rows)))
        if 0 <= row < rows and not taken & {row - 1, row, row + 1}:
            taken.add(row)
            words = f"{value:g}".replace("-", "−")
            cells.write(0, top + row, words.rjust(LEFT - 1), Ink(palette.muted))


def _epochs(
    cells: Cells,
    axes: Axes,
    nudges: Sequence[tuple[int, float]],
    row: int,
    columns: int,
    palette: Palette,
) -> None:
    """First and last epoch below, and the nudges where they were."""
    last = f"epoch {axes.last}"
    cells.write(LEFT, row, "epoch 0", Ink(palette.muted))
    cells.write(max(LEFT + 8, LEFT + columns - len(last)), row, last, Ink(palette.muted))
    for number, epoch in nudges:
        x = LEFT + min(int(epoch / max(1, axes.last) * columns), columns - 1)
        words = f"{'↑' if cells.unicode else '^'}{number}"
        if all(cells.weight(i, row) < TEXT for i in range(x - 1, min(x + len(words) + 1, cells.width))):
            cells.write(x, row, words, Ink(palette.accent))
