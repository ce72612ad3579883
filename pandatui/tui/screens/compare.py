"""View 5: records and branches over the present run, aligned, with what differs in their settings."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from pandatui.plain import plain
from pandatui.sessions import Session, Store
from pandatui.training.words import plural
from pandatui.tui.charting import Look
from pandatui.tui.compare_wording import table
from pandatui.tui.comparing import EPOCH, TIME, WAYS, Compared, chart_of_all, end_of
from pandatui.tui.foot import keys_line
from pandatui.tui.screens.living import LivingScreen
from pandatui.tui.screens.looking import LookingScreen
from pandatui.tui.screens.pick import Pick, PickScreen
from pandatui.tui.screens.watch_keys import shared_keys
from pandatui.tui.widgets.cost_plot import CostPlot
from pandatui.tui.widgets.lines import Lines
from pandatui.tui.widgets.titles import entitle

AGAIN = 1.0  # seconds between looks at a run that goes on, at least
REST = 20  # times as long as a look took, at least: it takes training's time
MOST = 5.0  # seconds
MESSAGE_SECONDS = 8
_SHARED = {
    "left", "right", "nudge-left", "nudge-right", "home", "end",
    "log", "smooth", "zoom-in", "zoom-out", "copy", "help", "quit",
}  # fmt: skip


class CompareScreen(LivingScreen, LookingScreen, inherit_bindings=False):
    """Shows `first`, a record that may grow, and those that were picked; they are kept in `picked`.

    Raises TimeoutError, as `first` does while a run takes a long step.
    """

    CSS_PATH = "compare.tcss"
    HELP = """
# Comparing runs

