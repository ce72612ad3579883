"""A run on the screen, live or recorded: a snapshot a few times a second, and what changed is shown.

It holds no truth but how a person wants to look, what is in hand, and what was said last.
"""

import time
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import HelpPanel

from pandatui.plain import plain
from pandatui.training.events import JUMPS, EpochDone, Fact, Failed, Recorded
from pandatui.training.snapshot import Snapshot, View
from pandatui.training.words import sentence
from pandatui.tui import knob_wording, wording
from pandatui.tui.charting import axis_end
from pandatui.tui.company import gone_words
from pandatui.tui.face import Aside, Hand, Said, Space, face_of
from pandatui.tui.foot import inside_foot
from pandatui.tui.inside.layers import LayersView
from pandatui.tui.inside.predictions import PredictionsView
from pandatui.tui.inside.shift import ShiftView
from pandatui.tui.inside.view import InsideView
from pandatui.tui.live import Live, Replaying
from pandatui.tui.messages import FactPushed
from pandatui.tui.screens.living import LivingScreen
from pandatui.tui.screens.looking import LookingScreen
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines
from pandatui.tui.widgets.titles import entitle

REFRESH = 0.25  # seconds; at full pace every second time, which leaves training its share
MESSAGE_SECONDS = 8
PATIENCE = 0.1  # seconds for a look at the run: in a longer step the last one stays
FIRST_SECONDS = 60  # what is said on opening may be long, and nobody may be looking yet


