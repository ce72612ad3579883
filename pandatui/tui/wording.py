"""What the screen says, as pure functions from a snapshot to lines of styled text."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from pandatui.plain import plain
from pandatui.training.events import JUMPS, Event, Fact, Gesture, Recorded, Refused, WorseThanGuessing
from pandatui.training.snapshot import Snapshot
from pandatui.training.words import (
    cost,
    duration,
    gesture_words,
    number,
    plural,
    sentence,
)
from pandatui.tui.company import left_alone_words

MUTED = "$muted"
ENDED = "training has ended by an error: q quits"
UNSAVED = ("unsaved · ", "bold $error")  # before the words of what is on no disk yet


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while a run goes on: names and the shape of the network, already cleaned."""

    name: str
    data: str
    network: str
    optimizer: str
    hidden: str
    origin: tuple[str, int] | None = None  # of a branch: its parent's name, and the step

    @classmethod
    def of(
        cls,
        name: str,
        data: str,
        hidden: Iterable[int],
        batch_norm: bool,
        activation: str,
        optimizer: str,
        origin: tuple[str, int] | None = None,
    ) -> "About":
        shape = "-".join(map(str, hidden))
        traits = " BN" if batch_norm else ""
        traits += "" if activation == "relu" else f" {activation.replace('_', ' ')}"
        units = ", ".join(map(str, hidden))
        if origin is not None:
            origin = (plain(origin[0], 40), origin[1])
        return cls(plain(name, 40), plain(data, 40), shape + traits, optimizer, units, origin)


def state_words(s: Snapshot) -> tuple[str, str]:
    """The run's state as a sign with a word, and the style that goes with it."""
    if s.at_end:
        return "○ replay, at its end", "bold $warning"
    if s.speed is not None:
        return ("○ replay, paused", "bold $warning") if s.paused else ("● replay", "bold $success")
    if s.status == "failed":
        return "✖ stopped", "bold $error"
    if s.status == "diverged":
        return "✖ diverged", "bold $error"
    if s.status == "finished":
        return "● done", "bold $success"
    return ("○ paused", "bold $warning") if s.paused else ("● training", "bold $success")


def pace_of(pace: float) -> str:
    return f"{number(pace)} epoch/s" if pace == 1 else f"{number(pace)} epochs/s"


def pace_words(s: Snapshot) -> str:
    """held at 1 epoch/s (> faster), or full pace, 9,100 steps/s."""
    if s.speed is not None:
        return f"×{number(s.speed)} as fast as it was"
    if s.status != "running":
        return ""
    if s.pace is not None:
        return f"held at {pace_of(s.pace)} (> faster)"
    return f"full pace, {s.steps_per_second:,.0f} steps/s" if s.steps_per_second else "full pace"


def status_line(s: Snapshot, about: About, width: int, problem: str = "", mark: str = "") -> Content:
    """The top line; the further right, the sooner it is left out. `mark`: of what goes on besides."""
    sign, style = state_words(s)
    place = f"epoch {s.epoch}/{s.target_epochs}"
    left: list[tuple[str, str]] = []
    details = [about.name, about.data, about.network, about.optimizer]
    if width >= 100:
        left = [(" pandatui ", "bold $primary"), (" ", ""), (" · ".join(details), "")]
    elif width >= 60:
        left = [(f" {about.name} · {about.data}", "")]
    right = [(sign, style), (f" · {place}" if width >= 60 else f" {place}", "")]
    if width >= 100:
        right += [(f" · {words}", MUTED) for words in (pace_words(s), duration(s.seconds)) if words]
    elif width >= 70 and s.pace is not None and s.training and not mark:
        right.append((f" · {pace_of(s.pace)}", MUTED))
    if width < 100 and not math.isnan(s.dev_cost):
        right.append((f" · dev {cost(s.dev_cost)}", "$secondary"))
    if problem:  # more important than what is known anyway
        left, right = [(f" {about.name}", "")] if width >= 60 else [], right[:2] if width >= 60 else []
        right.append((f" · {plain(problem, 60)}" if right else plain(problem, 60), "bold $error"))
    kept = 2
    if mark and width >= 60 and not problem:
        right.insert(kept, (f" · {mark}", "bold $secondary"))
        kept += 1

    def used() -> int:
        return sum(cell_len(text) for text, _ in (*left, *right)) + 1

    while width >= 100 and used() >= width and max(len(right) - kept, len(details) - 2) > 0:  # whole or not
        if len(right) > kept:  # how long it ran, then its pace
            right.pop()
        else:  # the optimizer, then the network
            details.pop()
            left = [*left[:2], (" · ".join(details), "")]
    gap = " " * max(1, width - used()) if left else " "
    return Content.assemble(*left, (gap, ""), *right)


