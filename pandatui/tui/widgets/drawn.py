"""A widget that is a picture made of strips; only the rows that changed are painted again."""

from typing import Any

from textual.color import Color
from textual.events import Resize
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from pandatui.tui.canvas import Palette


class Drawn(Widget):
    """Its children say what to draw, and call `redraw` when that is something else."""

    ALLOW_SELECT = False

    def __init__(self, *, ascii_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unicode = not ascii_only
        self._strips: list[Strip] = []
        self._palette: Palette | None = None

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        """The picture, a strip a row; None while there is nothing to show."""
        raise NotImplementedError

    def redraw(self) -> None:
        width, height = self.size
        if not width or not height:
            return
        if self._palette is None:
            self._palette = self._colours()
        strips = self.paint(width, height, self._palette)
        if strips is None:
            return
        old, self._strips = self._strips, strips
        if len(old) != len(strips):
            self.refresh()
            return
        changed = [y for y, (a, b) in enumerate(zip(old, strips, strict=True)) if a != b]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def on_resize(self, event: Resize) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        """A new theme: other colours for the same picture."""
        super().notify_style_update()
        self._palette = None
        self.redraw()

    def render_line(self, y: int) -> Strip:
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.rich_style)

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
