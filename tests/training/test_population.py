"""Members of a population against the same runs trained alone: the same bits, however put together."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest

from pandatui.training.events import Nudge
from pandatui.training.population import Members, Population


def alone(new_run, configs, data):
    """(status, steps, epoch, costs hash, dev costs, weights hash) of each config's own run."""
    found = []
    for config in configs:
        run = new_run(data, **config)
        while run.ready:
            run.step()
        dev = run.history.dev_cost.part(0, run.history.epochs).tolist()
        found.append(
            (run.status, run.steps, run.epoch, run.history.costs_sha256(), dev, run.weights_sha256())
        )
    return found


class Together:
    """A population trained to its end, its costs and dev points put down by member."""

    def __init__(self, configs, data, state=None, costs=None, dev=None):
        self.population = Population(configs, data, state)
        self.costs = costs or [[] for _ in configs]
        self.dev = dev or [[] for _ in configs]

    def train(self, steps=10**9):
        population = self.population
        while population.members and steps:
            members = list(population.members)
            costs, point = population.step()
            for member, cost in zip(members, costs, strict=True):
                if not np.isnan(cost):
                    self.costs[member].append(float(cost))
            if point is not None:
                for member, cost in zip(point.members, point.cost, strict=True):
                    self.dev[member].append(float(cost))
            steps -= 1
        return self

    def results(self):
        found = []
        for end in sorted(self.population.ended, key=lambda end: end.member):
            costs = np.array(self.costs[end.member], "<f8")
            h = bytes(32)
            for start in range(0, len(costs), 1024):
                h = hashlib.sha256(h + costs[start : start + 1024].tobytes()).digest()
            found.append(
                (end.status, end.steps, end.epoch, h.hex(), self.dev[end.member], end.weights_sha256)
            )
        return found


def settings(optimizer="momentum", **more):
    """Six members: mild, decaying, penalised, and one that blows up."""
    base = {"optimizer": optimizer, "epochs": 14} | more
    return [
        base | {"learning_rate": rate, "decay": decay, "l2": l2, "momentum": beta}
        for rate, decay, l2, beta in (
            *((0.01, 0.0, 0.0, 0.9), (0.003, 0.5, 0.0, 0.0), (0.1, 0.0, 0.3, 0.99)),
            *((90.0, 0.0, 0.0, 0.9), (0.02, 1.0, 2.0, 0.5), (0.05, 0.01, 0.0, 0.9)),
        )
    ]


def configs_of(new_run, data, wanted):
    return [new_run(data, **each).config for each in wanted]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
@pytest.mark.parametrize("shape", [{}, {"batch_norm": False}, {"dtype": "float64", "activation": "tanh"}])
def test_members_have_the_bits_of_runs_alone(new_run, dataset, optimizer, shape):
    data = dataset(50, dtype=shape.get("dtype", "float32"))
    wanted = settings(optimizer, **shape)
    together = Together(configs_of(new_run, data, wanted), data).train()
    expected = alone(new_run, wanted, data)
    assert together.results() == expected
    assert {"finished", "diverged"} >= {status for status, *_ in expected}


def test_without_batch_norm_a_member_that_overflows_leaves_and_the_others_go_on(new_run, dataset):
    data = dataset(50)
    wanted = settings("sgd", batch_norm=False)
    wanted[3] |= {"learning_rate": 100.0}
    results = Together(configs_of(new_run, data, wanted), data).train().results()
    assert results == alone(new_run, wanted, data)
    assert results[3][0] == "diverged"
    assert [status for status, *_ in results].count("finished") >= 4


def test_all_overflow_at_the_first_step(new_run, dataset):
    data = dataset(scale=1e38)
    wanted = [{"learning_rate": rate} for rate in (0.1, 0.2)]
    together = Together(configs_of(new_run, data, wanted), data).train()
    assert together.results() == alone(new_run, wanted, data)
    assert [end.cause for end in together.population.ended] == ["non-finite"] * 2


@pytest.mark.parametrize("cut", [1, 7, 12, 13, 51, 60, 100])
def test_in_slices_through_a_pickle_split_and_joined_again(new_run, dataset, cut):
    data = dataset(50)
    wanted = settings("adam")
    configs = configs_of(new_run, data, wanted)
    first = Together(configs, data).train(cut)
    standing = first.population.members
    state = pickle.loads(pickle.dumps(first.population.state()))
    odd = [row for row in range(len(standing)) if row % 2]
    even = [row for row in range(len(standing)) if not row % 2]
    parts = []
    for rows in (odd, even):
        chosen = [configs[standing[row]] for row in rows]
        parts.append(Population(chosen, data, state.only(rows)))
        for _ in range(9):
            parts[-1].step()
    assert [part.steps for part in parts] == [cut + 9] * 2
    joined = Members.joined([part.state() for part in parts])
    order = [standing[row] for row in odd + even]
    rest = Together([configs[member] for member in order], data, joined).train()
    found = {order[end.member]: end.weights_sha256 for end in rest.population.ended}
    expected = alone(new_run, wanted, data)
    assert found == {member: expected[member][5] for member in order if member in found}
    assert len(found) >= 5


def test_what_does_not_stand_at_one_step_is_not_joined(new_run, dataset):
    data = dataset(50)
    one, other = (Population(configs_of(new_run, data, [{}]), data) for _ in range(2))
    one.step()
    with pytest.raises(ValueError, match="expected one step"):
        Members.joined([one.state(), other.state()])
    with pytest.raises(ValueError, match="expected 2"):
        Population(configs_of(new_run, data, [{}, {}]), data, one.state())


def test_dropped_members_change_nothing_for_the_others(new_run, dataset):
    data = dataset(50)
    wanted = settings("momentum")
    together = Together(configs_of(new_run, data, wanted), data).train(20)
    together.population.drop([0, 4])
    together.train()
    expected = [row for i, row in enumerate(alone(new_run, wanted, data)) if i not in (0, 4)]
    assert together.results() == expected


def test_twins_with_seeds_of_their_own_and_a_nudge_for_all(new_run, dataset):
    """Other seeds, other mini-batches; knobs turned at a step act as in a run."""
    data = dataset(50)
    wanted = [{"seed": seed, "decay": 0.2, "epochs": 6} for seed in (1, 2, 7)]
    runs = [new_run(data, **each) for each in wanted]
    twins = Population([run.config for run in runs], data)
    for step in range(60):
        for knob, value in {10: [("learning_rate", 0.3)], 30: [("decay", 1.0), ("l2", 0.5)]}.get(step, []):
            twins.set_knob(knob, value)
            for run in runs:
                run.apply(Nudge(knob, to=value))
        twins.step()
        for run in runs:
            run.step()
    assert np.array_equal(twins.network.parameters, np.stack([r.network.parameters[0] for r in runs]))


def test_mixed_shapes_are_refused(new_run, dataset):
    data = dataset(50)
    with pytest.raises(ValueError, match="different shapes"):
        Population(configs_of(new_run, data, [{}, {"hidden": (3,)}]), data)
