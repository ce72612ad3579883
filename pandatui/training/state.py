"""What a run is at one step: all that is needed to go on from there, bit for bit, and what it is worth."""

from dataclasses import dataclass

import numpy as np

from pandatui.training.batches import BatchesState
from pandatui.training.history import HistoryState


@dataclass(frozen=True, slots=True, eq=False)
class RunState:
    """Everything needed to go on from a step, bit for bit."""

    steps: int
    last_event: int  # the id of the last event that it has behind it
    epoch: int
    target_epochs: int
    knobs: dict[str, float]
    base_rate: float
    spent: int  # how many entries of the plan have been applied
    batches: BatchesState
    parameters: np.ndarray
    running: np.ndarray
    running_product: float
    first: np.ndarray
    second: np.ndarray
    first_product: float
    second_product: float
    history: HistoryState
    below_guessing: bool
    worse_since: int | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Test-mode cost and accuracy on dev and test at the end of the live path."""

    dev_cost: float
    dev_accuracy: float
    test_cost: float
    test_accuracy: float
