"""Each rule by hand, the corrections after a nudge, and what must not change a bit."""

import numpy as np
import pytest

from pandatui.nn import OPTIMIZERS, Optimizer, optimizers


def one(build, name, *, rate=0.1, beta=0.9, beta2=0.999, start=1.0):
    """An optimizer of one parameter, and the parameter."""
    w = build.column(start)
    optimizer = Optimizer(name, w)
    optimizer.set(build.column(rate), build.column(beta), build.column(beta2))
    return optimizer, w


def test_sgd_by_hand(build):
    """w = 1 − 0.1 · 2 = 0.8."""
    optimizer, w = one(build, "sgd")
    optimizer.update(w, build.column(2))
    assert w.item() == pytest.approx(0.8, rel=1e-15)


def test_momentum_by_hand(build):
    """g = 2 then 1, β 0.9, α 0.1.

    v₁ = 0.1 · 2 = 0.2, w₁ = 1 − 0.1 · 0.2 = 0.98. v₂ = 0.9 · 0.2 + 0.1 · 1 = 0.28, w₂ = 0.98 − 0.028 = 0.952.
    No bias correction: the average starts at 0 and α stands outside of it.
    """
    optimizer, w = one(build, "momentum")
    optimizer.update(w, build.column(2))
    assert w.item() == pytest.approx(0.98, rel=1e-15)
    optimizer.update(w, build.column(1))
    assert optimizer.first.item() == pytest.approx(0.28, rel=1e-15)
    assert w.item() == pytest.approx(0.952, rel=1e-15)


def test_rmsprop_by_hand(build):
    """g = 2 then 1, β₂ 0.5, α 0.1.

    s₁ = 0.5 · 4 = 2, ŝ₁ = 2/(1 − 0.5) = 4, w₁ = 1 − 0.1 · 2/2 = 0.9 (the ε of 1e-8 takes off half of it).
    s₂ = 0.5 · 2 + 0.5 · 1 = 1.5, ŝ₂ = 1.5/(1 − 0.25) = 2, w₂ = 0.9 − 0.1/√2 = 0.829289…
    """
    optimizer, w = one(build, "rmsprop", beta2=0.5)
    optimizer.update(w, build.column(2))
    assert w.item() == pytest.approx(0.9, abs=1e-9)
    optimizer.update(w, build.column(1))
    assert optimizer.second.item() == pytest.approx(1.5)
    assert w.item() == pytest.approx(0.9 - 0.1 / 2**0.5, abs=2e-9)


def test_adam_by_hand(build):
    """g = 2 then 1, β 0.9, β₂ 0.5, α 0.1.

    v₁ = 0.2, v̂₁ = 0.2/0.1 = 2, ŝ₁ = 4, w₁ = 1 − 0.1 · 2/2 = 0.9.
    v₂ = 0.9 · 0.2 + 0.1 = 0.28, v̂₂ = 0.28/(1 − 0.81) = 1.473684, ŝ₂ = 2,
    w₂ = 0.9 − 0.1 · 1.473684/√2 = 0.795795.
    """
    optimizer, w = one(build, "adam", beta2=0.5)
    optimizer.update(w, build.column(2))
    assert w.item() == pytest.approx(0.9, abs=1e-9)
    optimizer.update(w, build.column(1))
    assert w.item() == pytest.approx(0.9 - 0.1 * (0.28 / 0.19) / 2**0.5, abs=2e-9)


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_epsilon_is_outside_the_root(name, build):
    """A gradient of 1e-8, as large as ε: the first step is α g/(g + ε) = α/2. With √(g² + ε): α/1e4."""
    optimizer, w = one(build, name, start=0.0)
    optimizer.update(w, build.column(1e-8))
    assert w.item() == pytest.approx(-0.1 / 2, rel=1e-6)


