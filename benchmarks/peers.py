"""The peers, each optional (`pip install 'pandatui[bench]'`): PyTorch, JAX, scikit-learn, on one thread each.

The same network, data, optimizer and batch size as ours, and as a person would write it who wants
it quick: PyTorch eager without a DataLoader; JAX with the whole step in one jitted function, gathering
included, whose state is donated; scikit-learn's MLPClassifier by `partial_fit`, which has no batch norm. The
momentum is ours, an average of gradients, but for scikit-learn's, which has its own of the same cost. Each
cost is read, as ours is, but scikit-learn's, which it keeps itself.
"""

import importlib
import os
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measuring import Contender
from pandatui.training.environment import pin_blas

RATES = {"adam": 0.001, "momentum": 0.1}
EPSILON = 1e-8

pin_blas()  # ours alone: what brings a BLAS of its own reads these when it is loaded
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), "1")
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"


def _installed(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch: Any = _installed("torch")
jax: Any = _installed("jax")
neural_network: Any = _installed("sklearn.neural_network")
optuna: Any = _installed("optuna")

if torch:
    torch.set_num_threads(1)
if jax:
    jax.config.update("jax_enable_x64", True)  # each array says what it is

Data = tuple[np.ndarray, np.ndarray]
Widths = tuple[int, ...]
Tree = dict[str, Any]


def introduce() -> None:
    """Which of them are here."""
    named = {"PyTorch": torch, "JAX": jax, "scikit-learn": neural_network, "Optuna": optuna}
    versions = {"scikit-learn": importlib.import_module("sklearn").__version__ if neural_network else ""}
    for name, module in named.items():
        print(
            f"{name} {versions.get(name) or module.__version__}" if module else f"{name} is missing: no peer"
        )


# -- PyTorch -------------------------------------------------------------------------------------------------


def torch_network(widths: Widths, dtype: str = "float32") -> Any:
    """With batch norm: its momentum of 0.1 is our running weight of 0.9."""
    modules: list[Any] = []
    for p, n in pairwise(widths[:-1]):
        modules += [torch.nn.Linear(p, n, bias=False), torch.nn.BatchNorm1d(n), torch.nn.ReLU()]
    return torch.nn.Sequential(*modules, torch.nn.Linear(*widths[-2:])).to(getattr(torch, dtype))


def torch_optimizer(
    optimizer: str, parameters: Any, rate: float, momentum: float = 0.9, fused: bool | None = None
) -> Any:
    if optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, betas=(momentum, 0.999), fused=fused)
    return torch.optim.SGD(parameters, lr=rate, momentum=momentum, dampening=momentum, fused=fused)


def pytorch(widths: Widths, data: Data, m: int, optimizer: str, fused: bool) -> Contender:
    torch.manual_seed(0)
    inputs, labels = (torch.from_numpy(array) for array in data)
    model = torch_network(widths, data[0].dtype.name)
    turned = torch_optimizer(optimizer, model.parameters(), RATES[optimizer], fused=fused)
    cost_of = torch.nn.CrossEntropyLoss()
    rows, costs = iter(()), []

    def step() -> None:
        nonlocal rows
        chosen = next(rows, None)
        if chosen is None:
            rows = iter(torch.randperm(len(labels)).split(m))
            chosen = next(rows)
            costs.clear()
        turned.zero_grad()
        cost = cost_of(model(inputs[chosen]), labels[chosen])
        cost.backward()
        turned.step()
        costs.append(cost.item())

    return Contender(step)


# -- JAX -----------------------------------------------------------------------------------------------------


def jax_state(widths: Widths, optimizer: str, dtype: str, rng: np.random.Generator) -> Tree:
    """Parameters, running averages and moments of one member."""
    learned: Tree = {}
    for i, (p, n) in enumerate(pairwise(widths)):
        learned[f"W{i}"] = rng.standard_normal((p, n)) * np.sqrt(2 / p)
        if i < len(widths) - 2:
            learned |= {f"scale{i}": np.ones(n), f"shift{i}": np.zeros(n)}
        else:
            learned[f"b{i}"] = np.zeros(n)
    hidden = widths[1:-1]
    state: Tree = {
        "learned": learned,
        "running": {f"mean{i}": np.zeros(n) for i, n in enumerate(hidden)}
        | {f"variance{i}": np.zeros(n) for i, n in enumerate(hidden)},
        "first": {name: np.zeros_like(array) for name, array in learned.items()},
        "products": np.ones(2),
    }
    if optimizer == "adam":
        state["second"] = {name: np.zeros_like(array) for name, array in learned.items()}
    return jax.tree.map(lambda array: jax.numpy.asarray(array, dtype), state)  # type: ignore[no-any-return]


