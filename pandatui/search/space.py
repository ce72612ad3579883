"""Spaces: the knobs that a study varies, ready-made ones, and the way from a trial's values to a run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pandatui.nn.layers import ACTIVATIONS
from pandatui.search.dimension import (
    VARIED,
    Dimension,
    Value,
    checked,
    limits_of,
    parse_vary,
    position,
    value_at,
)
from pandatui.training.config import ConfigError, RunConfig
from pandatui.training.knobs import KNOBS

__all__ = [
    "Dimension",
    "Space",
    "Value",
    "centred",
    "check_fits",
    "default_space",
    "parse_vary",
    "setting_of",
    "settings",
    "space_named",
    "wide_space",
]

SPACES = ("default", "wide")

_FAST = ("momentum", "sgd")  # what takes rates ten times those of adam and rmsprop
_BATCH_SIZES = tuple(2**power for power in range(1, 10))


@dataclass(frozen=True, slots=True)
class Space:
    """Dimensions in the order of VARIED, no knob twice. A round's box is a space too. Raises ConfigError."""

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        knobs = [each.knob for each in self.dimensions]
        if not knobs:
            raise ConfigError("space: expected at least one knob")
        for knob in knobs:
            if knobs.count(knob) > 1:
                raise ConfigError(f"space: {knob}: expected a knob once, found it {knobs.count(knob)} times")
        inorder = sorted(self.dimensions, key=lambda each: VARIED.index(each.knob))
        object.__setattr__(self, "dimensions", tuple(inorder))

    @property
    def knobs(self) -> tuple[str, ...]:
        return tuple(each.knob for each in self.dimensions)

    def __getitem__(self, knob: str) -> Dimension:
        for each in self.dimensions:
            if each.knob == knob:
                return each
        raise KeyError(knob)

    def contains(self, values: Mapping[str, object]) -> bool:
        """Whether these are the values of all the knobs, each in its dimension."""
        return set(values) == set(self.knobs) and all(
            each.contains(values[each.knob]) for each in self.dimensions
        )

    def to_plain(self) -> dict[str, Any]:
        """Types of JSON and TOML: a table for each knob."""
        return {each.knob: each.to_plain() for each in self.dimensions}

    @classmethod
    def from_plain(cls, plain: object) -> "Space":
        """The inverse of `to_plain`. Raises ConfigError."""
        if not isinstance(plain, dict):
            raise ConfigError(f"space {plain!r:.80}: expected a table of knobs")
        return cls(tuple(Dimension.from_plain(knob, each) for knob, each in plain.items()))


def default_space(config: RunConfig) -> Space:
    """α, 1 − β, decay and λ, as far as the optimizer uses them: one shape, so that cohorts are wide."""
    low, high = (1e-3, 10.0) if config.optimizer in _FAST else (1e-4, 1.0)
    dimensions = (
        Dimension("learning_rate", "log", low, high),
        Dimension("momentum", "log1m", 0.9, 0.999),
        Dimension("decay", "log", 1e-3, 1.0),
        Dimension("l2", "log", 1e-3, 10.0),
    )
    return Space(tuple(each for each in dimensions if _is_used(each.knob, (config.optimizer,))))


def wide_space(config: RunConfig, train_rows: int) -> Space:
    """The default space with batch size, hidden units, layers and activation besides.

    The batch sizes are the six highest powers of 2 up to 512 that the training rows allow; the knob is left
    out where there are not two.
    """
    sizes = tuple(size for size in _BATCH_SIZES if size <= train_rows)[-6:]
    batch_size = (Dimension("batch_size", "choice", choices=sizes),) if len(sizes) > 1 else ()
    return Space(
        (
            *default_space(config).dimensions,
            *batch_size,
            Dimension("units", "choice", choices=(16, 32, 64, 128, 256)),
            Dimension("layers", "int", 1, 4),
            Dimension("activation", "choice", choices=tuple(ACTIVATIONS)),
        )
    )


def space_named(name: str, config: RunConfig, train_rows: int) -> Space:
    """`default` or `wide`. Raises ConfigError."""
    if name not in SPACES:
        raise ConfigError(f"space {name!r}: expected one of {', '.join(SPACES)}")
    return wide_space(config, train_rows) if name == "wide" else default_space(config)


