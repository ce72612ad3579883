"""How much each knob mattered, by Optuna: `python -m benchmarks.importance [--write]`. Needs optuna==5.0.0.

Trials on made-up functions go through Optuna's own PED-ANOVA; the table sets its numbers beside ours. With
`--write` the trials and Optuna's numbers become the test's golden file. Optuna knows no scale log-uniform in
1 − x: it gets −log10(1 − x) as a plain number. It drops what diverged: it gets a cost above all others.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from pandatui.search import Space
from pandatui.search.importance import importance

GOLDEN = Path(__file__).parents[1] / "tests" / "search" / "golden" / "importance.json"
DIVERGED = 1e12

Values = dict[str, Any]

SMALL: Values = {
    "learning_rate": {"scale": "log", "low": 1e-3, "high": 10.0},
    "momentum": {"scale": "log1m", "low": 0.9, "high": 0.999},
    "decay": {"scale": "log", "low": 1e-3, "high": 1.0},
    "l2": {"scale": "log", "low": 1e-3, "high": 10.0},
}
WIDE: Values = SMALL | {
    "batch_size": {"scale": "choice", "choices": [16, 32, 64, 128, 256, 512]},
    "units": {"scale": "int", "low": 16, "high": 128},
    "layers": {"scale": "int", "low": 1, "high": 4},
    "activation": {"scale": "choice", "choices": ["relu", "leaky_relu", "tanh", "sigmoid"]},
    "second_moment": {"scale": "linear", "low": 0.9, "high": 0.999},
}


def bowl(values: Values) -> float:
    """Around α = 0.03, less so around 1 − β = 0.01; decay and λ are of no account."""
    rate, beta = math.log10(values["learning_rate"] / 0.03), math.log10((1 - values["momentum"]) / 0.01)
    return rate**2 + 0.25 * beta**2


def cliff(values: Values) -> float:
    """The bowl, but above α = 1 it diverges; four layers and sigmoid cost more."""
    if values["learning_rate"] > 1:
        return math.inf
    return bowl(values) + (values["layers"] == 4) + 0.8 * (values["activation"] == "sigmoid")


def stairs(values: Values) -> float:
    """The bowl rounded, so that many trials are equal."""
    return float(round(bowl(values) * 2))


CASES: dict[str, tuple[Values, Callable[[Values], float], int, bool]] = {
    "bowl, 60 trials": (SMALL, bowl, 60, False),
    "bowl, 48 trials": (SMALL, bowl, 48, False),
    "bowl, 25 trials": (SMALL, bowl, 25, False),
    "stairs, 100 trials": (SMALL, stairs, 100, False),
    "cliff, 120 trials": (WIDE, cliff, 120, False),
    "cliff, three rounds of 40": (WIDE, cliff, 120, True),
}


def drawn(dimension: Values, unit: float) -> Any:
    """The value at a place of [0, 1], of 12 digits."""
    if dimension["scale"] == "choice":
        return dimension["choices"][int(unit * len(dimension["choices"]))]
    low, high = dimension["low"], dimension["high"]
    match dimension["scale"]:
        case "int":
            return int(low + unit * (high - low + 1))
        case "log":
            return float(f"{low * (high / low) ** unit:.12g}")
        case "log1m":
            return float(f"{1 - (1 - low) * ((1 - high) / (1 - low)) ** unit:.12g}")
    return float(f"{low + unit * (high - low):.12g}")


def trials_of(space: Values, cost: Callable[[Values], float], count: int, narrowing: bool) -> list[Any]:
    """[values, cost or None where it diverged]; narrowing, each third around the middle of the scales, half
    as wide as the one before."""
    uniform = np.random.default_rng(count).random((count, len(space)))
    if narrowing:
        uniform = 0.5 + (uniform - 0.5) * np.repeat([1, 0.5, 0.25], count // 3)[:, None]
    made = []
    for row in uniform.tolist():
        values = {knob: drawn(space[knob], unit) for knob, unit in zip(space, row, strict=True)}
        made.append([values, cost(values) if math.isfinite(cost(values)) else None])
    return made


def distribution(dimension: Values) -> BaseDistribution:
    if dimension["scale"] == "choice":
        return CategoricalDistribution(dimension["choices"])
    low, high = dimension["low"], dimension["high"]
    if dimension["scale"] == "int":
        return IntDistribution(low, high)
    if dimension["scale"] == "log1m":
        return FloatDistribution(-math.log10(1 - low), -math.log10(1 - high))
    return FloatDistribution(low, high, log=dimension["scale"] == "log")


def by_optuna(space: Values, trials: list[Any]) -> dict[str, float]:
    """Its evaluator as it comes, but for a best part of at least five trials."""
    study = optuna.create_study()
    distributions = {knob: distribution(dimension) for knob, dimension in space.items()}
    for values, cost in trials:
        given = {
            knob: -math.log10(1 - value) if space[knob]["scale"] == "log1m" else value
            for knob, value in values.items()
        }
        study.add_trial(
            optuna.create_trial(
                params=given, distributions=distributions, value=DIVERGED if cost is None else cost
            )
        )
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, 5 / len(trials)))
    return get_param_importances(study, evaluator=evaluator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the test's golden file")
    write = parser.parse_args().write
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    golden = []
    for name, (space, cost, count, narrowing) in CASES.items():
        trials = trials_of(space, cost, count, narrowing)
        theirs = by_optuna(space, trials)
        ours = importance(
            Space.from_plain(space), [(v, math.inf if cost is None else cost) for v, cost in trials]
        )
        print(f"{name}: Optuna {optuna.__version__}, ours, difference")
        for knob, share in theirs.items():
            print(f"  {knob:14} {share:.4f}  {ours[knob]:.4f}  {ours[knob] - share:+.1e}")
        golden.append({"name": name, "space": space, "importance": theirs, "trials": trials})
    if write:
        GOLDEN.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in golden)
        GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
