"""What the race screen shows of a study, as frozen facts.

A `Reader` takes them from the study under the race's lock. It looks only at trials that can still change, so
that a look costs the same after ten thousand trials as after ten; what costs more than a look (the proposed
box, the importance of the knobs) it works out now and then.
"""

import itertools
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pandatui.search.space import Space, Value
from pandatui.search.study import STANDING, Study, Trial

STATES = ("waiting", "training", "finished", "diverged", "dropped", "stopped", "failed")
PATIENCE = 0.05  # seconds that a look waits for the race
REST = 20  # what took a second to work out is not worked out again for so many


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One trial as it was read last. `costs` (p,) are dev costs, at the ends of the epochs `at` (p,)."""

    number: int
    round: int
    values: Mapping[str, Value]
    status: str
    reason: str
    epochs: int
    dev_cost: float
    dev_accuracy: float
    objective: float
    at: np.ndarray
    costs: np.ndarray

    @property
    def stands(self) -> bool:
        return self.status in STANDING


@dataclass(frozen=True, slots=True)
class Clock:
    """How far the race has come by itself; `held`, and why it stopped, if it did."""

    live: bool = False
    held: bool = False
    problem: str = ""
    per_minute: float = 0.0


NOT_LIVE = Clock()
_VERSIONS = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class RaceView:
    """A study as it was read; arrays are by trial, in the order of their numbers.

    Two views of one version, and with one clock, show the same.
    """

    version: int
    name: str
    trials: tuple[Entry, ...]
    order: np.ndarray  # (n,) places in `trials` from best to worst, then who trains, then who waits
    rounds_planned: int
    boxes: tuple[Space, ...]  # of the rounds that have begun
    proposed: Space | None  # the box of a next round, where one is due
    space: Space
    places: np.ndarray  # (n, knobs) where each value is in the first space, 0 … 1
    objectives: np.ndarray  # (n,) infinite where there is none
    states: np.ndarray  # (n,) places in STATES
    rounds: np.ndarray  # (n,) from 1
    total: int  # trials that the study will have
    budget: int  # epochs
    guessing: float  # the cost of knowing nothing
    over: bool
    importance: Mapping[str, float]
    clock: Clock

    @property
    def knobs(self) -> tuple[str, ...]:
        return self.space.knobs

    @property
    def ended(self) -> int:
        return int((self.states >= len(STANDING)).sum())

    @property
    def standing(self) -> int:
        return len(self.trials) - self.ended

    @property
    def best(self) -> Entry | None:
        """The first of the order, if it has a cost at all."""
        first = self.trials[int(self.order[0])] if len(self.order) else None
        return first if first is not None and math.isfinite(first.objective) else None

    def entry(self, number: int) -> Entry | None:
        return self.trials[number - 1] if 1 <= number <= len(self.trials) else None


class Seldom:
    """A value that takes a while to work out: again when it is due, and never for most of the time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next = -math.inf
        self._for: object = None

    def due(self, reason: object) -> bool:
        """Whether it is time, for a reason other than the last."""
        return reason != self._for and self._clock() >= self._next

    def done(self, reason: object, began: float) -> None:
        self._for = reason
        now = self._clock()
        self._next = now + REST * (now - began)