def jax_update(layers: int, optimizer: str) -> Callable[..., tuple[Tree, Any]]:
    """(state, rate, momentum, x, y) → the state after the step, and the cost before it."""
    jnp, leaves = jax.numpy, jax.tree.map

    def cost_of(learned: Tree, x: Any, y: Any) -> tuple[Any, Tree]:
        a, seen = x, {}
        for i in range(layers - 1):
            z = a @ learned[f"W{i}"]
            mean = z.mean(axis=0)
            centred = z - mean
            variance = (centred * centred).mean(axis=0)
            seen |= {f"mean{i}": mean, f"variance{i}": variance}
            normal = centred * jax.lax.rsqrt(variance + 1e-5)
            a = jax.nn.relu(learned[f"scale{i}"] * normal + learned[f"shift{i}"])
        logits = a @ learned[f"W{layers - 1}"] + learned[f"b{layers - 1}"]
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
        return -picked.mean(), seen

    def update(state: Tree, rate: Any, momentum: Any, x: Any, y: Any) -> tuple[Tree, Any]:
        (cost, seen), g = jax.value_and_grad(cost_of, has_aux=True)(state["learned"], x, y)
        after = dict(state)
        after["running"] = leaves(lambda old, new: 0.9 * old + 0.1 * new, state["running"], seen)
        after["first"] = v = leaves(lambda v, g: momentum * v + (1 - momentum) * g, state["first"], g)
        after["products"] = state["products"] * jnp.stack([momentum, jnp.full_like(momentum, 0.999)])
        if optimizer == "adam":
            first, second = 1 - after["products"][0], 1 - after["products"][1]
            after["second"] = s = leaves(lambda s, g: 0.999 * s + 0.001 * g * g, state["second"], g)
            after["learned"] = leaves(
                lambda w, v, s: w - rate * (v / first) / (jnp.sqrt(s / second) + EPSILON),
                *(state["learned"], v, s),
            )
        else:
            after["learned"] = leaves(lambda w, v: w - rate * v, state["learned"], v)
        return after, cost

    return update


def jax_stepwise(widths: Widths, data: Data, m: int, optimizer: str) -> Contender:
    """One call of a jitted function a step."""
    rng, dtype = np.random.default_rng(0), data[0].dtype.name
    inputs, labels = jax.numpy.asarray(data[0]), jax.numpy.asarray(data[1], "int32")
    update = jax_update(len(widths) - 1, optimizer)
    rate, momentum = (jax.numpy.asarray(value, dtype) for value in (RATES[optimizer], 0.9))

    def one(state: Tree, rate: Any, momentum: Any, chosen: Any, inputs: Any, labels: Any) -> tuple[Tree, Any]:
        return update(state, rate, momentum, inputs[chosen], labels[chosen])

    jitted = jax.jit(one, donate_argnums=0)
    state = jax_state(widths, optimizer, dtype, rng)
    order, place = rng.permutation(len(labels)).astype(np.int32), 0

    def step() -> float:
        nonlocal state, order, place
        if place + m > len(order):
            order, place = rng.permutation(len(labels)).astype(np.int32), 0
        state, cost = jitted(state, rate, momentum, order[place : place + m], inputs, labels)
        place += m
        return float(cost)

    return Contender(step)


def jax_lockstep(
    widths: Widths, data: Data, m: int, optimizer: str, rates: np.ndarray, steps: int
) -> Contender:
    """Members by `vmap`, so many steps by `scan`, one call: as quick as JAX goes. They share mini-batches."""
    rng, dtype, members = np.random.default_rng(0), data[0].dtype.name, len(rates)
    inputs, labels = jax.numpy.asarray(data[0]), jax.numpy.asarray(data[1], "int32")
    update = jax.vmap(jax_update(len(widths) - 1, optimizer), in_axes=(0, 0, 0, None, None))
    states = [jax_state(widths, optimizer, dtype, rng) for _ in range(members)]
    state = jax.tree.map(lambda *each: jax.numpy.stack(each), *states)
    rate, momentum = jax.numpy.asarray(rates, dtype), jax.numpy.full(members, 0.9, dtype)

    def many(state: Tree, rate: Any, momentum: Any, rows: Any, inputs: Any, labels: Any) -> tuple[Tree, Any]:
        def one(state: Tree, chosen: Any) -> tuple[Tree, Any]:
            return update(state, rate, momentum, inputs[chosen], labels[chosen])

        return jax.lax.scan(one, state, rows)  # type: ignore[no-any-return]

    jitted = jax.jit(many, donate_argnums=0)

    def call() -> np.ndarray:
        nonlocal state
        rows = rng.permutation(len(labels))[: steps * m].astype(np.int32).reshape(steps, m)
        state, costs = jitted(state, rate, momentum, rows, inputs, labels)
        return np.asarray(costs)

    return Contender(call, steps * members)


# -- scikit-learn --------------------------------------------------------------------------------------------


def scikit_learn(widths: Widths, data: Data, m: int, optimizer: str, steps: int) -> Contender:
    """So many steps by one `partial_fit`, whose checks are then no great part."""
    model = neural_network.MLPClassifier(
        widths[1:-1],
        solver="adam" if optimizer == "adam" else "sgd",
        learning_rate_init=RATES[optimizer],
        momentum=0.9,
        nesterovs_momentum=False,
        alpha=0,
        batch_size=m,
        random_state=0,
    )
    inputs, labels = data[0][: steps * m], data[1][: steps * m]
    classes = np.arange(widths[-1])
    return Contender(lambda: model.partial_fit(inputs, labels, classes=classes), steps)
