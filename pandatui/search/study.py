"""Study: a search as a pure machine: rounds of trials, what came of them, and the box of the next round.

It knows no executor, file, clock or screen; what is trained where is `Race`'s. Given the same outcomes in any
order it comes to the same table.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pandatui.search.importance import importance
from pandatui.search.refine import narrow
from pandatui.search.sampling import draw, grid
from pandatui.search.space import Space, Value, settings
from pandatui.search.spec import Spec
from pandatui.training import RunConfig
from pandatui.training.history import CHAIN_BLOCK, Floats

STANDING = ("waiting", "training")


@dataclass(slots=True)
class Trial:
    """One candidate. `status`: waiting, training, or how it ended: finished, diverged, dropped (by halving),
    stopped (by a person) or failed; `reason` says why where that is not plain.

    `dev` has (step, cost, accuracy) for every epoch's end, the hashes are as a session's.
    """

    number: int
    round: int
    values: dict[str, Value]
    config: RunConfig
    status: str = "waiting"
    reason: str = ""
    steps: int = 0
    epochs: int = 0
    dev: list[tuple[int, float, float]] = field(default_factory=list)
    weights_sha256: str | None = None
    costs_sha256: str | None = None
    seconds: float = 0.0
    environment: int | None = None
    _link: bytes = bytes(32)
    _open: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def stands(self) -> bool:
        return self.status in STANDING

    @property
    def dev_cost(self) -> float:
        """At the last epoch's end; NaN before the first."""
        return self.dev[-1][1] if self.dev else math.nan

    @property
    def dev_accuracy(self) -> float:
        return self.dev[-1][2] if self.dev else math.nan

    def add_costs(self, costs: Floats) -> None:
        """Take the next train costs into the hash chain, as a session's `costs_sha256`."""
        self.steps += len(costs)
        costs = np.concatenate([self._open, costs])
        while len(costs) >= CHAIN_BLOCK:
            self._link = _chained(self._link, costs[:CHAIN_BLOCK])
            costs = costs[CHAIN_BLOCK:]
        self._open = costs.copy()

    def end(self, status: str, reason: str = "", weights_sha256: str | None = None) -> None:
        self.status, self.reason, self.weights_sha256 = status, reason, weights_sha256
        last = _chained(self._link, self._open) if len(self._open) else self._link
        self.costs_sha256 = last.hex() if weights_sha256 is not None else None
        self._open = np.empty(0)


def _chained(previous: bytes, costs: Floats) -> bytes:
    return hashlib.sha256(previous + costs.astype("<f8").tobytes()).digest()


@dataclass(slots=True)
class Round:
    """One sampling of a box; `trials` are its trials' numbers, `decided` the rungs behind it."""

    number: int
    box: Space
    trials: range
    decided: tuple[int, ...] = ()