class Reader:
    """Reads one study again and again; `view` is what it saw last. For one thread."""

    def __init__(
        self,
        study: Study,
        name: str,
        guessing: float,
        *,
        lock: "threading.RLock | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._name = name
        self._guessing = guessing
        self._lock = lock or threading.RLock()
        self._clock = clock
        self._entries: list[Entry] = []
        self._open: set[int] = set()
        self._places = np.empty((0, len(study.space.dimensions)))
        self._objectives = np.empty(0)
        self._epochs, self._states, self._rounds = (np.empty(0, dtype=np.int64) for _ in range(3))
        self._proposed: Space | None = None
        self._importance: Mapping[str, float] = {}
        self._box_due, self._importance_due = Seldom(clock), Seldom(clock)
        self._seen: object = None
        self.view = self._frozen(None, Clock())

    def read(self, state: Clock = NOT_LIVE, next_box: Space | None = None) -> RaceView:
        """The study as it is now; as it was, where the race is too busy to be asked.

        `next_box`: what a person has chosen for the next round.
        """
        if self._lock.acquire(timeout=PATIENCE):
            try:
                changed = self._take_in()
                self._work_out()
                box = next_box or self._proposed
                seen = (len(self._study.rounds), self._study.sizes, box, id(self._importance))
                if changed or seen != self._seen:
                    self._seen = seen
                    self.view = self._frozen(box, state)
            finally:
                self._lock.release()
        if state != self.view.clock:
            self.view = replace(self.view, clock=state)
        return self.view

    def _take_in(self) -> bool:
        """Trials that are new, and those that stood at the last look; whether any has changed."""
        trials, known = self._study.trials, len(self._entries)
        if len(trials) > known:
            self._grow(len(trials))
        changed = len(trials) > known
        for number in range(known + 1, len(trials) + 1):
            self._entries.append(self._note(trials[number]))
        for number in tuple(self._open):
            trial, entry = trials[number], self._entries[number - 1]
            if (trial.status, len(trial.dev)) != (entry.status, len(entry.costs)):
                self._entries[number - 1] = self._note(trial)
                changed = True
        return changed

    def _grow(self, count: int) -> None:
        more = count - len(self._entries)
        self._places = np.concatenate([self._places, np.empty((more, self._places.shape[1]))])
        self._objectives = np.concatenate([self._objectives, np.full(more, np.inf)])
        self._epochs, self._states, self._rounds = (
            np.concatenate([array, np.zeros(more, dtype=np.int64)])
            for array in (self._epochs, self._states, self._rounds)
        )

    def _note(self, trial: Trial) -> Entry:
        """Read one trial into the arrays and an entry."""
        row, study = trial.number - 1, self._study
        steps = np.array([step for step, _, _ in trial.dev], dtype=np.float64)
        (self._open.add if trial.stands else self._open.discard)(trial.number)
        entry = Entry(
            trial.number,
            trial.round,
            trial.values,
            trial.status,
            trial.reason,
            trial.epochs,
            trial.dev_cost,
            trial.dev_accuracy,
            study.objective(trial),
            steps * (trial.epochs / steps[-1]) if len(steps) else steps,
            np.array([cost for _, cost, _ in trial.dev], dtype=np.float64),
        )
        self._places[row] = [each.unit(trial.values[each.knob]) for each in study.space.dimensions]
        self._objectives[row], self._epochs[row] = entry.objective, entry.epochs
        self._states[row], self._rounds[row] = STATES.index(entry.status), entry.round
        return entry

    def _work_out(self) -> None:
        """The next box and the importance, when they may have changed and it is not too soon."""
        ended = len(self._entries) - len(self._open), len(self._study.rounds)
        if self._box_due.due(ended):
            began = self._clock()
            self._proposed = None if self._study.points else self._study.proposed()
            self._box_due.done(ended, began)
        if self._importance_due.due(ended):
            began = self._clock()
            self._importance = self._study.importance()
            self._importance_due.done(ended, began)

    def _order(self) -> np.ndarray:
        """As `Study.ranking`; after those with a result who trains, then who waits."""
        training, waiting = STATES.index("training"), STATES.index("waiting")
        no_result = (self._states <= training) & (self._epochs == 0)
        group = np.where(np.isinf(self._objectives), 1, 0)
        group[no_result] = 2
        group[no_result & (self._states == waiting)] = 3
        return np.lexsort((np.arange(len(group)), self._objectives, -self._epochs, group))

    def _frozen(self, box: Space | None, state: Clock) -> RaceView:
        study, sizes = self._study, self._study.sizes
        return RaceView(
            next(_VERSIONS),
            self._name,
            tuple(self._entries),
            self._order(),
            max(len(sizes), len(study.rounds)),
            tuple(each.box for each in study.rounds),
            box if study.rounds else None,
            study.space,
            self._places.copy(),
            self._objectives.copy(),
            self._states.copy(),
            self._rounds.copy(),
            len(self._entries) + sum(sizes[len(study.rounds) :]),
            study.base.epochs,
            self._guessing,
            study.over,
            self._importance,
            state,
        )
