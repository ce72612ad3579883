"""The app: palette, key maps, themes, what is redrawn and what is not, and every bad end."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import _time
from textual.events import Resize
from textual.geometry import Size

from pandatui.data import DataError
from pandatui.settings import load_settings, settings_file
from pandatui.training import Run
from pandatui.training.events import Fact, Failed
from pandatui.training.snapshot import View, look
from pandatui.tui import face
from pandatui.tui.screens.watch_keys import WATCH_KEYS
from pandatui.tui.themes import THEMES
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines

Opened = Callable[..., Any]
OWN = ("Restart from step 0", "Hints off for now", "Theme", "Keys and help", "Quit")


async def test_the_palette_has_every_key_of_the_screen_once(stage: Opened) -> None:
    async with stage() as s:
        titles = [command.title for command in s.app.get_system_commands(s.app.screen)]
        wanted = [key.description[0].upper() + key.description[1:] for key in WATCH_KEYS]
        assert sorted(titles) == sorted([*wanted, *OWN])
        await s.press("ctrl+p")
        await s.says("Search for commands")
        await s.press(*"raise")
        await s.until(lambda: "Raise the learning rate" in s.screen())


@pytest.mark.parametrize("turns", [0, 3, 30])
async def test_leaving_while_the_palette_gathers_is_no_error(stage: Opened, turns: int) -> None:
    async with stage() as s:
        s.type("ctrl+p")
        for _ in range(turns):
            await asyncio.sleep(0)
        s.app.finish(143)
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 143


@pytest.mark.parametrize("turns", [0, 1, 2, 4])
async def test_leaving_while_a_screen_opens_is_no_error(stage: Opened, turns: int) -> None:
    async with stage() as s:
        s.app.action_sessions()
        for _ in range(turns):
            await asyncio.sleep(0)
        s.app.finish(143)
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 143


async def test_a_terminal_that_changes_is_followed_however_busy_the_machine(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a timer that is heard once has begun to wait, it is late."""
    looks = itertools.count(1)

    def get_time() -> float:
        task = asyncio.current_task()
        once = task is not None and task.get_name().startswith("set_timer")
        return time.monotonic() + (next(looks) / 50 if once else 0.0)

    async with stage(pace=1.0) as s:
        monkeypatch.setattr(_time, "get_time", get_time)
        for size in (Size(80, 24), Size(110, 30)):
            await s.pilot.resize_terminal(*size)
            await s.until(lambda size=size: s.app.screen.outer_size == size)
    assert next(looks) > 2


async def test_of_sizes_that_come_while_the_screen_is_busy_the_last_one_holds(stage: Opened) -> None:
    """And not what it tells itself of the first one, which comes in behind the last."""
    busy = asyncio.Event()
    async with stage(pace=1.0) as s:
        screen = s.app.screen
        screen.call_later(busy.wait)
        for size in (Size(80, 24), Size(110, 30)):
            screen.call_later(asyncio.sleep, 0)  # between the sizes: side by side they would be one
            s.app.post_message(Resize(size, size))
            await s.until(lambda size=size: s.app.size == size and s.app._resize_event is None)
        busy.set()
        await s.until(lambda: screen.outer_size == Size(110, 30))


async def test_no_screen_binds_the_keys_of_tmux_and_screen(stage: Opened) -> None:
    async with stage() as s:
        for opener in (None, "ctrl+o", "ctrl+n"):
            if opener:
                await s.press(opener)
                await s.until(lambda: len(s.app.screen_stack) == 3)
            own = set(s.app.screen._bindings.key_to_bindings) | set(s.app._bindings.key_to_bindings)
            assert not own & {"ctrl+a", "ctrl+b"}
            if opener:
                await s.press("escape")
                await s.until(lambda: len(s.app.screen_stack) == 2)


async def test_a_persons_own_keys(stage: Opened) -> None:
    async with stage(start={"keys": {"watch.rate-up": "k", "watch.quit": "ctrl+x"}}) as s:
        await s.press("k")
        await s.until(lambda: s.run(lambda run: run.knobs["learning_rate"]) > 0.1)
        await s.press("q", "A")
        assert s.app.is_running
        assert len(s.run(lambda run: run.events)) == 1
        s.type("ctrl+x")
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 0


async def test_the_themes_are_there_and_the_chosen_one_is_remembered(stage: Opened, home: Path) -> None:
    async with stage() as s:
        assert {theme.name for theme in THEMES} <= set(s.app.available_themes)
        assert s.app.theme == "panda-dark"
        assert not settings_file().exists()  # what nobody chose is not written down
        settings_file().parent.mkdir(parents=True)
        settings_file().write_text('sessions = "here"\n\n[keys]\n"watch.quit" = "Q"\n')
        s.app.theme = "projector"
        await s.until(lambda: load_settings().theme == "projector")
        assert (load_settings().sessions, load_settings().keys) == ("here", {"watch.quit": "Q"})
    async with stage(start={"theme": load_settings().theme}) as s:
        assert s.app.theme == "projector"


async def test_a_theme_that_is_not_there_is_told(stage: Opened) -> None:
    async with stage(start={"theme": "[b]mauve"}) as s:
        await s.says("no theme '[b]mauve'")
        assert s.app.theme == "panda-dark"


