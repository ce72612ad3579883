"""What goes on beside a run on the watch screen: left alone, ghost, twins, hints; the bits with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pandatui.data import Dataset
from pandatui.sessions.replay import rerun, verify
from pandatui.sessions.store import read
from pandatui.training import Driver, Run, RunConfig
from pandatui.training.companions import GHOST, LEFT_ALONE, TWIN_BAND
from pandatui.training.events import Nudge, Rewind, Undo
from pandatui.training.hints import RULES
from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.beside import Beside, Habits

Opened = Callable[..., Any]


def made(name: str) -> Dataset:
    """Built-in data."""
    return prepare(RunOptions(data=name, standardise="none"))[1]


FAST = 200.0  # epochs a second


def kinds(s: Any) -> set[str]:
    driver = s.app.live.driver
    return s.run(lambda run: {k for k in (GHOST, LEFT_ALONE, TWIN_BAND) if k in driver.companions})


def caught_up(s: Any) -> bool:
    driver = s.app.live.driver
    return s.run(lambda run: not driver.companions.attend(run, full_pace=False))


async def trained(s: Any) -> None:
    """To the end of the epochs, and whoever is beside it too."""
    s.app.live.driver.set_pace(FAST)
    await s.until(lambda: s.run(lambda run: run.status) == "finished")
    await s.until(lambda: caught_up(s))


@pytest.fixture
def xor() -> dict[str, Any]:
    """Built-in data, small."""
    return {"data": made("xor"), "epochs": 8, "batch_size": 64}


async def test_left_alone_comes_with_the_first_nudge_on_built_in_data(stage: Opened, xor: Any) -> None:
    data = xor.pop("data")
    async with stage(data=data, **xor) as s:
        await s.until(lambda: s.steps == 1)
        assert kinds(s) == set()
        await s.press("A")
        await s.until(lambda: kinds(s) == {LEFT_ALONE})
        await trained(s)
        s.watch.look_again()
        dev = s.run(lambda run: (run.history.dev_cost.last(1)[0], run.config))
        alone = Run(dev[1], data)
        while alone.ready:
            alone.step()
        theirs = alone.history.dev_cost.last(1)[0]
        await s.says(f"you {dev[0]:.2f} · left alone {theirs:.2f}", "left alone")


async def test_other_data_have_none(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A")
        await s.says("in use from step 2")
        assert kinds(s) == set()


async def test_at_full_pace_there_is_none(stage: Opened, xor: Any) -> None:
    async with stage(pace="max", **(xor | {"epochs": 2})) as s:
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await s.press("space", "A")
        await s.until(lambda: s.run(lambda run: any(e.kind == "nudge" for e in run.events)))
        assert kinds(s) == set()


async def test_g_goes_round_and_says_each(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("g")
        await s.says("no nudge that stands: a ghost is the run without one")
        await s.press("A", "D")
        await s.says("decay 0 → 0.01")
        await s.press("g")
        await s.says("ghost: the run without nudge 2 · g again: without any · k keeps it")
        assert kinds(s) == {GHOST}
        await s.press("g")
        await s.says("ghost: the run left alone, without nudges 1–2 · g again: none")
        assert kinds(s) == {LEFT_ALONE}
        await s.press("g")
        await s.says("no ghost any more")
        assert kinds(s) == set()


async def test_a_newer_nudge_is_the_last_one_then(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A", "D", "g")
        await s.says("without nudge 2")
        await s.press("b", "g")
        await s.says("ghost: the run without nudge 3")


async def test_of_one_nudge_the_ghost_is_the_run_left_alone(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A", "g")
        await s.says("ghost: the run left alone, without nudge 1")


async def test_twins_are_asked_for_and_ended(stage: Opened) -> None:
    async with stage(epochs=3) as s:
        await s.until(lambda: s.steps == 1)
        await s.press("t")
        await s.says("Is that bump real?", "from the start: five other seeds", "from here, step 1")
        await s.press("escape")
        assert kinds(s) == set()
        await s.press("t", "enter")
        await s.says("5 seeds from the start, with your nudges")
        assert kinds(s) == {TWIN_BAND}
        await trained(s)
        s.watch.look_again()
        await s.says("twins  5 seeds at epoch 3: dev", "5 seeds")
        await s.press("t")
        await s.says("no twins any more")
        assert kinds(s) == set()
        await s.press("t", "h")
        await s.says("5 seeds from here, other orders of the data")


async def test_going_back_says_what_it_has_ended(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A", "D", "g", "t", "enter")
        await s.until(lambda: kinds(s) == {GHOST, TWIN_BAND})
        s.watch.look_again()
        await s.press("u")
        await s.says("the ghost and the twins are gone")
        assert kinds(s) == set()


async def test_the_bits_are_the_same_with_all_of_them_and_no_session_is_written(
    stage: Opened, folder: Path, xor: Any
) -> None:
    data = xor.pop("data")
    async with stage(data=data, **xor) as s:
        await s.until(lambda: s.steps == 1)
        await s.press("A", "D", "g", "t", "enter")
        await s.until(lambda: kinds(s) == {GHOST, LEFT_ALONE, TWIN_BAND})
        await trained(s)
        s.app.end_live()
        session, whole = read(folder / "made-run.json")
        assert whole
        assert verify(session, rerun(session, data)).identical
        assert [path.name for path in folder.glob("*.json")] == ["made-run.json"]


async def test_k_keeps_the_ghost_as_a_session_with_its_lineage(
    stage: Opened, folder: Path, dataset: Callable[..., Any]
) -> None:
    data = dataset(61)
    async with stage(data=data, epochs=6) as s:
        await s.until(lambda: s.steps == 1)
        await s.press("k")
        await s.says("no ghost to keep: g makes one")
        await s.press("A", "D", "g")
        await s.until(lambda: kinds(s) == {GHOST})
        await trained(s)
        s.watch.look_again()
        ghost = s.watch._snapshot.companions[0]
        await s.press("k")
        path = folder / "made-run-without-2.json"
        await s.until(path.exists)
        await s.says("the ghost is saved as made-run-without-2: step")
        kept, _ = read(path)
        assert kept.parent is not None
        assert (kept.parent.name, kept.parent.step) == ("made-run", 1)
        assert len({e.nudge for e in kept.events if e.kind == "nudge"}) == 1
        assert np.array_equal(kept.curves.dev_cost.first, ghost.dev_costs[:, 0])
        assert verify(kept, rerun(kept, data)).identical


async def test_k_again_keeps_one_ghost_and_tells_of_no_other(
    stage: Opened, folder: Path, xor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is left for the second: nothing has failed."""
    async with stage(pace="max", **(xor | {"epochs": 100_000})) as s:
        await s.press("A", "g")
        await s.until(lambda: s.steps > 1500)
        said: list[str] = []
        monkeypatch.setattr(s.app, "say", said.append)
        await s.press("space", "k", "k", "k")
        await s.until(lambda: any("the ghost is saved" in words for words in said), "for the ghost")
        assert not [words for words in said if "not saved" in words]
        assert len([*folder.glob("*-without-1*.json")]) == 1


