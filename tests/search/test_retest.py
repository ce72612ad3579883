"""Whether settings still stand: the settings at a session's end, pairs by seed, and Student's t."""

from __future__ import annotations

import math

import pytest

from pandatui.nn.schedules import rate_in_use
from pandatui.search import retest
from pandatui.search.retest import DOUBT, SEEDS, settings_at_end, spec_of, standings, t_below
from pandatui.search.setup import prepare
from pandatui.sessions.record import Identity, record
from pandatui.training import Run
from pandatui.training.events import Nudge, Undo
from pandatui.training.setup import RunOptions
from pandatui.training.setup import prepare as prepare_run

# One-sided points of Student's t, from the usual tables: (degrees of freedom, chance above, t).
TABLE = [
    *[(1, 0.05, 6.314), (1, 0.025, 12.706), (2, 0.05, 2.920), (2, 0.005, 9.925), (3, 0.05, 2.353)],
    *[(4, 0.05, 2.132), (4, 0.025, 2.776), (4, 0.005, 4.604), (4, 0.0005, 8.610), (5, 0.05, 2.015)],
    *[(7, 0.025, 2.365), (10, 0.05, 1.812), (30, 0.05, 1.697), (99, 0.025, 1.984)],
]


@pytest.mark.parametrize(("freedom", "above", "t"), TABLE)
def test_students_t_as_in_the_tables(freedom, above, t):
    assert t_below(t, freedom) == pytest.approx(1 - above, rel=2e-4)
    assert t_below(-t, freedom) == pytest.approx(above, rel=2e-3)


def test_students_t_at_its_ends():
    assert t_below(0, 4) == 0.5
    assert t_below(-math.inf, 4) == 0
    assert t_below(math.inf, 4) == 1


def session_of(commands, epochs=8, **settings):
    """A session of a run on moons; `commands` maps steps to what is done before them."""
    options = RunOptions(**({"data": "moons", "hidden": (4,), "epochs": epochs} | settings))
    config, dataset = prepare_run(options)
    run = Run(config, dataset)
    while run.ready:
        for command in commands.get(run.steps, ()):
            run.apply(command)
        run.step()
    return record(run, Identity.new("one"), 1.0, run.evaluate()), run


def test_settings_are_those_that_the_live_path_left():
    session, run = session_of(
        {5: [Nudge("momentum", to=0.5)], 9: [Nudge("batch_size", to=32)], 20: [Nudge("l2", to=1.0), Undo()]}
    )
    found = settings_at_end(session)
    assert (found.momentum, found.batch_size, found.l2) == (0.5, 32, 0.0)
    assert (found.learning_rate, found.epochs, found.hidden) == (0.1, 8, (4,))
    assert found.plan == ()
    assert isinstance(found.batch_size, int)
    assert run.knobs["momentum"] == found.momentum


def test_the_learning_rate_is_the_base_that_gives_the_rate_in_use():
    session, run = session_of(
        {30: [Nudge("learning_rate", to=0.3)], 60: [Nudge("decay", to=0.25)], 70: [Nudge("decay", to=0.5)]}
    )
    found = settings_at_end(session)
    assert found.decay == 0.5
    assert found.learning_rate == pytest.approx(run.base_rate, rel=1e-11)
    in_use = rate_in_use(found.learning_rate, found.decay, run.epoch)
    assert in_use == pytest.approx(run.knobs["learning_rate"], rel=1e-11)


def test_the_spec_races_the_settings_and_their_neighbours_with_five_seeds():
    session, _ = session_of({5: [Nudge("momentum", to=0.5)]}, seed=7)
    spec = spec_of(session)
    ready = prepare(spec)
    assert ready.points[0]["momentum"] == 0.5
    study = ready.study()
    study.begin_round()
    assert len(study.trials) == spec.trials == len(ready.points) * SEEDS
    assert [study.trials[n].config.seed for n in range(1, 7)] == [7, 8, 9, 10, 11, 7]
    assert spec_of(session, epochs=3).run.epochs == 3


@pytest.fixture
def study():
    """A retest of which nothing has been trained: `end` says what each setting's trials came to."""
    session, _ = session_of({})
    found = prepare(spec_of(session)).study()
    found.begin_round()
    return found


