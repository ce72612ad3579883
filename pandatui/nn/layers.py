"""Dense, batch norm and the activations: each forward with its backward beside it.

Plain functions over arrays with a leading member axis: K members, m examples, n units. They write into
the buffers they are given and allocate nothing, so that a training step leaves the allocator alone.
Gradients are named after what they are the derivative of: `dz` is d cost / d z. Column means are matrix
products with a row of 1/m, quicker than `mean(axis)` and with the same bits for a member of any population.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BATCH_NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.01


# -- dense ---------------------------------------------------------------------------------------------------


def dense(a: Array, W: Array, z: Array) -> None:
    """z = a W, with a (K, m, p) or shared (m, p), W (K, p, n), z (K, m, n). A bias is added apart."""
    np.matmul(a, W, out=z)


def dense_backward(a: Array, W: Array, dz: Array, dW: Array, da: Array | None) -> None:
    """dW = aᵀ dz; da = dz Wᵀ (skipped for the first layer, whose input is data)."""
    np.matmul(a.mT, dz, out=dW)
    if da is not None:
        np.matmul(dz, W.mT, out=da)


# -- batch norm ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class BatchNormCache:
    """What the forward pass leaves for the backward pass: one layer, one batch size."""

    mean_row: Array  # (1, m), all 1/m
    ones_row: Array  # (1, m)
    examples: Array  # (), m: an array of no dimensions in the right dtype is the quickest constant
    epsilon: Array  # ()
    mean: Array  # (K, 1, n), a view into the network's batch statistics
    variance: Array  # (K, 1, n), likewise
    deviation: Array  # (K, 1, n): √(σ² + ε)
    gain: Array  # (K, 1, n): scale / √(σ² + ε)
    row: Array  # (K, 1, n), scratch
    scratch: Array  # (K, m, n)


def batch_norm(z: Array, scale: Array, shift: Array, cache: BatchNormCache, y: Array) -> None:
    """y = scale · (z − μ)/√(σ² + ε) + shift, with μ, σ² of this mini-batch (σ² with 1/m, two-pass).

    Leaves z centred (z − μ), which is all that the backward pass needs of it.
    Source: Ioffe & Szegedy 2015, Algorithm 1. ε = 1e-5.
    """
    c = cache
    np.matmul(c.mean_row, z, out=c.mean)
    np.subtract(z, c.mean, out=z)
    np.square(z, out=y)
    np.matmul(c.mean_row, y, out=c.variance)
    np.add(c.variance, c.epsilon, out=c.deviation)
    np.sqrt(c.deviation, out=c.deviation)
    np.divide(scale, c.deviation, out=c.gain)
    np.multiply(z, c.gain, out=y)
    np.add(y, shift, out=y)


def batch_norm_backward(dy: Array, z: Array, dscale: Array, dshift: Array, cache: BatchNormCache) -> None:
    """Turn dy into dz in place, through μ and σ² as well; z is the centred one that `batch_norm` left.

    With ẑ = z/√(σ² + ε), sums and means over the m examples:
    dshift = Σ dy; dscale = Σ dy·ẑ; dz = gain · (dy − mean(dy) − ẑ·mean(dy·ẑ)).
    """
    c = cache
    np.matmul(c.ones_row, dy, out=dshift)
    np.multiply(dy, z, out=c.scratch)
    np.matmul(c.ones_row, c.scratch, out=dscale)
    np.divide(dscale, c.deviation, out=dscale)
    np.divide(dscale, c.deviation, out=c.row)
    np.divide(c.row, c.examples, out=c.row)
    np.multiply(z, c.row, out=c.scratch)  # ẑ·mean(dy·ẑ)
    np.subtract(dy, c.scratch, out=dy)
    np.divide(dshift, c.examples, out=c.row)  # mean(dy)
    np.subtract(dy, c.row, out=dy)
    np.multiply(dy, c.gain, out=dy)


# -- activations: forward writes g(y) over y; backward turns da into dy, given only a = g(y) -----------------


def relu(y: Array, zeros: Array) -> None:
    """a = max(y, 0). Against an array of zeros: NumPy's maximum with a constant takes four times as long."""
    np.maximum(y, zeros, out=y)


def relu_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da where a > 0; the derivative at 0 is 0."""
    np.greater(a, 0, out=scratch, casting="unsafe")
    np.multiply(da, scratch, out=da)


def leaky_relu(y: Array, scratch: Array) -> None:
    """a = max(y, 0.01 y)."""
    np.multiply(y, LEAKY_SLOPE, out=scratch)
    np.maximum(y, scratch, out=y)


def leaky_relu_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da where a > 0, else 0.01 da."""
    np.greater(a, 0, out=scratch, casting="unsafe")
    np.multiply(scratch, 1 - LEAKY_SLOPE, out=scratch)
    np.add(scratch, LEAKY_SLOPE, out=scratch)  # exactly 1 or 0.01, in float32 too
    np.multiply(da, scratch, out=da)


def tanh(y: Array, scratch: Array) -> None:
    """a = tanh y."""
    np.tanh(y, out=y)


def tanh_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da · (1 − a²)."""
    np.square(a, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(da, scratch, out=da)


def sigmoid(y: Array, scratch: Array) -> None:
    """a = 1/(1 + e⁻ʸ), written as (1 + tanh(y/2))/2, which overflows nowhere."""
    np.multiply(y, 0.5, out=y)
    np.tanh(y, out=y)
    np.multiply(y, 0.5, out=y)
    np.add(y, 0.5, out=y)


def sigmoid_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da · a · (1 − a)."""
    np.subtract(1, a, out=scratch)
    np.multiply(scratch, a, out=scratch)
    np.multiply(da, scratch, out=da)


@dataclass(frozen=True, slots=True)
class Activation:
    """A pair of passes, and the variance of the weights that suits it (He 2015; Glorot 2010)."""

    name: str
    forward: Callable[[Array, Array], None]  # (y, scratch of its shape or, where it asks for them, zeros)
    backward: Callable[[Array, Array, Array], None]  # (a, da, scratch)
    he: bool  # He normal, 2/fan_in; else Glorot normal, 2/(fan_in + fan_out)
    zeros: bool = False  # whether forward wants zeros, (m, n) will do, which it leaves as they are


ACTIVATIONS = {
    each.name: each
    for each in (
        Activation("relu", relu, relu_backward, he=True, zeros=True),
        Activation("leaky_relu", leaky_relu, leaky_relu_backward, he=True),
        Activation("tanh", tanh, tanh_backward, he=False),
        Activation("sigmoid", sigmoid, sigmoid_backward, he=False),
    )
}
