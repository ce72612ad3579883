"""Builders, and the oracles that more than one file calls: the tests, and the planted errors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.nn.gradcheck import central_differences, relative_error


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def learner_of(
    widths: tuple[int, ...],
    members: int = 1,
    *,
    optimizer: str = "adam",
    activation: str = "relu",
    batch_norm: bool = True,
    dtype: str = "float64",
    seeds: list[int] | None = None,
) -> Learner:
    """A learner with seeded starts, α 0.01, β 0.9, β₂ 0.999 and no L2."""
    architecture = Architecture(widths[0], tuple(widths[1:-1]), widths[-1], activation, batch_norm)
    network = Network(architecture, members, dtype)
    network.initialise([np.random.default_rng(seed) for seed in seeds or range(members)])
    turned = Optimizer(optimizer, network.parameters)
    ones = np.ones((members, 1))
    turned.set(0.01 * ones, 0.9 * ones, 0.999 * ones)
    return Learner(network, turned)


def state_of(learner: Learner, members: Any = slice(None)) -> dict[str, np.ndarray]:
    """Copies of all that a checkpoint of these members would hold."""
    network, optimizer = learner.network, learner.optimizer
    arrays = {
        "parameters": network.parameters,
        "running": network.running,
        "running_products": network.running_products,
        "first": optimizer.first,
        "second": optimizer.second,
        "first_product": optimizer.first_product,
        "second_product": optimizer.second_product,
    }
    return {name: array[members].copy() for name, array in arrays.items()}


def same_bytes(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert one[name].tobytes() == other[name].tobytes(), f"{name} differs"


def problem_of(activation: str, batch_norm: bool) -> SimpleNamespace:
    """Two members with different L2 on nine examples, everything away from its start, in float64."""
    rng = np.random.default_rng(0)
    learner = learner_of((5, 7, 4, 3), 2, activation=activation, batch_norm=batch_norm)
    network = learner.network
    network.parameters += 0.1 * rng.standard_normal(network.parameters.shape)
    x, labels, strength = rng.standard_normal((9, 5)), rng.integers(0, 3, 9), column(0.3, 0.1)

    def cost() -> float:
        weights = network.parameters[:, : network.n_weights]
        penalty = 0.5 * strength[:, 0] * (weights**2).sum(axis=1)
        return float((network.forward(x, labels) + penalty).sum())

    def gradient() -> np.ndarray:
        network.forward(x, labels)
        network.backward(x)
        network.add_l2(strength)
        return network.gradients.copy()

    return SimpleNamespace(network=network, cost=cost, gradient=gradient)


def check_gradients(activation: str = "tanh", batch_norm: bool = True) -> None:
    """Backward against central differences of forward."""
    problem = problem_of(activation, batch_norm)
    numeric = central_differences(problem.cost, problem.network.parameters)
    for member, (ours, theirs) in enumerate(zip(problem.gradient(), numeric, strict=True)):
        assert relative_error(ours, theirs) < 1e-7, f"member {member}"


GOLDEN = dict(np.load(Path(__file__).parent / "golden" / "golden.npz"))
GOLDEN_CASES = sorted({name.split("/")[0] for name in GOLDEN if "/" in name})


def close(ours: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    ours, theirs = np.asarray(ours).squeeze(), np.asarray(theirs).squeeze()
    assert np.linalg.norm(ours - theirs) <= tolerance * max(np.linalg.norm(theirs), 1e-3)


def check_golden(case: str) -> None:
    """Forward, backward, 50 steps with nudges, and test mode against what PyTorch computed."""
    optimizer, activation, norm = case.split("-")
    golden = {
        name.removeprefix(f"{case}/"): value for name, value in GOLDEN.items() if name.startswith(f"{case}/")
    }
    x, labels = GOLDEN["x"], GOLDEN["labels"]
    learner = learner_of(
        (5, 7, 4, 3), optimizer=optimizer, activation=activation, batch_norm=norm == "bn", dtype="float64"
    )
    network = learner.network
    for name, view in network.views.items():
        view[0] = golden[f"start/{name}"]
    learner.set_l2(column(float(GOLDEN["l2"])))
    for step, ((start, stop), knobs) in enumerate(zip(GOLDEN["rows"], golden["knobs"], strict=True)):
        learner.optimizer.set(*(column(value) for value in knobs))
        costs, finite = learner.step(x[start:stop], labels[start:stop])
        assert finite
        close(costs, golden["costs"][step])
        if step == 0:
            for name, view in network.gradient_views.items():
                close(view, golden[f"gradient/{name}"])
    for name, view in network.views.items():
        close(view, golden[f"end/{name}"])
    for i, statistic in enumerate(
        network.test_statistics()[n] for n in network.architecture.statistic_shapes()
    ):
        close(statistic, golden[f"corrected/{i}"])
    (_, logits), *none = network.logits(GOLDEN["dev_x"])
    assert not none
    close(logits, golden["dev_logits"])
    cost, accuracy = network.evaluate(GOLDEN["dev_x"], GOLDEN["dev_labels"])
    close(cost, golden["dev_cost"])
    close(accuracy, golden["dev_accuracy"])


def check_huge_logits() -> None:
    """Costs and gradients at logits of ±1e4, known in closed form: e^-20000 is 0."""
    network = learner_of((2, 2), dtype="float32").network
    network.views["W1"][0] = [[1e4, -1e4], [0, 0]]
    x = np.array([[1, 0], [1, 0], [-1, 0], [0, 0]], np.float32)
    with np.errstate(all="ignore"):
        costs = network.forward(x, np.array([0, 1, 1, 1]))
        network.backward(x)
    # 0, 20000, 0 and ln 2
    np.testing.assert_allclose(costs, [(20_000 + np.log(2)) / 4], rtol=1e-6)
    # softmax − one-hot: the second row (1, −1), the last (1/2, −1/2), the others 0
    np.testing.assert_allclose(network.gradient_views["b1"][0, 0], [1.5 / 4, -1.5 / 4], rtol=1e-6)


def check_ties() -> None:
    """Equal logits: the lowest class is taken."""
    network = learner_of((2, 3)).network
    network.parameters[...] = 0
    accuracy = [float(network.evaluate(np.ones((1, 2)), np.array([label]))[1][0]) for label in range(3)]
    assert accuracy == [1, 0, 0]


ORACLES: dict[str, Callable[..., None]] = {
    "gradients": check_gradients,
    "golden": check_golden,
    "huge logits": check_huge_logits,
    "ties": check_ties,
}


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread() -> Iterator[None]:
    """As in training: the bits of a product may depend on how many threads share it."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture
def build() -> SimpleNamespace:
    """The builders and comparisons above, for files that can't import one another."""
    return SimpleNamespace(
        column=column,
        learner=learner_of,
        state=state_of,
        same_bytes=same_bytes,
        problem=problem_of,
        close=close,
    )


@pytest.fixture
def oracles() -> dict[str, Callable[..., None]]:
    return ORACLES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "golden_case" in metafunc.fixturenames:
        metafunc.parametrize("golden_case", GOLDEN_CASES)