def end(study, costs):
    """Costs by point, then by seed; infinite is diverged, NaN failed. Points beyond have the first's."""
    for number, trial in study.trials.items():
        point, seed = divmod(number - 1, SEEDS)
        cost = costs[point][seed] if point < len(costs) else costs[0][seed] + 1 + seed
        if math.isnan(cost):
            trial.end("failed")
        elif math.isinf(cost):
            trial.end("diverged")
        else:
            trial.dev = [(10, cost, 0.5)]
            trial.end("finished")


OWN = [1.0, 1.1, 0.9, 1.3, 0.7]


def first(study, theirs):
    """The standing of the first knob, whose lower neighbour has these costs."""
    end(study, [OWN, theirs])
    return standings(study)[0]


def test_mean_and_standard_error_of_the_pairs_by_hand(study):
    # differences -0.1, -0.3, 0.1, 0.0, -0.2: mean -0.1, squares off it 0, .04, .04, .01, .01, so s² = 0.1/4
    # and the standard error √(0.025/5) = 0.0707; t = -1.41 with 4 degrees of freedom: far from stale
    found = first(study, [0.9, 0.8, 1.0, 1.3, 0.5])
    assert found.difference == pytest.approx(-0.1)
    assert found.error == pytest.approx(math.sqrt(0.005))
    assert (found.pairs, found.verdict, found.knob) == (5, "stands", "learning_rate")
    assert found.neighbour == study.points[1]["learning_rate"]


def test_what_is_common_to_a_seed_does_not_count(study):
    found = first(study, [cost - 0.01 - 0.001 * (i % 2) for i, cost in enumerate(OWN)])
    assert found.verdict == "stale"
    assert found.difference == pytest.approx(-0.0104)


@pytest.mark.parametrize(
    ("t", "verdict"), [(2.1, "stands"), (2.2, "doubtful"), (4.0, "doubtful"), (4.7, "stale")]
)
def test_the_chance_is_shared_out_over_the_neighbours(t, verdict, study):
    # with 4 degrees of freedom 5 % lie beyond 2.132, 1 % beyond 3.747, 0.5 % beyond 4.604; an eighth of 5 %
    # is 0.625 %
    assert (len(study.points) - 1, DOUBT) == (8, 0.05)  # L2 0 and decay 0 have one neighbour each
    spread = [0.1 * x for x in (-2, -1, 0, 1, 2)]  # mean 0, s² = 0.025, standard error √0.005
    shift = t * math.sqrt(0.005)
    found = first(study, [cost + each - shift for cost, each in zip(OWN, spread, strict=True)])
    assert found.verdict == verdict
    assert found.difference == pytest.approx(-shift)


@pytest.mark.parametrize(
    ("own", "theirs", "pairs", "verdict"),
    [
        ([math.inf] * 5, OWN, 0, "stale"),
        (OWN, [math.inf] * 5, 0, "stands"),
        ([math.inf, *OWN[1:]], OWN, 4, "stale"),
        (OWN, [math.nan, math.inf, *OWN[2:]], 3, "stands"),
        ([math.nan] * 5, OWN, None, None),
        ([math.inf] * 5, [math.inf] * 5, 0, "stands"),
        (OWN, OWN, 5, "stands"),
    ],
)
def test_what_did_not_come_to_an_end(own, theirs, pairs, verdict, study):
    end(study, [own, theirs])
    for trial in list(study.trials.values())[2 * SEEDS :]:
        trial.dev, trial.status = [], "failed"
    found = standings(study)
    if pairs is None:
        assert found == []
    else:
        (only,) = found
        assert (only.pairs, only.verdict) == (pairs, verdict)


def test_the_better_neighbour_speaks_for_its_knob(study):
    higher = next(
        i for i, point in enumerate(study.points) if point["learning_rate"] > study.points[0]["learning_rate"]
    )
    costs = [OWN] * len(study.points)
    costs[higher] = [cost - 0.2 - 0.01 * i for i, cost in enumerate(OWN)]
    end(study, costs)
    found = {each.knob: each for each in standings(study)}
    assert found["learning_rate"].neighbour == study.points[higher]["learning_rate"]
    assert [knob for knob, each in found.items() if each.verdict == "stale"] == ["learning_rate"]
    assert retest.SEEDS == 5
