"""A study on the screen: raced in a thread of this app, or looked at as it is on record.

The race goes on whichever screen is shown; the screens read it and send it commands. Its workers are other
processes, one fewer than there are cores and of low priority, so that the panda and the screen stay quick.
"""

import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

from pandatui.data import Dataset
from pandatui.search.race import Engine, Hold, Leave, NextRound, Race, RaceCommand
from pandatui.search.race import Ledger as RaceLedger
from pandatui.search.space import Space
from pandatui.search.spec import RUN_OPTIONS, Spec
from pandatui.search.study import Study
from pandatui.training import RunConfig
from pandatui.training.setup import RunOptions
from pandatui.tui.race_view import Clock, RaceView, Reader

PATIENCE = 10.0  # seconds for a race to save and end
NICE = 10  # of the workers


class Keeping(RaceLedger, Protocol):
    """What keeps the study on record, and what is wrong with that."""

    @property
    def problem(self) -> str: ...

    def close(self) -> None: ...


class Racing:
    """A study, and the race if there is one. `title` is what the screen calls it, already cleaned."""

    def __init__(self, study: Study, path: Path, title: str, guessing: float) -> None:
        self.study = study
        self.path = path
        self.title = title
        self.data_sha256 = ""  # of the data that it is raced on
        self._race: Race | None = None
        self._keeper: Keeping | None = None
        self._thread: threading.Thread | None = None
        self._failure = ""
        self._guessing = guessing
        self._reader = Reader(study, title, guessing)

    def begin(self, dataset: Dataset, engine: Engine, keeper: Keeping, box: Space | None = None) -> None:
        """Race it from here on, its next round in this box; the keeper is closed when that ends.

        Where all of it is done, another round begins.
        """
        self._race = race = Race(self.study, dataset, engine, keeper, stay=True)
        race.next_box = box
        if self.study.over:
            race.send(NextRound(box))
        self.data_sha256 = dataset.sha256
        self._keeper = keeper
        self._reader = Reader(self.study, self.title, self._guessing, lock=race.lock)
        self._thread = threading.Thread(
            target=self._main, args=(race, engine, keeper), name="pandatui-race", daemon=True
        )
        self._thread.start()

    def _main(self, race: Race, engine: Engine, keeper: Keeping) -> None:
        try:
            race.run()
        except Exception as error:  # in a thread nobody would see it
            self._failure = f"the race was stopped by an error: {error or type(error).__name__}"
        finally:
            try:
                engine.close(now=True)
            finally:
                keeper.close()

    @property
    def began(self) -> bool:
        """Whether it was raced here, and not only looked at."""
        return self._thread is not None

    @property
    def live(self) -> bool:
        """Whether it can be sent commands."""
        return self._thread is not None and self._thread.is_alive() and not self._failure

    @property
    def problem(self) -> str:
        return self._failure or (self._keeper.problem if self._keeper is not None else "")

    @property
    def held(self) -> bool:
        return self._race is not None and self._race.held

    def send(self, command: RaceCommand) -> None:
        if self._race is not None:
            self._race.send(command)

    def hold(self, on: bool) -> None:
        self.send(Hold(on))

    def read(self) -> RaceView:
        """As it is now. For the screen's thread."""
        race = self._race
        if race is None:
            return self._reader.read()
        minutes = (time.monotonic() - race.progress.began) / 60
        pace = race.progress.ended / minutes if minutes > 0 else 0.0
        return self._reader.read(Clock(self.live, race.held, self.problem, float(round(pace))), race.next_box)

    def close(self) -> bool:
        """Save and end. Returns whether that was done in time."""
        if self._thread is None:
            return True
        self.send(Leave())
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()


def spec_around(
    config: RunConfig, space: Space, *, trials: int, rounds: int, epochs: int, halving: bool
) -> Spec:
    """What to race around a run's settings. Raises ConfigError."""
    known = {field.name for field in fields(RunConfig)}
    run: dict[str, Any] = {name: getattr(config, name) for name in RUN_OPTIONS if name in known}
    options = RunOptions(**(run | {"epochs": epochs}))
    return Spec(run=options, space=space, trials=trials, rounds=rounds, halving=halving, seed=config.seed)
