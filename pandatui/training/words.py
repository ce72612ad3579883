"""Numbers and facts in words: the sentences that the screen and the headless report share."""

import math

from pandatui.data import DataError
from pandatui.nn.schedules import halving_epochs
from pandatui.training.events import (
    Diverged,
    EpochDone,
    Event,
    Fact,
    Failed,
    Finished,
    Gesture,
    Nudge,
    Recorded,
    Refused,
    WorseThanGuessing,
)
from pandatui.training.knobs import KNOBS, averages_over


def number(value: float) -> str:
    """Three significant digits, without an exponent where that is shorter: 0.0316, 12.3, 1e-06, 64."""
    if not math.isfinite(value):
        return "∞" if value > 0 else ("−∞" if value < 0 else "no number")
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}"


def knob_value(name: str, value: float) -> str:
    """A knob's value as people read it; β and β2 keep the digits that matter near 1."""
    if name in ("momentum", "second_moment"):
        digits = 3 if value < 0.99 else 4 if value < 0.999 else 5
        return f"{value:.{digits}f}"
    if name == "batch_size":
        return str(int(value))
    return number(value)


def cost(value: float) -> str:
    """A cost with the digits that a person can use: 0.0871, 0.44, 1.10, 2.3e+07."""
    if not math.isfinite(value):
        return "not finite"
    if value >= 10_000:
        return f"{value:.1e}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """8 h 12 min, 3 min 5 s, 48 s."""
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole} s"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def knob_note(name: str, knobs: dict[str, float]) -> str:
    """What a value means: β averages over ~10 steps; with this decay the rate halves at epoch 100."""
    if name in ("momentum", "second_moment"):
        return f"averages over ~{number(round(averages_over(knobs[name])))} steps"
    if name == "decay":
        at = halving_epochs(knobs[name])
        return "rate does not fall by itself" if math.isinf(at) else f"halves α₀ by epoch {number(at)}"
    return ""


def change(before: float, after: float, knob: str) -> str:
    """(×1.26), (×0.5) or nothing where a factor says nothing."""
    if knob in ("momentum", "second_moment"):
        return f"averages over ~{number(round(averages_over(after)))} steps"
    return f"×{after / before:.3g}" if before and after else ""


def nudge_words(event: Event, *, paused: bool) -> str:
    """learning rate 0.0398 (×1.26), in use from step 286."""
    assert event.knob is not None
    assert event.before is not None
    assert event.after is not None
    factor = change(event.before, event.after, event.knob)
    value = f"{KNOBS[event.knob].label} {knob_value(event.knob, event.after)}"
    value = f"{value} ({factor})" if factor else value
    if paused:
        return f"paused: {value}, in use from the next step, {event.step:,}"
    return f"{value}, in use from step {event.step:,}"


def gesture_words(gesture: Gesture) -> str:
    """learning rate 0.1 → 0.316 (5 notches)."""
    knob = gesture.knob
    text = f"{KNOBS[knob].label} {knob_value(knob, gesture.before)} → {knob_value(knob, gesture.after)}"
    return f"{text} ({gesture.presses} presses)" if gesture.presses > 1 else text


def sentence(fact: Fact, *, paused: bool = False) -> str:
    """A fact as one line."""
    match fact:
        case Recorded(event):
            return _event_words(event, paused)
        case Refused(Nudge(knob=knob), reason):
            label = KNOBS[knob].label
            return reason if label in reason else f"{label}: {reason}"
        case Refused(_, reason):
            return reason
        case EpochDone(epoch, _, dev_cost, dev_accuracy):
            return f"epoch {epoch}: dev cost {cost(dev_cost)}, {dev_accuracy:.1%} right"
        case WorseThanGuessing(since):
            return f"worse than guessing since epoch {since}"
        case Diverged(step, "non-finite", _):
            return f"diverged at step {step:,}: the cost or a gradient is not finite; the step was not taken"
        case Diverged(step, _, at):
            return f"diverged by step {step:,}: the last 50 costs are far above guessing (now {cost(at)})"
        case Finished(epochs):
            return f"{plural(epochs, 'epoch')} done"
        case Failed(DataError() as error):
            return f"training stopped: {error}"
        case Failed(error):
            return f"training stopped by an error: {type(error).__name__}: {error}"


def _event_words(event: Event, paused: bool) -> str:
    match event.kind:
        case "nudge":
            return nudge_words(event, paused=paused)
        case "pause":
            return f"paused before step {event.step:,}"
        case "go on":
            return f"going on with step {event.step:,}"
        case "extend":
            return f"going on to epoch {event.epochs:,}"
        case "note":
            return f"note: {event.text}"
        case "diverged":
            return f"diverged at step {event.step:,}: {event.text}"
        case "undo" | "rewind":
            left = event.step - 1 - (event.back_to or 0)
            return f"went back {plural(left, 'step')}, to step {event.back_to:,}. U takes it back."
        case "redo":
            return f"took that back: step {event.back_to:,} again"
        case _:
            return event.kind
