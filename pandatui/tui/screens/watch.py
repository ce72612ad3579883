"""The watch screen: one model, its cost and its knobs. It holds no truth but how a person wants to look."""

import time
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen

from pandatui.training.config import ConfigError, check_knob
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
    Recorded,
    Refused,
    WorseThanGuessing,
)
from pandatui.training.knobs import COARSE, KNOBS, LIVE
from pandatui.training.snapshot import Snapshot, View
from pandatui.training.words import knob_value, number, sentence
from pandatui.tui import wording
from pandatui.tui.charset import to_ascii
from pandatui.tui.charting import SMOOTHING, Look, chart_of
from pandatui.tui.lesson import lesson_line
from pandatui.tui.live import Live
from pandatui.tui.messages import FactPushed
from pandatui.tui.plotting import reading_text
from pandatui.tui.screens.ask import AskScreen
from pandatui.tui.screens.watch_keys import WATCH_KEYS
from pandatui.tui.throttle import Throttle
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines

REFRESH = 0.25  # seconds; at full pace every second time, which leaves training its share
MESSAGE_SECONDS = 8
SLOWEST, FASTEST = 1 / 64, 64  # epochs a second; faster than that is "as fast as it goes"


class WatchScreen(Screen[None]):
    """Watches a `Live` run: takes a snapshot a few times a second and shows what changed."""

    CSS_PATH = "watch.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-low"), (28, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = list(WATCH_KEYS)
    HELP = """
# Watching a model learn

The blue line is the **train** cost, its shade the spread of single mini-batches; ● is the **dev** cost after
each epoch. The dotted line is what **guessing** would cost. Lower is better.

Lower case lowers, upper case raises: `a` `A` the learning rate, `b` `B` momentum, `d` `D` decay.
Each press is in use from the very next mini-batch and is marked on the curve.
"""

    def __init__(self, live: Live, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.live = live
        self._ascii = ascii_only
        self._look = Look()
        self._coarse = False
        self._picked = "learning_rate"
        self._snapshot: Snapshot | None = None
        self._message: tuple[Content, float] | None = None
        self._lesson_hidden = False
        self._throttle = Throttle(time.monotonic)
        self._drawn: object = None
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
        self.set_class(self._ascii, "-ascii")
        self.query_one("#log").border_title = "what happened"
        self.live.driver.subscribe(self._hear)
        self._timer = self.set_interval(REFRESH, self._tick)
        self.call_after_refresh(self.look_again)

    def on_screen_suspend(self) -> None:
        self._timer.pause()

    def on_screen_resume(self) -> None:
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
        """Take a snapshot and show it."""
        plot = self.query_one(CostPlot)
        first, last = self._look.window or (1.0, None)
        try:
            snapshot = self.live.driver.snapshot(View(first, last, 2 * max(1, plot.size.width)), timeout=0.1)
        except TimeoutError:  # a long step; the next tick will do
            return
        self._snapshot = snapshot
        problem = self.live.recorder.problem
        if self.live.driver.failure is not None:
            problem = "training stopped by an error"
        if self._message is not None and time.monotonic() - self._message[1] > MESSAGE_SECONDS:
            self._message = None
        state = (
            snapshot.steps, snapshot.status, snapshot.paused, len(snapshot.events), snapshot.pace,
            snapshot.target_epochs, self._look, self._message, self._coarse, self._picked,
            self._lesson_hidden, problem, self.size,
        )  # fmt: skip
        if state == self._drawn:
            return
        self._drawn = state
        self._show(snapshot, problem)

    def _show(self, s: Snapshot, problem: str) -> None:
        about, width = self.live.about, self.size.width
        plot = self.query_one(CostPlot)
        tiny = self.has_class("-slim") or self.has_class("-short")
        status = wording.status_line(s, about, width, problem)
        if tiny and self._message is not None:
            status = Content(" ") + self._message[0]
        self.query_one("#status", Lines).show([status])
        chart = chart_of(s, self._look)
        plot.show(chart)
        axis = "log axis" if self._look.log_axis else "linear axis"
        zoomed = " · zoomed, Z shows all" if self._look.window else ""
        plot.border_title = self._title(f"cost, nats ({axis}){zoomed}")
        plot.border_subtitle = self._title(wording.best_words(s))
        knobs = self.query_one("#knobs", Lines)
        knobs.border_title = self._title(wording.notch_title(self._coarse))
        used = [name for name in LIVE if about.optimizer in KNOBS[name].used_by]
        knobs.show(wording.knob_rows(s, about, self._picked, used))
        self.query_one("#knob-line", Lines).show([wording.knob_line(s, self._picked, self._coarse, width)])
        self._show_log(s)
        self.query_one("#foot", Lines).show([wording.foot(s, width)])

    def _title(self, text: str) -> str:
        return to_ascii(text) if self._ascii else text

    def _show_log(self, s: Snapshot) -> None:
        log = self.query_one("#log", Lines)
        room = max(1, log.size.height)
        lines: list[Content] = []
        if (headline := wording.headline(s)) is not None:
            lines.append(headline)
        elif self._message is not None:
            lines.append(self._message[0])
        lesson = self._lesson_content(s)
        lines += wording.happenings(s, wording.EpochOf(s), room - len(lines) - (lesson is not None))
        if lesson is not None:
            lines += [Content("")] * (room - 1 - len(lines)) + [lesson]
        log.show(lines[:room])

    def _lesson_content(self, s: Snapshot) -> Content | None:
        if not self.live.lesson or self._lesson_hidden or s.status == "diverged":
            return None
        words = lesson_line(s)
        if not self.has_class("-wide"):
            return Content.styled(words, "$secondary")
        return Content.assemble(("lesson  ", "bold $secondary"), words, ("   esc hides this", wording.MUTED))

    def say(self, text: str, style: str = "$accent") -> None:
        """A message in words, at once; it gives way to the next, or goes after a while."""
        self._message = (Content.styled(text, style), time.monotonic())
        self.look_again()

    # -- what the training thread tells ------------------------------------------------------------------

    def _hear(self, fact: Fact) -> None:
        """In the training thread. Epochs end hundreds of times a second at full pace: the timer sees them."""
        if not isinstance(fact, EpochDone):
            self.post_message(FactPushed(fact))

    def on_fact_pushed(self, message: FactPushed) -> None:
        fact: Fact = message.fact
        paused = self._snapshot is not None and not self._snapshot.training
        match fact:
            case Recorded(event) if event.kind == "pause":
                self.say(f"{sentence(fact)} · . takes one step, r runs some, space goes on", "$warning")
            case Recorded():
                self.say(sentence(fact, paused=paused))
            case Refused():
                self.say(sentence(fact), "$warning")
            case WorseThanGuessing():
                self.say(f"{sentence(fact)} · a lowers the rate", "bold $warning")
            case Failed():
                self.say(f"{sentence(fact)} · what there is will be saved · q quits", "bold $error")
            case _:
                self.look_again()

    # -- knobs -------------------------------------------------------------------------------------------

    def action_nudge(self, knob: str, direction: int) -> None:
        self._picked = knob
        if self._throttle.passes():
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
        self.say("coarse notches: five at once" if self._coarse else "fine notches", "")

    def action_type_value(self) -> None:
        knob = KNOBS[self._picked]
        low, high = self.live.limits(knob.name)
        initial = knob_value(knob.name, self._snapshot.knobs[knob.name]) if self._snapshot else ""

        def check(text: str) -> str:
            try:
                check_knob(knob.name, float(text), low=low, high=high)
            except ConfigError as error:
                return str(error)
            except ValueError:
                return f"expected a number, {knob.expectation(low, high)}"
            return ""

        def take(text: str | None) -> None:
            if text is not None:
                self._send(Nudge(knob.name, to=float(text)))

        self.app.push_screen(AskScreen(f"{knob.label} {knob.symbol}, to", check, initial), take)

    # -- training ----------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        s = self._snapshot
        if s is None:
            return
        if s.status == "finished":
            self._send(Extend(s.target_epochs + self.live.config.epochs))
        elif s.status == "diverged":
            self.say("it has diverged: ctrl+n starts a new run", "$warning")
        else:
            self._send(GoOn() if s.paused else Pause())

    def action_one_step(self) -> None:
        if self._snapshot is not None and self._snapshot.training:
            self.say("one step at a time: space pauses first", "$warning")
        else:
            self._send(GoOn(1))

    def action_run_steps(self) -> None:
        def check(text: str) -> str:
            return "" if text.isdecimal() and int(text[:12]) > 0 else "expected a whole number of steps"

        def take(text: str | None) -> None:
            if text is not None:
                self._send(GoOn(int(text[:12])))

        self.app.push_screen(AskScreen("Run how many steps, then pause?", check, "100"), take)

    def action_pace(self, direction: int) -> None:
        driver, s = self.live.driver, self._snapshot
        if s is None:
            return
        if driver.pace is None:
            if direction > 0:
                self.say("already as fast as it goes", "$warning")
                return
            measured = s.steps_per_second / max(1, s.steps_per_epoch)
            pace: float | None = min(FASTEST, max(1.0, 2.0 ** int(max(measured, 1)).bit_length() / 4))
        else:
            pace = driver.pace * (2 if direction > 0 else 0.5)
            pace = None if pace > FASTEST else max(SLOWEST, pace)
        driver.set_pace(pace)
        self.say("as fast as it goes" if pace is None else f"{number(pace)} epochs a second", "")

    # -- the curve ---------------------------------------------------------------------------------------

    def action_cursor(self, by: int) -> None:
        plot, s = self.query_one(CostPlot), self._snapshot
        if s is None or not s.steps:
            return
        here = self._look.cursor if self._look.cursor is not None else float(s.steps)
        column = plot.column_of(here)
        step = plot.step_at(column + by) if column is not None else here
        self._point(step if step is not None else here)

    def action_cursor_nudge(self, by: int) -> None:
        s = self._snapshot
        steps = sorted({g.first_step for g in s.gestures if not g.undone}) if s else []
        here = self._look.cursor if self._look.cursor is not None else float(s.steps + 1 if s else 0)
        ahead = [n for n in steps if n > here + 0.5] if by > 0 else [n for n in steps if n < here - 0.5][::-1]
        if ahead:
            self._point(float(ahead[0]))
        else:
            self.say("no nudge further that way" if steps else "no nudges yet", "$warning")

    def action_cursor_to(self, where: str) -> None:
        if self._snapshot is not None:
            self._point(1.0 if where == "start" else float(self._snapshot.steps))

    def _point(self, step: float) -> None:
        last = float(self._snapshot.steps) if self._snapshot else step
        self._look = replace(self._look, cursor=min(max(1.0, step), max(1.0, last)))
        self.look_again()
        if self.has_class("-short") or self.has_class("-slim"):
            self.action_read()

    def action_read(self) -> None:
        self.say(self._reading(), "")

    def _reading(self) -> str:
        chart, s = self.query_one(CostPlot).chart, self._snapshot
        if chart is None or s is None:
            return ""
        step = self._look.cursor if self._look.cursor is not None else float(s.steps)
        return reading_text(chart, step)

    def action_copy(self) -> None:
        if text := self._reading():
            self.app.copy_to_clipboard(text)
            self.say(f"copied: {text}", "")

    def action_log_axis(self) -> None:
        self._look = replace(self._look, log_axis=not self._look.log_axis)
        self.look_again()

    def action_smooth(self) -> None:
        after = SMOOTHING[(SMOOTHING.index(self._look.smoothing) + 1) % len(SMOOTHING)]
        self._look = replace(self._look, smoothing=after)
        self.say(f"smoothed over {after} columns" if after else "not smoothed", "")

    def action_zoom(self, closer: bool) -> None:
        s = self._snapshot
        if s is not None:
            self._zoom(self._look.cursor if self._look.cursor is not None else float(s.steps), closer)

    def _zoom(self, around: float, closer: bool) -> None:
        chart, s = self.query_one(CostPlot).chart, self._snapshot
        if chart is None or s is None:
            return
        factor = 0.5 if closer else 2.0
        share = (around - chart.first) / max(1.0, chart.last - chart.first)
        span = max(10.0, (chart.last - chart.first) * factor)
        first = max(0.0, around - share * span)
        whole = chart_of(s, replace(self._look, window=None)).last
        window = None if not closer and span >= whole else (first, first + span)
        self._look = replace(self._look, window=window)
        self.look_again()

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
        if self.app.screen.query("HelpPanel"):
            self.app.action_hide_help_panel()
        else:
            self.app.action_show_help_panel()

    def action_close(self) -> None:
        if self.app.screen.query("HelpPanel"):
            self.app.action_hide_help_panel()
        elif self._look.cursor is not None:
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
