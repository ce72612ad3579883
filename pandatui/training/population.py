"""Population: members of one shape trained in lockstep, each with its own knobs and the bits it has alone.

A cohort of trials shares its seed, and so its mini-batches; twins differ in it. A member that has ended, or
that nobody wants any more, leaves the arrays. `Members` is the state between two steps, to be handed on.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pandatui.data import Dataset
from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.nn.schedules import base_for
from pandatui.training.batches import Batches, BatchesState
from pandatui.training.config import RunConfig
from pandatui.training.history import Floats
from pandatui.training.trainer import BLOWN_UP_FACTOR, BLOWN_UP_WINDOW, hash_of

Array = NDArray[np.floating]

KNOB_COLUMNS = {"base_rate": "learning_rate"} | {
    name: name for name in ("learning_rate", "momentum", "second_moment", "decay", "l2")
}


def shape_of(config: RunConfig) -> tuple[object, ...]:
    """What members of one population have in common; those of a cohort have the same seed, too."""
    return (
        *(config.hidden, config.activation, config.batch_norm, config.optimizer),
        *(config.batch_size, config.epochs, config.dtype),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """What K members need to go on from a step, bit for bit: a row of each array for each member."""

    steps: int
    epoch: int
    batches: tuple[BatchesState, ...]  # by member
    arrays: tuple[Array, ...]  # parameters, running, ∏ρ, moments and ∏β, each (K, …)
    knobs: Floats  # (K, 6): base rate, learning rate, momentum, second moment, decay, λ
    recent: Floats  # (K, ≤ 50), the last train costs
    batch_size: int
    target_epochs: int

    def __len__(self) -> int:
        return len(self.knobs)

    def only(self, rows: Sequence[int]) -> "Members":
        """These rows of it."""
        chosen = list(rows)
        return Members(
            self.steps,
            self.epoch,
            tuple(self.batches[row] for row in chosen),
            tuple(array[chosen] for array in self.arrays),
            self.knobs[chosen],
            self.recent[chosen],
            self.batch_size,
            self.target_epochs,
        )

    @classmethod
    def joined(cls, parts: Sequence["Members"]) -> "Members":
        """Members of several populations of one shape that stand at one step, in this order."""
        first = parts[0]
        if {(part.steps, part.epoch) for part in parts} != {(first.steps, first.epoch)}:
            raise ValueError(f"members at steps {[part.steps for part in parts]}: expected one step")
        return cls(
            first.steps,
            first.epoch,
            tuple(state for part in parts for state in part.batches),
            tuple(np.concatenate(columns) for columns in zip(*(part.arrays for part in parts), strict=True)),
            np.concatenate([part.knobs for part in parts]),
            np.concatenate([part.recent for part in parts]),
            first.batch_size,
            first.target_epochs,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """How a member ended: "finished" or "diverged", after so many steps and epochs."""

    member: int
    status: str
    cause: str
    steps: int
    epoch: int
    weights_sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class DevPoint:
    """Dev cost and accuracy (K,) of the members that stand at an epoch's end."""

    step: int
    epoch: int
    members: tuple[int, ...]
    cost: Floats
    accuracy: Floats


