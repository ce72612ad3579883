"""Central differences: the oracle that every backward pass answers to."""

from collections.abc import Callable

import numpy as np

from pandatui.nn.layers import Array


def central_differences(cost: Callable[[], float], parameters: Array, h: float = 1e-5) -> Array:
    """(cost(w + h eᵢ) − cost(w − h eᵢ)) / 2h for every entry of `parameters`, which is changed and put back.

    `parameters` is what `cost` reads, float64. The error falls as h² until rounding takes over near 1e-6.
    """
    gradient = np.empty_like(parameters)
    for index in np.ndindex(parameters.shape):
        kept = parameters[index]
        parameters[index] = kept + h
        above = cost()
        parameters[index] = kept - h
        below = cost()
        parameters[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a: Array, b: Array) -> float:
    """‖a − b‖ / (‖a‖ + ‖b‖), 0 where both are zero."""
    total = float(np.linalg.norm(a) + np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / total if total else 0.0