def check_fits(space: Space, config: RunConfig, train_rows: int | None = None) -> None:
    """Whether every point of the space is a run on these settings and so many rows; else ConfigError."""
    optimizers = _choices(space, "optimizer") or (config.optimizer,)
    for knob in space.knobs:
        if not _is_used(knob, optimizers):
            used = ", ".join(map(str, optimizers))
            raise ConfigError(f"space: {knob}: not used by {used}; expected a knob that is")
    sizes = [config.batch_size]
    if "batch_size" in space.knobs:
        dimension = space["batch_size"]
        sizes = [int(size) for size in dimension.choices or dimension.ends]
    if min(sizes) < _least_batch(space, config):
        raise ConfigError(f"space: batch_size {min(sizes)}: expected at least 2 with batch norm")
    if train_rows is not None and max(sizes) > train_rows:
        raise ConfigError(
            f"space: batch_size {max(sizes)}: expected at most the {train_rows:,} training rows"
        )


def settings(base: RunConfig, values: Mapping[str, Value]) -> RunConfig:
    """The run of a trial: the base with these values, rounded to 12 digits. Raises ConfigError.

    `units` are those of every hidden layer. `layers` alone takes the base's units layer by layer and repeats
    the last. What the optimizer does not use stays as it was, and a trial has no planned nudges.
    """
    fields: dict[str, Any] = {"plan": ()}
    optimizer = str(values.get("optimizer", base.optimizer))
    for knob, value in values.items():
        fields[knob] = checked(knob, value)
        if not _is_used(knob, (optimizer,)):
            del fields[knob]
    fields["hidden"] = _hidden(base.hidden, fields.pop("units", None), fields.pop("layers", None))
    return RunConfig(**{name: getattr(base, name) for name in RunConfig.__dataclass_fields__} | fields)


def setting_of(config: RunConfig, knob: str) -> Value:
    """What a run has for a knob of a space; of hidden units the first layer's."""
    if knob == "units":
        return config.hidden[0]
    if knob == "layers":
        return len(config.hidden)
    value: Value = getattr(config, knob)
    return value


def centred(config: RunConfig, space: Space, train_rows: int) -> Space:
    """The same space around a run's present settings: as wide on each scale, slid to stay within limits.

    A setting that has no place on its scale (decay 0 on log) leaves the dimension as it is; a choice that is
    not among the choices joins them; knobs that the optimizer does not use are left out.
    """
    optimizers = _choices(space, "optimizer") or (config.optimizer,)
    kept = []
    for each in space.dimensions:
        if not _is_used(each.knob, (*optimizers, config.optimizer)):
            continue
        if each.knob == "batch_size":
            limits: tuple[float, float] = _least_batch(space, config), train_rows
        else:
            limits = (0, 0) if each.scale == "choice" else limits_of(each.knob, each.scale)
        kept.append(_around(each, setting_of(config, each.knob), *limits))
    return Space(tuple(kept))


def _around(dimension: Dimension, value: Value, lowest: float, highest: float) -> Dimension:
    if dimension.scale == "choice":
        if value in dimension.choices:
            return dimension
        choices = (*dimension.choices, value)
        words = any(isinstance(choice, str) for choice in choices)
        ordered = choices if words else tuple(sorted(choices, key=float))
        return Dimension(dimension.knob, "choice", choices=ordered)
    low, high = dimension.ends
    if dimension.scale == "int":
        start = max(min(int(value) - int(high - low) // 2, int(highest) - int(high - low)), int(lowest))
        end = min(start + int(high - low), int(highest))
        return Dimension(dimension.knob, "int", start, end) if start < end else dimension
    scale, number = dimension.scale, float(value)
    if scale == "log" and number <= 0:
        return dimension
    half = (position(scale, high) - position(scale, low)) / 2
    least = position(scale, lowest) if lowest > 0 or scale != "log" else -math.inf
    most = position(scale, highest)
    first = max(min(position(scale, number) - half, most - 2 * half), least)
    last = min(first + 2 * half, most)
    knob = KNOBS[dimension.knob]
    low, high = (knob.kept(value_at(scale, place), lowest, highest) for place in (first, last))
    return Dimension(dimension.knob, scale, low, high)


def _choices(space: Space, knob: str) -> tuple[Value, ...]:
    return space[knob].choices if knob in space.knobs else ()


def _least_batch(space: Space, config: RunConfig) -> int:
    """One example has no variance: 2 where any trial may have batch norm."""
    return 2 if True in (_choices(space, "batch_norm") or (config.batch_norm,)) else 1


def _is_used(knob: str, optimizers: tuple[Value, ...]) -> bool:
    return knob not in KNOBS or any(optimizer in KNOBS[knob].used_by for optimizer in optimizers)


def _hidden(base: tuple[int, ...], units: int | None, layers: int | None) -> tuple[int, ...]:
    count = len(base) if layers is None else layers
    if units is not None:
        return (units,) * count
    return (base + base[-1:] * count)[:count]
