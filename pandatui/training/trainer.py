"""Trainer: one network learning from one dataset, step by step, with its curves and its knobs.

The arithmetic of a run, without its record: what people did, the plan and the way back are `Run`'s.
"""

import hashlib
import math

import numpy as np

from pandatui.data import Dataset
from pandatui.nn import Architecture, Learner, Network, Optimizer
from pandatui.nn.schedules import base_for, rate_in_use
from pandatui.training.batches import Batches
from pandatui.training.config import RunConfig, check_knob
from pandatui.training.distributions import Distributions
from pandatui.training.events import Diverged, EpochDone, Fact, Finished, WorseThanGuessing
from pandatui.training.history import History, StepFunction
from pandatui.training.knobs import KNOBS
from pandatui.training.state import Evaluation, RunState

BLOWN_UP_WINDOW = 50  # steps
BLOWN_UP_FACTOR = 10  # times ln C


class Trainer:
    """`status`: "running" until the epochs are done ("finished") or it has "diverged".

    `last_event` and `spent` say how far along its record and its plan it is: part of where a run stands.
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
        self.distributions = Distributions(len(config.hidden))
        self.rates = StepFunction()
        self.steps = 0
        self.last_event = 0
        self.spent = 0  # entries of the plan
        self.epoch = 0
        self.target_epochs = config.epochs
        self.status = "running"
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
        self._below_guessing = False
        self._worse_since: int | None = None
        self._hot = -BLOWN_UP_WINDOW  # the last step whose cost alone was above the limit
        self._buffers: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._turn_knobs()

    # -- stepping ----------------------------------------------------------------------------------------

    def train_step(self) -> list[Fact]:
        """One mini-batch update."""
        facts: list[Fact] = []
        batch_size = int(self.knobs["batch_size"])
        inputs, labels = self.gather(self.batches.peek(batch_size))
        costs, finite = self.learner.step(inputs, labels)
        cost = float(costs[0])
        if not finite:
            return [self._diverge("non-finite", cost)]
        self.steps += 1
        self.history.add_train(cost)
        if self.batches.advance(batch_size):
            facts += self._end_epoch()
        if self._blown_up(cost):
            facts.append(self._diverge("blown up", cost))
        elif self.status == "running" and self.epoch >= self.target_epochs:
            self.status = "finished"
            facts.append(Finished(self.epoch))
        return facts

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A mini-batch of these training rows, in buffers that the next one overwrites."""
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
        see, wanted = self.distributions.see, self.distributions.wants(self.epoch)
        figures = self.network.evaluate(
            dev.inputs, dev.labels, (lambda layer, y: see(layer, y[0])) if wanted else None
        )
        cost, accuracy = (float(v[0]) for v in figures)
        self.distributions.end_epoch(self.epoch)
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

    def _diverge(self, cause: str, cost: float) -> Diverged:
        self.status = "diverged"
        return Diverged(self.steps + (cause == "non-finite"), cause, cost)

    # -- knobs -------------------------------------------------------------------------------------------

    def limits(self, name: str) -> tuple[float, float]:
        """Lowest and highest value of a live knob in this run."""
        if name == "batch_size":
            return (2 if self.config.batch_norm else 1), len(self.dataset.train)
        return KNOBS[name].low, KNOBS[name].high

    def set_knob(self, name: str, value: float) -> None:
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

    # -- state -------------------------------------------------------------------------------------------

    def state(self) -> RunState:
        """A copy of everything needed to go on from here, bit for bit."""
        network, optimizer = self.network, self.learner.optimizer
        return RunState(
            steps=self.steps,
            last_event=self.last_event,
            epoch=self.epoch,
            target_epochs=self.target_epochs,
            knobs=dict(self.knobs),
            base_rate=self.base_rate,
            spent=self.spent,
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
        self.history.restore(state.history)
        self.rates.truncate(state.steps)
        self.distributions.truncate(state.epoch)
        self._below_guessing, self._worse_since = state.below_guessing, state.worse_since
        recent = self.history.train.last(BLOWN_UP_WINDOW)
        hot = np.flatnonzero(recent > BLOWN_UP_FACTOR * self.guessing)
        self._hot = state.steps - len(recent) + 1 + int(hot[-1]) if len(hot) else -BLOWN_UP_WINDOW
        self.stand_at(state)

    def stand_at(self, state: RunState) -> None:
        """Take on a state but for its curves: enough to look at it."""
        network, optimizer = self.network, self.learner.optimizer
        self.last_event = state.last_event
        self.steps, self.epoch, self.target_epochs = state.steps, state.epoch, state.target_epochs
        self.knobs, self.base_rate, self.spent = dict(state.knobs), state.base_rate, state.spent
        self.batches.restore(state.batches)
        network.parameters[...] = state.parameters
        network.running[...] = state.running
        network.running_product = state.running_product
        optimizer.first[...] = state.first
        optimizer.second[...] = state.second
        optimizer.first_product[...] = state.first_product
        optimizer.second_product[...] = state.second_product
        self.status = "finished" if self.epoch >= self.target_epochs else "running"
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
        """`hash_of` the present weights."""
        return hash_of(self.network.parameters, self.network.running)


def hash_of(parameters: np.ndarray, running: np.ndarray) -> str:
    """SHA-256 over one network's parameters and running averages, little-endian, as they stand in memory."""
    little = parameters.dtype.newbyteorder("<")
    return hashlib.sha256(
        b"".join(part.astype(little).tobytes() for part in (parameters, running))
    ).hexdigest()
