"""The oracle itself, on functions whose derivatives are known."""

import numpy as np
import pytest

from pandatui.nn.gradcheck import central_differences, relative_error


def test_exact_for_a_quadratic():
    w = np.array([[1.0, -2.0], [0.5, 3.0]])
    assert relative_error(central_differences(lambda: float((w**2).sum()), w), 2 * w) < 1e-10


def test_parameters_are_put_back():
    w = np.array([[0.1, 0.2, 0.3]])
    kept = w.tobytes()
    central_differences(lambda: float(w.sum()), w)
    assert w.tobytes() == kept


@pytest.mark.parametrize("h", [1e-2, 1e-3])
def test_error_falls_as_the_square_of_h(h):
    # d³/dw³ eʷ = eʷ, so the error is eʷ h²/6
    w = np.array([[0.7]])
    error = central_differences(lambda: float(np.exp(w).sum()), w, h) - np.exp(w)
    assert error == pytest.approx(np.exp(w) * h**2 / 6, rel=1e-3)


def test_relative_error_of_zeros_is_zero():
    assert relative_error(np.zeros(3), np.zeros(3)) == 0
    assert relative_error(np.ones(3), np.zeros(3)) == 1
