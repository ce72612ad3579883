"""The app without a terminal: keys go in, conditions are waited for, the screen comes out as text."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from textual.app import App
from textual.content import Content
from textual.message_pump import MessagePump
from textual.pilot import Pilot

from pandatui.data import Dataset
from pandatui.search.cohort import Outcome, Slice, Train
from pandatui.search.space import default_space
from pandatui.search.spec import Spec
from pandatui.search.study import Study, Trial
from pandatui.training import Run, RunConfig
from pandatui.training.setup import RunOptions
from pandatui.training.snapshot import View, look
from pandatui.tui.app import PandaApp, Start
from pandatui.tui.screens.watch import WatchScreen
from pandatui.tui.widgets.lines import Lines

T = TypeVar("T")

AGES = 1e6  # seconds: longer than any test
HELD = 1e-9  # epochs a second: one step, then as good as none
DEADLINE = 30.0  # seconds that a condition may take on a busy machine


class Stage:
    """A running app and the hands and eyes of a person before it."""

    def __init__(self, app: PandaApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    def type(self, *keys: str) -> None:
        """Press keys, without waiting for what they do."""
        for key in keys:
            self.app.simulate_key(key)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each once the app has seen the one before."""
        for key in keys:
            self.app.simulate_key(key)
            await self.seen()

    async def seen(self) -> None:
        """Until every message sent so far has been handled, by the app and by its screen."""
        await handled(self.app)  # it hands a key on to what has the focus, and that to what it lies in
        for node in (self.app.focused or self.app.screen).ancestors_with_self:
            await handled(node)

    async def until(self, condition: Callable[[], T], what: str = "") -> T:
        """Look again and again until it holds; fail after the deadline."""
        end = time.monotonic() + DEADLINE
        while not (found := condition()):
            assert time.monotonic() < end, f"waited in vain {what}\n{self.screen()}"
            await asyncio.sleep(0.005)
        return found

    async def says(self, *words: str) -> None:
        """Until all these words are on the screen."""
        for each in words:
            await self.until(lambda each=each: each in self.screen(), f"for {each!r}")

    def looked(self) -> bool:
        """Whether the watch screen, where that is what is open, has seen its run."""
        screen = self.app.screen
        return not self.app.is_running or not isinstance(screen, WatchScreen) or screen._snapshot is not None

    def run(self, question: Callable[[Run], T]) -> T:
        """Ask the run, between two steps."""
        assert self.app.live is not None
        return self.app.live.driver.ask(question).result(DEADLINE)

    @property
    def steps(self) -> int:
        return self.run(lambda run: run.steps)

    @property
    def watch(self) -> WatchScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, WatchScreen))

    def text(self, selector: str) -> str:
        """What a widget of lines says."""
        content = self.app.screen.query_one(selector, Lines).content
        return content.plain if isinstance(content, Content) else str(content)

    def screen(self) -> str:
        """All that is on the screen, line by line, as a terminal would show it."""
        height = self.app.size.height
        compositor = self.app.screen._compositor
        return "\n".join(
            "".join(segment.text for segment in strip) for strip in compositor.render_strips()[:height]
        )


