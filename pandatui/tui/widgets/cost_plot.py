"""The cost plot: a thin widget around `plotting.draw`."""

from typing import Any

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.strip import Strip

from pandatui.tui.plotting import Chart, Palette, column_of, draw, reading_text, step_at
from pandatui.tui.widgets.drawn import Drawn


class CostPlot(Drawn, can_focus=True):
    """Shows a `Chart`. Posts `Pointed` on a click and `Zoomed` on the mouse wheel; the parent owns the truth.

    It takes the focus, though it has no keys of its own, because the help panel speaks of what is in focus.
    """

    class Pointed(Message):
        """A person pointed at a step."""

        def __init__(self, step: float) -> None:
            super().__init__()
            self.step = step

    class Zoomed(Message):
        """The wheel turned over a step; closer, or further away."""

        def __init__(self, step: float, closer: bool) -> None:
            super().__init__()
            self.step = step
            self.closer = closer

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._chart: Chart | None = None

    @property
    def chart(self) -> Chart | None:
        return self._chart

    def show(self, chart: Chart) -> None:
        """Draw this chart now."""
        self._chart = chart
        self.redraw()

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._chart is None:
            return None
        return draw(self._chart, width, height, palette, unicode=self.unicode)

    def step_at(self, column: int) -> float | None:
        """The step under a column of the widget."""
        width, height = self.size
        return step_at(self._chart, column, width, height) if self._chart and width and height else None

    def column_of(self, step: float) -> int | None:
        """The column of a step, None outside the view."""
        width, height = self.size
        return column_of(self._chart, step, width, height) if self._chart and width and height else None

    def beside(self, step: float, columns: int) -> float:
        """The step so many columns further on; from outside the view, counted from its edge."""
        if self._chart is None:
            return step
        column = self.column_of(min(max(step, self._chart.first), self._chart.last))
        found = self.step_at(column + columns) if column is not None else None
        return step if found is None else found

    def reading(self, step: float) -> str:
        """The values there, in words."""
        return "" if self._chart is None else reading_text(self._chart, step)

    def on_click(self, event: Click) -> None:
        if (step := self.step_at(event.x)) is not None:
            self.post_message(self.Pointed(step))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._wheel(event.x, closer=True)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._wheel(event.x, closer=False)

    def _wheel(self, column: int, *, closer: bool) -> None:
        if (step := self.step_at(column)) is not None:
            self.post_message(self.Zoomed(step, closer))
