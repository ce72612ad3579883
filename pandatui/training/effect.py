"""What nudges have done to a run, from its dev points and those of the ghost that is without them."""

import math
from collections.abc import Mapping, Sequence
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
    history: History, ghost: Sequence[tuple[int, float]], start: int, band: Mapping[int, Floats]
) -> Effect | None:
    """Compare a run with its ghost's (epoch, dev cost), which parted at step `start`; None if too early.

    `band` has the twins' dev costs by epoch, where there are twins.
    """
    ours = history.dev_cost.last(history.epochs)
    first = history.epochs - len(ours) + 1
    both = [(epoch, cost) for epoch, cost in ghost if first <= epoch <= history.epochs]
    if len(both) < LEAST_EPOCHS:
        return None
    epoch = both[-1][0]
    differences = np.array([ours[at - first] - cost for at, cost in both])
    noise = _noise(differences, band.get(epoch))
    before, now = abs(differences[len(differences) // 2 - 1]), abs(differences[-1])
    trend = "growing" if now > before + noise / 4 else "shrinking" if now < before - noise / 4 else "steady"
    later = int(history.dev_step.last(len(ours))[epoch - first]) - start
    return Effect(epoch, later, float(differences[-1]), noise, trend)


def _noise(differences: Floats, twins: Floats | None) -> float:
    """Two standard deviations of a difference: of two twins, else of the last ones about their line."""
    if twins is not None and np.isfinite(twins).all():
        return float(2 * math.sqrt(2) * twins.std(ddof=1))
    jumps = np.diff(differences[-_LOOKED_BACK:])
    return float(2 * (jumps - jumps.mean()).std(ddof=1) / math.sqrt(2))
