"""Keys that come quicker than screens go: a screen is left once, and what lies below stays."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pandatui.sessions import Recorder
from pandatui.training import Driver
from pandatui.tui.leaving import Palette
from pandatui.tui.live import Live
from pandatui.tui.screens.ask import AskScreen, ConfirmScreen, TwinsScreen
from pandatui.tui.screens.compare import CompareScreen
from pandatui.tui.screens.new_run import NewRunScreen
from pandatui.tui.screens.pick import PickScreen
from pandatui.tui.screens.queue_batch import QueueBatchScreen
from pandatui.tui.screens.record import RecordScreen
from pandatui.tui.screens.replay import ReplayScreen
from pandatui.tui.screens.sessions import SessionsScreen
from pandatui.tui.screens.watch import WatchScreen

Way = tuple[tuple[str, type], ...]  # keys, and the screen that each of them opens
OPENED: list[Way] = [
    (("r", AskScreen),),
    (("n", AskScreen),),
    (("f", ConfirmScreen),),
    (("t", TwinsScreen),),
    (("c", QueueBatchScreen),),
    (("ctrl+n", NewRunScreen),),
    (("ctrl+p", Palette),),
    (("ctrl+o", SessionsScreen),),
    (("ctrl+o", SessionsScreen), ("enter", RecordScreen)),
    (("ctrl+o", SessionsScreen), ("enter", RecordScreen), ("space", ReplayScreen)),
]


async def opened(s: Any, way: Way) -> None:
    for key, screen in way:
        if screen is RecordScreen:  # the list is read off the screen's thread
            await s.says("made-run")
        s.type(key)
        await s.until(lambda screen=screen: isinstance(s.app.screen, screen), f"for {screen.__name__}")
        await s.seen()


@pytest.mark.parametrize("way", OPENED, ids=[" ".join(key for key, _ in way) for way in OPENED])
async def test_a_screen_that_is_left_twice_takes_none_with_it(stage: Callable[..., Any], way: Way) -> None:
    async with stage() as s:
        await opened(s, way)
        left = s.app.screen
        below = s.app.screen_stack[-2]
        left.dismiss(None)
        left.dismiss(None)
        assert s.app.screen is below
        await s.until(lambda: not left.is_running, "for it to be gone")
        assert s.app.screen is below


@pytest.mark.parametrize("key", ["r", "f", "ctrl+n", "enter", "t", "ctrl+p"])
async def test_enter_held_in_a_dialog_leaves_the_run_on_the_screen(
    stage: Callable[..., Any], key: str
) -> None:
    async with stage() as s:
        s.type(key, *["enter"] * 5)
        await s.until(lambda: s.app.screen_stack[-1].is_running)
        for _ in range(3):
            await s.until(lambda: s.app.screen.is_running)
            s.type("escape")
        await s.until(lambda: isinstance(s.app.screen, WatchScreen) and s.app.screen.is_running)
        assert s.app.return_code is None


async def test_compare_left_twice(stage: Callable[..., Any]) -> None:
    async with stage() as s:
        await opened(s, (("5", PickScreen),))  # the list opens by itself
        s.type("escape", "escape", "escape")
        await s.until(lambda: isinstance(s.app.screen, WatchScreen))


async def test_keys_that_come_before_a_screen_has_its_parts(stage: Callable[..., Any]) -> None:
    """Each key's action runs on what is on top by then, which may have been opened only just."""
    async with stage() as s:
        await s.until(lambda: s.steps)
        s.app.branch(0)
        opening = s.app.screen
        assert not opening.is_mounted
        for action in ("view(2)", "cursor(-1)", "zoom(True)", "copy", "nudge('decay', 1)"):
            await s.app.run_action(action, opening)
        await s.says("decay 0 → 0.01")
        assert s.app.screen is opening
        assert opening.has_class("-inside")


async def test_what_is_left_is_let_go(stage: Callable[..., Any]) -> None:
    """After branches, ghosts, comparisons and lists there is one run, and one screen that shows it."""
    async with stage() as s:
        for _ in range(4):
            await s.until(lambda: s.steps)
            s.app.branch(0)
            await s.until(lambda: isinstance(s.app.screen, WatchScreen) and s.app.screen.is_mounted)
            s.type("A", "g")
            for key, top, deep in (("5", PickScreen, 4), ("ctrl+o", SessionsScreen, 3)):
                s.type(key)
                await s.until(lambda top=top: isinstance(s.app.screen, top))
                await s.seen()
                while (depth := len(s.app.screen_stack)) > 2:
                    assert depth <= deep
                    s.type("escape")
                    await s.until(lambda depth=depth: len(s.app.screen_stack) < depth)
        await s.seen()
        kinds = (WatchScreen, SessionsScreen, CompareScreen, PickScreen, Live, Driver, Recorder)

        def alive() -> Counter[str]:
            gc.collect()
            return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))

        await s.until(lambda: set(alive().values()) == {1}, "for the one run to be left")


async def test_keys_that_come_when_the_app_leaves(stage: Callable[..., Any]) -> None:
    async with stage() as s:
        s.type("q", *["escape", "l", "z", "1", "enter", "question_mark", "ctrl+o"] * 3)
        await s.until(lambda: not s.app.is_running, "for its end")
        assert s.app.return_code == 0
