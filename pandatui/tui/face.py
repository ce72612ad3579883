"""The face of the watch screen: all that it shows of one snapshot, computed before anything is drawn."""

from dataclasses import dataclass

from textual.content import Content

from pandatui.plain import plain
from pandatui.training.knobs import KNOBS, LIVE
from pandatui.training.snapshot import Snapshot
from pandatui.tui import knob_wording, wording
from pandatui.tui.charting import Look, chart_of
from pandatui.tui.foot import foot
from pandatui.tui.lesson import lesson_line
from pandatui.tui.plotting import Chart
from pandatui.tui.wording import About


@dataclass(frozen=True, slots=True)
class Space:
    """How much room there is. `tiny` has the status line and the curve alone."""

    width: int
    log_width: int
    log_height: int
    tiny: bool
    wide: bool


@dataclass(frozen=True, slots=True)
class Hand:
    """What a person has in hand: the picked knob, the size of a notch, whether the lesson is wanted."""

    picked: str = "learning_rate"
    coarse: bool = False
    lesson: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What was said last, until when (monotonic seconds), and the event that it is about, 0 for none."""

    words: Content
    until: float
    event: int = 0

    def marked(self, on_disk: int) -> Content:
        """The words, marked while the event is on no disk."""
        return self.words if self.event <= on_disk else Content.assemble(wording.UNSAVED, self.words)


@dataclass(frozen=True, slots=True)
class Aside:
    """What goes on besides: a few words for the head, and lines for the log, each a label and words."""

    mark: str = ""
    news: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    status: Content
    chart: Chart
    plot_title: str
    plot_foot: str
    knobs: list[Content]
    knob_line: Content
    log: list[Content]
    foot: Content


def face_of(
    s: Snapshot,
    about: About,
    look: Look,
    hand: Hand,
    *,
    said: Said | None,
    on_disk: int,
    problem: str,
    more: int,
    space: Space,
    aside: Aside = Aside(),
) -> Face:
    """`on_disk`: the id of the last event there. `more`: the epochs that `space` goes on for at the end."""
    message = said.marked(on_disk) if said is not None else None
    status = wording.status_line(
        s, about, space.width, "" if s.status == "failed" and not space.tiny else problem, aside.mark
    )
    if space.tiny and message is not None:
        status = Content(" ") + message
    zoomed = " · zoomed, Z shows all" if look.window else ""
    used = [name for name in LIVE if about.optimizer in KNOBS[name].used_by]
    return Face(
        status=status,
        chart=chart_of(s, look),
        plot_foot=wording.plot_foot(s),
        plot_title=f"cost, nats ({'log' if look.log_axis else 'linear'} axis){zoomed}",
        knobs=knob_wording.knob_rows(s, about, hand.picked, used),
        knob_line=knob_wording.knob_line(s, hand.picked, hand.coarse, space.width),
        log=_log(s, about, message, aside, hand.lesson, on_disk, problem, more, space),
        foot=foot(s, space.width, more, at_cursor=look.cursor is not None),
    )


def _log(
    s: Snapshot,
    about: About,
    message: Content | None,
    aside: Aside,
    lesson: bool,
    on_disk: int,
    problem: str,
    more: int,
    space: Space,
) -> list[Content]:
    """What must be said, what was just done, what happened before it, newest first; the lesson last."""
    room = max(1, space.log_height)
    head = wording.headline(s, space.log_width, more)
    if s.status == "failed":
        head = Content.styled(f"✖ {plain(problem)} · what there is will be saved · q quits", "bold $error")
    news = [Content.assemble((f"{label:<6} ", "bold $secondary"), words) for label, words in aside.news]
    lines = [line for line in (head, message) if line is not None] + news
    said = _lesson(s, space.wide) if lesson and s.status not in ("diverged", "failed") else None
    left = max(0, room - len(lines) - (said is not None))
    epoch_of = wording.EpochOf(s) if space.wide else lambda step: None  # no room for them
    lines += wording.happenings(s, about, epoch_of, left, on_disk)
    if said is not None:
        lines += [Content("")] * (room - 1 - len(lines)) + [said]
    return lines[:room]


def _lesson(s: Snapshot, wide: bool) -> Content:
    words = lesson_line(s)
    if not wide:
        return Content.styled(words, "$secondary")
    return Content.assemble(("lesson  ", "bold $secondary"), words, ("   esc hides this", wording.MUTED))
