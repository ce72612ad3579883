"""Run: one model's training as a pure, synchronous machine.

The same config and the same commands at the same steps give the same bits. It knows no thread, file,
clock or screen: running time comes in with each command, only to be put on record.
"""

import hashlib
import math
from typing import Any

import numpy as np

from pandatui.data import Dataset
from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.nn.schedules import base_for, rate_in_use
from pandatui.training.batches import Batches
from pandatui.training.config import MAX_EPOCHS, RunConfig, check_knob
from pandatui.training.events import (
    JUMPS,
    Command,
    Diverged,
    EpochDone,
    Event,
    Extend,
    Fact,
    Finished,
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
    WorseThanGuessing,
    brought_back,
    last_gesture,
    undone,
)
from pandatui.training.history import History, StepFunction
from pandatui.training.knobs import KNOBS, clean
from pandatui.training.nudging import NothingToDo, gesture_number, resolve
from pandatui.training.state import Evaluation, RunState
from pandatui.training.timeline import Timeline

BLOWN_UP_WINDOW = 50  # steps
BLOWN_UP_FACTOR = 10  # times ln C
MAX_NOTE = 2_000
RESCUE_BELOW = 3  # times ln C: the last 50 costs of a good state


class Run:
    """`status`: "running" until the epochs are done ("finished") or it has "diverged"; `paused` is apart.

    Raises ConfigError for a batch size, at the start or planned, that the data don't allow.
    """

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        self.config = config
        self.dataset = dataset
        for value in (config.batch_size, *(n.to for n in config.plan if n.knob == "batch_size")):
            if value is not None:
                low, high = self.limits("batch_size")
                check_knob("batch_size", value, low=low, high=high)
        start, shuffle = (np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(2))
        architecture = Architecture(
            dataset.n_features, config.hidden, dataset.n_classes, config.activation, config.batch_norm
        )
        network = Network(architecture, members=1, dtype=config.dtype)
        network.initialise([start])
        self.network = network
        self.learner = Learner(network, Optimizer(config.optimizer, network.parameters))
        self.batches = Batches(len(dataset.train), shuffle)
        self.history = History()
        self.rates = StepFunction()
        self.events: list[Event] = []
        self.steps = 0
        self.last_event = 0
        self.epoch = 0
        self.target_epochs = config.epochs
        self.status = "running"
        self.paused = False
        self.guessing = math.log(dataset.n_classes)
        self.knobs: dict[str, float] = {
            "learning_rate": check_knob("learning_rate", config.learning_rate),
            "momentum": config.momentum,
            "second_moment": config.second_moment,
            "decay": config.decay,
            "l2": config.l2,
            "batch_size": config.batch_size,
        }
        self.base_rate = self.knobs["learning_rate"]
        self._spent = 0
        self._pause_at: int | None = None
        self._below_guessing = False
        self._worse_since: int | None = None
        self._hot = -BLOWN_UP_WINDOW  # the last step whose cost alone was above the limit
        self._buffers: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._turn_knobs()
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
        while self._spent < len(plan) and plan[self._spent].step <= self.steps + 1:
            planned = plan[self._spent]
            self._spent += 1
            nudge = Nudge(planned.knob, to=planned.to, times=planned.times, by="plan")
            facts += self.apply(nudge, seconds)
        facts += self._train_step(seconds)
        self.timeline.passed(self)
        if self._pause_at is not None and self.steps >= self._pause_at and self.status == "running":
            facts += self.apply(Pause(), seconds)
        return facts

    def _train_step(self, seconds: float) -> list[Fact]:
        facts: list[Fact] = []
        batch_size = int(self.knobs["batch_size"])
        inputs, labels = self._gather(self.batches.peek(batch_size))
        costs, finite = self.learner.step(inputs, labels)
        cost = float(costs[0])
        if not finite:
            return [self._diverge("non-finite", cost, seconds)]
        self.steps += 1
        self.history.add_train(cost)
        if self.batches.advance(batch_size):
            facts += self._end_epoch()
        if self._blown_up(cost):
            facts.append(self._diverge("blown up", cost, seconds))
        elif self.status == "running" and self.epoch >= self.target_epochs:
            self.status = "finished"
            facts.append(Finished(self.epoch))
        return facts

    def adopt(self, events: list[Event], steps: int) -> None:
        """Take over a record of so many steps, to be trained again: its events, its plan as far as spent."""
        self.events = list(events)
        reached = plan_reached(events, steps)
        self._spent = sum(planned.step <= reached for planned in self.config.plan)

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
        self._train_to(steps)
        self.last_event = last_event

    def _train_to(self, steps: int) -> None:
        while self.steps < steps and self.status != "diverged":
            self._train_step(0.0)
            self.timeline.passed(self)

    def _apply_again(self, event: Event) -> None:
        if event.kind == "extend" and event.epochs is not None:
            self.target_epochs, self.status = event.epochs, "running"
        elif event.knob is not None and event.after is not None:
            self._set_knob(event.knob, event.after)

    def _gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        m = len(rows)
        buffers = self._buffers.get(m)
        if buffers is None:
            if len(self._buffers) >= 4:
                self._buffers.clear()
            buffers = self._buffers[m] = (
                np.empty((m, self.dataset.n_features), self.network.dtype),
                np.empty(m, np.intp),
            )
        self.dataset.train.take(rows, *buffers)
        return buffers

    def _end_epoch(self) -> list[Fact]:
        self.epoch += 1
        self.learner.optimizer.flush()
        dev = self.dataset.dev
        cost, accuracy = (float(v[0]) for v in self.network.evaluate(dev.inputs, dev.labels))
        self.history.add_dev(self.steps, cost, accuracy)
        facts: list[Fact] = [EpochDone(self.epoch, self.steps, cost, accuracy)]
        if cost < self.guessing:
            self._below_guessing, self._worse_since = True, None
        elif self._below_guessing:  # NaN counts as worse
            if self._worse_since is None:
                self._worse_since = self.epoch
            elif self.epoch == self._worse_since + 1:
                facts.append(WorseThanGuessing(self._worse_since))
        if self.knobs["decay"]:
            self.knobs["learning_rate"] = rate_in_use(self.base_rate, self.knobs["decay"], self.epoch)
            self._turn_knobs()
        return facts

    def _blown_up(self, cost: float) -> bool:
        """Whether, after the first 50 steps, the mean of the last 50 train costs is above 10 ln C.

        It can't be unless one of them is, so most steps pay for one comparison.
        """
        limit = BLOWN_UP_FACTOR * self.guessing
        if cost > limit:
            self._hot = self.steps
        if self.steps <= BLOWN_UP_WINDOW or self.steps - self._hot >= BLOWN_UP_WINDOW:
            return False
        with np.errstate(over="ignore"):
            return float(self.history.train.last(BLOWN_UP_WINDOW).mean()) > limit

    def _diverge(self, cause: str, cost: float, seconds: float) -> Diverged:
        self.status = "diverged"
        step = self.steps + (cause == "non-finite")
        if not any(e.kind == "diverged" and e.step == step and e.undone_by is None for e in self.events):
            self._record("diverged", seconds, step=step, text=cause)  # else it is being trained again
        return Diverged(step, cause, cost)

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
                return [self._rewind(steps, seconds)]
            case Rescue():
                if self.status != "diverged":
                    return [Refused(command, "the run has not diverged")]
                good = self.timeline.last_good(self, RESCUE_BELOW * self.guessing)
                back = [self._rewind(good, seconds)] if good < self.steps else []
                return [*back, self._nudge(Nudge("learning_rate", times=0.5), seconds)]

    def limits(self, name: str) -> tuple[float, float]:
        """Lowest and highest value of a live knob in this run."""
        if name == "batch_size":
            return (2 if self.config.batch_norm else 1), len(self.dataset.train)
        return KNOBS[name].low, KNOBS[name].high

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
        self._set_knob(command.knob, after)
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
        spent = self._spent
        fact = self._leave("undo", first.step - 1, first.id - 1, seconds)
        self._spent = spent
        return fact

    def _rewind(self, steps: int, seconds: float) -> Recorded:
        standing = (
            e.id for e in self.events if e.undone_by is None and e.step <= steps and e.kind not in JUMPS
        )
        fact = self._leave("rewind", steps, max(standing, default=0), seconds)
        self._spent = sum(planned.step <= steps for planned in self.config.plan)
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
        here, number, spent = self.steps + 1, len(self.events) + 1, self._spent
        self.events = brought_back(undone(self.events, left.event, number), left.event)
        self.timeline.take_back(self, left)
        self._spent = max(spent, left.end.spent)
        return self._record("redo", seconds, step=here, back_to=self.steps)

    def _set_knob(self, name: str, value: float) -> None:
        """A nudge of α sets the rate in use (α₀ follows); one of decay leaves the rate in use as it is."""
        self.knobs[name] = value
        if name in ("learning_rate", "decay"):
            self.base_rate = base_for(self.knobs["learning_rate"], self.knobs["decay"], self.epoch)
        self._turn_knobs()

    def _turn_knobs(self) -> None:
        """Hand the knobs to the learner, as columns of a population of one."""
        column = {name: np.full((1, 1), value) for name, value in self.knobs.items()}
        self.learner.optimizer.set(column["learning_rate"], column["momentum"], column["second_moment"])
        self.learner.set_l2(column["l2"] / len(self.dataset.train))
        self.rates.set(self.steps + 1, self.knobs["learning_rate"])

    def _record(self, kind: str, seconds: float, step: int | None = None, **what: Any) -> Recorded:
        step = self.steps + 1 if step is None else step
        event = Event(id=len(self.events) + 1, step=step, kind=kind, seconds=round(seconds, 3), **what)
        self.events.append(event)
        self.last_event = event.id
        return Recorded(event)

    # -- state -------------------------------------------------------------------------------------------

    def state(self) -> RunState:
        """A copy of everything needed to go on from here. Events are the record, not the state."""
        network, optimizer = self.network, self.learner.optimizer
        return RunState(
            steps=self.steps,
            last_event=self.last_event,
            epoch=self.epoch,
            target_epochs=self.target_epochs,
            knobs=dict(self.knobs),
            base_rate=self.base_rate,
            spent=self._spent,
            batches=self.batches.state(),
            parameters=network.parameters.copy(),
            running=network.running.copy(),
            running_product=network.running_product,
            first=optimizer.first.copy(),
            second=optimizer.second.copy(),
            first_product=float(optimizer.first_product[0, 0]),
            second_product=float(optimizer.second_product[0, 0]),
            history=self.history.state(),
            below_guessing=self._below_guessing,
            worse_since=self._worse_since,
        )

    def restore(self, state: RunState) -> None:
        """Back to an earlier state of this run, whole: the next steps have the bits that they had then."""
        network, optimizer = self.network, self.learner.optimizer
        self.history.restore(state.history)
        self.rates.truncate(state.steps)
        self.last_event = state.last_event
        self.steps, self.epoch, self.target_epochs = state.steps, state.epoch, state.target_epochs
        self.knobs, self.base_rate, self._spent = dict(state.knobs), state.base_rate, state.spent
        self.batches.restore(state.batches)
        network.parameters[...] = state.parameters
        network.running[...] = state.running
        network.running_product = state.running_product
        optimizer.first[...] = state.first
        optimizer.second[...] = state.second
        optimizer.first_product[...] = state.first_product
        optimizer.second_product[...] = state.second_product
        self._below_guessing, self._worse_since = state.below_guessing, state.worse_since
        recent = self.history.train.last(BLOWN_UP_WINDOW)
        hot = np.flatnonzero(recent > BLOWN_UP_FACTOR * self.guessing)
        self._hot = self.steps - len(recent) + 1 + int(hot[-1]) if len(hot) else -BLOWN_UP_WINDOW
        self.status = "finished" if self.epoch >= self.target_epochs else "running"
        self._pause_at = None
        self._turn_knobs()

    # -- results -----------------------------------------------------------------------------------------

    def evaluate(self) -> Evaluation:
        """Test-mode figures of the present weights; they serve the result and go on no curve."""
        dev, test = self.dataset.dev, self.dataset.test
        dev_cost, dev_accuracy = self.network.evaluate(dev.inputs, dev.labels)
        test_cost, test_accuracy = self.network.evaluate(test.inputs, test.labels)
        return Evaluation(
            float(dev_cost[0]), float(dev_accuracy[0]), float(test_cost[0]), float(test_accuracy[0])
        )

    def weights_sha256(self) -> str:
        """SHA-256 over the parameters and the running averages, little-endian, as they stand in memory."""
        little = self.network.dtype.newbyteorder("<")
        parts = (self.network.parameters, self.network.running)
        return hashlib.sha256(b"".join(part.astype(little).tobytes() for part in parts)).hexdigest()


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
