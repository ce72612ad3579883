"""Companions of a run: a ghost (the same run without some of its nudges) and a band of twins (other seeds).

They have networks of their own and are stepped beside the run, so that its bits do not change by having one.
They follow it row by row of the training set, with its nudges at its steps but for those they are without.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pandatui.training.batches import Batches
from pandatui.training.config import MAX_EPOCHS, RunConfig
from pandatui.training.counterpart import Counterpart
from pandatui.training.effect import Effect, effect
from pandatui.training.events import Event
from pandatui.training.history import Floats, History, Series
from pandatui.training.population import KNOB_COLUMNS, Members, Population
from pandatui.training.run import Run
from pandatui.training.series import Growing
from pandatui.training.state import RunState
from pandatui.training.trainer import BLOWN_UP_WINDOW

TWINS = 5
CATCHING_UP = 2  # steps of a companion for one of the run
MOST_DEV = 8_192  # dev points; beyond it every second one of the older half goes

GHOST, LEFT_ALONE, TWIN_BAND = "ghost", "left alone", "twins"


@dataclass(frozen=True, slots=True, eq=False)
class CompanionLook:
    """A companion as it is now. Train costs in buckets; dev points by epoch, a column a member.

    `start` is the step that it parts from the run at, `without` the gestures that it does without. `place`
    is where it is in epochs, with the fraction of the present one; `asked`, whether a person asked for it.
    """

    kind: str
    asked: bool
    without: tuple[int, ...]
    start: int
    place: float
    steps_done: int
    diverged: bool
    steps: Floats
    train: Floats  # mean over members
    dev_epochs: Floats
    dev_steps: Floats
    dev_costs: Floats  # (points, K)
    dev_accuracies: Floats
    effect: Effect | None = None  # of the gestures that a ghost is without


class Companion:
    """Members that follow a run from `state` on; `without` None is without any nudge.

    They part from it at step `start`, which the state may lie before: until there it has nothing to tell.
    """

    def __init__(
        self,
        kind: str,
        run: Run,
        configs: Sequence[RunConfig],
        state: Members | None,
        *,
        start: int,
        without: frozenset[int] | None,
        last_event: int,
    ) -> None:
        self.kind = kind
        self.without = without
        self.population = Population(configs, run.dataset, state)
        self.population.target_epochs = MAX_EPOCHS  # it ends where the run is, not by itself
        self.start = start
        self.last_event = last_event  # the last of the run's events that it has behind it, or does without
        self.diverged = False
        self._train = Series(History.TRAIN_SIZES, keep_first=4096, keep_recent=4096)
        self._dev = Growing(2 + 2 * len(configs))  # epoch, step, costs, accuracies

    def behind(self, run: Run) -> bool:
        """Whether the run has seen more rows."""
        return not self.diverged and self._rows(run.batches.rows) < (
            run.epoch * run.batches.rows + run.batches.place
        )

    def step(self, run: Run) -> None:
        """One step, with the run's nudges for it."""
        population = self.population
        for event in run.events[self.last_event :]:
            if event.kind != "nudge" or event.undone_by is not None:
                continue
            if event.step > population.steps + 1:
                break
            self.last_event = event.id
            if not self._does_without(event):
                assert event.knob is not None
                assert event.after is not None
                population.set_knob(event.knob, event.after)
        members = len(population)
        costs, point = population.step()
        if len(population) < members:
            self.diverged = True
            return
        if population.steps <= self.start:
            return
        self._train.append(float(costs.mean()))
        if point is not None:
            self._dev.append((point.epoch, point.step, *point.cost, *point.accuracy))
            if self._dev.n > MOST_DEV:
                rows = self._dev.rows()
                thinner = np.concatenate([rows[: MOST_DEV // 2 : 2], rows[MOST_DEV // 2 :]])
                self._dev.truncate(0)
                self._dev.extend(thinner)

    def _does_without(self, event: Event) -> bool:
        return self.without is None or event.nudge in self.without

    def _rows(self, rows: int) -> int:
        return self.population.epoch * rows + self.population.place

    def costs_at(self, epoch: int) -> Floats | None:
        """The members' dev costs at an epoch's end, if they are there."""
        rows = self._dev.rows()
        at = int(np.searchsorted(rows[:, 0], epoch))
        members = len(self.population.configs)
        return rows[at, 2 : 2 + members].copy() if at < len(rows) and rows[at, 0] == epoch else None

    def look(
        self,
        run: Run,
        buckets: int,
        *,
        first: float = 1,
        last: float | None = None,
        asked: bool = False,
        twins: "Companion | None" = None,
    ) -> CompanionLook:
        """As it is now, between two steps; a ghost with what the nudges have done, held against the twins."""
        last = self.start + self._train.n if last is None else last
        steps, _, train, _ = self._train.view(first - self.start, last - self.start, buckets)
        gone = {e.nudge for e in run.events if e.nudge is not None and e.undone_by is None}
        without = gone if self.without is None else self.without
        dev, members = self._dev.rows().copy(), len(self.population.configs)
        return CompanionLook(
            kind=self.kind,
            asked=asked,
            without=tuple(sorted(number for number in without if number)),
            start=self.start,
            place=self._rows(run.batches.rows) / run.batches.rows,
            steps_done=self.population.steps,
            diverged=self.diverged,
            steps=self.start + steps,
            train=train.copy(),
            dev_epochs=dev[:, 0],
            dev_steps=dev[:, 1],
            dev_costs=dev[:, 2 : 2 + members],
            dev_accuracies=dev[:, 2 + members :],
            effect=self._effect(run, twins) if self.kind != TWIN_BAND else None,
        )

    def _effect(self, run: Run, twins: "Companion | None") -> Effect | None:
        band = None if twins is None else twins.costs_at
        return effect(run.history, self._dev.rows()[:, [0, 2]], self.start, band)


class Companions:
    """Those that a run has now, one of each kind. All of it is called between two of the run's steps."""

    def __init__(self) -> None:
        self.counterpart: Counterpart | None = None  # follows the run's jumps by itself; asked for always
        self._all: dict[str, Companion] = {}
        self._asked: set[str] = set()  # those that a person asked for keep on at full pace

    def __contains__(self, kind: str) -> bool:
        return kind in self._all

    def ghost(self, run: Run, numbers: frozenset[int] | None, *, asked: bool = True) -> None:
        """The run without these gestures, or without any; from the instant before the first of them.

        Raises ValueError where there is none to do without.
        """
        standing = (e for e in run.events if e.kind == "nudge" and e.undone_by is None)
        first = next((e for e in standing if numbers is None or e.nudge in numbers), None)
        if first is None:
            raise ValueError("no nudge to do without")
        state = run.timeline.nearest(first.step - 1, first.id - 1)
        kind = LEFT_ALONE if numbers is None else GHOST
        members = members_of(run, state, [run.batches])
        ghost = Companion(
            kind,
            run,
            [run.config],
            members,
            start=first.step - 1,
            without=numbers,
            last_event=state.last_event,
        )
        self._begin(kind, ghost, asked)

    def twins(self, run: Run, *, from_start: bool) -> None:
        """The run with five other seeds, from the start; or from here, in the order of the data alone."""
        seeds = range(run.config.seed + 1, run.config.seed + 1 + TWINS)
        configs = [replace(run.config, seed=seed, plan=()) for seed in seeds]
        state, start, last_event = None, 0, 0
        if not from_start:
            here = run.state()
            state = members_of(run, here, [_own_order(run, seed) for seed in seeds])
            start, last_event = run.steps, here.last_event
        twins = Companion(
            TWIN_BAND, run, configs, state, start=start, without=frozenset(), last_event=last_event
        )
        self._begin(TWIN_BAND, twins, asked=True)

    def _begin(self, kind: str, companion: Companion, asked: bool) -> None:
        self._all[kind] = companion
        if asked:
            self._asked.add(kind)

    def ask(self, kind: str) -> None:
        """One that is there is wanted by a person from now on."""
        self._asked.add(kind)

    def asked(self, kind: str) -> bool:
        """Whether it is there because a person asked for it."""
        return kind in self._all and kind in self._asked

    def without(self, kind: str) -> frozenset[int] | None:
        """The gestures that a ghost was asked to do without; None for all, or where there is none."""
        return self._all[kind].without if kind in self._all else None

    def end(self, kind: str) -> None:
        self._all.pop(kind, None)
        self._asked.discard(kind)

    def went_back(self, run: Run) -> None:
        """The run has jumped along its path: who follows its nudges has no meaning any more.

        The one that is left alone has, unless the run is now before where they parted.
        """
        for kind in (GHOST, TWIN_BAND):
            self.end(kind)
        if LEFT_ALONE in self._all and self._all[LEFT_ALONE].start > run.steps:
            self.end(LEFT_ALONE)

    def attend(self, run: Run, *, full_pace: bool) -> bool:
        """Let those who are behind take a step or two; False when none is."""
        worked = False
        for kind, companion in self._all.items():
            if full_pace and kind not in self._asked:
                continue
            for _ in range(CATCHING_UP):
                if not companion.behind(run):
                    break
                companion.step(run)
                worked = True
        for _ in range(CATCHING_UP if self.counterpart is not None else 0):
            if self.counterpart is None or not self.counterpart.behind(run):
                break
            self.counterpart.step(run)
            worked = True
        return worked

    def look(
        self, run: Run, buckets: int, first: float = 1, last: float | None = None
    ) -> tuple[CompanionLook, ...]:
        """Each as it is now; of their train costs those from step `first` to `last`, in so many buckets."""
        twins = self._all.get(TWIN_BAND)
        return tuple(
            each.look(run, buckets, first=first, last=last, asked=kind in self._asked, twins=twins)
            for kind, each in self._all.items()
        )


def members_of(run: Run, state: RunState, orders: Sequence[Batches]) -> Members:
    """A state of a run as that of members, one for each order of the data, to be trained on in lockstep."""
    copies = len(orders)
    rows = (state.parameters, state.running, state.first, state.second)
    columns = (state.running_product, state.first_product, state.second_product)
    parameters, running, first, second = (np.repeat(array, copies, axis=0) for array in rows)
    product, first_product, second_product = (np.full((copies, 1), value) for value in columns)
    knobs = (state.base_rate, *(state.knobs[name] for name in tuple(KNOB_COLUMNS)[1:]))
    recent = run.history.train.part(max(0, state.steps - BLOWN_UP_WINDOW), state.steps)
    return Members(
        state.steps,
        state.epoch,
        tuple(state.batches if order is run.batches else order.state() for order in orders),
        (parameters, running, product, first, second, first_product, second_product),
        np.tile(np.array(knobs), (copies, 1)),
        np.tile(recent, (copies, 1)),
        int(state.knobs["batch_size"]),
        MAX_EPOCHS,
    )


def _own_order(run: Run, seed: int) -> Batches:
    """The order of the data that a seed gives, at the run's place in it."""
    order = Batches(run.batches.rows, np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1]))
    order.place = run.batches.place
    return order
