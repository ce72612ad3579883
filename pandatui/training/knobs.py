"""The table of knobs: every hyperparameter with its default, limits and notch, in order of importance.

Order and scales follow the course: the learning rate first, then β, batch size and hidden units, then
layers, decay and λ; each on the scale on which its effect is even.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

COARSE = 5  # notches
_ROUNDING = 1e-9  # so near a limit, notches have reached it

ALL_OPTIMIZERS = frozenset({"momentum", "adam", "rmsprop", "sgd"})


def clean(value: float) -> float:
    """Round to 12 significant digits, so that a value typed and the same value reached by notches agree."""
    return float(f"{value:.12g}")


def _multiplied(factor: float) -> Callable[[float, int], float]:
    return lambda value, notches: value * factor**notches


def _one_minus(factor: float) -> Callable[[float, int], float]:
    return lambda value, notches: 1 - (1 - value) * factor**-notches


@dataclass(frozen=True, slots=True)
class Knob:
    """One hyperparameter. `low` and `high` are its limits; a batch size's depend on the run.

    `least`: where 0 is allowed, the least positive value; a notch below it gives 0, up from 0 `from_zero`.
    """

    name: str
    label: str
    symbol: str
    group: str
    low: float
    high: float
    live: bool = True
    notch: Callable[[float, int], float] = field(default=lambda value, notches: value, repr=False)
    least: float | None = None
    from_zero: float = 0.0
    used_by: frozenset[str] = ALL_OPTIMIZERS
    whole: bool = False

    def turned(self, value: float, notches: int, low: float, high: float) -> float:
        """`value` after so many notches up (or, negative, down), kept within the limits."""
        if self.least is not None and value == 0:
            if notches <= 0:
                return 0.0
            value, notches = self.from_zero, notches - 1
        return self.kept(self.notch(value, notches), low, high)

    def kept(self, value: float, low: float, high: float) -> float:
        """The allowed value nearest to `value`; where 0 is allowed, what is below the least is 0.

        A hair from a number of six digits it is that number, so that notches up and down come back to 0.9.
        """
        value = min(max(value, low), high)
        if self.least is not None and value < self.least * (1 - _ROUNDING):
            return 0.0
        for limit in (low, high, self.least):
            if limit is not None and math.isclose(
                value, limit, rel_tol=_ROUNDING, abs_tol=0 if limit else _ROUNDING
            ):
                return float(limit)
        if self.whole:
            return float(math.floor(value))
        typed = float(f"{value:.6g}")
        return typed if math.isclose(value, typed, rel_tol=_ROUNDING / 10) else clean(value)

    def expectation(self, low: float, high: float) -> str:
        """The limits in words, for error messages."""
        if self.whole:
            return f"a whole number from {low:g} to {high:,.0f}"
        if self.least is not None:
            return f"0, or {self.least:g} … {high:g}"
        return f"{low:g} … {high:g}"

    def allows(self, value: float, low: float, high: float) -> bool:
        """Whether a value is within the limits; NaN never is."""
        if self.least is not None:
            return value == 0 or self.least <= value <= high
        return low <= value <= high and (not self.whole or value == int(value))


KNOBS = {
    knob.name: knob
    for knob in (
        Knob("learning_rate", "learning rate", "α", "try first", 1e-6, 100, notch=_multiplied(10**0.1)),
        Knob(
            "momentum",
            "momentum",
            "β",
            "second",
            0,
            0.9999,
            notch=_one_minus(10**0.1),
            used_by=frozenset({"momentum", "adam"}),
        ),
        Knob("batch_size", "batch size", "", "second", 1, 2**53, notch=_multiplied(2), whole=True),
        Knob("hidden", "hidden units", "", "second", 1, 65_536, live=False),
        Knob("decay", "decay", "", "third", 0, 10, notch=_multiplied(10**0.3), least=0.001, from_zero=0.01),
        Knob("l2", "L2", "λ", "third", 0, 100, notch=_multiplied(10**0.3), least=1e-5, from_zero=0.001),
        Knob(
            "second_moment",
            "second moment",
            "β2",
            "leave alone",
            0,
            0.99999,
            notch=_one_minus(10**0.1),
            used_by=frozenset({"rmsprop", "adam"}),
        ),
    )
}

LIVE = tuple(name for name, knob in KNOBS.items() if knob.live)
DEFAULT_RATES = {"momentum": 0.1, "sgd": 0.1, "adam": 0.001, "rmsprop": 0.001}


def averages_over(beta: float) -> float:
    """How many steps an exponentially weighted average with weight β looks back on: 1/(1 − β)."""
    return 1 / (1 - beta)
