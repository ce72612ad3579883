"""Softmax cross-entropy in nats, by log-sum-exp, with its gradient with respect to the logits."""

from dataclasses import dataclass

import numpy as np

from pandatui.nn.layers import Array


@dataclass(frozen=True, slots=True, eq=False)
class LossCache:
    """Buffers of one batch size: K members, m examples, C classes."""

    row_starts: Array  # (K, m) intp: where each example's row of logits starts in the flat array
    picks: Array  # (K, m) intp: where its label's entry is
    top: Array  # (K, m, 1)
    total: Array  # (K, m, 1)
    row_costs: Array  # (K, m)
    picked: Array  # (K, m)

    @classmethod
    def of(cls, members: int, examples: int, classes: int, dtype: np.dtype) -> "LossCache":
        shape = (members, examples)
        starts = np.arange(members * examples, dtype=np.intp).reshape(shape) * classes
        return cls(
            row_starts=starts,
            picks=np.empty_like(starts),
            top=np.empty((*shape, 1), dtype),
            total=np.empty((*shape, 1), dtype),
            row_costs=np.empty(shape, dtype),
            picked=np.empty(shape, dtype),
        )


def cross_entropy(logits: Array, labels: Array, cache: LossCache) -> Array:
    """Cost of each example, −log softmax(logits)[label], as (K, m), a buffer of the cache.

    logits: (K, m, C), overwritten with exp(logits − max). labels: (m,) shared or (K, m), in 0 … C−1.
    """
    np.maximum.reduce(logits, axis=-1, keepdims=True, out=cache.top)
    np.subtract(logits, cache.top, out=logits)
    np.add(cache.row_starts, labels, out=cache.picks)
    logits.reshape(-1).take(cache.picks, out=cache.picked, mode="clip")
    np.exp(logits, out=logits)
    np.add.reduce(logits, axis=-1, keepdims=True, out=cache.total)
    np.log(cache.total[..., 0], out=cache.row_costs)
    np.subtract(cache.row_costs, cache.picked, out=cache.row_costs)
    return cache.row_costs


def cross_entropy_backward(exponentials: Array, cache: LossCache) -> None:
    """Turn what `cross_entropy` left in the logits into dlogits = (softmax − one-hot)/m, in place."""
    m = exponentials.shape[-2]
    np.multiply(cache.total, m, out=cache.total)
    np.divide(exponentials, cache.total, out=exponentials)
    exponentials.reshape(-1)[cache.picks] -= exponentials.dtype.type(1 / m)
