"""The dialogs: what is typed is checked while it is typed, and what can't be is refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select, Static

from pandatui.training import RunConfig
from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.screens.ask import check_steps, knob_check
from pandatui.tui.screens.new_run import NewRunScreen

Opened = Callable[..., Any]


@pytest.mark.parametrize("text", ["", "x", "0", "-3", "1.5", "9" * 13, "nan"])
def test_no_number_of_steps(text: str) -> None:
    assert check_steps(text) == "expected a whole number of steps, at least 1"


@pytest.mark.parametrize(
    ("knob", "text", "words"),
    [
        ("learning_rate", "0.5", ""),
        ("learning_rate", "nan", "learning rate nan: expected 1e-06 … 100"),
        ("learning_rate", "two", "expected a number, 1e-06 … 100"),
        ("momentum", "1", "momentum 1.0: expected 0 … 0.9999"),
        ("decay", "0", ""),
        ("decay", "1e-9", "decay 1e-09: expected 0, or 0.001 … 10"),
    ],
)
def test_a_typed_value_is_checked_against_the_limits(knob: str, text: str, words: str) -> None:
    from pandatui.training.knobs import KNOBS

    assert knob_check(knob, KNOBS[knob].low, KNOBS[knob].high)(text) == words


async def set_to(s: Any, field: str, text: str) -> None:
    s.app.screen.query_one(f"#{field}", Input).value = text
    await s.seen()


async def opened(s: Any) -> None:
    await s.press("ctrl+n")
    await s.until(lambda: isinstance(s.app.screen, NewRunScreen))
    await s.until(lambda: s.app.focused is not None)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("hidden", "64;32", "expected numbers of units such as 64,32"),
        ("hidden", "0", "hidden units 0: expected a whole number from 1"),
        ("learning_rate", "fast", "learning rate α 'fast': expected a number"),
        ("learning_rate", "1e9", "learning rate 1000000000.0: expected 1e-06 … 100"),
        ("momentum", "-1", "momentum -1.0: expected 0 … 0.9999"),
        ("batch_size", "1", "batch size 1: expected with batch norm"),
        ("epochs", "1.5", "epochs '1.5': expected a number"),
        ("seed", "-4", "seed -4: expected a whole number from 0"),
        ("data", "  ", "data: expected the name of a built-in set or a file"),
    ],
)
async def test_the_new_run_dialog_says_what_is_wrong_while_one_types(
    stage: Opened, field: str, text: str, words: str
) -> None:
    async with stage() as s:
        await opened(s)
        await set_to(s, field, text)
        assert words in str(s.app.screen.query_one("#problem", Static).content)
        assert s.app.screen.query_one("#start").disabled
        await s.press("ctrl+n")
        assert isinstance(s.app.screen, NewRunScreen)


@pytest.mark.parametrize("size", [(17, 17), (29, 8), (39, 12)])
async def test_a_choice_has_room_for_its_words_in_a_narrow_terminal(
    stage: Opened, size: tuple[int, int]
) -> None:
    """In no columns at all, words can't be broken either."""
    async with stage() as s:
        await opened(s)
        await s.press("tab", "tab", "enter")
        await s.pilot.resize_terminal(*size)
        await s.says("sigmoid")


async def test_a_new_run_ends_and_saves_the_one_before(stage: Opened, folder: Path) -> None:
    async with stage() as s:
        first = s.app.live
        await opened(s)
        assert s.app.focused.id == "data"
        await set_to(s, "data", "xor")
        await set_to(s, "hidden", "8")
        await set_to(s, "seed", "123456789")
        await set_to(s, "epochs", "")
        await s.press("enter")
        await s.until(lambda: s.app.live is not first, "for the new run")
        await s.until(lambda: len(s.app.screen_stack) == 2)
        config = s.app.live.config
        assert (config.data, config.hidden, config.seed, config.epochs) == ("xor", (8,), 123456789, 60)
        assert not first.driver.alive
        assert "made-run.json (stopped" in s.app.farewell[0]
        await s.says("xor · 8 BN")
        await opened(s)  # whole numbers come back as they were typed
        assert s.app.screen.query_one("#seed", Input).value == "123456789"
        assert not s.app.screen.query_one("#start").disabled


async def test_data_that_can_not_be_loaded_are_refused_with_a_sentence(stage: Opened) -> None:
    async with stage() as s:
        first = s.app.live
        await opened(s)
        await set_to(s, "data", "no-such-file.csv")
        await s.press("ctrl+n")
        await s.says("not started", "no-such-file.csv")
        assert s.app.live is first
        assert first.driver.alive


async def test_a_folder_that_can_not_be_written_leaves_the_run_that_goes_on(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage() as s:
        first = s.app.live

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        await opened(s)
        monkeypatch.setattr("pandatui.sessions.store.write_whole", full)
        await set_to(s, "data", "xor")
        await s.press("ctrl+n")
        await s.says("not started: No space left on device")
        assert s.app.live is first
        assert first.driver.alive


async def test_what_the_form_does_not_ask_stays_as_it_is(stage: Opened, tmp_path: Path) -> None:
    rows = "\n".join(f"{'ab'[i % 2]},{i % 7},{i * i % 11}" for i in range(80))
    file = tmp_path / "flowers.csv"
    file.write_text(f"species,x,y\n{rows}\n")
    config, data = prepare(RunOptions(str(file), label="species", drop=("y",), split_seed=3, dtype="float64"))
    async with stage() as s:
        s.app.begin(config, data, "flowers", lesson=False)
        await s.until(lambda: len(s.app.screen_stack) == 2)
        first = s.app.live
        await opened(s)
        await set_to(s, "learning_rate", "0.05")
        await s.press("ctrl+n")
        await s.until(lambda: s.app.live is not first, "for the new run")
        after: RunConfig = s.app.live.config
        assert (after.label, after.drop, after.split_seed, after.dtype) == ("species", ("y",), 3, "float64")
        assert after.learning_rate == 0.05


async def test_another_optimizer_brings_its_own_rate_unless_one_was_typed(stage: Opened) -> None:
    async with stage() as s:
        await opened(s)
        s.app.screen.query_one("#optimizer", Select).value = "adam"
        await s.until(lambda: s.app.screen.query_one("#learning_rate", Input).value == "")
        assert s.app.screen.query_one("#learning_rate", Input).placeholder == "0.001"
        await set_to(s, "learning_rate", "0.02")
        s.app.screen.query_one("#optimizer", Select).value = "rmsprop"
        await s.seen()
        assert s.app.screen.query_one("#learning_rate", Input).value == "0.02"


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12)])
async def test_the_dialogs_fit(stage: Opened, size: tuple[int, int]) -> None:
    async with stage(size=size) as s:
        for key in ("ctrl+n", "enter"):
            await s.press(key)
            await s.until(lambda: len(s.app.screen_stack) == 3)
            await s.until(lambda: s.app.screen.query_one("#box").size.width > 0)
            box = s.app.screen.query_one("#box").region
            assert s.app.screen.region.contains_region(box)
            await s.press("escape")
            await s.until(lambda: len(s.app.screen_stack) == 2)
