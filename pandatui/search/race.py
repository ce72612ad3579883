"""Race: the thin shell around a study. It puts trials into cohorts, sends them out slice by slice, and takes
in what comes back, on any engine; commands come in between.

Of a worker that dies only its slice is done again. Slices that were out when one died are sent one at a time
until it is plain which of them was at fault; a trial that takes its worker with it three times has failed.
"""

import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol

from pandatui.data import Dataset
from pandatui.search.cohort import Outcome, Slice, Train, cohorts, train_slice, width_for
from pandatui.search.space import Space
from pandatui.search.study import Round, Study, Trial
from pandatui.training import RunConfig
from pandatui.training.population import Members

SLICE_SECONDS = 0.5
FIRST_STEPS = 32
MOST_DEATHS = 3


class Engine(Protocol):
    """Where slices are trained: this process, worker processes, or a cluster."""

    workers: int

    def submit(self, train: Train, work: Slice) -> "Future[Outcome]":
        """Have a slice trained; after a death on workers that are there again."""

    def died(self, error: BaseException) -> bool:
        """Whether this is what is raised when the worker of a slice has died."""

    def close(self, *, now: bool) -> None:
        """Let the workers go; with `now`, those at work as well."""


class Ledger(Protocol):
    """What keeps a study on record."""

    def began(self, made: Round) -> None: ...

    def ended(self, trials: list[Trial]) -> None: ...

    def decided(self, of: Round, epoch: int, dropped: list[Trial]) -> None: ...


# -- commands ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StopTrial:
    number: int


@dataclass(frozen=True, slots=True)
class StopRound:
    """What trains is stopped; the next round waits to be asked for."""


@dataclass(frozen=True, slots=True)
class NextRound:
    """On to the next round, from this box or the proposed one; what trains is stopped. After the last, one
    more."""

    box: Space | None = None


@dataclass(frozen=True, slots=True)
class SetBox:
    """The box that the next round will have."""

    box: Space


@dataclass(frozen=True, slots=True)
class Hold:
    """Send out no more slices, or go on."""

    on: bool


@dataclass(frozen=True, slots=True)
class Leave:
    """Come to an end; what is not finished is on record as far as it has ended."""


RaceCommand = StopTrial | StopRound | NextRound | SetBox | Hold | Leave


@dataclass(slots=True, eq=False)
class _Cohort:
    trials: list[Trial]
    state: Members | None
    deaths: int = 0
    steps: int = FIRST_STEPS  # of its next slice

    @property
    def epoch(self) -> int:
        return self.state.epoch if self.state is not None else 0

    def only(self, rows: list[int]) -> "_Cohort":
        state = self.state.only(rows) if self.state is not None else None
        return _Cohort([self.trials[row] for row in rows], state, self.deaths, self.steps)


@dataclass(slots=True)
class Progress:
    """How far a race has come, for the eye. `problem` is why it stopped by itself."""

    began: float = field(default_factory=time.monotonic)
    ended: int = 0  # trials, since the race began
    problem: str = ""


