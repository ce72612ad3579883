"""The ladder of paces, and the brake on a held key."""

from pandatui.tui.pace import FASTEST, SLOWEST, next_pace
from pandatui.tui.throttle import Throttle


def test_faster_climbs_to_no_limit_and_slower_descends_to_the_slowest() -> None:
    pace: float | None = 1.0
    climbed = []
    while pace is not None:
        pace = next_pace(pace, 0, True)
        climbed.append(pace)
    assert climbed == [2, 4, 8, 16, 32, 64, None]
    for _ in range(20):
        pace = next_pace(pace, 1000, False)
    assert pace == SLOWEST
    assert next_pace(None, 0, True) is None


def test_from_no_limit_one_comes_down_to_a_pace_that_is_slower() -> None:
    assert [next_pace(None, measured, False) for measured in (0, 1, 3, 9, 100, 1e6)] == [
        1,
        1,
        1,
        4,
        32,
        FASTEST,
    ]


def test_at_most_eight_presses_in_any_second_and_a_few_quick_ones_all_count() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    passed = []
    for now in (i / 30 for i in range(90)):
        if throttle.passes():
            passed.append(now)  # noqa: PERF401 - the clock reads `now`
    assert passed[:8] == [i / 30 for i in range(8)]
    for start in passed:
        assert sum(start <= each < start + 1 for each in passed) <= 8
    assert len(passed) == 24
