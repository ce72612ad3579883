"""The race screen: every trial's curve, where the good ones are, a leaderboard, and what mattered.

It holds no truth but how a person wants to look; the race goes on without it.
"""

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import HelpPanel

from pandatui.plain import plain
from pandatui.search.race import NextRound, SetBox, StopRound, StopTrial
from pandatui.search.space import Space
from pandatui.tui import race_wording as wording
from pandatui.tui.board import Sight, chosen_of, followed, in_sight, moved, number_at, place_of
from pandatui.tui.race_map import axes_of, knob_name
from pandatui.tui.race_view import Entry, RaceView
from pandatui.tui.racing import Racing
from pandatui.tui.screens.ask import ConfirmScreen
from pandatui.tui.screens.living import LivingScreen
from pandatui.tui.screens.race_ask import AdoptScreen, BoxScreen
from pandatui.tui.screens.race_keys import RACE_HELP, RACE_KEYS
from pandatui.tui.widgets.lines import Lines
from pandatui.tui.widgets.race_pictures import Leaderboard, TrialCurves, TrialMap
from pandatui.tui.widgets.titles import entitle

REFRESH = 0.25  # seconds
REST = 10  # times as long as drawing took, at least: ten thousand trials leave the time to others
MOST = 5.0  # seconds; what took longer than half a one was a machine that stood
MESSAGE_SECONDS = 8


