"""The cost chart: golden pictures of small charts, the two maps of the mouse, and any data at any size."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rich.cells import cell_len

from pandatui.tui.axes import Scale, cost_ticks, frame_of, tick_text
from pandatui.tui.chart import Band, cost_text, epoch_at, step_of_epoch
from pandatui.tui.curves import extremes, smoothed
from pandatui.tui.plotting import (
    Chart,
    Curve,
    Mark,
    Palette,
    Trace,
    column_of,
    draw,
    reading_text,
    readings,
    sparkline,
    step_at,
)

DARK = Palette("#1e1e1e", "#e0e0e0", "#8f8f8f", "#4db2ff", "#ffa62b", "#c792ea", "#ff5c7a", "#7fa07f")
NOTHING = np.empty(0)
EMPTY = Chart(0, 400, Curve(NOTHING, NOTHING, NOTHING, NOTHING), NOTHING, NOTHING, math.log(3), NOTHING, 20)


def falling(steps: int = 200, view: float = 400, **fields: object) -> Chart:
    """A cost that halves every 100 steps, with a band of a quarter around it and an epoch every 20 steps."""
    at = np.arange(1.0, steps + 1)
    cost = 1.1 * 0.5 ** (at / 100)
    epochs = np.arange(20.0, steps + 1, 20)
    chart = Chart(
        0,
        view,
        Curve(at, cost * 0.8, cost, cost * 1.25),
        epochs,
        1.3 * 1.1 * 0.5 ** (epochs / 100),
        math.log(3),
        epochs,
        20,
        marks=(Mark(100, 1, "α↑"),),
        rate_steps=np.array([1.0, 100.0]),
        rates=np.array([0.0316, 0.316]),
    )
    return replace(chart, **fields)


def text(chart: Chart, width: int = 60, height: int = 14, *, unicode: bool = True) -> list[str]:
    return [strip.text for strip in draw(chart, width, height, DARK, unicode=unicode)]


def colours(chart: Chart, row: int, column: int) -> str:
    """The colour of one cell of the 60×14 picture."""
    strip = draw(chart, 60, 14, DARK)[row].crop(column, column + 1)
    style = next(iter(strip)).style
    assert style is not None
    assert style.color is not None
    return style.color.name


# -- pictures --

GOLDEN_ASCII = r"""
      |             1 a+
      |::o          |
  1.0 +**:--o. . . . . . . . . . . . . . . .  guessing 1.10
      |:*****-o--o  |
  0.7 + ::::*****:--o
      |     :::::****-o--o
  0.5 +         :::::****:-o:
      |             |::::****-o--o dev 0.36
  0.3 +                 :::::****:
      |             |       :::::* train 0.28
  0.2 +                         ::
    a |_____________############## 0.316
      ++------------+------------+-----------+-------- epoch
       0            5            10          15           20
"""

GOLDEN_BRAILLE = r"""
      │             1 α↑
      │⡆⡆●          ┊
  1.0 ┤⠒⢄⡀⠁⠐●⢀⋯⋯⋯⋯⋯⋯┊⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯⋯ guessing 1.10
      │⠇⡇⠈⠑⠢⢄⡀●⠐⠄●  ┊
  0.7 ┤  ⠁⠃⠇⡇⠈⠒⠤⣀⡇⠑⠢●⡀
      │     ⠁⠃⠇⡇⡇⠉⠒⠤⣀⠈●⠢⢄●
  0.5 ┤         ⠁⠃⠇⡇┊⠑⠢⢄⡀⠈⠐●⡀
      │             ┊⠃⠇⡇⠈⠑⠢⢄⠈⠑●⠄⢀● dev 0.36
  0.3 ┤             ┊   ⠁⠃⡇⡇⠉⠒⠤⣀⡇⡇
      │             ┊      ⠁⠃⠇⡇⡇⠉⠂ train 0.28
  0.2 ┤             ┊          ⠁⠃⠃
    α │▁▁▁▁▁▁▁▁▁▁▁▁▁██████████████ 0.316
      └┬────────────┬────────────┬───────────┬──────── epoch
       0            5            10          15           20
