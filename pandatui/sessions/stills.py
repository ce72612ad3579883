"""A recorded session's network, to be looked at: as the nearest checkpoint before a step has it."""

from pathlib import Path

from pandatui.data import Dataset
from pandatui.sessions.replay import config_of, events_of
from pandatui.sessions.schema import Session
from pandatui.sessions.seeking import checkpoint_at, of_the_path, steps_in
from pandatui.training import Run


class Stills:
    """Raises RerunError, ConfigError where no run can have the session's config."""

    def __init__(self, session: Session, folder: Path, dataset: Dataset) -> None:
        self._session = session
        self._events = events_of(session)
        self._folder = folder
        self._steps = steps_in(folder)
        self._run = Run(config_of(session), dataset)
        self._at = -1

    def __bool__(self) -> bool:
        return bool(self._steps)

    def at(self, step: int) -> Run | None:
        """The run with the weights of the last checkpoint by that step; None where there is none.

        One run stands now here, now there: look at it before asking again, and do not train it.
        """
        while before := [each for each in self._steps if each <= step]:
            if before[-1] == self._at:
                return self._run
            found = checkpoint_at(self._folder, before[-1], self._run)
            if found is not None and of_the_path(found, self._events, self._session.steps):
                self._run.stand_at(found.state)
                self._at = before[-1]
            else:
                self._steps.remove(before[-1])
        return None