async def test_q_with_all_of_them_ends_at_once(stage: Opened, xor: Any) -> None:
    async with stage(pace=FAST, **(xor | {"epochs": 1000})) as s:
        await s.press("A", "D", "g", "t", "enter", "k", "q")
        await s.until(lambda: not s.app.is_running)
        assert not s.app.live
        assert s.app.return_code == 0


# -- left alone after going back, without a screen -----------------------------------------------------------


@pytest.fixture
def beside() -> Any:
    """A driver that is not started, so that everything happens at once."""
    config = RunConfig(data="xor", hidden=(5,), epochs=50)
    driver = Driver(Run(config, made("xor")), pace=1.0)
    return driver, Beside(driver, left_alone=True)


def push(driver: Driver, command: Any) -> None:
    driver._push(driver._run.apply(command, 0.0))


def steps(driver: Driver, count: int) -> None:
    for _ in range(count):
        driver._push(driver._run.step(0.0))
    while driver.companions.attend(driver._run, full_pace=False):
        pass


def test_left_alone_is_right_or_gone_after_going_back(beside: Any) -> None:
    driver, _ = beside
    steps(driver, 20)
    push(driver, Nudge("learning_rate", to=0.5))
    steps(driver, 60)
    assert LEFT_ALONE in driver.companions
    push(driver, Rewind(10))
    assert LEFT_ALONE not in driver.companions
    steps(driver, 5)
    push(driver, Nudge("learning_rate", to=0.3))
    steps(driver, 90)
    (found,) = driver.companions.look(driver._run, 10_000)
    assert found.start == 15
    alone = Run(driver._run.config, driver._run.dataset)
    while alone.steps < found.steps_done:
        alone.step()
    dev = alone.history.dev_cost.part(0, alone.epoch)
    assert np.array_equal(found.dev_costs[:, 0], dev[-len(found.dev_costs) :])


