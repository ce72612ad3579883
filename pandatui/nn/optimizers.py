"""sgd, momentum, RMSprop and Adam on the flat (K, n) arrays, in order of complexity.

Knobs are (K, 1) columns, so that members may differ. Bias corrections use 1 − ∏βᵢ, the product of the
betas really applied, never 1 − βᵗ: after a nudge of β from 0.9 to 0.99 at step 11 that is six times off.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pandatui.nn.layers import Array

EPSILON = 1e-8
SUBNORMAL = 1e-30
_BLOCK = 65_536  # parameters at a time, so that Adam's five arrays stay in cache


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


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Views of some members' rows, or of a stretch of them: what one call of a rule goes through."""

    w: Array
    g: Array
    v: Array
    s: Array
    t: Array  # scratch
    rate: Array  # the factors: (rows, 1), of one row as an array of no dimensions, which is quicker
    beta: Array
    rest: Array
    beta2: Array
    rest2: Array
    epsilon: Array


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
        self._rate, self._beta, self._rest, self._beta2, self._rest2, self._epsilon = (
            np.zeros((members, 1), parameters.dtype) for _ in range(6)
        )
        self._parts: list[_Part] = []
        self._parts_of: tuple[Array, Array] | None = None
        self.set(np.zeros((members, 1)), np.zeros((members, 1)), np.zeros((members, 1)))

    def set(self, learning_rate: Array, momentum: Array, second_moment: Array) -> None:
        """Turn the knobs, (K, 1) float64 columns: in use from the next update on."""
        self._rate64, self._beta64, self._beta264 = learning_rate, momentum, second_moment
        self._rate[...] = learning_rate
        self._beta[...], self._rest[...] = momentum, 1 - momentum
        self._beta2[...], self._rest2[...] = second_moment, 1 - second_moment

    def update(self, parameters: Array, gradients: Array) -> None:
        """One step on (K, n) parameters, in place."""
        self._corrected()
        of = self._parts_of
        if of is None or of[0] is not parameters or of[1] is not gradients:
            self._parts_of = parameters, gradients
            self._parts = self._made_parts(parameters, gradients)
        for p in self._parts:
            match self.rule.name:
                case "sgd":
                    sgd(p.w, p.g, p.rate, p.t)
                case "momentum":
                    momentum(p.w, p.g, p.v, p.rate, p.beta, p.rest, p.t)
                case "rmsprop":
                    rmsprop(p.w, p.g, p.s, p.rate, p.beta2, p.rest2, p.epsilon, p.t)
                case "adam":
                    adam(p.w, p.g, p.v, p.s, p.rate, p.beta, p.rest, p.beta2, p.rest2, p.epsilon, p.t)

    def _made_parts(self, parameters: Array, gradients: Array) -> list[_Part]:
        """Parts that stay in cache: whole rows where several fit in a block, else stretches of one."""
        members, n = parameters.shape
        height, width = max(1, _BLOCK // n), min(n, _BLOCK)
        scratch = np.empty((min(members, height), width), parameters.dtype)
        factors = self._rate, self._beta, self._rest, self._beta2, self._rest2, self._epsilon
        parts = []
        for row in range(0, members, height):
            rows = slice(row, min(members, row + height))
            count = rows.stop - row
            of_rows = (factor[rows].reshape((count, 1) if count > 1 else ()) for factor in factors)
            rate, beta, rest, beta2, rest2, epsilon = of_rows
            for start in range(0, n, width):
                columns = slice(start, min(n, start + width))
                w, g, v, s = (
                    array[rows, columns] for array in (parameters, gradients, self.first, self.second)
                )
                t = scratch[:count, : columns.stop - start]
                parts.append(_Part(w, g, v, s, t, rate, beta, rest, beta2, rest2, epsilon))
        return parts

    def _corrected(self) -> None:
        """Take the betas into the products, and fold the bias corrections into the rate and ε."""
        if len(self._rate) == 1:
            return self._corrected_one()
        if self.rule.first:
            np.multiply(self.first_product, self._beta64, out=self.first_product)
        if not self.rule.second:
            return None
        np.multiply(self.second_product, self._beta264, out=self.second_product)
        root = np.sqrt(1 - self.second_product)
        rate = self._rate64 * root
        if self.rule.first:
            rate /= 1 - self.first_product
        self._rate[...], self._epsilon[...] = rate, root * EPSILON
        return None

    def _corrected_one(self) -> None:
        """The same of a lone network in Python's own floats: the same bits at a fifth of the time."""
        if self.rule.first:
            first = self.first_product.item() * self._beta64.item()
            self.first_product[0, 0] = first
        if not self.rule.second:
            return
        second = self.second_product.item() * self._beta264.item()
        self.second_product[0, 0] = second
        root = math.sqrt(1 - second)
        rate = self._rate64.item() * root
        if self.rule.first:
            rate /= 1 - first
        self._rate[0, 0], self._epsilon[0, 0] = rate, root * EPSILON

    def flush(self) -> None:
        """Set moments below 1e-30 to 0: those of dead units stick at subnormals, which halve the speed."""
        for moments in (self.first, self.second):
            moments[np.abs(moments) < SUBNORMAL] = 0

    def keep(self, members: Sequence[int]) -> "Optimizer":
        """The state of just these members, by index."""
        rows = list(members)
        kept = Optimizer(self.rule.name, np.empty((len(rows), self._n), self.first.dtype))
        kept.first[...], kept.second[...] = self.first[rows], self.second[rows]
        kept.first_product[...] = self.first_product[rows]
        kept.second_product[...] = self.second_product[rows]
        kept.set(self._rate64[rows], self._beta64[rows], self._beta264[rows])
        return kept
