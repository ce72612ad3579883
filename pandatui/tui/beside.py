"""What happens beside a live run by itself: the run left alone from the first nudge on, and hints.

It hears facts in the training thread, between two steps, where companions may be spoken to.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pandatui.settings import Settings, SettingsError, settings_file
from pandatui.training import Driver, Run
from pandatui.training.companions import GHOST, LEFT_ALONE, TWIN_BAND
from pandatui.training.events import JUMPS, EpochDone, Fact, Recorded, gestures
from pandatui.training.hints import NAMES, Hints, seen
from pandatui.tui.company import nudge_names

_APART = 0.25  # seconds between looks: at full pace epochs end hundreds of times a second


@dataclass(frozen=True, slots=True)
class Habits:
    """What a person wants to be told: hints, all but those of the names `off`; by the bell."""

    hints: bool = True
    off: tuple[str, ...] = ()
    bell: bool = False

    @classmethod
    def of(cls, kept: Settings) -> "Habits":
        """Those of config.toml. Raises SettingsError for a hint that there is not."""
        for name in kept.hints_off:
            if name not in NAMES:
                expected = ", ".join(NAMES)
                raise SettingsError(f"{settings_file()}: 'hints_off': expected some of {expected}")
        return cls(kept.hints, kept.hints_off, kept.bell)


class Beside:
    """Of one Driver, for as long as it lives. `left_alone`: whether that ghost comes by itself."""

    def __init__(
        self, driver: Driver, *, left_alone: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._driver = driver
        self._left_alone = left_alone
        self._clock = clock
        self._hints: Hints | None = None
        self._looked = -_APART
        self.hint: str | None = None  # the last one, in words, until the next nudge
        self.flat = False  # whether the cost was, at the last look
        driver.subscribe(self._hear)

    def give_hints(self, off: Collection[str] = ()) -> None:
        """From now on, but those of these names."""
        self._hints = Hints(off)

    def no_hints(self) -> None:
        self._hints = self.hint = None

    @property
    def gives_hints(self) -> bool:
        return self._hints is not None

    def _hear(self, fact: Fact) -> None:
        """In the training thread."""
        if isinstance(fact, Recorded) and fact.event.kind in ("nudge", *JUMPS):
            self.hint = None
            self._driver.ask(self.leave_alone)
        elif isinstance(fact, EpochDone):
            self._driver.ask(self.leave_alone)
            self._look()

    def leave_alone(self, run: Run) -> None:
        """Start the ghost without any nudge, where it comes by itself and there is one to do without."""
        companions = self._driver.companions
        if not self._left_alone or self._driver.pace is None or LEFT_ALONE in companions:
            return
        if any(event.kind == "nudge" and event.undone_by is None for event in run.events):
            companions.ghost(run, None, asked=False)

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < _APART:
            return
        self._looked = now
        found = self._driver.ask(seen).result()
        self.flat = found is not None and found.flat
        rule = self._hints.rule_at(found) if self._hints is not None and found is not None else None
        if found is not None and rule is not None:
            self.hint = rule.words(found)

    # -- asked by a person, between two steps ------------------------------------------------------------

    def turn_ghost(self, run: Run) -> str:
        """The ghost without the last nudge, then without any, then none; returns what to say of it."""
        companions = self._driver.companions
        standing = [gesture.number for gesture in gestures(run.events) if not gesture.undone]
        if companions.asked(LEFT_ALONE) or (not standing and LEFT_ALONE in companions):
            companions.end(LEFT_ALONE)
            self._left_alone = False  # not wanted
            return "no ghost any more"
        if not standing:
            return "no nudge that stands: a ghost is the run without one"
        last = frozenset({standing[-1]})
        if len(standing) > 1 and (GHOST not in companions or companions.without(GHOST) != last):
            companions.ghost(run, last)
            return f"ghost: the run without {nudge_names([standing[-1]])} · g again: without any · k keeps it"
        companions.end(GHOST)
        if LEFT_ALONE in companions:
            companions.ask(LEFT_ALONE)
        else:
            companions.ghost(run, None)
        return f"ghost: the run left alone, without {nudge_names(standing)} · g again: none · k keeps it"

    def begin_twins(self, run: Run, *, from_start: bool) -> str:
        self._driver.companions.twins(run, from_start=from_start)
        if from_start:
            return "5 seeds from the start, with your nudges · t again ends them"
        return "5 seeds from here, other orders of the data · t again ends them"

    def end_twins(self, run: Run) -> str:
        self._driver.companions.end(TWIN_BAND)
        return "no twins any more"