def test_corrections_use_the_product_of_the_betas_applied(build):
    """A constant gradient has the average g whatever the betas were, so that Adam's step is α: v̂ = g, ŝ = g².

    β goes from 0.9 to 0.99 at step 11. The product is 0.9¹⁰ · 0.99 = 0.3452, the correction 0.6548;
    1 − 0.99¹¹ would be 0.1047, and the step six times too long.
    """
    optimizer, w = one(build, "adam")
    for step in range(1, 21):
        if step == 11:
            optimizer.set(build.column(0.1), build.column(0.99), build.column(0.9999))
        before = w.item()
        optimizer.update(w, build.column(3))
        assert before - w.item() == pytest.approx(0.1, rel=1e-8)
        if step == 11:
            assert 1 - optimizer.first_product.item() == pytest.approx(0.6548, abs=1e-4)
    assert optimizer.first_product.item() == pytest.approx(0.9**10 * 0.99**10, rel=1e-14)
    assert optimizer.second_product.item() == pytest.approx(0.999**10 * 0.9999**10, rel=1e-14)


def test_a_nudge_of_beta_leaves_the_size_of_momentums_step(build):
    """Settled on a constant gradient, the step is α g before and after: β is no second learning rate."""
    optimizer, w = one(build, "momentum")
    for _ in range(400):
        optimizer.update(w, build.column(2))
    for beta in (0.99, 0.5):
        optimizer.set(build.column(0.1), build.column(beta), build.column(0.999))
        before = w.item()
        optimizer.update(w, build.column(2))
        assert before - w.item() == pytest.approx(0.2, rel=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.9999])
def test_limits_of_beta(beta, build):
    optimizer, w = one(build, "adam", beta=beta, beta2=0.0)
    optimizer.update(w, build.column(5))
    assert w.item() == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize(("members", "n"), [(1, 300_001), (3, 300_001), (16, 9_000)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_blocks_give_the_bits_of_the_whole(name, dtype, members, n, monkeypatch):
    """Blocks of 65,536: each 300,001 in four and a ragged one, members of 9,000 seven at a time."""
    assert optimizers._BLOCK == 65_536
    results = []
    for block in (optimizers._BLOCK, 10**7):
        monkeypatch.setattr(optimizers, "_BLOCK", block)
        rng = np.random.default_rng(0)
        w = rng.standard_normal((members, n)).astype(dtype)
        optimizer = Optimizer(name, w)
        each = np.arange(1, members + 1)[:, None] / members
        for _ in range(2):
            optimizer.set(0.01 * each, 0.9 * each, 0.999 * each)
            optimizer.update(w, rng.standard_normal(w.shape).astype(dtype))
        results.append((w.tobytes(), optimizer.first.tobytes(), optimizer.second.tobytes()))
    assert results[0] == results[1]


def test_flush_clears_subnormals_and_nothing_else(build):
    w = np.zeros((1, 6), np.float32)
    optimizer = Optimizer("adam", w)
    optimizer.first[...] = optimizer.second[...] = [[6e-45, -6e-45, 9e-31, 2e-30, -1, 0]]
    optimizer.flush()
    expected = np.array([[0, 0, 0, 2e-30, -1, 0]], np.float32)
    np.testing.assert_array_equal(optimizer.first, expected)
    np.testing.assert_array_equal(optimizer.second, expected)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_kept_members_go_on_with_their_own_state(name, build):
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    optimizer = Optimizer(name, w)
    optimizer.set(
        build.column(0.1, 0.2, 0.3, 0.4), build.column(0.9, 0.8, 0.7, 0.6), build.column(*[0.99] * 4)
    )
    optimizer.update(w, g)
    kept, kept_w = optimizer.keep([3, 1]), w[[3, 1]]
    optimizer.update(w, g)
    kept.update(kept_w, g[[3, 1]])
    np.testing.assert_array_equal(kept_w, w[[3, 1]])
    np.testing.assert_array_equal(kept.first, optimizer.first[[3, 1]])
    np.testing.assert_array_equal(kept.second_product, optimizer.second_product[[3, 1]])


def test_kept_state_is_a_copy(build):
    optimizer, w = one(build, "adam")
    kept = optimizer.keep([0])
    optimizer.update(w, build.column(1))
    assert kept.first.item() == 0
    assert kept.first_product.item() == 1


def test_unknown_name_says_which_are_known(build):
    with pytest.raises(ValueError, match="'adagrad': expected one of sgd, momentum, rmsprop, adam"):
        Optimizer("adagrad", build.column(0))
