"""How the inputs of each hidden layer's activation are distributed, epoch by epoch: what batch norm does.

A histogram a layer at each epoch's end, of values of the dev set in test mode (the same rows always), in bins
that are even on the scale of asinh, so that one picture holds a spread of 0.1 and one of 50.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 32
EDGES = np.sinh(np.linspace(-np.arcsinh(32.0), np.arcsinh(32.0), BINS - 1))  # the outer bins are open
MOST_COLUMNS = 128
_SAMPLED = 256  # values a layer
_WAITING = 32  # epochs

Counts = NDArray[np.uint16]


class Distributions:
    """Counts (layers, 32) by epoch: of every epoch at first, then of each second, fourth, … one."""

    def __init__(self, layers: int) -> None:
        self.layers = layers
        self.epochs: list[int] = []
        self._counts: list[Counts] = []
        self._sample: list[NDArray[np.floating]] = []
        self._waiting: list[NDArray[np.floating]] = []  # samples to be counted, epoch by epoch

    def wants(self, epoch: int) -> bool:
        """Whether the end of this epoch is one of those that are kept."""
        return not epoch % stride_at(epoch)

    def see(self, layer: int, inputs: NDArray[np.floating]) -> None:
        """Take a sample of a layer's inputs, (rows, units); layers come in order."""
        values = inputs.reshape(-1)
        stride = max(1, len(values) // _SAMPLED) | 1  # odd, so that it does not pick the same units always
        self._sample.append(values[::stride][:_SAMPLED].copy())  # the activation will overwrite them

    def end_epoch(self, epoch: int) -> None:
        """Put down what was seen, if anything was. It is counted later, that of several epochs at once."""
        sample, self._sample = self._sample, []
        if sample:
            self.epochs.append(epoch)
            self._waiting += sample
            if len(self._waiting) >= _WAITING * self.layers:
                self._count()
            self._thin()

    def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            places = EDGES.searchsorted(np.concatenate(waiting, dtype=np.float64))
            places += np.repeat(np.arange(len(waiting)) * BINS, [len(each) for each in waiting])
            counts = np.bincount(places, minlength=BINS * len(waiting)).astype(np.uint16)
            self._counts += list(counts.reshape(-1, self.layers, BINS))

    def add(self, epoch: int, counts: Counts) -> None:
        self._count()
        self.epochs.append(epoch)
        self._counts.append(counts)
        self._thin()

    def _thin(self) -> None:
        if len(self.epochs) > MOST_COLUMNS:
            self._count()
            stride = stride_at(self.epochs[-1])
            kept = [i for i, each in enumerate(self.epochs) if not each % stride]
            self.epochs, self._counts = [self.epochs[i] for i in kept], [self._counts[i] for i in kept]

    @classmethod
    def of(cls, epochs: Sequence[int], counts: Counts) -> "Distributions":
        """Those on record: counts (columns, layers, 32)."""
        made = cls(counts.shape[1])
        made.epochs, made._counts = list(epochs), list(counts)
        return made

    def since(self, epoch: int) -> list[tuple[int, Counts]]:
        """What is kept of the epochs behind this one."""
        self._count()
        return [(each, c) for each, c in zip(self.epochs, self._counts, strict=True) if each > epoch]

    def truncate(self, epoch: int) -> None:
        """Forget the epochs behind this one. What was thinned meanwhile stays thinned: it is for the eye."""
        self._count()
        kept = sum(each <= epoch for each in self.epochs)
        del self.epochs[kept:], self._counts[kept:]

    def counts(self) -> Counts:
        """(columns, layers, 32)."""
        self._count()
        return np.array(self._counts, np.uint16).reshape(-1, self.layers, BINS)


def stride_at(epoch: int) -> int:
    """Of a run of so many epochs, each so many-th is kept: a power of 2 that leaves at most 128."""
    return 1 << max(0, (epoch - 1) // MOST_COLUMNS).bit_length()
