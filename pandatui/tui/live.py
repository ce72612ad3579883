"""A run that is going on: its Driver, its Recorder, and what the screen calls it."""

from dataclasses import dataclass

from pandatui.data import BUILT_IN, Dataset
from pandatui.sessions import Recorder, Session, Store
from pandatui.sessions.player import Player
from pandatui.sessions.recorder import Identity
from pandatui.sessions.replay import config_of
from pandatui.sessions.schema import Parent
from pandatui.training import Driver, Run, RunConfig
from pandatui.training.knobs import KNOBS
from pandatui.tui.beside import Beside
from pandatui.tui.wording import About

BUILT_IN_PACE = 1.0  # epochs a second


def pace_for(config: RunConfig, asked: float | str | None) -> float | None:
    """Epochs a second, None as fast as it goes: as asked, else one for built-in data, None for files."""
    if asked is None:
        return BUILT_IN_PACE if config.data in BUILT_IN else None
    return None if isinstance(asked, str) else asked


def origin_of(parent: Parent | None) -> tuple[str, int] | None:
    """Of a branch the name of its parent, as it was, and the step."""
    if parent is None or parent.name is None or parent.step is None:
        return None
    return parent.name, parent.step


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    driver: Driver
    recorder: Recorder
    beside: Beside
    about: About
    config: RunConfig
    lesson: bool
    batch_limits: tuple[float, float]

    @classmethod
    def begin(
        cls,
        config: RunConfig,
        dataset: Dataset,
        store: Store,
        name: str | None,
        pace: float | str | None,
        lesson: bool,
    ) -> "Live":
        """Write the session's file, then start training.

        `pace`: epochs a second, "max", or None for the data's own.
        Raises OSError where the file can't be written.
        """
        driver = Driver(Run(config, dataset), pace=pace_for(config, pace))
        identity = Identity.new(name or store.new_name())
        return cls.going_on(driver, Recorder(driver, store, identity), lesson=lesson)

    @classmethod
    def going_on(cls, driver: Driver, recorder: Recorder, *, lesson: bool = False) -> "Live":
        """Write the session's file, then train, from wherever the driver's run is. Raises OSError."""
        run = driver.ask(lambda run: run).result()
        c = run.config
        recorder.start()
        beside = Beside(driver, left_alone=c.data in BUILT_IN)
        driver.ask(beside.leave_alone).result()
        driver.start()
        about = About.of(
            recorder.identity.name,
            run.dataset.name,
            c.hidden,
            c.batch_norm,
            c.activation,
            c.optimizer,
            origin_of(recorder.identity.parent),
        )
        return cls(driver, recorder, beside, about, c, lesson, run.limits("batch_size"))

    def limits(self, knob: str) -> tuple[float, float]:
        """Lowest and highest value of a live knob in this run."""
        return self.batch_limits if knob == "batch_size" else (KNOBS[knob].low, KNOBS[knob].high)

    def end(self) -> Session:
        """Stop training, save, and return the record."""
        self.driver.close()
        return self.recorder.close(evaluate=self.driver.failure is None)


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The Recorder's face where there is nothing to record."""

    events_on_disk: int
    problem: str = ""

    def save(self) -> None:
        """A recording is on disk already."""


@dataclass(frozen=True, slots=True, eq=False)
class Replaying:
    """A recorded session that is played: what `Live` is to a run."""

    driver: Player
    recorder: Unwritten
    about: About
    config: RunConfig
    lesson: bool = False

    @classmethod
    def of(cls, session: Session, speed: float) -> "Replaying":
        """Raises RerunError where the record's config makes no sense."""
        config = config_of(session)
        about = About.of(
            session.name,
            session.data.name,
            config.hidden,
            config.batch_norm,
            config.activation,
            config.optimizer,
            origin_of(session.parent),
        )
        return cls(Player(session, speed=speed), Unwritten(len(session.events)), about, config)

    def limits(self, knob: str) -> tuple[float, float]:
        """Nothing can be turned in a recording; these are the knob's own."""
        return KNOBS[knob].low, KNOBS[knob].high
