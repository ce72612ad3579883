"""What nudges have done to a run, from its dev points and those of the ghost that is without them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pandatui.training.history import Floats, History

LEAST_EPOCHS = 3  # after a nudge, before anything is said of it
_LOOKED_BACK = 10  # epochs


@dataclass(frozen=True, slots=True)
class Effect:
    """Dev cost with nudges less that without, at the last epoch's end that both have; below 0 they helped.

    `noise` is the spread that it has to beat: that of the twins at this epoch, else that of the difference
    from one epoch to the next. `trend`: "growing", "shrinking" or "steady", against halfway since the nudge.
    """

    epoch: int
    steps_later: int
    difference: float
    noise: float
    trend: str

    @property
    def within_noise(self) -> bool:
        return abs(self.difference) <= self.noise


def effect(
    history: History, ghost: Floats, start: int, band: Callable[[int], Floats | None] | None = None
) -> Effect | None:
    """Compare a run with its ghost, rows (n, 2) of epoch and dev cost, which parted at step `start`.

    None if it is too early. `band` knows the twins' dev costs at an epoch's end, where there are twins.
    """
    ours = history.dev_cost.last(history.epochs)
    first = history.epochs - len(ours) + 1
    both = ghost[(ghost[:, 0] >= first) & (ghost[:, 0] <= history.epochs)]
    if len(both) < LEAST_EPOCHS:
        return None
    at = both[:, 0].astype(np.int64) - first
    differences = ours[at] - both[:, 1]
    epoch = int(both[-1, 0])
    noise = _noise(differences, band(epoch) if band is not None else None)
    before, now = abs(differences[len(differences) // 2 - 1]), abs(differences[-1])
    trend = "growing" if now > before + noise / 4 else "shrinking" if now < before - noise / 4 else "steady"
    later = int(history.dev_step.last(len(ours))[at[-1]]) - start
    return Effect(epoch, later, float(differences[-1]), noise, trend)


def _noise(differences: Floats, twins: Floats | None) -> float:
    """Two standard deviations of a difference: of two twins, else of the last ones about their line."""
    if twins is not None and np.isfinite(twins).all():
        return float(2 * math.sqrt(2) * twins.std(ddof=1))
    jumps = np.diff(differences[-_LOOKED_BACK:])
    return float(2 * (jumps - jumps.mean()).std(ddof=1) / math.sqrt(2))
