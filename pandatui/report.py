"""Headless output: progress, summaries and JSON. Data go to stdout, talk to stderr."""

import contextlib
import errno
import json
import math
import os
import shlex
import signal
import stat
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from pandatui.data import DataError, Inspection
from pandatui.plain import plain
from pandatui.sessions import Recorder, Session
from pandatui.sessions.schema import from_number
from pandatui.training import Driver
from pandatui.training.events import Diverged, Fact, Failed, Finished, Recorded, Refused, WorseThanGuessing
from pandatui.training.snapshot import Snapshot, View
from pandatui.training.words import cost, duration, plural, sentence

OK, USAGE, DIVERGED, SOME_FAILED, INTERNAL = 0, 2, 6, 7, 70
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)
_NO_VIEW = View(buckets=1)
_TICK = 0.2  # seconds
_LONG_LOAD = 1.0  # seconds
_CLEAR = "\r\x1b[2K"
_SHOWN = 20  # classes and columns listed by name


def say(text: str) -> None:
    """A line of talk, on stderr."""
    _talk(plain(text, 2000) + "\n")


def _talk(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal or pipe has gone: training and saving matter more
        sys.stderr.write(text)
        sys.stderr.flush()


def redraw(text: str) -> None:
    """The line of talk that is drawn over and over, on a terminal."""
    _talk(_CLEAR + text)


def put(text: str) -> None:
    """Data, on stdout."""
    try:
        print(text, flush=True)
    except OSError as error:
        if not _unread(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unread(error: OSError) -> bool:
    """Whether whoever read has gone: `pandatui … | head`, or a terminal that was closed."""
    if isinstance(error, BrokenPipeError):
        return True
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode)


class LoadProgress:
    """Shows, a line a second, what a long load is doing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._shown = 0.0

    def __call__(self, what: str, fraction: float) -> None:
        now = self._clock()
        if now - self._start < _LONG_LOAD or (now - self._shown < 1 and fraction < 1):
            return
        self._shown = now
        say(f"{what} {fraction:.0%}")


class StepProgress:
    """Shows on a terminal how far a re-run has come; elsewhere nothing. Call `done` at its end."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._shown = clock()
        self._terminal = sys.stderr.isatty()

    def __call__(self, steps: int, of: int) -> None:
        now = self._clock()
        if self._terminal and now - self._shown >= _TICK:
            self._shown = now
            redraw(f"{self._what}: step {steps:,} of {of:,}")

    def done(self) -> None:
        if self._terminal:
            redraw("")


def told() -> Callable[[int, int], None]:
    """Says how far training again has come, once it has taken a second."""
    progress = LoadProgress()
    return lambda done, steps: progress("training it again", done / max(1, steps))


def finished(session: Session, path: str, *, as_json: bool) -> int:
    """Report a session that has nothing left to do. Returns the exit status."""
    put(json.dumps(summary(session, path)) if as_json else summary_text(session))
    return DIVERGED if session.status == "diverged" else OK


def train(driver: Driver, recorder: Recorder, *, every: float, as_json: bool) -> int:
    """Train to the end without a screen, save, and report. Returns the exit status.

    Raises OSError when the session can't be written before the first step.
    """
    done = threading.Event()
    caught: list[int] = []
    messages: deque[str] = deque()

    def hear(fact: Fact) -> None:
        if isinstance(fact, Recorded | Refused | WorseThanGuessing | Diverged):
            messages.append(sentence(fact))
        if isinstance(fact, Finished | Diverged | Failed):
            done.set()

    def stop(number: int, frame: FrameType | None) -> None:
        caught.append(number)  # and no more: the main thread may be holding any lock

    before = {each: signal.getsignal(each) for each in SIGNALS}
    heard = [each for each in SIGNALS if before[each] is not signal.SIG_IGN]  # nohup ignores SIGHUP
    try:
        for each in heard:
            signal.signal(each, stop)
        driver.subscribe(hear)
        if not driver.ask(lambda run: run.ready).result():
            done.set()  # one that was killed when it had finished: there is its end to be saved, and no more
        recorder.start()
        driver.start()
        _follow(driver, recorder, lambda: bool(caught) or done.wait(_TICK), messages, every)
        driver.close()
        session = recorder.close(evaluate=driver.failure is None)
    finally:
        for each in heard:
            signal.signal(each, before[each])
    say_all(messages)
    put(json.dumps(summary(session, recorder.path)) if as_json else summary_text(session))
    return _status(driver.failure, recorder, session, caught)


def _status(
    failure: BaseException | None, recorder: Recorder, session: Session, caught: Sequence[int]
) -> int:
    """The exit status, with the last words on what went wrong."""
    if recorder.problem:
        say(f"pandatui: {recorder.path}: {recorder.problem}")
    if isinstance(failure, DataError):
        say(f"pandatui: {sentence(Failed(failure))}; the session is {recorder.path}")
        return USAGE
    if failure is not None:
        show_traceback(failure)
        say(f"pandatui: {sentence(Failed(failure))}; the session is {recorder.path}")
        return INTERNAL
    if caught:
        return 128 + caught[0]
    if session.status == "diverged":
        return DIVERGED
    return USAGE if recorder.problem else OK


def show_traceback(error: BaseException) -> None:
    """For a report of a mistake of ours, with nothing in it that a terminal would act on."""
    for lines in traceback.format_exception(error):
        for line in lines.splitlines():
            say(line)


def _follow(
    driver: Driver, recorder: Recorder, over: Callable[[], bool], messages: deque[str], every: float
) -> None:
    """Show progress until the run is over: a bar on a terminal, lines elsewhere. `over` waits a moment."""
    terminal = sys.stderr.isatty()
    problem = ""
    shown = time.monotonic()
    while not over():
        say_all(messages)
        if recorder.problem != problem:
            problem = recorder.problem
            say_all(deque([problem or "saving again"]))
        if not terminal and time.monotonic() - shown < every:
            continue
        try:
            snapshot = driver.snapshot(_NO_VIEW, timeout=1)
        except TimeoutError:
            continue
        shown = time.monotonic()
        if terminal:
            redraw(bar(snapshot))
        else:
            say(progress_line(snapshot))


def say_all(messages: deque[str]) -> None:
    """Say and forget them, in place of the bar if there is one."""
    if sys.stderr.isatty():
        redraw("")
    while messages:
        say(messages.popleft())


def progress_line(snapshot: Snapshot) -> str:
    """epoch 12/60 · step 3,400 · train 0.38 · dev 0.44 (85.0 % right) · 9,100 steps/s."""
    parts = [f"epoch {snapshot.epoch}/{snapshot.target_epochs}", f"step {snapshot.steps:,}"]
    if not math.isnan(snapshot.train_cost):
        parts.append(f"train {cost(snapshot.train_cost)}")
    if not math.isnan(snapshot.dev_cost):
        parts.append(f"dev {cost(snapshot.dev_cost)} ({snapshot.dev_accuracy:.1%} right)")
    if snapshot.steps_per_second:
        parts.append(f"{snapshot.steps_per_second:,.0f} steps/s")
    return " · ".join(parts)


def bar(snapshot: Snapshot, width: int = 24) -> str:
    """The same behind a bar."""
    return bar_line(snapshot.place / max(1, snapshot.target_epochs), progress_line(snapshot), width)


def bar_line(part: float, text: str, width: int) -> str:
    """A bar of which a part, 0 … 1, is full, and a text; cut to the terminal's width."""
    filled = int(width * min(1.0, part))
    utf8 = (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"
    full, rest = ("━", "╌") if utf8 else ("#", ".")
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # 0: it does not know
    except OSError:
        columns = 80
    return f"{full * filled}{rest * (width - filled)} {text}"[: columns - 1]


def summary(session: Session, path: str) -> dict[str, Any]:
    """The object of `--json`; numbers that JSON does not know are strings."""
    result = session.result
    return {
        "session": path,
        "status": session.status,
        "steps": session.steps,
        "epochs": session.epochs,
        "train_cost": result.train_cost,
        "dev_cost": result.dev_cost,
        "dev_accuracy": result.dev_accuracy,
        "best_dev_cost": result.best_dev_cost,
        "test_accuracy": result.test_accuracy,
        "seconds": session.seconds,
        "steps_per_second": round(session.steps / session.seconds, 1) if session.seconds else None,
        "weights_sha256": result.weights_sha256,
        "costs_sha256": result.costs_sha256,
    }


def summary_text(session: Session) -> str:
    """What a person wants to know at the end, on a few lines."""
    result = session.result
    lines = [
        f"{plain(session.name)}: {session.status} after {plural(session.epochs, 'epoch')}, "
        f"{plural(session.steps, 'step')}, {duration(session.seconds)}"
    ]
    if result.best_dev_cost is not None:
        lines.append(
            f"best dev cost  {cost(from_number(result.best_dev_cost))} at epoch {result.best_epoch} "
            f"({from_number(result.best_dev_accuracy):.1%} right)"
        )
    if result.dev_cost is not None:
        lines.append(
            f"last dev cost  {cost(from_number(result.dev_cost))} "
            f"({from_number(result.dev_accuracy):.1%} right)"
        )
    if result.test_accuracy is not None:
        lines.append(f"test           {from_number(result.test_accuracy):.1%} right")
    return "\n".join(lines)


def data_list(built_in: dict[str, str]) -> str:
    """The built-in sets, one a line."""
    width = max(map(len, built_in))
    return "\n".join(f"{name.ljust(width)}  {what}" for name, what in built_in.items())


def data_text(found: Inspection, label: str | None, drop: tuple[str, ...]) -> str:
    """What a source would load as, and the command that trains on it."""
    image = f", images of {'×'.join(map(str, found.image_shape))}" if found.image_shape else ""
    test = "its own test set" if found.own_test else "split 80/10/10, stratified"
    total = sum(found.counts)
    lines = [
        f"{plain(found.name)}: {found.kind}",
        f"rows      {found.train_rows:,} train, {found.dev_rows:,} dev, {found.test_rows:,} test ({test})",
        f"features  {found.n_features:,}{image}, standardised: {found.standardisation}",
        f"classes   {len(found.classes)}: "
        + ", ".join(
            f"{plain(name, 40)} {count / total:.1%}"
            for name, count in list(zip(found.classes, found.counts, strict=True))[:_SHOWN]
        )
        + (" …" if len(found.classes) > _SHOWN else ""),
    ]
    if found.mapped:
        size = f"{found.mapped / 1e9:.1f} GB" if found.mapped >= 1e9 else f"{found.mapped / 1e6:.0f} MB"
        lines.append(f"memory    mapped: {size} of inputs stay on disk, rows are read as they are needed")
    if found.constant:
        shown = ", ".join(plain(each, 40) for each in found.constant[:_SHOWN])
        lines.append(
            f"constant  {len(found.constant)} columns: {shown}{' …' if len(found.constant) > _SHOWN else ''}"
        )
    lines += [f"note      {plain(warning)}" for warning in found.warnings]
    command = ["pandatui", "--data", found.source]
    command += ["--label", label] if label is not None else []
    for column in drop:
        command += ["--drop", column]
    lines.append(f"train on it with: {plain(shlex.join(command), 1000)}")
    return "\n".join(lines)
