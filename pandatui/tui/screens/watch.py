"""The watch screen: one model, its cost and its knobs. It holds no truth but how a person wants to look."""

import math
import time
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import HelpPanel

from pandatui.plain import plain
from pandatui.training.events import (
    Command,
    EpochDone,
    Extend,
    Fact,
    Failed,
    GoOn,
    Note,
    Nudge,
    Pause,
    Redo,
    Rescue,
    Rewind,
    Undo,
)
from pandatui.training.knobs import COARSE, KNOBS, LIVE
from pandatui.training.snapshot import Snapshot, View
from pandatui.training.words import knob_value, sentence
from pandatui.tui import wording
from pandatui.tui.charset import to_ascii
from pandatui.tui.charting import SMOOTHING, Look, axis_end
from pandatui.tui.face import Space, face_of
from pandatui.tui.live import Live, Replaying
from pandatui.tui.messages import FactPushed
from pandatui.tui.pace import next_pace
from pandatui.tui.screens.ask import AskScreen, ConfirmScreen, check_steps, knob_check
from pandatui.tui.screens.watch_keys import WATCH_HELP, WATCH_KEYS
from pandatui.tui.throttle import Throttle
from pandatui.tui.viewport import nudge_beyond, within, zoomed
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines

REFRESH = 0.25  # seconds; at full pace every second time, which leaves training its share
MESSAGE_SECONDS = 8


