"""Hints, not orders: a table of rules that look at a run at an epoch's end, and say at most one thing.

Each has a name to switch it off by, a condition on what was `Seen`, and words with the reason. None of them
turns a knob.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pandatui.training.events import last_gesture
from pandatui.training.knobs import averages_over
from pandatui.training.run import Run
from pandatui.training.snapshot import raggedness

FLAT_EPOCHS = 20
QUIET_EPOCHS = 10  # after a hint, before the same one comes again
_LOOKED_BACK = 64  # epochs
_AVERAGED = 10  # steps


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules look at. `dev` are the dev costs at the last epochs' ends, at most 64 of them."""

    knobs: dict[str, float]
    optimizer: str
    batch_norm: bool
    epoch: int
    steps_per_epoch: int
    train_cost: float
    dev: tuple[float, ...]
    best_epoch: int
    best_cost: float  # at that epoch, which may be longer ago than `dev` goes back
    raggedness: float
    since_nudge: int  # epochs since the last nudge, or since the start

    def fell(self, epochs: int) -> float:
        """By which share the lowest dev cost has fallen in the last so many epochs; 1 if too few."""
        before = self.dev[:-epochs]
        return 1 - min(self.dev) / min(before) if before and min(before) > 0 else 1.0

    @property
    def flat(self) -> bool:
        """Whether it has stopped to learn."""
        return self.since_nudge >= FLAT_EPOCHS and self.fell(FLAT_EPOCHS) < 0.01

    @property
    def by_heart(self) -> bool:
        """Whether the training data is known far better than the dev data."""
        return self.train_cost < self.dev[-1] / 2


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    holds: Callable[[Seen], bool]
    words: Callable[[Seen], str]


def _beta(seen: Seen) -> float:
    return averages_over(seen.knobs["momentum"])


RULES = (
    Rule(
        "overfitting",
        lambda s: s.by_heart and s.epoch - s.best_epoch >= 10 and (s.flat or s.dev[-1] > 1.1 * s.best_cost),
        lambda s: (
            f"train {s.train_cost:.3g} is far below dev {s.dev[-1]:.3g}, "
            f"which was best at epoch {s.best_epoch}: more λ?"
        ),
    ),
    Rule(
        "long memory",
        lambda s: s.optimizer in ("momentum", "adam") and _beta(s) > 2 * s.steps_per_epoch,
        lambda s: (
            f"β {s.knobs['momentum']:.4g} averages over {_beta(s):.0f} steps, "
            f"an epoch has {s.steps_per_epoch}: a nudge takes that long to be felt"
        ),
    ),
    Rule(
        "small batches",
        lambda s: s.batch_norm and s.knobs["batch_size"] < 8,
        lambda s: f"batch norm over {s.knobs['batch_size']:.0f} examples is noisy: a larger batch size?",
    ),
    Rule(
        "rate decayed away",
        lambda s: s.knobs["decay"] > 0 and s.knobs["decay"] * s.epoch > 50 and s.dev[-1] > 0.05,
        lambda s: (
            f"decay has taken α to 1/{1 + s.knobs['decay'] * s.epoch:.0f} of where it began: less decay?"
        ),
    ),
    Rule(
        "ragged",
        lambda s: s.raggedness > 3 and s.since_nudge >= 5 and s.fell(5) < 0.02,
        lambda s: "the cost jumps from mini-batch to mini-batch and gets no lower: try lowering α",
    ),
    Rule(
        "slow",
        lambda s: s.since_nudge >= 5 and s.raggedness < 1 and 0.005 < s.fell(5) < 0.1 and s.train_cost > 0.2,
        lambda s: "the cost falls smoothly but slowly: try raising α",
    ),
    Rule(
        "flat",
        lambda s: s.flat and not s.by_heart,
        lambda s: (
            f"cost flat for {FLAT_EPOCHS} epochs: try lowering α, steps as large may jump over the minimum"
        ),
    ),
)
NAMES = tuple(rule.name for rule in RULES)


def seen(run: Run) -> Seen | None:
    """What the rules look at; None before the first epoch's end."""
    history = run.history
    dev = tuple(float(cost) for cost in history.dev_cost.last(_LOOKED_BACK) if cost == cost)
    if not dev or history.best is None:
        return None
    per_epoch = run.batches.steps_per_epoch(int(run.knobs["batch_size"]))
    nudged = last_gesture(run.events)
    return Seen(
        knobs=dict(run.knobs),
        optimizer=run.config.optimizer,
        batch_norm=run.config.batch_norm,
        epoch=run.epoch,
        steps_per_epoch=per_epoch,
        train_cost=float(history.train.last(min(_AVERAGED, run.steps)).mean()),
        dev=dev,
        best_epoch=history.best[0],
        best_cost=history.best[1],
        raggedness=raggedness(history.train.last(min(64, per_epoch))),
        since_nudge=(run.steps - (nudged.step if nudged else 0)) // per_epoch,
    )


class Hints:
    """Says the first rule of the table that holds and has been quiet for a while; `off` are never heard."""

    def __init__(self, off: Collection[str] = ()) -> None:
        self._off = frozenset(off)
        self._said: dict[str, int] = {}

    def at(self, found: Seen) -> str | None:
        """What to say at this epoch's end, if anything."""
        rule = self.rule_at(found)
        return rule.words(found) if rule is not None else None

    def rule_at(self, found: Seen) -> Rule | None:
        """The rule that speaks; the same again only once it has not held, or after going back."""
        for rule in RULES:
            said = self._said.get(rule.name)
            if said is not None and found.epoch < said:
                del self._said[rule.name]
                said = None
            if rule.name in self._off:
                continue
            if not rule.holds(found):
                if said is not None and found.epoch - said >= QUIET_EPOCHS:
                    del self._said[rule.name]
            elif said is None:
                self._said[rule.name] = found.epoch
                return rule
        return None