"""


def test_golden_picture_in_ascii():
    assert [row.rstrip() for row in text(falling(), unicode=False)] == GOLDEN_ASCII.strip("\n").split("\n")


def test_golden_picture_in_braille():
    assert [row.rstrip() for row in text(falling())] == GOLDEN_BRAILLE.strip("\n").split("\n")


def test_an_empty_chart_has_axes_guessing_and_a_friendly_word():
    rows = text(EMPTY)
    picture = "\n".join(rows)
    assert "the first steps are on their way" in picture
    assert "guessing 1.10" in picture
    assert "epoch" in picture
    assert "⋯" in picture


def test_the_train_line_has_its_colour_and_the_dev_point_its_own():
    rows = text(falling())
    row = next(i for i, line in enumerate(rows) if "train" in line)
    assert colours(falling(), row, rows[row].index("train")) == DARK.train
    row = next(i for i, line in enumerate(rows) if "●" in line)
    assert colours(falling(), row, rows[row].index("●")) == DARK.dev


def test_names_and_values_stand_at_the_right_ends_and_apart():
    for view in (200, 220, 300, 400):
        for ratio in (0.98, 1.0, 1.02):
            chart = falling(view=view)
            close = replace(chart, dev_costs=1.1 * ratio * 0.5 ** (chart.dev_steps / 100))
            picture = "\n".join(text(close))
            assert re.search(r"train 0\.28", picture)
            assert re.search(r"dev 0\.2[78]", picture)


def test_one_dev_point_an_epoch_thinned_where_they_would_touch():
    assert sum(row.count("●") for row in text(falling())) == 10
    long = falling(steps=8000, view=8000)
    for row in text(long):
        assert "●●" not in row


def test_a_spike_of_one_step_stays_visible():
    chart = falling(steps=100_000, view=100_000)
    flat = np.full(100_000, 0.5)
    spiked = flat.copy()
    spiked[70_123] = 1.0
    calm = replace(
        chart, train=Curve(chart.train.steps, flat, flat, flat), dev_costs=chart.dev_costs * 0 + 0.5
    )
    loud = replace(calm, train=Curve(chart.train.steps, flat, flat, spiked))
    column = column_of(chart, 70_124, 60)
    assert column is not None
    assert [row[column] for row in text(calm)] != [row[column] for row in text(loud)]
    assert sum(row[column] not in " ⋯" for row in text(loud)) >= 4


def test_where_the_curve_passes_three_times_guessing_an_arrow_says_so():
    chart = falling()
    wild = chart.train.mean.copy()
    wild[120:140] = 50.0
    chart = replace(chart, train=Curve(chart.train.steps, wild, wild, wild))
    rows = text(chart)
    column = column_of(chart, 130, 60)
    assert column is not None
    assert rows[1][column] == "▲"
    assert not any(re.match(r"\s*[4-9]\.|\s*\d\d", row) for row in rows[:-1])


def test_an_infinite_cost_is_a_gap_that_leaves_the_top():
    chart = falling()
    high = chart.train.high.copy()
    high[60] = np.inf
    mean = chart.train.mean.copy()
    mean[60] = np.inf
    broken = replace(chart, train=Curve(chart.train.steps, chart.train.low, mean, high))
    column = column_of(broken, 61, 60)
    assert column is not None
    assert text(broken)[1][column] == "▲"


def test_a_diverged_run_ends_at_a_cross():
    chart = falling(diverged_at=200)
    rows = text(chart)
    column = column_of(chart, 200, 60)
    assert [row.index("✖") for row in rows if "✖" in row] == [column]
    assert "X" in "".join(text(chart, unicode=False))


def test_a_mark_stands_exactly_at_its_step():
    chart = falling()
    rows = text(chart)
    column = column_of(chart, 100, 60)
    assert column is not None
    assert rows[0].index("1 α↑") == column
    assert any(row[column] == "┊" for row in rows[1:])


def test_marks_that_crowd_merge_into_a_count():
    near = tuple(Mark(100 + 4 * i, 2 + i, "α↑") for i in range(3))
    assert "2–4" in text(falling(marks=near))[0]
    apart = (Mark(100, 2, "α↑"), Mark(104, 5, "β↓"), Mark(108, 9, "α↑"))
    assert "3 nudges" in text(falling(marks=apart))[0]
    many = tuple(Mark(2 * i, 1 + i, "α↑") for i in range(200))
    spans = [span.split("–") for span in text(falling(marks=many))[0][7:].split()]
    assert spans[0][0] == "1"
    assert spans[-1][1] == "200"
    assert all(int(left[1]) + 1 == int(right[0]) for left, right in pairwise(spans))


def test_the_strip_shows_the_rate_in_use():
    row = next(row for row in text(falling()) if row.lstrip().startswith("α"))
    bars = row[7:]
    assert set(bars.split(" ")[0]) == {"▁", "█"}
    assert bars.index("█") + 7 in (column_of(falling(), 100, 60), column_of(falling(), 104, 60))
    assert "0.316" in bars
    flat = next(r for r in text(falling(rates=np.array([0.1, 0.1]))) if r.lstrip().startswith("α"))
    assert set(flat[7:].split(" ")[0]) == {"▁"}


def test_the_cursor_draws_a_line_and_reads_the_values():
    chart = falling(cursor=150.0)
    rows = text(chart)
    column = column_of(chart, 150, 60)
    assert column is not None
    assert "step 150 · train 0.39 · dev 0.54 · α 0.316" in rows[0]
    assert "step 150 · epoch 7.5 · train 0.39 · dev 0.54 · α 0.316" in text(chart, 80)[0]
    assert text(chart, 30)[0].strip() == "│train 0.39 · dev 0.54"
    assert sum(row[column] == "│" for row in rows) >= 5


def test_ghosts_and_the_latest_abandoned_stretch_carry_their_name():
    line = Trace("left alone", np.arange(1.0, 200), np.full(199, 0.9))
    assert "left alone" in "\n".join(text(falling(ghosts=(line,))))
    older = Trace("older", np.arange(1.0, 200), np.full(199, 0.7))
    drawn = "\n".join(text(falling(abandoned=(older, line))))
    assert "left alone" in drawn
    assert "older" not in drawn
    assert drawn != "\n".join(text(falling(abandoned=(line,))))


def test_a_dimmed_line_beyond_the_range_leaves_the_picture_alone():
    line = Trace("", np.arange(1.0, 200), np.full(199, 1e-6))
    assert text(falling(abandoned=(line,))) == text(falling())


def test_a_name_from_a_file_never_breaks_a_cell():
    line = Trace("\x1b[31m竹\u0301\x00", np.arange(1.0, 200), np.full(199, 0.9))
    for strip in draw(falling(ghosts=(line,), x_label="竹 \x07"), 60, 14, DARK):
        assert strip.text.isprintable()
        assert cell_len(strip.text) == 60


def test_ascii_is_ascii():
    trace = Trace("Käse ↑", np.arange(1.0, 200), np.full(199, 0.9))
    chart = falling(
        ghosts=(trace,), abandoned=(trace,), diverged_at=200, marks=(Mark(50, 1, "β↓"), Mark(52, 2, "λ↑"))
    )
    for picture in (chart, replace(chart, cursor=30.0), EMPTY):
        assert all(row.isascii() for row in text(picture, unicode=False))


def test_the_linear_axis_starts_at_zero():
    rows = text(falling(log_axis=False))
    assert any(row.lstrip().startswith("0.0") for row in rows)


def test_the_range_holds_still_while_a_curve_grows_by_a_few_steps():
    labels = {tuple(row[:7] for row in text(falling(steps=n))) for n in range(190, 198)}
    assert len(labels) <= 2


def test_below_20_by_6_the_curve_alone_is_drawn():
    picture = "".join(text(falling(), 19, 5))
    assert not set(picture) & set("│└⋯α")
    assert picture.strip()


def test_drawing_twice_gives_the_same_and_leaves_nothing_behind():
    first = text(falling())
    text(EMPTY)
    text(falling(steps=100), 90, 20)
    assert text(falling()) == first


# -- the maps --


@settings(deadline=None)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 60),
    first=st.floats(-1e6, 1e6),
    length=st.floats(1.0, 1e7),
)
def test_every_column_maps_to_a_step_and_back(width: int, height: int, first: float, length: float):
    chart = replace(EMPTY, first=first, last=first + length)
    frame = frame_of(width, height)
    steps = [step_at(chart, column, width, height) for column in range(frame.left, frame.right)]
    assert steps == sorted(steps)
    back = [column_of(chart, step, width, height) for step in steps]
    assert back == list(range(frame.left, frame.right))


def test_columns_rise_with_steps_and_end_at_the_edges():
    columns = [column_of(falling(), step, 60) for step in range(401)]
    assert columns[0] == 7
    assert columns[-1] == 58
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(columns))
    assert column_of(falling(), -1, 60) is None
    assert column_of(falling(), 401, 60) is None


@settings(deadline=None)
@given(step=st.floats(0, 2000))
def test_epochs_and_steps_are_each_others_inverse(step: float):
    ragged = replace(EMPTY, epoch_steps=np.array([20.0, 40.0, 45.0, 50.0]), steps_per_epoch=7.0)
    assert step_of_epoch(ragged, epoch_at(ragged, step)) == pytest.approx(step, abs=1e-6)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 8, 14, 30])
@pytest.mark.parametrize(
    ("low", "high"), [(0.3, 1.1), (0.001, 3.0), (1e-9, 1e-8), (0.5, 0.8), (0.09, 1.2), (20, 900)]
)
def test_ticks_are_unique_rising_and_short(log: bool, rows: int, low: float, high: float):
    scale = Scale(log, *((math.log10(low), math.log10(high)) if log else (low, high)))
    ticks = cost_ticks(scale, rows)
    values = [float(label) for label in ticks.values()]
    assert values == sorted(set(values), reverse=True)
    assert all(len(label) <= 6 for label in ticks.values())
    assert len(ticks) >= (2 if rows >= 8 else 0)
    assert all(0 <= row < rows for row in ticks)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, "1.0"), (1.1, "1.1"), (0.8, "0.8"), (0.15, "0.15"), (0.002, "0.002"), (5e-4, "5e-4"),
     (1.2e-5, "1.2e-5"), (20.0, "20"), (110.0, "110")],
)  # fmt: skip
def test_a_tick_has_two_significant_digits(value: float, expected: str):
    assert tick_text(value) == expected


# -- the numbers --


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(1.0986, "1.10"), (0.381, "0.38"), (0.0871, "0.087"), (0.00512, "0.0051"),
     (2e-5, "2e-05"), (17.3, "17.30"), (542.1, "542"), (0.0, "0.00"), (math.inf, "inf")],
)  # fmt: skip
def test_costs_are_written_short(cost: float, expected: str):
    assert cost_text(cost) == expected


def test_readings_are_the_charts_own_numbers():
    assert readings(falling(), 100) == (
        ("step", "100"), ("epoch", "5.0"), ("train", "0.55"), ("dev", "0.72"), ("α", "0.316"),
    )  # fmt: skip
    assert readings(falling(), 99)[-1] == ("α", "0.0316")
    assert reading_text(falling(), 10) == "step 10 · epoch 0.5 · train 1.03 · α 0.0316"
    assert [label for label, _ in readings(falling(), 390)] == ["step", "epoch", "dev", "α"]
    assert readings(EMPTY, 3.0) == (("step", "3"), ("epoch", "0.1"))


def test_smoothing_is_bias_corrected_and_keeps_gaps():
    values = np.array([1.0, 1.0, np.nan, 1.0, 2.0])
    line = smoothed(values, 4, log=False)
    assert np.isnan(line[2])
    assert line[[0, 1, 3]] == pytest.approx([1.0, 1.0, 1.0])
    # by hand: weights 1/4 · (3/4)^k for k = 0 … 3 behind the last value, over their sum 1 − (3/4)^4
    assert line[4] == pytest.approx(1 + 0.25 / (1 - 0.75**4))
    # in the log the average of e⁰ and e² by halves is not (1 + e²)/2
    assert smoothed(np.exp([0.0, 2.0]), 2, log=True)[1] == pytest.approx(
        math.exp(0.25 / 0.75 * 0 + 0.5 / 0.75 * 2)
    )


def test_decimation_keeps_each_columns_extremes():
    shares, costs = np.linspace(0, 1, 10_001), np.ones(10_001)
    costs[5_003], costs[7_777] = 9.0, -3.0
    few, kept = extremes(shares, costs, 50)
    assert len(few) <= 102
    assert {9.0, -3.0} <= set(kept)
    assert (np.diff(few) >= 0).all()


def test_sparkline():
    assert sparkline(np.array([1.0, 0.5, 0.0]), 5) == "█▅▁  "
    assert sparkline(np.array([0.0, 1.0]), 2, False) == "_#"
    assert sparkline(np.array([np.nan, 2.0, np.inf]), 3) == " ▁█"
    assert sparkline(NOTHING, 4) == "    "
    assert sparkline(np.linspace(0, 1, 1000), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([np.nan]), 3) == "   "


# -- beside the run --

GOLDEN_BAND = r"""
      |             1 a+
      |  o'         |
  1.0 +**%--o' . . . . . . . . . . . . . . .  guessing 1.10
      | *****-o--o  |
  0.7 +  ''%*****%--o'
      |     '''%%****-o--o
  0.5 +         '''%%****%-o'
      |             |''%%****-o--o dev 0.36
  0.3 +                 ''%%%****% 5 seeds
      |             |      '''%%%* train 0.28
  0.2 +                        '''
    a |_____________############## 0.316
      ++------------+------------+-----------+-------- epoch
       0            5            10          15           20
