"""Driver: a thread around a Run.

Commands are queued and drained between steps, so each has an exact step. Facts are pushed to subscribers,
rarely. Numbers are pulled: `ask` runs a function between two steps and hands back what it returns.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from pandatui.training.companions import Companions
from pandatui.training.environment import pin_blas
from pandatui.training.events import JUMPS, Command, Fact, Failed, Nudge, Recorded, Redo, Rescue, Rewind, Undo
from pandatui.training.run import Run
from pandatui.training.snapshot import Snapshot, View, look

T = TypeVar("T")

GESTURE_SECONDS = 2.0
_CATCH_UP = 0.25  # a slow machine falls behind the pace rather than rushing after it
_RATE_WINDOW = 1.0  # seconds over which the speed is measured

Subscriber = Callable[[Fact], None]


class Driver:
    """Owns a Run and the thread that steps it. `pace` is epochs a second, None as fast as it goes.

    `seconds` is the running time that a resumed run has behind it.
    """

    def __init__(
        self,
        run: Run,
        *,
        pace: float | None = None,
        seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._pace = pace
        self._clock = clock
        self._inbox: deque[Command | tuple[Callable[[Run], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._subscribers: list[Subscriber] = []
        self._thread = threading.Thread(target=self._main, name="pandatui-training", daemon=True)
        self._threaded = (
            False  # whether the thread answers; before and after, whoever asks is answered at once
        )
        self._threaded_lock = threading.Lock()
        self._answering = threading.RLock()
        self._seconds = seconds
        self._running_since: float | None = None
        self._last_press: tuple[str, float] | None = None
        self._due, self._due_at = 0.0, pace  # when the next step is due, and at what pace: its thread's alone
        self.companions = Companions()  # to be spoken to between two steps alone: by `ask`
        self._speed_mark = (0.0, 0)
        self._speed = 0.0
        self.failure: BaseException | None = None
        pin_blas()

    # -- for any thread ----------------------------------------------------------------------------------

    def start(self) -> None:
        with self._threaded_lock:
            self._thread.start()
            self._threaded = True

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every fact, in the training thread: it must be quick and must not raise."""
        self._subscribers.append(subscriber)

    def send(self, command: Command) -> None:
        """Queue a command; it is carried out before the next step. After the end it is not heard."""
        if isinstance(command, Nudge):
            now = self._clock()
            last, self._last_press = self._last_press, (command.knob, now)
            if last is not None and last[0] == command.knob and now - last[1] <= GESTURE_SECONDS:
                command = replace(command, continues=True)
        elif isinstance(command, Undo | Redo | Rewind | Rescue):
            self._last_press = None
        self._inbox.append(command)
        self._wake.set()

    def ask(self, question: Callable[[Run], T]) -> Future[T]:
        """Have `question(run)` answered between two steps; before the start and after the end, at once.

        A subscriber, which is called between two steps, is answered at once too.
        """
        answer: Future[T] = Future()
        with self._threaded_lock:
            queued = self._threaded and threading.current_thread() is not self._thread
            if queued:
                self._inbox.append((question, answer))
        if queued:
            self._wake.set()
        else:
            self._answer(question, answer)
        return answer

    def snapshot(self, view: View, timeout: float = 0.25) -> Snapshot:
        """A look at the run between two steps. Raises TimeoutError when that takes longer than `timeout`."""

        def taken(run: Run) -> Snapshot:
            return replace(
                look(run, view),
                seconds=self.seconds,
                pace=self._pace,
                steps_per_second=self._measured(),
                companions=self.companions.look(run, view.buckets, view.first, view.last),
            )

        return self.ask(taken).result(timeout)

    @property
    def pace(self) -> float | None:
        return self._pace

    def set_pace(self, pace: float | None) -> None:
        """Epochs a second from now on, None for as fast as it goes. It never changes a bit."""
        self._pace = pace
        self._wake.set()

    @property
    def seconds(self) -> float:
        """Running time: the clock stands while the run is paused or has ended."""
        since = self._running_since
        return self._seconds + (self._clock() - since if since is not None else 0.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self, timeout: float | None = None) -> bool:
        """Stop after the present step and the commands sent so far; returns whether the thread has ended."""
        self._closing = True
        self._wake.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended by itself or been closed."""
        self._thread.join(timeout)

    # -- the training thread -----------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._closing:
                self._drain()
                if not self._run.ready:
                    self._stand_clock()
                    if not self._attend():
                        self._wait(None)
                    continue
                self._run_clock()
                if (rest := self._until_due()) > 0:
                    if not self._attend():
                        self._wait(rest)
                else:
                    self._push(self._run.step(self.seconds))
                    if self._pace is None:
                        self._attend()
            self._drain()
        except BaseException as error:  # shown, saved and ended with status 70 by whoever owns the Driver
            self.failure = error
            self._push([Failed(error)])
        finally:
            self._stand_clock()
            self._closing = True
            with self._threaded_lock:
                self._threaded = False
            self._answer_the_rest()

    def _wait(self, seconds: float | None) -> None:
        if not self._inbox and not self._closing:
            self._wake.wait(seconds)
        self._wake.clear()

    def _drain(self) -> None:
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, tuple):
                self._answer(*item)
            else:
                self._push(self._run.apply(item, self.seconds))

    def _answer_the_rest(self) -> None:
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, tuple):
                self._answer(*item)

    def _answer(self, question: Callable[[Run], Any], answer: Future[Any]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            with self._answering:  # one at a time, in whichever thread
                result = question(self._run)
        except Exception as error:  # belongs to the one who asked, not to the training
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def _attend(self) -> bool:
        """Let companions that are behind take a step; False when none is."""
        return self.companions.attend(self._run, full_pace=self._pace is None and self._run.ready)

    def _push(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Recorded) and fact.event.kind in JUMPS:
                self.companions.went_back(self._run)
            for subscriber in self._subscribers:
                subscriber(fact)

    def _until_due(self) -> float:
        """Seconds until the next step is due at this pace; counts the step as taken when it is."""
        pace = self._pace  # another thread may set it meanwhile
        if pace != self._due_at:
            self._due, self._due_at = self._clock(), pace
        if pace is None:
            return 0.0
        now = self._clock()
        rest = self._due - now
        if rest > 0:
            return rest
        run = self._run
        interval = 1 / (pace * run.batches.steps_per_epoch(int(run.knobs["batch_size"])))
        self._due = max(self._due + interval, now - _CATCH_UP)
        return 0.0

    def _run_clock(self) -> None:
        if self._running_since is None:
            self._running_since = self._due = self._clock()
            self._speed_mark = (self._running_since, self._run.steps)

    def _stand_clock(self) -> None:
        seconds, self._running_since = self.seconds, None
        self._seconds = seconds

    def _measured(self) -> float:
        """Steps a second over the last second or so."""
        since, steps = self._speed_mark
        now = self._clock()
        if self._running_since is not None and now - since >= _RATE_WINDOW:
            self._speed = (self._run.steps - steps) / (now - since)
            self._speed_mark = (now, self._run.steps)
        return self._speed
