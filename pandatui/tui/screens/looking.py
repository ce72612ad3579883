"""A screen with a cost curve, and the ways to look along it: cursor, nudges, zoom, axis, smoothing."""

import math
from dataclasses import replace

from textual.widgets import HelpPanel

from pandatui.tui.charting import SMOOTHING, Look
from pandatui.tui.leaving import Leaving
from pandatui.tui.viewport import nudge_beyond, within, zoomed
from pandatui.tui.widgets.cost_plot import CostPlot


class LookingScreen(Leaving[None], inherit_bindings=False):
    """Holds how a person wants to look. Its children have the curve, draw it and say what was done."""

    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (16, "-low"), (28, "-tall")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._look = Look()

    @property
    def curve_end(self) -> int | None:
        """The last step of the curve; None while there is none."""
        raise NotImplementedError

    @property
    def nudge_steps(self) -> list[int]:
        """The steps at which the nudges that stand begin."""
        raise NotImplementedError

    @property
    def axis_end(self) -> float:
        """The step at which the unzoomed axis ends."""
        raise NotImplementedError

    def look_again(self) -> None:
        """Draw the curve as it is looked at now."""
        raise NotImplementedError

    def say(self, text: str, style: str = "$accent") -> None:
        """A message in words, at once."""
        raise NotImplementedError

    @property
    def here(self) -> float:
        """Where the cursor is: on a step, or with the present."""
        if self._look.cursor is not None:
            return self._look.cursor
        return float(self.curve_end or 1)

    def point(self, step: float) -> None:
        """Put the cursor on a step."""
        if self.curve_end is None:
            return
        self._look = replace(self._look, cursor=within(step, self.curve_end))
        self.look_again()
        if self.has_class("-short") or self.has_class("-slim"):
            self.say(self.query_one(CostPlot).reading(self.here), "")

    def lift_cursor(self) -> bool:
        """Back to the present; returns whether the cursor was anywhere else."""
        if self._look.cursor is None:
            return False
        self._look = replace(self._look, cursor=None)
        self.look_again()
        return True

    def action_cursor(self, by: int) -> None:
        self.point(self.query_one(CostPlot).beside(self.here, by))

    def action_cursor_nudge(self, by: int) -> None:
        self._jump(
            self.here + (self._look.cursor is None), by
        )  # the present: behind a nudge of the next step

    def _jump(self, here: float, by: int) -> None:
        """To the nearest nudge on that side."""
        steps = self.nudge_steps
        ahead = nudge_beyond(steps, here, by)
        if ahead is None:
            self.say("no nudge further that way" if steps else "no nudges that stand", "$warning")
        else:
            self.point(float(ahead))

    def action_cursor_to(self, where: str) -> None:
        self.point(1.0 if where == "start" else math.inf)

    def action_copy(self) -> None:
        if text := self.query_one(CostPlot).reading(self.here):
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
        self._zoom(self.here, closer)

    def _zoom(self, around: float, closer: bool) -> None:
        chart = self.query_one(CostPlot).chart
        if chart is None:
            return
        window = zoomed((chart.first, chart.last), around, closer, self.axis_end)
        self._look = replace(self._look, window=window)
        words = "the whole run" if window is None else f"steps {max(1, window[0]):,.0f} to {window[1]:,.0f}"
        self.say(f"showing {words}", "")

    def on_cost_plot_pointed(self, message: CostPlot.Pointed) -> None:
        self.point(message.step)

    def on_cost_plot_zoomed(self, message: CostPlot.Zoomed) -> None:
        self._zoom(message.step, message.closer)

    # -- help --------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        if not self.close_help():
            self.app.action_show_help_panel()

    def close_help(self) -> bool:
        """Close the help panel; returns whether it was open."""
        if self.query(HelpPanel):
            self.app.action_hide_help_panel()
            return True
        return False
