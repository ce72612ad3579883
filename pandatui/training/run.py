"""Run: one model's training as a pure, synchronous machine.

The same config and the same commands at the same steps give the same bits. It knows no thread, file,
clock or screen: running time comes in with each command, only to be put on record.
"""

from typing import Any

from pandatui.data import Dataset
from pandatui.training.config import MAX_EPOCHS, RunConfig
from pandatui.training.events import (
    JUMPS,
    Command,
    Diverged,
    Event,
    Extend,
    Fact,
    GoOn,
    Note,
    Nudge,
    Pause,
    Recorded,
    Redo,
    Refused,
    Rescue,
    Rewind,
    Undo,
    brought_back,
    last_gesture,
    undone,
)
from pandatui.training.knobs import clean
from pandatui.training.nudging import NothingToDo, gesture_number, resolve
from pandatui.training.state import RunState
from pandatui.training.timeline import Timeline
from pandatui.training.trainer import Trainer

MAX_NOTE = 2_000
RESCUE_BELOW = 3  # times ln C: the last 50 costs of a good state


class Run(Trainer):
    """A trainer with its record: events, plan, pauses, and the states that one may go back to."""

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.events: list[Event] = []
        self.paused = False
        self._pause_at: int | None = None
        self.timeline = Timeline(self.state())

    # -- stepping ----------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether `step` may be called."""
        return self.status == "running" and not self.paused

    def step(self, seconds: float = 0.0) -> list[Fact]:
        """One mini-batch update, after this step's planned nudges. `seconds`: running time for the record."""
        facts: list[Fact] = []
        plan = self.config.plan
        while self.spent < len(plan) and plan[self.spent].step <= self.steps + 1:
            planned = plan[self.spent]
            self.spent += 1
            nudge = Nudge(planned.knob, to=planned.to, times=planned.times, by="plan")
            facts += self.apply(nudge, seconds)
        facts += self._trained(seconds)
        if self._pause_at is not None and self.steps >= self._pause_at and self.status == "running":
            facts += self.apply(Pause(), seconds)
        return facts

    def _trained(self, seconds: float) -> list[Fact]:
        facts = self.train_step()
        if facts and isinstance(facts[-1], Diverged):
            self._record_divergence(facts[-1], seconds)
        self.timeline.passed(self)
        return facts

    def _record_divergence(self, fact: Diverged, seconds: float) -> None:
        on_record = (e for e in self.events if e.kind == "diverged" and e.undone_by is None)
        if all(event.step != fact.step for event in on_record):  # else it is being trained again
            self._record("diverged", seconds, step=fact.step, text=fact.cause)

    def restore(self, state: RunState) -> None:
        """Back to an earlier state of this run, whole: the next steps have the bits that they had then."""
        super().restore(state)
        self._pause_at = None

    def adopt(self, events: list[Event], steps: int) -> None:
        """Take over a record of so many steps, to be trained again: its events, its plan as far as spent."""
        self.events = list(events)
        reached = plan_reached(events, steps)
        self.spent = sum(planned.step <= reached for planned in self.config.plan)

    def branch(self, events: list[Event]) -> None:
        """Go on from here as a run of its own with these events behind it; nothing was ever abandoned."""
        self.adopt(events, self.steps)
        self.last_event = len(events)
        self.paused, self._pause_at = False, None
        self.timeline = self.timeline.branched(self.state())

    def train_again(self, steps: int, last_event: int) -> None:
        """Go on along the record to `steps`, with the events up to `last_event` that still stand."""
        for event in self.events[self.last_event : last_event]:
            if event.undone_by is None and event.kind in ("nudge", "extend"):
                self._train_to(event.step - 1)
                self._apply_again(event)
                self.last_event = event.id  # states kept on the way have it behind them
        self._train_to(steps)
        self.last_event = last_event

    def _train_to(self, steps: int) -> None:
        while self.steps < steps and self.status != "diverged":
            self._trained(0.0)

    def _apply_again(self, event: Event) -> None:
        if event.kind == "extend" and event.epochs is not None:
            self.target_epochs, self.status = event.epochs, "running"
        elif event.knob is not None and event.after is not None:
            self.set_knob(event.knob, event.after)

    # -- commands ----------------------------------------------------------------------------------------

    def apply(self, command: Command, seconds: float = 0.0) -> list[Fact]:
        """Carry out a command between two steps; what it changes is in use from step `steps + 1` on."""
        match command:
            case Nudge():
                return [self._nudge(command, seconds)]
            case Pause():
                self._pause_at = None
                if self.paused or self.status != "running":
                    return []
                self.paused = True
                self.timeline.asked(self)
                return [self._record("pause", seconds)]
            case GoOn(steps):
                if self.status != "running":
                    return [Refused(command, f"the run has {self.status}")]
                self._pause_at = None if steps is None else self.steps + steps
                if not self.paused:
                    return []
                self.paused = False
                return [self._record("go on", seconds)]
            case Extend(epochs):
                if self.status == "diverged":
                    return [Refused(command, "the run has diverged")]
                if not self.target_epochs < epochs <= MAX_EPOCHS:
                    expected = f"more than {self.target_epochs:,} and at most {MAX_EPOCHS:,} epochs"
                    return [Refused(command, f"expected {expected}")]
                self.target_epochs = epochs
                self.status, self.paused, self._pause_at = "running", False, None
                return [self._record("extend", seconds, epochs=epochs)]
            case Note(text):
                return [self._record("note", seconds, text=text[:MAX_NOTE])]
            case Undo():
                return [self._undo(command, seconds)]
            case Redo():
                return [self._redo(command, seconds)]
            case Rewind(steps):
                if not 0 <= steps < self.steps:
                    return [Refused(command, f"expected a step from 0 to {self.steps - 1:,}")]
                diverged = self.status == "diverged"
                facts: list[Fact] = [self._rewind(steps, seconds)]
                if diverged:  # else it would do so again before anybody has turned a knob
                    facts += self.apply(Pause(), seconds)
                return facts
            case Rescue():
                if self.status != "diverged":
                    return [Refused(command, "the run has not diverged")]
                good = self.timeline.last_good(self, RESCUE_BELOW * self.guessing)
                back = [self._rewind(good, seconds)] if good < self.steps else []
                return [*back, self._nudge(Nudge("learning_rate", times=0.5), seconds)]

    def _nudge(self, command: Nudge, seconds: float) -> Fact:
        before = self.knobs[command.knob]
        low, high = self.limits(command.knob)
        try:
            after = resolve(command, before, low, high, self.config.optimizer)
        except NothingToDo as reason:
            return Refused(command, str(reason))
        number = gesture_number(command, self.events)
        if number != (self.events[-1].nudge if self.events else None):
            self.timeline.asked(self)
        if command.by == "you":
            self.timeline.redoable.clear()
        self.set_knob(command.knob, after)
        return self._record(
            "nudge",
            seconds,
            knob=command.knob,
            before=clean(before),
            after=after,
            by=command.by,
            nudge=number,
        )

    # -- going back and forth ----------------------------------------------------------------------------

    def _undo(self, command: Undo, seconds: float) -> Fact:
        first = last_gesture(self.events)
        if first is None:
            return Refused(command, "no nudge to undo")
        spent = self.spent
        fact = self._leave("undo", first.step - 1, first.id - 1, seconds)
        self.spent = spent
        return fact

    def _rewind(self, steps: int, seconds: float) -> Recorded:
        standing = (
            e.id for e in self.events if e.undone_by is None and e.step <= steps and e.kind not in JUMPS
        )
        fact = self._leave("rewind", steps, max(standing, default=0), seconds)
        self.spent = sum(planned.step <= steps for planned in self.config.plan)
        return fact

    def _leave(self, kind: str, steps: int, last_event: int, seconds: float) -> Recorded:
        """Back to `steps` with the events up to `last_event`; the later ones stay on record as undone."""
        here, number = self.steps + 1, len(self.events) + 1
        self.timeline.leave(self, steps, last_event, number)
        self.events = undone(self.events, last_event, number)
        return self._record(kind, seconds, step=here, back_to=steps)

    def _redo(self, command: Redo, seconds: float) -> Fact:
        if not self.timeline.redoable:
            return Refused(command, "nothing to take back: a nudge since then, or no undo")
        left = self.timeline.redoable.pop()
        here, number, spent = self.steps + 1, len(self.events) + 1, self.spent
        self.events = brought_back(undone(self.events, left.event, number), left.event)
        self.timeline.take_back(self, left)
        self.spent = max(spent, left.end.spent)
        return self._record("redo", seconds, step=here, back_to=self.steps)

    def _record(self, kind: str, seconds: float, step: int | None = None, **what: Any) -> Recorded:
        step = self.steps + 1 if step is None else step
        event = Event(id=len(self.events) + 1, step=step, kind=kind, seconds=round(seconds, 3), **what)
        self.events.append(event)
        self.last_event = event.id
        return Recorded(event)


def plan_reached(events: list[Event], steps: int) -> int:
    """The step up to which the plan is spent, after these events and so many steps.

    A planned nudge of the step ahead may have been applied already, and an undo leaves it spent; only a
    rewind makes it pending again, until a redo takes that rewind back.
    """
    reached = 0
    before: dict[int, int] = {}  # what was reached when the undo or rewind with this id was made
    for event in events:
        planned = event.kind == "nudge" and event.by == "plan"
        reached = max(reached, event.step if planned else event.step - 1)
        if event.kind in ("undo", "rewind"):
            before[event.id] = reached
        if event.kind == "rewind" and event.back_to is not None:
            reached = event.back_to
        elif event.kind == "redo" and before:
            reached = max(reached, before.popitem()[1])
    return max(reached, steps)