async def handled(pump: MessagePump) -> None:
    """Until every message that it has been sent so far has been handled."""
    done = asyncio.Event()
    if pump.call_later(done.set):  # else it has gone
        await asyncio.wait_for(done.wait(), DEADLINE)


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pilot waits for the process to be idle, which a process that trains never is.

    And on a machine that stands for a while two presses are still near each other, words still there, and a
    look at the run shows it as it is.
    """

    async def at_once(*_: float, **__: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("textual.pilot.wait_for_idle", at_once)
    monkeypatch.setattr("textual.app.wait_for_idle", at_once, raising=False)
    monkeypatch.setattr("pandatui.training.driver.GESTURE_SECONDS", AGES)
    monkeypatch.setattr("pandatui.tui.app.SECOND_PRESS", AGES)
    monkeypatch.setattr("pandatui.tui.screens.watch.PATIENCE", DEADLINE)
    monkeypatch.setattr("pandatui.tui.screens.run.PATIENCE", 10.0)
    monkeypatch.setattr(App, "NOTIFICATION_TIMEOUT", AGES)
    for screen in ("run", "race", "compare"):
        monkeypatch.setattr(f"pandatui.tui.screens.{screen}.MESSAGE_SECONDS", AGES)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_CTYPE", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def stage(folder: Path, dataset: Callable[..., Dataset]) -> Callable[..., Any]:
    """`async with stage(...) as s`: a small run in the app, held at its first step unless a pace is given."""

    @asynccontextmanager
    async def started(
        *,
        size: tuple[int, int] = (120, 36),
        pace: float | str | None = HELD,
        data: Dataset | None = None,
        lesson: bool = False,
        start: dict[str, Any] | None = None,
        **settings: Any,
    ) -> AsyncIterator[Stage]:
        made = dataset(61) if data is None else data
        plain: dict[str, Any] = {
            "data": made.source,
            "standardise": "none",
            "hidden": (5, 4),
            "batch_size": 4,
        }
        config = RunConfig(**(plain | {"epochs": 4} | settings))
        options = RunOptions() if lesson else RunOptions(data="made")
        app = PandaApp(Start(folder, options, config, made, name="made-run", pace=pace, **(start or {})))
        async with app.run_test(size=size, notifications=True) as pilot:
            played = Stage(app, pilot)
            await played.until(lambda: len(app.screen_stack) > 1 or app.return_code is not None)
            await pilot.pause()
            await played.until(played.looked, "for the first look at the run")
            yield played
            if app.is_running:
                app.finish(0)

    return started


@pytest.fixture
def stopped() -> Callable[..., Any]:
    """A snapshot of a run that was taken so many steps."""

    def taken(run: Run, steps: int, view: View | None = None) -> Any:
        while run.steps < steps:
            run.step(0.5)
        return look(run, view or View())

    return taken


def new_study(trials: int = 12, rounds: int = 2, epochs: int = 6, **settings: Any) -> Study:
    """A study of xor that has not begun."""
    options = RunOptions(data="xor", hidden=(4,), epochs=epochs, batch_size=64, standardise="none")
    spec = Spec(run=options, trials=trials, rounds=rounds, **settings)
    base = spec.settled()
    return Study(spec, base, default_space(base))


def end_trial(trial: Trial, costs: Sequence[float], status: str = "finished", steps: int = 10) -> None:
    """Let a trial have come to these dev costs, one an epoch of so many steps."""
    trial.dev = [(steps * epoch, cost, 0.5) for epoch, cost in enumerate(costs, 1)]
    trial.epochs = len(costs)
    if status != "training":
        trial.end(status, "", "ab" * 32)
    trial.status = status


class HeldEngine:
    """Trains a slice in this process when it is let go, one by one."""

    workers = 2

    def __init__(self) -> None:
        self.out: deque[tuple[Future[Outcome], Train, Slice]] = deque()
        self.closed = False

    def submit(self, train: Train, work: Slice) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.out.append((future, train, work))
        return future

    def let_go(self) -> None:
        """Train what is out now."""
        for _ in range(len(self.out)):
            future, train, work = self.out.popleft()
            future.set_result(train(work))

    def died(self, error: BaseException) -> bool:
        return False

    def close(self, *, now: bool) -> None:
        self.closed = True


class Noted:
    """A ledger that keeps what it is told."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.trials: list[tuple[int, str]] = []
        self.problem = ""
        self.closed = False

    def began(self, made: Any) -> None:
        self.rounds.append(made.number)

    def ended(self, trials: list[Trial]) -> None:
        self.trials += [(trial.number, trial.status) for trial in trials]

    def decided(self, of: Any, epoch: int, dropped: list[Trial]) -> None:
        self.trials += [(trial.number, trial.status) for trial in dropped]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def study() -> Callable[..., Study]:
    return new_study


@pytest.fixture
def ended() -> Callable[..., None]:
    return end_trial


@pytest.fixture
def held_engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
def noted() -> Noted:
    return Noted()
