"""The cost plot: a thin widget around `plotting.draw` that repaints only the rows that changed."""

from typing import Any

from textual.color import Color
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from pandatui.tui.plotting import Chart, Palette, column_of, draw, reading_text, step_at


class CostPlot(Widget, can_focus=True):
    """Shows a `Chart`. Posts `Pointed` on a click and `Zoomed` on the mouse wheel; the parent owns the truth.

    It takes the focus, though it has no keys of its own, because the help panel speaks of what is in focus.
    """

    ALLOW_SELECT = False

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

    def __init__(self, *, ascii_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._unicode = not ascii_only
        self._chart: Chart | None = None
        self._strips: list[Strip] = []
        self._palette: Palette | None = None

    @property
    def chart(self) -> Chart | None:
        return self._chart

    def show(self, chart: Chart) -> None:
        """Draw this chart now."""
        self._chart = chart
        self._draw()

    def on_resize(self, event: Resize) -> None:
        self._draw()

    def notify_style_update(self) -> None:
        """A new theme: other colours for the same curve."""
        super().notify_style_update()
        self._palette = None
        self._draw()

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

    def render_line(self, y: int) -> Strip:
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _draw(self) -> None:
        width, height = self.size
        if self._chart is None or not width or not height:
            return
        if self._palette is None:
            self._palette = self._colours()
        old, self._strips = (
            self._strips,
            draw(self._chart, width, height, self._palette, unicode=self._unicode),
        )
        if len(old) != len(self._strips):
            self.refresh()
            return
        changed = [y for y, (a, b) in enumerate(zip(old, self._strips, strict=True)) if a != b]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _colours(self) -> Palette:
        v = self.app.theme_variables
        background = self.background_colors[1]

        def colour(name: str) -> str:
            found = (
                Color.parse(v[name]) if not v[name].startswith("auto") else background.get_contrast_text(0.6)
            )
            return (background + found).hex6.lower()

        return Palette(
            background=background.hex6.lower(),
            foreground=colour("foreground"),
            muted=(background + Color.parse(v["foreground"]).with_alpha(0.55)).hex6.lower(),
            train=colour("primary"),
            dev=colour("secondary"),
            accent=colour("accent"),
            error=colour("error"),
            ghost=(background + Color.parse(v["foreground"]).with_alpha(0.45)).hex6.lower(),
        )

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