def test_undone_it_has_nothing_to_do_without_until_the_redo(beside: Any) -> None:
    driver, _ = beside
    steps(driver, 20)
    push(driver, Nudge("learning_rate", to=0.5))
    steps(driver, 30)
    push(driver, Undo())
    (found,) = driver.companions.look(driver._run, 100)
    assert found.without == ()


def test_a_person_who_sends_it_away_does_not_get_it_again(beside: Any) -> None:
    driver, kept = beside
    steps(driver, 20)
    push(driver, Nudge("learning_rate", to=0.5))
    assert driver.ask(kept.turn_ghost).result().startswith("ghost: the run left alone")
    assert driver.ask(kept.turn_ghost).result() == "no ghost any more"
    steps(driver, 60)
    assert LEFT_ALONE not in driver.companions


# -- hints and the bell --------------------------------------------------------------------------------------


def noisy() -> dict[str, Any]:
    """A batch size of 4 with batch norm: the table has a hint for that."""
    return {"epochs": 3, "batch_size": 4}


async def test_a_hint_is_one_line_that_a_nudge_takes_away(stage: Opened) -> None:
    async with stage(**noisy()) as s:
        await trained(s)
        s.watch.look_again()
        await s.says("hint   batch norm over 4 examples is noisy")
        assert s.screen().count("hint ") == 1
        await s.press("space", "A")
        await s.until(lambda: s.app.live.beside.hint is None)
        s.watch.look_again()
        assert "is noisy" not in s.screen()


@pytest.mark.parametrize("habits", [Habits(hints=False), Habits(off=("small batches",))])
async def test_hints_can_be_off(stage: Opened, habits: Habits) -> None:
    async with stage(start={"habits": habits}, **noisy()) as s:
        await trained(s)
        s.watch.look_again()
        assert "is noisy" not in s.screen()


async def test_the_palette_switches_hints_off_for_now(stage: Opened) -> None:
    async with stage(**noisy()) as s:
        await s.until(lambda: s.steps == 1)
        commands = {c.title: c.callback for c in s.app.get_system_commands(s.app.screen)}
        commands["Hints off for now"]()
        await s.says("no hints until the next run")
        assert not s.app.live.beside.gives_hints
        commands = {c.title: c.callback for c in s.app.get_system_commands(s.app.screen)}
        commands["Hints on"]()
        assert s.app.live.beside.gives_hints


async def test_the_lesson_has_a_teacher_already(stage: Opened) -> None:
    async with stage(lesson=True, **noisy()) as s:
        assert not s.app.live.beside.gives_hints


@pytest.mark.parametrize(("bell", "rings"), [(True, 1), (False, 0)])
async def test_the_bell_rings_at_the_end_if_asked_for(
    stage: Opened, bell: bool, rings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    async with stage(start={"habits": Habits(bell=bell)}, epochs=2) as s:
        monkeypatch.setattr(s.app, "bell", lambda: heard.append("rings"))
        await trained(s)
        await s.says("2 epochs done")
        await s.seen()
        assert len(heard) == rings


async def test_the_bell_rings_once_when_the_cost_has_gone_flat(
    stage: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pandatui.tui.beside._APART", 0.0)
    heard: list[str] = []
    habits = Habits(hints=False, bell=True)
    async with stage(start={"habits": habits}, epochs=60, learning_rate=1e-6) as s:
        monkeypatch.setattr(s.app, "bell", lambda: heard.append("rings"))
        s.app.live.driver.set_pace(FAST)
        await s.until(lambda: s.app.live.beside.flat)
        await s.until(lambda: s.run(lambda run: run.status) == "finished")
        await s.seen()
        heard.clear()  # that of the end
        s.watch._rung = ("", False)
        s.watch.listen()
        s.watch.listen()
        assert heard == ["rings"]


async def test_the_bell_rings_when_it_diverges(stage: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    wild = {"batch_norm": False, "optimizer": "sgd", "learning_rate": 100.0, "epochs": 100_000}
    async with stage(start={"habits": Habits(bell=True)}, **wild) as s:
        monkeypatch.setattr(s.app, "bell", lambda: heard.append("rings"))
        s.app.live.driver.set_pace(None)
        await s.says("diverged")
        await s.until(lambda: heard, "for the bell")
        await s.seen()
        assert heard == ["rings"]


def test_every_rule_of_the_table_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
