"""Without colour: no colour code is left, the text is where it was, and what stood out still does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.style import Style

from pandatui.tui.colourless import brightness, colourless
from pandatui.tui.lean import lean

pyte = pytest.importorskip("pyte")

DARK, LIGHT = colourless(0.08, 0.87), colourless(0.98, 0.14)
COLOURS = st.sampled_from(
    [None, "default", "red", "bright_blue", "color(200)", "color(240)", "#102030", "#fefefe"]
)
STYLES = st.builds(Style, color=COLOURS, bgcolor=COLOURS, bold=st.booleans(), reverse=st.booleans())
PIECES = st.tuples(STYLES, st.text("ab ⠁é", min_size=1, max_size=6))
SYSTEMS = st.sampled_from([ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD])


def display(text: str) -> list[str]:
    screen = pyte.Screen(80, 4)
    pyte.Stream(screen).feed(text)
    return list(screen.display)


@given(st.lists(PIECES, max_size=12), SYSTEMS, st.sampled_from([DARK, LIGHT]))
def test_no_colour_is_left_and_no_text_is_lost(
    pieces: list[tuple[Style, str]], system: ColorSystem, theme: object
) -> None:
    text = "".join(style.render(words, color_system=system) for style, words in pieces)
    sent = lean(text, theme)  # type: ignore[arg-type]
    codes = {code for codes in re.findall(r"\x1b\[([0-9;:]*)m", sent) for code in codes.split(";")}
    assert codes <= {"", "1", "2", "7"}
    assert display(sent) == display(text)


@pytest.mark.parametrize("odd", ["\x1b[31mred on", "\x1b[4:3mcurly\x1b[0m", "\x1b[38;2;1mx\x1b[0m"])
def test_what_is_not_understood_goes_without_style(odd: str) -> None:
    assert "\x1b" not in lean(odd, DARK)


@pytest.mark.parametrize(
    ("theme", "style", "flags"),
    [
        (DARK, "#d8dee6 on #12151a", set()),
        (DARK, "#d8dee6 on #232933", set()),  # a panel
        (DARK, "#12151a on #5fb3f9", {"7"}),  # the row that is chosen
        (DARK, "bold #12151a on #5fb3f9", {"1", "7"}),
        (DARK, "#444444 on #12151a", {"2"}),  # a frame
        (LIGHT, "#20242b on #fbfaf7", set()),
        (LIGHT, "#ffffff on #0b63b5", {"7"}),
        (LIGHT, "#c8c8c8 on #fbfaf7", {"2"}),
    ],
)
def test_what_stood_out_stands_out(theme: object, style: str, flags: set[str]) -> None:
    text = Style.parse(style).render("x", color_system=ColorSystem.TRUECOLOR)
    sent = lean(text, theme)  # type: ignore[arg-type]
    assert set("".join(re.findall(r"\x1b\[([0-9;]+)m", sent)).replace(";", "")) == flags


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("38;2;255;255;255", 1), ("48;2;0;0;0", 0), ("38;5;231", 1), ("38;5;16", 0), ("48;5;255", 238 / 255),
        ("97", 1), ("40", 0), ("38;5;0", 0), ("39", None), ("", None),
    ],
)  # fmt: skip
def test_how_bright_a_colour_is(codes: str, expected: float | None) -> None:
    assert brightness(codes) == (expected if expected is None else pytest.approx(expected))
