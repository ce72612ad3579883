"""Softmax cross-entropy in nats, by log-sum-exp, with its gradient with respect to the logits.

Logits come with the classes before the examples, (K, C, m): the maximum and the sum over a few classes are
then sums of long rows, several times quicker than many sums of ten.
"""

from dataclasses import dataclass

import numpy as np

from pandatui.nn.layers import Array


@dataclass(frozen=True, slots=True, eq=False)
class LossCache:
    """Buffers of one batch size: K members, m examples, C classes."""

    starts: Array  # (K, m) intp: where each example's first logit is in the flat array
    picks: Array  # (K, m) intp: where its label's is
    stride: Array  # (), m as intp: from one class to the next
    top: Array  # (K, 1, m)
    total: Array  # (K, 1, m)
    row_costs: Array  # (K, m)
    picked: Array  # (K, m)
    examples: Array  # (), m
    share: Array  # (), 1/m

    @classmethod
    def of(cls, members: int, examples: int, classes: int, dtype: np.dtype) -> "LossCache":
        shape = (members, examples)
        starts = np.arange(members)[:, None] * (classes * examples) + np.arange(examples)
        return cls(
            starts=starts.astype(np.intp),
            picks=np.empty(shape, np.intp),
            stride=np.array(examples, np.intp),
            top=np.empty((members, 1, examples), dtype),
            total=np.empty((members, 1, examples), dtype),
            row_costs=np.empty(shape, dtype),
            picked=np.empty(shape, dtype),
            examples=np.array(examples, dtype),
            share=np.array(1 / examples, dtype),
        )


def cross_entropy(logits: Array, labels: Array, cache: LossCache) -> Array:
    """Cost of each example, −log softmax(logits)[label], as (K, m), a buffer of the cache.

    logits: (K, C, m) in C order, overwritten with exp(logits − max).
    labels: (m,) shared or (K, m), in 0 … C−1.
    """
    c = cache
    np.maximum.reduce(logits, axis=-2, keepdims=True, out=c.top)
    np.subtract(logits, c.top, out=logits)
    np.multiply(labels, c.stride, out=c.picks)
    np.add(c.picks, c.starts, out=c.picks)
    logits.reshape(-1).take(c.picks, out=c.picked, mode="clip")
    np.exp(logits, out=logits)
    np.add.reduce(logits, axis=-2, keepdims=True, out=c.total)
    np.log(c.total[:, 0], out=c.row_costs)
    np.subtract(c.row_costs, c.picked, out=c.row_costs)
    return c.row_costs


def cross_entropy_backward(exponentials: Array, cache: LossCache) -> None:
    """Turn what `cross_entropy` left in the logits into dlogits = (softmax − one-hot)/m, in place."""
    c = cache
    np.multiply(c.total, c.examples, out=c.total)
    np.divide(exponentials, c.total, out=exponentials)
    flat = exponentials.reshape(-1)
    flat.take(c.picks, out=c.picked, mode="clip")
    np.subtract(c.picked, c.share, out=c.picked)
    flat.put(c.picks, c.picked, mode="clip")