class Race:
    """Runs a study on an engine. `stay` keeps it waiting for commands when all rounds are over.

    Hold `lock` while reading `study`, which changes in the thread that runs the race.
    """

    def __init__(
        self,
        study: Study,
        dataset: Dataset,
        engine: Engine,
        ledger: Ledger,
        *,
        stay: bool = False,
        train: Train = train_slice,
    ) -> None:
        self.study = study
        self.lock = threading.RLock()
        self.progress = Progress()
        self.held = False
        self.next_box: Space | None = None
        self._dataset = dataset
        self._engine = engine
        self._ledger = ledger
        self._stay = stay
        self._train = train
        self._inbox: SimpleQueue[RaceCommand | Future[Outcome]] = SimpleQueue()
        self._ready: deque[_Cohort] = deque()
        self._suspects: deque[_Cohort] = deque()
        self._out: dict[Future[Outcome], _Cohort] = {}
        self._arrived: list[_Cohort] = []  # at the rung, waiting for the others
        self._waiting = False  # for somebody to ask for the next round
        self._leaving = False

    def send(self, command: RaceCommand) -> None:
        """Have a command carried out between two slices; from any thread."""
        self._inbox.put(command)

    def run(self) -> None:
        """Until all rounds are over, or told to leave."""
        try:
            with self.lock:
                self._group([(trial, None) for trial in self.study.standing()])
            while not self._leaving:
                with self.lock:
                    self._go_on()
                    if self.study.over and not self._stay:
                        return
                self._send_out()
                self._take(self._inbox.get())
                with suppress(Empty):
                    while not self._leaving:
                        self._take(self._inbox.get_nowait())
        except Exception as error:
            self.progress.problem = str(error) or type(error).__name__
            raise

    # -- going on ----------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """What is due when nobody is on the way any more: a rung's decision, or the next round."""
        if self._out or self._ready or self._suspects or self._waiting:
            return
        study = self.study
        if self._arrived and study.round is not None:
            epoch, arrived = study.rung, self._arrived
            dropped = study.decide()
            for trial in dropped:
                trial.end("dropped", f"in the worse half at epoch {epoch}")
            self._ledger.decided(study.round, epoch, dropped)
            self.progress.ended += len(dropped)
            self._arrived = []
            self._group(
                [
                    (trial, cohort.state.only([row]))
                    for cohort in arrived
                    if cohort.state is not None
                    for row, trial in enumerate(cohort.trials)
                    if trial.stands
                ]
            )
        elif not study.standing() and len(study.rounds) < len(study.sizes):
            self._begin_round()

    def _begin_round(self) -> None:
        made = self.study.begin_round(self.next_box)
        self.next_box = None
        self._ledger.began(made)
        self._group([(trial, None) for trial in self.study.standing()])

    def _group(self, trials: list[tuple[Trial, Members | None]]) -> None:
        """Put trials that stand at one place into cohorts."""
        features, classes = self._dataset.n_features, self._dataset.n_classes

        def width(config: RunConfig) -> int:
            return width_for(config, features, classes)

        made = cohorts([trial.config for trial, _ in trials], width, self._engine.workers)
        for rows in made:
            states = [state for _, state in (trials[row] for row in rows) if state is not None]
            joined = Members.joined(states) if states else None
            self._ready.append(_Cohort([trials[row][0] for row in rows], joined))

    def _send_out(self) -> None:
        if self.held:
            return
        if self._suspects:
            if not self._out:
                self._submit(self._suspects.popleft())
            return
        while self._ready and len(self._out) < self._engine.workers:
            self._submit(self._ready.popleft())

    def _submit(self, cohort: _Cohort) -> None:
        with self.lock:
            for trial in cohort.trials:
                trial.status = "training"
            configs = tuple(trial.config for trial in cohort.trials)
            until = self.study.rung
        work = Slice(configs, self._dataset.sha256, cohort.state, cohort.steps, until)
        future = self._engine.submit(self._train, work)
        self._out[future] = cohort
        future.add_done_callback(self._inbox.put)

    # -- taking in ---------------------------------------------------------------------------------------

    def _take(self, item: RaceCommand | Future[Outcome]) -> None:
        with self.lock:
            if not isinstance(item, Future):
                self._obey(item)
                return
            cohort = self._out.pop(item, None)
            if cohort is None or item.cancelled():
                return
            error = item.exception()
            if error is None:
                self._absorb(cohort, item.result())
            elif self._engine.died(error) or isinstance(error, MemoryError):
                self._died(cohort)
            else:
                raise error

    def _absorb(self, cohort: _Cohort, outcome: Outcome) -> None:
        """Put a slice on record; who goes on waits at the rung or for the next slice."""
        cohort.deaths = 0
        environment = self.study.environment_number(outcome.environment)
        for row, trial in enumerate(cohort.trials):
            if not trial.stands:
                continue  # stopped while it was out
            costs = outcome.costs[:, row]
            trial.add_costs(costs[costs == costs])
            trial.seconds += outcome.seconds / len(cohort.trials)
            trial.environment = environment
        for point in outcome.dev:
            for member, cost, accuracy in zip(point.members, point.cost, point.accuracy, strict=True):
                trial = cohort.trials[member]
                if trial.stands:
                    trial.dev.append((point.step, float(cost), float(accuracy)))
                    trial.epochs = point.epoch
        ended = []
        for end in outcome.ended:
            trial = cohort.trials[end.member]
            if trial.stands:
                trial.end(end.status, end.cause, end.weights_sha256)
                ended.append(trial)
        self._note_ended(ended)
        if outcome.state is None:
            return
        went_on = [cohort.trials[row] for row in outcome.members]
        standing = [row for row, trial in enumerate(went_on) if trial.stands]
        if not standing:
            return
        cohort.trials, cohort.state = went_on, outcome.state
        rest = cohort.only(standing)
        if outcome.seconds > 0:
            rest.steps = max(1, round(len(outcome.costs) / outcome.seconds * SLICE_SECONDS))
        if rest.epoch >= self.study.rung:
            self._arrived.append(rest)
        else:
            self._ready.appendleft(rest)

    def _note_ended(self, trials: list[Trial]) -> None:
        if trials:
            self._ledger.ended(trials)
            self.progress.ended += len(trials)

    def _died(self, cohort: _Cohort) -> None:
        """Its worker has died: once more, and alone; then in halves, until it is plain who was at fault."""
        cohort.deaths += 1
        cohort = cohort.only([row for row, trial in enumerate(cohort.trials) if trial.stands])
        n = len(cohort.trials)
        if n == 1 and cohort.deaths >= MOST_DEATHS:
            trial = cohort.trials[0]
            trial.end("failed", f"worker died {cohort.deaths} times")
            self._note_ended([trial])
        elif n > 1 and cohort.deaths > 1:
            for rows in (range(n // 2), range(n // 2, n)):
                half = cohort.only(list(rows))
                half.deaths = 1 if len(rows) > 1 else 0
                self._suspects.append(half)
        elif n:
            self._suspects.append(cohort)

    # -- commands ----------------------------------------------------------------------------------------

    def _obey(self, command: RaceCommand) -> None:
        match command:
            case StopTrial(number):
                trial = self.study.trials.get(number)
                if trial is not None and trial.stands:
                    self._stop([trial])
            case StopRound():
                self._stop(self.study.standing())
                self._waiting = True
            case NextRound(box):
                self._stop(self.study.standing())
                self._waiting = False
                self.next_box = box or self.next_box
                if len(self.study.rounds) >= len(self.study.sizes):
                    self.study.more_rounds()
            case SetBox(box):
                self.next_box = box
            case Hold(on):
                self.held = on
            case Leave():
                self._leaving = True

    def _stop(self, trials: list[Trial]) -> None:
        """Let these go now; what of them is out comes back for nothing."""
        for trial in trials:
            trial.end("stopped", "by you")
        self._note_ended(trials)
        for place in (self._ready, self._suspects, self._arrived):
            cohorts_there = list(place)
            place.clear()
            for cohort in cohorts_there:
                rows = [row for row, trial in enumerate(cohort.trials) if trial.stands]
                if rows:
                    place.append(cohort.only(rows))
