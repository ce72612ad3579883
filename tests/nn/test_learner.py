"""A member's bits in a population, steps that are not finite, and a hot loop that allocates nothing."""

import gc
import tracemalloc

import numpy as np
import pytest

MEMBERS = 16

SHAPES = [  # widths, batch norm, batch sizes (ragged ones among them)
    ((2, 16, 16, 2), True, (64, 64, 23)),
    ((64, 64, 32, 10), True, (64, 37)),
    ((13, 33, 17, 9, 4), True, (31, 31, 2)),
    ((7, 1, 3), True, (8, 5)),
    ((5, 21, 2), False, (16, 1)),
    ((30, 3), False, (10, 1, 7)),
]


def knobs_of(build, members):
    """α, β, β₂ and L2 of each of these members: all different, some at a limit."""
    rates = [10 ** (-3 + 2 * i / MEMBERS) for i in members]
    betas = [0.0 if i == 3 else 0.99 - 0.05 * i for i in members]
    second = [0.0 if i == 4 else 1 - 10 ** (-1 - i / 5) for i in members]
    l2 = [0.0 if i % 3 == 0 else 0.001 * i for i in members]
    return [build.column(*values) for values in (rates, betas, second, l2)]


def train(build, members, widths, batch_norm, sizes, *, steps, own, optimizer, activation, dtype):
    """These members of the population of 16, trained together. Returns the learner and what it gave."""
    learner = build.learner(
        widths, len(members), optimizer=optimizer, activation=activation, batch_norm=batch_norm,
        dtype=dtype, seeds=[100 + i for i in members],
    )  # fmt: skip
    *knobs, l2 = knobs_of(build, members)
    learner.optimizer.set(*knobs)
    learner.set_l2(l2)
    rng = np.random.default_rng(7)
    costs = []
    for step in range(steps):
        m = sizes[step % len(sizes)]
        x = rng.standard_normal((MEMBERS, m, widths[0])).astype(dtype)
        labels = rng.integers(0, widths[-1], (MEMBERS, m))
        if step == steps // 2:  # a nudge for all
            learner.optimizer.set(knobs[0] * 0.5, knobs[1] * 0.5, knobs[2])
        x, labels = (x[members], labels[members]) if own else (x[0], labels[0])
        cost, finite = learner.step(x, labels)
        assert finite
        costs.append(cost)
    learner.optimizer.flush()
    x, labels = rng.standard_normal((1500, widths[0])).astype(dtype), rng.integers(0, widths[-1], 1500)
    return (
        learner,
        np.array(costs),
        learner.network.evaluate(x, labels),
        learner.network.probabilities(x[:50]),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("optimizer", "activation", "own"),
    [
        ("sgd", "relu", False),
        ("momentum", "tanh", True),
        ("rmsprop", "sigmoid", False),
        ("adam", "leaky_relu", True),
        ("adam", "relu", False),
    ],
)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape[0])))
def test_a_member_has_the_bits_it_has_alone(shape, optimizer, activation, own, dtype, build):
    how = {"steps": 52, "own": own, "optimizer": optimizer, "activation": activation, "dtype": dtype}
    together, costs, evaluation, probabilities = train(build, list(range(MEMBERS)), *shape, **how)
    for member in (0, 3, 4, 9, 15):
        alone, own_costs, own_evaluation, own_probabilities = train(build, [member], *shape, **how)
        build.same_bytes(build.state(alone), build.state(together, [member]))
        assert own_costs[:, 0].tobytes() == costs[:, member].tobytes()
        assert [float(v[0]) for v in own_evaluation] == [float(v[member]) for v in evaluation]
        assert own_probabilities[0].tobytes() == probabilities[member].tobytes()


def test_every_member_of_one_population(build):
    shape = ((64, 64, 32, 10), True, (64, 37))
    how = {"steps": 50, "own": False, "optimizer": "adam", "activation": "relu", "dtype": "float32"}
    together, *_ = train(build, list(range(MEMBERS)), *shape, **how)
    for member in range(MEMBERS):
        alone, *_ = train(build, [member], *shape, **how)
        build.same_bytes(build.state(alone), build.state(together, [member]))


def test_kept_members_go_on_with_their_bits(build):
    rng = np.random.default_rng(0)
    whole = build.learner((6, 9, 3), 5, dtype="float32")
    whole.set_l2(build.column(0, 0.1, 0.2, 0.3, 0.4))
    x, labels = rng.standard_normal((12, 6)).astype(np.float32), rng.integers(0, 3, 12)
    for _ in range(5):
        whole.step(x, labels)
    kept = whole.keep([4, 1])
    for learner in (whole, kept):
        for _ in range(5):
            learner.step(x, labels)
    build.same_bytes(build.state(kept), build.state(whole, [4, 1]))


# -- not finite ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
@pytest.mark.parametrize(
    ("bad", "batch_norm"), [(np.inf, True), (np.inf, False), (np.nan, True), (np.nan, False), (3e38, True)]
)
def test_a_step_that_is_not_finite_changes_nothing(bad, batch_norm, optimizer, build):
    learner = build.learner((4, 5, 3), dtype="float32", batch_norm=batch_norm, optimizer=optimizer)
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((8, 4)).astype(np.float32), rng.integers(0, 3, 8)
    for _ in range(3):
        assert learner.step(x, labels)[1]
    before = build.state(learner)
    spoilt = x.copy()
    spoilt[2] = bad
    _, finite = learner.step(spoilt, labels)
    assert not finite
    assert not learner.whole[0]
    build.same_bytes(build.state(learner), before)
    assert learner.step(x, labels)[1]  # and it goes on from there


