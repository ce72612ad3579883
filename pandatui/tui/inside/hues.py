"""Colours for classes, any number of them: the theme's own, then as light and strong ones between them.

In OKLCH (Ottosson 2020), where equal steps look equal. After eight hues they come again, lighter and darker.
"""

import math
from functools import lru_cache

from pandatui.tui.canvas import Palette

_HUES = 8
_CANDIDATES = 24
_LEAST_STRENGTH = 0.11


def hues(count: int, palette: Palette) -> tuple[str, ...]:
    """As many colours, "#rrggbb". The first three are the theme's; none is close to that of trouble."""
    own = (palette.train, palette.dev, palette.accent)
    try:
        return _hues(count, own, palette.error, palette.background)
    except ValueError:  # a theme of the terminal's own colours
        return tuple(own[i % 3] for i in range(count))


@lru_cache(maxsize=16)
def _hues(count: int, own: tuple[str, ...], avoided: str, background: str) -> tuple[str, ...]:
    lightness, strength, start = _polar(own[0])
    strength = max(strength, _LEAST_STRENGTH)
    taken = [_polar(color)[2] for color in (*own, avoided)]
    while len(taken) < _HUES + 1:
        angles = [start + math.tau * i / _CANDIDATES for i in range(_CANDIDATES)]
        taken.append(max(angles, key=lambda angle: min(_apart(angle, other) for other in taken)))
    turned = [taken[i] for i in range(len(taken)) if i != len(own)]
    further = 0.12 if _polar(background)[0] < 0.5 else -0.12
    found = list(own[:count])
    for i in range(len(found), count):
        band = i // _HUES % 3
        light = lightness + (0.0, -further, further)[band]
        found.append(_color(light, strength, turned[i % _HUES]))
    return tuple(found)


def _apart(one: float, other: float) -> float:
    """The angle between two hues."""
    return abs((one - other + math.pi) % math.tau - math.pi)


def _color(lightness: float, strength: float, angle: float) -> str:
    """The nearest that a screen can show, paler if need be."""
    found = _rgb(lightness, strength, angle)
    while strength > 0.01 and not all(-0.001 <= channel <= 1.001 for channel in found):
        strength *= 0.92
        found = _rgb(lightness, strength, angle)
    return "#" + "".join(f"{round(255 * _gamma(min(max(c, 0.0), 1.0))):02x}" for c in found)


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _polar(color: str) -> tuple[float, float, float]:
    """Lightness, chroma and hue of "#rrggbb". Raises ValueError for anything else."""
    if len(color) != 7:
        raise ValueError(color)
    r, g, b = (_linear(int(color[i : i + 2], 16) / 255) for i in (1, 3, 5))
    l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)  # noqa: E741
    m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    lightness = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s
    a = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s
    b = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s
    return lightness, math.hypot(a, b), math.atan2(b, a)


def _rgb(lightness: float, strength: float, angle: float) -> tuple[float, float, float]:
    """Linear red, green and blue."""
    a, b = strength * math.cos(angle), strength * math.sin(angle)
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3  # noqa: E741
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    )
