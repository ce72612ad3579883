"""Adopting a trial: it becomes a session, from its end or from its start, that verifies like any other.

A trial is trained again from its seed, with its own config, as the one network of a run: the bits are those
that it had in its cohort.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pandatui.data import Dataset
from pandatui.search.study import Trial
from pandatui.sessions import Recorder, Store
from pandatui.sessions.record import Identity
from pandatui.sessions.schema import Parent
from pandatui.training import Driver, Run
from pandatui.training.environment import pin_blas

_TOLD_EVERY = 256  # steps


@dataclass(frozen=True, slots=True, eq=False)
class Adopted:
    """A trial as a session that is ready to go on: start the recorder, then the driver.

    `notes` are sentences that the person should read.
    """

    driver: Driver
    recorder: Recorder
    notes: tuple[str, ...]


def adopt(
    store: Store,
    study: str,
    trial: Trial,
    dataset: Dataset,
    *,
    from_start: bool = False,
    name: str | None = None,
    pace: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Adopted:
    """Make a session of a trial of the study with this name; by default one that stands where it ended.

    `dataset` is the study's. `name` is the session's, by default two words. A trial that finished or diverged
    has nothing left to do until it is extended, or gone back in. `progress(done, steps)` is called while it
    trains. The caller subscribes to `driver`, then calls `recorder.start()`, which raises OSError, and
    `driver.start()`.
    """
    pin_blas()
    run = Run(trial.config, dataset)
    notes: tuple[str, ...] = ()
    if not from_start:
        _train(run, trial, progress)
        notes = _compared(run, trial)
    identity = Identity.new(name or store.new_name(), Parent(study=study, trial=trial.number))
    driver = Driver(run, pace=pace, seconds=0.0 if from_start else trial.seconds)
    return Adopted(driver, Recorder(driver, store, identity), notes)


def _train(run: Run, trial: Trial, progress: Callable[[int, int], None] | None) -> None:
    while run.ready and run.steps < trial.steps:
        run.step(trial.seconds * run.steps / trial.steps)
        if progress is not None and not run.steps % _TOLD_EVERY:
            progress(run.steps, trial.steps)
    if trial.status == "diverged" and run.ready:
        run.step(trial.seconds)  # the one that was not taken, because its cost or gradient was not finite


def _compared(run: Run, trial: Trial) -> tuple[str, ...]:
    """Whether training again gave what is on record of the trial."""
    if run.steps != trial.steps:
        return (f"trained again to step {run.steps:,}, not to step {trial.steps:,} as on record",)
    found = (run.weights_sha256(), run.history.costs_sha256())
    if trial.weights_sha256 is not None and found != (trial.weights_sha256, trial.costs_sha256):
        return (f"trained again, trial {trial.number} is not bit for bit what the study has on record",)
    return ()
