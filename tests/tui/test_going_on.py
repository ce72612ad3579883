"""Branching from the watch screen, going on with and branching from a recorded session."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions import Store
from pandatui.sessions.record import Identity, record
from pandatui.sessions.replay import rerun, verify
from pandatui.sessions.schema import encode
from pandatui.sessions.store import read
from pandatui.training import Run
from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.screens import record as record_screen
from pandatui.tui.screens.record import RecordScreen
from pandatui.tui.screens.replay import ReplayScreen
from pandatui.tui.screens.watch import WatchScreen

Opened = Callable[..., Any]


@pytest.fixture
def stopped_session(folder: Path) -> Path:
    """A session of built-in data that was stopped half way."""
    run = Run(*prepare(RunOptions(data="xor", hidden=(6,), epochs=2000)))
    for _ in range(150):
        run.step(run.steps / 10)
    store = Store(folder)
    store.prepare()
    session = record(run, Identity.new("half-way"), 15.0, run.evaluate())
    session.status = "stopped"
    store.write("half-way", encode(session))
    return folder / "half-way.json"


async def test_f_ends_this_session_and_trains_on_as_another(stage: Opened, folder: Path) -> None:
    async with stage(epochs=100_000, pace=None) as s:
        await s.until(lambda: s.steps > 200)
        await s.press("space")
        await s.until(lambda: s.run(lambda run: run.paused))
        await s.press("left", "left", "left", "f")
        await s.says("Branch at step")
        await s.press("enter")
        await s.until(lambda: s.app.live is not None and s.app.live.about.name != "made-run")
        await s.says("made-run ended at step", "branch of made-run")
        s.app.finish(0)
    parent, _ = read(folder / "made-run.json")
    (path,) = [p for p in folder.glob("*.json") if p.name != "made-run.json"]
    child, whole = read(path)
    assert whole
    assert parent.status == "stopped"
    assert (child.parent.name, child.parent.id) == ("made-run", parent.id)
    assert child.steps >= child.parent.step
    assert child.parent.step < parent.steps


@pytest.mark.parametrize("key", ["r", "f"])
async def test_a_recorded_session_goes_on(
    stage: Opened, folder: Path, stopped_session: Path, key: str
) -> None:
    before, _ = read(stopped_session)
    async with stage(start={"session_file": stopped_session}, pace="max") as s:
        await s.says("half-way", "stopped")
        await s.press(key)
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, WatchScreen) and s.app.live is not None)
        await s.says("0 warnings" if key == "r" else "branched from half-way at step 150")
        await s.until(lambda: s.steps > 160)
        name = s.app.live.about.name
        s.app.finish(0)
    session, whole = read(folder / f"{name}.json")
    assert whole
    assert (name == "half-way") == (key == "r")
    assert session.steps > 160
    if key == "f":
        assert (session.parent.name, session.parent.step) == ("half-way", 150)
        assert read(stopped_session)[0] == before
    _, dataset = prepare(RunOptions(data="xor"))
    assert verify(session, rerun(session, dataset)).identical


async def test_what_cannot_go_on_says_why(stage: Opened, folder: Path, stopped_session: Path) -> None:
    session, _ = read(stopped_session)
    session.config["data"] = str(folder / "gone.csv")
    Store(folder).write("half-way", encode(session))
    async with stage(start={"session_file": stopped_session}) as s:
        await s.says("half-way")
        await s.press("r")
        await s.press("enter")
        await s.says("not started", "is not there any")


async def test_a_session_that_is_trained_elsewhere_is_followed_and_its_keys_are_off(
    stage: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_screen, "FOLLOW", 0.02)
    args = ("--data", "xor", "--epochs", "1000000", "--name", "elsewhere", "--sessions", str(folder))
    other = subprocess.Popen([sys.executable, "-m", "pandatui", "train", *args], stderr=subprocess.DEVNULL)
    try:
        async with stage() as s:
            await s.until(lambda: (folder / "elsewhere.json").exists())
            s.app.push_screen(RecordScreen(folder / "elsewhere.json"))
            await s.says(
                "elsewhere · xor · ● watching · ", f"keys that train are off: process {other.pid}, since"
            )
            seen = s.app.screen._session.steps
            await s.until(lambda: s.app.screen._session.steps > seen, "for it to go on")
            for key in ("r", "f"):
                await s.press(key)
                await s.until(lambda: f"it is being trained by process {other.pid}" in s.screen())
                assert isinstance(s.app.screen, RecordScreen)
                s.app.clear_notifications()
            other.terminate()
            await s.says("elsewhere · xor · stopped", "r go on  f branch")
    finally:
        other.kill()
        other.wait()


async def test_the_session_that_this_program_trains_is_not_called_anothers(stage: Opened) -> None:
    async with stage() as s:
        await s.press("ctrl+o")
        await s.says("made-run")
        await s.press("enter")
        await s.says("this very program trains it")
        await s.press("r", "f")
        assert isinstance(s.app.screen, RecordScreen)


async def test_a_replay_trains_on_from_where_it_is(
    stage: Opened, folder: Path, stopped_session: Path
) -> None:
    async with stage(start={"session_file": stopped_session, "speed": 0.25}, pace="max") as s:
        await s.until(lambda: isinstance(s.app.screen, ReplayScreen))
        await s.press("space")
        s.app.screen.live.driver.seek(70)
        await s.press("f")
        await s.says("Train on from step 70")
        await s.press("enter")
        await s.until(lambda: s.app.live is not None)
        await s.until(lambda: s.steps > 100)
        name = s.app.live.about.name
        s.app.finish(0)
    session, _ = read(folder / f"{name}.json")
    assert session.parent.name == "half-way"
    assert session.parent.step == 70
