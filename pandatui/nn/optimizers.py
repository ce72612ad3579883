"""sgd, momentum, RMSprop and Adam on the flat (K, n) arrays, in order of complexity.

Knobs are (K, 1) columns, so that members may differ. Bias corrections use 1 − ∏βᵢ, the product of the
betas really applied, never 1 − βᵗ: after a nudge of β from 0.9 to 0.99 at step 11 that is six times off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pandatui.nn.layers import Array

EPSILON = 1e-8
SUBNORMAL = 1e-30
_BLOCK = 131_072  # parameters at a time, so that Adam's five arrays stay in cache


@dataclass(frozen=True, slots=True)
class Rule:
    """Which moments an optimizer keeps: the first is the average of g, the second that of g²."""

    name: str
    first: bool
    second: bool


OPTIMIZERS = {
    each.name: each
    for each in (
        Rule("sgd", first=False, second=False),
        Rule("momentum", first=True, second=False),
        Rule("rmsprop", first=False, second=True),
        Rule("adam", first=True, second=True),
    )
}


def sgd(w: Array, g: Array, rate: Array, t: Array) -> None:
    """w ← w − α g."""
    np.multiply(g, rate, out=t)
    np.subtract(w, t, out=w)


def momentum(w: Array, g: Array, v: Array, rate: Array, beta: Array, rest: Array, t: Array) -> None:
    """v ← β v + (1 − β) g; w ← w − α v. `rest` is 1 − β. α is outside, so that a nudge of it acts at once."""
    _average(v, g, beta, rest, t)
    np.multiply(v, rate, out=t)
    np.subtract(w, t, out=w)


def rmsprop(
    w: Array, g: Array, s: Array, rate: Array, beta2: Array, rest2: Array, epsilon: Array, t: Array
) -> None:
    """s ← β₂ s + (1 − β₂) g²; w ← w − α g/(√ŝ + ε).

    The correction ŝ = s/c with c = 1 − ∏β₂ is folded in: `rate` is α√c and `epsilon` ε√c.
    (Hinton 2012, lecture 6e.)
    """
    np.square(g, out=t)
    _average(s, t, beta2, rest2, t)
    np.sqrt(s, out=t)
    np.add(t, epsilon, out=t)
    np.divide(g, t, out=t)
    np.multiply(t, rate, out=t)
    np.subtract(w, t, out=w)


def adam(
    w: Array,
    g: Array,
    v: Array,
    s: Array,
    rate: Array,
    beta: Array,
    rest: Array,
    beta2: Array,
    rest2: Array,
    epsilon: Array,
    t: Array,
) -> None:
    """v ← β v + (1 − β) g; s ← β₂ s + (1 − β₂) g²; w ← w − α v̂/(√ŝ + ε).

    The corrections c₁ = 1 − ∏β, c₂ = 1 − ∏β₂ are folded in: `rate` is α√c₂/c₁, `epsilon` is ε√c₂.
    (Kingma & Ba 2015, Algorithm 1 and the remark below it.)
    """
    _average(v, g, beta, rest, t)
    np.square(g, out=t)
    _average(s, t, beta2, rest2, t)
    np.sqrt(s, out=t)
    np.add(t, epsilon, out=t)
    np.divide(v, t, out=t)
    np.multiply(t, rate, out=t)
    np.subtract(w, t, out=w)


def _average(average: Array, new: Array, beta: Array, rest: Array, t: Array) -> None:
    """average ← β·average + (1 − β)·new. t may be new itself."""
    np.multiply(new, rest, out=t)
    np.multiply(average, beta, out=average)
    np.add(average, t, out=average)


class Optimizer:
    """One of the four rules with its state: moments `first`, `second` (K, n) and products of betas (K, 1)."""

    def __init__(self, name: str, parameters: Array) -> None:
        if name not in OPTIMIZERS:
            raise ValueError(f"optimizer {name!r}: expected one of {', '.join(OPTIMIZERS)}")
        self.rule = OPTIMIZERS[name]
        members, n = parameters.shape
        self._n = n
        self.first = np.zeros((members, n if self.rule.first else 0), parameters.dtype)
        self.second = np.zeros((members, n if self.rule.second else 0), parameters.dtype)
        self.first_product = np.ones((members, 1))
        self.second_product = np.ones((members, 1))
        self._scratch = np.empty((members, min(n, _BLOCK)), parameters.dtype)
        self.set(np.zeros((members, 1)), np.zeros((members, 1)), np.zeros((members, 1)))

    def set(self, learning_rate: Array, momentum: Array, second_moment: Array) -> None:
        """Turn the knobs, (K, 1) float64 columns: in use from the next update on."""
        self._rate64, self._beta64, self._beta264 = learning_rate, momentum, second_moment
        self._rate = self._factor(learning_rate)
        self._beta, self._rest = self._factor(momentum), self._factor(1 - momentum)
        self._beta2, self._rest2 = self._factor(second_moment), self._factor(1 - second_moment)

    def update(self, parameters: Array, gradients: Array) -> None:
        """One step on (K, n) parameters, in place."""
        rate, epsilon = self._corrected()
        n = parameters.shape[1]
        for start in range(0, n, _BLOCK):
            part = slice(start, min(n, start + _BLOCK))
            w, g, t = parameters[:, part], gradients[:, part], self._scratch[:, : part.stop - start]
            v, s = self.first[:, part], self.second[:, part]
            match self.rule.name:
                case "sgd":
                    sgd(w, g, rate, t)
                case "momentum":
                    momentum(w, g, v, rate, self._beta, self._rest, t)
                case "rmsprop":
                    rmsprop(w, g, s, rate, self._beta2, self._rest2, epsilon, t)
                case "adam":
                    adam(w, g, v, s, rate, self._beta, self._rest, self._beta2, self._rest2, epsilon, t)

    def _factor(self, column: Array) -> Array:
        """A (K, 1) float64 column as what multiplies (K, n) rows: in their dtype, and of one member as an
        array of no dimensions, which NumPy broadcasts in half the time."""
        return column.astype(self.first.dtype).reshape(column.shape if len(column) > 1 else ())

    def _corrected(self) -> tuple[Array, Array]:
        """The rate and ε with the bias corrections folded in, (K, 1); takes the betas into the products."""
        if self.rule.first:
            np.multiply(self.first_product, self._beta64, out=self.first_product)
        if not self.rule.second:
            return self._rate, self._rate
        np.multiply(self.second_product, self._beta264, out=self.second_product)
        root = np.sqrt(1 - self.second_product)
        rate = self._rate64 * root
        if self.rule.first:
            rate /= 1 - self.first_product
        return self._factor(rate), self._factor(root * EPSILON)

    def flush(self) -> None:
        """Set moments below 1e-30 to 0: those of dead units stick at subnormals, which halve the speed."""
        for moments in (self.first, self.second):
            moments[np.abs(moments) < SUBNORMAL] = 0

    def keep(self, members: Sequence[int]) -> "Optimizer":
        """The state of just these members, by index."""
        rows = list(members)
        kept = Optimizer(self.rule.name, np.empty((len(rows), self._n), self.first.dtype))
        kept.first, kept.second = self.first[rows], self.second[rows]
        kept.first_product, kept.second_product = self.first_product[rows], self.second_product[rows]
        kept.set(self._rate64[rows], self._beta64[rows], self._beta264[rows])
        return kept
