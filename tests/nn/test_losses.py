"""Softmax cross-entropy: closed forms, shifts, and logits that would overflow a plain exponential."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.nn.losses import LossCache, cross_entropy, cross_entropy_backward


def costs_and_gradient(logits, labels):
    """For logits (K, m, C): costs (K, m) and dlogits (K, m, C)."""
    by_class = np.ascontiguousarray(np.swapaxes(logits, -1, -2))
    cache = LossCache.of(len(logits), logits.shape[1], logits.shape[2], logits.dtype)
    costs = cross_entropy(by_class, labels, cache).copy()
    cross_entropy_backward(by_class, cache)
    return costs, by_class.swapaxes(-1, -2)


def test_equal_logits_cost_ln_c():
    costs, gradient = costs_and_gradient(np.zeros((1, 2, 10)), np.array([3, 7]))
    np.testing.assert_allclose(costs, np.log(10))
    expected = np.full((2, 10), 0.1) / 2
    expected[0, 3] -= 0.5
    expected[1, 7] -= 0.5
    np.testing.assert_allclose(gradient[0], expected)


def test_by_hand():
    """Logits (0, ln 3): softmax (1/4, 3/4). Label 0 costs ln 4; dlogits = (1/4 − 1, 3/4), m = 1."""
    costs, gradient = costs_and_gradient(np.array([[[0, np.log(3)]]]), np.array([0]))
    np.testing.assert_allclose(costs, np.log(4))
    np.testing.assert_allclose(gradient[0, 0], [-0.75, 0.75])


def test_logits_of_ten_thousand(oracles):
    oracles["huge logits"]()


def test_labels_shared_or_each_members_own():
    logits = np.random.default_rng(0).standard_normal((2, 4, 3))
    own = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    costs, gradient = costs_and_gradient(logits, own)
    for member in range(2):
        alone = costs_and_gradient(logits[member : member + 1], own[member])
        np.testing.assert_array_equal(costs[member], alone[0][0])
        np.testing.assert_array_equal(gradient[member], alone[1][0])


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_any_integer_labels(dtype):
    """300 examples of 3 classes: an index of uint8 would wrap."""
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((1, 300, 3)), rng.integers(0, 3, 300)
    np.testing.assert_array_equal(
        costs_and_gradient(logits, labels.astype(dtype))[0], costs_and_gradient(logits, labels)[0]
    )


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=8),
    st.floats(-1000, 1000),
    st.integers(0, 1),
)
def test_a_shift_changes_nothing_and_gradients_sum_to_zero(row, shift, label):
    logits = np.array([[row]])
    costs, gradient = costs_and_gradient(logits.copy(), np.array([label]))
    shifted, _ = costs_and_gradient(logits + shift, np.array([label]))
    assert costs[0, 0] >= 0
    np.testing.assert_allclose(costs, shifted, atol=1e-10)
    assert abs(gradient.sum()) < 1e-12
