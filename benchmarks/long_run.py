"""The long run: `python -m benchmarks.long_run`. A run of 10 thousand steps against one of 10 million.

The steps are not trained but put on record: what is measured is what the record costs. Rows: memory of the
curves, a redraw of the watch screen's picture (whole, zoomed in, scrubbed), the session file (size, encode,
write, read), 1,000 sessions listed.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pandatui.sessions import Store
from pandatui.sessions.player import Player
from pandatui.sessions.record import Identity, record
from pandatui.sessions.schema import decode, encode
from pandatui.training import Run
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.snapshot import View, look
from pandatui.tui.charting import Look, chart_of
from pandatui.tui.plotting import Palette, draw

PALETTE = Palette(
    background="#111418", foreground="#dddddd", muted="#777777", train="#4fa3ff", dev="#ffb454",
    accent="#7fd88f", error="#ff6b6b", ghost="#666666",
)  # fmt: skip
STEPS_PER_EPOCH = 23


def long_run(steps: int) -> Run:
    """A run on the digits with so many made-up costs behind it, and a spike of one step in the middle."""
    config, dataset = prepare(RunOptions(data="digits", epochs=10_000_000))
    run = Run(config, dataset)
    random = np.random.default_rng(1)
    costs = 2.3 * np.arange(1, steps + 1) ** -0.2 * random.lognormal(0, 0.1, steps)
    costs[steps // 2] = 50.0
    ends = np.arange(STEPS_PER_EPOCH, steps + 1, STEPS_PER_EPOCH)
    dev = np.stack([ends, costs[ends - 1], np.full(len(ends), 0.9)], axis=1)
    run.history.extend(costs, dev)
    run.steps, run.epoch = steps, len(ends)
    return run


def size_of(thing: object, seen: set[int]) -> int:
    """Bytes of all that hangs on it."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return size_of(thing.base, seen) if thing.base is not None else thing.nbytes
    inside: list[object] = []
    if isinstance(thing, list | tuple):
        inside = list(thing)
    elif hasattr(thing, "__dict__"):
        inside = list(vars(thing).values())
    return sys.getsizeof(thing) + sum(size_of(each, seen) for each in inside)


def milliseconds(work: Callable[[], object], repeats: int = 15) -> float:
    """Processor time of the quickest half, median."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return statistics.median(sorted(times)[: repeats // 2 + 1])


def redraws(run: Run) -> tuple[float, float, float]:
    """Milliseconds for a picture of 118×30: the whole run, its middle, and with the cursor far back."""

    def drawn(first: float, last: float | None, at: Look) -> Callable[[], object]:
        return lambda: draw(chart_of(look(run, View(first, last, 236)), at), 118, 30, PALETTE, unicode=True)

    middle = run.steps / 2
    window = (middle - 500, middle + 500)
    return (
        milliseconds(drawn(1, None, Look())),
        milliseconds(drawn(*window, Look(window=window))),
        milliseconds(drawn(1, None, Look(cursor=middle))),
    )


def spike_is_seen(run: Run) -> bool:
    curve = look(run, View(1, None, 236)).curve
    return bool(curve.high.max() == 50.0)


def of_the_file(run: Run, folder: Path) -> dict[str, float]:
    store = Store(folder)
    store.prepare()
    session = record(run, Identity.new("long"), 1.0, None)
    session.status = "stopped"
    raw = encode(session)
    recorded = milliseconds(lambda: record(run, Identity.new("long"), 1.0, None), 5)
    return {
        "MB": len(raw) / 1e6,
        "record": recorded,
        "encode": milliseconds(lambda: encode(session), 5),
        "write": milliseconds(lambda: store.write("long", raw), 5),
        "read": milliseconds(lambda: decode(raw), 5),
        "replay": milliseconds(lambda: _played(raw), 5),
    }


def _played(raw: bytes) -> None:
    player = Player(decode(raw)[0], speed=1.0)
    player.seek(player.session.steps)
    player.snapshot(View(1, None, 236))


def listing(folder: Path, count: int, steps: int) -> float:
    """Seconds to list so many sessions of so many steps."""
    store = Store(folder)
    store.prepare()
    session = record(long_run(steps), Identity.new("one"), 1.0, None)
    session.status = "stopped"
    for number in range(count):
        session.name = f"session-{number}"
        store.write(session.name, encode(session))
    return milliseconds(lambda: store.list(), 3) / 1000


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="a million steps, a hundred sessions")
    given = parser.parse_args(arguments)
    if given.quick:
        given.steps, given.sessions = 1_000_000, 100
    short = long_run(10_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    run = long_run(given.steps)
    print(f"{given.steps:,} steps put on record in {time.process_time() - began:.1f} s")
    size, its = (size_of(each.history, set()) / 1e6 for each in (run, short))
    print(f"curves       {size:.1f} MB, of the short run {its:.1f}")
    print(f"peak         {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MiB more")
    for name, ours, its in zip(("whole", "zoomed", "scrubbed"), redraws(run), redraws(short), strict=True):
        print(f"redraw       {name}: {ours:.1f} ms, {ours / its:.2f} of the short run's")
    print(f"spike        of one step {'seen' if spike_is_seen(run) else 'LOST'}")
    with tempfile.TemporaryDirectory() as folder:
        figures = of_the_file(run, Path(folder))
        print("file         " + ", ".join(f"{name} {value:.1f}" for name, value in figures.items()) + " (ms)")
    for steps in (60 * STEPS_PER_EPOCH, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            seconds = listing(Path(folder), given.sessions, steps)
        print(f"listing      {given.sessions:,} sessions of {steps:,} steps in {seconds:.2f} s")


if __name__ == "__main__":
    main()
