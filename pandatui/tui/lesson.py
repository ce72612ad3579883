"""The first lesson's four lines, each said when what it speaks of is on the screen."""

from pandatui.training.snapshot import Snapshot
from pandatui.training.words import cost
from pandatui.tui.company import best_left_alone

RAGGED = 1.0  # of the last costs: (highest − lowest) / mean
LATE_EPOCH = 40

START = "Three spirals, a timid learning rate. Press A five times and watch the cost."
FALLING = "Falling faster. Keep raising until the curve gets ragged; then a lowers it."
LOWER = "Now lower it: a five times. Too far? u goes back."


def lesson_line(snapshot: Snapshot) -> str:
    """The line for this moment."""
    if snapshot.status == "finished":
        alone = best_left_alone(snapshot)
        against = f" Left alone: {cost(alone)}." if alone is not None else ""
        return f"You: {cost(snapshot.best_dev_cost)}.{against} Try: pandatui --data digits"
    if snapshot.epoch >= LATE_EPOCH or snapshot.raggedness > RAGGED:
        return LOWER
    raised = any(g.knob == "learning_rate" and g.after > g.before for g in snapshot.gestures if not g.undone)
    return FALLING if raised else START
