"""The race screen's pictures: dots where the lines are, points where the settings are, a steady board."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from textual.strip import Strip

from pandatui.search.dimension import Dimension
from pandatui.search.space import Space
from pandatui.search.study import Study
from pandatui.tui.board import Sight, draw_board, followed, in_sight, moved, place_of
from pandatui.tui.canvas import Palette
from pandatui.tui.race_curves import Curves, draw_curves, epoch_labels, frame_of, passing
from pandatui.tui.race_map import Points, axes_of, draw_map, goodness, span, ticks
from pandatui.tui.race_view import RaceView, Reader

PALETTE = Palette("#101010", "#ffffff", "#808080", "#0000ff", "#ffff00", "#00ff00", "#ff0000", "#777777")


def lines(strips: list[Strip]) -> list[str]:
    return ["".join(segment.text for segment in strip) for strip in strips]


@pytest.fixture
def view(study: Callable[..., Study], ended: Callable[..., None]) -> RaceView:
    """Six of twelve trials: four have finished, one has diverged, one trains."""
    made = study()
    made.begin_round()
    for number in range(1, 5):
        ended(made.trials[number], [1 / e + number / 10 for e in range(1, 7)])
    ended(made.trials[5], [2.0, 50.0], "diverged")
    ended(made.trials[6], [0.9, 0.8], "training")
    return Reader(made, "race of brave-otter", math.log(2)).read()


# -- curves --------------------------------------------------------------------------------------------------


@given(
    heights=arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 9)),
        elements=st.integers(0, 7).map(float) | st.just(math.nan),
    )
)
def test_lines_pass_every_dot_between_their_heights(heights: np.ndarray) -> None:
    expected = np.zeros((heights.shape[1], 8), dtype=int)
    for line in heights:
        for column, height in enumerate(line):
            if math.isnan(height):
                continue
            before = line[column - 1] if column and not math.isnan(line[column - 1]) else height
            reach = range(int(min(before, height)), int(max(before, height)) + 1)
            expected[column, [dot for dot in reach if dot != before or before == height]] += 1
    np.testing.assert_array_equal(passing(heights, 8), expected)


def test_a_curve_is_drawn_from_the_first_epoch_to_its_last(view: RaceView) -> None:
    shown = lines(draw_curves(Curves(), view, None, 60, 14, PALETTE, unicode=False))
    frame = frame_of(60, 14, 10)
    assert all(len(line) == 60 for line in shown)
    best = [(line.find("#"), line.rfind("#")) for line in shown if "#" in line]
    assert min(first for first, _ in best) == frame.left
    assert sum(line.count("*") for line in shown) >= 1  # the sign of what has finished
    assert any("1 0.27" in line for line in shown)  # 1/6 + 0.1
    assert "epoch" in shown[-2]
    assert shown[-1].split() == ["1", "2", "4", "6"]


def test_curves_keep_what_has_not_changed(study: Callable[..., Study], ended: Callable[..., None]) -> None:
    made = study()
    made.begin_round()
    ended(made.trials[1], [1.0, 0.1], "training")
    eyes, curves = Reader(made, "x", 1.0), Curves()
    before = curves.rows(eyes.read(), 11).copy()
    assert np.isfinite(before[0]).sum() == 3  # epochs 1 to 2 of 6 on 11 columns
    np.testing.assert_allclose(before[0, :3], [0, -0.5, -1])
    ended(made.trials[2], [1.0] * 6)
    after = curves.rows(eyes.read(), 11)
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], np.zeros(11))
    assert curves.rows(eyes.read(), 5).shape == (6, 5)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (24, 6), (40, 9), (200, 50)])
@pytest.mark.parametrize("unicode", [True, False])
def test_every_size_is_filled(view: RaceView, size: tuple[int, int], unicode: bool) -> None:
    width, height = size
    axes = ("learning_rate", "momentum")
    for strips in (
        draw_curves(Curves(), view, 3, width, height, PALETTE, unicode=unicode),
        draw_map(view, axes, 3, width, height, PALETTE, unicode=unicode),
        draw_board(view, Sight(3), width, height, PALETTE, unicode=unicode),
    ):
        assert [strip.cell_length for strip in strips] == [width] * height
        assert unicode or all(line.isascii() for line in lines(strips))


def test_costs_that_no_axis_can_hold_are_drawn_all_the_same(
    study: Callable[..., Study], ended: Callable[..., None]
) -> None:
    made = study()
    made.begin_round()
    wild = ([math.nan, 0.5], [math.inf], [1e300, 1e-300], [0.0, 0.0], [], [0.7])
    for trial, costs in zip(made.trials.values(), wild, strict=True):
        ended(trial, costs)
    view = Reader(made, "x", math.log(2)).read()
    for width, height in ((58, 17), (30, 8)):
        assert len(draw_curves(Curves(), view, 1, width, height, PALETTE)) == height
        assert len(draw_map(view, ("learning_rate", ""), 1, width, height, PALETTE)) == height


def test_an_empty_race_says_what_is_coming(study: Callable[..., Study]) -> None:
    view = Reader(study(), "x", 1.0).read()
    assert any(
        "the first epochs are on their way" in line
        for line in lines(draw_curves(Curves(), view, None, 60, 14, PALETTE))
    )
    assert len(draw_board(view, Sight(), 60, 5, PALETTE)) == 5


@given(budget=st.integers(1, 100_000), columns=st.integers(10, 200))
def test_epoch_labels_are_in_the_plot_and_apart(budget: int, columns: int) -> None:
    labels = epoch_labels(budget, columns)
    places = [column for column, _ in labels]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] < columns
    assert {"1", str(budget)} <= {label for _, label in labels}


# -- the map -------------------------------------------------------------------------------------------------


def test_a_trial_is_where_its_settings_are(view: RaceView) -> None:
    shown = lines(draw_map(view, ("learning_rate", "momentum"), None, 60, 14, PALETTE))
    frame = frame_of(60, 14)
    knobs = view.knobs
    best = view.best
    assert best is not None
    across, up = (view.places[best.number - 1, knobs.index(k)] for k in ("learning_rate", "momentum"))
    column = frame.left + round(across * (frame.columns - 1))
    row = frame.rows - 1 - round(up * (frame.rows - 1))
    assert shown[row][column] == "★"
    assert sum(line.count("★") for line in shown) == 1
    assert sum(line.count("✖") for line in shown[: frame.rows]) == 1


def test_goodness_is_the_weighted_mean_of_the_trials_around() -> None:
    points = Points(np.array([0.2, 0.8]), np.array([0.5, 0.5]), np.array([0.0, 0.5]), None)
    found = goodness(points, 11, 5)
    assert found is not None
    for row, column in ((2, 2), (2, 3), (1, 2)):
        x, y = column / 10, 1 - row / 4
        weights = [math.exp(-0.5 * (((x - px) / 0.07) ** 2 + ((y - 0.5) / 0.07) ** 2)) for px in (0.2, 0.8)]
        expected = (weights[0] * 1 + weights[1] * 0) / (sum(weights) + 0.6)
        assert found[row, column] == pytest.approx(expected, abs=1e-12)
    assert found[2, 8] == pytest.approx(0, abs=1e-6)  # the worse half casts none
    assert goodness(Points(np.empty(0), np.empty(0), np.empty(0), None), 5, 5) is None


def test_a_box_spans_what_it_spans_of_the_first_space() -> None:
    first = Space(
        (Dimension("learning_rate", "log", 1e-3, 10.0), Dimension("units", "choice", choices=(8, 16, 32, 64)))
    )
    box = Space(
        (Dimension("learning_rate", "log", 0.01, 1.0), Dimension("units", "choice", choices=(16, 32)))
    )
    assert span(first, box, "learning_rate") == pytest.approx((0.25, 0.75))
    assert span(first, box, "units") == pytest.approx((0.25, 0.75))
    assert span(first, first, "units") == (0.0, 1.0)


@pytest.mark.parametrize(
    ("dimension", "labels"),
    [
        (Dimension("learning_rate", "log", 1e-3, 10.0), ["0.001", "0.01", "0.1", "1.0", "10"]),
        (Dimension("momentum", "log1m", 0.9, 0.999), ["0.9", "0.99", "0.999"]),
        (Dimension("momentum", "log1m", 0.0, 0.99), ["0", "0.9", "0.99"]),
        (Dimension("layers", "int", 1, 4), ["1", "2", "3", "4"]),
        (Dimension("activation", "choice", choices=("relu", "leaky_relu")), ["relu", "leaky relu"]),
        (Dimension("decay", "linear", 0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_ticks_are_round_values_where_they_belong(dimension: Dimension, labels: list[str]) -> None:
    found = ticks(dimension)
    assert [label for _, label in found] == labels
    shares = [share for share, _ in found]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_axes_are_all_pairs_or_a_knob_over_the_cost() -> None:
    assert axes_of(("a", "b", "c")) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert axes_of(("a",)) == [("a", "")]


# -- the board -----------------------------------------------------------------------------------------------


def test_the_cursor_stays_on_its_trial_and_in_its_row_while_the_board_fills(
    study: Callable[..., Study], ended: Callable[..., None]
) -> None:
    made = study(trials=60, rounds=1)
    made.begin_round()
    for number in range(1, 31):
        ended(made.trials[number], [1.0 + number / 100])
    eyes = Reader(made, "x", 1.0)
    before = eyes.read()
    sight = moved(before, in_sight(before, Sight(), 10), 14, 10)
    assert (sight.chosen, place_of(before, sight), sight.top) == (15, 14, 5)
    for number in range(31, 36):  # better ones come in above
        ended(made.trials[number], [0.5])
    after = eyes.read()
    kept = followed(before, after, sight, 10)
    assert (kept.chosen, place_of(after, kept), place_of(after, kept) - kept.top) == (15, 19, 9)
    for number in range(36, 61):  # worse ones come in below
        ended(made.trials[number], [3.0])
    assert followed(after, eyes.read(), kept, 10) == kept


def test_until_it_is_moved_the_cursor_is_on_the_best(
    study: Callable[..., Study], ended: Callable[..., None]
) -> None:
    made = study()
    made.begin_round()
    ended(made.trials[4], [0.5])
    eyes = Reader(made, "x", 1.0)
    before = eyes.read()
    ended(made.trials[2], [0.4])
    after = eyes.read()
    sight = followed(before, after, Sight(), 5)
    assert sight == Sight()
    assert [view.trials[int(view.order[place_of(view, sight)])].number for view in (before, after)] == [4, 2]


def test_the_board_in_plain_text(view: RaceView) -> None:
    shown = [line.rstrip() for line in lines(draw_board(view, Sight(2), 80, 8, PALETTE))]
    assert shown == [
        " #  trial  dev cost  right        α       β    decay        λ  status",
        " 1      1      0.27  50.0%     0.08  0.9937  0.00417     8.33  ● finished",
        "▸2      2      0.37  50.0%  0.00856   0.919   0.0212  0.00762  ● finished",
        " 3      3      0.47  50.0%  0.00286  0.9980    0.113    0.504  ● finished",
        " 4      4      0.57  50.0%    0.278   0.983  0.00417  0.00357  ● finished",
        " 5      6      0.80  50.0%    0.224   0.988  0.00224    0.116  epoch 2",
        " 6      5     50.00  50.0%   0.0135   0.972     0.25     1.21  ✖ diverged",
        "",
    ]


def test_a_narrow_board_has_fewer_knobs(view: RaceView) -> None:
    shown = [line.rstrip() for line in lines(draw_board(view, Sight(2), 56, 4, PALETTE, unicode=False))]
    assert shown[0] == " #  trial  dev cost  right        a  status"
    assert shown[2] == ">2      2      0.37  50.0%  0.00856  * finished"
