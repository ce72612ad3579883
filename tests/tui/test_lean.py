"""Fewer bytes, the same picture: a terminal emulator is the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.style import Style

from pandatui.tui.lean import lean

pyte = pytest.importorskip("pyte")

COLOURS = st.sampled_from([None, "default", "red", "bright_blue", "color(200)", "#102030", "#fefefe"])
STYLES = st.builds(
    Style,
    color=COLOURS,
    bgcolor=COLOURS,
    bold=st.booleans(),
    italic=st.booleans(),
    underline=st.booleans(),
    reverse=st.booleans(),
)
PIECES = st.tuples(STYLES, st.text("ab ⠁é", min_size=1, max_size=6))
MOVES = st.sampled_from(["\r\n", "\x1b[3;5H", "\x1b[1;1H", "\x1b[?25l", "\x1b[?2026h", "\x1b]0;x\x1b\\"])


def sent(parts: list[tuple[Style, str] | str]) -> str:
    """As Textual sends them."""
    return "".join(
        part if isinstance(part, str) else part[0].render(part[1], color_system=ColorSystem.TRUECOLOR)
        for part in parts
    )


def picture(text: str) -> tuple[object, ...]:
    screen = pyte.Screen(30, 12)
    pyte.Stream(screen).feed(text + "after")
    return tuple(tuple(screen.buffer[y][x] for x in range(30)) for y in range(12)), screen.cursor.x


@given(st.lists(st.one_of(PIECES, PIECES, MOVES), max_size=12))
def test_the_picture_is_the_same_and_never_longer(parts: list[tuple[Style, str] | str]) -> None:
    text = sent(parts)
    assert picture(lean(text)) == picture(text)
    assert len(lean(text)) <= len(text)
    assert len(lean(lean(text))) == len(lean(text))


def test_what_two_pieces_share_is_sent_once() -> None:
    plain, bold = Style.parse("#010203 on #040506"), Style.parse("bold #010203 on #040506")
    text = sent([(plain, "a"), (plain, "b"), (bold, "c"), "\x1b[2;1H", (bold, "d")])
    assert lean(text) == "\x1b[38;2;1;2;3;48;2;4;5;6mab\x1b[1mc\x1b[2;1Hd\x1b[m"


@pytest.mark.parametrize(
    "odd",
    ["\x1b[31mred on", "\x1b[4:3mcurly\x1b[0m", "\x1b[38;2;1mx\x1b[0m", "\x1b[22;1mx\x1b[m", "", "\x1b"],
)
def test_what_it_does_not_know_it_leaves(odd: str) -> None:
    assert lean(odd) == odd
