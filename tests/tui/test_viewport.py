"""The cursor stays on the curve, jumps find the nearest nudge, zooming keeps what is pointed at in place."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.tui.viewport import NARROWEST, nudge_beyond, within, zoomed


@pytest.mark.parametrize(
    ("step", "steps", "kept"), [(5, 10, 5), (0, 10, 1), (11, 10, 10), (math.inf, 10, 10), (3, 0, 1)]
)
def test_the_cursor_stays_on_the_curve(step: float, steps: int, kept: float) -> None:
    assert within(step, steps) == kept


@pytest.mark.parametrize(
    ("here", "by", "found"), [(1, 1, 5), (5, 1, 9), (9, 1, None), (9, -1, 5), (5, -1, None), (7, -1, 5)]
)
def test_jumps_go_to_the_nearest_nudge_that_way(here: float, by: int, found: int | None) -> None:
    assert nudge_beyond([9, 5, 5], here, by) == found


def test_zooming_in_halves_and_out_doubles_until_all_is_shown() -> None:
    assert zoomed((0, 400), 100, True, 400) == (50, 250)
    assert zoomed((50, 250), 100, False, 400) is None
    assert zoomed((100, 200), 150, False, 400) == (50, 250)
    assert zoomed((0, 12), 6, True, 400) == (1, 11)


numbers = st.floats(0, 1e9)


@given(numbers, st.floats(1, 1e9), numbers, st.booleans(), st.floats(1, 1e9))
def test_a_window_lies_within_the_run_and_is_never_empty(
    first: float, width: float, around: float, closer: bool, whole: float
) -> None:
    window = zoomed((first, first + width), around, closer, whole)
    if window is not None:
        assert window[0] >= 0
        assert window[1] - window[0] >= NARROWEST * (1 - 1e-6)


@given(st.floats(0, 1), st.floats(20, 1e6))
def test_what_is_pointed_at_stays_where_it_is_while_zooming_in(share: float, whole: float) -> None:
    around = share * whole
    window = zoomed((0, whole), around, True, whole)
    assert window is not None
    assert (around - window[0]) / (window[1] - window[0]) == pytest.approx(share, abs=1e-6)
