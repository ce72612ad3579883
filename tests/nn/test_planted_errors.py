"""Would the oracles notice? Each error is one that people make, and must fail the oracle beside it."""

import numpy as np
import pytest

from pandatui.nn import layers, losses, network, optimizers
from pandatui.nn.layers import ACTIVATIONS, Activation
from pandatui.nn.network import Network
from pandatui.nn.optimizers import Optimizer


def mean_and_variance_as_constants(dy, z, dscale, dshift, cache):
    layers_backward(dy.copy(), z, dscale, dshift, cache)
    np.multiply(dy, cache.gain, out=dy)


def shift_gets_the_mean(dy, z, dscale, dshift, cache):
    layers_backward(dy, z, dscale, dshift, cache)
    dshift /= z.shape[-2]


def normalised_over_units(z, scale, shift, cache, y):
    cache.mean[...], cache.variance[...] = z.mean(axis=-2, keepdims=True), z.var(axis=-2, keepdims=True)
    deviation = np.sqrt(z.var(axis=-1, keepdims=True) + layers.BATCH_NORM_EPSILON)
    z -= z.mean(axis=-1, keepdims=True)
    y[...] = scale * z / deviation + shift


def epsilon_outside_the_deviation(z, scale, shift, cache, y):
    layers_forward(z, scale, shift, cache, y)
    y[...] = scale * z / (np.sqrt(cache.variance) + layers.BATCH_NORM_EPSILON) + shift


def gradient_without_one_over_m(exponentials, cache):
    losses_backward(exponentials, cache)
    exponentials *= exponentials.shape[-1]


def softmax_without_the_maximum(logits, labels, cache):
    cache.picks[...] = cache.starts + labels * logits.shape[-1]
    cache.picked[...] = logits.reshape(-1)[cache.picks]
    np.exp(logits, out=logits)
    np.add.reduce(logits, axis=-2, keepdims=True, out=cache.total)
    cache.row_costs[...] = np.log(cache.total[:, 0]) - cache.picked
    return cache.row_costs


def powers_of_the_last_beta(self):
    """1 − βᵗ in the place of 1 − ∏β."""
    self.steps = getattr(self, "steps", 0) + 1
    for product, beta in ((self.first_product, self._beta64), (self.second_product, self._beta264)):
        product[...] = beta ** (self.steps - 1)
    return optimizer_corrected(self)


def epsilon_inside_the_root(w, g, v, s, rate, beta, rest, beta2, rest2, epsilon, t):
    v *= beta
    v += rest * g
    s *= beta2
    s += rest2 * g**2
    w -= rate * v / np.sqrt(s + epsilon)


def rate_inside_the_average(w, g, v, rate, beta, rest, t):
    """v ← βv + αg, which makes a nudge of α act late."""
    v *= beta
    v += rest * rate * g
    w -= v


def average_that_sums(w, g, v, rate, beta, rest, t):
    """v ← βv + g, whose step is 1/(1 − β) times longer."""
    v *= beta
    v += g
    w -= rate * v


def penalty_on_everything(self, strength):
    self.gradients += self.parameters * strength


def unbiased_variances(self):
    m = 16 if 16 in self._workspaces else 8
    for name, view in self._batch_views.items():
        if name.startswith("variance"):
            view *= m / (m - 1)
    network_absorb(self)


def weights_of_old_and_new_swapped(self):
    self.running *= 0.1
    self.running += 0.9 * self.batch_statistics
    self.running_products *= 0.1


def running_averages_uncorrected(self):
    return network._views(self.running, self.architecture.statistic_shapes())


def ties_to_the_highest(self, x, labels):
    ((_, logits),) = self.logits(x)
    highest = logits.shape[-1] - 1 - logits[..., ::-1].argmax(axis=-1)
    return np.zeros(self.members), (highest == labels).mean(axis=-1)


def no_mask(a, da, scratch):
    """ReLU's backward pass left out."""


layers_forward, layers_backward = layers.batch_norm, layers.batch_norm_backward
losses_backward, optimizer_corrected = losses.cross_entropy_backward, Optimizer._corrected
network_absorb = Network.absorb_statistics

BN, ADAM, MOMENTUM = (
    ("gradients", ("tanh", True)),
    ("golden", ("adam-relu-bn",)),
    ("golden", ("momentum-relu-bn",)),
)

PLANTED = [  # where, name, the wrong version, the oracle that must notice, its arguments
    (layers, "batch_norm_backward", mean_and_variance_as_constants, *BN),
    (layers, "batch_norm_backward", shift_gets_the_mean, *BN),
    (layers, "batch_norm", normalised_over_units, *ADAM),
    (layers, "batch_norm", epsilon_outside_the_deviation, *ADAM),
    (network, "cross_entropy_backward", gradient_without_one_over_m, *BN),
    (network, "cross_entropy", softmax_without_the_maximum, "huge logits", ()),
    (Optimizer, "_corrected", powers_of_the_last_beta, *ADAM),
    (optimizers, "adam", epsilon_inside_the_root, *ADAM),
    (optimizers, "momentum", rate_inside_the_average, *MOMENTUM),
    (optimizers, "momentum", average_that_sums, *MOMENTUM),
    (Network, "add_l2", penalty_on_everything, *BN),
    (Network, "absorb_statistics", unbiased_variances, *MOMENTUM),
    (Network, "absorb_statistics", weights_of_old_and_new_swapped, *MOMENTUM),
    (Network, "test_statistics", running_averages_uncorrected, *MOMENTUM),
    (Network, "evaluate", ties_to_the_highest, "ties", ()),
    (ACTIVATIONS, "relu", Activation("relu", layers.relu, no_mask, he=True), "gradients", ("relu", False)),
]


@pytest.mark.parametrize(
    ("where", "name", "wrong", "oracle", "arguments"),
    PLANTED,
    ids=[getattr(wrong, "__name__", "no_mask") for _, _, wrong, _, _ in PLANTED],
)
def test_a_planted_error_is_noticed(where, name, wrong, oracle, arguments, oracles, monkeypatch):
    oracles[oracle](*arguments)  # right before it is planted
    if isinstance(where, dict):
        monkeypatch.setitem(where, name, wrong)
    else:
        monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        oracles[oracle](*arguments)