class Study:
    """The rounds and trials of one spec; `base` is the config that they share but for what is varied."""

    def __init__(
        self, spec: Spec, base: RunConfig, space: Space, points: Sequence[dict[str, Value]] = ()
    ) -> None:
        self.spec = spec
        self.base = replace(base, seed=spec.seed)
        self.space = space
        self.points = tuple(points)  # what is tried in the one round of a study that samples nothing
        self.rounds: list[Round] = []
        self.trials: dict[int, Trial] = {}
        self.environments: list[dict[str, str | int]] = []
        self._more = 0  # rounds beyond those of the spec

    # -- rounds ------------------------------------------------------------------------------------------

    @property
    def sizes(self) -> tuple[int, ...]:
        """Trials by round."""
        if self.points:
            return (len(self.points) * self.spec.seeds,)
        sizes = tuple(self.spec.round_sizes())
        return sizes + sizes[-1:] * self._more

    def more_rounds(self) -> None:
        """One round more than the spec has."""
        self._more += 1

    @property
    def round(self) -> Round | None:
        """The round that has begun last."""
        return self.rounds[-1] if self.rounds else None

    @property
    def over(self) -> bool:
        """Whether every round has begun and no trial stands."""
        return len(self.rounds) >= len(self.sizes) and not self.standing()

    def begin_round(self, box: Space | None = None) -> Round:
        """Sample the next round, from this box or the proposed one."""
        number = len(self.rounds) + 1
        size = self.sizes[min(number, len(self.sizes)) - 1]
        first = len(self.trials) + 1
        made = Round(number, box or self.proposed(), range(first, first + size))
        sampled = self._sampled(made)
        made.trials = range(first, first + len(sampled))
        for trial, (values, seed) in zip(made.trials, sampled, strict=True):
            config = replace(settings(self.base, values), seed=seed)
            self.trials[trial] = Trial(trial, number, values, config)
        self.rounds.append(made)
        return made

    def _sampled(self, made: Round) -> list[tuple[dict[str, Value], int]]:
        """Values and training seed of each trial: a setting's seeds follow each other."""
        seeds = range(self.spec.seed, self.spec.seed + self.spec.seeds)
        if self.points:
            return [(values, seed) for values in self.points for seed in seeds]
        if self.spec.sampling == "grid":
            points = grid(made.box, len(made.trials) // len(seeds))
            return [(values, seed) for values in points for seed in seeds]
        points = [draw(made.box, self.spec.seed, number) for number in made.trials[:: len(seeds)]]
        return [(values, seed) for values in points for seed in seeds][: len(made.trials)]

    def proposed(self) -> Space:
        """The box of the next round: the first, or around the best of the last."""
        last = self.round
        if last is None:
            return self.space
        return narrow(self.space, last.box, self.results(last), self.spec.keep)

    def standing(self) -> list[Trial]:
        """Those of the last round that wait or train."""
        last = self.round
        return [self.trials[n] for n in last.trials if self.trials[n].stands] if last else []

    # -- halving -----------------------------------------------------------------------------------------

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which all wait for each other: those where the worse half goes, and the last."""
        budget = self.base.epochs
        early = {-(-budget // 4), -(-budget // 2)} if self.spec.halving else set()
        return (*sorted(epoch for epoch in early if epoch < budget), budget)

    @property
    def rung(self) -> int:
        """The epoch at which those of the last round wait for each other next."""
        decided = self.round.decided if self.round else ()
        return next(epoch for epoch in self.rungs if epoch not in decided)

    def decide(self) -> list[Trial]:
        """At a rung that all who stand have reached: the worse half is dropped; ties by number."""
        last = self.round
        assert last is not None
        ranked = sorted(self.standing(), key=lambda trial: (self.objective(trial), trial.number))
        dropped = ranked[-(-len(ranked) // 2) :]
        last.decided = (*last.decided, self.rung)
        return dropped

    # -- results -----------------------------------------------------------------------------------------

    def objective(self, trial: Trial) -> float:
        """What is to be low; infinite for a trial that diverged, failed, or has no epoch yet."""
        if trial.status in ("diverged", "failed") or not trial.dev:
            return math.inf
        match self.spec.objective:
            case "best_dev_cost":
                value = min(cost for _, cost, _ in trial.dev)
            case "dev_accuracy":
                value = 1 - trial.dev_accuracy
            case _:
                value = trial.dev_cost
        return value if math.isfinite(value) else math.inf

    def ranking(self, trials: Sequence[Trial] | None = None) -> list[Trial]:
        """Trials from best to worst: who came further first, then by objective, ties by number."""
        chosen = list(self.trials.values()) if trials is None else trials
        ended = [trial for trial in chosen if trial.dev or not trial.stands]

        def place(trial: Trial) -> tuple[bool, int, float, int]:
            objective = self.objective(trial)
            return math.isinf(objective), -trial.epochs, objective, trial.number

        return sorted(ended, key=place)

    @property
    def best(self) -> Trial | None:
        """The best so far that has come to the end of its budget, else the best of all."""
        ranked = self.ranking()
        return ranked[0] if ranked and math.isfinite(self.objective(ranked[0])) else None

    def results(self, of: Round | None = None) -> list[tuple[dict[str, Value], float]]:
        """Settings of the trials that have ended with what orders them: small is good, infinite diverged."""
        chosen = [self.trials[n] for n in of.trials] if of else list(self.trials.values())
        ended = [trial for trial in chosen if not trial.stands and trial.status != "failed"]
        ranked = self.ranking(ended)
        place = {
            trial.number: float(i) if math.isfinite(self.objective(trial)) else math.inf
            for i, trial in enumerate(ranked)
        }
        return [(trial.values, place[trial.number]) for trial in ended]

    def environment_number(self, environment: dict[str, str | int]) -> int:
        """Its place among those that trials were trained in."""
        if environment not in self.environments:
            self.environments.append(environment)
        return self.environments.index(environment)

    def importance(self) -> dict[str, float]:
        """How much each knob mattered in the first space, over all rounds; {} where nothing was sampled."""
        return {} if self.points else importance(self.space, self.results())
