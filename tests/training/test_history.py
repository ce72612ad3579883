"""The curves against brute force: buckets, hash chain, far-back restores, bounded memory."""

from __future__ import annotations

import hashlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandatui.training import series as module
from pandatui.training.history import CHAIN_BLOCK, History, Series, StepFunction


def chain(costs):
    """DESIGN's chain by hashlib and struct alone."""
    h = bytes(32)
    for start in range(0, len(costs), 1024):
        block = costs[start : start + 1024]
        h = hashlib.sha256(h + struct.pack(f"<{len(block)}d", *block)).digest()
    return h.hex()


def filled(costs):
    history = History()
    for cost in costs:
        history.add_train(cost)
    return history


@pytest.mark.parametrize("count", [0, 1, 31, 32, 1023, 1024, 1025, 2048, 5000])
def test_the_chain_of_costs(count):
    costs = np.random.default_rng(count).random(count).tolist()
    history = filled(costs)
    assert history.costs_sha256() == chain(costs)
    assert history.costs_sha256() == chain(costs)  # asking changes nothing
    assert len(history.links) == count // 1024 + 1


def test_the_chain_of_nothing_is_32_zero_bytes():
    assert History().costs_sha256() == "00" * 32


@pytest.mark.parametrize("back_to", [0, 1, 1023, 1024, 1025, 3000])
def test_the_chain_after_a_restore(back_to):
    costs = np.random.default_rng(1).random(3000).tolist()
    other = np.random.default_rng(2).random(3000).tolist()
    history = filled(costs[:back_to])
    state = history.state()
    for cost in other:
        history.add_train(cost)
    history.restore(state)
    assert history.costs_sha256() == chain(costs[:back_to])
    for cost in costs[back_to:]:
        history.add_train(cost)
    assert history.costs_sha256() == chain(costs)


# -- buckets -------------------------------------------------------------------------------------------------


def small(keep_first=16, keep_recent=64):
    """A Series with few values kept, so that short tests reach every level."""
    return Series((4, 16, 64), keep_first=keep_first, keep_recent=keep_recent)


