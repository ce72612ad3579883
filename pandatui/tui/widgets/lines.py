"""A few lines of styled text that repaint only when they say something else."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from textual.content import Content
from textual.widgets import Static

from pandatui.tui.charset import to_ascii


class Lines(Static):
    """Lines of `Content`; never markup."""

    ALLOW_SELECT = False

    def __init__(self, *, ascii_only: bool = False, **kwargs: Any) -> None:
        super().__init__("", markup=False, **kwargs)
        self._ascii_only = ascii_only
        self._shown: Content | None = None

    def show(self, lines: Sequence[Content]) -> None:
        """Put these lines up."""
        whole = Content("\n").join(lines)
        if self._ascii_only and not whole.plain.isascii():
            whole = Content("\n").join(_ascii(line) for line in lines)
        if self._shown is None or not (whole.plain == self._shown.plain and whole.spans == self._shown.spans):
            self._shown = whole
            self.update(whole)


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