class WatchScreen(Screen[None], inherit_bindings=False):
    """Watches a `Live` run: takes a snapshot a few times a second and shows what changed."""

    class BranchWanted(Message):
        """A person wants to train on from a step as a session of its own."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    CSS_PATH = "watch.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-low"), (28, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = list(WATCH_KEYS)
    HELP = WATCH_HELP

    def __init__(self, live: Live | Replaying, *, ascii_only: bool = False, words: str = "") -> None:
        """`words`: what to say first."""
        super().__init__()
        self.live = live
        self._ascii = ascii_only
        self._look = Look()
        self._coarse = False
        self._picked = "learning_rate"
        self._snapshot: Snapshot | None = None
        self._message: tuple[Content, float] | None = None
        if words:
            self._message = (Content(plain(words, 400)), time.monotonic())
        self._lesson_hidden = False
        self._throttle = Throttle(time.monotonic)
        self._drawn: object = None
        self._timer: Timer | None = None
        self._ticks = 0

    # -- what is shown -----------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Lines(id="status", ascii_only=self._ascii)
        with Horizontal(id="middle"):
            yield CostPlot(id="plot", ascii_only=self._ascii)
            yield Lines(id="knobs", ascii_only=self._ascii)
        yield Lines(id="knob-line", ascii_only=self._ascii)
        yield Lines(id="log", ascii_only=self._ascii)
        yield Lines(id="foot", ascii_only=self._ascii)

    def on_mount(self) -> None:
        if not self.query("#log"):
            return  # the app is leaving already: nothing was composed
        self.set_class(self._ascii, "-ascii")
        self.query_one("#log").border_title = "what happened"
        self.live.driver.subscribe(self._hear)
        self._timer = self.set_interval(REFRESH, self._tick)
        self.call_after_refresh(self.look_again)

    def on_screen_suspend(self) -> None:
        if self._timer is not None:
            self._timer.pause()

    def on_screen_resume(self) -> None:
        if self._timer is not None:
            self._timer.resume()
            self.call_after_refresh(self.look_again)

    def on_resize(self) -> None:
        self.call_after_refresh(self.look_again)

    def _tick(self) -> None:
        self._ticks += 1
        full_pace = self.live.driver.pace is None and self._snapshot is not None and self._snapshot.training
        if not (full_pace and self._ticks % 2):
            self.look_again()

    def look_again(self) -> None:
        """Take a snapshot and show it, unless another screen hides this one."""
        if not self.is_active or self._timer is None:
            return
        plot = self.query_one(CostPlot)
        first, last = self._look.window or (1.0, None)
        try:
            snapshot = self.live.driver.snapshot(View(first, last, 2 * max(1, plot.size.width)), timeout=0.1)
        except TimeoutError:  # a long step
            if self._snapshot is None:
                return
            snapshot = self._snapshot
        self._snapshot = snapshot
        self.set_class(bool(self.query(HelpPanel)), "-helped")
        problem = self.live.recorder.problem
        if (failure := self.live.driver.failure) is not None:
            snapshot, problem = replace(snapshot, status="failed"), sentence(Failed(failure))
        if self._message is not None and time.monotonic() - self._message[1] > MESSAGE_SECONDS:
            self._message = None
        state = (
            snapshot.steps, snapshot.status, snapshot.paused, len(snapshot.events), snapshot.pace,
            snapshot.target_epochs, self._look, self._message, self._coarse, self._picked,
            self._lesson_hidden, problem, self.size, self.query_one("#status").size,
        )  # fmt: skip
        if state == self._drawn:
            return
        self._drawn = state
        self._show(snapshot, problem)

    def _show(self, s: Snapshot, problem: str) -> None:
        log = self.query_one("#log", Lines)
        face = face_of(
            s,
            self.live.about,
            self._look,
            coarse=self._coarse,
            picked=self._picked,
            message=self._message[0] if self._message else None,
            lesson=self.live.lesson and not self._lesson_hidden,
            problem=problem,
            more=self.live.config.epochs,
            space=Space(
                self.query_one("#status").size.width,  # less than the screen's beside the help panel
                log.size.width,
                log.size.height,
                tiny=self.has_class("-slim") or self.has_class("-short"),
                wide=self.has_class("-wide"),
            ),
        )
        plot, knobs = self.query_one(CostPlot), self.query_one("#knobs", Lines)
        self.query_one("#status", Lines).show([face.status])
        plot.show(face.chart)
        self._entitle(plot, face.plot_title, wording.standing(s))
        self._entitle(knobs, wording.notch_title(self._coarse))
        knobs.show(face.knobs)
        self.query_one("#knob-line", Lines).show([face.knob_line])
        log.show(face.log)
        self.query_one("#foot", Lines).show([face.foot])

    def _entitle(self, widget: Widget, title: str, subtitle: str = "") -> None:
        """A panel's head and foot; setting one repaints the widget, so only what is new is set."""
        if self._ascii:
            title, subtitle = to_ascii(title), to_ascii(subtitle)
        if (title, subtitle) != (widget.border_title or "", widget.border_subtitle or ""):
            widget.border_title, widget.border_subtitle = title, subtitle

    def say(self, text: str, style: str = "$accent") -> None:
        """A message in words, at once; it gives way to the next, or goes after a while."""
        self._message = (Content.styled(plain(text, 400), style), time.monotonic())
        self.look_again()

    # -- what the training thread tells ------------------------------------------------------------------

    def _hear(self, fact: Fact) -> None:
        """In the training thread. Epochs end hundreds of times a second at full pace: the timer sees them."""
        if not isinstance(fact, EpochDone):
            self.post_message(FactPushed(fact))

    def on_fact_pushed(self, message: FactPushed) -> None:
        paused = self._snapshot is not None and not self._snapshot.training
        if (said := wording.answer(message.fact, paused)) is not None:
            self.say(*said)
        else:
            self.look_again()

    # -- knobs -------------------------------------------------------------------------------------------

    def action_nudge(self, knob: str, direction: int) -> None:
        self._picked = knob
        if not self._refused(wording.no_more(self._snapshot)) and self._throttle.passes():
            self._send(Nudge(knob, notches=direction * (COARSE if self._coarse else 1)))

    def action_nudge_picked(self, direction: int) -> None:
        self.action_nudge(self._picked, direction)

    def action_pick(self, by: int) -> None:
        usable = [n for n in LIVE if self.live.about.optimizer in KNOBS[n].used_by]
        place = usable.index(self._picked) if self._picked in usable else 0
        self._picked = usable[(place + by) % len(usable)]
        self.say(f"{KNOBS[self._picked].label}: - and + turn it, enter types a value", "")

    def action_coarse(self) -> None:
        self._coarse = not self._coarse
        factor = wording.notch_factor(self._coarse)
        self.say(f"coarse notches: {factor}, five at once" if self._coarse else f"fine notches: {factor}", "")

    def action_enter(self) -> None:
        if self._look.cursor is not None:
            self._ask_rewind(int(self._look.cursor))
        else:
            self.action_type_value()

    def action_type_value(self) -> None:
        if self._refused(wording.no_more(self._snapshot)):
            return
        knob = KNOBS[self._picked]
        low, high = self.live.limits(knob.name)
        initial = knob_value(knob.name, self._snapshot.knobs[knob.name]) if self._snapshot else ""

        def take(text: str | None) -> None:
            if text is not None and text != initial:  # as shown, it is rounded: no reason to set that
                self._send(Nudge(knob.name, to=float(text)))

        title = f"{knob.label} {knob.symbol}".strip()
        self.app.push_screen(AskScreen(f"{title}, to", knob_check(knob.name, low, high), initial), take)

    # -- going back --------------------------------------------------------------------------------------

    def action_undo(self) -> None:
        self._send(Undo())

    def action_redo(self) -> None:
        self._send(Redo())

    def action_rescue(self) -> None:
        self._send(Rescue())

    def action_branch(self) -> None:
        s = self._snapshot
        if s is None:
            return
        step = int(self._here)
        where = "now" if step >= s.steps else f"{wording.distance(s.steps - step, s.steps_per_epoch)} back"

        def take(yes: bool | None) -> None:
            if yes:
                self.post_message(self.BranchWanted(step))

        question = f"Branch at step {step:,}, {where}? This session ends and is saved; the branch trains on."
        self.app.push_screen(ConfirmScreen(question), take)

    def _ask_rewind(self, step: int) -> None:
        s = self._snapshot
        if s is None or step >= s.steps:
            self.say("that is now: there is nothing to go back to", "$warning")
            return

        def take(yes: bool | None) -> None:
            if yes:
                self._look = replace(self._look, cursor=None)
                self._send(Rewind(step))

        back = wording.distance(s.steps - step, s.steps_per_epoch)
        self.app.push_screen(ConfirmScreen(f"Go back {back}, to step {step:,}? U takes it back."), take)

    # -- training ----------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        s = self._snapshot
        if s is None:
            return
        if s.status == "finished":
            self._send(Extend(s.target_epochs + self.live.config.epochs))
        elif not self._refused(wording.no_more(s)):
            self._send(GoOn() if s.paused else Pause())

    def _refused(self, reason: str) -> bool:
        """Whether there is a reason against it; says it."""
        if reason:
            self.say(reason, "$warning")
        return bool(reason)

    def action_one_step(self) -> None:
        training = self._snapshot is not None and self._snapshot.training
        reason = "one step at a time: space pauses first" if training else wording.no_step(self._snapshot)
        if not self._refused(reason):
            self._send(GoOn(1))

    def action_run_steps(self) -> None:
        if self._refused(wording.no_step(self._snapshot)):
            return

        def take(text: str | None) -> None:
            if text is not None:
                self._send(GoOn(int(text)))

        self.app.push_screen(AskScreen("Run how many steps, then pause?", check_steps, "100"), take)

    def action_pace(self, direction: int) -> None:
        driver, s = self.live.driver, self._snapshot
        if s is None:
            return
        pace = next_pace(driver.pace, s.steps_per_second / max(1, s.steps_per_epoch), direction > 0)
        if pace == driver.pace:
            self.say(
                "already as fast as it goes" if pace is None else "already as slow as it goes", "$warning"
            )
            return
        driver.set_pace(pace)
        self.say("as fast as it goes" if pace is None else f"{wording.pace_of(pace)} a second", "")

    # -- the curve ---------------------------------------------------------------------------------------

    @property
    def _here(self) -> float:
        """Where the cursor is: on a step, or with the present."""
        if self._look.cursor is not None:
            return self._look.cursor
        return float(self._snapshot.steps) if self._snapshot is not None else 1.0

    def action_cursor(self, by: int) -> None:
        self._point(self.query_one(CostPlot).beside(self._here, by))

    def action_cursor_nudge(self, by: int) -> None:
        s = self._snapshot
        steps = [g.first_step for g in s.gestures if not g.undone] if s else []
        here = self._here + (self._look.cursor is None)  # the present lies behind a nudge of the next step
        ahead = nudge_beyond(steps, here, by)
        if ahead is None:
            self.say("no nudge further that way" if steps else "no nudges yet", "$warning")
        else:
            self._point(float(ahead))

    def action_cursor_to(self, where: str) -> None:
        self._point(1.0 if where == "start" else math.inf)

    def _point(self, step: float) -> None:
        if self._snapshot is None:
            return
        self._look = replace(self._look, cursor=within(step, self._snapshot.steps))
        self.look_again()
        if self.has_class("-short") or self.has_class("-slim"):
            self.say(self.query_one(CostPlot).reading(self._here), "")

    def action_copy(self) -> None:
        if text := self.query_one(CostPlot).reading(self._here):
            self.app.copy_to_clipboard(text)
            self.say(f"copied: {text}", "")

    def action_log_axis(self) -> None:
        self._look = replace(self._look, log_axis=not self._look.log_axis)
        self.say("log axis" if self._look.log_axis else "linear axis", "")

    def action_smooth(self) -> None:
        after = SMOOTHING[(SMOOTHING.index(self._look.smoothing) + 1) % len(SMOOTHING)]
        self._look = replace(self._look, smoothing=after)
        self.say(f"smoothed over {after} columns" if after else "not smoothed", "")

    def action_zoom(self, closer: bool) -> None:
        self._zoom(self._here, closer)

    def _zoom(self, around: float, closer: bool) -> None:
        chart, s = self.query_one(CostPlot).chart, self._snapshot
        if chart is None or s is None:
            return
        whole = axis_end(s.steps, s.steps_per_epoch, s.target_epochs)
        window = zoomed((chart.first, chart.last), around, closer, whole)
        self._look = replace(self._look, window=window)
        words = "the whole run" if window is None else f"steps {max(1, window[0]):,.0f} to {window[1]:,.0f}"
        self.say(f"showing {words}", "")

    def on_cost_plot_pointed(self, message: CostPlot.Pointed) -> None:
        self._point(message.step)

    def on_cost_plot_zoomed(self, message: CostPlot.Zoomed) -> None:
        self._zoom(message.step, message.closer)

    # -- the session -------------------------------------------------------------------------------------

    def action_note(self) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                self._send(Note(text))

        self.app.push_screen(AskScreen("Note", lambda text: ""), take)

    def action_save(self) -> None:
        self.live.recorder.save()
        self.say(self.live.recorder.problem or f"saving as {self.live.about.name}.json", "")

    def action_help(self) -> None:
        if self.query(HelpPanel):
            self.app.action_hide_help_panel()
        else:
            self.app.action_show_help_panel()

    def close_help(self) -> bool:
        """Close the help panel; returns whether it was open."""
        if self.query(HelpPanel):
            self.app.action_hide_help_panel()
            return True
        return False

    def action_close(self) -> None:
        if self.close_help():
            return
        if self._look.cursor is not None:
            self._look = replace(self._look, cursor=None)
            self.look_again()
        elif self.live.lesson:
            self._lesson_hidden = True
            self.look_again()

    def _send(self, command: Command) -> None:
        if self.live.driver.alive:
            self.live.driver.send(command)
        else:
            self.say("training has ended by an error: q quits", "bold $error")
