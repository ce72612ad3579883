"""A recorded session: its curve, its settings, what happened. No training, no data."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer

from pandatui.plain import plain
from pandatui.sessions import Session, SessionError
from pandatui.sessions.lock import Holder
from pandatui.sessions.replay import RerunError
from pandatui.sessions.store import Stored, look
from pandatui.tui.charting import SMOOTHING, Look, chart_of_session
from pandatui.tui.live import Replaying
from pandatui.tui.messages import GoOnWanted
from pandatui.tui.record_wording import event_lines, settings_lines, summary_line
from pandatui.tui.screens.ask import ConfirmScreen
from pandatui.tui.screens.replay import ReplayScreen
from pandatui.tui.viewport import within
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines

FOLLOW = 1.0  # seconds between looks at a session that another process trains


class RecordScreen(Screen[None], inherit_bindings=False):
    """Shows one session file; what can't be read is said instead."""

    CSS_PATH = "record.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-low"), (28, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "log_axis", "log or linear axis", tooltip="Of the cost", id="record.log"),
        Binding("s", "smooth", "smoothing", tooltip="More, none, some", id="record.smooth"),
        Binding("left", "cursor(-1)", "cursor left", tooltip="Read the curve", id="record.left"),
        Binding("right", "cursor(1)", "cursor right", tooltip="Read the curve", id="record.right"),
        Binding("y", "copy", "copy the reading", tooltip="To the clipboard", id="record.copy"),
        Binding("ctrl+o", "app.sessions", "sessions", tooltip="All recorded ones", id="record.sessions"),
        Binding("ctrl+n", "app.new_run", "new run", tooltip="Begin one", id="record.new"),
        Binding("space", "play", "play it", tooltip="By its own clock", id="record.play"),
        Binding("r", "resume", "go on", tooltip="Train on where it ended", id="record.resume"),
        Binding("f", "branch", "branch", tooltip="From the cursor, as a new session", id="record.branch"),
        Binding("escape", "close", "close", tooltip="Back to where you were", id="record.close"),
        Binding("q", "app.quit", "quit", tooltip="Leave", id="record.quit"),
    ]

    def __init__(self, path: Path, *, ascii_only: bool = False, live: bool = False) -> None:
        super().__init__()
        self._path = path
        self._live = live  # whether something is being trained meanwhile
        self._ascii = ascii_only
        self._look = Look()
        self._session: Session | None = None
        self._holder: Holder | None = None
        self._following: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Lines(id="status", ascii_only=self._ascii)
        yield CostPlot(id="plot", ascii_only=self._ascii)
        with Horizontal(id="below"):
            with VerticalScroll(id="happened"):
                yield Lines(id="events", ascii_only=self._ascii)
            with VerticalScroll(id="made-with"):
                yield Lines(id="settings", ascii_only=self._ascii)
        yield Lines(id="foot", ascii_only=self._ascii)

    def on_mount(self) -> None:
        if not self.query("#foot"):
            return  # the app is leaving already: nothing was composed
        self.query_one("#happened").border_title = "what happened"
        self.query_one("#made-with").border_title = "settings"
        keys = "space plays  r goes on  f branches  ←→ read  ctrl+o list  esc close  q quit"
        self.query_one("#foot", Lines).show([Content(f" {keys}")])
        try:
            stored = look(self._path)
        except SessionError as error:
            self._say(plain(str(error), 500))
            return
        self._show(stored)
        if stored.holder is not None:
            self._following = self.set_interval(FOLLOW, self._follow)

    def _show(self, stored: Stored) -> None:
        if stored.session is None:
            self._say(plain(stored.problem, 500))
            return
        session = self._session = stored.session
        self._holder = stored.holder
        head = summary_line(session)
        if stored.holder is not None:
            words = f" trained by {stored.holder}: watching, keys that train are off ·"
            head = Content.styled(plain(words, 100), "bold $success") + head
        elif stored.edited or stored.status != session.status:
            head = Content.styled(f" {'edited' if stored.edited else stored.status} ", "bold $error") + head
        self.query_one("#status", Lines).show([head])
        self.query_one("#events", Lines).show(event_lines(session) or [Content("no nudges")])
        self.query_one("#settings", Lines).show(settings_lines(session))
        self.call_after_refresh(self._draw)

    @work(thread=True, exclusive=True, group="follow")
    def _follow(self) -> None:
        """Look again at what another process writes, off the screen's thread."""
        try:
            stored = look(self._path)
        except SessionError:  # being replaced just now; the next look will do
            return
        self.app.call_later(self._followed, stored)

    def _followed(self, stored: Stored) -> None:
        if self.is_attached:
            self._show(stored)
            if stored.holder is None and self._following is not None:
                self._following.stop()

    def _say(self, problem: str) -> None:
        self.query_one("#status", Lines).show([Content.styled(f" {problem}", "bold $error")])

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if self._session is not None:
            plot = self.query_one(CostPlot)
            axis = "log axis" if self._look.log_axis else "linear axis"
            plot.border_title = f"cost, nats ({axis})"
            plot.show(chart_of_session(self._session, self._look))

    def action_log_axis(self) -> None:
        self._look = replace(self._look, log_axis=not self._look.log_axis)
        self._draw()

    def action_smooth(self) -> None:
        after = SMOOTHING[(SMOOTHING.index(self._look.smoothing) + 1) % len(SMOOTHING)]
        self._look = replace(self._look, smoothing=after)
        self._draw()

    def action_cursor(self, by: int) -> None:
        if self._session is None:
            return
        self._point(self.query_one(CostPlot).beside(self._here(self._session), by))

    def on_cost_plot_pointed(self, message: CostPlot.Pointed) -> None:
        self._point(message.step)

    def _here(self, session: Session) -> float:
        return self._look.cursor if self._look.cursor is not None else float(session.steps)

    def _point(self, step: float) -> None:
        if self._session is not None:
            self._look = replace(self._look, cursor=within(step, self._session.steps))
            self._draw()

    def action_copy(self) -> None:
        if self._session is not None:
            text = self.query_one(CostPlot).reading(self._here(self._session))
            self.app.copy_to_clipboard(text)
            self.notify(text, title="copied", markup=False)

    def action_resume(self) -> None:
        if self._holder is not None:
            self.notify(f"it is being trained by {self._holder}", severity="warning", markup=False)
        elif self._session is not None:
            self._want(None, "Go on where it ended?")

    def action_branch(self) -> None:
        if self._session is not None:
            step = int(self._look.cursor) if self._look.cursor is not None else self._session.steps
            self._want(step, f"Train on from step {step:,}, as a session of its own?")

    def _want(self, step: int | None, question: str) -> None:
        def take(yes: bool | None) -> None:
            if yes:
                self.post_message(GoOnWanted(self._path, step))

        running = " What is going on now is stopped and saved." if self._live else ""
        self.app.push_screen(ConfirmScreen(question + running), take)

    def action_play(self) -> None:
        self.play(1.0)

    def play(self, speed: float) -> None:
        """Play the session on the watch screen, so many times as fast as it was."""
        if self._session is None:
            return
        try:
            replaying = Replaying.of(self._session, speed)
        except RerunError as error:
            self.notify(plain(str(error), 300), severity="error", markup=False)
            return
        self.app.push_screen(ReplayScreen(replaying, self._path, ascii_only=self._ascii))

    def action_close(self) -> None:
        if self._look.cursor is not None:
            self._look = replace(self._look, cursor=None)
            self._draw()
        elif len(self.app.screen_stack) > 2:
            self.dismiss(None)
