"""What a training step costs: `python -m benchmarks step`. Against PyTorch, JAX, scikit-learn, bare products.

Our side is `Run.step()` as in training: gathering the mini-batch, finite check, history and all; of a
population `Population.step()`, in steps of its members. Dev sets are kept tiny: an evaluation is no part of a
step. The ratios to reach are those of float32 with Adam. scikit-learn's network has no batch norm, so that it
is compared with ours without.
"""

import argparse
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from benchmarks import peers
from benchmarks.measuring import Contender, environment, heading, in_turn, row
from pandatui.data.dataset import Dataset, Part
from pandatui.data.standardise import Standardisation
from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.training.config import RunConfig
from pandatui.training.population import Population
from pandatui.training.run import Run

ROWS = 8192
MEMBERS = 16
DTYPES = ("float32", "float64")
LARGE = 200_000  # weights; of such a network scikit-learn takes fewer steps a call


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

    @property
    def weights(self) -> int:
        return sum(p * n for p, n in pairwise(self.widths))


CASES = (
    Case((2, 16, 16, 2), 64),
    Case((64, 64, 32, 10), 64, torch=3.0, products=0.22, population=2.0),
    Case((784, 128, 64, 10), 64, torch=1.6),
    Case((784, 512, 256, 10), 128, torch=1.2, products=0.75),
)


@cache
def data_of(inputs: int, classes: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Random rows that a linear teacher has labelled."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, inputs)).astype(dtype)
    return x, (x @ rng.standard_normal((inputs, classes))).argmax(axis=1).astype(np.intp)


def dataset_of(widths: tuple[int, ...], dtype: str = "float32") -> Dataset:
    inputs, labels = data_of(widths[0], widths[-1], dtype)
    few = Part(inputs[:16], labels[:16])
    return Dataset(
        name="benchmark",
        source="benchmark",
        train=Part(inputs, labels),
        dev=few,
        test=few,
        classes=tuple(map(str, range(widths[-1]))),
        features=(),
        image_shape=None,
        standardisation=Standardisation("none", np.zeros(1), np.ones(1)),
        sha256="",
    )


def config_of(
    widths: tuple[int, ...], m: int, optimizer: str, dtype: str = "float32", batch_norm: bool = True
) -> RunConfig:
    return RunConfig(
        data="benchmark",
        standardise="none",
        hidden=widths[1:-1],
        optimizer=optimizer,
        batch_size=m,
        epochs=10**6,
        dtype=dtype,
        batch_norm=batch_norm,
    )


# -- contenders ----------------------------------------------------------------------------------------------


def learner(case: Case, optimizer: str, dtype: str) -> Contender:
    """The step alone, without what surrounds it in a run."""
    inputs, labels = data_of(case.widths[0], case.widths[-1], dtype)
    network = Network(Architecture(case.widths[0], case.widths[1:-1], case.widths[-1]), 1, dtype)
    network.initialise([np.random.default_rng(0)])
    turned = Optimizer(optimizer, network.parameters)
    one = np.ones((1, 1))
    turned.set(peers.RATES[optimizer] * one, 0.9 * one, 0.999 * one)
    alone, x, y = Learner(network, turned), inputs[: case.m], labels[: case.m]
    return Contender(lambda: alone.step(x, y))


def bare_products(case: Case, dtype: str) -> Contender:
    """The matrix products of one step and nothing else: aW, aᵀdz, dzWᵀ but for the first layer's."""
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

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

    return Contender(step)


def contenders_of(case: Case, optimizer: str, dtype: str) -> dict[str, Contender]:
    dataset = dataset_of(case.widths, dtype)
    data = dataset.train.inputs, dataset.train.labels
    config = config_of(case.widths, case.m, optimizer, dtype)
    found = {
        "run": Contender(Run(config, dataset).step),
        "learner": learner(case, optimizer, dtype),
        "products": bare_products(case, dtype),
        "population": Contender(Population([config] * MEMBERS, dataset).step, MEMBERS),
    }
    if peers.torch:
        for name, fused in (("torch", False), ("fused", True)):
            found[name] = peers.pytorch(case.widths, data, case.m, optimizer, fused)
    if peers.jax:
        found["jax"] = peers.jax_stepwise(case.widths, data, case.m, optimizer)
    if peers.neural_network:
        plain = config_of(case.widths, case.m, optimizer, dtype, batch_norm=False)
        steps = 16 if case.weights > LARGE else ROWS // case.m
        found["plain"] = Contender(Run(plain, dataset).step)
        found["scikit-learn"] = peers.scikit_learn(case.widths, data, case.m, optimizer, steps)
    return found


# -- the table -----------------------------------------------------------------------------------------------


def measure(case: Case, optimizer: str, dtype: str, repeats: int, seconds: float) -> None:
    rates = in_turn(contenders_of(case, optimizer, dtype), repeats, seconds)
    reach = case if (optimizer, dtype) == ("adam", "float32") else Case(case.widths, case.m)
    heading(f"{case.name}, {optimizer}, {dtype}")
    if peers.torch:
        row("one : PyTorch eager", rates["run"], rates["torch"], reach.torch)
        row("one : PyTorch, fused optimizer", rates["run"], rates["fused"])
    if peers.jax:
        row("one : JAX, jitted step by step", rates["run"], rates["jax"])
    if peers.neural_network:
        row("one : scikit-learn, no batch norm in both", rates["plain"], rates["scikit-learn"])
    row("one : bare products", rates["run"], rates["products"], reach.products)
    row("one, Learner.step alone : bare products", rates["learner"], rates["products"])
    row(f"member of {MEMBERS} : one", rates["population"], rates["run"], reach.population)
    if peers.torch:
        row(f"member of {MEMBERS} : PyTorch eager", rates["population"], rates["torch"])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each contender in each repeat")
    parser.add_argument("--shape", help="only networks whose name contains this, as 64-64-32-10")
    parser.add_argument("--optimizer", choices=list(peers.RATES), help="only this one")
    parser.add_argument("--dtype", choices=DTYPES, help="only this one")
    parser.add_argument("--quick", action="store_true", help="float32 alone, fewer and shorter repeats")
    options = parser.parse_args(arguments)
    if options.quick:
        options.repeats, options.seconds, options.dtype = 7, 0.05, options.dtype or "float32"
    environment()
    peers.introduce()
    for case in CASES:
        if options.shape and options.shape not in case.name:
            continue
        for optimizer in [options.optimizer] if options.optimizer else peers.RATES:
            for dtype in [options.dtype] if options.dtype else DTYPES:
                measure(case, optimizer, dtype, options.repeats, options.seconds)


if __name__ == "__main__":
    main()