def test_a_finite_cost_with_an_infinite_gradient_counts(build):
    """W1 = 0 hides an input of 3e38 from the cost, 200 nats; d cost/dW1 is 200 times the input."""
    learner = build.learner((1, 1, 2), dtype="float32", batch_norm=False)
    views = learner.network.views
    views["W1"][...], views["b1"][...], views["W2"][0] = 0, 1, [[100, -100]]
    before = build.state(learner)
    costs, finite = learner.step(np.full((2, 1), 3e38, np.float32), np.array([1, 1]))
    assert costs[0] == 200
    assert not finite
    build.same_bytes(build.state(learner), before)


def test_large_but_finite_gradients_are_taken(build):
    """1e25 squared overflows float32: the quick look by sum of squares must not be the last word."""
    learner = build.learner((2, 2), dtype="float32", batch_norm=False, optimizer="sgd")
    learner.network.parameters[...] = 0
    x = np.full((2, 2), 1e25, np.float32)
    costs, finite = learner.step(x, np.array([0, 0]))
    assert np.isfinite(costs[0])
    assert finite
    assert np.abs(learner.network.parameters).max() > 1e20


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_only_the_bad_member_of_a_population_is_frozen(optimizer, build):
    """Member 1 meets an infinity at step 4 of 8 and takes no part in that step; the others never notice."""
    options = {"dtype": "float32", "optimizer": optimizer}
    together = build.learner((4, 6, 3), 3, seeds=[10, 11, 12], **options)
    alone = [build.learner((4, 6, 3), seeds=[10 + i], **options) for i in range(3)]
    rng = np.random.default_rng(0)
    for step in range(8):
        x, labels = rng.standard_normal((3, 8, 4)).astype(np.float32), rng.integers(0, 3, 8)
        if step == 3:
            x[1, 0, 0] = np.inf
            before = build.state(together, [1])
        _, finite = together.step(x, labels)
        assert finite == (step != 3)
        if step == 3:
            assert together.whole.tolist() == [True, False, True]
            build.same_bytes(build.state(together, [1]), before)
        for member, learner in enumerate(alone):
            learner.step(x[member : member + 1], labels)
            build.same_bytes(build.state(learner), build.state(together, [member]))
    x = rng.standard_normal((20, 4)).astype(np.float32)
    for member, learner in enumerate(alone):  # the frozen one's averages are corrected by its own product
        assert (
            learner.network.probabilities(x)[0].tobytes()
            == together.network.probabilities(x)[member].tobytes()
        )


def test_all_members_bad_change_nothing(build):
    learner = build.learner((4, 6, 3), 3, dtype="float32")
    before = build.state(learner)
    _, finite = learner.step(np.full((8, 4), np.nan, np.float32), np.zeros(8, int))
    assert not finite
    build.same_bytes(build.state(learner), before)


# -- L2 ------------------------------------------------------------------------------------------------------


def test_l2_is_on_weight_matrices_alone_and_not_in_the_cost(build):
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((8, 4)), rng.integers(0, 3, 8)
    plain, penalised = build.learner((4, 6, 3)), build.learner((4, 6, 3))
    penalised.set_l2(build.column(0.5))
    costs = [learner.step(x, labels)[0] for learner in (plain, penalised)]
    assert costs[0] == costs[1]
    start = build.learner((4, 6, 3)).network.views
    for name, gradient in penalised.network.gradient_views.items():
        penalty = 0.5 * start[name] if name.startswith("W") else 0
        np.testing.assert_allclose(gradient, plain.network.gradient_views[name] + penalty, rtol=1e-13)


def test_l2_in_blocks_gives_the_bits_of_the_whole(build, monkeypatch):
    gradients = []
    for block in (7, 10**6):
        monkeypatch.setattr("pandatui.nn.network._BLOCK", block)
        network = build.learner((5, 7, 3), 2).network
        network.add_l2(build.column(0.1, 0.7))
        gradients.append(network.gradients.tobytes())
    assert gradients[0] == gradients[1]


# -- memory --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize(
    ("optimizer", "activation", "batch_norm"),
    [
        ("sgd", "leaky_relu", False),
        ("momentum", "tanh", True),
        ("rmsprop", "sigmoid", True),
        ("adam", "relu", True),
        ("adam", "leaky_relu", True),
    ],
)
def test_the_hot_loop_allocates_nothing(optimizer, activation, batch_norm, members, build):
    """200 steps on two batch sizes, with L2: no growth, and at no time more than NumPy's own buffer for
    broadcasting, 8,192 numbers whatever the size; a layer's activations would be 131,072 bytes a member."""
    learner = build.learner(
        (64, 96, 64, 10), members, optimizer=optimizer, activation=activation, batch_norm=batch_norm,
        dtype="float32",
    )  # fmt: skip
    learner.set_l2(np.full((members, 1), 0.01))
    rng = np.random.default_rng(0)
    batches = [(rng.standard_normal((m, 64)).astype(np.float32), rng.integers(0, 10, m)) for m in (512, 40)]
    for _ in range(5):
        for x, labels in batches:
            learner.step(x, labels)
    gc.collect()
    tracemalloc.start()
    try:
        learner.step(*batches[0])
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(100):
            for x, labels in batches:
                learner.step(x, labels)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000
    assert peak - before < 45_000
