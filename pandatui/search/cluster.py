"""Cluster: slices on Dask workers, for those who have outgrown one machine.

Dask is asked for what any executor can do and no more. It sends a slice of a dead worker to another by
itself, and gives up on one that has killed four.
"""

import asyncio
import logging
import platform
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from pandatui import __version__
from pandatui.plain import plain
from pandatui.search.cohort import Outcome, Slice, Train
from pandatui.search.engines import EngineError

T = TypeVar("T")
Versions = Mapping[str, str | None]

PATIENCE = 10.0  # seconds for a scheduler to answer
_NOISY = ("distributed", "distributed.client", "tornado.application")


def versions_here() -> dict[str, str]:
    """What is to be the same everywhere, for a trial's bits and for slices to be understood at all."""
    return {"Python": platform.python_version(), "NumPy": np.__version__, "pandatui": __version__}


def refusal(expected: Versions, found: Mapping[str, Versions]) -> str | None:
    """The sentence that says which workers have other versions than expected; None if none has.

    `found` has each worker's versions by its address, None for what is not installed there.
    """
    other = {}
    for worker, theirs in sorted(found.items()):
        wrong = [name for name, version in expected.items() if theirs.get(name) != version]
        if wrong:
            has = ", ".join(f"{name} {theirs[name]}" if theirs.get(name) else f"no {name}" for name in wrong)
            other[worker] = f"has {has}: expected {', '.join(f'{name} {expected[name]}' for name in wrong)}"
    if not other:
        return None
    worker, what = next(iter(other.items()))
    differ = "differs" if len(other) == 1 else "differ"
    more = f" ({len(other)} of {len(found)} workers {differ})" if len(found) > 1 else ""
    return f"worker {worker} {what}, as here{more}"


class Cluster:
    """The workers of the Dask scheduler at `address`, such as tcp://host:8786.

    `workers` is the number of their threads when we came; a process with one thread is best, as threads of
    one process wait for each other. Workers load the data by themselves, so a file is to be at the same path
    for them; where it is another, DataMoved. Raises EngineError, one line, when Dask is not installed, nobody
    answers within ten seconds, there are no workers, or one has another Python, NumPy or pandatui. One that
    joins later is refused by the first slice that it is given.
    """

    def __init__(self, address: str, *, patience: float = PATIENCE) -> None:
        self.address = address
        self._client = _connected(address, patience)
        try:
            self._await_workers(patience)
            self.workers = _within(patience, self._admit)
        except EngineError:
            self._client.close()
            raise
        except Exception as error:  # one that has just died, too, may be asked
            self._client.close()
            raise EngineError(f"scheduler {address}: its workers don't answer") from error
        self._out: dict[Future[Outcome], Any] = {}  # Dask's future for each of ours that is not done

    def _await_workers(self, patience: float) -> None:
        """The first of them: who starts a cluster and us in one go need not wait by himself."""
        try:
            self._client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            how = f"start some with `dask worker {self.address} --nthreads 1`"
            raise EngineError(f"scheduler {self.address}: no workers; {how}") from None

    def _admit(self) -> int:
        """How many slices at once, once it is known that every worker can train ours."""
        threads = self._client.nthreads()
        here = versions_here()
        # Python first, which they say by themselves: functions of ours are not for another Python to run.
        said = self._client.get_versions()["workers"]
        pythons = {worker: {"Python": _release(info["host"]["python"])} for worker, info in said.items()}
        problem = refusal({"Python": here["Python"]}, pythons)
        problem = problem or refusal(here, self._client.run(_versions_there()))
        if problem:
            raise EngineError(problem)
        return sum(threads.values())

    def submit(self, train: Train, work: Slice) -> "Future[Outcome]":
        outer: Future[Outcome] = Future()
        try:
            inner = self._client.submit(_train_there, versions_here(), train, work, pure=False)
            self._out[outer] = inner
            outer.add_done_callback(self._out.pop)
            self._client.loop.add_callback(self._hand_on, outer, inner)
        except Exception as error:  # the client has closed itself
            outer.set_exception(self._lost(error))
        return outer

    async def _hand_on(self, outer: "Future[Outcome]", inner: Any) -> None:
        """When the scheduler is lost, Dask cancels what is out, and fails to fetch what had just ended.

        Nobody would come back to either. Its own executor hands on the one and not the other.
        """
        try:
            outcome = await self._client.gather(inner, asynchronous=True)
        except BaseException as error:
            outer.set_exception(error if inner.status == "error" else self._lost(error))
        else:
            outer.set_result(outcome)

    def _lost(self, error: BaseException) -> EngineError:
        lost = EngineError(f"scheduler {self.address}: the connection is lost")
        lost.__cause__ = error
        return lost

    def died(self, error: BaseException) -> bool:
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        return isinstance(error, KilledWorker | CommClosedError)

    def close(self, *, now: bool) -> None:
        """Leave; the cluster stays. With `now`, what runs there is forgotten when its slice is over."""
        with suppress(Exception):  # a client that has lost its scheduler has closed itself
            if now:
                self._client.cancel(list(self._out.values()))
            else:
                wait(list(self._out))
        self._client.close()


def _connected(address: str, patience: float) -> Any:
    try:
        import distributed
        from distributed.versions import VersionMismatchWarning
    except ImportError:
        raise EngineError("Dask is not installed: pip install 'pandatui[cluster]'") from None
    import dask

    for name in _NOISY:  # what matters comes to us as an exception
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)  # ours is an error, and says more
    dask.config.set(
        {"distributed.admin.large-graph-warning-threshold": "1 GB"}
    )  # a slice carries its weights
    try:
        _within(patience + 1, lambda: asyncio.run(_greet(address, patience)))
        return distributed.Client(address, timeout=patience, set_as_default=False)
    except Exception as error:  # of all kinds for an address that is none
        if isinstance(error, TimeoutError):
            why = f"no answer within {patience:g} s"
        elif isinstance(error, OSError | ValueError) and str(error):
            why = str(error)
        else:
            why = "what answers there is no Dask scheduler"
        raise EngineError(f"scheduler {plain(address)!r}: not reached: {plain(why)}") from error


async def _greet(address: str, patience: float) -> None:
    """Connect and go. A Dask client waits without end for one who accepts a connection and says nothing."""
    from distributed import Security
    from distributed.comm import connect

    keys = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=patience, **keys), patience)
    await comm.close()


def _within(seconds: float, do: Callable[[], T]) -> T:
    """What it comes to; TimeoutError, and left to itself, when it takes longer."""
    done: Future[T] = Future()

    def attempt() -> None:
        try:
            done.set_result(do())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=attempt, daemon=True).start()
    return done.result(seconds)


def _release(version: str) -> str:
    """`3.11.7` of `3.11.7.final.0`."""
    return ".".join(version.split(".")[:3])


def _versions_there() -> Any:
    """A function that Dask sends by value, so that it also runs where pandatui is missing."""

    def versions() -> dict[str, str | None]:
        import importlib
        import platform

        found: dict[str, str | None] = {"Python": platform.python_version()}
        for name, module in (("NumPy", "numpy"), ("pandatui", "pandatui")):
            try:
                found[name] = importlib.import_module(module).__version__
            except ImportError:
                found[name] = None
        return found

    return versions


def _train_there(expected: Versions, train: Train, work: Slice) -> Outcome:
    """In a worker. It may have joined after the others were asked for their versions."""
    from distributed import get_worker

    problem = refusal(expected, {get_worker().address: versions_here()})
    if problem:
        raise EngineError(problem)
    return train(work)
