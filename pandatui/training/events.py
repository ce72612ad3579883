"""What can be asked of a run (commands), what is on its record (events), and what it tells (facts)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

# -- commands ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nudge:
    """Turn a live knob: by notches, to a value, or times a factor; resolved when applied.

    `continues`: it belongs to the gesture of the nudge before it. The Driver, which has a clock, says so.
    """

    knob: str
    notches: int | None = None
    to: float | None = None
    times: float | None = None
    by: str = "you"
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    pass


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on; after `steps` of them pause again, if given."""

    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Extend:
    """Train up to `epochs` in all."""

    epochs: int


@dataclass(frozen=True, slots=True)
class Note:
    text: str


@dataclass(frozen=True, slots=True)
class Undo:
    """Back to the instant before the last gesture."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Take the last undo or rewind back."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """Back to the instant after `steps` steps."""

    steps: int


@dataclass(frozen=True, slots=True)
class Rescue:
    """After divergence: back to the last good state, with half the learning rate."""


Command = Nudge | Pause | GoOn | Extend | Note | Undo | Redo | Rewind | Rescue

# -- the record ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the record. `step` is the first step that it bears on; what a kind has no use for is None.

    kind: "nudge", "pause", "go on", "extend", "note", "diverged", "undo", "redo", "rewind". `seconds` is
    running time. The last three go `back_to` a number of steps; what is left by them has their id as
    `undone_by`.
    """

    id: int
    step: int
    kind: str
    seconds: float
    knob: str | None = None
    before: float | None = None  # "from" in files
    after: float | None = None  # "to" in files
    by: str | None = None
    nudge: int | None = None
    epochs: int | None = None
    text: str | None = None
    back_to: int | None = None
    undone_by: int | None = None


JUMPS = ("undo", "redo", "rewind")


def last_gesture(events: Sequence[Event]) -> Event | None:
    """The first event of the gesture that an undo would take back."""
    last = next((e for e in reversed(events) if e.kind == "nudge" and e.undone_by is None), None)
    return last and next(e for e in events if e.nudge == last.nudge)


def undone(events: Sequence[Event], after: int, by: int) -> list[Event]:
    """The events with those that come after the id `after` and still stand marked as undone by `by`."""
    return [
        replace(e, undone_by=by) if e.id > after and e.undone_by is None and e.kind not in JUMPS else e
        for e in events
    ]


def brought_back(events: Sequence[Event], by: int) -> list[Event]:
    """The events with those that `by` had undone standing again."""
    return [replace(e, undone_by=None) if e.undone_by == by else e for e in events]


# -- facts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """A command was carried out and is on record."""

    event: Event


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that changes nothing: `reason` says why, in words."""

    command: Command
    reason: str


@dataclass(frozen=True, slots=True)
class EpochDone:
    epoch: int
    step: int
    dev_cost: float
    dev_accuracy: float


@dataclass(frozen=True, slots=True)
class WorseThanGuessing:
    """Dev cost has been at ln C or above for two epochs, after having been below it. A notice, not a stop."""

    since_epoch: int


@dataclass(frozen=True, slots=True)
class Diverged:
    """`cause`: "non-finite" (nothing was changed) or "blown up" (the last 50 costs far above guessing)."""

    step: int
    cause: str
    cost: float


@dataclass(frozen=True, slots=True)
class Finished:
    epochs: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The training thread ended by an error that nobody foresaw."""

    error: BaseException


Fact = Recorded | Refused | EpochDone | WorseThanGuessing | Diverged | Finished | Failed


@dataclass(frozen=True, slots=True)
class Gesture:
    """The nudges of one gesture as one thing to show: marks, undo and verdicts count these."""

    number: int
    knob: str
    first_step: int
    last_step: int
    before: float
    after: float
    by: str
    presses: int
    undone: bool


def gestures(events: tuple[Event, ...] | list[Event]) -> tuple[Gesture, ...]:
    """The gestures on record, in order of their numbers."""
    found: dict[int, Gesture] = {}
    for e in events:
        if e.kind != "nudge":
            continue
        assert e.nudge is not None
        assert e.knob is not None
        assert e.by is not None
        assert e.before is not None
        assert e.after is not None
        old = found.get(e.nudge)
        found[e.nudge] = Gesture(
            number=e.nudge,
            knob=e.knob,
            first_step=old.first_step if old else e.step,
            last_step=e.step,
            before=old.before if old else e.before,
            after=e.after,
            by=e.by,
            presses=(old.presses if old else 0) + 1,
            undone=e.undone_by is not None,
        )
    return tuple(found.values())
