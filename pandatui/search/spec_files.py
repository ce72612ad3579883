"""Specs as files: TOML or JSON read as what a stranger may have written, and TOML written for a person."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pandatui.data import DataError
from pandatui.data.opening import open_regular
from pandatui.plain import harmless, one_line
from pandatui.search.spec import Spec, SpecError
from pandatui.toml import MAX_BYTES, TomlError, read_toml, text_of

_COLUMN = 30

_NOTES = {
    "rounds": "each around the best of the one before",
    "trials": "in all, spread over the rounds",
    "keep": "the best part of a round, around which the next is sampled",
    "seed": "of the sampling, and of every trial's start and mini-batches",
    "objective": "dev_cost (at the end), best_dev_cost or dev_accuracy",
    "sampling": "random, grid, or neighbours of the settings below",
    "halving": "drop the worse half at 1/4 and at 1/2 of the budget",
    "seeds": "training seeds for each setting",
    "space": "default, wide, or a table as below",
}
_RUN_NOTES = {
    "data": ("digits", "a built-in set or a file"),
    "label": ("kind", "the column to predict; not said: the last"),
    "drop": (["id"], "columns to leave out"),
    "standardise": ("auto", "auto, column, overall or none"),
    "hidden": ([64, 32], "units, layer by layer"),
    "activation": ("relu", "relu, leaky_relu, tanh or sigmoid"),
    "batch_norm": (True, ""),
    "optimizer": ("momentum", "momentum, adam, rmsprop or sgd"),
    "learning_rate": (0.1, "here and below: used where the space does not vary it"),
    "momentum": (0.9, ""),
    "second_moment": (0.999, "of rmsprop and adam"),
    "decay": (0.0, ""),
    "l2": (0.0, ""),
    "batch_size": (64, ""),
    "epochs": (60, "the budget of a trial"),
    "split_seed": (0, "of the split and of generated data"),
    "dtype": ("float32", "float32 or float64"),
}
_EXAMPLE = (
    'learning_rate = {scale = "log", low = 0.0001, high = 1.0}',
    'momentum = {scale = "log1m", low = 0.9, high = 0.999}',
    'layers = {scale = "int", low = 1, high = 4}',
    'activation = {scale = "choice", choices = ["relu", "tanh"]}',
)


def load(path: Path) -> Spec:
    """The spec of a file, JSON where its name ends in .json, else TOML. Raises SpecError."""
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_BYTES + 1)
    except DataError as error:
        raise SpecError(str(error)) from None
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}") from None
    try:
        return from_json(raw) if path.suffix == ".json" else from_toml(raw)
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None


def from_json(raw: bytes) -> Spec:
    """Raises SpecError, for a key found twice too."""
    try:
        plain = json.loads(text_of(raw, "spec"), object_pairs_hook=_once, parse_constant=_no_number)
    except (SpecError, TomlError) as error:
        raise SpecError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not JSON as expected: {one_line(error)}") from None
    return _made(plain)


def from_toml(raw: bytes) -> Spec:
    """Raises SpecError."""
    try:
        plain = read_toml(raw, "spec")
    except TomlError as error:
        raise SpecError(str(error)) from None
    return _made(plain)


def to_toml(spec: Spec) -> str:
    """A file for a person to start from: what is not said stands there as a comment. Reads back equal."""
    plain = spec.to_plain()
    run, space = plain.pop("run"), plain.pop("space")
    lines = ["# A study of pandatui. To run it: pandatui batch FILE", ""]
    lines += [_line(name, value, _NOTES[name]) for name, value in plain.items()]
    if isinstance(space, str):
        lines += [_line("space", space, _NOTES["space"]), ""]
        lines += ["# [space]  # scales are log, log1m (log in 1 − x), linear, int and choice"]
        lines += [f"# {line}" for line in _EXAMPLE]
    else:
        lines += ["", "[space]  # scales are log, log1m (log in 1 − x), linear, int and choice"]
        lines += [f"{knob} = {_inline(dimension)}" for knob, dimension in space.items()]
    lines += ["", "[run]  # what all trials share; what is not said has its default"]
    for name, (example, note) in _RUN_NOTES.items():
        lines.append(_line(name, run[name], note) if name in run else _line(f"# {name}", example, note))
    return "\n".join(lines) + "\n"


def _made(plain: object) -> Spec:
    try:
        return Spec.from_plain(plain)
    except SpecError as error:
        raise SpecError(one_line(error)) from None


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SpecError(f"{key!r:.80}: expected a key once, found it twice")
        found[key] = value
    return found


def _no_number(text: str) -> None:
    raise SpecError(f"{text}: expected a number")


def _line(name: str, value: object, note: str) -> str:
    said = f"{name} = {_value(value)}"
    return f"{said:{_COLUMN}}  # {note}" if note else said


def _inline(dimension: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key} = {_value(value)}" for key, value in dimension.items()) + "}"


def _quoted(text: str) -> str:
    """As a JSON string, which is a TOML string, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "".join(c if harmless(c) == c else json.dumps(c)[1:-1] for c in _quoted(value))
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
