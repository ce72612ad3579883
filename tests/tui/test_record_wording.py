"""A record in words: the summary on opening says what went wrong, as the run itself had said it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pandatui.sessions import Session
from pandatui.sessions.player import Recording
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import decode, encode
from pandatui.training import Run
from pandatui.training.events import Diverged, Fact, Nudge, Undo, WorseThanGuessing
from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.record_wording import spells_worse_than_guessing, standing, warnings_of

HOT, COOL = (5, 20, 35), (9, 24, 39)  # epochs


def kept(run: Run, seconds: float = 1.0) -> Session:
    """The run's record, through its file."""
    who = Identity("made-run", "0", "2026-11-21T10:00:00+00:00")
    return decode(encode(record(run, who, seconds, run.evaluate())))[0]


def shaken(run: Run) -> list[Fact]:
    """Train with spells of a rate that is far too high."""
    facts: list[Fact] = []
    while run.status == "running":
        if run.batches.place == 0 and run.epoch in (*HOT, *COOL):
            run.apply(Nudge("learning_rate", to=3.0 if run.epoch in HOT else 0.05), 0.1)
        facts += run.step(0.1)
    return facts


@pytest.mark.parametrize("seed", range(1, 13))
def test_the_warnings_on_record_are_those_that_the_run_gave(new_run: Callable[..., Run], seed: int) -> None:
    run = new_run(epochs=60, seed=seed, batch_norm=False, optimizer="sgd")
    told = [fact.since_epoch for fact in shaken(run) if isinstance(fact, WorseThanGuessing)]
    session = kept(run)
    r = Recording.of(session)
    spells = spells_worse_than_guessing(r.dev_epochs, r.dev_costs, r.guessing)
    assert told
    assert [first for first, _ in spells] == told
    for first, last in spells:
        assert all(not c < r.guessing for c in r.dev_costs[first - 1 : last])
        assert last == len(r.dev_costs) or r.dev_costs[last] < r.guessing
    count = "1 warning: " if len(told) == 1 else f"{len(told)} warnings, the last: "
    assert standing(session, crashed=False).endswith(
        f" · {count}worse than guessing, epochs {spells[-1][0]}–{spells[-1][1]}"
    )


def test_a_run_that_diverged_says_so_until_that_is_undone(new_run: Callable[..., Run]) -> None:
    run = new_run(epochs=60, batch_norm=False, optimizer="sgd")
    while run.steps < 10:
        run.step(0.1)
    run.apply(Nudge("learning_rate", to=100.0), 0.1)
    facts: list[Fact] = []
    while run.status == "running":
        facts += run.step(0.1)
    (fell,) = [fact for fact in facts if isinstance(fact, Diverged)]
    assert warnings_of(kept(run), crashed=False)[-1] == f"diverged at step {fell.step:,}"
    run.apply(Undo(), 0.2)
    assert warnings_of(kept(run), crashed=False) == []


def test_the_summary_of_a_quiet_run_and_of_one_that_was_killed() -> None:
    run = Run(*prepare(RunOptions(data="xor", hidden=(6,), epochs=412)))
    while run.ready:
        run.step(0.1)
    session = kept(run, 8 * 3600 + 12 * 60 + 59)
    best = session.result.best_epoch
    assert best is not None
    ago = f" ({412 - best} ago)" if best < 412 else ""
    where = f"at epoch {best}{ago} · 0 warnings"
    said = standing(session, crashed=False)
    assert said.startswith("ran 8 h 12 min · 412 epochs · best dev 0.")
    assert said.endswith(where)
    assert standing(session, crashed=True).endswith(f" · 1 warning: cut off at step {session.steps:,}")
