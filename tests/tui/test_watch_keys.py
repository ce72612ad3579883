"""Every key of the watch screen does what its tooltip says, and answers in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pandatui.training import Run
from pandatui.training.events import Event, Nudge
from pandatui.tui import app
from pandatui.tui.screens.watch_keys import WATCH_KEYS
from pandatui.tui.widgets.cost_plot import CostPlot

Opened = Callable[..., Any]


def nudges(run: Run) -> list[Event]:
    return [event for event in run.events if event.kind == "nudge"]


async def paused(s: Any) -> None:
    await s.until(lambda: s.steps == 1)
    await s.press("space")
    await s.says("paused before step 2")
    await s.until(lambda: s.watch._snapshot.paused)


async def test_presses_land_on_the_next_step_and_are_answered_listed_and_marked(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A", "A", "b", "D")
        await s.until(lambda: len(s.run(nudges)) == 4)
        found = s.run(nudges)
        assert [(e.knob, e.step, e.nudge, e.by) for e in found] == [
            ("learning_rate", 2, 1, "you"),
            ("learning_rate", 2, 1, "you"),
            ("momentum", 2, 2, "you"),
            ("decay", 2, 3, "you"),
        ]
        for e in found[:2]:
            assert e.after / e.before == pytest.approx(10**0.1, rel=1e-11)
        assert (1 - found[2].after) / (1 - found[2].before) == pytest.approx(10**0.1, rel=1e-11)
        await s.says(
            "decay 0.01, in use from step 2",
            "you   1  learning rate 0.1 → 0.158 (2 presses)",
            "you   2  momentum 0.900 → 0.874",
            "you   3  decay 0 → 0.01",
        )
        marks = s.app.screen.query_one(CostPlot).chart.marks
        assert [(m.step, m.number, m.text) for m in marks] == [(2, 1, "α↑"), (2, 2, "β↓"), (2, 3, "decay↑")]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("a", "learning rate 0.0794 (×0.794), in use from step 2"),
        ("A", "learning rate 0.126 (×1.26), in use from step 2"),
        ("b", "momentum 0.874 (averages over ~8 steps), in use from step 2"),
        ("B", "momentum 0.921 (averages over ~13 steps), in use from step 2"),
        ("d", "decay: already at its limit, 0"),
        ("D", "decay 0.01, in use from step 2"),
        ("x", "coarse notches: ×3.16, five at once"),
        ("up", "L2: - and + turn it, enter types a value"),
        ("down", "momentum: - and + turn it, enter types a value"),
        ("minus", "learning rate 0.0794 (×0.794)"),
        ("plus", "learning rate 0.126 (×1.26)"),
        ("equals_sign", "learning rate 0.126 (×1.26)"),
        ("enter", "learning rate α, to"),
        ("space", "paused before step 2 · . takes one step, r runs some, space goes on"),
        ("full_stop", "one step at a time: space pauses first"),
        ("r", "Run how many steps, then pause?"),
        ("shift+left", "no nudges that stand"),
        ("l", "linear axis"),
        ("s", "smoothed over 15 columns"),
        ("z", "showing steps"),
        ("Z", "showing the whole run"),
        ("y", "copied: step 1"),
        ("n", "Note"),
        ("ctrl+n", "New run · the present one is stopped and saved"),
        ("ctrl+o", "1 session in"),
        ("ctrl+s", "saving as made-run.json"),
        ("question_mark", "Watching a model learn"),
    ],
)
async def test_each_key_answers_in_words(stage: Opened, key: str, words: str) -> None:
    async with stage(size=(150, 40)) as s:
        await s.until(lambda: s.steps == 1)
        await s.press(key)
        await s.says(words)


@pytest.mark.parametrize("key", ["left", "right", "home", "end"])
async def test_the_cursor_keys_read_the_curve(stage: Opened, key: str) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press(key)
        await s.says("step 1 · epoch")


async def test_escape_closes_the_cursor_and_never_quits(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("home")
        await s.until(lambda: s.watch._look.cursor == 1.0)
        await s.press("escape", "escape", "escape")
        assert s.watch._look.cursor is None
        assert not s.app.leaving
        assert s.app.live.driver.alive


async def test_q_quits_with_status_0_and_says_where_it_is_saved(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        s.type("q")
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 0
        assert "made-run.json (stopped, step 1)" in s.app.farewell[0]


async def test_ctrl_c_saves_and_a_second_within_two_seconds_quits(stage: Opened) -> None:
    async with stage() as s:
        saves = s.app.live.recorder.saves
        await s.press("ctrl+c")
        await s.says("ctrl+c again within 2 s")
        await s.until(lambda: s.app.live.recorder.saves > saves)
        s.type("ctrl+c")
        await s.until(lambda: not s.app.is_running)
        assert s.app.return_code == 130


async def test_ctrl_c_long_after_another_only_saves(stage: Opened) -> None:
    async with stage() as s:
        await s.press("ctrl+c")
        s.app._interrupted -= 2 * app.SECOND_PRESS
        await s.press("ctrl+c")
        assert not s.app.leaving
        assert s.app.return_code is None


async def test_a_coarse_notch_is_five_fine_ones(stage: Opened) -> None:
    async with stage() as s:
        await s.press("x", "A")
        (e,) = await s.until(lambda: s.run(nudges))
        assert e.after / e.before == pytest.approx(10**0.5, rel=1e-11)
        await s.says("hyperparameters · ×3.16 (x fine)")
        await s.press("x")
        await s.says("fine notches: ×1.26")


async def test_a_held_key_makes_at_most_eight_notches_a_second(stage: Opened) -> None:
    async with stage() as s:
        now = [0.0]
        s.watch._throttle._clock = lambda: now[0]
        for i in range(30):  # thirty repeats in the first second
            now[0] = i / 30
            await s.press("A")
        assert len(await s.until(lambda: s.run(nudges))) == 8
        now[0] = 1.0 + 1e-9
        await s.press("A")
        await s.until(lambda: len(s.run(nudges)) == 9)


async def test_at_a_limit_and_for_a_knob_that_is_not_used_nothing_turns(stage: Opened) -> None:
    async with stage(optimizer="sgd", learning_rate=100.0) as s:
        await s.press("A")
        await s.says("already at its limit, 100")
        await s.press("B")
        await s.says("momentum is not used by sgd")
        assert s.run(nudges) == []


async def test_while_paused_a_nudge_says_that_it_waits(stage: Opened) -> None:
    async with stage() as s:
        await paused(s)
        await s.press("A")
        await s.says("paused: learning rate 0.126 (×1.26), in use from the next step, 2")


async def test_one_step_run_n_and_go_on(stage: Opened) -> None:
    async with stage() as s:
        await paused(s)
        s.app.live.driver.set_pace(None)
        await s.press("full_stop")
        await s.until(lambda: s.steps == 2 and s.run(lambda run: run.paused))
        await s.press("r")
        await s.says("Run how many steps, then pause?")
        await s.press("1", "7", "enter")
        await s.until(lambda: s.watch._snapshot.steps == 19 and s.watch._snapshot.paused)
        await s.press("space")
        await s.until(lambda: s.run(lambda run: run.status) == "finished")


async def test_pick_turn_and_type_a_value(stage: Opened) -> None:
    async with stage() as s:
        await s.press("down", "down")
        await s.says("batch size: - and + turn it")
        await s.press("plus", "enter")
        await s.says("batch size, to")
        await s.press("2", "6", "2")
        await s.says("expected a whole number from 2 to 61")
        await s.press("enter")  # what is wrong is not taken
        assert len(s.app.screen_stack) == 3
        await s.press("backspace", "backspace", "backspace", "6", "1", "enter")
        await s.until(lambda: s.run(lambda run: run.knobs["batch_size"]) == 61)
        assert [e.after for e in s.run(nudges)] == [8, 61]


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "-1", "1e99", "0", "1,5"])
async def test_garbage_is_no_value(stage: Opened, text: str) -> None:
    async with stage() as s:
        await s.press("enter", *text.replace("-", "−").replace(",", "，"), "enter")
        await s.says("expected")
        await s.press("escape")
        assert s.run(nudges) == []


async def test_a_value_left_as_it_is_shown_is_no_nudge(stage: Opened) -> None:
    async with stage(learning_rate=0.0501187) as s:
        await s.until(lambda: s.steps == 1)
        await s.press("enter")
        await s.until(lambda: len(s.app.screen_stack) == 3)
        await s.press("enter")
        await s.until(lambda: len(s.app.screen_stack) == 2)
        assert s.run(nudges) == []


async def test_the_pace_halves_and_doubles_and_has_no_limit_at_the_end(stage: Opened) -> None:
    async with stage(pace=1.0) as s:
        driver = s.app.live.driver
        await s.press("greater_than_sign")
        await s.says("2 epochs/s")
        assert driver.pace == 2
        await s.press("less_than_sign", "less_than_sign")
        assert driver.pace == 0.5
        driver.set_pace(64)
        await s.press("greater_than_sign")
        await s.says("as fast as it goes")
        assert driver.pace is None
        await s.press("greater_than_sign")
        await s.says("already as fast as it goes")
        await s.press("less_than_sign")
        assert driver.pace is not None


async def test_space_at_the_end_goes_on_and_the_bits_are_those_of_a_longer_run(
    stage: Opened, dataset: Callable[..., Any], new_run: Callable[..., Run]
) -> None:
    async with stage(pace="max", epochs=3) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await s.says("3 epochs done", "space 3 more")
        await s.press("full_stop")
        await s.says("3 epochs done: space goes on")
        await s.press("A", "space")
        await s.until(lambda: s.run(lambda run: run.status == "finished" and run.epoch == 6))
        hashes = s.run(lambda run: (run.weights_sha256(), run.history.costs_sha256()))
        at, after = s.run(lambda run: next((e.step, e.after) for e in nudges(run)))
    other = new_run(dataset(61), epochs=6, plan=())
    while other.status == "running":
        if other.steps + 1 == at:
            other.apply(Nudge("learning_rate", to=after))
            at = 0
        other.step()
    assert (other.weights_sha256(), other.history.costs_sha256()) == hashes


async def test_a_run_that_has_diverged_says_what_can_be_done(stage: Opened) -> None:
    async with stage(pace="max", batch_norm=False, optimizer="sgd", learning_rate=100.0, epochs=40) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "diverged")
        await s.says("✖ diverged", "ctrl+n new run")
        for key in ("A", "space", "full_stop", "r", "enter"):
            await s.press("l")  # another message in between
            await s.press(key)
            await s.says("it has diverged: h to the last good state")
            assert len(s.app.screen_stack) == 2
        assert s.run(nudges) == []


async def test_a_note_goes_on_record(stage: Opened) -> None:
    async with stage() as s:
        await s.press("n", *"so far so good".replace(" ", "_"), "enter")
        await s.until(lambda: any(e.text == "so_far_so_good" for e in s.run(lambda run: run.events)))
        await s.says("note: so_far_so_good")


async def test_the_cursor_walks_jumps_zooms_and_copies(stage: Opened) -> None:
    async with stage(pace=None, epochs=3) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await s.until(lambda: s.watch._snapshot.status == "finished")
        last = s.steps
        plot = s.app.screen.query_one(CostPlot)
        await s.press("A")
        await s.until(lambda: s.run(nudges))
        await s.press("left")
        assert plot.column_of(s.watch._look.cursor) == plot.column_of(last) - 1
        await s.until(lambda: s.watch.nudge_steps)
        await s.press("home", "shift+right")
        assert s.watch._look.cursor == last  # the nudge is for the step after the last
        await s.press("home", "shift+left")
        await s.says("no nudge further that way")
        await s.press("z")
        await s.says("zoomed, Z shows all")
        assert 0 <= s.watch._look.window[0] < 1
        await s.press("end", "left")  # from outside the window: its edge
        assert s.watch._look.cursor <= last
        await s.press("Z", "Z")
        assert s.watch._look.window is None
        await s.press("home", "y")
        assert s.app.clipboard.startswith("step 1 · epoch 0.1 · train ")
        await s.press("l", "s", "s", "s")
        assert s.watch._look.log_axis is False
        assert s.watch._look.smoothing == 6


async def test_the_mouse_points_and_zooms(stage: Opened) -> None:
    async with stage(pace=None, epochs=3) as s:
        await s.until(lambda: s.watch._snapshot is not None and s.watch._snapshot.status == "finished")
        plot = s.app.screen.query_one(CostPlot)
        plot.post_message(plot.Pointed(17.0))
        await s.until(lambda: s.watch._look.cursor == 17)
        plot.post_message(plot.Zoomed(17.0, True))
        await s.until(lambda: s.watch._look.window is not None)
        first, last = s.watch._look.window
        assert first < 17 < last


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12)])
async def test_every_size_shows_the_curve_and_the_answer(stage: Opened, size: tuple[int, int]) -> None:
    async with stage(size=size, lesson=True) as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A")
        await s.says("learning rate 0.126")
        assert all(len(line) <= size[0] for line in s.screen().splitlines())
        assert ("hyperparameters" in s.screen()) == (size[0] == 120)
        if size[0] >= 80:
            await s.says("Falling faster")
        assert ("Falling faster" in s.screen()) == (size[0] >= 80)


async def test_escape_hides_the_lesson(stage: Opened) -> None:
    async with stage(lesson=True) as s:
        await s.says("Three spirals, a timid learning rate. Press A five times and watch the cost.")
        await s.press("escape")
        await s.until(lambda: "Three spirals" not in s.screen())


async def test_help_opens_and_closes_and_the_screen_makes_room(stage: Opened) -> None:
    async with stage() as s:
        await s.press("question_mark")
        await s.says("Watching a model learn", "lower the learning rate")
        await s.until(lambda: "hyperparameters" not in s.screen())
        assert "…" not in s.screen().splitlines()[0]
        await s.press("question_mark")
        await s.says("hyperparameters")
        await s.press("question_mark")
        await s.says("Watching a model learn")
        await s.press("escape")
        await s.says("hyperparameters")


def test_every_key_has_an_id_of_its_own_a_label_and_a_tooltip() -> None:
    ids = [key.id for key in WATCH_KEYS]
    assert len(set(ids)) == len(ids)
    for key in WATCH_KEYS:
        assert key.id.startswith("watch.")
        assert key.description
        assert key.tooltip
        assert not {"ctrl+a", "ctrl+b"} & set(key.key.split(","))
    keys = [each for key in WATCH_KEYS for each in key.key.split(",")]
    assert len(set(keys)) == len(keys)
