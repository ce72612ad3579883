"""What a nudge comes to: the value that it sets, and the gesture that it belongs to. Pure functions."""

from collections.abc import Sequence

from pandatui.training.config import ConfigError, check_knob
from pandatui.training.events import Event, Nudge
from pandatui.training.knobs import KNOBS, clean


class NothingToDo(Exception):  # noqa: N818 - an answer, not an error
    """The nudge changes nothing; the message says why, in words."""


def resolve(command: Nudge, before: float, low: float, high: float, optimizer: str) -> float:
    """The value that the knob goes to from `before`. Raises NothingToDo."""
    knob = KNOBS[command.knob]
    if optimizer not in knob.used_by:
        raise NothingToDo(f"{knob.label} is not used by {optimizer}")
    if command.to is not None:
        try:
            after = clean(check_knob(knob.name, command.to, low=low, high=high))
        except ConfigError as error:
            raise NothingToDo(str(error)) from None
    elif command.times is not None:
        after = knob.kept(before * command.times, low, high)
    else:
        after = knob.turned(before, command.notches or 0, low, high)
    if after == before:
        at_limit = before in (low, high)
        raise NothingToDo(f"already at its limit, {before:g}" if at_limit else f"already {before:g}")
    return after


def gesture_number(command: Nudge, events: Sequence[Event]) -> int:
    """The number of the gesture: that of the nudge before where it goes on with it, else the next."""
    nudges = [event for event in events if event.kind == "nudge"]
    highest = max((event.nudge or 0 for event in nudges), default=0)
    last = nudges[-1] if nudges else None
    goes_on = (
        command.continues
        and last is not None
        and last.knob == command.knob
        and last.by == command.by == "you"
        and last.undone_by is None
    )
    return highest if goes_on else highest + 1
