"""A session's curve with its nudges as a picture (SVG) and as plain text. Pure: from records to text."""

import math
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from pandatui.plain import plain
from pandatui.sessions import Session
from pandatui.sessions.export import dev_rows, train_rows
from pandatui.sessions.replay import events_of
from pandatui.training.events import Gesture, gestures
from pandatui.training.words import cost, gesture_words, number

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 900, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 44
_COLUMNS, _ROWS = 70, 16  # of the text


def _ceiling(session: Session, train: Floats, dev: Floats) -> float:
    """The highest cost shown: what is far above guessing, and blown-up costs, are cut off."""
    guessing = math.log(len(session.data.classes))
    costs = np.concatenate([train[:, 1], dev[:, 1]])
    finite = costs[np.isfinite(costs)]
    highest = float(finite.max()) if len(finite) else guessing
    return max(min(highest, 2 * guessing) * 1.05, 1e-9)


def _columns(steps: Floats, low: Floats, mean: Floats, high: Floats, last: float, count: int) -> Floats:
    """(n, 4) of column, mean, min, max: at most one row a column, non-finite costs left out."""
    fine = np.isfinite(mean) & np.isfinite(low) & np.isfinite(high)
    steps, low, mean, high = steps[fine], low[fine], mean[fine], high[fine]
    if not len(steps):
        return np.empty((0, 4))
    places = np.minimum((steps - 1) * count // max(last, 1), count - 1)
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    sizes = np.diff(np.append(starts, len(steps)))
    with np.errstate(over="ignore"):
        means = np.add.reduceat(mean, starts) / sizes
    return np.stack(
        [places[starts], means, np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)], axis=1
    )


def _standing(session: Session) -> list[Gesture]:
    return [each for each in gestures(events_of(session)) if not each.undone]


# -- a picture -----------------------------------------------------------------------------------------------


def svg(session: Session) -> str:
    """Train cost with its spread, dev cost, guessing, and the nudges by number."""
    train, dev = train_rows(session), dev_rows(session)
    top = _ceiling(session, train, dev)
    last = max(1.0, float(session.steps))
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def x(step: float) -> str:
        return f"{_LEFT + wide * min(max((step - 1) / max(last - 1, 1), 0), 1):.1f}"

    def y(value: float) -> str:
        return f"{_TOP + high * (1 - min(max(value / top, 0), 1)):.1f}"

    columns = _columns(train[:, 0], train[:, 2], train[:, 1], train[:, 3], last, wide)
    at = [x(1 + (column + 0.5) * last / wide) for column in columns[:, 0]]
    band = [f"{a},{y(v)}" for a, v in zip(at, columns[:, 3], strict=True)]
    band += [f"{a},{y(v)}" for a, v in zip(reversed(at), columns[::-1, 2], strict=True)]
    line = [f"{a},{y(v)}" for a, v in zip(at, columns[:, 1], strict=True)]
    known = dev[np.isfinite(dev[:, 1])]
    by_dev = [f"{x(step)},{y(value)}" for step, value, _ in known]
    guessing = y(math.log(len(session.data.classes)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{_text(_title(session))}</text>',
        *_axes(top, last, x, y),
        f'<path d="M{_LEFT},{guessing}H{WIDTH - _RIGHT}" stroke="#888" stroke-dasharray="2 4"/>',
        f'<polygon points="{" ".join(band)}" fill="#9ecae1" opacity="0.6"/>',
        f'<polyline points="{" ".join(line)}" fill="none" stroke="#1f77b4" stroke-width="1.5"/>',
        f'<polyline points="{" ".join(by_dev)}" fill="none" stroke="#d95f02" stroke-width="2"/>',
    ]
    for gesture in _standing(session):
        at_step = x(gesture.first_step)
        parts.append(
            f"<g><title>{_text(f'nudge {gesture.number}: {gesture_words(gesture)}')}</title>"
            f'<path d="M{at_step},{_TOP}V{HEIGHT - _BOTTOM}" stroke="#555" stroke-dasharray="5 3"/>'
            f'<text x="{at_step}" y="{_TOP - 4}" text-anchor="middle">{gesture.number}</text></g>'
        )
    parts.append(
        f'<text x="{WIDTH - _RIGHT}" y="22" text-anchor="end"><tspan fill="#1f77b4">train</tspan> '
        f'<tspan fill="#d95f02">dev</tspan> <tspan fill="#888">guessing</tspan></text>'
    )
    return "\n".join([*parts, "</svg>", ""])


def _axes(top: float, last: float, x: object, y: object) -> list[str]:
    assert callable(x)
    assert callable(y)
    parts = [
        f'<path d="M{_LEFT},{_TOP}V{HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}" fill="none" stroke="black"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">step</text>',
    ]
    for i in range(5):
        value, step = top * i / 4, 1 + (last - 1) * i / 4
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y(value)}" text-anchor="end" dominant-baseline="middle">'
            f"{cost(value) if value else 0}</text>"
        )
        parts.append(
            f'<text x="{x(step)}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{int(step):,}</text>'
        )
    return parts


def _title(session: Session) -> str:
    return f"{plain(session.name, 64)} · {plain(session.data.name, 40)} · {session.status}"


def _text(text: str) -> str:
    return escape(plain(text, 300), {'"': "&quot;"})


# -- text ----------------------------------------------------------------------------------------------------


def drawn(session: Session) -> str:
    """The curve in ASCII: `.` train, `o` dev, a row of the nudges' numbers below."""
    train, dev = train_rows(session), dev_rows(session)
    top = _ceiling(session, train, dev)
    last = max(1.0, float(session.steps))
    cells = [[" "] * _COLUMNS for _ in range(_ROWS)]
    rows = (
        (".", _columns(train[:, 0], train[:, 2], train[:, 1], train[:, 3], last, _COLUMNS)),
        ("o", _columns(dev[:, 0], dev[:, 1], dev[:, 1], dev[:, 1], last, _COLUMNS)),
    )
    for sign, columns in rows:
        for column, mean, *_ in columns:
            row = _ROWS - 1 - int(min(max(mean / top, 0), 1) * (_ROWS - 1) + 0.5)
            cells[row][int(column)] = sign
    marks = [" "] * (_COLUMNS + 12)
    for gesture in _standing(session):
        place = int(min((gesture.first_step - 1) * _COLUMNS // last, _COLUMNS - 1))
        name = str(gesture.number)
        if marks[max(0, place - 1) : place + len(name)].count(" ") == len(name) + (place > 0):
            marks[place : place + len(name)] = name
    lines = []
    for i, line in enumerate(cells):
        label = cost(top * (_ROWS - 1 - i) / (_ROWS - 1)) if i in (0, _ROWS // 2) else ""
        lines.append(f"{'0' if i == _ROWS - 1 else label:>8} |{''.join(line)}".rstrip())
    lines.append(f"{'':>8} +{'-' * _COLUMNS}")
    lines.append(f"{'nudge':>8}  {''.join(marks)}".rstrip())
    lines.append(f"{'':>8}  step 1 to {number(last)}; . train cost, o dev cost")
    return "\n".join(lines)
