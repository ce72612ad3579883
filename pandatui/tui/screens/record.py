"""A recorded session: its curve, its settings, what happened. No training, no data."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer

from pandatui.plain import plain
from pandatui.sessions import Session, SessionError
from pandatui.sessions.lock import Holder
from pandatui.sessions.replay import RerunError, events_of
from pandatui.sessions.store import Stored, look
from pandatui.training.events import gestures
from pandatui.tui.charting import chart_of_session, whole_of
from pandatui.tui.foot import keys_line
from pandatui.tui.live import Replaying
from pandatui.tui.messages import CompareWanted, GoOnWanted
from pandatui.tui.record_wording import happened_lines, settings_lines, summary_line
from pandatui.tui.screens.ask import ConfirmScreen
from pandatui.tui.screens.looking import LookingScreen
from pandatui.tui.screens.replay import ReplayScreen
from pandatui.tui.screens.watch_keys import PACE, shared_keys
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines

FOLLOW = 1.0  # seconds between looks at a session that another process trains
_SHARED = {
    "left", "right", "nudge-left", "nudge-right", "home", "end", "view-compare",
    "log", "smooth", "zoom-in", "zoom-out", "copy", "help", "new", "sessions", "close", "quit",
}  # fmt: skip


class RecordScreen(LookingScreen, inherit_bindings=False):
    """Shows one session file; what can't be read is said instead."""

    CSS_PATH = "record.tcss"
    HELP = """
# A recorded session

Nothing is trained here. `space` plays it by its own clock, `r` goes on where it ended, `f` branches: from the
cursor, or from the end. The arrow keys read the curve, with `shift` from nudge to nudge.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "play it", tooltip="By its own clock", group=PACE, id="record.play"),
        Binding("r", "resume", "go on", tooltip="Train on where it ended", group=PACE, id="record.resume"),
        Binding("f", "branch", "branch", tooltip="At the cursor or the end", group=PACE, id="record.branch"),
        *shared_keys(_SHARED),
    ]

    def __init__(self, path: Path, *, ascii_only: bool = False, live: bool = False) -> None:
        super().__init__()
        self._path = path
        self._live = live  # whether something is being trained meanwhile
        self._ascii = ascii_only
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
        try:
            stored = look(self._path)
        except SessionError as error:
            self._say(plain(str(error), 500))
            self.look_again()
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
        crashed = stored.status == "crashed"
        status, style = stored.status, "bold $error" if crashed else ""
        if stored.holder is not None:
            status, style = "● watching", "bold $success"
        edited = Content.styled("edited ", "bold $error") if stored.edited else ""
        head = Content.assemble(" ", edited, summary_line(session, status, style))
        self.query_one("#status", Lines).show([head])
        self.query_one("#events", Lines).show(happened_lines(session, stored.holder, crashed=crashed))
        self.query_one("#settings", Lines).show(settings_lines(session))
        self.call_after_refresh(self.look_again)

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
        self.call_after_refresh(self.look_again)

    # -- the curve ---------------------------------------------------------------------------------------

    @property
    def curve_end(self) -> int | None:
        return self._session.steps if self._session is not None else None

    @property
    def nudge_steps(self) -> list[int]:
        events = events_of(self._session) if self._session is not None else []
        return [g.first_step for g in gestures(events) if not g.undone]

    @property
    def axis_end(self) -> float:
        return whole_of(self._session) if self._session is not None else 1.0

    def look_again(self) -> None:
        """Draw the curve, and the keys that can be used now."""
        if not self.is_attached:
            return
        if self._session is not None:
            plot = self.query_one(CostPlot)
            zoomed = " · zoomed, Z shows all" if self._look.window else ""
            plot.border_title = f"cost, nats ({'log' if self._look.log_axis else 'linear'} axis){zoomed}"
            plot.show(chart_of_session(self._session, self._look))
        self.query_one("#foot", Lines).show([keys_line(self._keys(), self.size.width)])

    def say(self, text: str, style: str = "$accent") -> None:
        self.notify(
            plain(text, 400), severity="warning" if style == "$warning" else "information", markup=False
        )

    def _keys(self) -> list[tuple[str, str]]:
        keys, at_cursor = [], self._look.cursor is not None
        if self._session is not None:
            keys = [("space", "play")]
            if self._holder is None:
                keys += [("r", "go on"), ("f", "branch there" if at_cursor else "branch")]
            keys += [("←→", "read")]
        keys += [("ctrl+o", "sessions")]
        if at_cursor or self._below:
            keys += [("esc", "to the end" if at_cursor else "close")]
        return [*keys, ("?", "help"), ("q", "quit")]

    @property
    def _below(self) -> bool:
        """Whether there is a screen to go back to."""
        return len(self.app.screen_stack) > 2

    # -- going on ----------------------------------------------------------------------------------------

    def _trained_elsewhere(self) -> bool:
        """Whether another trains it, which is said then."""
        if self._holder is not None:
            self.say(f"it is being trained by {self._holder}", "$warning")
        return self._holder is not None

    def action_resume(self) -> None:
        if self._session is not None and not self._trained_elsewhere():
            self._want(None, "Go on where it ended?")

    def action_branch(self) -> None:
        if self._session is not None and not self._trained_elsewhere():
            step = int(self.here)
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

    def action_compare(self) -> None:
        session = self._session
        if session is not None:
            self.post_message(CompareWanted(lambda: session))

    def action_close(self) -> None:
        if not self.close_help() and not self.lift_cursor() and self._below:
            self.dismiss(None)
