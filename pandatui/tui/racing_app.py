"""What the app does about races: it begins one, goes on with one, adopts a trial, ends with all saved."""

import math
from dataclasses import asdict
from pathlib import Path

from textual import work

from pandatui.data import DataError
from pandatui.plain import plain
from pandatui.search.adopt import adopt
from pandatui.search.engines import Processes, cores
from pandatui.search.keeper import open_study
from pandatui.search.records import restored
from pandatui.search.setup import prepare
from pandatui.search.shelf import look, study_name
from pandatui.search.space import Space
from pandatui.search.spec import Spec
from pandatui.sessions import SessionError, Store
from pandatui.sessions.store import NameRefused
from pandatui.training import ConfigError
from pandatui.training.setup import load_for
from pandatui.training.words import plural
from pandatui.tui.live import pace_for
from pandatui.tui.messages import RaceNotReady, RaceReady, RunNotReady, RunReady, StudyWanted
from pandatui.tui.racing import NICE, Racing
from pandatui.tui.screens.race import RaceScreen
from pandatui.tui.terminal_app import TerminalApp

REFUSALS = (DataError, ConfigError, SessionError, NameRefused, OSError)


class RacingApp(TerminalApp):
    """The part of the app that has a race; one at a time."""

    def __init__(self, folder: Path, *, ascii_only: bool, pace: float | str | None) -> None:
        """`pace`: as asked for, of what is trained on the watch screen."""
        super().__init__()
        self._asked_pace = pace
        self.store = Store(folder)
        self.ascii_only = ascii_only
        self.racing: Racing | None = None
        self.farewell: list[str] = []
        self._race_begins = False

    @property
    def race_goes_on(self) -> bool:
        """Whether a race trains, or is about to."""
        racing = self.racing
        return self._race_begins or (racing is not None and racing.live and not racing.read().over)

    def begin_race(self, spec: Spec, title: str, name: str | None = None, box: Space | None = None) -> None:
        """Race a spec in the background, or go on with the study of that name."""
        if self.race_goes_on:
            self.notify("one race at a time, and one goes on", severity="warning", markup=False)
            return
        self._race_begins = True
        self._prepare_race(spec, title, name, box)

    @work(thread=True, group="race")
    def _prepare_race(self, spec: Spec, title: str, name: str | None, box: Space | None) -> None:
        """Load the data and open the study, off the screen's thread."""
        try:
            ready = prepare(spec)
            opened = open_study(self.store, ready, name)
        except REFUSALS as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            self.post_message(RaceNotReady(plain(reason, 300)))
            return
        self.post_message(RaceReady(opened, ready.dataset, title, box))

    def on_race_ready(self, message: RaceReady) -> None:
        self._race_begins = False
        self.end_race()
        opened, dataset = message.opened, message.dataset
        racing = Racing(opened.study, opened.keeper.path, message.title, math.log(dataset.n_classes))
        racing.begin(dataset, Processes(cores(spare=1), nice=NICE), opened.keeper, message.box)
        self.racing = racing
        for note in opened.notes:
            self.notify(plain(note, 300), markup=False)
        screen = self.screen
        if isinstance(screen, RaceScreen):
            screen.turn_to(racing)
        else:
            total = plural(sum(opened.study.sizes), "trial")
            self.say(f"a race of {total} has begun in the background: C shows it")

    def on_race_not_ready(self, message: RaceNotReady) -> None:
        self._race_begins = False
        self.notify(message.reason, title="no race", severity="error", timeout=12, markup=False)

    def say(self, words: str) -> None:
        """Say something where the person looks."""
        self.notify(words, markup=False)

    def action_race(self) -> None:
        """The race screen, of the race that goes on or went on last."""
        if self.racing is None:
            self.notify("no race yet: c queues a batch, ctrl+o has the studies on record", markup=False)
        elif not isinstance(self.screen, RaceScreen):
            self.push_screen(RaceScreen(self.racing, ascii_only=self.ascii_only))

    def on_study_wanted(self, message: StudyWanted) -> None:
        """Show a study of the folder: the race that goes on, or what is on record."""
        if self.racing is not None and self.racing.path.resolve() == message.path.resolve():
            self.action_race()
            return
        try:
            found = look(message.path)
            assert found.study is not None  # or it would have raised
            study = restored(found.study)
        except (SessionError, OSError) as error:
            self.notify(plain(str(error), 300), severity="error", markup=False)
            return
        title = f"study {plain(study_name(message.path), 60)}"
        racing = Racing(study, message.path, title, math.log(len(found.study.data.classes)))
        racing.data_sha256 = found.study.data.sha256
        self.push_screen(RaceScreen(racing, ascii_only=self.ascii_only))

    def on_race_screen_go_on_wanted(self, message: RaceScreen.GoOnWanted) -> None:
        racing = message.racing
        self.begin_race(racing.study.spec, racing.title, study_name(racing.path), message.box)

    def on_race_screen_adopt_wanted(self, message: RaceScreen.AdoptWanted) -> None:
        number = message.number
        words = f"trial {number} is trained again" if message.end else f"trial {number} is getting ready"
        self.notify(f"{words}, to be the panda", markup=False)
        self._adopt(message.racing, message.number, from_start=not message.end)

    @work(thread=True, exclusive=True, group="load")
    def _adopt(self, racing: Racing, number: int, *, from_start: bool) -> None:
        """Make a session of a trial, off the screen's thread."""
        study = study_name(racing.path)
        try:
            trial = racing.study.trials[number]
            dataset = load_for(asdict(trial.config))
            if dataset.sha256 != racing.data_sha256:
                raise DataError(f"{trial.config.data!r} holds other data than those of the study {study!r}")
            pace = pace_for(trial.config, self._asked_pace)
            adopted = adopt(self.store, study, trial, dataset, from_start=from_start, pace=pace)
        except REFUSALS as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            self.post_message(RunNotReady(plain(reason, 300)))
            return
        where = "start" if from_start else f"end, epoch {trial.epochs}"
        note = f"trial {number} of {study}, adopted from its {where}"
        self.post_message(RunReady(adopted.driver, adopted.recorder, (note, *adopted.notes)))

    def end_race(self) -> None:
        """Save the race that goes on, if any, and note down where it is and how to go on."""
        racing, self.racing = self.racing, None
        if racing is None or not racing.began:
            return
        in_time = racing.close()
        view = racing.read()
        name = study_name(racing.path)
        if racing.problem or not in_time:
            self.farewell.append(f"{racing.problem or 'the race did not end in time'}: {racing.path}")
        else:
            done = f"{view.ended:,} of {plural(view.total, 'trial')}"
            self.farewell.append(f"study saved as {racing.path} ({done})")
        if not view.over:
            self.farewell.append(f"go on with: pandatui batch {name}")
