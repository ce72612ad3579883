"""A few lines of styled text; only those that say something else are painted again."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from pandatui.charset import to_ascii


class Lines(Widget):
    """Lines of `Content`; never markup."""

    DEFAULT_CSS: ClassVar[str] = "Lines { height: auto; }"
    ALLOW_SELECT = False

    def __init__(self, *, ascii_only: bool = False, **kwargs: Any) -> None:
        super().__init__(markup=False, **kwargs)
        self._ascii_only = ascii_only
        self._lines: list[Content] = []
        self._fixed = False  # whether a line is a row, and their number changes no size

    @property
    def content(self) -> Content:
        """What is up."""
        return Content("\n").join(self._lines)

    def render(self) -> Content:
        return self.content

    def notify_style_update(self) -> None:
        super().notify_style_update()
        height = self.styles.height
        self._fixed = self.styles.text_wrap == "nowrap" and height is not None and not height.is_auto

    def show(self, lines: Sequence[Content]) -> None:
        """Put these lines up."""
        if self._ascii_only:
            lines = [line if line.plain.isascii() else _ascii(line) for line in lines]
        old, self._lines = self._lines, list(lines)
        changed = [y for y, (a, b) in enumerate(zip(old, lines, strict=False)) if not _alike(a, b)]
        changed += range(*sorted((len(old), len(lines))))
        if changed and self._fixed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        elif changed:
            self.refresh(layout=True)


def _alike(one: Content, other: Content) -> bool:
    return one.plain == other.plain and one.spans == other.spans


def _ascii(line: Content) -> Content:
    """The line in ASCII, each span of it in its own style."""
    parts: list[tuple[str, str]] = []
    for part, style in _pieces(line):
        parts.append((to_ascii(part), style))
    return Content.assemble(*parts)


def _pieces(line: Content) -> list[tuple[str, str]]:
    cuts = sorted({0, len(line.plain), *(s.start for s in line.spans), *(s.end for s in line.spans)})
    pieces = []
    for start, end in pairwise(cuts):
        style = next((str(s.style) for s in line.spans if s.start <= start and s.end >= end), "")
        pieces.append((line.plain[start:end], style))
    return pieces
