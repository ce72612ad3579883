"""Dimension: one knob of a space on the scale on which its effect is even.

It maps values to [0, 1] and back, so that sampling, narrowing and importance know no scale: uniform there is
log-uniform in α, log-uniform in 1 − β, and even among choices.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pandatui.nn.layers import ACTIVATIONS
from pandatui.nn.optimizers import OPTIMIZERS
from pandatui.training.config import MAX_LAYERS, MAX_UNITS, ConfigError, check_knob
from pandatui.training.knobs import KNOBS, clean

Value = float | int | str | bool

MAX_CHOICES = 100

# The place of a knob here is its place among a trial's random numbers: add at the end only.
VARIED = (
    "learning_rate",
    "momentum",
    "batch_size",
    "units",
    "layers",
    "decay",
    "l2",
    "activation",
    "optimizer",
    "batch_norm",
    "second_moment",
)
_WHOLE = {"batch_size": int(KNOBS["batch_size"].high), "units": MAX_UNITS, "layers": MAX_LAYERS}
_WORDS: dict[str, tuple[Value, ...]] = {
    "activation": tuple(ACTIVATIONS),
    "optimizer": tuple(OPTIMIZERS),
    "batch_norm": (True, False),
}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One knob's range on a scale, both ends included, or its choices. Raises ConfigError, one line.

    log: log-uniform. log1m: log-uniform in 1 − x. linear. int: whole numbers. choice: any of `choices`.
    """

    knob: str
    scale: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.knob)
        allowed = scales_of(self.knob)
        if self.scale not in allowed:
            raise ConfigError(f"{self.knob}: scale {self.scale!r}: expected {' or '.join(allowed)}")
        if self.scale == "choice":
            self._check_choices()
        else:
            self._check_range()

    def _check_choices(self) -> None:
        if self.low is not None or self.high is not None:
            raise ConfigError(f"{self.knob}: low {self.low!r}, high {self.high!r}: expected choices alone")
        if not isinstance(self.choices, tuple) or not 1 <= len(self.choices) <= MAX_CHOICES:
            raise ConfigError(f"{self.knob}: choices {self.choices!r:.80}: expected 1 … {MAX_CHOICES}")
        choices = tuple(checked(self.knob, choice) for choice in self.choices)
        if len(set(choices)) < len(choices):
            raise ConfigError(f"{self.knob}: choices {choices!r}: expected each once")
        object.__setattr__(self, "choices", choices)

    def _check_range(self) -> None:
        if self.choices:
            raise ConfigError(f"{self.knob}: choices {self.choices!r:.80}: expected low and high on a scale")
        low, high = _number(self.knob, "low", self.low), _number(self.knob, "high", self.high)
        if self.scale == "log" and not low > 0:
            raise ConfigError(f"{self.knob}: low {self.low!r}: expected more than 0 on a log scale")
        if not low < high:
            raise ConfigError(f"{self.knob}: {low!r} … {high!r}: expected low below high")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def ends(self) -> tuple[float, float]:
        """Low and high. Of choices there are none: ValueError."""
        if self.low is None or self.high is None:
            raise ValueError(f"{self.knob}: choices have no ends")
        return self.low, self.high

    def unit(self, value: Value) -> float:
        """Where the value is in [0, 1]; a whole number or a choice is in the middle of its share.

        A number beyond an end is at that end. A word that is none of the choices: ValueError.
        """
        if self.scale == "choice":
            return (self.choices.index(value) + 0.5) / len(self.choices)
        low, high = self.ends
        number = min(max(float(value), low), high)
        if self.scale == "int":
            return (number - low + 0.5) / (high - low + 1)
        start, end = position(self.scale, low), position(self.scale, high)
        return (position(self.scale, number) - start) / (end - start)

    def value(self, unit: float) -> Value:
        """Its inverse: a value of 12 significant digits, that the knob allows.

        On a linear scale from 0, decay and λ below their least positive value are 0.
        """
        if self.scale == "choice":
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        low, high = self.ends
        if self.scale == "int":
            count = int(high - low) + 1
            return int(low) + min(int(unit * count), count - 1)
        start, end = position(self.scale, low), position(self.scale, high)
        return KNOBS[self.knob].kept(value_at(self.scale, start + unit * (end - start)), low, high)

    def contains(self, value: object) -> bool:
        """Whether this is a value of the dimension, of the right type too."""
        try:
            found = checked(self.knob, value)
        except ConfigError:
            return False
        if self.scale == "choice":
            return found in self.choices
        low, high = self.ends
        return low <= float(found) <= high

    def to_plain(self) -> dict[str, Any]:
        if self.scale == "choice":
            return {"scale": self.scale, "choices": list(self.choices)}
        return {"scale": self.scale, "low": self.low, "high": self.high}

    @classmethod
    def from_plain(cls, knob: str, plain: object) -> "Dimension":
        """The inverse of `to_plain`, of JSON's or TOML's types. Raises ConfigError."""
        _check_name(knob)
        if not isinstance(plain, dict) or set(plain) not in ({"scale", "low", "high"}, {"scale", "choices"}):
            raise ConfigError(f"{knob}: {plain!r:.80}: expected scale with low and high, or with choices")
        values = dict(plain)
        if "choices" in values:
            if not isinstance(values["choices"], list):
                raise ConfigError(f"{knob}: choices {values['choices']!r:.80}: expected a list")
            values["choices"] = tuple(values["choices"])
        return cls(knob, **values)


