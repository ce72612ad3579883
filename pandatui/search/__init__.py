"""Search: many runs with random hyperparameters, coarse to fine, and what came of them."""

from pandatui.search.space import Dimension, Space

__all__ = ["Dimension", "Space"]
