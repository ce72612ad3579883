"""RunConfig: all that a run needs to be run again, seeds included, every default written out."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeGuard

from pandatui.nn.layers import ACTIVATIONS
from pandatui.nn.optimizers import OPTIMIZERS
from pandatui.training.knobs import DEFAULT_RATES, KNOBS, LIVE, clean

STANDARDISE = ("column", "overall", "none")
DTYPES = ("float32", "float64")
MAX_LAYERS = 32
MAX_UNITS = 65_536
MAX_EPOCHS = 10_000_000
MAX_STEP = 10**15
MAX_TEXT = 4_096


class ConfigError(ValueError):
    """A setting that no run can have: one line that names it, what it was and what was expected."""


@dataclass(frozen=True, slots=True)
class PlannedNudge:
    """A nudge set down beforehand: at `step` the knob goes `to` a value, or is multiplied by `times`.

    Raises ConfigError.
    """

    step: int
    knob: str
    to: float | None = None
    times: float | None = None

    def __post_init__(self) -> None:
        _whole("planned nudge: step", self.step, 1, MAX_STEP)
        if self.knob not in LIVE:
            raise ConfigError(f"planned nudge: knob {self.knob!r}: expected one of {', '.join(LIVE)}")
        where = f"planned nudge of {self.knob} at step {self.step}"
        if (self.to is None) == (self.times is None):
            raise ConfigError(f"{where}: expected either a value or a factor")
        if self.times is not None and not (_is_number(self.times) and 0 < self.times < math.inf):
            raise ConfigError(f"{where}: factor {self.times!r}: expected a positive number")
        if self.to is not None:
            check_knob(self.knob, self.to)

    @classmethod
    def parse(cls, text: str) -> "PlannedNudge":
        """STEP:KNOB=VALUE, with VALUE a number, `*0.5`, `x0.5` or `/2`."""
        step, colon, rest = text.partition(":")
        knob, equals, value = rest.partition("=")
        if not (colon and equals and step.strip().isdecimal() and len(step) <= 16):
            raise ConfigError(f"nudge {text!r:.80}: expected STEP:KNOB=VALUE, such as 500:learning_rate=0.01")
        knob, value = knob.strip(), value.strip()
        try:
            if value[:1] in ("*", "x"):
                return cls(int(step), knob, times=float(value[1:]))
            if value[:1] == "/":
                return cls(int(step), knob, times=1 / float(value[1:]))
            return cls(int(step), knob, to=clean(float(value)))
        except ConfigError:
            raise
        except (ValueError, ZeroDivisionError):
            raise ConfigError(
                f"nudge {text!r:.80}: value {value!r:.80}: expected a number, *0.5, x0.5 or /2"
            ) from None


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Frozen and validated; raises ConfigError. `batch_size` and `standardise` are resolved for the data."""

    data: str
    label: str | None = None
    drop: tuple[str, ...] = ()
    standardise: str = "column"
    hidden: tuple[int, ...] = (64, 32)
    activation: str = "relu"
    batch_norm: bool = True
    optimizer: str = "momentum"
    learning_rate: float | None = None  # None: the optimizer's default, written out at once
    momentum: float = 0.9
    second_moment: float = 0.999
    decay: float = 0.0
    l2: float = 0.0
    batch_size: int = 64
    epochs: int = 60
    seed: int = 1
    split_seed: int = 0
    dtype: str = "float32"
    plan: tuple[PlannedNudge, ...] = ()

    def __post_init__(self) -> None:
        _text("data", self.data)
        if self.label is not None:
            _text("label", self.label)
        for name in self.drop:
            _text("drop", name)
        if not isinstance(self.batch_norm, bool):
            raise ConfigError(f"batch norm {self.batch_norm!r}: expected true or false")
        _one_of("activation", self.activation, ACTIVATIONS)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("standardise", self.standardise, STANDARDISE)
        _one_of("dtype", self.dtype, DTYPES)
        if not 1 <= len(self.hidden) <= MAX_LAYERS:
            raise ConfigError(f"hidden: {len(self.hidden)} layers: expected 1 … {MAX_LAYERS}")
        for units in self.hidden:
            _whole("hidden units", units, 1, MAX_UNITS)
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", DEFAULT_RATES[self.optimizer])
        for knob in ("learning_rate", "momentum", "second_moment", "decay", "l2"):
            object.__setattr__(self, knob, clean(check_knob(knob, getattr(self, knob))))
        _whole("batch size", self.batch_size, 2 if self.batch_norm else 1, 2**53, "with batch norm, ")
        _whole("epochs", self.epochs, 1, MAX_EPOCHS)
        _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("split seed", self.split_seed, 0, 2**63 - 1)
        for nudge in self.plan:
            if self.optimizer not in KNOBS[nudge.knob].used_by:
                label = KNOBS[nudge.knob].label
                raise ConfigError(f"nudge at step {nudge.step}: {label} is not used by {self.optimizer}")
        object.__setattr__(self, "plan", tuple(sorted(self.plan, key=lambda nudge: nudge.step)))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, every field."""
        return asdict(self) | {
            "drop": list(self.drop),
            "hidden": list(self.hidden),
            "plan": [{k: v for k, v in asdict(nudge).items() if v is not None} for nudge in self.plan],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "RunConfig":
        """The inverse of `to_dict`. Raises ConfigError on a field missing, unknown or not of its type."""
        names = {each.name for each in fields(cls)}
        if set(plain) != names:
            odd = ", ".join(sorted(map(repr, set(plain) ^ names)))
            raise ConfigError(f"config: expected its {len(names)} fields, missing or unknown: {odd}")
        check_knob("learning_rate", plain["learning_rate"])  # None is for those who ask, not on record
        values = dict(plain)
        for name in ("hidden", "drop", "plan"):
            if not isinstance(plain[name], list):
                raise ConfigError(f"config: {name} {plain[name]!r}: expected a list")
            values[name] = tuple(plain[name])
        values["plan"] = tuple(map(_planned, values["plan"]))
        return cls(**values)


def check_knob(name: str, value: object, *, low: float | None = None, high: float | None = None) -> float:
    """The value as a float if the knob allows it, else ConfigError; `low`, `high` narrow its limits."""
    knob = KNOBS[name]
    low, high = knob.low if low is None else low, knob.high if high is None else high
    if not _is_number(value) or not knob.allows(value, low, high):
        raise ConfigError(f"{knob.label} {value!r}: expected {knob.expectation(low, high)}")
    return float(value)


def _planned(plain: object) -> PlannedNudge:
    keys = {each.name for each in fields(PlannedNudge)}
    if not isinstance(plain, dict) or not {"step", "knob"} <= set(plain) <= keys:
        raise ConfigError(f"planned nudge {plain!r}: expected step, knob and either to or times")
    return PlannedNudge(**plain)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(what: str, value: object) -> None:
    """Text that a file can hold: a path that is not UTF-8 comes in with lone surrogates."""
    try:
        if isinstance(value, str) and len(value.encode()) <= MAX_TEXT:
            return
    except UnicodeEncodeError:
        pass
    raise ConfigError(f"{what} {value!r}: expected text in UTF-8 of at most {MAX_TEXT:,} bytes")


def _one_of(what: str, value: object, allowed: Iterable[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"{what} {value!r}: expected one of {', '.join(allowed)}")


def _whole(what: str, value: object, low: int, high: int, why: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        more = why if low > 1 else ""
        raise ConfigError(f"{what} {value!r}: expected {more}a whole number from {low} to {high:,}")
