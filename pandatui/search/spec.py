"""Spec: all that a study is made of, checked, as plain JSON or TOML types and back.

It says what is asked for and not on what machine: workers, schedulers and folders are no part of it. What
trials a spec gives follows from it and the data alone, so that its fingerprint tells whether a study that was
broken off is this one.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pandatui.search.space import SPACES, Space, check_fits
from pandatui.training.config import ConfigError, RunConfig
from pandatui.training.setup import RunOptions

OBJECTIVES = ("dev_cost", "best_dev_cost", "dev_accuracy")
SAMPLING = ("random", "grid", "neighbours")
STANDARDISE = ("auto", "column", "overall", "none")
MAX_TRIALS = 20_000  # a study of more has no room in its file
MAX_ROUNDS = 100
MAX_SEEDS = 100

# A trial has the study's seed, and nobody there to nudge it.
RUN_OPTIONS = tuple(each.name for each in fields(RunOptions) if each.name not in ("seed", "plan"))
_LISTS = ("hidden", "drop")


class SpecError(ConfigError):
    """A spec that no study can have: one line that says where, what it was and what was expected."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Frozen and validated; raises SpecError.

    run: the settings that all trials share, epochs (the budget of each) among them.
    space: "default", "wide", or the first box itself.
    trials: in all, spread over the rounds. keep: the best part that the next box is drawn around.
    seed: of the sampling and of every trial's training; with `seeds` above 1 a setting is trained with so
    many seeds, this one and those that follow it.
    objective: the dev cost at the budget's end, the best on the way, or the dev accuracy at its end.
    sampling: "random", "grid", or "neighbours" of the settings in `run`: one round of as many as there are.
    halving: the worse half goes at 1/4 and at 1/2 of the budget.
    """

    run: RunOptions = field(default_factory=RunOptions)
    space: str | Space = "default"
    rounds: int = 3
    trials: int = 60
    keep: float = 0.25
    seed: int = 1
    objective: str = "dev_cost"
    sampling: str = "random"
    halving: bool = False
    seeds: int = 1

    def __post_init__(self) -> None:
        _whole("rounds", self.rounds, 1, MAX_ROUNDS)
        _whole("trials", self.trials, self.rounds, MAX_TRIALS, "at least one a round, ")
        _whole("seeds", self.seeds, 1, MAX_SEEDS)
        _whole("seed", self.seed, 0, 2**63 - self.seeds)
        _one_of("objective", self.objective, OBJECTIVES)
        _one_of("sampling", self.sampling, SAMPLING)
        if not _is_number(self.keep) or not 0 < self.keep <= 1:
            raise SpecError(f"keep {self.keep!r:.80}: expected a part above 0, at most 1")
        object.__setattr__(self, "keep", float(self.keep))
        if not isinstance(self.halving, bool):
            raise SpecError(f"halving {self.halving!r:.80}: expected true or false")
        if self.sampling == "neighbours" and self.rounds != 1:
            raise SpecError(f"rounds {self.rounds}: expected 1 of neighbours")
        for name in ("seed", "plan"):
            if getattr(self.run, name) not in (None, ()):
                expected = "the study's seed instead" if name == "seed" else "no planned nudges in a study"
                raise SpecError(f"run.{name}: expected {expected}")
        config = self.settled()
        if isinstance(self.space, str):
            _one_of("space", self.space, SPACES)
            return
        try:
            check_fits(self.space, config)
        except ConfigError as error:
            raise SpecError(str(error)) from None

    def settled(self) -> RunConfig:
        """The run options with every default written out that needs no data to be known. Raises SpecError."""
        if self.run.standardise is not None:
            _one_of("run.standardise", self.run.standardise, STANDARDISE)
        try:
            return RunConfig(**(self.run.asked() | {"standardise": "none", "seed": self.seed}))
        except ConfigError as error:
            raise SpecError(f"run: {error}") from None

    def round_sizes(self) -> tuple[int, ...]:
        """Trials by round: as many in each; where that is not even, the earlier ones have one more."""
        share, rest = divmod(self.trials, self.rounds)
        return tuple(share + (number < rest) for number in range(self.rounds))

    def fingerprint(self) -> str:
        """SHA-256 that is the same however the spec is written: order of keys, defaults given or not."""
        run = self.settled().to_dict() | {"standardise": self.run.standardise or "auto"}
        canonical = self.to_plain() | {"run": run}
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_plain(self) -> dict[str, Any]:
        """Types of JSON and TOML, every field; of the run options those that were given."""
        given = {name: value for name in RUN_OPTIONS if (value := getattr(self.run, name)) is not None}
        given |= {name: list(given[name]) for name in _LISTS if name in given}
        if not self.run.drop:
            del given["drop"]
        space = self.space if isinstance(self.space, str) else self.space.to_plain()
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {"run": given, "space": space}

    @classmethod
    def from_plain(cls, plain: object) -> "Spec":
        """The inverse of `to_plain`; what is left out has its default. Raises SpecError."""
        values = _table("spec", plain, tuple(each.name for each in fields(cls)))
        given = _table("run", values.get("run", {}), RUN_OPTIONS)
        for name in _LISTS:
            if name in given:
                if not isinstance(given[name], list):
                    raise SpecError(f"run.{name} {given[name]!r:.80}: expected a list")
                given[name] = tuple(given[name])
        space = values.get("space", "default")
        try:
            values["space"] = space if isinstance(space, str) else Space.from_plain(space)
        except ConfigError as error:
            where = "" if str(error).startswith("space") else "space: "
            raise SpecError(f"{where}{error}") from None
        return cls(**(values | {"run": RunOptions(**given)}))


def _table(where: str, plain: object, known: Sequence[str]) -> dict[str, Any]:
    if not isinstance(plain, dict):
        raise SpecError(f"{where} {plain!r:.80}: expected a table")
    for key in plain:
        if key not in known:
            raise SpecError(f"{where}: {key!r:.80}: expected one of {', '.join(known)}")
    return dict(plain)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_of(where: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise SpecError(f"{where} {value!r:.80}: expected one of {', '.join(allowed)}")


def _whole(where: str, value: object, low: int, high: int, why: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SpecError(f"{where} {value!r:.80}: expected {why}a whole number from {low} to {high:,}")
