"""The layers' health against figures worked out another way, and the run that is looked at against one that
is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pandatui.training.diagnostics import LayerHealth, examine, troubles
from pandatui.training.distributions import BINS, EDGES, MOST_COLUMNS, Distributions, stride_at
from pandatui.training.events import Nudge, Redo, Rewind


def trained(new_run, data, steps=30, **settings):
    run = new_run(data, **({"epochs": 99} | settings))
    while run.steps < steps and run.ready:
        run.step()
    return run


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_looking_changes_no_bit(new_run, dataset, optimizer, batch_norm):
    data = dataset(50)
    seen = new_run(data, optimizer=optimizer, batch_norm=batch_norm, l2=0.1, decay=0.1, epochs=9)
    alone = new_run(data, optimizer=optimizer, batch_norm=batch_norm, l2=0.1, decay=0.1, epochs=9)
    while seen.ready:
        examine(seen)
        seen.step()
        alone.step()
    assert seen.weights_sha256() == alone.weights_sha256()
    assert seen.history.costs_sha256() == alone.history.costs_sha256()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_the_update_is_that_of_the_next_step(new_run, dataset, optimizer):
    run = trained(new_run, dataset(50), optimizer=optimizer, l2=0.2)
    layers = examine(run)
    before = {name: view.copy() for name, view in run.network.views.items()}
    run.step()
    for i, layer in enumerate(layers, start=1):
        old, new = before[f"W{i}"], run.network.views[f"W{i}"]
        expected = math.log10(np.linalg.norm((new - old).ravel()) / np.linalg.norm(old.ravel()))
        assert layer.update == pytest.approx(expected, abs=1e-4)


def test_gradients_are_those_of_the_cost(new_run, dataset):
    """Against central differences of the cost in float64, along the gradient itself."""
    run = trained(new_run, dataset(50, dtype="float64"), dtype="float64", activation="tanh")
    layers = examine(run)
    x, labels = (each.copy() for each in run.gather(run.batches.peek(4)))
    h = 1e-6
    for i, layer in enumerate(layers, start=1):
        weights = run.network.views[f"W{i}"]
        total = 0.0
        for place in np.ndindex(weights.shape):
            kept = weights[place]
            weights[place] = kept + h
            up = float(run.network.forward(x, labels)[0])
            weights[place] = kept - h
            down = float(run.network.forward(x, labels)[0])
            weights[place] = kept
            total += ((up - down) / (2 * h)) ** 2
        assert layer.gradient == pytest.approx(math.sqrt(total), rel=1e-5)


def test_with_batch_norm_what_goes_in_has_the_spread_of_scale(new_run, dataset):
    run = trained(new_run, dataset(50), steps=0)
    first, second, output = examine(run)
    assert first.mean == pytest.approx(0, abs=1e-5)
    assert first.spread == pytest.approx(1, abs=1e-2)  # scale 1, shift 0
    assert (first.scale, first.shift) == ((1, 1), (0, 0))
    assert (first.name, second.name, output.name) == ("hidden 1", "hidden 2", "output")
    assert (first.units, second.units, output.units) == (5, 4, 3)
    assert math.isnan(output.dead)
    assert math.isnan(output.lag)


def test_the_lag_of_test_mode_after_a_large_nudge(new_run, dataset):
    run = trained(new_run, dataset(200), steps=200, learning_rate=0.01, batch_size=50)
    calm = examine(run)
    assert all(0.7 < layer.spread_ratio < 1.4 for layer in calm[:-1])
    assert troubles(calm) == ()
    run.apply(Nudge("learning_rate", to=30.0))
    run.step()
    run.step()
    jumped = examine(run)
    assert any("do not trust dev cost yet" in words for words in troubles(jumped))
    assert max(layer.lag for layer in jumped[:-1]) > 2 * max(layer.lag for layer in calm[:-1])


def test_dead_and_saturated_layers_are_said(new_run, dataset):
    run = trained(new_run, dataset(50))
    run.network.views["shift1"][...] = -50
    dead = examine(run)
    assert dead[0].dead == 1
    assert any(words.startswith("hidden 1–2: up to 100% of their units are dead") for words in troubles(dead))
    for activation in ("tanh", "sigmoid"):
        run = trained(new_run, dataset(50), activation=activation)
        run.network.views["shift2"][...] = 50
        layers = examine(run)
        assert layers[1].saturated == 1
        assert math.isnan(layers[1].dead)
        assert any(
            words.startswith("hidden 2: 100% of its activations are sat") for words in troubles(layers)
        )


def health(gradient, update=-3):
    return LayerHealth("hidden 1", 4, 64, 0, 1, 0, 1, (1, 1), (0, 0), 0, math.nan, gradient, update)


def test_vanishing_and_exploding_front_to_back():
    assert troubles((health(1e-5), health(1.0))) == ("hidden 1: gradients vanish, 1e-05 of the output's",)
    assert troubles((health(1e5), health(1.0))) == ("hidden 1: gradients explode, 1e+05 times the output's",)
    assert troubles((health(math.inf), health(1.0))) == ("hidden 1: gradients explode",)
    assert troubles((health(0.5), health(1.0))) == ()
    assert troubles((health(0.5, 0.301), health(1.0))) == (
        "hidden 1: updates explode, a step is 2 times its weights",
    )
    assert troubles((health(math.nan), health(math.nan))) == (
        "hidden 1, hidden 1: what comes back is no number any more",
    )


def test_what_is_wrong_with_several_layers_is_said_once():
    ill, well = health(1e-5), health(1.0)
    words = "gradients vanish, down to 1e-05 of the output's"
    assert troubles((ill, ill, ill, well)) == (f"hidden 1–3: {words}",)
    assert troubles((ill, well, ill, ill, well, well)) == (f"hidden 1, 3–4: {words}",)
    assert troubles((well, health(0.0), well)) == ("hidden 2: gradients vanish, none at all",)


def test_of_an_output_without_a_gradient_nothing_is_said_by_comparison():
    assert troubles((health(1.0), health(0.0))) == ()


# -- distributions -------------------------------------------------------------------------------------------


def test_every_epoch_is_seen_until_there_are_many(new_run, dataset):
    run = trained(new_run, dataset(), steps=10**6, epochs=300)
    kept = run.distributions
    assert kept.epochs == list(range(4, 301, 4))
    assert kept.counts().shape == (75, 2, BINS)
    values = {0: 8 * 5, 1: 8 * 4}  # rows of dev times units, all of them sampled
    for layer, count in values.items():
        assert (kept.counts()[:, layer].sum(axis=1) == count).all()


def test_the_counts_are_those_of_test_mode_on_the_dev_set(new_run, dataset):
    run = trained(new_run, dataset(50), steps=26)  # the end of the second epoch
    seen = []
    run.network.evaluate(
        run.dataset.dev.inputs, run.dataset.dev.labels, lambda _, y: seen.append(y.flatten())
    )
    for layer, values in enumerate(seen):
        expected, _ = np.histogram(values, [-np.inf, *EDGES, np.inf])
        assert np.array_equal(run.distributions.counts()[-1, layer], expected)


@pytest.mark.parametrize("epoch", [1, 127, 128, 129, 256, 257, 1000, 10**7])
def test_never_more_columns_than_fit(epoch):
    stride = stride_at(epoch)
    assert MOST_COLUMNS // 2 < epoch / stride <= MOST_COLUMNS or stride == 1


def test_going_back_and_forth_brings_them_back(new_run, dataset):
    run = trained(new_run, dataset(50), steps=100)
    before = run.distributions.epochs.copy(), run.distributions.counts()
    run.apply(Rewind(40))
    assert run.distributions.epochs == [1, 2, 3]
    run.apply(Redo())
    assert run.distributions.epochs == before[0]
    assert np.array_equal(run.distributions.counts(), before[1])


def test_what_is_not_finite_is_counted_at_the_end():
    kept = Distributions(1)
    assert kept.wants(1)
    kept.see(0, np.array([[np.nan, np.inf, -np.inf, 0.0]]))
    kept.end_epoch(1)
    counts = kept.counts()[0, 0]
    assert (counts[0], counts[-1], counts.sum()) == (1, 2, 4)
