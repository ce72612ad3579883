"""Comparing records: aligned by step, epoch and running time, read at a step, picked from the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.widgets import DataTable

from pandatui.sessions import Session, Store
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.training import Run
from pandatui.training.events import Nudge, Undo
from pandatui.tui.charting import Look
from pandatui.tui.compare_wording import differing, table
from pandatui.tui.comparing import EPOCH, STEP, TIME, Compared, chart_of_all, end_of
from pandatui.tui.screens.compare import CompareScreen
from pandatui.tui.screens.pick import PickScreen

Opened = Callable[..., Any]
Recorded = Callable[..., Session]


@pytest.fixture
def recorded(new_run: Callable[..., Run], folder: Path) -> Recorded:
    """Write a session of some epochs: `pace` seconds a step, nudged at step 11, which is undone at 21."""

    def write(
        name: str, *, pace: float = 0.1, undo: bool = False, nudge: bool = True, **settings: Any
    ) -> Session:
        run = new_run(**({"epochs": 8} | settings))
        while run.ready:
            if run.steps == 10 and nudge and not any(e.kind == "undo" for e in run.events):
                run.apply(Nudge("learning_rate", to=0.2), run.steps * pace)
            if run.steps == 20 and undo and not any(e.kind == "undo" for e in run.events):
                run.apply(Undo(), run.steps * pace)
            run.step(run.steps * pace)
        session = record(run, Identity.new(name), run.steps * pace, run.evaluate())
        store = Store(folder)
        store.prepare()
        store.write(name, encode(session))
        return session

    return write


def lines(
    session: Session, *others: Session, way: str = EPOCH, width: int = 118, place: float = 3.0
) -> list[str]:
    first, *rest = (Compared.of(each) for each in (session, *others))
    shown, _ = table(first, rest, place, way, width, train=False, here="now")
    return [line.plain.rstrip() for line in shown]


def test_at_the_same_epoch_step_and_second(recorded: Recorded) -> None:
    """Batches of 8 have half the steps of batches of 4; at half a second a step they take longer."""
    first = Compared.of(recorded("first", batch_size=4))
    other = Compared.of(recorded("other", batch_size=8, pace=0.5))
    ends = np.array(other.recording.dev_steps)
    at = {way: first.step_of(other.place(ends, way), way) for way in (STEP, EPOCH, TIME)}
    assert at[STEP] == pytest.approx(ends)
    assert at[EPOCH] == pytest.approx(first.recording.dev_steps)
    assert at[TIME] == pytest.approx(ends * 5, rel=0.05)
    for way in (STEP, EPOCH, TIME):
        assert other.step_of(other.place(ends, way), way) == pytest.approx(ends)
        (trace,) = chart_of_all(first, [other], way, Look(), train=False).others
        assert trace.steps == pytest.approx(at[way])
        assert trace.costs == pytest.approx(other.recording.dev_costs)
        assert end_of(first, [other], way) >= max(at[way][-1], first.end)


@pytest.mark.parametrize("way", [STEP, EPOCH, TIME])
def test_the_cursor_reads_what_is_on_record(recorded: Recorded, way: str) -> None:
    first = Compared.of(recorded("first"))
    r = first.recording
    for i in (0, 3, 7):
        place = float(first.place(np.array(r.dev_steps[i]), way))
        assert first.at(place, way, train=False) == r.dev_costs[i]
        assert first.at(place, way, train=True) == r.mean[int(r.dev_steps[i]) - 1]
    before = float(first.place(np.array(r.dev_steps[0] - 1.0), way))
    assert first.at(before, way, train=False) is None
    beyond = float(first.place(np.array(first.steps + 5.0), way))
    assert first.at(beyond, way, train=False) is None


def test_a_stretch_that_was_left_has_its_costs_and_its_nudges(recorded: Recorded) -> None:
    session = recorded("went-back", undo=True)
    assert len(session.curves.abandoned) == 1
    left = session.curves.abandoned[0]
    whole, stretch = Compared.of(session), Compared.of(session, "key", left.event)
    assert [g.number for g in whole.nudges] == []
    assert [g.number for g in stretch.nudges] == [1]
    assert stretch.name == "went-back, undone at 20"
    assert stretch.train()[1] == pytest.approx(left.cost)
    assert not len(stretch.dev()[0])
    assert stretch.at(15.0, STEP, train=True) == pytest.approx(left.cost[4])
    assert stretch.at(5.0, STEP, train=True) is None
    assert lines(session)[1].startswith("●  went-back")
    (trace,) = chart_of_all(whole, [stretch], STEP, Look(), train=True).others
    assert trace.name == "A undone"


def test_the_table_has_what_differs_and_the_nudges(recorded: Recorded) -> None:
    one = recorded("one")
    two = recorded("two", hidden=(3,), batch_norm=False, learning_rate=0.5, nudge=False)
    assert differing([Compared.of(one), Compared.of(two)]) == ["learning_rate", "hidden", "batch_norm"]
    head, first, second = lines(one, two)
    assert head.split() == ["dev", "now", "best", "dev", "α", "hidden", "BN", "nudges"]
    assert first.startswith("●  one")
    assert first.endswith("0.1  5-4     on   α 0.2 at 11")
    assert second.startswith("A  two")
    assert second.endswith("0.5  3       off  none")
    assert all(len(line) <= 118 for line in lines(one, two))


@pytest.mark.parametrize("width", [20, 38, 60, 78, 98])
def test_the_table_fits_where_it_can(recorded: Recorded, width: int) -> None:
    one, two = (
        recorded("one"),
        recorded("two", hidden=(3,), learning_rate=0.5, momentum=0.5, epochs=9, seed=4),
    )
    shown, left = table(Compared.of(one), [Compared.of(two)], 3.0, EPOCH, width, train=False, here="now")
    assert left > 0 or width >= 78
    if width >= 38:
        assert all(len(line.plain.rstrip()) <= width for line in shown)


def test_other_data_are_marked(recorded: Recorded, dataset: Callable[..., Any]) -> None:
    one, two = recorded("one"), recorded("two")
    two.data.sha256 = "1" * 64
    assert "made ≠" in lines(one, two)[2]
    assert "≠" not in lines(one, two)[1]


# -- the screen ----------------------------------------------------------------------------------------------


async def picking(s: Any, rows: int) -> PickScreen:
    await s.press("5")
    await s.until(lambda: isinstance(s.app.screen, PickScreen) and s.app.screen.query(DataTable))
    await s.until(lambda: s.app.screen.query_one(DataTable).row_count == rows)
    return s.app.screen


async def comparing(s: Any, *keys: str) -> CompareScreen:
    """Press keys of which the last closes what lies over it."""
    s.type(*keys)
    return await s.until(lambda: s.app.screen if isinstance(s.app.screen, CompareScreen) else None)


async def test_5_picks_compares_aligns_reads_and_goes_back(stage: Opened, recorded: Recorded) -> None:
    recorded("calm-fox", hidden=(3,))
    recorded("bold-wren", undo=True)
    async with stage(pace="max", epochs=12) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await picking(s, 3)
        await s.says("0 runs picked", "undone: steps 11–20")
        await s.press("space", "space", "space")
        screen = await comparing(s, "enter")
        await s.says(
            "compare · dev costs, at the same epoch", "A bold-wren", "C calm-fox", "train only", "now"
        )
        for words in ("at the same step", "at the same running time", "at the same epoch"):
            await s.press("tab")
            await s.says(words)
        await s.press("v")
        await s.says("train costs, smoothed", "B undone")
        await s.press("v", "home")
        await s.says("dev at epoch 0.1")
        await s.press("escape")
        await s.says("dev now")
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, PickScreen))
        await s.says("3 runs picked")
        await s.press("space")
        assert await comparing(s, "enter") is screen
        await s.until(
            lambda: [each.name for each in screen._picked] == ["bold-wren, undone at 20", "calm-fox"]
        )
        s.type("escape")
        await s.until(lambda: s.app.screen is s.watch)
        await s.press("5")
        await s.says("B calm-fox")  # as it was left


async def test_the_filter_of_the_list_and_leaving_it(stage: Opened, recorded: Recorded) -> None:
    recorded("calm-fox", hidden=(3,))
    recorded("bold-wren")
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await picking(s, 2)
        await s.press("slash", *"fox")
        await s.until(lambda: s.app.screen.query_one(DataTable).row_count == 1)
        await s.press("enter", "space")
        await s.says("1 run picked")
        await s.press("escape")
        await s.until(lambda: s.app.screen.query_one(DataTable).row_count == 2)
        s.type("escape")  # the list had opened by itself: with nothing picked there is nothing to compare
        await s.until(lambda: s.app.screen is s.watch)


async def test_a_run_that_goes_on_is_looked_at_again(stage: Opened, recorded: Recorded) -> None:
    recorded("calm-fox")
    async with stage(epochs=20) as s:
        await s.until(lambda: s.steps == 1)
        await picking(s, 1)
        screen = await comparing(s, "enter")
        assert screen._first.steps <= 2
        s.app.live.driver.set_pace(None)
        await s.until(lambda: screen._first.steps == s.steps > 100)


async def test_a_record_and_a_replay_are_compared_too(
    stage: Opened, folder: Path, recorded: Recorded
) -> None:
    recorded("calm-fox", hidden=(3,))
    recorded("bold-wren")
    async with stage(start={"session_file": folder / "bold-wren.json"}) as s:
        await s.says("bold-wren", "finished")
        await picking(s, 1)
        await comparing(s, "enter")
        await s.says("●  bold-wren", "A  calm-fox")
        s.type("escape")
        await s.until(lambda: not isinstance(s.app.screen, CompareScreen))
        await s.press("space")
        await s.says("● replay")
        await s.press("5")
        await comparing(s)
        await s.says("A  calm-fox")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_at_every_size(
    stage: Opened, recorded: Recorded, size: tuple[int, int], ascii_only: bool
) -> None:
    recorded("calm-fox", hidden=(3,))
    async with stage(size=size, start={"ascii_only": ascii_only}) as s:
        await s.until(lambda: s.steps == 1)
        await picking(s, 1)
        await comparing(s, "enter")
        await s.says("A  calm-fox", "compare")
        assert s.screen().isascii() or not ascii_only


async def test_an_empty_folder_says_so(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await picking(s, 0)
        await s.says("no other session in the folder yet")


async def test_a_damaged_file_is_not_in_the_list(stage: Opened, recorded: Recorded, folder: Path) -> None:
    recorded("calm-fox")
    (folder / "evil.json").write_text('{"format": "pandatui-session", "name": "[red]\\u001b[31m"}')
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await picking(s, 1)
