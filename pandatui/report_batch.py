"""A race without a screen: progress on stderr, ctrl-c once and twice, and the exit status."""

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from pandatui.data import DataError
from pandatui.report import (
    INTERNAL,
    OK,
    SIGNALS,
    SOME_FAILED,
    USAGE,
    bar_line,
    redraw,
    say,
    say_all,
    show_traceback,
)
from pandatui.report_studies import box_lines
from pandatui.search.cohort import DataMoved
from pandatui.search.engines import EngineError
from pandatui.search.keeper import Keeper
from pandatui.search.race import Engine, Leave, Race
from pandatui.search.study import Round, Study
from pandatui.training.words import cost, duration, plural

_TICK = 0.2  # seconds
_BAR = 8  # cells
_FAIR = 0.02  # of a study: sooner nobody can tell how long the rest takes


class Pace:
    """How fast a race goes and how long it has to go, from the part that is done. Time is an argument."""

    def __init__(self, study: Study, now: float) -> None:
        self._began, self._start = now, done_part(study)

    def per_minute(self, study: Study, now: float) -> float:
        """Trials a minute since the start; what is half trained counts half."""
        return (done_part(study) - self._start) * in_all(study) / max(1e-9, now - self._began) * 60

    def to_go(self, study: Study, now: float) -> float | None:
        """Seconds; None while it is too early to tell."""
        part = done_part(study)
        came = part - self._start
        return (now - self._began) * (1 - part) / came if came >= _FAIR else None


def in_all(study: Study) -> int:
    """Trials of all rounds, those included that have not begun."""
    return len(study.trials) + sum(study.sizes[len(study.rounds) :])


def done_part(study: Study) -> float:
    """The part of a study that is done, from 0 to 1."""
    budget = study.base.epochs
    done = sum(trial.epochs / budget if trial.stands else 1.0 for trial in study.trials.values())
    return done / in_all(study)


def progress_line(study: Study, pace: Pace, now: float) -> str:
    """round 2/3 · 31/48 trials · best dev 0.0871 · 112/min · 40 s to go."""
    ended = sum(not trial.stands for trial in study.trials.values())
    parts = [
        f"round {len(study.rounds)}/{max(len(study.sizes), len(study.rounds))}",
        f"{ended:,}/{plural(in_all(study), 'trial')}",
    ]
    best = study.best
    if best is not None:
        parts.append(f"best dev {cost(best.dev_cost)}")
    parts.append(f"{pace.per_minute(study, now):,.0f}/min")
    rest = pace.to_go(study, now)
    if rest is not None:
        parts.append(f"{duration(rest)} to go")
    return " · ".join(parts)


# -- running -------------------------------------------------------------------------------------------------


class Signals:
    """The signals that ended it; a second one leaves at once: what has ended is on disk already."""

    def __init__(self) -> None:
        self.caught: list[int] = []

    @contextmanager
    def heard(self) -> Iterator[None]:
        before = {each: signal.getsignal(each) for each in SIGNALS}
        heard = [each for each in SIGNALS if before[each] is not signal.SIG_IGN]  # nohup ignores SIGHUP
        try:
            for each in heard:
                signal.signal(each, self._stop)
            yield
        finally:
            for each in heard:
                signal.signal(each, before[each])

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.caught.append(number)  # and no more: the main thread may be holding any lock
        if len(self.caught) > 1:
            os._exit(128 + number)


def race(running: Race, engine: Engine, keeper: Keeper, signals: Signals, *, every: float) -> int:
    """Race to the end and close engine and keeper. Returns the exit status."""
    done = threading.Event()
    failure: list[BaseException] = []

    def run() -> None:
        try:
            running.run()
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="pandatui-race", daemon=True)
    pace, told = Pace(running.study, time.monotonic()), len(running.study.rounds)
    try:
        thread.start()
        _follow(running, keeper, done, signals.caught, every, pace, told)
        thread.join()
    finally:
        engine.close(now=bool(signals.caught or failure))
        keeper.close()
    return _status(running.study, keeper, failure, signals.caught)


def _follow(
    running: Race,
    keeper: Keeper,
    done: threading.Event,
    caught: Sequence[int],
    every: float,
    pace: Pace,
    told: int,
) -> None:
    """Show progress until the race is over: a bar on a terminal, lines elsewhere.

    `pace` and `told`, the rounds that need not be told any more, are from before it began.
    """
    terminal = sys.stderr.isatty()
    shown = time.monotonic()
    over, leaving, problem = False, False, ""
    while not over:
        over = done.wait(_TICK)
        messages: deque[str] = deque()
        now = time.monotonic()
        with running.lock:
            study = running.study
            line, part = progress_line(study, pace, now), done_part(study)
            messages += [_round_words(made, study) for made in study.rounds[max(1, told) :]]
            told = len(study.rounds)
        if keeper.problem != problem:
            problem = keeper.problem
            messages.append(problem or "saving again")
        if caught and not leaving:
            leaving = True
            running.send(Leave())
            messages.append("stopping; ctrl-c again leaves at once")
        if messages:
            say_all(messages)
        if terminal:
            redraw("" if over else bar_line(part, line, _BAR))
        elif now - shown >= every:
            shown = now
            say(line)


def _round_words(made: Round, study: Study) -> str:
    where = "" if study.points else ": " + ", ".join(" ".join(line.split()) for line in box_lines(made.box))
    return f"round {made.number}: {plural(len(made.trials), 'trial')}{where}"


def _status(study: Study, keeper: Keeper, failure: Sequence[BaseException], caught: Sequence[int]) -> int:
    """The exit status, with the last words on what went wrong."""
    if keeper.problem:
        say(f"pandatui: {keeper.path}: {keeper.problem}")
    for error in failure:
        if isinstance(error, EngineError | DataMoved | DataError):
            say(f"pandatui: {error}")
            return USAGE
        show_traceback(error)
        say(f"pandatui: the race stopped by an error: {type(error).__name__}: {error}")
        return INTERNAL
    if caught:
        return 128 + caught[0]
    return outcome(study) or (USAGE if keeper.problem else OK)


def outcome(study: Study) -> int:
    """The exit status of a study that has come to its end."""
    return SOME_FAILED if any(trial.status == "failed" for trial in study.trials.values()) else OK
