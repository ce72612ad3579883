"""The race screen played by keys: trials stopped, rounds begun, boxes edited, a race that fails."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pandatui.search.setup import Ready, prepare
from pandatui.search.spec import Spec
from pandatui.training.setup import RunOptions
from pandatui.tui.racing import Racing
from pandatui.tui.screens.race import RaceScreen


@pytest.fixture(scope="module")
def ready() -> Ready:
    """Twelve trials in two rounds on xor."""
    run = RunOptions(data="xor", hidden=(4,), epochs=4)
    return prepare(Spec(run=run, trials=12, rounds=2))


@pytest.fixture
def race(
    stage: Callable[..., Any], ready: Ready, held_engine: Any, noted: Any, folder: Path
) -> Callable[..., Any]:
    """`async with race() as s`: its race screen, each slice trained when the test lets it go."""

    @asynccontextmanager
    async def shown(**settings: Any) -> AsyncIterator[Any]:
        async with stage(data=ready.dataset, **settings) as s:
            path = folder / "xor-race.study.json"
            racing = Racing(ready.study(), path, "race of made-run", math.log(2))
            racing.begin(ready.dataset, held_engine, noted)
            s.app.racing = racing
            await s.press("C")
            await s.until(lambda: isinstance(s.app.screen, RaceScreen))
            await s.says("round 1 of 2")
            yield s

    return shown


def view(s: Any) -> Any:
    return s.app.racing.read()


def look(s: Any) -> None:
    s.app.screen.look_again()


async def finish_round(s: Any, engine: Any) -> None:
    """Let slices go until nothing of the round stands."""

    def over() -> bool:
        engine.let_go()
        return view(s).standing == 0 or len(view(s).boxes) > 1

    await s.until(over)


async def test_it_fills_while_one_looks_and_every_line_is_there(race: Any, held_engine: Any) -> None:
    async with race() as s:
        await s.until(lambda: held_engine.out)
        await s.says("the first epochs are on their way", "known after 20 trials", "0 of 12 trials")
        await finish_round(s, held_engine)
        await s.until(lambda: "6 of 12 trials" in (look(s) or s.screen()))
        await s.says("race of made-run", "best dev cost", "★", "guessing 0.69", "● finished", "leaderboard")
        await finish_round_two(s, held_engine)
        await s.says("● done", "12 trials in 2 rounds: all done")


async def finish_round_two(s: Any, engine: Any) -> None:
    def over() -> bool:
        engine.let_go()
        return bool(view(s).over)

    await s.until(over)


async def test_a_trial_is_stopped_where_the_cursor_is(race: Any, held_engine: Any, noted: Any) -> None:
    async with race() as s:
        await s.until(lambda: len(held_engine.out) == 2)
        await s.press("down", "down", "delete")
        stopped = await s.until(lambda: [e for e in view(s).trials if e.status == "stopped"])
        await s.says(f"trial {stopped[0].number} is stopped")
        assert noted.trials == [(stopped[0].number, "stopped")]
        look(s)
        await s.press("delete")  # the cursor is still on it
        await s.says(f"trial {stopped[0].number} has ended already")


async def test_space_sends_nothing_out_until_it_goes_on(race: Any, held_engine: Any) -> None:
    async with race() as s:
        await s.until(lambda: held_engine.out)
        await s.press("space")
        await s.says("○ paused")
        held_engine.let_go()
        await s.until(lambda: any(e.epochs for e in view(s).trials))
        await s.press("delete")  # which it hears when it has seen to what came back
        await s.until(lambda: any(e.status == "stopped" for e in view(s).trials))
        assert not held_engine.out
        await s.press("space")
        await s.until(lambda: held_engine.out)
        await s.says("● racing")


async def test_a_round_is_stopped_after_asking_and_the_next_waits_to_be_asked_for(
    race: Any, held_engine: Any, noted: Any
) -> None:
    async with race() as s:
        await s.until(lambda: held_engine.out)
        await s.press("ctrl+k")
        await s.says("Stop round 1, of which 6 still train?")
        await s.press("escape")
        assert view(s).standing == 6
        await s.press("ctrl+k", "enter")
        await s.until(lambda: view(s).standing == 0)
        await s.says("○ waiting for you")
        held_engine.let_go()  # what was out comes back for nothing
        assert {status for _, status in noted.trials} == {"stopped"}
        await s.press("ctrl+k")
        await s.says("nothing trains just now: ctrl+r begins the next round")
        await s.press("ctrl+r")
        await s.until(lambda: len(view(s).boxes) == 2)
        assert noted.rounds == [1, 2]
        assert {status for _, status in noted.trials} == {"stopped"}


async def test_the_next_round_asks_while_one_trains(race: Any, held_engine: Any) -> None:
    async with race() as s:
        await s.until(lambda: held_engine.out)
        await s.press("ctrl+r")
        await s.says("Round 1 has 6 trials to go. Stop them and begin round")
        await s.press("enter")
        await s.until(lambda: view(s).standing == 0)
        held_engine.let_go()  # what was out comes back for nothing
        await s.until(lambda: len(view(s).boxes) == 2)


async def test_an_edited_box_is_checked_and_the_next_round_samples_it(race: Any, held_engine: Any) -> None:
    async with race() as s:
        await s.until(lambda: held_engine.out)
        await s.press("e")
        await s.says("Box of round 2", "learning rate α")
        for end, text in (("low", "0.2"), ("high", "20")):
            s.app.screen.query_one(f"#{end}-learning_rate").value = text
        await s.says("α 20.0: expected within the first box, 0.001 … 10")
        take = s.app.screen.query_one("#take")
        assert take.disabled
        s.app.screen.query_one("#high-learning_rate").value = "0.3"
        await s.until(lambda: not take.disabled)
        await s.press("enter")
        await s.says("round 2 will look in this box")
        await s.until(lambda: view(s).proposed["learning_rate"].ends == (0.2, 0.3))
        await s.press("ctrl+r", "enter")
        await s.until(lambda: view(s).standing == 0)
        held_engine.let_go()
        await s.until(lambda: len(view(s).boxes) == 2)
        assert all(0.2 <= e.values["learning_rate"] <= 0.3 for e in view(s).trials[6:])


async def test_tab_turns_to_other_knobs(race: Any) -> None:
    async with race() as s:
        await s.says("where: α across, β up")
        await s.press("tab")
        await s.says("where: α across, decay up")
        await s.press("shift+tab", "shift+tab")
        await s.says("where: decay across, λ up")


async def test_back_to_the_watch_screen_where_the_head_tells_of_the_race(race: Any, held_engine: Any) -> None:
    async with race() as s:
        await s.press("escape")
        await s.says("epoch 0/4", "race 0/12")
        await finish_round_two(s, held_engine)
        s.watch.look_again()
        await s.says("race 12/12 done")


async def test_what_is_better_than_the_panda_is_said_once_the_panda_has_a_dev_cost(
    race: Any, held_engine: Any
) -> None:
    async with race(learning_rate=1e-6, pace="max", epochs=1) as s:
        await s.until(lambda: s.run(lambda run: run.epoch) >= 1)
        await finish_round_two(s, held_engine)
        best = view(s).best
        await s.press("escape")
        s.watch.look_again()
        await s.says(f"trial {best.number} ended at dev cost", "C shows the race, enter there adopts")


async def test_a_race_that_fails_says_why_and_lets_go_of_everything(
    race: Any, held_engine: Any, noted: Any
) -> None:
    async with race() as s:
        await s.until(lambda: held_engine.out)
        held_engine.out.popleft()[0].set_exception(ValueError("no such data"))
        await s.until(lambda: noted.closed)
        await s.says("✖ stopped", "the race was stopped by an error: no such data")
        assert held_engine.closed
        assert not s.app.racing.live
        assert s.app.racing.close()


async def test_what_keeps_the_study_from_being_saved_is_on_the_screen(race: Any, noted: Any) -> None:
    async with race() as s:
        noted.problem = "not saved: No space left on device"
        await s.says("not saved: No space left on device", "● racing")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12), (20, 6)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_at_every_size(race: Any, held_engine: Any, size: tuple[int, int], ascii_only: bool) -> None:
    async with race(start={"ascii_only": ascii_only}) as s:
        await finish_round_two(s, held_engine)
        await s.pilot.resize_terminal(*size)
        await s.until(lambda: len(s.screen().splitlines()[0]) == size[0])
        await s.until(lambda: look(s) or "done" in s.screen().splitlines()[0])
        screen = s.screen().splitlines()
        assert [len(line) for line in screen] == [size[0]] * size[1]
        assert not ascii_only or s.screen().isascii()
        best = str(view(s).best.number)
        assert any(best in line.split() for line in screen if line.lstrip("│|")[:1] in "▸>")
