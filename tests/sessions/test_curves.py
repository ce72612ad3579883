"""Long curves in the file: what is kept beyond the limits, and that it agrees with the whole."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import decode, encode
from pandatui.training.history import History

ME = Identity("long", "0", "2026-01-02T03:04:05+00:00")


def recorded(new_run, history):
    run = new_run()
    run.history = history
    run.steps = history.steps
    return decode(encode(record(run, ME, 1.0, None)))[0]


def history_of(costs):
    history = History()
    for cost in costs:
        history.add_train(cost)
    return history


def check_blocks(blocks, values):
    count = len(values) // blocks.size
    whole = np.array(values[: count * blocks.size]).reshape(count, blocks.size)
    assert blocks.min == whole.min(axis=1).tolist()
    assert blocks.max == whole.max(axis=1).tolist()
    assert blocks.mean == pytest.approx(whole.mean(axis=1).tolist(), rel=1e-9)


def test_every_cost_up_to_a_hundred_thousand_steps(new_run):
    costs = np.random.default_rng(0).random(100_000).tolist()
    train = recorded(new_run, history_of(costs)).curves.train
    assert train.first == costs
    assert train.last == []
    assert train.blocks is None


def test_beyond_that_both_ends_and_blocks_with_the_chain(new_run):
    costs = np.random.default_rng(0).random(100_001).tolist()
    train = recorded(new_run, history_of(costs)).curves.train
    assert train.first == costs[:10_000]
    assert train.last == costs[-10_000:]
    assert train.blocks.size == 1024
    check_blocks(train.blocks, costs)
    h = bytes(32)
    for block, link in enumerate(train.blocks.h):
        h = hashlib.sha256(h + np.array(costs[1024 * block : 1024 * (block + 1)]).tobytes()).digest()
        assert link == h.hex()
    assert len(train.blocks.h) == 100_001 // 1024


@pytest.mark.parametrize("steps", [8 * 1024 + 5, 9 * 1024 + 5, 17 * 1024 + 900, 35 * 1024])
def test_of_too_many_blocks_every_second_boundary_goes(new_run, monkeypatch, steps):
    monkeypatch.setattr("pandatui.sessions.record._MAX_BLOCKS", 8)
    monkeypatch.setattr(History, "FULL_TRAIN", 3_000)
    monkeypatch.setattr(History, "END_TRAIN", 2_048)
    costs = np.random.default_rng(0).random(steps).tolist()
    history = history_of(costs)
    blocks = recorded(new_run, history).curves.train.blocks
    assert len(blocks.min) <= 8
    assert blocks.size in (1024, 2048, 4096, 8192)
    check_blocks(blocks, costs[: blocks.size * len(blocks.min)])
    every = blocks.size // 1024
    assert blocks.h == [link.hex() for link in history.links[every::every]][: len(blocks.min)]
    assert len(blocks.h) == len(blocks.min)


def test_after_an_undo_from_far_ahead_the_file_is_that_of_a_run_that_never_went_there(new_run):
    costs = np.random.default_rng(0).random(120_000).tolist()
    for back_to in (50_000, 110_000):
        history = history_of(costs[:back_to])
        plain, state = recorded(new_run, history), history.state()
        for cost in costs * 3:
            history.add_train(cost)
        history.restore(state)
        assert recorded(new_run, history) == plain


def test_dev_points_up_to_ten_thousand_epochs_and_beyond(new_run):
    history = History()
    rng = np.random.default_rng(0)
    costs = rng.random(10_001)
    for epoch, cost in enumerate(costs[:-1], start=1):
        history.add_dev(5 * epoch, cost, cost / 2)
    curves = recorded(new_run, history).curves
    assert curves.dev_step.first == [5.0 * epoch for epoch in range(1, 10_001)]
    assert curves.dev_cost.first == costs[:-1].tolist()
    assert curves.dev_cost.blocks is None

    history.add_dev(50_005, costs[-1], 0.5)
    session = recorded(new_run, history)
    for values, whole in (
        (session.curves.dev_cost, costs.tolist()),
        (session.curves.dev_step, [5.0 * epoch for epoch in range(1, 10_002)]),
    ):
        assert values.first == whole[:1_000]
        assert values.last == whole[-1_000:]
        assert values.blocks.size == 64
        assert values.blocks.h == []
        check_blocks(values.blocks, whole)
    assert session.result.best_epoch == int(costs.argmin()) + 1
    assert session.result.best_dev_cost == costs.min()