class RaceScreen(LivingScreen, inherit_bindings=False):
    """Shows a `Racing` study and sends it what the keys ask for."""

    class AdoptWanted(Message):
        """A trial is to become the panda, from its end or from its start."""

        def __init__(self, racing: Racing, number: int, *, end: bool) -> None:
            super().__init__()
            self.racing = racing
            self.number = number
            self.end = end

    class GoOnWanted(Message):
        """A study on record is to be raced on, its next round in this box or the proposed one."""

        def __init__(self, racing: Racing, box: Space | None) -> None:
            super().__init__()
            self.racing = racing
            self.box = box

    CSS_PATH = "race.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-low"), (28, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = list(RACE_KEYS)
    HELP = RACE_HELP

    def __init__(self, racing: Racing, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.racing = racing
        self._ascii = ascii_only
        self._view: RaceView = racing.read()
        self._sight = Sight()
        self._axes = 0
        self._box: Space | None = None  # of the next round of a study that is only on record
        self._said: tuple[Content, float] | None = None
        self._drawn: object = None
        self._rested = 0.0

    def compose(self) -> ComposeResult:
        yield Lines(id="status", ascii_only=self._ascii)
        with Horizontal(id="above"):
            yield TrialCurves(id="curves", ascii_only=self._ascii)
            yield TrialMap(id="map", ascii_only=self._ascii)
        with Horizontal(id="below"):
            yield Leaderboard(id="board", ascii_only=self._ascii)
            yield Lines(id="mattered", ascii_only=self._ascii)
        yield Lines(id="say", ascii_only=self._ascii)
        yield Lines(id="foot", ascii_only=self._ascii)

    def on_mount(self) -> None:
        if not self.query("#foot"):
            return  # the app is leaving already: nothing was composed
        self.set_class(self._ascii, "-ascii")
        self.query_one(Leaderboard).focus()
        self.live_on(REFRESH)

    def tick(self) -> None:
        if time.monotonic() >= self._rested:
            self.look_again()

    # -- what is shown -----------------------------------------------------------------------------------

    def look_again(self) -> None:
        """Read the study and show what has changed, unless another screen hides this one."""
        if not self.shown:
            return
        board = self.query_one(Leaderboard)
        before, view = self._view, self.racing.read()
        if view.version != before.version:
            self._sight = followed(before, view, self._sight, board.rows)
        self._sight = in_sight(view, self._sight, board.rows)
        self._view = view
        self.set_class(bool(self.query(HelpPanel)), "-helped")
        if self._said is not None and time.monotonic() > self._said[1]:
            self._said = None
        looked = (view.version, self._sight, self._axes, self.size, board.size)
        state = (*looked, view.clock, self._said, self._box, self.query_one("#status").size)
        if state == self._drawn:
            return
        self._drawn = state
        began = time.monotonic()
        self._show(view)
        self._rested = time.monotonic() + min(MOST, REST * (time.monotonic() - began))

    def _show(self, view: RaceView) -> None:
        width = self.query_one("#status").size.width
        curves, where = self.query_one(TrialCurves), self.query_one(TrialMap)
        board, mattered = self.query_one(Leaderboard), self.query_one("#mattered", Lines)
        entry = chosen_of(view, self._sight)
        chosen = entry.number if entry is not None else None
        axes = axes_of(view.knobs)[self._axes % len(axes_of(view.knobs))]
        self.query_one("#status", Lines).show([wording.head(view, width)])
        curves.show(view, chosen)
        where.show(view, axes, chosen)
        board.show(view, self._sight)
        mattered.show(wording.mattered(view, mattered.size.width, unicode=not self._ascii))
        across, up = knob_name(axes[0]), knob_name(axes[1]) if axes[1] else "dev cost"
        entitle(
            curves,
            "every trial: dev cost, nats (log axis)",
            "● finished  ○ dropped  ✖ diverged",
            ascii_only=self._ascii,
        )
        entitle(
            where,
            f"where: {across} across, {up} up",
            "the better, the stronger · tab other knobs",
            ascii_only=self._ascii,
        )
        at = f"{place_of(view, self._sight) + 1:,} of {len(view.trials):,}" if view.trials else ""
        entitle(board, "leaderboard", at, ascii_only=self._ascii)
        entitle(mattered, "what mattered", ascii_only=self._ascii)
        self.query_one("#say", Lines).show([self._line(view, entry, width)])
        self.query_one("#foot", Lines).show([wording.foot(view, width)])

    def _line(self, view: RaceView, entry: Entry | None, width: int) -> Content:
        """What was just said, else what to do now, else the trial under the cursor."""
        if self._said is not None:
            return Content(" ") + self._said[0]
        words, style = wording.advice(view)
        if not words and entry is not None:
            words, style = wording.entry_words(entry, view.knobs), "$muted"
        return Content.assemble(" ", (words, style))

    def say(self, text: str, style: str = "$accent") -> None:
        """A message in words, at once; it gives way to the next, or goes after a while."""
        self._said = Content.styled(plain(text, 400), style), time.monotonic() + MESSAGE_SECONDS
        self.look_again()

    def turn_to(self, racing: Racing) -> None:
        """Show this one from now on: the same study, which goes on."""
        self.racing = racing
        self._box = None
        self.say("the race goes on")

    # -- looking -----------------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        self._said = None
        self._sight = moved(self._view, self._sight, by, self.query_one(Leaderboard).rows)
        self.look_again()

    def action_cursor(self, by: int) -> None:
        self._move(by)

    def action_page(self, by: int) -> None:
        self._move(by * max(1, self.query_one(Leaderboard).rows - 1))

    def action_best(self) -> None:
        self._sight = Sight()
        self.say("the cursor is on the best, whichever that is", "")

    def action_last(self) -> None:
        self._move(len(self._view.trials))

    def on_leaderboard_moved(self, message: Leaderboard.Moved) -> None:
        self._move(message.by)

    def on_leaderboard_pointed(self, message: Leaderboard.Pointed) -> None:
        place = self._sight.top + message.row
        if place < len(self._view.trials):
            self._sight = Sight(number_at(self._view, place), self._sight.top)
            self.look_again()

    def action_axes(self, by: int) -> None:
        pairs = axes_of(self._view.knobs)
        self._axes = (self._axes + by) % len(pairs)
        self.look_again()

    # -- the race ----------------------------------------------------------------------------------------

    def _refused(self, reason: str) -> bool:
        """Whether there is a reason against it; says it."""
        if reason:
            self.say(reason, "$warning")
        return bool(reason)

    def _no_race(self) -> str:
        """Why nothing can be stopped or paused, or an empty string."""
        if not self._view.clock.live:
            return "this study is on record, nothing of it trains: ctrl+r goes on"
        return "" if self._view.standing else "nothing trains just now: ctrl+r begins the next round"

    def action_pause(self) -> None:
        if not self._refused(self._no_race()):
            self.racing.hold(not self._view.clock.held)
            self.say(
                "going on" if self._view.clock.held else "paused: what is out comes in, nothing goes out"
            )

    def action_stop_trial(self) -> None:
        entry = chosen_of(self._view, self._sight)
        if self._refused(self._no_race()) or entry is None:
            return
        if not entry.stands:
            self.say(f"trial {entry.number} has ended already", "$warning")
            return
        self._sight = Sight(entry.number, self._sight.top)
        self.racing.send(StopTrial(entry.number))
        self.say(f"trial {entry.number} is stopped; it keeps what it has come to")

    def action_stop_round(self) -> None:
        if self._refused(self._no_race()):
            return

        def take(yes: bool | None) -> None:
            if yes:
                self.racing.send(StopRound())
                self.say("the round is stopped: ctrl+r begins the next")

        standing, number = self._view.standing, len(self._view.boxes)
        self.app.push_screen(ConfirmScreen(f"Stop round {number}, of which {standing:,} still train?"), take)

    def action_next_round(self) -> None:
        view = self._view
        if not view.clock.live:
            self.post_message(self.GoOnWanted(self.racing, self._box))
            return
        if not view.standing:
            self._begin_round()
            return

        def take(yes: bool | None) -> None:
            if yes:
                self._begin_round()

        number = len(view.boxes)
        question = (
            f"Round {number} has {view.standing:,} trials to go. Stop them and begin round {number + 1}?"
        )
        self.app.push_screen(ConfirmScreen(question), take)

    def _begin_round(self) -> None:
        self.racing.send(NextRound())
        self.say(f"round {len(self._view.boxes) + 1} begins in the dashed box")

    def action_edit_box(self) -> None:
        view = self._view
        box = self._box or view.proposed
        if box is None:
            self.say("this study samples nothing: there is no box to edit", "$warning")
            return

        def take(edited: Space | None) -> None:
            if edited is None:
                return
            if self._view.clock.live:
                self.racing.send(SetBox(edited))
            else:
                self._box = edited
            self.say(f"round {len(self._view.boxes) + 1} will look in this box")

        number = len(view.boxes) + 1
        self.app.push_screen(BoxScreen(number, box, view.space, self.racing.study.base), take)

    def action_adopt(self) -> None:
        entry = chosen_of(self._view, self._sight)
        if entry is None:
            self.say("no trial yet", "$warning")
            return

        def take(end: bool | None) -> None:
            if end is not None:
                self.post_message(self.AdoptWanted(self.racing, entry.number, end=end))

        self.app.push_screen(AdoptScreen(entry), take)

    # -- help and back -----------------------------------------------------------------------------------

    def action_help(self) -> None:
        if not self._close_help():
            self.app.action_show_help_panel()

    def _close_help(self) -> bool:
        if self.query(HelpPanel):
            self.app.action_hide_help_panel()
            return True
        return False

    def action_close(self) -> None:
        if not self._close_help() and len(self.app.screen_stack) > 2:
            self.dismiss(None)
