"""Races from the app with real workers: queue a batch, watch it, adopt the winner, quit, go on, list both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.widgets import Input

from pandatui.search.keeper import open_study
from pandatui.search.race import StopTrial
from pandatui.search.setup import prepare
from pandatui.search.shelf import look as look_at
from pandatui.search.shelf import studies
from pandatui.search.spec import Spec
from pandatui.sessions import Store
from pandatui.sessions.replay import data_of, rerun
from pandatui.sessions.store import read
from pandatui.training.setup import RunOptions
from pandatui.training.setup import prepare as prepare_run
from pandatui.tui.beside import Habits
from pandatui.tui.screens.queue_batch import QueueBatchScreen
from pandatui.tui.screens.race import RaceScreen
from pandatui.tui.screens.sessions import SessionsScreen


@pytest.fixture
def on_xor(stage: Callable[..., Any]) -> Callable[..., Any]:
    """The app with a panda on xor, held at its first step."""
    config, dataset = prepare_run(RunOptions(data="xor", hidden=(4,), epochs=3))

    def begun(**more: Any) -> Any:
        return stage(
            **more,
            data=dataset,
            hidden=config.hidden,
            epochs=config.epochs,
            batch_size=config.batch_size,
            standardise=config.standardise,
        )

    return begun


async def ask_for(s: Any, *keys: str, **numbers: int) -> None:
    """Queue a batch of these numbers of trials, rounds and epochs, then press keys."""
    await s.press("c")
    await s.until(lambda: isinstance(s.app.screen, QueueBatchScreen) and s.app.screen.query("#trials"))
    for name, value in numbers.items():
        s.app.screen.query_one(f"#{name}", Input).value = str(value)
    await s.seen()
    await s.press(*keys)


async def test_a_batch_is_raced_behind_the_panda_and_its_winner_adopted(on_xor: Any, folder: Path) -> None:
    async with on_xor() as s:
        await ask_for(s, "enter", trials=6, rounds=2, epochs=3)
        racing = await s.until(lambda: s.app.racing)
        await s.says("a race of 6 trials has begun in the background: C shows it")
        panda = s.app.live
        await s.until(lambda: racing.read().over)
        assert s.app.live is panda
        await s.press("C")
        await s.says("race of made-run", "6 trials in 2 rounds: all done")
        winner = racing.read().best
        await s.press("enter")
        await s.says(f"Adopt trial {winner.number} as the panda?", "from its end: epoch 3")
        await s.press("enter")
        await s.until(lambda: s.app.live is not panda)
        await s.says("epoch 3/3", f"trial {winner.number} of ", "adopted from its end, epoch 3")
        adopted = s.app.live.recorder.path
    session, whole = read(Path(adopted))
    assert whole
    assert (session.parent.study, session.parent.trial) == (racing.path.name.split(".")[0], winner.number)
    assert session.result.weights_sha256 == racing.study.trials[winner.number].weights_sha256
    again = rerun(session, data_of(session, None, trusted=True))
    assert again.weights_sha256() == session.result.weights_sha256
    assert read(folder / "made-run.json")[0].status == "stopped"
    assert look_at(racing.path).status == "finished"


async def test_behind_the_race_the_bell_rings_once_for_what_is_better(
    on_xor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    async with on_xor(start={"habits": Habits(bell=True)}) as s:
        s.app.live.driver.set_pace(None)
        await s.says("3 epochs done")
        monkeypatch.setattr(s.app, "bell", lambda: heard.append("rings"))
        await ask_for(s, "enter", trials=6, rounds=1, epochs=40)
        racing = await s.until(lambda: s.app.racing)
        heard.clear()  # of its own end, maybe
        await s.press("C")
        await s.until(lambda: racing.read().over)
        await s.until(lambda: s.watch.listen() or heard)
        heard.clear()
        s.watch.listen()
        assert heard == []


async def test_from_its_start_a_trial_has_its_settings_and_all_steps_to_go(on_xor: Any) -> None:
    async with on_xor() as s:
        await ask_for(s, "enter", trials=2, rounds=1, epochs=2)
        racing = await s.until(lambda: s.app.racing)
        await s.until(lambda: racing.read().over)
        panda = s.app.live
        await s.press("C", "down", "enter")
        await s.says("from its start")
        await s.press("s")
        await s.until(lambda: s.app.live is not panda)
        number = int(racing.read().order[1]) + 1
        assert s.app.live.config == racing.study.trials[number].config
        assert s.steps <= 1


async def test_the_batch_is_centred_on_the_settings_as_nudges_left_them(on_xor: Any) -> None:
    async with on_xor() as s:
        await s.press("x", "A")
        await s.until(lambda: s.run(lambda run: run.knobs["learning_rate"]) > 0.3)
        await s.until(lambda: s.watch.look_again() or s.watch._snapshot.knobs["learning_rate"] > 0.3)
        await s.press("c")
        await s.until(lambda: s.app.screen.query("#low-learning_rate"))
        low, high = (
            float(s.app.screen.query_one(f"#{end}-learning_rate", Input).value) for end in ("low", "high")
        )
        assert np.sqrt(low * high) == pytest.approx(0.316, rel=0.01)


async def test_a_batch_for_later_is_kept_in_the_sessions_queue(on_xor: Any, folder: Path) -> None:
    async with on_xor() as s:
        await ask_for(s, "ctrl+l", trials=7, rounds=1, epochs=2)
        await s.says("queued for later, run by pandatui batch made-run")
        assert s.app.racing is None
        await s.until(lambda: read(folder / "made-run.json")[0].queue)  # before the session has ended
    [entry] = read(folder / "made-run.json")[0].queue
    spec = Spec.from_plain(entry["spec"])
    assert (set(entry), spec.trials, spec.rounds, spec.run.epochs) == ({"spec"}, 7, 1, 2)
    assert prepare(spec).base.data == "xor"


async def test_one_race_at_a_time_another_is_queued(on_xor: Any, folder: Path) -> None:
    async with on_xor() as s:
        await ask_for(s, "enter", trials=40, rounds=1, epochs=1_000_000)
        await s.until(lambda: s.app.racing)
        await ask_for(s, trials=5, rounds=1, epochs=2)
        await s.says("a race goes on: this one waits in the session's queue", "Later (enter)")
        await s.press("enter")
        await s.says("queued for later")
        assert len(studies(Store(folder))) == 1
    assert len(read(folder / "made-run.json")[0].queue) == 1


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("trials", "many", "trials 'many': expected a whole number"),
        ("trials", "2", "trials 2: expected at least one a round"),
        ("epochs", "0", "run: epochs"),
        ("low-learning_rate", "x", "learning rate α, low 'x': expected a number"),
        ("high-learning_rate", "0.0001", "expected low below high"),
        ("high-momentum", "1.5", "momentum"),
    ],
)
async def test_what_no_study_can_be_is_said_while_one_types(
    on_xor: Any, field: str, text: str, words: str
) -> None:
    async with on_xor() as s:
        await s.press("c")
        await s.until(lambda: s.app.screen.query("#trials"))
        s.app.screen.query_one(f"#{field}", Input).value = text
        await s.says(words)
        await s.until(lambda: s.app.screen.query_one("#now").disabled)
        await s.press("escape")
        assert s.app.screen is s.watch


async def test_a_fixed_knob_is_turned_into_a_varied_one(on_xor: Any, folder: Path) -> None:
    async with on_xor() as s:
        await s.press("c")
        await s.until(lambda: s.app.screen.query("#scale-activation"))
        choices = s.app.screen.query_one("#low-activation", Input)
        assert choices.disabled
        s.app.screen.query_one("#scale-activation").focus()
        await s.press("space")
        await s.until(lambda: not choices.disabled)
        await s.says("< choice >")
        choices.value = "relu, tanh"
        s.app.screen.query_one("#scale-decay").focus()
        await s.press("left")  # log, before it: fixed
        s.app.screen.query_one("#halving").focus()
        await s.press("space")
        await s.seen()
        await s.press("ctrl+l")
        await s.says("queued for later")
    [entry] = read(folder / "made-run.json")[0].queue
    spec = Spec.from_plain(entry["spec"])
    assert spec.halving
    assert spec.space.knobs == ("learning_rate", "momentum", "l2", "activation")
    assert spec.space["activation"].choices == ("relu", "tanh")


async def test_quitting_saves_the_study_and_says_how_to_go_on(on_xor: Any, folder: Path) -> None:
    async with on_xor() as s:
        await ask_for(s, "enter", trials=60, rounds=2, epochs=1_000_000)
        racing = await s.until(lambda: s.app.racing)
        racing.send(StopTrial(1))
        await s.until(lambda: racing.read().ended > 0)
        s.type("q")
        await s.until(lambda: not s.app.is_running)
    name = racing.path.name.removesuffix(".study.json")
    stored = look_at(racing.path)
    ended = sum(trial.status != "waiting" for trial in stored.study.trials)
    assert stored.status == "stopped"
    assert stored.holder is None
    assert f"go on with: pandatui batch {name}" in s.app.farewell
    assert any(f"study saved as {racing.path} ({ended:,} of 60 trials)" in line for line in s.app.farewell)
    opened = open_study(Store(folder), prepare(racing.study.spec), name)
    opened.keeper.close()
    assert sum(not trial.stands for trial in opened.study.trials.values()) == ended > 0


async def test_studies_stand_beside_sessions_and_go_on_from_the_screen(on_xor: Any, folder: Path) -> None:
    spec = Spec(run=RunOptions(data="xor", hidden=(4,), epochs=2), trials=4, rounds=2)
    opened = open_study(Store(folder), prepare(spec), "from-before")
    opened.study.begin_round()
    opened.keeper.began(opened.study.rounds[0])
    opened.keeper.close()
    async with on_xor() as s:
        await s.press("ctrl+o")
        await s.says("1 session, 1 study in", "from-before")
        await s.press("down")
        await s.says("planned  4 trials in 2 rounds")
        await s.press("n")
        await s.says("a study has neither notes nor another name")
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, RaceScreen))
        await s.says("study from-before", "○ on record", "ctrl+r goes on")
        await s.press("space")
        await s.says("this study is on record, nothing of it trains")
        await s.press("ctrl+r")
        racing = await s.until(lambda: s.app.racing)
        await s.until(lambda: racing.read().over)
        await s.says("● done", "4 of 4 trials")
        await s.press("ctrl+r")  # one round more
        await s.until(lambda: racing.read().total == 6 and racing.read().over)
        await s.press("escape")
        await s.until(lambda: isinstance(s.app.screen, SessionsScreen))
    assert look_at(folder / "from-before.study.json").status == "finished"
    assert len(look_at(folder / "from-before.study.json").study.rounds) == 3


async def test_a_study_is_deleted_after_asking(on_xor: Any, folder: Path) -> None:
    spec = Spec(run=RunOptions(data="xor", hidden=(4,), epochs=2), trials=4, rounds=2)
    open_study(Store(folder), prepare(spec), "from-before").keeper.close()
    async with on_xor() as s:
        await s.press("ctrl+o")
        await s.says("1 session, 1 study in")
        s.app.screen.query_one("DataTable").move_cursor(row=1)
        await s.press("delete")
        await s.says("Delete the study from-before")
        await s.press("enter")
        await s.until(lambda: not (folder / "from-before.study.json").exists())
        await s.says("from-before is deleted", " 1 session in")


async def test_without_a_race_the_key_says_so(on_xor: Any) -> None:
    async with on_xor() as s:
        await s.press("C")
        await s.says("no race yet: c queues a batch")
