"""Sampling: a trial's values from (study seed, trial number) and its round's box alone; or a plain grid.

Random is the default: when few knobs matter, n random trials try n values of each of them, and a grid of d
knobs only the d-th root of n (Bergstra & Bengio 2012).
"""

import itertools
import math
from collections.abc import Iterable, Mapping

import numpy as np

from pandatui.search.dimension import VARIED, Dimension, Value
from pandatui.search.space import Space


def draw(box: Space, seed: int, number: int) -> dict[str, Value]:
    """The values of trial `number`, one uniform random number a knob.

    Each knob has its own place among them, so that its draw is the same whichever other knobs vary.
    """
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))
    uniform = stream.random(len(VARIED))
    return {each.knob: each.value(float(uniform[VARIED.index(each.knob)])) for each in box.dimensions}


def grid(box: Space, trials: int) -> list[dict[str, Value]]:
    """A grid of at most `trials` points, as many as an equal number of values for each knob allows.

    The values are the middles of equal shares of each scale; a knob with fewer choices than that has all of
    them. The last knob turns fastest.
    """
    values = 1
    while _points(box, values) < _points(box, values + 1) <= trials:
        values += 1
    axes = [_axis(each, values) for each in box.dimensions]
    return [dict(zip(box.knobs, point, strict=True)) for point in itertools.product(*axes)]


def distinct(trials: Iterable[Mapping[str, Value]]) -> dict[str, int]:
    """How many different values of each knob were tried."""
    tried: dict[str, set[Value]] = {}
    for values in trials:
        for knob, value in values.items():
            tried.setdefault(knob, set()).add(value)
    return {knob: len(different) for knob, different in tried.items()}


def _most(dimension: Dimension) -> float:
    """How many different values a dimension has."""
    if dimension.scale == "choice":
        return len(dimension.choices)
    low, high = dimension.ends
    return high - low + 1 if dimension.scale == "int" else math.inf


def _points(box: Space, values: int) -> float:
    return math.prod(min(values, _most(each)) for each in box.dimensions)


def _axis(dimension: Dimension, values: int) -> list[Value]:
    count = int(min(values, _most(dimension)))
    return [dimension.value((i + 0.5) / count) for i in range(count)]
