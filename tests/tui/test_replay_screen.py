"""A recorded session plays on the watch screen: space, speed, moving, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions import Store
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.training import Run
from pandatui.training.events import Nudge
from pandatui.tui.screens.replay import ReplayScreen

Opened = Callable[..., Any]


@pytest.fixture
def recorded(folder: Path, new_run: Callable[..., Run]) -> Path:
    """A finished session with one nudge."""
    run = new_run(epochs=30)
    while run.ready:
        if run.steps == 100:
            run.apply(Nudge("learning_rate", notches=3), 10.0)
        run.step(run.steps / 10)
    store = Store(folder)
    store.prepare()
    session = record(run, Identity.new("recorded"), run.steps / 10, run.evaluate())
    store.write("recorded", encode(session))
    return folder / "recorded.json"


async def test_it_plays_stands_and_moves(stage: Opened, recorded: Path) -> None:
    async with stage(start={"session_file": recorded}) as s:
        await s.says("recorded", "finished")
        await s.press("space")
        await s.until(lambda: isinstance(s.app.screen, ReplayScreen))
        player = s.app.screen.live.driver
        await s.says("● replay", "as fast as it was")
        await s.press("space")
        await s.says("○ replay, paused")
        await s.press("end")
        await s.until(lambda: player.steps == player.session.steps)
        await s.says("learning rate 0.1 → 0.2", "○ replay, at its end", "space again")
        await s.press("shift+left")
        await s.until(lambda: player.steps == 101)
        await s.press("shift+left")
        await s.says("no nudge further that way")
        await s.press("left")
        await s.until(lambda: player.steps < 101)
        await s.press("home")
        await s.until(lambda: player.steps <= 1)
        await s.press("greater_than_sign", "greater_than_sign")
        assert player.speed == 4
        for _ in range(10):
            await s.press("less_than_sign")
        await s.says("already at ×0.25")
        await s.press("A", "u", "n")  # keys that train are not there
        assert not s.app.screen.query("Input")
        await s.press("escape")
        await s.until(lambda: not isinstance(s.app.screen, ReplayScreen))