def check_view(series, values, first, last, buckets):
    """Every bucket against the values that it stands for; together they cover what was asked for."""
    at, low, mean, high = series.view(first, last, buckets)
    start, stop = max(0, int(first) - 1), min(len(values), math.ceil(last))
    if stop <= start:
        assert len(at) == 0
        return
    size, *_, origin = series._level_for(start, stop)
    step = max(1, -(-int(last - first + 1) // (size * max(1, buckets))))
    width = size * step
    edges = [origin, *range((origin // width + 1) * width, stop, width)]
    assert origin <= start
    assert len(at) == len(edges)
    assert len(at) <= buckets + 2
    for i, left in enumerate(edges):
        right = edges[i + 1] if i + 1 < len(edges) else min(len(values), -(-stop // size) * size)
        part = values[left:right]
        assert low[i] == min(part)
        assert high[i] == max(part)
        assert mean[i] == pytest.approx(np.mean(part), rel=1e-9)
        shown = min(right, stop) if i + 1 == len(edges) else right
        assert at[i] == (left + 1 + shown) / 2


@settings(max_examples=300)
@given(
    n=st.integers(0, 700),
    cut=st.integers(0, 700),
    again=st.integers(0, 300),
    first=st.floats(-5, 800),
    length=st.floats(-5, 900),
    buckets=st.integers(1, 60),
    drawn=st.sampled_from([3, 20, 90, 10_000]),
)
def test_a_view_is_what_brute_force_finds(n, cut, again, first, length, buckets, drawn):
    """At every level, with open blocks, and after a truncate far behind the values still kept."""
    rng = np.random.default_rng(n)
    values = rng.random(n).tolist()
    series = small()
    tail = None
    for value in values:
        if series.n == cut:
            tail = series.tail(16)
        series.append(value)
    if tail is not None:
        series.truncate(cut, tail)
        del values[cut:]
        for value in rng.random(again).tolist():
            series.append(value)
            values.append(value)
    original, module._DRAWN = module._DRAWN, drawn
    try:
        check_view(series, values, first, first + length, buckets)
    finally:
        module._DRAWN = original
    assert series.last(5).tolist() == values[-5:]
    assert series.first[: min(series.n, 16)].tolist() == values[:16]


def test_positions_are_those_of_steps():
    series = small()
    for value in range(10):
        series.append(value)
    at, low, mean, high = series.view(1, 10, 100)
    assert at.tolist() == list(range(1, 11))
    assert low.tolist() == mean.tolist() == high.tolist() == list(range(10))
    at, low, mean, high = series.view(3, 6, 2)
    assert (at.tolist(), low.tolist(), high.tolist()) == ([3.5, 5.5], [2, 4], [3, 5])


def test_a_spike_of_one_step_is_seen_after_a_million():
    history = History()
    train = history.train
    for step in range(1_000_000):
        train.append(1.0 if step != 123_456 else 50.0)
    at, _, mean, high = train.view(1, 1_000_000, 240)
    (where,) = np.flatnonzero(high == 50.0)
    assert abs(at[where] - 123_457) < 1_000_000 / 240
    assert mean.max() < 1.1
    kept = len(train.first) + len(train._recent) + sum(level._array.size for level in train._levels)
    assert kept * 8 < 6e6  # bytes, of a million steps
    assert len(at) <= 242


def test_non_finite_and_huge_values_are_kept_without_a_warning():
    series = small()
    for value in [1.0, math.inf, -math.inf, math.nan, 1e308, 1e308] * 40:
        series.append(value)
    for buckets in (1, 7, 300):
        at, *_ = series.view(1, 240, buckets)
        assert len(at)


# -- many at once --------------------------------------------------------------------------------------------


def all_of(series):
    return (
        *(series.n, series.recent_start, series.raw(series.recent_start, series.n).tobytes()),
        series.first[: series.n].tobytes(),
        *(level.rows().tobytes() for level in series._levels),
    )


@settings(max_examples=300)
@given(pieces=st.lists(st.integers(0, 400), max_size=6), one_by_one=st.integers(0, 200))
def test_extended_by_many_values_it_is_as_if_by_each(pieces, one_by_one):
    rng = np.random.default_rng(len(pieces))
    slow, fast = small(), small()
    for n in (one_by_one, *pieces):
        values = rng.random(n) * 10.0 ** rng.integers(-300, 300, n)
        for value in values.tolist():
            slow.append(value)
        if n == one_by_one:
            for value in values.tolist():
                fast.append(value)
        else:
            fast.extend(values)
        assert all_of(fast) == all_of(slow)


def test_a_history_extended_is_as_if_by_each_cost():
    rng = np.random.default_rng(7)
    costs = rng.random(300_000)
    costs[[5, 70_000]] = math.nan, math.inf
    dev = rng.random((40_000, 3))
    dev[:, 0] = np.arange(40_000)
    dev[[3, 30_000, 31_000, 32_000], 1] = math.nan, -math.inf, -5.0, -5.0
    slow, fast = History(), History()
    for cost in costs:
        slow.add_train(float(cost))
    for row in dev.tolist():
        slow.add_dev(*row)
    for start, stop in ((0, 1), (1, 1), (1, 1500), (1500, 262_143), (262_143, 300_000)):
        fast.extend(costs[start:stop], np.empty((0, 3)))
    for start, stop in ((0, 3), (3, 33_000), (33_000, 40_000)):
        fast.extend(np.empty(0), dev[start:stop])
    for one, other in zip((fast.train, *fast.dev_series()), (slow.train, *slow.dev_series()), strict=True):
        assert all_of(one) == all_of(other)
    assert (fast.links, fast.best) == (slow.links, slow.best)
    assert fast.best == (31_001, -5.0, dev[31_000, 2])


def test_what_is_not_kept_in_full_any_more_is_not_given_for_other_values():
    series = small()
    for value in range(500):
        series.append(value)
    assert series.recent_start > 200
    assert series.part(100, 150).tolist() == []
    assert series.part(3, 10).tolist() == list(range(3, 10))
    assert series.part(0, 500).tolist() == list(range(series.recent_start, 500))


# -- of a record ---------------------------------------------------------------------------------------------


def paired(series, size):
    """The blocks of level 16 merged two by two, as a file has them."""
    rows, own = series.blocks(16), 16
    while own < size:
        pairs = rows[: len(rows) // 2 * 2].reshape(-1, 2, 3)
        mean = (pairs[:, 0, 1] + pairs[:, 1, 1]) / 2
        rows = np.stack([pairs[:, :, 0].min(1), mean, pairs[:, :, 2].max(1)], axis=1)
        own *= 2
    return rows


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("back_to", [0, 9, 10, 11, 17, 300, 513, 640, 799, 800])
def test_recalled_from_a_record_it_goes_on_to_the_same_blocks(size, back_to):
    """From blocks of any size that a file may have, back to any point with its tail, and on."""
    values = np.random.default_rng(size).random(900)
    whole, tail = small(keep_recent=256), np.empty(0)
    for i, value in enumerate(values):
        tail = whole.tail(128) if i == back_to else tail
        whole.append(value)
        if i + 1 == 800:
            blocks = paired(whole, size)
    again = small(keep_recent=256)
    again.recall(800, values[:10], size, blocks)
    if back_to == 11:  # neither among the first on record nor with a tail of its own
        assert not again.reaches(back_to, tail, 128)
        return
    assert again.reaches(back_to, tail, 128)
    again.truncate(back_to, tail)
    assert again.recalled == (back_to > 10)
    _, low, mean, high = again.view(1, back_to, 50)  # coarse where it has to be, but of the same costs
    assert ((low >= 0) & (low <= mean) & (mean <= high) & (high <= 1)).all()
    for value in values[back_to:].tolist():
        again.append(value)
    assert again.last(128).tolist() == values[-128:].tolist()
    assert paired(again, size).tolist() == paired(whole, size).tolist()
    if size == 16 or back_to <= 10:
        assert again.blocks(64).tolist() == whole.blocks(64).tolist()
    if back_to <= 10:
        assert all_of(again)[3:] == all_of(whole)[3:]


def test_a_tail_that_is_too_short_or_a_place_without_blocks_is_not_reached():
    series = small()
    series.recall(800, np.ones(10), 128, np.ones((5, 3)))
    assert series.reaches(700, np.ones(128), 16)
    assert not series.reaches(700, np.ones(59), 16)  # 60 behind the last block
    assert not series.reaches(700, np.ones(128), 129)
    assert not series.reaches(769, np.ones(128), 16)
    assert not series.reaches(801, np.ones(128), 16)


def test_blocks_that_no_series_has_are_not_recalled():
    for n, size, count in ((800, 3, 4), (800, 2, 4), (800, 24, 4), (800, 16, 51), (800, 16, 0)):
        with pytest.raises(ValueError, match="blocks of"):
            small().recall(n, np.ones(10), size, np.ones((count, 3)))


# -- restore -------------------------------------------------------------------------------------------------


def test_far_back_every_cost_up_to_the_limit_is_still_there(monkeypatch):
    """With small limits: 5,000 values later the first 300 are whole again, and beyond them the last 40."""
    monkeypatch.setattr(History, "FULL_TRAIN", 300)
    monkeypatch.setattr(History, "END_TRAIN", CHAIN_BLOCK)
    costs = np.random.default_rng(3).random(400_000).tolist()
    for back_to in (250, 300, 301, 2_000):
        history = filled(costs[:back_to])
        state = history.state()
        for cost in costs:
            history.add_train(cost)
        assert history.train.recent_start > 0
        history.restore(state)
        assert history.train.first[: min(back_to, 300)].tolist() == costs[: min(back_to, 300)]
        assert history.train.last(CHAIN_BLOCK).tolist() == costs[:back_to][-CHAIN_BLOCK:]


def test_the_best_epoch_comes_back():
    history = History()
    history.add_dev(5, 0.7, 0.5)
    history.add_dev(10, 0.5, 0.6)
    history.add_dev(15, math.nan, 0.1)
    state = history.state()
    history.add_dev(20, 0.2, 0.9)
    assert history.best == (4, 0.2, 0.9)
    history.restore(state)
    assert history.best == (2, 0.5, 0.6)
    assert history.epochs == 3


def test_the_first_of_equal_epochs_is_the_best_and_no_cost_that_is_no_number():
    history = History()
    for cost in (math.nan, math.inf, 0.5, 0.5):
        history.add_dev(1, cost, 0.0)
    assert history.best == (3, 0.5, 0.0)


# -- the strip of rates --------------------------------------------------------------------------------------


def test_a_step_function_holds_changes_only():
    rates = StepFunction()
    for step, value in [(1, 0.1), (5, 0.1), (9, 0.2), (9, 0.3), (12, 0.5), (12, 0.3), (20, 0.1)]:
        rates.set(step, value)
    assert [a.tolist() for a in rates.arrays()] == [[1, 9, 20], [0.1, 0.3, 0.1]]
    rates.truncate(19)
    assert [a.tolist() for a in rates.arrays()] == [[1, 9], [0.1, 0.3]]


def test_a_long_step_function_stays_bounded_and_keeps_its_first_and_its_recent():
    rates = StepFunction()
    for step in range(1, 100_001):
        rates.set(step, 1 / step)
    at, values = rates.arrays()
    assert len(at) <= StepFunction.LIMIT
    assert at[0] == 1
    assert at[-5000:].tolist() == list(range(95_001, 100_001))
    assert values.tolist() == (1 / at).tolist()
    assert (np.diff(at) > 0).all()
