"""Coarse to fine: the box of the next round, around the best of this one, on each knob's own scale."""

import math
from collections.abc import Mapping, Sequence

from pandatui.search.dimension import Dimension, Value
from pandatui.search.space import Space
from pandatui.training.knobs import KNOBS

Result = tuple[Mapping[str, Value], float]
"""A trial's values and its objective: smaller is better; infinite or NaN, it diverged."""

LEAST = 2  # one point says where, but not how wide
_SHARE = 20  # where a knob has no notch on its scale, a notch is this part of the first range


def best_of(results: Sequence[Result], keep: float) -> list[Result]:
    """The best part of the results, best first: at least LEAST, none that diverged; ties by trial order."""
    finished = [result for result in results if math.isfinite(result[1])]
    count = max(LEAST, math.ceil(keep * len(results)))
    return sorted(finished, key=lambda result: result[1])[:count]


def narrow(first: Space, box: Space, results: Sequence[Result], keep: float = 0.25) -> Space:
    """The box of the round after `box`: what the best of its results span, a notch wider on either side.

    It is kept inside the first space. Choices that are not among the best drop out. The box stays as it was
    where fewer than LEAST trials did not diverge. `results` are in the order of trials.
    """
    best = best_of(results, keep)
    if len(best) < LEAST:
        return box
    return Space(
        tuple(
            _narrowed(each, [values[each.knob] for values, _ in best], fallback=box[each.knob])
            for each in first.dimensions
        )
    )


def _narrowed(first: Dimension, best: Sequence[Value], fallback: Dimension) -> Dimension:
    if first.scale == "choice":
        survivors = tuple(choice for choice in first.choices if choice in best)
        return Dimension(first.knob, "choice", choices=survivors) if survivors else fallback
    low, high = first.ends
    within = [min(max(float(value), low), high) for value in best]
    least, most = max(_notched(first, min(within), -1), low), min(_notched(first, max(within), 1), high)
    if first.scale == "int":
        return Dimension(first.knob, "int", int(least), int(most))
    return Dimension(first.knob, first.scale, least, most)


def _notched(first: Dimension, value: float, notches: int) -> float:
    """A notch away: the knob's own on log and log1m, else a twentieth of the first range."""
    low, high = first.ends
    if first.scale in ("log", "log1m"):
        return KNOBS[first.knob].notch(value, notches)
    width = (high - low) / _SHARE
    return value + notches * (max(1, round(width)) if first.scale == "int" else width)
