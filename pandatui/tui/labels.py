"""The chart's words: ticks, the marks' numbers, the cursor's reading, each curve's name at its right end."""

from dataclasses import dataclass

import numpy as np

from pandatui.tui.axes import columns_at, cost_ticks, epoch_ticks, guessing_of, share_across
from pandatui.tui.canvas import FAINT, Ink
from pandatui.tui.chart import Mark, bounded, cost_text, reading_text
from pandatui.tui.scene import ABANDONED, DEV, GHOST, OTHER, TRAIN, Scene, dimmed

_WAITING = "the first steps are on their way"
_NARROW = 40  # columns: in fewer, names would lie on the curves; the letters of the others do


def draw_axes(scene: Scene) -> None:
    chart, frame, cells, look = scene.chart, scene.frame, scene.cells, scene.look
    axis = frame.left - 1
    for row in range(frame.bottom + 1):
        cells.put(axis, row, look.pick("│", "|"), look.muted)
    for row, label in cost_ticks(scene.scale, frame.rows).items():
        cells.put(axis, frame.top + row, look.pick("┤", "+"), look.muted)
        cells.write(axis - 1 - len(label) if len(label) < axis else 0, frame.top + row, label, look.muted)
    under = frame.bottom + 1
    cells.put(axis, under, look.pick("└", "+"), look.muted)
    for column in range(frame.left, cells.width):
        cells.put(column, under, look.pick("─", "-"), look.muted)
    name = f" {chart.x_label}"
    if 2 * len(name) <= frame.columns:
        cells.write(cells.width - len(name), under, name, look.muted)
    free = 0
    for column, label in epoch_ticks(chart, frame, scene.column):
        if column < cells.width - len(name):
            cells.put(column, under, look.pick("┬", "+"), look.muted)
        start = min(column - (len(label) - 1) // 2, cells.width - len(label))
        if start >= free:
            cells.write(start, under + 1, label, look.muted)
            free = start + len(label) + 1


@dataclass(slots=True)
class _Group:
    """Marks so close that they share a label."""

    marks: list[tuple[int, Mark]]  # (column, mark)

    def label(self) -> str:
        numbers = [mark.number for _, mark in self.marks]
        if len(self.marks) == 1:
            return f"{numbers[0]} {self.marks[0][1].text}"
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{numbers[0]}–{numbers[-1]}"
        return f"{len(numbers)} nudges"

    def start(self, right: int) -> int:
        return min(self.marks[0][0], right - len(self.label()))


def _grouped(scene: Scene) -> list[_Group]:
    """Marks in view from left to right, merged until no label reaches the next one."""
    groups: list[_Group] = []
    for mark in sorted(scene.chart.marks, key=lambda mark: (mark.step, mark.number)):
        column = scene.column(mark.step)
        if column is None:
            continue
        groups.append(_Group([(column, mark)]))
        while len(groups) > 1 and _touch(groups[-2], groups[-1], scene.frame.right):
            last = groups.pop()
            groups[-1].marks.extend(last.marks)
    return groups


def _touch(left: _Group, right: _Group, edge: int) -> bool:
    return left.start(edge) + len(left.label()) + 1 > right.start(edge)


def draw_mark_lines(scene: Scene) -> None:
    """A dotted line a mark, exactly at its step; side by side they would be a wall: every second goes."""
    drawn = -2
    for group in _grouped(scene):
        for column, _ in group.marks:
            if column < drawn + 2:
                continue
            drawn = column
            for row in range(scene.frame.top, scene.frame.bottom):
                if scene.look.unicode or row % 2:
                    scene.put(column, row, scene.look.pick("┊", "|"), scene.look.accent, FAINT)


def draw_mark_labels(scene: Scene) -> None:
    """The marks' numbers in the row above the plot, or there the reading while the cursor is out."""
    chart, frame, cells = scene.chart, scene.frame, scene.cells
    if not frame.top:
        return
    if chart.cursor is not None and (column := scene.column(chart.cursor)) is not None:
        words = reading_text(chart, chart.cursor, frame.columns)
        start = max(frame.left, min(column - len(words) // 2, frame.right - len(words)))
        cells.write(start, 0, words[: frame.columns], scene.look.cursor)
        return
    for group in _grouped(scene):
        start = group.start(frame.right)
        if start >= frame.left:
            cells.write(start, 0, group.label(), scene.look.accent)


def draw_names(scene: Scene) -> None:
    """Each curve's name and value at its right end, and the words for an empty chart."""
    chart, frame, look, cells = scene.chart, scene.frame, scene.look, scene.cells
    shares = share_across(chart, bounded(chart.dev_steps))
    ends = [(DEV, chart.names[1], shares, np.asarray(chart.dev_costs, dtype=np.float64))]
    ends.insert(0, (TRAIN, chart.names[0], scene.buckets.shares, scene.line))
    live = [_end(x, y) for _, _, x, y in ends]
    above = live[0] is None or live[1] is None or live[0][1] >= live[1][1]
    for (layer, name, _, _), end, up in zip(ends, live, (above, not above), strict=True):
        if end is not None:
            _name(scene, f"{name} {cost_text(end[1])}", end, look.layers[layer], up=up)
    guessing = guessing_of(chart)
    if scene.scale.holds(guessing):
        words = f" guessing {cost_text(guessing)}"
        row = scene.row(guessing)
        spots = [(frame.right - len(words), r) for r in (row, row - 1, row + 1)]
        cells.place(words, look.muted, [*spots, (frame.left + frame.columns // 2, row)], frame.area)
    named = [(GHOST, trace.name, _end(*dimmed(scene, trace))) for trace in chart.ghosts]
    narrow = frame.columns < _NARROW
    named += [
        (OTHER, trace.sign if narrow and trace.sign else trace.name, _end(*dimmed(scene, trace)))
        for trace in chart.others
    ]
    if (band := chart.band) is not None:
        named.append((GHOST, band.name, _end(share_across(chart, bounded(band.steps)), band.mean)))
    named += [  # the older ones would crowd it
        (ABANDONED, trace.name, _end(*dimmed(scene, trace))) for trace in chart.abandoned[-1:]
    ]
    for layer, name, end in named:
        if end is not None and name:
            _name(scene, name[: frame.columns // 3], end, look.layers[layer], up=True)
    if live == [None, None] and len(_WAITING) <= frame.columns:
        middle = frame.left + (frame.columns - len(_WAITING)) // 2
        cells.write(middle, frame.top + frame.rows // 2, _WAITING, look.base)


def _end(shares: np.ndarray, costs: np.ndarray) -> tuple[float, float] | None:
    """Where a curve ends in view, as (share across, cost)."""
    usable = np.flatnonzero((shares >= 0) & (shares <= 1) & np.isfinite(costs))
    return (float(shares[usable[-1]]), float(costs[usable[-1]])) if len(usable) else None


def _name(scene: Scene, words: str, end: tuple[float, float], ink: Ink, *, up: bool) -> None:
    """Right of the curve's end, there a row or two higher or lower, else above or below its last stretch."""
    frame = scene.frame
    column = int(columns_at(np.asarray(end[0]), frame))
    row = scene.row(end[1])
    away = -1 if up else 1
    edge = min(column, frame.right - 1) - len(words) + 1
    beside = [(column + 2, row + shift) for shift in (0, away, -away, 2 * away)]
    for spots in (beside, *([(edge, row + sign * n) for n in (1, 2, 3, 4, 5)] for sign in (away, -away))):
        if scene.cells.place(words, ink, spots, frame.area):
            break
