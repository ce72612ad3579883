"""The rate in use: never a jump by itself, and less decay never means a faster fall."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.nn.schedules import base_for, halving_epochs, rate_in_use

rates = st.floats(1e-6, 100)
decays = st.one_of(st.just(0.0), st.floats(0.001, 10))
epochs = st.integers(0, 100_000)


def test_by_hand():
    assert rate_in_use(0.1, 0, 50) == 0.1
    assert rate_in_use(0.1, 0.5, 0) == 0.1
    assert rate_in_use(0.1, 0.5, 2) == 0.05
    assert halving_epochs(0.5) == 2
    assert rate_in_use(0.1, 0.5, halving_epochs(0.5)) == 0.05
    assert halving_epochs(0) == math.inf


@given(rates, decays, epochs)
def test_base_for_undoes_rate_in_use(rate, decay, epoch):
    assert rate_in_use(base_for(rate, decay, epoch), decay, epoch) == pytest.approx(rate, rel=1e-14)


@given(rates, decays, decays, epochs)
def test_a_nudge_of_decay_leaves_the_rate(base, before, after, epoch):
    rate = rate_in_use(base, before, epoch)
    assert rate_in_use(base_for(rate, after, epoch), after, epoch) == pytest.approx(rate, rel=1e-14)


@given(rates, decays, decays, epochs, st.integers(0, 1000))
def test_less_decay_never_falls_faster(rate, one, other, epoch, later):
    """Nudged at `epoch` from the same rate, the smaller decay gives the higher rate ever after."""
    less, more = sorted((one, other))
    high = rate_in_use(base_for(rate, less, epoch), less, epoch + later)
    low = rate_in_use(base_for(rate, more, epoch), more, epoch + later)
    assert high >= low * (1 - 1e-14)


@given(rates, decays, epochs)
def test_the_rate_never_rises_by_itself(base, decay, epoch):
    assert rate_in_use(base, decay, epoch + 1) <= rate_in_use(base, decay, epoch)
