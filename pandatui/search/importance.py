"""How much each knob mattered: PED-ANOVA on the trials' own scales (Watanabe, Bansal & Hutter 2023).

A knob matters as far as its values among the best trials are spread otherwise than among all trials: the
Pearson divergence of two Parzen estimates on a grid of the knob's scale. No model of the cost is fitted, so
that a trial that diverged has its say: it is among all, and never among the best. The details (grid, Scott's
rule, prior) are those of Optuna 5, and so are the numbers.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pandatui.search.dimension import Dimension, Value
from pandatui.search.refine import Result
from pandatui.search.space import Space

BEST = 0.1  # γ: the part of the trials that counts as best
LEAST_BEST = 5  # the fewest that are: below 41 trials these are more than a tenth
LEAST_TRIALS = 20  # of fewer, the numbers are noise

TEXTBOOK = (
    ("learning_rate",),
    ("momentum", "batch_size", "units"),
    ("layers", "decay", "l2", "activation", "optimizer", "batch_norm"),
    ("second_moment",),
)
"""The order in which the textbook would try knobs: first, second, third, leave alone."""

_GRID = 50
_PRIOR = 1.0  # the weight of the prior, in trials
_TINY = 1e-12
_LEAST_WIDTH = 0.5 / 1.64  # of a kernel, in grid points: 90 % of it fits on one

Floats = NDArray[np.float64]


def importance(space: Space, results: Sequence[Result]) -> dict[str, float]:
    """Each knob's share of what tells the best trials from all, most first; the shares sum to 1.

    `space` is the study's first, `results` those of all its rounds: smaller is better, infinite or NaN it
    diverged. Empty with fewer than LEAST_TRIALS results, fewer than 2 that did not diverge, or nothing that
    tells the best from the rest.
    """
    if len(results) < LEAST_TRIALS:
        return {}
    best = _best(np.array([objective for _, objective in results], dtype=np.float64))
    if best.sum() < 2:
        return {}
    found = {}
    for each in space.dimensions:
        places, size = _on_grid(each, [values[each.knob] for values, _ in results])
        density = _choice_density if each.scale == "choice" else _density
        among_best, among_all = density(places[best], size) + _TINY, density(places, size) + _TINY
        found[each.knob] = float(among_all @ (among_best / among_all - 1) ** 2)
    total = sum(found.values())
    if not total > 0:
        return {}
    return {knob: found[knob] / total for knob in sorted(found, key=found.__getitem__, reverse=True)}


def textbook_place(knob: str) -> int:
    """1 for what the textbook tries first, and so on."""
    return 1 + next(i for i, group in enumerate(TEXTBOOK) if knob in group)


def _best(objectives: Floats) -> NDArray[np.bool_]:
    """Which are among the best, (n,): all as good as the last of them, none that diverged."""
    finite = np.isfinite(objectives)
    count = max(LEAST_BEST, math.ceil(BEST * len(objectives)))
    last: float = np.sort(np.where(finite, objectives, np.inf))[count - 1]
    return finite & (objectives <= last)


def _on_grid(dimension: Dimension, values: Sequence[Value]) -> tuple[NDArray[np.int_], int]:
    """The values as points of the knob's grid, (n,), and how many points that has."""
    if dimension.scale == "choice":
        known = list(dict.fromkeys((*dimension.choices, *values)))
        return np.array([known.index(value) for value in values]), len(known)
    if dimension.scale == "int":
        low, high = dimension.ends
        size = min(int(high - low) + 1, _GRID)
        share = np.array([(float(value) - low) / (high - low) for value in values])
    else:
        size = _GRID
        share = np.array([dimension.unit(value) for value in values])
    return np.clip(np.ceil(share * (size - 1) - 0.5).astype(int), 0, size - 1), size


def _density(places: NDArray[np.int_], size: int) -> Floats:
    """A Parzen estimate of the points' share, (size,): normal kernels cut off at the grid's ends, and a wide
    one as the prior. Their width is by Scott's rule (Scott 1992)."""
    counts = np.bincount(places, minlength=size)
    points = np.flatnonzero(counts)
    weights = counts[points]
    total = int(weights.sum())
    mean = points @ weights / total
    deviation = math.sqrt((points - mean) ** 2 @ weights / max(1, total - 1))
    upto = np.cumsum(weights)
    upper = points[min(len(points) - 1, int(np.searchsorted(upto, total * 3 // 4, side="right")))]
    quartiles = upper - points[np.searchsorted(upto, total // 4, side="left")]
    width = 1.059 * min(quartiles / 1.34, deviation) * total**-0.2
    centres = np.append(points, (size - 1) / 2)
    widths = np.append(np.full(len(points), max(width, _LEAST_WIDTH)), size)
    edges = np.arange(size + 1) - 0.5
    below = _normal((edges[:, None] - centres) / widths)  # (size + 1, kernels)
    kernels = np.diff(below, axis=0) / (below[-1] - below[0])
    density: Floats = kernels @ (np.append(weights, _PRIOR) / (total + _PRIOR))
    return density


def _choice_density(places: NDArray[np.int_], size: int) -> Floats:
    """The same for choices, (size,): a kernel is its choice and a little of every other."""
    counts = np.bincount(places, minlength=size)
    chosen = np.flatnonzero(counts)
    kernels = np.full((len(chosen) + 1, size), _PRIOR / (len(chosen) + 1))
    kernels[np.arange(len(chosen)), chosen] += 1
    kernels /= kernels.sum(axis=1, keepdims=True)
    density: Floats = np.append(counts[chosen], _PRIOR) / (counts.sum() + _PRIOR) @ kernels
    return density


def _normal(z: Floats) -> Floats:
    """The standard normal distribution function."""
    flat = [0.5 * math.erfc(-each / math.sqrt(2)) for each in z.ravel().tolist()]
    return np.array(flat).reshape(z.shape)
