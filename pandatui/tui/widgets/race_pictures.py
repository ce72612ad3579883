"""The pictures of the race screen: every trial's curve, the map of two knobs, the leaderboard."""

from typing import Any

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.strip import Strip

from pandatui.tui.board import Sight, draw_board
from pandatui.tui.canvas import Palette
from pandatui.tui.race_curves import Curves, draw_curves
from pandatui.tui.race_map import Axes, draw_map
from pandatui.tui.race_view import RaceView
from pandatui.tui.widgets.drawn import Drawn


class TrialCurves(Drawn):
    """Every trial's cost curve."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._curves = Curves()
        self._shown: tuple[RaceView, int | None] | None = None

    def show(self, view: RaceView, chosen: int | None) -> None:
        self._shown = view, chosen
        self.redraw()

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._shown is None:
            return None
        return draw_curves(self._curves, *self._shown, width, height, palette, unicode=self.unicode)


class TrialMap(Drawn):
    """Trials over two knobs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shown: tuple[RaceView, Axes, int | None] | None = None

    def show(self, view: RaceView, axes: Axes, chosen: int | None) -> None:
        self._shown = view, axes, chosen
        self.redraw()

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._shown is None:
            return None
        return draw_map(*self._shown, width, height, palette, unicode=self.unicode)


class Leaderboard(Drawn, can_focus=True):
    """Trials from best to worst. The parent holds the cursor; clicks and the wheel are posted."""

    class Moved(Message):
        """The cursor is wanted so many places further down."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Pointed(Message):
        """A person pointed at a row, counted from the first in sight."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shown: tuple[RaceView, Sight] | None = None

    @property
    def rows(self) -> int:
        """How many trials are in sight."""
        return self.size.height - self._header

    @property
    def _header(self) -> int:
        return int(self.size.height >= 4)

    def show(self, view: RaceView, sight: Sight) -> None:
        self._shown = view, sight
        self.redraw()

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._shown is None:
            return None
        return draw_board(*self._shown, width, height, palette, unicode=self.unicode)

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.y >= self._header:
            self.post_message(self.Pointed(offset.y - self._header))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self.post_message(self.Moved(-3))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self.post_message(self.Moved(3))
