"""One core of a race against the peers: the same study by Optuna with PyTorch, the same step by JAX.

Optuna: the trials of one study of ours, settings and all, from create_study to the last dev cost, with a
PyTorch loop that has what ours has: batch norm, momentum as an average, L2 on the weights alone, decay by
epoch, each cost read, dev cost in test mode at each epoch's end. Compared are steps a second of processor
time, so that a trial that ends early counts for what it took. Nothing is pruned.

JAX: `vmap` over the members and `scan` over the steps of one call, which sees no cost before it is over.
"""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.measuring import Contender, heading, in_turn, row
from benchmarks.step import ROWS, Case, bare_products, config_of, dataset_of
from pandatui.data import Dataset
from pandatui.search.engines import Inline
from pandatui.search.race import Race
from pandatui.search.setup import Ready, prepare
from pandatui.search.spec import Spec
from pandatui.search.study import Round, Study, Trial
from pandatui.training import RunConfig
from pandatui.training.population import Population
from pandatui.training.setup import RunOptions

TRIALS, EPOCHS = 48, 5
MEMBERS = 16
WIDTHS, BATCH = (64, 64, 32, 10), 64


# -- Optuna with PyTorch -------------------------------------------------------------------------------------


class Nowhere:
    """A study that nobody keeps, as Optuna's is in memory."""

    def began(self, made: Round) -> None: ...

    def ended(self, trials: list[Trial]) -> None: ...

    def decided(self, of: Round, epoch: int, dropped: list[Trial]) -> None: ...


def by_us(ready: Ready) -> Study:
    study = ready.study()
    Race(study, ready.dataset, Inline(), Nowhere()).run()
    return study


def train_torch(config: RunConfig, dataset: Dataset) -> tuple[float, int]:
    """One trial's last dev cost and the steps that it took."""
    torch = peers.torch
    torch.manual_seed(config.seed)
    inputs, labels, dev_inputs, dev_labels = (
        torch.from_numpy(np.array(array))
        for part in (dataset.train, dataset.dev)
        for array in (part.inputs, part.labels)
    )
    model = peers.torch_network((dataset.n_features, *config.hidden, dataset.n_classes))
    weights = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() == 1]
    penalty = config.l2 / len(labels)
    groups = [{"params": weights, "weight_decay": penalty}, {"params": others}]
    rate = config.learning_rate
    assert rate is not None
    turned = peers.torch_optimizer(config.optimizer, groups, rate, config.momentum)
    cost_of = torch.nn.CrossEntropyLoss()
    steps, dev_cost, costs = 0, math.nan, []
    for epoch in range(config.epochs):
        for group in turned.param_groups:
            group["lr"] = rate / (1 + config.decay * epoch)
        for chosen in torch.randperm(len(labels)).split(config.batch_size):
            turned.zero_grad()
            cost = cost_of(model(inputs[chosen]), labels[chosen])
            cost.backward()
            turned.step()
            costs.append(cost.item())
            steps += 1
        model.eval()
        with torch.no_grad():
            dev_cost = cost_of(model(dev_inputs), dev_labels).item()
        model.train()
    return dev_cost, steps


def by_optuna(trials: list[Trial], dataset: Dataset) -> tuple[Any, int]:
    """The study of these trials, and the steps that they took."""
    optuna, steps = peers.optuna, 0
    config_of_trial = {trial.number - 1: trial.config for trial in trials}

    def objective(trial: Any) -> float:
        nonlocal steps
        config = config_of_trial[trial.number]
        trial.suggest_float("learning_rate", 1e-3, 10, log=True)
        trial.suggest_float("momentum", 0.9, 0.999)
        trial.suggest_float("decay", 1e-3, 1, log=True)
        trial.suggest_float("l2", 1e-3, 10, log=True)
        cost, taken = train_torch(config, dataset)
        steps += taken
        return cost if math.isfinite(cost) else 1e9

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for trial in trials:
        study.enqueue_trial(trial.values)
    study.optimize(objective, n_trials=len(trials))
    return study, steps


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def against_optuna(repeats: int, trials: int) -> None:
    peers.optuna.logging.set_verbosity(peers.optuna.logging.WARNING)
    run = RunOptions(data="digits", hidden=WIDTHS[1:-1], batch_size=BATCH, epochs=EPOCHS)
    ready = prepare(Spec(run=run, trials=trials, rounds=1))
    ours, theirs = [], []
    by_us(ready)
    for _ in range(repeats):
        took, study = timed(lambda: by_us(ready))
        same = list(study.trials.values())
        ours.append(sum(trial.steps for trial in same) / took)
        took, (study, steps) = timed(lambda same=same: by_optuna(same, ready.dataset))  # type: ignore[misc]
        theirs.append(steps / took)
    heading(f"{'-'.join(map(str, WIDTHS))} m={BATCH}, {trials} trials of {EPOCHS} epochs, momentum")
    row("a race, one core : Optuna with PyTorch", ours, theirs, 6.0)
    costs = [trial.dev_cost for trial in same], [trial.value for trial in study.trials]
    early = sum(trial.status == "diverged" for trial in same)
    print(
        "  dev cost, best and median: "
        + " · ".join(
            f"{who} {min(each):.3f}, {statistics.median(each):.3f}"
            for who, each in zip(("ours", "theirs"), costs, strict=True)
        )
        + f" ({early} of ours diverged and ended early)"
    )


# -- JAX -----------------------------------------------------------------------------------------------------


def against_jax(repeats: int, seconds: float) -> None:
    """Members in lockstep, each with a rate of its own."""
    dataset = dataset_of(WIDTHS)
    data = dataset.train.inputs, dataset.train.labels
    steps = ROWS // BATCH
    for optimizer, middle in peers.RATES.items():
        rates = middle * np.logspace(-1, 0, MEMBERS)
        config = config_of(WIDTHS, BATCH, optimizer)
        population = Population([replace(config, learning_rate=float(rate)) for rate in rates], dataset)
        contenders = {
            "ours": Contender(population.step, MEMBERS),
            "jax": peers.jax_lockstep(WIDTHS, data, BATCH, optimizer, rates, steps),
            "products": bare_products(Case(WIDTHS, BATCH), "float32"),
            "one": peers.jax_lockstep(WIDTHS, data, BATCH, optimizer, rates[:1], steps),
        }
        measured = in_turn(contenders, repeats, seconds)
        heading(f"{'-'.join(map(str, WIDTHS))} m={BATCH}, {optimizer}")
        row(f"{MEMBERS} members : JAX, vmap and scan of {MEMBERS}", measured["ours"], measured["jax"], 1.0)
        row("bare products in NumPy : the same", measured["products"], measured["jax"])
        row(f"{MEMBERS} members : JAX, scan of one", measured["ours"], measured["one"])


def measure(repeats: int, seconds: float, quick: bool) -> None:
    if peers.torch and peers.optuna:
        against_optuna(3 if quick else 5, TRIALS // 4 if quick else TRIALS)
    if peers.jax:
        against_jax(2 * repeats, seconds)
