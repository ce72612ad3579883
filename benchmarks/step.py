"""What a training step costs: `python -m benchmarks.step`. Against PyTorch, bare products, and a population.

Every row is a ratio of rates that were taken in turn, a fraction of a second each and several times over, so
that a machine whose speed drifts favours neither side: the median, and between which values it lay. One
thread each, float32. Our side is `Run.step()` as in training: gathering the mini-batch, finite check, history
and all. PyTorch is an optional peer (`pip install torch==2.13.0`): eager, the same network, data, optimizer
and batch size, its cost read at each step as ours is. Dev sets are kept tiny: an evaluation is no part of a
step.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pandatui.data.dataset import Dataset, Part
from pandatui.data.standardise import Standardisation
from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.training.config import RunConfig
from pandatui.training.environment import describe, pin_blas
from pandatui.training.run import Run

try:
    import torch
except ImportError:
    torch = None

ROWS = 8192
MEMBERS = 16
RATES = {"adam": 0.001, "momentum": 0.1}
Steps = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its mini-batch, with the ratios to reach (None: shown without one)."""

    widths: tuple[int, ...]
    m: int
    torch: float | None = None
    products: float | None = None
    population: float | None = None

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.widths))} m={self.m}"


CASES = (
    Case((2, 16, 16, 2), 64),
    Case((64, 64, 32, 10), 64, torch=3.0, products=0.22, population=2.0),
    Case((784, 128, 64, 10), 64, torch=1.6),
    Case((784, 512, 256, 10), 128, torch=1.2, products=0.75),
)


# -- contenders: each returns a function that takes one step -------------------------------------------------


def data_of(case: Case) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((ROWS, case.widths[0])).astype(np.float32)
    teacher = rng.standard_normal((case.widths[0], case.widths[-1]))
    return inputs, (inputs @ teacher).argmax(axis=1).astype(np.intp)


def ours(case: Case, optimizer: str) -> Steps:
    inputs, labels = data_of(case)
    few = Part(inputs[:16], labels[:16])
    dataset = Dataset(
        name="benchmark",
        source="benchmark",
        train=Part(inputs, labels),
        dev=few,
        test=few,
        classes=tuple(map(str, range(case.widths[-1]))),
        features=(),
        image_shape=None,
        standardisation=Standardisation("none", np.zeros(1), np.ones(1)),
        sha256="",
    )
    config = RunConfig(
        data="benchmark",
        standardise="none",
        hidden=case.widths[1:-1],
        optimizer=optimizer,
        batch_size=case.m,
        epochs=10**6,
    )
    return Run(config, dataset).step


def population(case: Case, optimizer: str, members: int) -> Steps:
    """The step of a population alone, on a mini-batch that all share."""
    inputs, labels = data_of(case)
    network = Network(Architecture(case.widths[0], case.widths[1:-1], case.widths[-1]), members)
    network.initialise([np.random.default_rng(seed) for seed in range(members)])
    turned = Optimizer(optimizer, network.parameters)
    ones = np.ones((members, 1))
    turned.set(RATES[optimizer] * ones, 0.9 * ones, 0.999 * ones)
    learner, x, y = Learner(network, turned), inputs[: case.m], labels[: case.m]
    return lambda: learner.step(x, y)


