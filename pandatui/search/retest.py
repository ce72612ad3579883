"""Retest: whether a session's settings still stand against their neighbours. Hyperparameters go stale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from pandatui.nn.schedules import base_for
from pandatui.search.dimension import Value
from pandatui.search.neighbours import neighbours
from pandatui.search.spec import RUN_OPTIONS, Spec
from pandatui.search.study import Study, Trial
from pandatui.sessions import Session
from pandatui.sessions.player import Recording
from pandatui.sessions.replay import config_of, events_of
from pandatui.training import RunConfig
from pandatui.training.knobs import KNOBS, clean
from pandatui.training.setup import RunOptions

SEEDS = 5
DOUBT = 0.05  # the chance, over all neighbours together, of calling settings stale that are as good


def settings_at_end(session: Session) -> RunConfig:
    """The session's config with its live knobs as its live path left them, and nothing planned.

    For the learning rate that is α₀, the base that decay divides: a run that begins with it has the rate in
    use at the same epoch. Raises RerunError.
    """
    config = config_of(session)
    knobs: dict[str, float] = {}
    for event in events_of(session):
        if event.kind == "nudge" and event.undone_by is None and event.knob and event.after is not None:
            knobs[event.knob] = event.after
    if knobs.keys() & {"learning_rate", "decay"}:
        rate = float(Recording.of(session).rates[-1])
        decay = knobs.get("decay", config.decay)
        limits = KNOBS["learning_rate"]
        base = base_for(rate, decay, session.epochs)
        knobs["learning_rate"] = limits.kept(base, limits.low, limits.high)
    values: dict[str, Value] = {
        name: int(value) if KNOBS[name].whole else clean(value) for name, value in knobs.items()
    }
    return replace(config, plan=(), **values)  # type: ignore[arg-type]


def spec_of(session: Session, data: str | None = None, epochs: int | None = None) -> Spec:
    """The study that retests a session: its settings and their neighbours, each with five training seeds.

    `data` is where its data are now, `epochs` another budget. Raises RerunError, SpecError.
    """
    config = settings_at_end(session)
    given = {name: getattr(config, name) for name in RUN_OPTIONS}
    given |= {"data": data or config.data, "epochs": epochs or config.epochs}
    run = RunOptions(**{each.name: given[each.name] for each in fields(RunOptions) if each.name in given})
    settings = len(neighbours(config, {}, session.data.train_rows))
    seed = min(config.seed, 2**63 - SEEDS)
    return Spec(run=run, rounds=1, trials=settings * SEEDS, seed=seed, sampling="neighbours", seeds=SEEDS)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a knob's setting does against the better of its neighbours.

    `difference` is the neighbour's dev cost less the setting's, over `pairs` training seeds: the mean, and
    its standard error. Below 0 the neighbour is better. `verdict`: stands, doubtful or stale.
    """

    knob: str
    value: Value
    neighbour: Value
    difference: float
    error: float
    pairs: int
    verdict: str


def standings(study: Study) -> list[Standing]:
    """Each knob's setting against its neighbours, in the order of the knobs.

    Paired by seed: start and mini-batches are common, so of the costs only differences count. Of the n pairs
    in which both came to an end, d is the mean difference and s/√n its standard error, with s² over n − 1.
    A setting is stale where d is below 0 by more than chance: Student's one-sided t test of the pairs (1908),
    the chance of 5 % shared out over all neighbours (Bonferroni); it is doubtful where one neighbour alone
    would have that chance. It is stale, too, where it diverged with more seeds than a neighbour did. Knobs
    without a neighbour that ended anywhere are left out.
    """
    seeds = study.spec.seeds
    costs = [
        [_cost(study, study.trials[first + i]) for i in range(seeds)]
        for first in range(1, len(study.trials) + 1, seeds)
    ]
    centre, own = study.points[0], costs[0]
    found: dict[str, Standing] = {}
    for values, theirs in zip(study.points[1:], costs[1:], strict=True):
        knob = next(name for name in centre if values[name] != centre[name])
        made = _against(knob, centre[knob], values[knob], own, theirs, len(costs) - 1)
        if made is not None and (knob not in found or _better(made, found[knob])):
            found[knob] = made
    return list(found.values())


def _cost(study: Study, trial: Trial) -> float:
    return math.nan if trial.stands or trial.status == "failed" else study.objective(trial)


def _against(
    knob: str, value: Value, other: Value, own: Sequence[float], theirs: Sequence[float], tests: int
) -> Standing | None:
    pairs = np.array([(a, b) for a, b in zip(own, theirs, strict=True) if not math.isnan(a + b)])
    if not len(pairs):
        return None
    finite = np.isfinite(pairs)
    both = finite.all(axis=1)
    differences = pairs[both, 1] - pairs[both, 0]
    n = len(differences)
    rescued = int(finite[:, 1].sum()) > int(finite[:, 0].sum())
    if n < 2:
        mean = -math.inf if rescued else math.inf
        return Standing(knob, value, other, mean, math.nan, n, "stale" if rescued else "stands")
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / math.sqrt(n))
    t = mean / error if error else (0.0 if not mean else math.copysign(math.inf, mean))
    chance = 0.0 if rescued else t_below(t, n - 1)
    verdict = "stale" if chance < DOUBT / tests else "doubtful" if chance < DOUBT else "stands"
    return Standing(knob, value, other, mean, error, n, verdict)


def _better(one: Standing, other: Standing) -> bool:
    """Whether a neighbour says more against the setting than another."""
    order = ("stale", "doubtful", "stands")
    return (order.index(one.verdict), one.difference) < (order.index(other.verdict), other.difference)


def t_below(t: float, freedom: int) -> float:
    """The chance that Student's t with so many degrees of freedom is below `t`.

    By the finite sums for whole degrees (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).
    """
    if math.isinf(t):
        return 0.0 if t < 0 else 1.0
    theta = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(theta)
    term, total = 1.0, 0.0
    for j in range(1 + freedom % 2, freedom, 2):
        total += term
        term *= cosine**2 * j / (j + 1)
    if freedom % 2:
        within = 2 / math.pi * (theta + math.sin(theta) * cosine * total)
    else:
        within = math.sin(theta) * total
    return 0.5 + within / 2
