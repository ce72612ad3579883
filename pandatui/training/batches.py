"""Mini-batches: one permutation an epoch, and the place in it as a count of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BatchesState:
    stream: Mapping[str, Any]  # the bit generator's state before this epoch's permutation was drawn
    place: int


class Batches:
    """Row numbers of successive mini-batches of `rows` training rows, drawn from one stream.

    A new batch size takes the next rows of the same permutation. The ragged last batch is used as it is, and
    dropped when it holds one example and the batch size is larger (batch norm knows no variance of one).
    """

    def __init__(self, rows: int, stream: np.random.Generator) -> None:
        self.rows = rows
        self._stream = stream
        self._shuffle()

    def _shuffle(self) -> None:
        self._before = self._stream.bit_generator.state
        self._order: NDArray[np.intp] = self._stream.permutation(self.rows)
        self.place = 0

    def peek(self, batch_size: int) -> NDArray[np.intp]:
        """The row numbers of the next mini-batch; `advance` takes it."""
        return self._order[self.place : self.place + batch_size]

    def advance(self, batch_size: int) -> bool:
        """Take that mini-batch. Returns whether it ended the epoch."""
        self.place = min(self.place + batch_size, self.rows)
        left = self.rows - self.place
        if left == 0 or (left == 1 and batch_size > 1):
            self._shuffle()
            return True
        return False

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps that a whole epoch takes with this batch size."""
        whole, left = divmod(self.rows, batch_size)
        return whole + (left > 1 or (left == 1 and batch_size == 1))

    def state(self) -> BatchesState:
        return BatchesState(stream=self._before, place=self.place)

    def restore(self, state: BatchesState) -> None:
        self._stream.bit_generator.state = state.stream
        self._shuffle()
        self.place = state.place
