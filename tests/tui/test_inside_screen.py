"""The views by their keys, on a live run and in a replay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pandatui.data import DataError, Dataset
from pandatui.sessions import Store
from pandatui.sessions.checkpoints import Checkpoints, folder_of, kept_by
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.sessions.store import read
from pandatui.training import Run
from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.inside import predictions
from pandatui.tui.inside.shift import ShiftView
from pandatui.tui.inside.view import InsideView
from pandatui.tui.screens.replay import ReplayScreen

Opened = Callable[..., Any]


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12)])
async def test_each_view_by_its_key_and_back(stage: Opened, size: tuple[int, int]) -> None:
    async with stage(size=size, pace="max", epochs=8, start={"ascii_only": size[0] == 80}) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await s.press("2")
        await s.says("hidden 2", "output")
        await s.press("3")
        await s.says("hidden 1", "with batch norm", "epoch 8")
        await s.press("tab")
        await s.says("hidden 2")
        await s.press("tab", "4")
        await s.says("% right", " of 8")
        await s.press("1")
        await s.until(lambda: " of 8" not in s.screen())
        assert s.app.screen.query_one("#plot").display


async def test_the_foot_says_what_the_keys_do_here(stage: Opened) -> None:
    async with stage() as s:
        await s.press("3")
        await s.until(lambda: "o the same without batch norm" in s.text("#foot"))
        assert "1 the curve" in s.text("#foot")
        assert "tab next layer" in s.text("#foot")
        await s.press("2")
        await s.until(lambda: "tab" not in s.text("#foot"))
        await s.press("1")
        await s.until(lambda: "momentum" in s.text("#foot"))


async def test_hidden_views_ask_nothing(stage: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    look = InsideView.look

    def noted(self: InsideView, *args: Any, **kwargs: Any) -> None:
        asked.append(str(self.id))
        look(self, *args, **kwargs)

    monkeypatch.setattr(InsideView, "look", noted)
    async with stage(pace="max", epochs=50) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        s.app.screen.look_again()
        assert asked == []
        await s.press("3")
        await s.until(lambda: asked)
        assert set(asked) == {"view-3"}
        await s.press("1")
        await s.seen()
        asked.clear()
        s.app.screen.look_again()
        assert asked == []


async def test_data_that_changed_are_told_in_the_view(stage: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: object) -> None:
        raise DataError("big/X.npy: expected a file that stays as it is while in use, found it changed")

    async with stage(pace="max", epochs=8) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        with monkeypatch.context() as patch:
            patch.setattr(predictions, "look_at", gone)
            await s.press("4")
            await s.says("big/X.npy: expected a file that stays")
        await s.press("1", "2")
        await s.says("hidden 1")


async def test_a_view_that_nothing_changed_for_asks_once(stage: Opened) -> None:
    questions = 0
    async with stage() as s:
        await s.until(lambda: s.steps == 1)  # held
        view = s.app.screen.query_one("#view-2", InsideView)
        question = view.question

        def counted() -> Any:
            nonlocal questions
            questions += 1
            return question()

        view.question = counted  # type: ignore[method-assign]
        await s.press("2")
        await s.says("output")
        for _ in range(5):
            s.app.screen.look_again()
            await s.seen()
        assert questions == 1


async def test_looking_changes_no_bit(stage: Opened, new_run: Callable[..., Run], dataset: Opened) -> None:
    data = dataset(61)
    alone = new_run(data, epochs=60)
    while alone.ready:
        alone.step()
    async with stage(pace="max", epochs=60, data=data) as s:
        while s.run(lambda run: run.status) != "finished":
            await s.press("2", "3", "o", "4", "3")
        assert s.run(lambda run: run.weights_sha256()) == alone.weights_sha256()
        assert s.run(lambda run: run.history.costs_sha256()) == alone.history.costs_sha256()


async def test_o_sets_the_same_run_without_batch_norm_below(
    stage: Opened, new_run: Callable[..., Run], dataset: Callable[..., Dataset], folder: Path
) -> None:
    data = dataset(61)
    async with stage(pace="max", epochs=6, data=data) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await s.press("o")
        await s.says("with batch norm", "· without batch norm · dev")
        await s.until(lambda: "catching up" not in s.screen())
        alone = new_run(data, epochs=6, batch_norm=False)
        while alone.ready:
            alone.step()
        other = s.app.live.driver.companions.counterpart
        assert other.trainer.weights_sha256() == alone.weights_sha256()
        await s.until(lambda: "o this run alone" in s.text("#foot"))
        await s.press("o")
        await s.until(lambda: "· without batch norm · dev" not in s.screen())
        assert sorted(path.suffix for path in folder.iterdir()) == [".journal", ".json"]  # it writes none


async def test_o_says_why_not(stage: Opened) -> None:
    async with stage(batch_norm=False, batch_size=1) as s:
        await s.press("o")
        await s.says("batch")
        assert s.app.live.driver.companions.counterpart is None


# -- replays -------------------------------------------------------------------------------------------------


def recorded(folder: Path, *, checkpoints: bool, inputs: bool = True) -> Path:
    run = Run(*prepare(RunOptions(data="xor", hidden=(6,), epochs=30)))
    while run.ready:
        run.step(run.steps / 10)
    store = Store(folder)
    store.prepare()
    session = record(run, Identity.new("recorded"), run.steps / 10, run.evaluate())
    if not inputs:
        session.curves.inputs = None
    store.write("recorded", encode(session))
    path = folder / "recorded.json"
    if checkpoints:
        Checkpoints(folder_of(path)).keep(kept_by(run))
    assert read(path)[1]
    return path


async def replaying(s: Any) -> ReplayScreen:
    await s.says("recorded", "finished")
    await s.press("space")
    await s.until(lambda: isinstance(s.app.screen, ReplayScreen))
    await s.press("space")
    return s.app.screen


@pytest.mark.parametrize(
    ("size", "low", "high"),
    [((200, 60), 2.0, 2.0), ((120, 36), 2.0, 2.0), ((80, 24), 0.8, 1.2), ((40, 12), 0.2, 0.4)],
)
async def test_a_small_picture_of_the_inputs_is_made_anew_more_often(
    stage: Opened, size: tuple[int, int], low: float, high: float
) -> None:
    """For a terminal that is far away, each has about the same bytes a second."""
    async with stage(size=size, pace=1.0) as s:
        await s.press("3")
        view = s.app.screen.query_one(ShiftView)
        await s.until(lambda: view.size.area > 0)
        assert low <= view.rest <= high


async def test_a_replay_shows_the_inputs_on_record_up_to_where_it_plays(stage: Opened, folder: Path) -> None:
    path = recorded(folder, checkpoints=False)
    async with stage(start={"session_file": path}) as s:
        screen = await replaying(s)
        screen.point(screen._player.session.steps // 2)
        await s.press("3")
        await s.says("with batch norm · dev", "epoch 15")
        assert "epoch 16" not in s.screen()
        assert "batch norm off" not in s.text("#foot")
        screen.point(screen._player.session.steps)
        await s.says("epoch 30")


async def test_a_replay_without_weights_says_so_calmly(stage: Opened, folder: Path) -> None:
    path = recorded(folder, checkpoints=False, inputs=False)
    async with stage(start={"session_file": path}) as s:
        await replaying(s)
        for key in ("2", "4"):
            await s.press(key)
            await s.says("A recording has no weights: no checkpoints to take them from.", "Press f")
        await s.press("3")
        await s.says("This session was recorded without the spread of its layers' inputs.")


async def test_a_replay_shows_the_nearest_checkpoint_s_weights(stage: Opened, folder: Path) -> None:
    path = recorded(folder, checkpoints=True)
    async with stage(start={"session_file": path}) as s:
        screen = await replaying(s)
        end = screen._player.session.steps
        screen.point(end)
        await s.press("4")
        await s.says(f"weights of step {end:,}, the nearest checkpoint before")
        right = screen._player.session.result.dev_accuracy
        await s.says(f"{right:.1%} right")
        screen.point(40)
        await s.says("weights of step 32, the nearest checkpoint before")
        screen.point(3)
        await s.says("before this step there is no checkpoint")
        screen.point(end)
        await s.says(f"{right:.1%} right")
        await s.press("2")
        await s.says("what flows back", "hidden 1")


async def test_checkpoints_from_elsewhere_are_not_opened(stage: Opened, folder: Path, tmp_path: Path) -> None:
    path = recorded(tmp_path / "elsewhere", checkpoints=True)
    async with stage(start={"session_file": path}) as s:
        await replaying(s)
        await s.press("2")
        await s.says("checkpoints of a file from elsewhere are not opened")