def parse_vary(text: str) -> Dimension:
    """KNOB=SCALE:LOW:HIGH, or KNOB=choice:A,B,…: `learning_rate=log:1e-4:1`, `activation=choice:relu,tanh`.

    Raises ConfigError.
    """
    knob, equals, rest = (part.strip() for part in text.partition("="))
    scale, colon, ends = (part.strip() for part in rest.partition(":"))
    if equals and colon and scale == "choice":
        return Dimension(knob, scale, choices=tuple(_typed(knob, word) for word in ends.split(",")))
    low, colon, high = ends.partition(":")
    if not (equals and colon):
        raise ConfigError(
            f"vary {text!r}: expected KNOB=SCALE:LOW:HIGH, such as learning_rate=log:1e-4:1, "
            "or KNOB=choice:A,B"
        )
    try:
        number = int if scale == "int" else float
        return Dimension(knob, scale, number(low), number(high))
    except ConfigError:
        raise
    except ValueError:
        raise ConfigError(f"vary {text!r}: {low!r}, {high!r}: expected two numbers") from None


def position(scale: str, value: float) -> float:
    """Where a value stands on log, log1m or linear; it grows with the value. A step of 1 is a decade."""
    if scale == "log":
        return math.log10(value)
    return -math.log10(1 - value) if scale == "log1m" else value


def value_at(scale: str, place: float) -> float:
    """The inverse of `position`."""
    if scale == "log":
        return float(10**place)
    return float(1 - 10**-place) if scale == "log1m" else place


def limits_of(knob: str, scale: str) -> tuple[float, float]:
    """A number's own limits; on a log scale those of its positive values, where it has a least."""
    if knob in _WHOLE:
        return 1, _WHOLE[knob]
    least = KNOBS[knob].least if scale == "log" else None
    return KNOBS[knob].low if least is None else least, KNOBS[knob].high


def checked(knob: str, value: object) -> Value:
    """The value as the knob has it: a float of 12 digits, a whole number or a word. Raises ConfigError."""
    _check_name(knob)
    if knob in _WORDS:
        kind = bool if knob == "batch_norm" else str
        if not isinstance(value, kind) or value not in _WORDS[knob]:
            raise ConfigError(f"{knob}: {value!r}: expected one of {_words(_WORDS[knob])}")
        return value
    if knob in _WHOLE:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _WHOLE[knob]:
            raise ConfigError(f"{knob}: {value!r}: expected a whole number from 1 to {_WHOLE[knob]:,}")
        return value
    return clean(check_knob(knob, value))


def _check_name(knob: object) -> None:
    if knob not in VARIED:
        raise ConfigError(f"knob {knob!r:.80}: expected one of {', '.join(VARIED)}")


def scales_of(knob: str) -> tuple[str, ...]:
    if knob in _WORDS:
        return ("choice",)
    if knob in _WHOLE:
        return ("int", "choice")
    if knob in ("momentum", "second_moment"):
        return ("log", "log1m", "linear", "choice")
    return ("log", "linear", "choice")


def _number(knob: str, end: str, value: object) -> float:
    if not _is_number(value):
        raise ConfigError(f"{knob}: {end} {value!r}: expected a number")
    try:
        return checked(knob, value)  # type: ignore[return-value]  # knobs with ends are numbers
    except ConfigError as error:
        raise ConfigError(f"{knob}: {end}: {error}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _typed(knob: str, word: str) -> Value:
    """A choice from the command line in the knob's type; what can't be read is left for the check to name."""
    word = word.strip()
    if knob == "batch_norm":
        return {"true": True, "false": False}.get(word, word)
    if knob in _WORDS:
        return word
    try:
        return int(word) if knob in _WHOLE else float(word)
    except ValueError:
        return word


def _words(values: Iterable[Value]) -> str:
    return ", ".join(str(value).lower() for value in values)
