"""A held key turns a knob at most eight notches a second."""

from collections import deque
from collections.abc import Callable

NOTCHES_PER_SECOND = 8


class Throttle:
    """Lets through at most `limit` presses in any second; quick presses by hand all pass."""

    def __init__(self, clock: Callable[[], float], limit: int = NOTCHES_PER_SECOND) -> None:
        self._clock = clock
        self._limit = limit
        self._passed: deque[float] = deque()

    def passes(self) -> bool:
        """Whether this press counts."""
        now = self._clock()
        while self._passed and now - self._passed[0] >= 1:
            self._passed.popleft()
        if len(self._passed) >= self._limit:
            return False
        self._passed.append(now)
        return True
