"""From costs by step to what a plot can hold: cut to the view, decimated, averaged, and put on dots.

Everything here is NumPy on at most a few points a column. Decimation keeps each column's least and greatest
value: what lasted one step stays visible.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pandatui.tui.axes import Scale, share_across
from pandatui.tui.chart import Chart, Curve, bounded


@dataclass(frozen=True, slots=True)
class Buckets:
    """The train cost in view, at most one bucket a column of dots; places are shares of the view."""

    shares: np.ndarray  # (n,)
    low: np.ndarray  # (n,) in the cost's own unit, as are the next two; nan is a gap
    mean: np.ndarray  # (n,)
    high: np.ndarray  # (n,) inf is kept: it leaves the top


def dot_columns(shares: np.ndarray, dots: int) -> np.ndarray:
    """The column of dots, 0 … dots − 1, in which each share of the view lies."""
    return np.floor(shares * (dots - 1) + 0.5)


def group_starts(keys: np.ndarray) -> np.ndarray:
    """Indices at which a run of equal keys starts."""
    return (
        np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        if len(keys)
        else np.empty(0, np.int64)
    )


def buckets_in_view(chart: Chart, train: Curve, dots: int) -> Buckets:
    """The buckets of the view and one beyond each edge, merged where several share a column of dots."""
    shares = share_across(chart, bounded(train.steps))
    low, mean, high = (np.asarray(a, dtype=np.float64) for a in (train.low, train.mean, train.high))
    keep = _in_view(shares)
    shares, low, mean, high = shares[keep], low[keep], mean[keep], high[keep]
    if len(shares) > dots:
        starts = group_starts(dot_columns(shares, dots))
        finite = np.isfinite(mean)
        counts = np.add.reduceat(finite.astype(np.float64), starts)
        sums = np.add.reduceat(np.where(finite, np.clip(mean, -1e100, 1e100), 0.0), starts)
        mean = np.divide(sums, counts, out=np.full(len(starts), np.nan), where=counts > 0)
        low, high = np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
        shares = shares[starts]
    return Buckets(shares, low, mean, high)


def _in_view(shares: np.ndarray) -> np.ndarray:
    """Which points are in view, and the nearest one beyond each edge so that a line runs on to the edge."""
    inside = (shares >= 0) & (shares <= 1)
    before, after = np.flatnonzero(shares < 0)[-1:], np.flatnonzero(shares > 1)[:1]
    inside[before] = True
    inside[after] = True
    return inside


def smoothed(mean: np.ndarray, window: float, *, log: bool) -> np.ndarray:
    """The bias-corrected exponentially weighted average over about `window` buckets; gaps stay gaps.

    In the log of the cost when the axis is log, so that the line lies in the middle of what is seen.
    """
    if window <= 1:
        return mean
    keep = 1.0 - 1.0 / window
    values = np.log(np.maximum(mean, 1e-300)) if log else mean
    average, weight, line = 0.0, 0.0, []
    for value in values.tolist():
        if value - value != 0.0:  # nan or inf
            line.append(np.nan)
            continue
        average = keep * average + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        line.append(average / weight)
    return np.exp(np.array(line)) if log else np.array(line)


def window_in_columns(shares: np.ndarray, columns: int, window: int) -> float:
    """A window of text columns as a number of points, by how many of them the curve has in a column."""
    covered = float(np.ptp(shares)) * columns if len(shares) > 1 else 0.0
    return window * len(shares) / covered if covered >= 1 else float(window)


@dataclass(frozen=True, slots=True)
class Path:
    """A line on the plot's dots, from the bottom left; nan in `ys` is a gap."""

    xs: np.ndarray
    ys: np.ndarray


def path(shares: np.ndarray, costs: np.ndarray, scale: Scale, width: int, height: int) -> Path:
    """A line through points, cut at the view's edges, on a raster of width × height dots."""
    usable = np.isfinite(shares)
    shares, values = shares[usable], scale.across(np.asarray(costs, dtype=np.float64)[usable])
    shares, values = _cut(shares, values)
    xs = dot_columns(shares, width)
    ys = scale.heights(values, height)
    new = np.ones(len(xs), dtype=bool)  # points on the dot of the one before add nothing but time
    new[1:] = (xs[1:] != xs[:-1]) | ~(ys[1:] == ys[:-1])
    return Path(xs[new], ys[new])


def _cut(shares: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points outside the view replaced by where the line to them crosses the edge."""
    keep = _in_view(shares)
    shares, values = shares[keep], values[keep].copy()
    if len(shares) > 1 and shares[0] < 0 <= shares[1]:
        values[0] += (values[1] - values[0]) * (0 - shares[0]) / (shares[1] - shares[0])
        shares[0] = 0.0
    if len(shares) > 1 and shares[-2] <= 1 < shares[-1]:
        values[-1] = values[-2] + (values[-1] - values[-2]) * (1 - shares[-2]) / (shares[-1] - shares[-2])
        shares[-1] = 1.0
    inside = (shares >= 0) & (shares <= 1)
    return shares[inside], values[inside]


def extremes(shares: np.ndarray, costs: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """At most two points a column: its least and its greatest, in the order in which they came."""
    costs = np.asarray(costs, dtype=np.float64)
    keep = _in_view(shares)
    shares, costs = shares[keep], costs[keep]
    if len(shares) <= 2 * columns:
        return shares, costs
    keys = dot_columns(shares, 2 * columns) // 2
    chosen: set[int] = set()
    bounds = [*group_starts(keys).tolist(), len(keys)]
    for start, end in pairwise(bounds):
        group = np.where(np.isfinite(costs[start:end]), costs[start:end], np.nan)
        if np.isnan(group).all():
            chosen.add(start)
        else:
            chosen.update((start + int(np.nanargmin(group)), start + int(np.nanargmax(group))))
    order = sorted(chosen)
    return shares[order], costs[order]


def band_dots(buckets: Buckets, scale: Scale, columns: int, height: int) -> list[tuple[int, int, int]]:
    """(column, lowest dot, highest dot) of the band in each text column that has one, from the bottom."""
    inside = (buckets.shares >= 0) & (buckets.shares <= 1) & ~np.isnan(buckets.low) & ~np.isnan(buckets.high)
    if not inside.any():
        return []
    places = dot_columns(buckets.shares[inside], 2 * columns) // 2
    starts = group_starts(places)
    low = np.minimum.reduceat(np.clip(buckets.low[inside], -1e100, 1e100), starts)
    high = np.maximum.reduceat(np.clip(buckets.high[inside], -1e100, 1e100), starts)
    lows, highs = scale.heights(scale.across(low), height), scale.heights(scale.across(high), height)
    return [
        (int(column), int(bottom), int(top))
        for column, bottom, top in zip(places[starts], lows, highs, strict=True)
        if top > bottom
    ]