class Population:
    """Trains the members with these configs, which share a shape, from the start or from `state`.

    `members` are the numbers, within `configs`, of those who still train. Raises ValueError for mixed shapes.
    """

    def __init__(self, configs: Sequence[RunConfig], dataset: Dataset, state: Members | None = None) -> None:
        if len({shape_of(config) for config in configs}) != 1:
            raise ValueError("members of different shapes: expected one")
        self.configs = tuple(configs)
        self.dataset = dataset
        self.members = list(range(len(configs)))
        self.steps = self.epoch = 0
        self.ended: list[Ended] = []
        self.guessing = math.log(dataset.n_classes)
        first = configs[0]
        self.batch_size = first.batch_size
        self.target_epochs = first.epochs
        architecture = Architecture(
            dataset.n_features, first.hidden, dataset.n_classes, first.activation, first.batch_norm
        )
        network = Network(architecture, members=len(configs), dtype=first.dtype)
        streams = [np.random.SeedSequence(config.seed).spawn(2) for config in configs]
        network.initialise([np.random.default_rng(start) for start, _ in streams])
        self._learner = Learner(network, Optimizer(first.optimizer, network.parameters))
        self._shared = len({config.seed for config in configs}) == 1
        own = streams[:1] if self._shared else streams
        self._batches = [Batches(len(dataset.train), np.random.default_rng(shuffle)) for _, shuffle in own]
        self._knobs = {
            name: np.array([getattr(config, field) for config in configs], np.float64)
            for name, field in KNOB_COLUMNS.items()
        }
        self._recent: deque[Floats] = deque(maxlen=BLOWN_UP_WINDOW)  # the costs (K,) of the last steps
        self._hot = -BLOWN_UP_WINDOW  # the last step at which a cost alone was above the limit
        self._buffers: tuple[Array, NDArray[np.intp]] = (
            np.empty((0, 0, 0), first.dtype),
            np.empty((0, 0), np.intp),
        )
        if state is not None:
            self._restore(state)
        self._turn_knobs()

    def __len__(self) -> int:
        return len(self.members)

    @property
    def place(self) -> int:
        """Rows of the present epoch that are behind it."""
        return self._batches[0].place

    @property
    def network(self) -> Network:
        return self._learner.network

    # -- stepping ----------------------------------------------------------------------------------------

    def step(self) -> tuple[Floats, DevPoint | None]:
        """One mini-batch update of every member: the train costs (K,), NaN for one that took no step.

        At an epoch's end with the dev point. Members that end with it leave the arrays, and are in `ended`.
        """
        costs, finite = self._learner.step(*self._gather())
        costs = costs.astype(np.float64)
        self.steps += 1
        if not finite:
            stuck = ~self._learner.whole
            costs[stuck] = np.nan
            self._leave(stuck, "non-finite", self.steps - 1)
            if not self.members:
                return costs, None
        taken = costs if finite else costs[~stuck]
        self._recent.append(taken)
        over = [batches.advance(self.batch_size) for batches in self._batches]
        point = self._end_epoch() if over[0] else None
        if (blown_up := self._blown_up(taken)) is not None:
            self._leave(blown_up, "blown up", self.steps)
        if self.epoch >= self.target_epochs:
            self._leave(np.ones(len(self), np.bool_), "", self.steps)
        return costs, point

    def _gather(self) -> tuple[Array, NDArray[np.intp]]:
        rows = [batches.peek(self.batch_size) for batches in self._batches]
        shape = (len(rows), len(rows[0]), self.dataset.n_features)
        if self._buffers[0].shape != shape:
            self._buffers = np.empty(shape, self.network.dtype), np.empty(shape[:2], np.intp)
        inputs, labels = self._buffers
        for i, chosen in enumerate(rows):
            self.dataset.train.take(chosen, inputs[i], labels[i])
        return (inputs[0], labels[0]) if self._shared else (inputs, labels)

    def _end_epoch(self) -> DevPoint:
        self.epoch += 1
        self._learner.optimizer.flush()
        dev = self.dataset.dev
        cost, accuracy = self.network.evaluate(dev.inputs, dev.labels)
        rates, bases, decays = (self._knobs[name] for name in ("learning_rate", "base_rate", "decay"))
        if decays.any():
            decaying = decays > 0
            rates[decaying] = (bases / (1 + decays * self.epoch))[decaying]
            self._turn_knobs()
        return DevPoint(self.steps, self.epoch, tuple(self.members), cost, accuracy)

    def _blown_up(self, costs: Floats) -> NDArray[np.bool_] | None:
        """As a run's: after the first 50 steps, the mean of the last 50 train costs is above 10 ln C.

        None where no member can have.
        """
        limit = BLOWN_UP_FACTOR * self.guessing
        if max(costs.tolist()) > limit:
            self._hot = self.steps
        if self.steps <= BLOWN_UP_WINDOW or self.steps - self._hot >= BLOWN_UP_WINDOW:
            return None
        recent = np.ascontiguousarray(np.stack(self._recent, axis=1))
        with np.errstate(over="ignore"):
            return np.array([row.mean() > limit for row in recent])

    def _leave(self, gone: NDArray[np.bool_], cause: str, steps: int) -> None:
        """Those that have ended go, with what they have come to."""
        if not gone.any():
            return
        network = self.network
        for i in np.flatnonzero(gone):
            weights = hash_of(network.parameters[i], network.running[i])
            status = "diverged" if cause else "finished"
            self.ended.append(Ended(self.members[i], status, cause, steps, self.epoch, weights))
        self._keep(np.flatnonzero(~gone).tolist())

    def drop(self, members: Sequence[int]) -> None:
        """Let these members go, by number: nobody wants them any more."""
        gone = set(members)
        self._keep([i for i, member in enumerate(self.members) if member not in gone])

    def _keep(self, rows: list[int]) -> None:
        self.members = [self.members[row] for row in rows]
        if rows:
            self._learner = self._learner.keep(rows)
        self._knobs = {name: column[rows] for name, column in self._knobs.items()}
        self._recent = deque((costs[rows] for costs in self._recent), BLOWN_UP_WINDOW)
        if not self._shared:
            self._batches = [self._batches[row] for row in rows]

    # -- knobs -------------------------------------------------------------------------------------------

    def set_knob(self, name: str, value: float) -> None:
        """From the next step on, for every member. As a run's: decay leaves the rate in use as it is."""
        if name == "batch_size":
            self.batch_size = int(value)
            return
        self._knobs[name][:] = value
        if name in ("learning_rate", "decay"):
            rates, decays = self._knobs["learning_rate"], self._knobs["decay"]
            self._knobs["base_rate"][:] = [
                base_for(float(rate), float(decay), self.epoch)
                for rate, decay in zip(rates, decays, strict=True)
            ]
        self._turn_knobs()

    def _turn_knobs(self) -> None:
        column = {name: values[:, None] for name, values in self._knobs.items()}
        self._learner.optimizer.set(column["learning_rate"], column["momentum"], column["second_moment"])
        self._learner.set_l2(column["l2"] / len(self.dataset.train))

    # -- state -------------------------------------------------------------------------------------------

    def state(self) -> Members:
        """A copy of what those who still train need to go on."""
        states = [batches.state() for batches in self._batches]
        recent = np.stack(self._recent, axis=1) if self._recent else np.empty((len(self), 0))
        return Members(
            self.steps,
            self.epoch,
            tuple(states * len(self) if self._shared else states),
            tuple(array.copy() for array in self._arrays()),
            np.stack(list(self._knobs.values()), axis=1),
            recent,
            self.batch_size,
            self.target_epochs,
        )

    def _restore(self, state: Members) -> None:
        if len(state) != len(self):
            raise ValueError(f"a state of {len(state)} members: expected {len(self)}")
        self.steps, self.epoch = state.steps, state.epoch
        for batches, saved in zip(self._batches, state.batches, strict=False):
            batches.restore(saved)
        for array, saved_rows in zip(self._arrays(), state.arrays, strict=True):
            array[...] = saved_rows
        self._knobs = dict(zip(KNOB_COLUMNS, state.knobs.T.copy(), strict=True))
        self.batch_size, self.target_epochs = state.batch_size, state.target_epochs
        self._recent.extend(np.ascontiguousarray(costs) for costs in state.recent.T)
        with np.errstate(all="ignore"):
            hot = np.flatnonzero((state.recent > BLOWN_UP_FACTOR * self.guessing).any(axis=0))
        if len(hot):
            self._hot = self.steps - state.recent.shape[1] + 1 + int(hot[-1])

    def _arrays(self) -> tuple[Array, ...]:
        network, optimizer = self.network, self._learner.optimizer
        return (
            network.parameters,
            network.running,
            network.running_products,
            optimizer.first,
            optimizer.second,
            optimizer.first_product,
            optimizer.second_product,
        )
