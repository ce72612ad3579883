"""Training that goes wrong: stopped before the bad update, or once it has blown up; what was good stays good.

`PANDATUI_WILD` says how many random wild configurations there are of each kind, with batch norm and without.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import decode, encode
from pandatui.training import Run
from pandatui.training.config import RunConfig
from pandatui.training.events import Rescue

WILD = int(os.environ.get("PANDATUI_WILD", "8"))
SEED = os.environ["PANDATUI_SEED"]
WINDOW, FACTOR = 50, 10  # steps, and times ln C: what DESIGN calls blown up

ARRAYS = ("parameters", "running", "first", "second")
WHO = Identity("wild", "0b8e0d5e-0000-4000-8000-000000000000", "2026-01-02T03:04:05+00:00")

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(120 + 5 * WILD)]


def drawn(number: int, batch_norm: bool) -> dict[str, Any]:
    """A wild configuration: the rate up to its limit, anything else anywhere."""
    chance = random.Random(f"{SEED}/{batch_norm}/{number}")
    return {
        "batch_norm": batch_norm,
        "hidden": tuple(chance.choice((1, 3, 16, 64)) for _ in range(chance.randint(1, 6))),
        "activation": chance.choice(("relu", "leaky_relu", "tanh", "sigmoid")),
        "optimizer": chance.choice(("momentum", "adam", "rmsprop", "sgd")),
        "learning_rate": 100.0 if number % 4 == 0 else 10 ** chance.uniform(-1, 2),
        "momentum": chance.choice((0.0, 0.5, 0.9, 0.9999)),
        "second_moment": chance.choice((0.0, 0.9, 0.99999)),
        "decay": chance.choice((0.0, 0.0, 0.001, 10.0)),
        "l2": chance.choice((0.0, 0.0, 1e-5, 1.0, 100.0)),
        "batch_size": chance.choice((2, 3, 4, 21)),
        "dtype": chance.choice(("float32", "float64")),
        "epochs": 80,
        "seed": chance.randrange(1000),
    }


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same, bit for bit."""
    plain = ("steps", "running_product", "first_product", "second_product", "batches", "knobs", "base_rate")
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)
    return arrays and all(getattr(one, name) == getattr(other, name) for name in plain)


def finite(run: Run) -> bool:
    return all(np.isfinite(getattr(run.state(), name)).all() for name in ARRAYS)


def trained(run: Run) -> str:
    """Train to the end, and hold it to what is promised; what has become of it."""
    limit = FACTOR * run.guessing
    costs: list[float] = []
    while run.ready:
        before = run.state()
        run.step()
        if run.steps > before.steps:
            costs.append(float(run.history.train.last(1)[0]))
            assert math.isfinite(costs[-1])
        best = run.history.best
        assert best is None or math.isfinite(best[1])
    fate = run.events[-1].text or "" if run.status == "diverged" else "finished"
    assert finite(run), "no update with what is not finite was taken"
    means = [np.mean(costs[end - WINDOW : end]) for end in range(WINDOW + 1, len(costs) + 1)]
    if fate == "non-finite":
        assert same(run.state(), before), "the step before is whole"
        assert run.events[-1].step == run.steps + 1
    elif fate == "blown up":
        assert means[-1] > limit
        assert run.events[-1].step == run.steps
        means.pop()
    assert all(mean <= limit * (1 + 1e-12) for mean in means), "it went on though it had blown up"
    hot = 0
    for cost in costs[1:]:
        hot = hot + 1 if cost > limit else 0
        assert hot <= WINDOW, "fifty steps were enough to know"
    return fate


def on_record(run: Run) -> None:
    """Its session is read as it was written, and names nothing non-finite as the best."""
    raw = encode(record(run, WHO, 1.0, run.evaluate()))
    session, whole = decode(raw)
    assert whole
    assert not isinstance(session.result.best_dev_cost, str)
    json.loads(raw, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_wild_configurations(
    new_run: Callable[..., Run], dataset: Callable[..., Any], batch_norm: bool
) -> None:
    print(f"PANDATUI_WILD={WILD} PANDATUI_SEED={SEED}")
    fates: Counter[str] = Counter()
    for number in range(WILD):
        settings = drawn(number, batch_norm)
        print(settings)
        scale = random.Random(f"{SEED}/{number}").choice((1.0, 1.0, 1e3, 1e18))
        data = dataset(scale=scale, dtype=settings["dtype"])
        run = new_run(data, **settings)
        fate = trained(run)
        fates[fate] += 1
        on_record(run)
        if fate != "finished":
            run.apply(Rescue())
            assert run.status == "running"
            assert finite(run)
            nudge = run.events[-1]  # with decay the rate in use is no longer the one it began with
            assert nudge.after == pytest.approx(max(1e-6, nudge.before / 2))
    print(fates)


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_rate_at_its_limit(new_run: Callable[..., Run], optimizer: str, batch_norm: bool) -> None:
    limit = 100.0
    RunConfig(data="xor", learning_rate=limit)
    with pytest.raises(ValueError, match="learning rate"):
        RunConfig(data="xor", learning_rate=math.nextafter(limit, math.inf))
    run = new_run(
        optimizer=optimizer, batch_norm=batch_norm, hidden=(32, 32), learning_rate=limit, epochs=300
    )
    assert trained(run) in ("non-finite", "blown up")
    on_record(run)


def test_as_a_command_it_says_so_in_a_line_and_ends_with_6(
    outside: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for batch_norm in ("--batch-norm", "--no-batch-norm"):
        wild = ("--data", "xor", "--hidden", "64,64,64", "--learning-rate", "100", batch_norm)
        status, out, err = outside("train", *wild, "--json", "--sessions", "kept", "--epochs", "200")
        assert status == 6
        assert "diverged" in err
        assert "Warning" not in err
        assert "Traceback" not in err
        found = json.loads(out, parse_constant=lambda text: pytest.fail(text))
        assert found["best_dev_cost"] is None or math.isfinite(found["best_dev_cost"])
        status, out, _ = outside("replay", "--verify", "--sessions", "kept")
        assert (status, "identical" in out) == (0, True)