@pytest.mark.parametrize("name", [theme.name for theme in THEMES] + ["nord", "textual-light"])
async def test_the_screen_draws_in_every_theme(stage: Opened, name: str) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        s.app.theme = name
        await s.press("A")
        await s.says("learning rate 0.126")
        assert "muted" in s.app.theme_variables


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often the watch screen is computed."""
    count: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> face.Face:
        count.append(1)
        return face.face_of(*args, **kwargs)

    monkeypatch.setattr("pandatui.tui.screens.run.face_of", counted)
    return count


async def test_what_has_not_changed_is_not_drawn_again(stage: Opened, faces: list[int]) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("space")
        await s.says("paused before step 2")
        s.watch._said = None
        s.watch.look_again()
        drawn = len(faces)
        for _ in range(5):
            s.watch.look_again()
        assert len(faces) == drawn
        await s.press("full_stop")
        await s.until(lambda: len(faces) > drawn)


async def test_of_a_paused_run_the_curve_is_as_fine_as_its_plot_is_wide(stage: Opened) -> None:
    async with stage(pace=None, epochs=200) as s:
        await s.until(lambda: s.steps > 900)
        await s.press("space")
        await s.says("paused before step")
        s.watch._said = None  # its going would draw anew
        plot = s.app.screen.query_one(CostPlot)
        for helped in (True, False):
            await s.press("question_mark")
            await s.until(lambda helped=helped: s.watch.has_class("-helped") is helped)
            await s.until(
                lambda: (
                    len(s.run(lambda run: look(run, View(1, None, 2 * plot.size.width))).curve.steps)
                    == len(plot.chart.train.steps)
                )
            )


async def test_equal_lines_and_equal_strips_repaint_nothing(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("space")
        await s.says("paused")
        painted: list[object] = []
        monkeypatch.setattr(Lines, "refresh", lambda self, *_, **__: painted.append(self))
        monkeypatch.setattr(CostPlot, "refresh", lambda self, *_, **__: painted.append(self))
        for _ in range(3):
            s.watch._show(s.watch._snapshot, "", 99)
        assert painted == []


async def test_behind_another_screen_nothing_is_drawn_and_training_goes_on(
    stage: Opened, faces: list[int]
) -> None:
    async with stage(pace=None, epochs=1_000_000) as s:
        await s.until(lambda: bool(faces))
        await s.press("ctrl+o")
        await s.until(lambda: len(s.app.screen_stack) == 3)
        drawn, steps = len(faces), s.steps
        s.watch.look_again()
        s.watch.say("hidden")
        await s.until(lambda: s.steps > steps + 100)
        assert len(faces) == drawn
        await s.press("escape")
        await s.until(lambda: len(faces) > drawn)


async def test_a_failing_training_thread_is_shown_saved_and_ends_with_70(
    stage: Opened, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    step, calls = Run.step, itertools.count()

    def failing(run: Run, seconds: float = 0.0) -> Any:
        if next(calls) == 7:
            raise RuntimeError("the \x1b[31mdice\x1b[0m fell off the [b]table[/b]")
        return step(run, seconds)

    monkeypatch.setattr(Run, "step", failing)
    async with stage(pace=None) as s:
        await s.says(
            "training stopped by an error: RuntimeError: the �[31mdice�[0m fell off the [b]table[/b]"
        )
        await s.press("A", "space")
        await s.says("training has ended by an error: q quits")
        s.type("q")
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 70
        assert "(stopped, step 7)" in s.app.farewell[0]
        assert any("stopped by an error" in line for line in s.app.farewell)
    assert '"status": "stopped"' in (folder / "made-run.json").read_text()


async def test_data_that_change_end_training_in_their_own_words(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = Run.step, itertools.count()

    def failing(run: Run, seconds: float = 0.0) -> Any:
        if next(calls) == 7:
            raise DataError("big/X.npy: expected a file that stays as it is while in use, found it changed")
        return step(run, seconds)

    monkeypatch.setattr(Run, "step", failing)
    async with stage(pace=None) as s:
        await s.says("training stopped: big/X.npy: expected a file that stays as it is")
        s.type("q")
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 2
        assert any(line.startswith("training stopped: big/X.npy") for line in s.app.farewell)


async def test_keys_between_the_error_and_the_end_of_its_thread_are_answered(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_breath = threading.Event()

    def failing(run: Run, seconds: float = 0.0) -> Any:
        raise RuntimeError("the dice fell off the table")

    def hold(fact: Fact) -> None:
        if isinstance(fact, Failed):
            last_breath.wait(60)

    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        s.app.live.driver.subscribe(hold)
        monkeypatch.setattr("pandatui.tui.screens.run.PATIENCE", 0.1)  # for one who never answers
        monkeypatch.setattr(Run, "step", failing)
        s.app.live.driver.set_pace(None)
        try:
            await s.until(lambda: s.app.live.driver.failure is not None)
            for key in ("A", "space", "u"):
                s.watch._said = None
                await s.press(key)
                await s.says("training has ended by an error: q quits")
            assert s.app.live.driver.alive
        finally:
            last_breath.set()


async def test_a_full_disk_is_shown_and_stops_no_training(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(pace=None, epochs=1_000_000) as s:

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pandatui.sessions.store.write_whole", full)
        await s.press("ctrl+s")
        await s.says("not saved: No space left on device")
        steps = s.steps
        await s.until(lambda: s.steps > steps)


async def test_a_folder_that_can_not_be_written_ends_with_status_2(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pandatui.sessions.store.write_whole", full)
    async with stage() as s:
        await s.until(lambda: s.app.return_code == 2)
        assert "Read-only file system" in s.app.farewell[0]


async def test_a_name_that_is_taken_ends_with_status_2(stage: Opened, folder: Path) -> None:
    folder.mkdir()
    (folder / "made-run.json").write_text("mine")
    async with stage() as s:
        await s.until(lambda: s.app.return_code == 2)
        assert "'made-run' exists" in s.app.farewell[0]
    assert (folder / "made-run.json").read_text() == "mine"
