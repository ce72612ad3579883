"""The numerics: NumPy and the standard library, no clock, no files, no printing, no global randomness.

Every array has a leading member axis K: a network is a population of K of one shape trained in
lockstep, and one network is a population of one. Each member's bits are those it has when trained alone.
"""

from pandatui.nn.learner import Learner
from pandatui.nn.network import Architecture, Network
from pandatui.nn.optimizers import OPTIMIZERS, Optimizer

__all__ = ["OPTIMIZERS", "Architecture", "Learner", "Network", "Optimizer"]
