"""Engines: where slices are trained. Here, and in processes of this machine; a cluster is in `cluster`.

Not `concurrent.futures.ProcessPoolExecutor`: there one death takes down all workers, a worker killed while
it hands over a result is waited for without end, a parent that is killed leaves its workers behind, and
inside a running Textual app none can be started. Here each worker has its own pipes and thread, so that of a
death only its own slice is concerned.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, cast

from pandatui.plain import plain
from pandatui.search.cohort import Outcome, Slice, Train
from pandatui.search.worker import receive, send

_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_START = (
    "import sys; nice, *sys.path = sys.argv[1:]; from pandatui.search.worker import main; main(int(nice))"
)
_PATIENCE = 5.0  # seconds for a worker that has nothing to do to end by itself


class EngineError(Exception):
    """No slice can be trained there at all: one line that says why and what to do."""


class WorkerDied(Exception):  # noqa: N818 - a fact about a worker, not about a call
    """The worker of a slice has ended in the middle of it."""


def cores(spare: int = 0) -> int:
    """Processors that this process may use, but for some to spare; at least one."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        found = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count()
    return max(1, (found or 1) - spare)


class Inline:
    """Trains in this process, while `submit` is called."""

    workers = 1

    def submit(self, train: Train, work: Slice) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        try:
            future.set_result(train(work))
        except Exception as error:
            future.set_exception(error)
        return future

    def died(self, error: BaseException) -> bool:
        return False

    def close(self, *, now: bool) -> None:
        pass


class Processes:
    """Worker processes of this machine, each started when it is first needed and again after a death.

    They ignore ctrl-c, train with one BLAS thread, are `nice` if told to, load the data by themselves, and
    end when this process does, however it ends. `train` must be importable. A slice's future raises
    WorkerDied, EngineError where no worker can be started, or what `train` raised.
    """

    def __init__(self, workers: int, *, nice: int = 0) -> None:
        self.workers = workers
        self._nice = nice
        self._threads = ThreadPoolExecutor(workers, "worker", initializer=_hold_back_interrupts)
        self._mine = threading.local()  # each thread's worker
        self._all: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, train: Train, work: Slice) -> "Future[Outcome]":
        return self._threads.submit(self._train, train, work)

    def died(self, error: BaseException) -> bool:
        return isinstance(error, WorkerDied)

    def close(self, *, now: bool) -> None:
        """End the workers; without `now`, when they are done with what they have. For good."""
        if now:
            with self._lock:
                self._closed = True
                for worker in self._all:
                    worker.kill()
        self._threads.shutdown(cancel_futures=now)
        while self._all:
            self._all.pop().end()

    def _train(self, train: Train, work: Slice) -> Outcome:
        request = pickle.dumps((train, work), pickle.HIGHEST_PROTOCOL)
        worker = self._worker()
        answer = worker.ask(request)
        if answer is None:
            raise WorkerDied(self._bury(worker))
        well, what = pickle.loads(answer)
        if not well:
            raise what
        return cast(Outcome, what)

    def _worker(self) -> "_Worker":
        """This thread's worker, started if there is none that lives."""
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is not None:
            if worker.lives:
                return worker
            self._bury(worker)
        with self._lock:
            if self._closed:
                raise WorkerDied("worker not started: the engine is closed")
            worker = self._mine.worker = _Worker(self._nice)
            self._all.add(worker)
        if not worker.ready():
            cause = self._bury(worker)
            raise WorkerDied(cause) if worker.by_signal else EngineError(f"no worker can start: {cause}")
        return worker

    def _bury(self, worker: "_Worker") -> str:
        """Let go of one that has died; says how."""
        self._mine.worker = None
        with self._lock:
            self._all.discard(worker)
        return worker.end()


def _hold_back_interrupts() -> None:
    """A worker inherits the mask of the thread that starts it: from its start ctrl-c is for the parent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


class _Worker:
    def __init__(self, nice: int) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(nice), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=os.environ | _ONE_THREAD,
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @property
    def by_signal(self) -> bool:
        return (self._process.returncode or 0) < 0

    def ready(self) -> bool:
        return receive(self._answers) is not None

    def ask(self, request: bytes) -> bytes | None:
        """The answer; None when it has died."""
        try:
            send(self._requests, request)
        except OSError:
            return None
        return receive(self._answers)

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> str:
        """Wait for its end, which closing its pipe brings about; says how it ended."""
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # what was not yet sent
                pipe.close()
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        with self._words as words:
            words.seek(max(0, words.seek(0, os.SEEK_END) - 2000))
            said = words.read().decode(errors="replace").split("\n")
        if code < 0:
            return f"worker ended by signal {-code}"
        last = next((line for line in reversed(said) if line.strip()), "it said nothing")
        return f"worker ended with status {code}: {plain(last.strip())}"