def bare_products(case: Case) -> Steps:
    """The matrix products of one step and nothing else: aW, aᵀdz, dzWᵀ but for the first layer's."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    layers = [
        (i, drawn(case.m, p), drawn(p, n), drawn(case.m, n), drawn(p, n), drawn(case.m, p), drawn(case.m, n))
        for i, (p, n) in enumerate(pairwise(case.widths))
    ]

    def step() -> None:
        for _, a, W, z, *_ in layers:
            np.matmul(a, W, out=z)
        for i, a, W, _, dW, da, dz in reversed(layers):
            np.matmul(a.T, dz, out=dW)
            if i:
                np.matmul(dz, W.T, out=da)

    return step


def pytorch(case: Case, optimizer: str, fused: bool) -> Steps:
    assert torch is not None
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs, labels = (torch.from_numpy(array) for array in data_of(case))
    modules: list[torch.nn.Module] = []
    for p, n in pairwise(case.widths[:-1]):
        modules += [torch.nn.Linear(p, n, bias=False), torch.nn.BatchNorm1d(n), torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules, torch.nn.Linear(*case.widths[-2:]))
    rate = RATES[optimizer]
    turned = (
        torch.optim.Adam(model.parameters(), lr=rate, fused=fused)
        if optimizer == "adam"
        else torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, dampening=0.9, fused=fused)
    )
    cost_of = torch.nn.CrossEntropyLoss()
    rows, costs = iter(()), []

    def step() -> None:
        nonlocal rows
        chosen = next(rows, None)
        if chosen is None:
            rows = iter(torch.randperm(ROWS).split(case.m))
            chosen = next(rows)
            costs.clear()
        turned.zero_grad()
        cost = cost_of(model(inputs[chosen]), labels[chosen])
        cost.backward()
        turned.step()
        costs.append(cost.item())

    return step


# -- measuring -----------------------------------------------------------------------------------------------


def rate_of(step: Steps, seconds: float, clock: Clock = time.perf_counter) -> float:
    """Steps a second, counted over at least `seconds`."""
    count, batch = 0, 1
    start = now = clock()
    while now - start < seconds:
        for _ in range(batch):
            step()
        count += batch
        now = clock()
        batch = max(1, int(count / (now - start) * seconds / 10))
    return count / (now - start)


def in_turn(
    contenders: dict[str, Steps], repeats: int, seconds: float, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Rates of each, taken in turn, after a round that warms up."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(repeats + 1):
        for name, step in contenders.items():
            rate = rate_of(step, seconds, clock)
            if repeat:
                rates[name].append(rate)
    return rates


def row(what: str, ours: list[float], theirs: list[float], reach: float | None, factor: float = 1) -> str:
    ratios = sorted(factor * a / b for a, b in zip(ours, theirs, strict=True))
    median = statistics.median(ratios)
    verdict = "" if reach is None else f"≥ {reach:.2f}  {'yes' if median >= reach else 'NO'}"
    rates = f"{factor * statistics.median(ours):>9,.0f} {statistics.median(theirs):>9,.0f}"
    return f"  {what:<42} {rates}   {median:5.2f}  ({ratios[0]:.2f}–{ratios[-1]:.2f})   {verdict}"


def measure(case: Case, optimizer: str, repeats: int, seconds: float) -> None:
    contenders = {
        "run": ours(case, optimizer),
        "learner": population(case, optimizer, 1),
        "products": bare_products(case),
    }
    if case.widths[0] * case.widths[1] < 200_000:  # the largest leaves the cache at once
        contenders["population"] = population(case, optimizer, MEMBERS)
    if torch is not None:
        contenders |= {
            "torch": pytorch(case, optimizer, fused=False),
            "fused": pytorch(case, optimizer, fused=True),
        }
    rates = in_turn(contenders, repeats, seconds)
    adam = optimizer == "adam"  # the figures to reach are Adam's
    title = f"{case.name}, {optimizer}"
    print(f"\n{title:<44} {'ours/s':>9} {'theirs/s':>9}   ratio  (min–max)   to reach")
    if torch is not None:
        print(row("Run.step : PyTorch eager", rates["run"], rates["torch"], case.torch if adam else None))
        print(row("Run.step : PyTorch, fused optimizer", rates["run"], rates["fused"], None))
    print(row("Run.step : its bare matrix products", rates["run"], rates["products"], case.products))
    print(row("Learner.step : its bare matrix products", rates["learner"], rates["products"], None))
    if "population" in rates:
        what = f"members of {MEMBERS} : alone (Learner.step)"
        print(row(what, rates["population"], rates["learner"], case.population, MEMBERS))
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each contender in each repeat")
    parser.add_argument("--shape", help="only networks whose name contains this, as 64-64-32-10")
    parser.add_argument("--optimizer", choices=list(RATES), help="only this one")
    options = parser.parse_args()
    pin_blas()
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    print(f"PyTorch {torch.__version__}, one thread" if torch else "PyTorch is not installed: no peer")
    for case in CASES:
        if options.shape and options.shape not in case.name:
            continue
        for optimizer in [options.optimizer] if options.optimizer else RATES:
            measure(case, optimizer, options.repeats, options.seconds)


if __name__ == "__main__":
    main()