The coloured curve is the present run; each other has a letter, on its line and in the table. `enter` picks
them. `tab` aligns them by epoch, by step or by running time, `v` shows dev or train costs, the arrow keys
read all of them at once. The table has the settings that are not the same in all, and the nudges.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "pick",
            "pick runs",
            tooltip="From the folder: sessions, branches, what was undone",
            id="compare.pick",
        ),
        Binding("tab", "align(1)", "align", tooltip="By epoch, step or running time", id="compare.align"),
        Binding("v", "costs", "dev or train", tooltip="Which costs are drawn", id="compare.costs"),
        Binding(
            "escape,5,1", "close", "back", tooltip="To the cursor's end, then to the run", id="compare.close"
        ),
        *shared_keys(_SHARED),
    ]

    def __init__(
        self, store: Store, first: Callable[[], Session], picked: list[Compared], *, ascii_only: bool = False
    ) -> None:
        super().__init__()
        self._store = store
        self._source = first
        self._picked = picked
        self._ascii = ascii_only
        self._session = first()
        self._first = Compared.of(self._session)
        self._way = EPOCH
        self._train = False
        self._said: tuple[Content, float] | None = None
        self._rested = 0.0

    def compose(self) -> ComposeResult:
        yield Lines(id="status", ascii_only=self._ascii)
        yield CostPlot(id="plot", ascii_only=self._ascii)
        yield Lines(id="table", ascii_only=self._ascii)
        yield Lines(id="foot", ascii_only=self._ascii)

    def on_mount(self) -> None:
        if not self.query("#foot"):
            return  # the app is leaving already: nothing was composed
        self.set_class(self._ascii, "-ascii")
        self.live_on(AGAIN)
        if not self._picked:
            self.call_after_refresh(self._pick_unasked)

    def tick(self) -> None:
        """Look at the run again, if it has gone on."""
        now = time.monotonic()
        if now < self._rested:
            return
        try:
            session = self._source()
        except TimeoutError:  # a long step
            return
        if (session.steps, len(session.events)) != (self._session.steps, len(self._session.events)):
            self._session = session
            self._first = Compared.of(session)
        self.look_again()
        self._rested = time.monotonic() + min(MOST, REST * (time.monotonic() - now))

    # -- what is shown -----------------------------------------------------------------------------------

    def look_again(self) -> None:
        if not self.shown:
            return
        plot, first, way = self.query_one(CostPlot), self._first, self._way
        width = self.query_one("#status").size.width
        kind = "train" if self._train else "dev"
        words = f" compare · {kind} costs, at the same {way}"
        said = self._said[0] if self._said is not None and time.monotonic() < self._said[1] else None
        status = Content.assemble((words, "bold")) if said is None else Content(" ") + said
        self.query_one("#status", Lines).show([status])
        axis = "log" if self._look.log_axis else "linear"
        title = f"{kind} cost, nats ({axis} axis){' · zoomed, Z shows all' if self._look.window else ''}"
        entitle(plot, title, ascii_only=self._ascii)
        plot.show(chart_of_all(first, self._picked, way, self._look, train=self._train))
        here = self.here
        place = float(first.place(np.array(here), way))
        if self._look.cursor is None:
            at = "now"
        else:
            at = f"at {place:,.1f} s" if way == TIME else f"at {way} {place:,.{way == EPOCH:d}f}"
        lines, left = table(
            first, self._picked, place, way, max(20, self.query_one("#table").content_size.width),
            train=self._train, here=at,
        )  # fmt: skip
        panel = self.query_one("#table", Lines)
        more = f" · {plural(left, 'setting')} more" if left else ""
        entitle(panel, f"what differs{more}", ascii_only=self._ascii)
        panel.show(lines)
        keys = [
            ("enter", "pick runs"),
            ("tab", f"align by {self._next_way}"),
            ("v", "dev" if self._train else "train"),
        ]
        keys += [("←→", "read all"), ("l", "axis"), ("z/Z", "zoom")]
        keys += [("esc", "to now" if self._look.cursor is not None else "back"), ("?", "help")]
        self.query_one("#foot", Lines).show([keys_line(keys, width)])

    @property
    def _next_way(self) -> str:
        return WAYS[(WAYS.index(self._way) + 1) % len(WAYS)]

    def say(self, text: str, style: str = "$accent") -> None:
        self._said = Content.styled(plain(text, 300), style), time.monotonic() + MESSAGE_SECONDS
        self.look_again()

    @property
    def curve_end(self) -> int | None:
        return int(end_of(self._first, self._picked, self._way) / 1.25)

    @property
    def here(self) -> float:
        return self._look.cursor if self._look.cursor is not None else float(self._first.end)

    @property
    def nudge_steps(self) -> list[int]:
        return [g.first_step for g in self._first.nudges]

    @property
    def axis_end(self) -> float:
        return end_of(self._first, self._picked, self._way)

    # -- keys --------------------------------------------------------------------------------------------

    def action_align(self, by: int) -> None:
        self._way = self._next_way
        self._look = replace(self._look, window=None)
        self.say(f"where they were at the same {self._way}", "")

    def action_costs(self) -> None:
        self._train = not self._train
        self.say("train costs, smoothed" if self._train else "dev costs", "")

    def action_pick(self) -> None:
        self._pick()

    def _pick_unasked(self) -> None:
        if self.is_current:  # a key may have closed it already
            self._pick(unasked=True)

    def _pick(self, *, unasked: bool = False) -> None:
        """Open the list; whoever leaves one that opened by itself is back at the run: nothing is compared."""

        def take(picks: list[Pick] | None) -> None:
            if picks is not None:
                self._picked[:] = [Compared.of(p.session, p.key, p.left) for p in picks]
                self._look = Look(self._look.log_axis, self._look.smoothing)
                self.look_again()
            elif unasked:
                self.dismiss(None)

        chosen = [each.key for each in self._picked]
        own = self._session
        self.app.push_screen(PickScreen(self._store, own, chosen, ascii_only=self._ascii), take)

    def action_close(self) -> None:
        if not self.close_help() and not self.lift_cursor():
            self.dismiss(None)
