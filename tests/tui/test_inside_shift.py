"""View 3 as a pure picture: strong where the counts are, the median on them, nudges at their epochs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from textual.strip import Strip

from pandatui.training import Run
from pandatui.training.companions import Companions
from pandatui.training.counterpart import Counterpart
from pandatui.training.distributions import BINS, EDGES
from pandatui.training.events import Nudge
from pandatui.tui.canvas import Palette
from pandatui.tui.inside.shift import shift_of
from pandatui.tui.inside.shift_picture import LEFT, Spread, draw_shift

PALETTE = Palette("#000000", "#ffffff", "#808080", "#0000ff", "#ffff00", "#00ff00", "#ff0000", "#777777")


def lines(strips: list[Strip]) -> list[str]:
    return ["".join(segment.text for segment in strip) for strip in strips]


def pixels(strips: list[Strip]) -> list[list[str]]:
    """The colours of the half-blocks, "" where there is none, two rows for each strip."""
    rows: list[list[str]] = []
    for strip in strips:
        upper: list[str] = []
        lower: list[str] = []
        for segment in strip:
            for character in segment.text:
                style = segment.style
                block = character == "▀" and style is not None
                upper.append(style.color.name if block else "")
                lower.append(style.bgcolor.name if block else "")
        rows += [upper, lower]
    return rows


def spread(values: Sequence[float], epochs: Sequence[int], words: str = "with batch norm") -> Spread:
    """At each epoch all values in one bin, of the only layer."""
    counts = np.zeros((len(epochs), 1, BINS), np.uint16)
    for i, value in enumerate(values):
        counts[i, 0, np.searchsorted(EDGES, value)] = 100
    return Spread(words, tuple(epochs), counts)


def drawn(
    *spreads: Spread,
    nudges: Sequence[tuple[int, float]] = (),
    size: tuple[int, int] = (118, 23),
    layer: int = 0,
    unicode: bool = True,
    colour: bool = True,
) -> list[Strip]:
    strips = draw_shift(spreads, nudges, layer, *size, PALETTE, unicode=unicode, colour=colour)
    assert [strip.cell_length for strip in strips] == [size[0]] * size[1]
    return strips


def row_of(text: list[str], value: str) -> int:
    return next(i for i, line in enumerate(text) if line[: LEFT - 1].strip() == value)


def test_a_distribution_that_wanders_is_seen_to_wander() -> None:
    """Ten epochs at 0.05, then ten at 4.9: the median, yellow, stands by these values."""
    strips = drawn(spread([0.05] * 10 + [4.9] * 10, range(1, 21)))
    text, seen = lines(strips), pixels(strips)
    early = [y // 2 for y, row in enumerate(seen) if row[LEFT + 5] == "#ffff00"]
    late = [y // 2 for y, row in enumerate(seen) if row[-5] == "#ffff00"]
    assert abs(early[0] - row_of(text, "0")) <= 1
    assert late[0] < row_of(text, "3") < early[0]
    assert text[0].startswith(" hidden 1 · with batch norm")
    assert "strong: where most values are · line: their median" in text[-1]


def test_what_is_strong_is_where_the_counts_are() -> None:
    counts = np.zeros((4, 1, BINS), np.uint16)
    counts[:, 0, 14:18] = [10, 100, 10, 0]
    seen = pixels(drawn(Spread("", (1, 2, 3, 4), counts)))
    column = [row[LEFT + 20] for row in seen if row[LEFT + 20]]
    blue = [int(color[5:], 16) for color in column if color != "#ffff00"]
    assert max(blue) > 200
    assert blue[0] < 60
    assert blue[-1] < 60


def test_time_is_time_whatever_was_thinned() -> None:
    """Epochs 2, 4, … 8 and then 9, 10: the change after 5 of 10 is in the middle."""
    seen = pixels(drawn(spread([-3, -3, 3, 3, 3, 3], [2, 4, 6, 8, 9, 10])))
    high = [x for x in range(LEFT, 117) if any(row[x] == "#ffff00" for row in seen[:20])]
    assert min(high) == pytest.approx(LEFT + 0.4 * 110, abs=1)


def test_nudges_are_marked_at_their_epochs_and_never_written_over() -> None:
    strips = drawn(spread([0] * 20, range(1, 21)), nudges=[(1, 5.0), (2, 5.01), (3, 15.5), (4, 20.0)])
    row = next(line for line in lines(strips) if "epoch 20" in line)
    assert row.index("↑1") == LEFT + int(5 / 20 * 110)
    assert row.index("↑3") == LEFT + int(15.5 / 20 * 110)
    assert "↑2" not in row  # no room
    assert row.rstrip().endswith("epoch 20")
    assert "epoch 0" in row


def test_value_labels_never_stand_on_one_another() -> None:
    for height in range(3, 40):
        for values in ([0.0, 0.1], [-40, 40], [2.9, 3.1]):
            text = lines(drawn(spread(values, [1, 2]), size=(60, height)))
            labelled = [i for i, line in enumerate(text) if line[: LEFT - 1].strip().lstrip("−.").isdigit()]
            assert all(b - a > 1 for a, b in pairwise(labelled))


def test_two_stand_one_above_the_other_on_common_axes() -> None:
    both = spread([0] * 20, range(1, 21)), spread([20] * 10, range(1, 11), "without batch norm · catching up")
    strips = drawn(*both)
    text, seen = lines(strips), pixels(strips)
    second = next(i for i, line in enumerate(text) if "without batch norm · catching up" in line)
    assert text[0].startswith(" hidden 1 · with batch norm")
    assert row_of(text, "0") == row_of(text[second:], "0")
    lower = seen[2 * second :]
    assert any(row[LEFT + 50] == "#ffff00" for row in lower)
    assert not any(row[LEFT + 60] == "#ffff00" for row in lower)  # it is at epoch 10 of 20


@pytest.mark.parametrize(("unicode", "colour"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("size", [(118, 23), (78, 17), (40, 11), (12, 4), (2, 1)])
@pytest.mark.parametrize("epochs", [0, 1, 2, 128])
def test_at_any_size_with_colour_and_without(
    size: tuple[int, int], epochs: int, unicode: bool, colour: bool
) -> None:
    one = spread([1.0] * epochs, range(1, epochs + 1))
    for spreads in ((one,), (one, one)):
        text = lines(drawn(*spreads, size=size, nudges=[(1, 0.5)], unicode=unicode, colour=colour))
        assert unicode or all(line.isascii() for line in text)
        if size[1] > 10 and not epochs:
            assert any("from the end of the first epoch on" in line for line in text)


def test_without_colour_the_shades_are_characters() -> None:
    text = lines(drawn(spread([0] * 4, range(1, 5)), colour=False))
    assert any("━" in line for line in text)
    assert any(set("░▒▓█") & set(line) for line in text)


def test_a_layer_that_the_other_has_not_is_its_last() -> None:
    text = lines(drawn(spread([0] * 4, range(1, 5)), layer=7))
    assert text[0].startswith(" hidden 1")


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (60, "hidden 1 · with batch norm · dev 0.60 · epoch 38"),
        (40, "hidden 1 · with batch norm · dev 0.60"),
        (30, "hidden 1 · with batch norm"),
        (12, "hidden 1"),
    ],
)
def test_its_title_has_the_parts_that_there_is_room_for(width: int, words: str) -> None:
    seen = spread([0] * 4, range(1, 5), "with batch norm · dev 0.60 · epoch 38")
    assert lines(drawn(seen, size=(width, 12)))[0].strip() == words


def test_of_a_run_it_shows_its_epochs_nudges_and_counterpart(new_run: Callable[..., Run]) -> None:
    run = new_run(epochs=30)
    while run.steps < 50:
        if run.steps == 20:
            run.apply(Nudge("learning_rate", notches=1))
        run.step()
    look = shift_of(run, None)
    assert look.spreads[0].epochs == tuple(range(1, 11))
    assert look.nudges == ((1, pytest.approx(4.2)),)  # step 21, five steps an epoch
    assert re.fullmatch(r"with batch norm · dev \d\.\d+ · epoch 10", look.spreads[0].words)
    companions = Companions()
    companions.counterpart = Counterpart(run)
    look = shift_of(run, companions.counterpart.look(run))
    assert look.unsettled
    assert look.spreads[1].words == "without batch norm · epoch 0 of 10, catching up"
    while companions.attend(run, full_pace=True):
        pass
    look = shift_of(run, companions.counterpart.look(run))
    assert not look.unsettled
    assert look.spreads[1].epochs == look.spreads[0].epochs
