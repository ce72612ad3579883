"""NO_COLOR: neither colour nor grey is sent; what stood out by its background is reversed, the pale is faint.

Textual itself only takes the hue away and goes on sending greys (its `Monochrome` filter), which are colours
to a terminal all the same.
"""

from collections.abc import Callable
from functools import lru_cache

from pandatui.tui.lean import Style

_APART = 0.25  # of the way from the theme's background to its foreground: panels are at 0.1, a cursor at 0.3
_PALE = 0.5
_NAMED = (0.0, 0.25, 0.4, 0.6, 0.1, 0.3, 0.55, 0.75, 0.5, 0.3, 0.7, 0.9, 0.25, 0.45, 0.8, 1.0)  # about
_CUBE = (0, 95, 135, 175, 215, 255)  # xterm's levels


@lru_cache(16)
def colourless(background: float, foreground: float) -> Callable[[Style], Style]:
    """How to say a style without colour where the theme's two colours are so bright, 0 to 1."""
    span = (foreground - background) or 1.0

    def restyled(style: Style) -> Style:
        found = {kind: code for kind, code in style.items() if kind not in ("foreground", "background")}
        behind, text = brightness(style.get("background", "")), brightness(style.get("foreground", ""))
        if behind is not None and (behind - background) / span > _APART:
            found["7"] = "7"
        elif text is not None and (text - background) / span < _PALE and "1" not in found:
            found["2"] = "2"
        return found

    return restyled


def brightness(codes: str) -> float | None:
    """How bright a colour is by its SGR codes (ECMA-48, 8.3.117), 0 to 1; None for the terminal's own."""
    kind, *rest = codes.split(";") if codes else ("39",)
    if kind in ("38", "48"):
        numbers = [int(each) for each in rest]
        if numbers[0] == 2:
            return _of(*numbers[1:4])
        number = numbers[1]
        if number >= 232:
            return (8 + 10 * (number - 232)) / 255
        if number >= 16:
            number -= 16
            return _of(_CUBE[number // 36], _CUBE[number // 6 % 6], _CUBE[number % 6])
        return _NAMED[number]
    code = int(kind)
    if code in (39, 49):
        return None
    return _NAMED[code % 10 + (8 if code >= 90 else 0)]


def _of(red: int, green: int, blue: int) -> float:
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255  # luma, ITU-R BT.601