"""

GOLDEN_OTHERS = r"""
      |             1 a+
  1.5 +   ~         |
      |. o-~o~~~ . . . . . . . . . . . . . .  guessing 1.10
  1.0 +*****--o-~B  |
      |    ******o--o~~ B wren
      |  A~~~   *****-o--o
  0.5 +      ~~~     *****-o
      |         ~~~~~    *****o--o otter 0.36
  0.3 +              ~A~~~    **** otter 0.28
      |             |     ~~~~~
  0.2 +                        ~~A A calm-fox
    a |_____________############## 0.316
      ++------------+------------+-----------+-------- epoch
       0            5            10          15           20
"""
AT = np.arange(20.0, 201, 20)
FALLS = 1.3 * 1.1 * 0.5 ** (AT / 100)


def test_a_band_of_seeds_takes_the_place_of_the_mini_batches():
    """Least, mean − sd, mean, mean + sd, greatest: told apart without colour."""
    band = Band("5 seeds", AT, *(FALLS * share for share in (0.6, 0.7, 0.8, 0.9, 1.0)))
    rows = [row.rstrip() for row in text(falling(band=band), unicode=False)]
    assert rows == GOLDEN_BAND.strip("\n").split("\n")
    assert {"▒", "░"} <= set("".join(text(falling(band=band))))


def test_other_runs_have_a_letter_on_their_lines_and_at_their_ends():
    others = (
        Trace("A calm-fox", AT, FALLS * 0.5, points=True, sign="A"),
        Trace("B wren", AT[:6], FALLS[:6] * 1.2, points=True, sign="B"),
    )
    rows = text(falling(others=others, names=("otter", "otter")), unicode=False)
    assert [row.rstrip() for row in rows] == GOLDEN_OTHERS.strip("\n").split("\n")


def test_in_a_narrow_plot_the_names_of_others_are_their_letters():
    other = Trace("A calm-fox", AT, FALLS * 0.5, points=True, sign="A")
    wide, narrow = ("\n".join(text(falling(others=(other,)), width)) for width in (60, 34))
    assert "A calm-fox" in wide
    assert "calm" not in narrow
    assert "A" in narrow


def test_an_epoch_that_took_next_to_no_step_is_drawn():
    odd = replace(EMPTY, first=5e-324, last=10.0, epoch_steps=np.array([2e-309]), steps_per_epoch=1.0)
    assert "epoch" in "\n".join(text(odd))


def test_what_is_beside_the_run_is_within_the_range():
    """A ghost that does better than the run by far is not below the plot."""
    ghost = Trace("left alone", AT, FALLS / 10, points=True)
    rows = text(falling(ghosts=(ghost,)))
    assert sum("○" in row for row in rows) >= 4
    assert "left alone" in "\n".join(rows)


# -- anything --

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
USUAL = st.floats(1e-3, 10)


@st.composite
def charts(draw_from: st.DrawFn) -> Chart:
    """Charts of any numbers in arrays of equal lengths, now and then too long, unsorted, huge or empty."""

    def arrays(length: int) -> np.ndarray:
        return draw_from(hnp.arrays(np.float64, length, elements=draw_from(st.sampled_from([ANY, USUAL]))))

    def steps(length: int) -> np.ndarray:
        return np.arange(1.0, length + 1) if draw_from(st.booleans()) else arrays(length)

    sizes = st.integers(0, 40)
    n, e, r, t = (draw_from(sizes) for _ in range(4))
    points, sign = draw_from(st.booleans()), draw_from(st.sampled_from(["", "A"]))
    trace = Trace(draw_from(st.text(max_size=8)), steps(t), arrays(t), points=points, sign=sign)
    band = Band("5 seeds", steps(t), *(arrays(t) for _ in range(5)))
    number = st.one_of(USUAL, ANY)
    marks = draw_from(
        st.lists(st.builds(Mark, st.integers(-5, 10**18), st.integers(0, 999), st.text(max_size=5)))
    )
    return Chart(
        draw_from(number),
        draw_from(st.one_of(st.floats(10, 50), ANY)),
        Curve(steps(n), arrays(n), arrays(n), arrays(n)),
        steps(e),
        arrays(e),
        draw_from(number),
        steps(e),
        draw_from(number),
        marks=tuple(marks),
        rate_steps=steps(r),
        rates=arrays(r),
        abandoned=(trace,),
        ghosts=(trace,),
        others=(trace, replace(trace, sign="B"))[: draw_from(st.integers(0, 2))],
        band=draw_from(st.sampled_from([None, band])),
        log_axis=draw_from(st.booleans()),
        smoothing=draw_from(st.integers(0, 20)),
        cursor=draw_from(st.one_of(st.none(), number)),
        diverged_at=draw_from(st.one_of(st.none(), st.integers(0, 50))),
        x_label=draw_from(st.sampled_from(["epoch", "step", "", "a very long name of an axis indeed"])),
    )


@settings(max_examples=250, deadline=None)
@given(chart=charts(), width=st.integers(1, 200), height=st.integers(1, 60), unicode=st.booleans())
def test_any_chart_at_any_size_is_drawn(chart: Chart, width: int, height: int, unicode: bool):
    strips = draw(chart, width, height, DARK, unicode=unicode)
    assert len(strips) == height
    for strip in strips:
        assert strip.cell_length == width
        assert sum(cell_len(segment.text) for segment in strip) == width
        assert unicode or strip.text.isascii()


@pytest.mark.parametrize("unicode", [True, False])
def test_every_small_size_is_drawn(unicode: bool):
    chart = falling(diverged_at=200, cursor=30.0)
    for width in range(1, 45):
        for height in range(1, 15):
            for strip in draw(chart, width, height, DARK, unicode=unicode):
                assert sum(cell_len(segment.text) for segment in strip) == width


@settings(deadline=None)
@given(
    values=hnp.arrays(np.float64, st.integers(0, 50), elements=ANY),
    width=st.integers(0, 40),
    unicode=st.booleans(),
)
def test_any_sparkline_is_as_wide_as_asked(values: np.ndarray, width: int, unicode: bool):
    assert cell_len(sparkline(values, width, unicode)) == width


@settings(deadline=None)
@given(chart=charts(), step=ANY)
def test_anything_can_be_read(chart: Chart, step: float):
    assert all(isinstance(part, str) for pair in readings(chart, step) for part in pair)
    column_of(chart, step, 80, 20)
    step_at(chart, 40, 80, 20)


def test_the_name_of_an_abandoned_stretch_stands_at_the_end_that_is_seen():
    """Its last costs lie out of range: the name is where the line was last seen."""
    costs = np.concatenate([np.full(120, 0.6), np.full(80, 1e-9)])
    rows = text(falling(abandoned=(Trace("undone", np.arange(1.0, 201), costs),)))
    assert sum("undone" in row for row in rows) == 1
