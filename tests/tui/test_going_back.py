"""Undo, redo, rewind and rescue by their keys: the model goes back, the words say so, the record keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pandatui.training import Run
from pandatui.tui.widgets.cost_plot import CostPlot

Opened = Callable[..., Any]


def hashes(run: Run) -> tuple[str, str]:
    return run.weights_sha256(), run.history.costs_sha256()


def kinds(run: Run) -> list[str]:
    return [event.kind for event in run.events if event.kind not in ("pause", "go on")]


async def steps(s: Any, count: int) -> None:
    """Take so many steps, by hand."""
    goal = s.steps + count
    await s.press("r", *("backspace",) * 3, *str(count), "enter")
    await s.until(lambda: s.steps == goal and s.run(lambda run: run.paused), f"for step {goal}")


async def begun(s: Any) -> None:
    await s.until(lambda: s.steps == 1)
    s.app.live.driver.set_pace(None)
    s.type("space")
    await s.until(lambda: s.run(lambda run: run.paused or run.status != "running"))


async def test_undo_goes_back_to_before_the_nudge_and_redo_forth_again(stage: Opened) -> None:
    async with stage(epochs=100_000, lesson=True) as s:
        await begun(s)
        before, at = s.run(hashes), s.steps
        await s.press("A", "A")
        await steps(s, 40)
        end = s.run(hashes)
        await s.says("u back to before 1 (−3 epochs)")
        await s.press("u")
        await s.says(f"went back 40 steps, to step {at:,}. U takes it back.", ", undone", "U redo")
        assert s.run(hashes) == before
        assert s.steps == at
        assert len(s.app.screen.query_one(CostPlot).chart.abandoned) == 1
        await s.press("U")
        await s.says(f"took that back: step {at + 40:,} again")
        assert s.run(hashes) == end
        assert s.run(kinds) == ["nudge", "nudge", "undo", "redo"]
        await s.press("U")
        await s.says("nothing to take back")


async def test_with_nothing_to_undo_it_says_so(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("u")
        await s.says("no nudge to undo")
        await s.press("h")
        await s.says("the run has not diverged")
        assert not s.run(kinds)


async def test_enter_at_the_cursor_goes_back_there_after_asking(stage: Opened) -> None:
    async with stage(epochs=100_000) as s:
        await begun(s)
        await steps(s, 60)
        now = s.steps
        await s.press("left", "left", "left", "enter")
        await s.says("Go back", "U takes it back")
        await s.press("escape")
        assert s.steps == now
        await s.press("enter", "enter")
        await s.until(lambda: s.steps < now)
        await s.says("went back")
        await s.press("U")
        await s.until(lambda: s.steps == now)


async def test_at_the_end_of_the_curve_there_is_nothing_to_go_back_to(stage: Opened) -> None:
    async with stage(epochs=100_000) as s:
        await begun(s)
        await s.press("end", "enter")
        await s.says("that is now")


async def test_after_divergence_the_keys_that_help_are_said_and_help(stage: Opened) -> None:
    async with stage(
        epochs=100_000, batch_norm=False, optimizer="sgd", learning_rate=100.0, pace="max", activation="relu"
    ) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "diverged")
        await s.says("diverged", "h last good state, half the rate")
        await s.press("h")
        await s.until(lambda: "nudge" in s.run(kinds))
        assert s.run(lambda run: run.knobs["learning_rate"]) == 50
