"""The app: it starts and ends runs, owns themes, keys and signals, and never the numbers."""

import contextlib
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from pandatui.charset import terminal_has_utf8
from pandatui.data import DataError, Dataset
from pandatui.plain import plain
from pandatui.sessions import Recorder, Session, SessionError
from pandatui.sessions.branching import branch
from pandatui.sessions.checkpoints import folder_of
from pandatui.sessions.record import Identity
from pandatui.sessions.replay import RerunError, config_of, data_of, rerun
from pandatui.sessions.resume import Resumed, resume
from pandatui.sessions.seeking import steps_in
from pandatui.sessions.stills import Stills
from pandatui.sessions.store import read
from pandatui.settings import remember_theme
from pandatui.training import ConfigError, Driver, RunConfig
from pandatui.training.events import Failed
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.words import sentence
from pandatui.tui.beside import Habits
from pandatui.tui.beside_app import BesideApp
from pandatui.tui.live import Live, pace_for
from pandatui.tui.messages import GoOnWanted, RunNotReady, RunReady, StillsReady, StillsWanted
from pandatui.tui.racing import Racing
from pandatui.tui.record_wording import standing
from pandatui.tui.screens.new_run import NewRunScreen
from pandatui.tui.screens.record import RecordScreen
from pandatui.tui.screens.sessions import SessionsScreen
from pandatui.tui.screens.watch import WatchScreen
from pandatui.tui.terminal_app import prepare_process
from pandatui.tui.themes import DEFAULT_MUTED, DEFAULT_THEME, THEMES

USAGE, INTERNAL, INTERRUPTED = 2, 70, 130
SECOND_PRESS = 2.0  # seconds within which a second ctrl+c quits


@dataclass(frozen=True, slots=True)
class Start:
    """What the app opens with: a run to begin (its data loaded), or a session to look at."""

    folder: Path
    options: RunOptions
    config: RunConfig | None = None
    dataset: Dataset | None = None
    session_file: Path | None = None
    resumed: Resumed | None = None  # a session to go on with
    speed: float | None = None  # play the session at once, so many times as fast as it was
    name: str | None = None
    pace: float | str | None = None
    theme: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    ascii_only: bool = False
    habits: Habits = Habits()  # noqa: RUF009 (frozen)


