"""The health of each layer, on demand: what goes into its activation, how far test mode lags behind it, how
large its gradient and its update are. It looks at the mini-batch that comes next and changes nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pandatui.nn.layers import ACTIVATIONS, BATCH_NORM_EPSILON
from pandatui.training.trainer import Trainer

SATURATED = 0.99  # |tanh| above it; of a sigmoid what is as far out
DEAD_SHARE, SATURATED_SHARE = 0.5, 0.5  # from here on it is said in words
HEALTHY = (-4.0, -2.0)  # log10 of update over weight: about a thousandth
VANISHED, EXPLODED = 1e-3, 1e3  # gradient norm of a layer over that of the last
TOO_FAR = 0.0  # log10 of update over weight: a step as large as the weights


@dataclass(frozen=True, slots=True)
class LayerHealth:
    """One layer on one mini-batch. What a layer has not is NaN: the output has no activation, BN or lag.

    `mean`, `spread`: of what goes into the activation. `lag`: |running − batch mean| in σ of the mini-batch,
    averaged over units; `spread_ratio`: running over batch deviation, geometric mean. `dead`: share of units
    that are 0 for every example (ReLU family); `saturated`: share of activations (tanh, sigmoid).
    `gradient`: ‖dW‖; `update`: log10 of ‖ΔW‖/‖W‖ of the next step.
    """

    name: str
    units: int
    examples: int
    mean: float
    spread: float
    lag: float
    spread_ratio: float
    scale: tuple[float, float]
    shift: tuple[float, float]
    dead: float
    saturated: float
    gradient: float
    update: float

    @property
    def test_mode_lags(self) -> bool:
        """Whether running and batch deviation differ by more than the chance of so few examples."""
        limit = 1.5 + 8 / math.sqrt(self.examples)
        return not 1 / limit <= self.spread_ratio <= limit and not math.isnan(self.spread_ratio)


_NONE = (math.nan, math.nan)


def examine(trainer: Trainer) -> tuple[LayerHealth, ...]:
    """The hidden layers in order, then the output. Call it between two steps; costs about two of them."""
    network, config = trainer.network, trainer.config
    inputs, labels = trainer.gather(trainer.batches.peek(int(trainer.knobs["batch_size"])))
    views, running = network.views, network.test_statistics()
    with np.errstate(all="ignore"):
        trainer.learner.gradients(inputs, labels)
        after = network.parameters.copy()
        trainer.learner.optimizer.keep([0]).update(after, network.gradients)
        gradients, updates = network.named(network.gradients), network.named(after - network.parameters)

        def sizes(i: int) -> dict[str, float]:
            weights = _norm(views[f"W{i}"])
            ratio = _norm(updates[f"W{i}"]) / weights if weights else math.nan
            return {
                "gradient": _norm(gradients[f"W{i}"]),
                "update": math.log10(ratio) if ratio > 0 else math.nan,
            }

        found, a = [], inputs
        for i, units in enumerate(config.hidden, start=1):
            z = a @ views[f"W{i}"][0]
            lag, spread_ratio, scale, shift = math.nan, math.nan, _NONE, _NONE
            if config.batch_norm:
                mean, variance = z.mean(axis=0), z.var(axis=0)
                deviation = np.sqrt(variance + BATCH_NORM_EPSILON)
                old_mean, old_variance = running[f"mean{i}"][0, 0], running[f"variance{i}"][0, 0]
                lag = float((np.abs(old_mean - mean) / deviation).mean())
                spread_ratio = float(
                    np.exp(np.log((old_variance + BATCH_NORM_EPSILON) / deviation**2).mean() / 2)
                )
                gain, offset = views[f"scale{i}"][0, 0], views[f"shift{i}"][0, 0]
                scale, shift = _range(gain), _range(offset)
                y = (z - mean) / deviation * gain + offset
            else:
                y = z + views[f"b{i}"][0]
            a = y.copy()
            ACTIVATIONS[config.activation].forward(a, np.zeros_like(a))
            found.append(
                LayerHealth(
                    f"hidden {i}",
                    units,
                    len(y),
                    mean=float(y.mean()),
                    spread=float(y.std()),
                    lag=lag,
                    spread_ratio=spread_ratio,
                    scale=scale,
                    shift=shift,
                    dead=float((y <= 0).all(axis=0).mean()) if "relu" in config.activation else math.nan,
                    saturated=_saturated(a, config.activation),
                    **sizes(i),
                )
            )
        last = len(config.hidden) + 1
        logits = a @ views[f"W{last}"][0] + views[f"b{last}"][0]
        found.append(
            LayerHealth(
                "output",
                trainer.dataset.n_classes,
                len(logits),
                mean=float(logits.mean()),
                spread=float(logits.std()),
                lag=math.nan,
                spread_ratio=math.nan,
                scale=_NONE,
                shift=_NONE,
                dead=math.nan,
                saturated=math.nan,
                **sizes(last),
            )
        )
    return tuple(found)


def _norm(array: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.square(array, dtype=np.float64).sum()))


def _range(values: NDArray[np.floating]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _saturated(a: NDArray[np.floating], activation: str) -> float:
    match activation:
        case "tanh":
            return float((np.abs(a) > SATURATED).mean())
        case "sigmoid":
            return float((np.abs(2 * a - 1) > SATURATED).mean())
    return math.nan


def troubles(layers: tuple[LayerHealth, ...]) -> tuple[str, ...]:
    """What is wrong, in words, the worst first: gradients that vanish or explode; layers dead, saturated or
    behind. What is wrong with several layers is said once."""
    output = layers[-1].gradient
    reference = output if math.isfinite(output) and output > 0 else math.nan

    def those(wrong: Callable[[LayerHealth], bool]) -> list[int]:
        return [i for i, layer in enumerate(layers) if wrong(layer)]

    def most(found: list[int], figure: Callable[[LayerHealth], float], *, low: bool = False) -> float:
        return (min if low else max)(figure(layers[i]) for i in found)

    said = []
    if found := those(lambda layer: math.isnan(layer.gradient)):
        said.append(f"{_named(found, layers)}: what comes back is no number any more")
    if found := those(lambda layer: layer.gradient > EXPLODED * reference or math.isinf(layer.gradient)):
        times = most(found, lambda layer: layer.gradient) / reference
        far = f", {_up_to(found)}{times:.0e} times the output's" if math.isfinite(times) else ""
        said.append(f"{_named(found, layers)}: gradients explode{far}")
    if found := those(lambda layer: layer.update >= TOO_FAR):
        times = 10 ** most(found, lambda layer: layer.update)
        said.append(
            f"{_named(found, layers)}: updates explode, a step is {_up_to(found)}{times:.2g} times "
            f"{_whose(found)} weights"
        )
    if found := those(lambda layer: layer.gradient < VANISHED * reference):
        share = most(found, lambda layer: layer.gradient, low=True) / reference
        down = "down to " if len(found) > 1 else ""
        far = f"{down}{share:.0e} of the output's" if share else f"{down}none at all"
        said.append(f"{_named(found, layers)}: gradients vanish, {far}")
    if found := those(lambda layer: layer.dead >= DEAD_SHARE):
        share = most(found, lambda layer: layer.dead)
        said.append(
            f"{_named(found, layers)}: {_up_to(found)}{share:.0%} of {_whose(found)} units are dead, "
            "0 for every example"
        )
    if found := those(lambda layer: layer.saturated >= SATURATED_SHARE):
        share = most(found, lambda layer: layer.saturated)
        said.append(
            f"{_named(found, layers)}: {_up_to(found)}{share:.0%} of {_whose(found)} activations "
            "are saturated"
        )
    if found := those(lambda layer: layer.test_mode_lags):
        worst = layers[max(found, key=lambda i: abs(math.log(layers[i].spread_ratio)))].spread_ratio
        said.append(
            f"{_named(found, layers)}: test mode is behind, {_whose(found)} spread "
            f"{_up_to(found)}×{worst:.2g} of the batch's; do not trust dev cost yet"
        )
    return tuple(said)


def _up_to(found: list[int]) -> str:
    return "up to " if len(found) > 1 else ""


def _whose(found: list[int]) -> str:
    return "their" if len(found) > 1 else "its"


def _named(found: list[int], layers: tuple[LayerHealth, ...]) -> str:
    """hidden 1, hidden 2–5, 7, output: what they are called together."""
    hidden = [i for i in found if i < len(layers) - 1]
    runs: list[list[int]] = []
    for i in hidden:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    numbers = ", ".join(f"{r[0] + 1}–{r[-1] + 1}" if len(r) > 1 else str(r[0] + 1) for r in runs)
    names = [f"hidden {numbers}"] if numbers else []
    return ", ".join(names + ([layers[-1].name] if len(found) > len(hidden) else []))
