"""Where a person looks along the curve: the cursor, the way from nudge to nudge, the zoom. Pure functions."""

from collections.abc import Iterable

NARROWEST = 10.0  # steps in view at the least

Window = tuple[float, float]


def within(step: float, steps: int) -> float:
    """The step itself, kept on the curve."""
    return min(max(1.0, step), max(1.0, float(steps)))


def nudge_beyond(firsts: Iterable[int], here: float, by: int) -> int | None:
    """The first step of the nearest nudge right (`by` > 0) or left of `here`, if there is one."""
    if by > 0:
        return min((step for step in firsts if step > here + 0.5), default=None)
    return max((step for step in firsts if step < here - 0.5), default=None)


def zoomed(shown: Window, around: float, closer: bool, whole: float) -> Window | None:
    """The window after a turn: half or twice the steps, `around` where it was; None is the whole run."""
    first, last = shown
    width = max(1.0, last - first)
    share = min(1.0, max(0.0, (around - first) / width))
    span = max(NARROWEST, width * (0.5 if closer else 2.0))
    if not closer and span >= whole:
        return None
    start = max(0.0, min(around - share * span, whole - span))
    return start, start + span
