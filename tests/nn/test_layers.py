"""Every backward pass against central differences, batch norm also by hand."""

import numpy as np
import pytest

from pandatui.nn import layers
from pandatui.nn.gradcheck import central_differences, relative_error
from pandatui.nn.layers import ACTIVATIONS


@pytest.mark.parametrize("batch_norm", [True, False], ids=["bn", "plain"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_agree_with_central_differences(activation, batch_norm, oracles):
    oracles["gradients"](activation, batch_norm)


@pytest.mark.parametrize("batch_norm", [True, False], ids=["bn", "plain"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_error_falls_as_the_square_of_h(activation, batch_norm, build):
    """A hundred times smaller error for a ten times smaller h: a small error alone could be luck."""
    problem = build.problem(activation, batch_norm)
    exact = problem.gradient()
    errors = [
        relative_error(exact, central_differences(problem.cost, problem.network.parameters, h))
        for h in (1e-2, 1e-3, 1e-4)
    ]
    ratios = [errors[0] / errors[1], errors[1] / errors[2]]
    assert all(90 < ratio < 110 for ratio in ratios), (errors, ratios)


def by_hand_network(build):
    """One hidden unit with batch norm and tanh, which arctanh undoes; weights by hand."""
    learner = build.learner((1, 1, 2), activation="tanh")
    v = learner.network.views
    v["W1"][...], v["scale1"][...], v["shift1"][...] = 2, 3, 0.5
    v["W2"][0], v["b2"][0] = [[1, -1]], [[0, 0]]
    return learner.network


def test_batch_norm_forward_by_hand(build):
    """x = (0, 1), W = 2, so z = (0, 2), μ = 1, σ² = ((−1)² + 1²)/2 = 1 (not 2: divided by m).

    ẑ = (−1, 1)/√(1 + 1e-5) = (−0.999995000037…, 0.999995…); y = 3 ẑ + 0.5 = (−2.499985…, 3.499985…).
    """
    network = by_hand_network(build)
    network.forward(np.array([[0.0], [1.0]]), np.array([0, 1]))
    np.testing.assert_array_equal(network.batch_statistics, [[1, 1]])
    workspace = network._workspace(2)
    np.testing.assert_allclose(np.arctanh(workspace.a[0][0, 0, 0]), -2.49998500011, rtol=1e-9)
    np.testing.assert_allclose(np.arctanh(workspace.a[0][0, 1, 0]), 3.49998500011, rtol=1e-9)


def test_batch_norm_backward_by_hand():
    """Three examples of one unit: z = (0, 3, 6), scale 2, dy = (1, 0, 2); ε = 1e-5 is left out of the words.

    μ = 3, centred z = (−3, 0, 3), σ² = (9 + 0 + 9)/3 = 6, √6 = 2.449, ẑ = (−1.2247, 0, 1.2247).
    dshift = 1 + 0 + 2 = 3, mean(dy) = 1.
    dscale = −1.2247 + 0 + 2.4495 = 1.2247, mean(dy·ẑ) = 0.40825.
    ẑ·mean(dy·ẑ) = (−0.5, 0, 0.5). dy − mean(dy) − that = (1 − 1 + 0.5, 0 − 1 − 0, 2 − 1 − 0.5),
    which is (0.5, −1, 0.5).
    gain = 2/√6 = 0.81650, dz = (0.40825, −0.81650, 0.40825). It sums to 0, as it must: z's mean is removed.
    """
    m = 3
    cache = layers.BatchNormCache(
        mean_row=np.full((1, m), 1 / m),
        ones_row=np.ones((1, m)),
        examples=np.array(3.0),
        epsilon=np.array(layers.BATCH_NORM_EPSILON),
        scratch=np.empty((1, m, 1)),
        **{name: np.empty((1, 1, 1)) for name in ("mean", "variance", "deviation", "gain", "row")},
    )
    z, y = np.array([[[0.0], [3.0], [6.0]]]), np.empty((1, m, 1))
    layers.batch_norm(z, np.full((1, 1, 1), 2.0), np.full((1, 1, 1), 0.5), cache, y)
    assert cache.mean.item() == 3
    assert cache.variance.item() == pytest.approx(6)
    np.testing.assert_allclose(y.ravel(), [2 * -1.22474 + 0.5, 0.5, 2 * 1.22474 + 0.5], atol=1e-5)
    dy, dscale, dshift = np.array([[[1.0], [0.0], [2.0]]]), np.empty((1, 1, 1)), np.empty((1, 1, 1))
    layers.batch_norm_backward(dy, z, dscale, dshift, cache)
    assert dshift.item() == 3
    assert dscale.item() == pytest.approx(1.22474, abs=1e-5)
    np.testing.assert_allclose(dy.ravel(), [0.40825, -0.81650, 0.40825], atol=1e-5)


def test_variance_survives_a_large_mean(build):
    """Two passes: one pass in float32 would lose every digit of the variance at a mean of 1e4."""
    network = build.learner((1, 1, 2), dtype="float32").network
    network.views["W1"][...] = 1
    x = (1e4 + np.array([[-1.0], [1.0], [-1.0], [1.0]])).astype(np.float32)
    network.forward(x, np.zeros(4, int))
    np.testing.assert_allclose(network.batch_statistics, [[1e4, 1]], rtol=1e-6)


EXACT = {
    "relu": lambda y: np.where(y > 0, y, 0),
    "leaky_relu": lambda y: np.where(y > 0, y, 0.01 * y),
    "tanh": np.tanh,
    "sigmoid": lambda y: 1 / (1 + np.exp(-y)),
}
SLOPES = {
    "relu": lambda y: np.where(y > 0, 1.0, 0.0),
    "leaky_relu": lambda y: np.where(y > 0, 1.0, 0.01),
    "tanh": lambda y: 1 - np.tanh(y) ** 2,
    "sigmoid": lambda y: EXACT["sigmoid"](y) * (1 - EXACT["sigmoid"](y)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_and_its_slope(name, dtype):
    y = np.linspace(-4, 4, 81).astype(dtype)
    activation, a, scratch = ACTIVATIONS[name], y.copy(), np.zeros_like(y)
    activation.forward(a, scratch)
    tolerance = {"float32": 1e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(a, EXACT[name](y), rtol=tolerance, atol=tolerance)
    da = np.full_like(y, 3)
    activation.backward(a, da, scratch)
    np.testing.assert_allclose(da, 3 * SLOPES[name](y), rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_huge_numbers_do_not_overflow(name):
    y = np.array([-3e38, 3e38], np.float32)
    ACTIVATIONS[name].forward(y, np.zeros_like(y))
    assert np.isfinite(y).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_pass_nan_on(name):
    y = np.array([np.nan, 1], np.float32)
    ACTIVATIONS[name].forward(y, np.zeros_like(y))
    assert np.isnan(y[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_leaky_slope_is_one_or_a_hundredth_to_the_bit(dtype):
    da = np.ones(2, dtype)
    layers.leaky_relu_backward(np.array([1, -1], dtype), da, np.empty(2, dtype))
    assert da.tolist() == [1, np.dtype(dtype).type(0.01)]


def test_relu_has_no_slope_at_zero():
    da = np.ones(1)
    layers.relu_backward(np.zeros(1), da, np.empty(1))
    assert da[0] == 0


def test_dense_skips_the_gradient_of_data():
    a, W, dz = np.ones((3, 2)), np.ones((1, 2, 4)), np.ones((1, 3, 4))
    dW = np.empty_like(W)
    layers.dense_backward(a, W, dz, dW, None)
    np.testing.assert_array_equal(dW, np.full((1, 2, 4), 3))
