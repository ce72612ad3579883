"""A network with its optimizer: one mini-batch update, checked before anything changes.

The panda, a cohort of trials and a band of twins all learn through this one step.
"""

import math
from collections.abc import Sequence

import numpy as np

from pandatui.nn.layers import Array
from pandatui.nn.network import Network
from pandatui.nn.optimizers import Optimizer


class Learner:
    """K members that take their steps together. `l2` is λ/m_train, a (K, 1) column."""

    def __init__(self, network: Network, optimizer: Optimizer) -> None:
        self.network = network
        self.optimizer = optimizer
        self._l2: Array | None = None

    def set_l2(self, strength: Array) -> None:
        """λ/m_train for each member, (K, 1) float64; zeros cost nothing."""
        self._l2 = strength.astype(self.network.dtype) if strength.any() else None

    def step(self, x: Array, labels: Array) -> tuple[Array, bool]:
        """One update. Returns the train costs (K,), taken before it, without L2, and whether all were finite.

        A member whose cost or gradient is not finite keeps weights, moments and running averages as they
        were, and `finite()` then tells which; the others go on. x: (m, p) or (K, m, p).
        """
        network = self.network
        with np.errstate(all="ignore"):
            costs = self.gradients(x, labels)
            # a finite sum of squares proves every term finite; only one that is not needs a second look
            flat = network.gradients.reshape(-1)
            total = sum(costs.tolist(), float(flat.dot(flat)))
            if not math.isfinite(total) and not (finite := self.finite(costs)).all():
                self._update_only(np.flatnonzero(finite))
                return costs, False
            network.absorb_statistics()
            self.optimizer.update(network.parameters, network.gradients)
        return costs, True

    def gradients(self, x: Array, labels: Array) -> Array:
        """Fill the network's `gradients` with those of a mini-batch, L2 included; returns the costs (K,)."""
        costs = self.network.forward(x, labels)
        self.network.backward(x)
        if self._l2 is not None:
            self.network.add_l2(self._l2)
        return costs

    def finite(self, costs: Array) -> Array:
        """Which members' cost and gradients are finite, (K,) bool."""
        return np.isfinite(costs) & np.isfinite(self.network.gradients).all(axis=1)

    def keep(self, members: Sequence[int]) -> "Learner":
        """A learner of just these members, by index: those that go on when others have ended."""
        kept = Learner(self.network.keep(members), self.optimizer.keep(members))
        kept._l2 = None if self._l2 is None else self._l2[list(members)]
        return kept

    def _update_only(self, members: Array) -> None:
        """Update these members and leave the others' rows untouched. Rare, so copies are fine."""
        network, optimizer = self.network, self.optimizer
        if not len(members):
            return
        untouched = np.setdiff1d(np.arange(network.members), members)
        arrays = (
            network.parameters,
            network.running,
            network.running_products,
            optimizer.first,
            optimizer.second,
            optimizer.first_product,
            optimizer.second_product,
        )
        before = [array[untouched].copy() for array in arrays]
        network.absorb_statistics()
        optimizer.update(network.parameters, network.gradients)
        for array, rows in zip(arrays, before, strict=True):
            array[untouched] = rows