class RunScreen(LivingScreen, LookingScreen, inherit_bindings=False):
    """Shows a `Live` or `Replaying` run; the keys are its children's."""

    CSS_PATH = "run.tcss"

    def __init__(self, live: Live | Replaying, *, ascii_only: bool = False, words: str = "") -> None:
        """`words`: what to say first."""
        super().__init__()
        self.live = live
        self._ascii = ascii_only
        self._hand = Hand(lesson=live.lesson)
        self._snapshot: Snapshot | None = None
        self._said: Said | None = None
        if words:
            self._said = Said(Content(plain(words, 400)), time.monotonic() + FIRST_SECONDS)
        self._aside = Aside()
        self._drawn: object = None
        self._ticks = 0
        self._view = 1

    def compose(self) -> ComposeResult:
        companions = self.live.driver.companions if isinstance(self.live, Live) else None
        yield Lines(id="status", ascii_only=self._ascii)
        with Horizontal(id="middle"):
            yield CostPlot(id="plot", ascii_only=self._ascii)
            yield LayersView(id="view-2", classes="inside", ascii_only=self._ascii)
            yield ShiftView(companions, id="view-3", classes="inside", ascii_only=self._ascii)
            yield PredictionsView(id="view-4", classes="inside", ascii_only=self._ascii)
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
        self.live_on(REFRESH)

    def tick(self) -> None:
        self._ticks += 1
        full_pace = self.live.driver.pace is None and self._snapshot is not None and self._snapshot.training
        if not (full_pace and self._ticks % 2):
            self.look_again()

    # -- what is shown -----------------------------------------------------------------------------------

    def look_again(self) -> None:
        """Take a snapshot and show it, unless another screen hides this one."""
        if not self.shown:
            return
        plot = self.query_one(CostPlot)
        first, last = self._look.window or (1.0, None)
        width = max(1, plot.size.width or self.size.width)  # hidden by a view it has none
        try:
            snapshot = self.live.driver.snapshot(View(first, last, 2 * width), timeout=PATIENCE)
        except TimeoutError:  # a long step
            if self._snapshot is None:
                return
            snapshot = self._snapshot
        problem, on_disk = self.live.recorder.problem, self.live.recorder.events_on_disk
        if (failure := self.live.driver.failure) is not None:
            snapshot, problem = replace(snapshot, status="failed"), sentence(Failed(failure))
        self._snapshot = snapshot
        self._aside = self.aside(snapshot)
        self.set_class(bool(self.query(HelpPanel)), "-helped")
        if self._said is not None and time.monotonic() > self._said.until:
            self._said = None
        state = (
            snapshot.steps, snapshot.status, snapshot.paused, len(snapshot.events), snapshot.pace,
            snapshot.target_epochs, self._look, self._said, self._hand, self._aside, self._view, self._keys,
            [(each.kind, each.steps_done, each.asked) for each in snapshot.companions],
            problem, min(on_disk, len(snapshot.events)), self.size, self.query_one("#status").size, plot.size,
        )  # fmt: skip
        if state != self._drawn:
            self._drawn = state
            self._show(snapshot, problem, on_disk)
        self._look_inside(snapshot)

    def aside(self, s: Snapshot) -> Aside:
        """What goes on besides."""
        return Aside()

    def _show(self, s: Snapshot, problem: str, on_disk: int) -> None:
        log = self.query_one("#log", Lines)
        face = face_of(
            s,
            self.live.about,
            self._look,
            self._hand,
            said=self._said,
            on_disk=on_disk,
            problem=problem,
            more=self.live.config.epochs,
            space=Space(
                self.query_one("#status").size.width,  # less than the screen's beside the help panel
                log.size.width,
                log.size.height,
                tiny=self.has_class("-slim") or self.has_class("-short"),
                wide=self.has_class("-wide"),
            ),
            aside=self._aside,
        )
        plot, knobs = self.query_one(CostPlot), self.query_one("#knobs", Lines)
        self.query_one("#status", Lines).show([face.status])
        plot.show(face.chart)
        entitle(plot, face.plot_title, face.plot_foot, ascii_only=self._ascii)
        entitle(knobs, knob_wording.notch_title(s, self._hand.coarse), ascii_only=self._ascii)
        knobs.show(face.knobs)
        self.query_one("#knob-line", Lines).show([face.knob_line])
        log.show(face.log)
        inside = inside_foot(s, self._keys, self.size.width) if self._view != 1 else face.foot
        self.query_one("#foot", Lines).show([inside])

    # -- views -------------------------------------------------------------------------------------------

    def action_view(self, number: int) -> None:
        """The curve, or one of the views into the network in its place."""
        self._view = number
        self.set_class(number != 1, "-inside")
        for view in self.query(InsideView):
            view.display = view.id == f"view-{number}"
        self.query_one(CostPlot).display = number == 1
        self.call_after_refresh(self.look_again)

    def action_turn(self, by: int) -> None:
        if (view := self._inside) is not None and (words := view.turn(by)):
            self.say(words, "")

    @property
    def _inside(self) -> InsideView | None:
        return next((view for view in self.query(InsideView) if view.display), None)

    @property
    def _keys(self) -> tuple[tuple[str, str], ...]:
        """Those of the view in place of the curve."""
        return view.keys if (view := self._inside) is not None else ()

    def _look_inside(self, s: Snapshot) -> None:
        """Let the view in place of the curve ask for what it shows; hidden ones do not."""
        view = self._inside
        if view is not None and view.size.width:
            self.ask_for(view, s)
            entitle(view, view.TITLE, view.note, ascii_only=self._ascii)

    def ask_for(self, view: InsideView, s: Snapshot) -> None:
        """Let a view ask the run, or what there is in its place."""
        raise NotImplementedError

    def say(self, text: str, style: str = "$accent", event: int = 0) -> None:
        """A message in words, at once; it gives way to the next, or goes after a while.

        One about an event is marked while that is on no disk.
        """
        self._said = Said(Content.styled(plain(text, 400), style), time.monotonic() + MESSAGE_SECONDS, event)
        self.look_again()

    # -- what the training thread tells ------------------------------------------------------------------

    def _hear(self, fact: Fact) -> None:
        """In the training thread. Epochs end hundreds of times a second at full pace: the timer sees them."""
        if not isinstance(fact, EpochDone):
            self.post_message(FactPushed(fact))

    def on_fact_pushed(self, message: FactPushed) -> None:
        fact = message.fact
        paused = self._snapshot is not None and not self._snapshot.training
        if (said := wording.answer(fact, paused)) is not None:
            words, style = said
            if isinstance(fact, Recorded) and fact.event.kind in JUMPS and self._snapshot is not None:
                words += gone_words(self._snapshot)
            self.say(words, style, event=fact.event.id if isinstance(fact, Recorded) else 0)
        else:
            self.look_again()

    # -- the curve ---------------------------------------------------------------------------------------

    @property
    def curve_end(self) -> int | None:
        return self._snapshot.steps if self._snapshot is not None else None

    @property
    def nudge_steps(self) -> list[int]:
        s = self._snapshot
        return [g.first_step for g in s.gestures if not g.undone] if s is not None else []

    @property
    def axis_end(self) -> float:
        s = self._snapshot
        return axis_end(s.steps, s.steps_per_epoch, s.target_epochs) if s is not None else 1.0
