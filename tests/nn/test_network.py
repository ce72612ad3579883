"""Shapes, starts, and test mode."""

import numpy as np
import pytest

from pandatui.nn import Architecture, Network
from pandatui.nn.network import EVALUATION_ROWS

# -- shapes --------------------------------------------------------------------------------------------------


def test_parameters_in_their_order():
    with_norm = Architecture(5, (7, 4), 3).parameter_shapes()
    assert with_norm == {
        "W1": (5, 7), "W2": (7, 4), "W3": (4, 3),
        "scale1": (1, 7), "shift1": (1, 7), "scale2": (1, 4), "shift2": (1, 4), "b3": (1, 3),
    }  # fmt: skip
    plain = Architecture(5, (7,), 3, batch_norm=False).parameter_shapes()
    assert plain == {"W1": (5, 7), "W2": (7, 3), "b1": (1, 7), "b2": (1, 3)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, (7,), 1), "1 class: a softmax needs at least 2"),
        ((5, (7, 0), 3), "every layer needs at least one unit"),
        ((0, (7,), 3), "every layer needs at least one unit"),
        ((5, (7,), 3, "gelu"), "'gelu': expected one of relu, leaky_relu, tanh, sigmoid"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Architecture(*arguments)


@pytest.mark.parametrize("members", [1, 3])
def test_views_share_the_flat_arrays_and_cover_them(members):
    network = Network(Architecture(5, (7, 4), 3), members)
    for views, flat in ((network.views, network.parameters), (network.gradient_views, network.gradients)):
        for number, view in enumerate(views.values()):
            view[...] = number + 1
        assert (flat > 0).all()
    assert network.n_weights == 5 * 7 + 7 * 4 + 4 * 3
    assert (network.parameters[:, : network.n_weights] <= 3).all()  # the three W come first


# -- the start -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_variance_of_the_start(activation):
    """He: 2/fan_in. Glorot, and always the output layer: 2/(fan_in + fan_out)."""
    network = Network(Architecture(400, (300,), 200, activation), dtype="float64")
    network.initialise([np.random.default_rng(0)])
    he = activation in ("relu", "leaky_relu")
    expected = {"W1": 2 / 400 if he else 2 / 700, "W2": 2 / 500}
    for name, variance in expected.items():
        W = network.views[name]
        assert W.var() == pytest.approx(variance, rel=0.02)
        assert abs(W.mean()) < 4 * (variance / W.size) ** 0.5


def test_scale_one_shift_and_bias_zero():
    network = Network(Architecture(4, (3,), 2))
    network.initialise([np.random.default_rng(0)])
    assert (network.views["scale1"] == 1).all()
    assert (network.views["shift1"] == 0).all()
    assert (network.views["b2"] == 0).all()


def test_float32_starts_at_the_rounded_float64():
    starts = {}
    for dtype in ("float32", "float64"):
        network = Network(Architecture(9, (8, 7), 3), dtype=dtype)
        network.initialise([np.random.default_rng(5)])
        starts[dtype] = network.parameters
    np.testing.assert_array_equal(starts["float32"], starts["float64"].astype(np.float32))


def test_each_member_starts_from_its_own_stream():
    architecture = Architecture(9, (8,), 3)
    network = Network(architecture, 3)
    network.initialise([np.random.default_rng(seed) for seed in (5, 6, 5)])
    alone = Network(architecture)
    alone.initialise([np.random.default_rng(6)])
    np.testing.assert_array_equal(network.parameters[0], network.parameters[2])
    np.testing.assert_array_equal(network.parameters[1], alone.parameters[0])
    assert (network.parameters[0] != network.parameters[1]).any()


# -- test mode -----------------------------------------------------------------------------------------------


def trained(build, steps=30, **options):
    learner = build.learner((6, 9, 5, 3), **options)
    rng = np.random.default_rng(1)
    means = []
    for _ in range(steps):
        x = rng.standard_normal((20, 6)) + 0.5
        learner.step(x.astype(learner.network.dtype), rng.integers(0, 3, 20))
        means.append(learner.network.batch_statistics.copy())
    return learner.network, means


def test_before_the_first_step_mean_zero_variance_one(build):
    network = build.learner((6, 9, 5, 3), 2).network
    for name, statistic in network.test_statistics().items():
        assert (statistic == name.startswith("variance")).all()


def test_running_averages_against_a_direct_sum(build):
    """Σ ρ^(t−i) (1 − ρ) new_i / (1 − ρᵗ), weights that sum to 1."""
    network, means = trained(build)
    weights = 0.9 ** np.arange(len(means) - 1, -1, -1)
    weights /= weights.sum()
    expected = np.tensordot(weights, np.array(means), 1)
    flat = np.concatenate([s.reshape(1, -1) for s in network.test_statistics().values()], axis=1)
    np.testing.assert_allclose(flat, expected, rtol=1e-12)


def test_after_one_step_they_are_the_batchs(build):
    network, means = trained(build, steps=1)
    flat = np.concatenate([s.reshape(1, -1) for s in network.test_statistics().values()], axis=1)
    np.testing.assert_allclose(flat, means[0], rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_example_at_a_time_is_close_to_the_batch(dtype, build):
    network, _ = trained(build, dtype=dtype)
    x = np.random.default_rng(2).standard_normal((12, 6)).astype(dtype)
    together = network.probabilities(x)
    for i in range(12):
        one = network.probabilities(x[i : i + 1])
        np.testing.assert_allclose(one[:, 0], together[:, i], rtol={"float32": 1e-4, "float64": 1e-12}[dtype])
    np.testing.assert_allclose(together.sum(axis=-1), 1, rtol=1e-6)


def test_evaluation_changes_no_state(build):
    learner = build.learner((6, 9, 3), 2, dtype="float32")
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((50, 6)).astype(np.float32), rng.integers(0, 3, 50)
    learner.step(x, labels)
    before, statistics = build.state(learner), learner.network.batch_statistics.tobytes()
    learner.network.evaluate(x, labels)
    learner.network.probabilities(x[:7])
    build.same_bytes(build.state(learner), before)
    assert learner.network.batch_statistics.tobytes() == statistics


@pytest.mark.parametrize("rows", [1, 1023, 1024, 1025, 2100])
def test_rows_go_in_chunks_of_1024(rows, build):
    """The bits of whole chunks are those of the chunks evaluated alone; the mean is over all rows."""
    assert EVALUATION_ROWS == 1024
    network, _ = trained(build, dtype="float32")
    rng = np.random.default_rng(3)
    x, labels = rng.standard_normal((rows, 6)).astype(np.float32), rng.integers(0, 3, rows)
    parts = [slice(s, min(rows, s + 1024)) for s in range(0, rows, 1024)]
    assert [taken for taken, _ in network.logits(x)] == parts
    together = network.probabilities(x)
    cost, accuracy = 0.0, 0.0
    for part in parts:
        np.testing.assert_array_equal(network.probabilities(x[part]), together[:, part])
        c, a = network.evaluate(x[part], labels[part])
        cost, accuracy = cost + c[0] * len(x[part]), accuracy + a[0] * len(x[part])
    whole = network.evaluate(x, labels)
    np.testing.assert_allclose([whole[0][0], whole[1][0]], [cost / rows, accuracy / rows], rtol=1e-12)


class Asked:
    """Rows that remember which of them were looked at."""

    def __init__(self, rows):
        self.rows, self.slices = rows, []

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, which):
        self.slices.append(which)
        return self.rows[which]


def test_rows_are_asked_for_once_and_a_chunk_at_a_time(build):
    network, _ = trained(build, dtype="float32")
    rng = np.random.default_rng(3)
    x, labels = rng.standard_normal((2100, 6)).astype(np.float32), rng.integers(0, 3, 2100)
    for look in (lambda rows: network.evaluate(rows, labels), network.probabilities):
        asked = Asked(x)
        found = look(asked)
        np.testing.assert_array_equal(found, look(x))
        assert [len(x[part]) for part in asked.slices] == [1024, 1024, 52]


def test_ties_go_to_the_lowest_class(oracles):
    oracles["ties"]()


def test_evaluating_overflow_gives_numbers_not_errors(build):
    network = build.learner((2, 3, 2), dtype="float32", batch_norm=False).network
    network.parameters[...] = 3e38
    cost, _ = network.evaluate(np.full((2, 2), 3e38, np.float32), np.array([0, 1]))
    assert not np.isfinite(cost[0])


def test_more_batch_sizes_than_are_kept(build):
    """Buffers of a few sizes are kept; one that was dropped comes back with the same bits."""
    learners = [build.learner((4, 5, 3)) for _ in range(2)]
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((40, 4)), rng.integers(0, 3, 40)
    for m in (2, 3, 4, 5, 6, 7, 2, 3):
        learners[0].step(x[:m], labels[:m])
        learners[1].network._workspaces.clear()
        learners[1].step(x[:m], labels[:m])
    assert len(learners[0].network._workspaces) <= 4
    build.same_bytes(build.state(learners[0]), build.state(learners[1]))


def test_running_product_of_a_lone_network(build):
    """The number in a checkpoint: read, and put back."""
    network, _ = trained(build, steps=3)
    assert network.running_product == pytest.approx(0.9**3)
    network.running_product = 0.5
    assert network.running_products.tolist() == [[0.5]]