# -- what happened -------------------------------------------------------------------------------------------


def _where(steps: str, epoch: float | None) -> str:
    """The first column; narrower where the epochs are not known."""
    return f"{steps:<14} " if epoch is None else f"{f'{steps} · epoch {int(epoch)}':<26} "


def gesture_line(g: Gesture, epoch: float | None, *, saved: bool = True) -> Content:
    """step 191–199 · epoch 10  you  2  learning rate 0.1 → 0.316 (5 notches)."""
    steps = f"step {g.first_step:,}" + (f"–{g.last_step:,}" if g.last_step != g.first_step else "")
    words = (f"{gesture_words(g)}, undone", MUTED) if g.undone else (gesture_words(g), "")
    number = (f"{g.by:<4} {g.number:>2}  ", MUTED if g.undone else "$accent")
    return Content.assemble((_where(steps, epoch), MUTED), number, *_mark(saved), words)


def _mark(saved: bool) -> list[tuple[str, str]]:
    return [] if saved else [UNSAVED]


def event_line(event: Event, epoch: float | None, *, saved: bool = True) -> Content:
    """An event that is no nudge."""
    where = _where(f"step {event.step:,}", epoch)
    undone = event.undone_by is not None
    words = {
        "pause": "paused",
        "go on": "went on",
        "extend": f"to epoch {event.epochs}",
        "note": f"note: {plain(event.text or '', 300)}",
        "diverged": f"diverged: {plain(event.text or '', 60)}",
        "undo": f"went back to step {event.back_to or 0:,}",
        "rewind": f"went back to step {event.back_to or 0:,}",
        "redo": f"took that back: step {event.back_to or 0:,} again",
    }.get(event.kind, plain(event.kind, 20))
    words += ", undone" if undone and event.kind == "diverged" else ""
    style = MUTED if undone else "bold $error" if event.kind == "diverged" else ""
    where = where if epoch is None else f"{where}         "
    return Content.assemble((where, MUTED), *_mark(saved), (words, style))


def happenings(
    s: Snapshot, about: About, epoch_of: Callable[[int], float | None], most: int, on_disk: int
) -> list[Content]:
    """The gestures and the other events, newest first, at most so many; of a branch, where it began.

    Events with an id above `on_disk` are marked as unsaved, a gesture if its last press is one of them.
    """
    lines: list[tuple[float, Content]] = []
    ids: dict[int, tuple[int, int]] = {}  # of the first and the last event of a gesture
    for e in s.events:
        if e.kind == "nudge" and e.nudge is not None:
            ids[e.nudge] = ids.get(e.nudge, (e.id, 0))[0], e.id
        elif e.kind != "nudge":
            lines.append((e.id, event_line(e, epoch_of(e.step), saved=e.id <= on_disk)))
    for g in s.gestures:
        first, last = ids[g.number]
        lines.append((first, gesture_line(g, epoch_of(g.first_step), saved=last <= on_disk)))
    if about.origin is not None:
        name, step = about.origin
        inherited = max((e.id for e in s.events if e.step <= step and e.kind not in JUMPS), default=0)
        lines.append((inherited + 0.5, origin_line(name, step, epoch_of(step))))
    lines.sort(key=lambda pair: -pair[0])
    return [line for _, line in lines[:most]]


def origin_line(name: str, step: int, epoch: float | None) -> Content:
    """step 498 · epoch 26  branch of brave-otter."""
    where = _where(f"step {step:,}", epoch)
    return Content.assemble((where if epoch is None else f"{where}         ", MUTED), f"branch of {name}")