class PandaApp(BesideApp):
    """`farewell` is what to say on stderr once the terminal is the person's again."""

    TITLE = "pandatui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", show=False, priority=True, system=True),
        Binding("ctrl+c", "interrupt", "save; twice: quit", show=False, priority=True, id="app.interrupt"),
        Binding("ctrl+z", "suspend_process", "suspend; fg comes back", show=False, id="app.suspend"),
    ]

    def __init__(self, start: Start) -> None:
        super().__init__(
            start.folder, ascii_only=start.ascii_only or not terminal_has_utf8(), pace=start.pace
        )
        self._start = start
        self._interrupted = -SECOND_PRESS
        self._known_theme = ""

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        wanted = self._start.theme or DEFAULT_THEME
        self.theme = wanted if wanted in self.available_themes else DEFAULT_THEME
        self._known_theme = self.theme
        if wanted != self.theme:
            self.notify(
                f"no theme {plain(wanted, 40)!r}; ctrl+p has the list", severity="warning", markup=False
            )
        self.theme_changed_signal.subscribe(self, lambda theme: self._remember(theme.name))
        self.set_keymap(self._start.keys)
        if self._start.session_file is not None:
            record = RecordScreen(self._start.session_file, ascii_only=self.ascii_only)
            self.push_screen(record)
            if self._start.speed is not None:
                self.call_after_refresh(record.play, self._start.speed)
        elif self._start.resumed is not None:
            ready = self._start.resumed
            self.on_run_ready(_going_on(ready))
        elif self._start.config is not None and self._start.dataset is not None:
            self._begin_first(self._start.config, self._start.dataset)

    def _begin_first(self, config: RunConfig, dataset: Dataset) -> None:
        try:
            self.begin(config, dataset, self._start.name, lesson=self._start.options.lesson)
        except FileExistsError:
            self._refuse_start(
                f"session {self._start.name!r} exists in {self.store.folder}: expected a new --name"
            )
        except OSError as error:
            self._refuse_start(f"{self.store.folder}: {error.strerror or error}")

    def _refuse_start(self, reason: str) -> None:
        self.farewell.append(f"pandatui: {reason}")
        self.exit(return_code=USAGE)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"muted": DEFAULT_MUTED}

    # -- runs --------------------------------------------------------------------------------------------

    def begin(self, config: RunConfig, dataset: Dataset, name: str | None, *, lesson: bool) -> None:
        """End what is going on and watch a new run. Raises OSError, and then what was going on still is."""
        live = Live.begin(config, dataset, self.store, name, self._start.pace, lesson)
        self.end_live()
        self._watch(live)

    def _watch(self, live: Live, words: str = "") -> None:
        self.live = live
        sha256 = live.driver.ask(lambda run: run.dataset.sha256).result()

        def race() -> Racing | None:
            """The race that speaks of the same data."""
            racing = self.racing
            return racing if racing is not None and racing.data_sha256 == sha256 else None

        habits = self._start.habits
        if habits.hints and not live.lesson:  # one teacher at a time
            live.beside.give_hints(habits.off)
        watch = WatchScreen(live, ascii_only=self.ascii_only, words=words, race=race, bell=habits.bell)
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(watch)

    def branch(self, step: int) -> None:
        """End and save what is going on; a session that branches from it at `step` trains instead."""
        live = self.live
        if live is None:
            return
        run = live.driver.ask(lambda run: run).result()
        pace, path = live.driver.pace, Path(live.recorder.path)
        session = self.end_live()
        assert session is not None
        parent = branch(run, session, step)
        driver = Driver(run, pace=pace, seconds=session.seconds * step / max(1, session.steps))
        words = f"{session.name} ended at step {session.steps:,} and is saved; this one branches at {step:,}"
        try:
            recorder = Recorder(driver, self.store, Identity.new(self.store.new_name(), parent))
            self._watch(Live.going_on(driver, recorder), words)
        except OSError as error:
            self.push_screen(RecordScreen(path, ascii_only=self.ascii_only))
            self.notify(plain(f"no branch: {error.strerror or error}"), severity="error", markup=False)

    @work(thread=True, exclusive=True, group="load")
    def resume(self, path: Path) -> None:
        """Train a session again, off the screen's thread, and go on with it."""
        try:
            session, _ = read(path)
            pace = pace_for(config_of(session), self._start.pace)
            ready = resume(self.store, path, pace=pace)
        except (SessionError, RerunError, OSError) as error:
            self.post_message(RunNotReady(plain(_words(error), 300)))
            return
        self.post_message(_going_on(ready))

    @work(thread=True, exclusive=True, group="load")
    def branch_from(self, path: Path, step: int) -> None:
        """Train a recorded session again up to a step, off the screen's thread, and branch from it there."""
        try:
            session, whole = read(path)
            trusted = path.resolve().parent == self.store.folder.resolve()
            checkpoints = folder_of(path) if trusted and whole else None
            dataset = data_of(session, None, trusted=trusted)
            run = rerun(session, dataset, until=step, checkpoints=checkpoints)
            parent = branch(run, session, step)
            pace = pace_for(run.config, self._start.pace)
            driver = Driver(run, pace=pace, seconds=session.seconds * step / max(1, session.steps))
            recorder = Recorder(driver, self.store, Identity.new(self.store.new_name(), parent))
        except (SessionError, RerunError, OSError) as error:
            self.post_message(RunNotReady(plain(_words(error), 300)))
            return
        notes = (f"branched from {session.name} at step {step:,}",)
        self.post_message(RunReady(driver, recorder, notes))

    @work(thread=True, exclusive=True, group="stills")
    def find_stills(self, wanted: StillsWanted) -> None:
        """Open a recorded session's data and checkpoints, off the screen's thread, for a replay."""
        path, session = wanted.path, wanted.session
        trusted = path.resolve().parent == self.store.folder.resolve()
        stills, reason = None, "no checkpoints to take them from"
        try:
            if not trusted:
                reason = "checkpoints of a file from elsewhere are not opened"
            elif not read(path)[1]:
                reason = "checkpoints of a file that was edited are not opened"
            elif steps_in(folder_of(path)):
                stills = Stills(session, folder_of(path), data_of(session, None, trusted=trusted))
        except (SessionError, RerunError, ConfigError, OSError) as error:
            reason = plain(str(error), 300)
        wanted.screen.post_message(StillsReady(stills, reason))

    def on_stills_wanted(self, message: StillsWanted) -> None:
        self.find_stills(message)

    def on_watch_screen_batch_wanted(self, message: WatchScreen.BatchWanted) -> None:
        """Race it, or put it into the session's queue: `pandatui batch` runs what is there."""
        live, batch = self.live, message.batch
        if live is None:
            return
        if batch.now and not self.race_goes_on:
            self.say("the race is getting ready")
            self.begin_race(batch.spec, f"race of {live.about.name}")
            return
        live.recorder.queue({"spec": batch.spec.to_plain()})
        why = "a race goes on: " if batch.now else ""
        self.say(f"{why}queued for later, run by pandatui batch {live.about.name}")

    def say(self, words: str) -> None:
        watch = next((each for each in self.screen_stack if isinstance(each, WatchScreen)), None)
        if watch is not None and watch.is_current:
            watch.say(words)
        else:
            super().say(words)

    def on_watch_screen_branch_wanted(self, message: WatchScreen.BranchWanted) -> None:
        self.branch(message.step)

    def on_go_on_wanted(self, message: GoOnWanted) -> None:
        if message.step is None:
            self.resume(message.path)
        else:
            self.branch_from(message.path, message.step)

    def on_run_ready(self, message: RunReady) -> None:
        self.end_live()
        try:
            self._watch(Live.going_on(message.driver, message.recorder), " · ".join(message.notes))
        except OSError as error:
            self.notify(plain(f"not started: {error.strerror or error}"), severity="error", markup=False)

    def on_run_not_ready(self, message: RunNotReady) -> None:
        self.notify(message.reason, title="not started", severity="error", timeout=12, markup=False)

    def end_live(self) -> Session | None:
        """Stop and save the run that is going on, if any, and note down where it is. Returns its record."""
        live, self.live = self.live, None
        if live is None:
            return None
        session = live.end()
        if live.recorder.problem:
            self.farewell.append(f"{live.recorder.problem}: {live.recorder.path}")
        else:
            self.farewell.append(f"saved as {live.recorder.path} ({session.status}, step {session.steps:,})")
            self.farewell.append(f"go on with: pandatui resume {session.name}")
        if live.driver.failure is not None:
            self.farewell.append(sentence(Failed(live.driver.failure)))
        return session

    def action_new_run(self) -> None:
        def take(options: RunOptions | None) -> None:
            if options is not None:
                self._load(options)

        config = self.live.config if self.live is not None else None
        self.push_screen(NewRunScreen(config), take)

    @work(thread=True, exclusive=True, group="load")
    def _load(self, options: RunOptions) -> None:
        """Load the data of a new run off the screen's thread."""
        try:
            config, dataset = prepare(options)
        except (DataError, ConfigError) as error:
            self.post_message(NewRunScreen.Refused(plain(str(error), 300)))
            return
        self.post_message(NewRunScreen.Prepared(config, dataset))

    def on_new_run_screen_prepared(self, message: NewRunScreen.Prepared) -> None:
        try:
            self.begin(message.config, message.dataset, None, lesson=False)
        except OSError as error:
            self.notify(plain(f"not started: {error.strerror or error}"), severity="error", markup=False)

    def on_new_run_screen_refused(self, message: NewRunScreen.Refused) -> None:
        self.notify(message.reason, title="not started", severity="error", timeout=12, markup=False)

    def action_sessions(self) -> None:
        if self.live is not None:
            self.live.recorder.save()  # so that the list shows it as it is now, or nearly
        live = self.live is not None
        self.push_screen(SessionsScreen(self.store, ascii_only=self.ascii_only, live=live))

    # -- the end -----------------------------------------------------------------------------------------

    def finish(self, code: int) -> None:
        """Save and leave with this exit status."""
        failure = self.live.driver.failure if self.live is not None else None
        self.end_live()
        self.end_race()
        if failure is not None:
            code = USAGE if isinstance(failure, DataError) else INTERNAL
        super().finish(code)

    async def action_quit(self) -> None:
        self.finish(0)

    def action_interrupt(self) -> None:
        """Save; a second press within two seconds quits."""
        now = time.monotonic()
        if now - self._interrupted <= SECOND_PRESS:
            self.finish(INTERRUPTED)
            return
        self._interrupted = now
        if self.live is not None:
            self.live.recorder.save()
        self.notify("saved · ctrl+c again within 2 s quits", timeout=SECOND_PRESS, markup=False)

    # -- palette and theme -------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every key of the screen, then themes, keys, quit."""
        seen = set()
        for binding in screen.active_bindings.values():
            b = binding.binding
            if binding.node is screen and b.description and b.id not in seen and binding.enabled:
                seen.add(b.id)
                title = b.description[0].upper() + b.description[1:]
                yield SystemCommand(title, b.tooltip or title, partial(screen.run_action, b.action))
        if isinstance(screen, WatchScreen) and self.live is not None:
            restart = partial(self.branch, 0)
            yield SystemCommand("Restart from step 0", "As a branch; this session ends and is saved", restart)
            gives = self.live.beside.gives_hints
            words = (
                ("Hints off for now", "Until the next run") if gives else ("Hints on", "A line in the log")
            )
            yield SystemCommand(*words, screen.turn_hints)
        yield SystemCommand("Theme", "Dark, light, projector, and Textual's own", self.action_change_theme)
        yield SystemCommand("Keys and help", "Show the help panel", self.action_show_help_panel)
        yield SystemCommand("Quit", "Save and leave", self.action_quit)

    def _remember(self, name: str) -> None:
        if name == self._known_theme:  # the one that it starts with was chosen elsewhere
            return
        self._known_theme = name
        try:
            remember_theme(name)
        except OSError as error:
            self.notify(f"theme not remembered: {error.strerror or error}", severity="warning", markup=False)


def _going_on(ready: Resumed) -> RunReady:
    """With what happened while nobody looked."""
    summary = standing(ready.session, crashed=ready.session.status == "running")
    return RunReady(ready.driver, ready.recorder, (*ready.notes, summary))


def _words(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def run_app(start: Start) -> int:
    """Run the app to its end; whatever ends it, the session is saved. Returns the exit status."""
    prepare_process()
    app = PandaApp(start)
    try:
        app.run()
    finally:
        app.end_live()
        app.end_race()
    crashed = app.return_code == 1
    for line in app.farewell:
        with contextlib.suppress(OSError):  # the terminal has gone
            print(plain(line, 1000), file=sys.stderr, flush=True)
    return INTERNAL if crashed else (app.return_code or 0)
