"""The app without a terminal: keys go in, conditions are waited for, the screen comes out as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from textual.content import Content
from textual.widgets import Static

from pandatui.data import Dataset
from pandatui.training import Run, RunConfig
from pandatui.training.setup import RunOptions
from pandatui.training.snapshot import View, look
from pandatui.tui.app import PandaApp, Start
from pandatui.tui.screens.watch import WatchScreen

T = TypeVar("T")

HELD = 1e-9  # epochs a second: one step, then as good as none
DEADLINE = 10.0  # seconds that a condition may take on a busy machine


class Stage:
    """A running app and the hands and eyes of a person before it."""

    def __init__(self, app: PandaApp) -> None:
        self.app = app

    def type(self, *keys: str) -> None:
        """Press keys, without waiting for what they do."""
        for key in keys:
            self.app.simulate_key(key)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each once the app has seen the one before."""
        for key in keys:
            self.app.simulate_key(key)
            await self.seen()

    async def seen(self) -> None:
        """Until every message sent so far has been handled, by the app and by its screen."""
        for pump in (self.app, self.app.screen):
            handled = asyncio.Event()
            pump.call_later(handled.set)
            await asyncio.wait_for(handled.wait(), DEADLINE)

    async def until(self, condition: Callable[[], T], what: str = "") -> T:
        """Look again and again until it holds; fail after the deadline."""
        end = time.monotonic() + DEADLINE
        while not (found := condition()):
            assert time.monotonic() < end, f"waited in vain {what}\n{self.screen()}"
            await asyncio.sleep(0.005)
        return found

    async def says(self, *words: str) -> None:
        """Until all these words are on the screen."""
        for each in words:
            await self.until(lambda each=each: each in self.screen(), f"for {each!r}")

    def run(self, question: Callable[[Run], T]) -> T:
        """Ask the run, between two steps."""
        assert self.app.live is not None
        return self.app.live.driver.ask(question).result(DEADLINE)

    @property
    def steps(self) -> int:
        return self.run(lambda run: run.steps)

    @property
    def watch(self) -> WatchScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, WatchScreen))

    def text(self, selector: str) -> str:
        """What a widget of lines says."""
        content = self.app.screen.query_one(selector, Static).content
        return content.plain if isinstance(content, Content) else str(content)

    def screen(self) -> str:
        """All that is on the screen, line by line, as a terminal would show it."""
        height = self.app.size.height
        compositor = self.app.screen._compositor
        return "\n".join(
            "".join(segment.text for segment in strip) for strip in compositor.render_strips()[:height]
        )


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pilot waits for the process to be idle, which a process that trains never is."""

    async def at_once(*_: float, **__: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("textual.pilot.wait_for_idle", at_once)
    monkeypatch.setattr("textual.app.wait_for_idle", at_once, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_CTYPE", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def stage(folder: Path, dataset: Callable[..., Dataset]) -> Callable[..., Any]:
    """`async with stage(...) as s`: a small run in the app, held at its first step unless a pace is given."""

    @asynccontextmanager
    async def started(
        *,
        size: tuple[int, int] = (120, 36),
        pace: float | str | None = HELD,
        data: Dataset | None = None,
        lesson: bool = False,
        start: dict[str, Any] | None = None,
        **settings: Any,
    ) -> AsyncIterator[Stage]:
        made = dataset(61) if data is None else data
        plain: dict[str, Any] = {"data": "made", "standardise": "none", "hidden": (5, 4), "batch_size": 4}
        config = RunConfig(**(plain | {"epochs": 4} | settings))
        options = RunOptions() if lesson else RunOptions(data="made")
        app = PandaApp(Start(folder, options, config, made, name="made-run", pace=pace, **(start or {})))
        async with app.run_test(size=size, notifications=True) as pilot:
            played = Stage(app)
            await played.until(lambda: len(app.screen_stack) > 1 or app.return_code is not None)
            await pilot.pause()
            yield played
            if app.is_running:
                app.finish(0)

    return started


@pytest.fixture
def stopped() -> Callable[..., Any]:
    """A snapshot of a run that was taken so many steps."""

    def taken(run: Run, steps: int, view: View | None = None) -> Any:
        while run.steps < steps:
            run.step(0.5)
        return look(run, view or View())

    return taken
