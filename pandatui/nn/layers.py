"""Dense, batch norm and the activations: each forward with its backward beside it.

Plain functions over arrays with a leading member axis: K members, m examples, n units. They write into
the buffers they are given and allocate nothing, so that a training step leaves the allocator alone.
Gradients are named after what they are the derivative of: `dz` is d cost / d z. Column means are matrix
products with a row of 1/m, which is quicker than `mean(axis)` and gives a member the same bits in any population.
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
    """z = a W, with a (K, m, p) or shared (m, p), W (K, p, n), z (K, m, n). The bias, if any, is added apart."""
    np.matmul(a, W, out=z)


def dense_backward(a: Array, W: Array, dz: Array, dW: Array, da: Array | None) -> None:
    """dW = aᵀ dz; da = dz Wᵀ (skipped for the first layer, whose input is data)."""
    np.matmul(a.swapaxes(-1, -2), dz, out=dW)
    if da is not None:
        np.matmul(dz, W.swapaxes(-1, -2), out=da)


# -- batch norm ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class BatchNormCache:
    """What the forward pass leaves for the backward pass: one layer, one batch size."""

    mean_row: Array  # (1, m), all 1/m
    mean: Array  # (K, 1, n), a view into the network's batch statistics
    variance: Array  # (K, 1, n), likewise
    inverse_deviation: Array  # (K, 1, n)
    gain: Array  # (K, 1, n): scale / √(σ² + ε)
    mean_dy: Array  # (K, 1, n)
    mean_dy_z: Array  # (K, 1, n)
    scratch: Array  # (K, m, n)


def batch_norm(z: Array, scale: Array, shift: Array, cache: BatchNormCache, y: Array) -> None:
    """y = scale · (z − μ)/√(σ² + ε) + shift, with μ, σ² of this mini-batch (σ² with 1/m, two-pass).

    Leaves z centred (z − μ), which is all that the backward pass needs of it.
    Source: Ioffe & Szegedy 2015, Algorithm 1. ε = 1e-5.
    """
    c = cache
    np.matmul(c.mean_row, z, out=c.mean)
    np.subtract(z, c.mean, out=z)
    np.multiply(z, z, out=y)
    np.matmul(c.mean_row, y, out=c.variance)
    np.add(c.variance, BATCH_NORM_EPSILON, out=c.inverse_deviation)
    np.sqrt(c.inverse_deviation, out=c.inverse_deviation)
    np.reciprocal(c.inverse_deviation, out=c.inverse_deviation)
    np.multiply(scale, c.inverse_deviation, out=c.gain)
    np.multiply(z, c.gain, out=y)
    np.add(y, shift, out=y)


def batch_norm_backward(dy: Array, z: Array, dscale: Array, dshift: Array, cache: BatchNormCache) -> None:
    """Turn dy into dz in place, through μ and σ² as well; z is the centred one that `batch_norm` left.

    With ẑ = z/√(σ² + ε) and means over the m examples:
    dshift = m·mean(dy); dscale = m·mean(dy·ẑ); dz = gain · (dy − mean(dy) − ẑ·mean(dy·ẑ)).
    """
    c = cache
    m = z.shape[-2]
    np.matmul(c.mean_row, dy, out=c.mean_dy)
    np.multiply(dy, z, out=c.scratch)
    np.matmul(c.mean_row, c.scratch, out=c.mean_dy_z)
    np.multiply(c.mean_dy, m, out=dshift)
    np.multiply(c.mean_dy_z, c.inverse_deviation, out=c.mean_dy_z)  # now mean(dy·ẑ)
    np.multiply(c.mean_dy_z, m, out=dscale)
    np.multiply(c.mean_dy_z, c.inverse_deviation, out=c.mean_dy_z)  # ẑ·mean(dy·ẑ) = z·this
    np.multiply(z, c.mean_dy_z, out=c.scratch)
    np.subtract(dy, c.scratch, out=dy)
    np.subtract(dy, c.mean_dy, out=dy)
    np.multiply(dy, c.gain, out=dy)


# -- activations: forward writes g(y) over y; backward turns da into dy, given only a = g(y) ------------------


def relu(y: Array) -> None:
    """a = max(y, 0)."""
    np.maximum(y, 0, out=y)


def relu_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da where a > 0; the derivative at 0 is 0. a is never negative, so its sign is the mask."""
    np.sign(a, out=scratch)
    np.multiply(da, scratch, out=da)


def leaky_relu(y: Array) -> None:
    """a = max(y, 0.01 y)."""
    np.maximum(y, y * y.dtype.type(LEAKY_SLOPE), out=y)


def leaky_relu_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da where a > 0, else 0.01 da."""
    np.greater(a, 0, out=scratch, casting="unsafe")
    np.maximum(scratch, LEAKY_SLOPE, out=scratch)
    np.multiply(da, scratch, out=da)


def tanh(y: Array) -> None:
    """a = tanh y."""
    np.tanh(y, out=y)


def tanh_backward(a: Array, da: Array, scratch: Array) -> None:
    """dy = da · (1 − a²)."""
    np.multiply(a, a, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(da, scratch, out=da)


def sigmoid(y: Array) -> None:
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
    """A pair of passes, and the variance of the weights that suits it: `gain` / fan (He 2015; Glorot 2010)."""

    name: str
    forward: Callable[[Array], None]
    backward: Callable[[Array, Array, Array], None]
    he: bool  # He normal, 2/fan_in; else Glorot normal, 2/(fan_in + fan_out)


ACTIVATIONS = {
    each.name: each
    for each in (
        Activation("relu", relu, relu_backward, he=True),
        Activation("leaky_relu", leaky_relu, leaky_relu_backward, he=True),
        Activation("tanh", tanh, tanh_backward, he=False),
        Activation("sigmoid", sigmoid, sigmoid_backward, he=False),
    )
}