class EpochOf:
    """step → whole epochs done before it, from the dev points of a snapshot.

    Beyond them, where a stretch was left, as many as its steps would be now.
    """

    def __init__(self, s: Snapshot) -> None:
        self._steps, self._epochs = s.curve.dev_steps, s.curve.dev_epochs
        self._per_epoch = max(1, s.steps_per_epoch)

    def __call__(self, step: int) -> float:
        i = int(self._steps.searchsorted(step))
        epochs, since = (float(self._epochs[i - 1]), float(self._steps[i - 1])) if i else (0.0, 0.0)
        return epochs if i < len(self._steps) else epochs + max(0.0, step - 1 - since) // self._per_epoch


def no_more(s: Snapshot | None) -> str:
    """Why nothing can be turned or trained any more, or an empty string."""
    status = s.status if s is not None else "running"
    back = "u goes back, " if s is not None and s.undo_number else ""
    return {
        "diverged": f"it has diverged: {back}h to the last good state with half the rate",
        "failed": ENDED,
    }.get(status, "")


def no_step(s: Snapshot | None) -> str:
    """Why there are no steps to take, or an empty string."""
    if s is not None and s.status == "finished":
        return f"{plural(s.target_epochs, 'epoch')} done: space goes on"
    return no_more(s)


def answer(fact: Fact, paused: bool) -> tuple[str, str] | None:
    """What to say at once about a fact, and in which style; None where the timer's next look will do."""
    words = sentence(fact, paused=paused)
    match fact:
        case Recorded(event) if event.kind == "pause":
            return f"{words} · . takes one step, r runs some, space goes on", "$warning"
        case Recorded():
            return words, "$accent"
        case Refused():
            return words, "$warning"
        case WorseThanGuessing():
            return f"{words} · u go back before your last nudge · a lower the rate", "bold $warning"
        case _:
            return None


def undo_words(s: Snapshot) -> str:
    return f" · u back to before nudge {s.undo_number}" if s.undo_number else ""


# -- heads and feet ------------------------------------------------------------------------------------------


def best_words(s: Snapshot) -> str:
    """best dev 0.114 at epoch 58."""
    if not s.best_epoch:
        return ""
    return f"best dev {cost(s.best_dev_cost)} at epoch {s.best_epoch}"


def standing(s: Snapshot) -> str:
    """The same with the present accuracy: … · now 84.7% right."""
    words = [best_words(s)] if s.best_epoch else []
    words += [f"now {s.dev_accuracy:.1%} right"] if not math.isnan(s.dev_accuracy) else []
    return " · ".join(words)


def plot_foot(s: Snapshot) -> str:
    """Beside a run left alone: you 0.231 · left alone 0.890 · now 84.7% right; else the best so far."""
    against = left_alone_words(s)
    if not against:
        return standing(s)
    right = f" · now {s.dev_accuracy:.1%} right" if not math.isnan(s.dev_accuracy) else ""
    return against + right


def headline(s: Snapshot, width: int, more: int) -> Content | None:
    """What must be said above everything while it lasts: diverged, or the epochs done."""
    if s.speed is not None:
        return None
    if s.status == "diverged":
        event = next((e for e in reversed(s.events) if e.kind == "diverged"), None)
        cause = "is no longer finite" if event is not None and event.text == "non-finite" else "blew up"
        step = event.step if event is not None else s.steps
        fell = f"✖ the cost {cause} at step {step:,}"
        keys = f"{undo_words(s)} · h last good state, half the rate · q quit"
        return Content.assemble((fell, "bold $error"), (keys if len(fell) + len(keys) <= width else "", ""))
    if s.status == "finished":
        done = f"{plural(s.target_epochs, 'epoch')} done · {best_words(s)}"
        back = " · u back" if s.undo_number else ""
        keys = f" · space {more:,} more{back} · f branch · ctrl+n new run · q quit"
        fits = len(done) + len(keys) <= width  # where it does not, the foot has the keys
        return Content.assemble((done, "bold $success"), (keys if fits else "", ""))
    return None
