"""A network with its optimizer: one mini-batch update, checked before anything changes.

The panda, a cohort of trials and a band of twins all learn through this one step.
"""

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
        self._calm = float(np.finfo(network.dtype).max) ** 0.25
        self.whole = np.ones(network.members, np.bool_)  # of the last step that was not finite for all

    def set_l2(self, strength: Array) -> None:
        """λ/m_train for each member, (K, 1) float64; zeros cost nothing."""
        self._l2 = strength.astype(self.network.dtype) if strength.any() else None

    def step(self, x: Array, labels: Array) -> tuple[Array, bool]:
        """One update. Returns the train costs (K,), taken before it, without L2, and whether all were finite.

        A member whose cost or gradient is not finite, or to which the update would do that, keeps weights,
        moments and running averages as they were, and `whole` then tells which; the others go on.
        x: (m, p) or (K, m, p).
        """
        network = self.network
        with np.errstate(all="ignore"):
            costs = self.gradients(x, labels)
            # a small sum of squares proves every term finite and the update too; others need a second look
            flat = network.gradients.reshape(-1)
            total = sum(costs.tolist(), float(flat.dot(flat)))
            if network.running.size:
                total += float(np.add.reduce(network.batch_statistics, axis=None))
            if not total < self._calm:
                self.whole = self._carefully(costs)
                return costs, bool(self.whole.all())
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

    def keep(self, members: Sequence[int]) -> "Learner":
        """A learner of just these members, by index: those that go on when others have ended."""
        kept = Learner(self.network.keep(members), self.optimizer.keep(members))
        kept._l2 = None if self._l2 is None else self._l2[list(members)]
        return kept

    def _carefully(self, costs: Array) -> Array:
        """Update the members that stay finite by it, and say which, (K,) bool. Rare, so copies are fine."""
        network, optimizer = self.network, self.optimizer
        whole = np.isfinite(costs) & np.isfinite(network.gradients).all(axis=1)
        arrays = (
            network.parameters,
            network.running,
            network.running_products,
            optimizer.first,
            optimizer.second,
            optimizer.first_product,
            optimizer.second_product,
        )
        before = [array.copy() for array in arrays]
        network.absorb_statistics()
        optimizer.update(network.parameters, network.gradients)
        for array in arrays:
            whole &= np.isfinite(array).all(axis=1)
        for array, rows in zip(arrays, before, strict=True):
            array[~whole] = rows[~whole]
        return whole
