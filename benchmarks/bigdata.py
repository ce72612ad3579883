"""What large data cost: `python -m benchmarks bigdata`. A mapped folder, and the same rows loaded in full.

A folder with X.npy, 1 million × 784 float32 (3.1 GB), and y.npy is made in a temporary folder, and removed.
Load: hash, split and statistics by the clock on the wall, once more with the pages warm, and against reading
and hashing the same file alone; the most memory of its own that the process took on the way and in training
(RssAnon, looked at fifty times a second: pages of a mapped file belong to the system's cache). Rates: steps a
second of processor time of `Run.step()` on the mapped file and on the same rows loaded in full, in turn, on
as many rows as are quickly loaded both ways, once the pages are warm.
"""

import argparse
import hashlib
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.step import in_turn
from pandatui.data import mapped
from pandatui.training import Run
from pandatui.training.environment import describe, pin_blas
from pandatui.training.setup import RunOptions, prepare

FEATURES, CLASSES = 784, 10
BLOCK = 10_000  # rows written at a time
REACH_RATE, REACH_MEMORY = 0.8, 500  # of the rate in memory; MB
CASES = (((128, 64), 64), ((512, 256), 128))
T = TypeVar("T")


def make(folder: Path, rows: int) -> None:
    """X.npy and y.npy, a block at a time: classes are clouds around random middles."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    middles = rng.standard_normal((CLASSES, FEATURES), dtype=np.float32)
    labels = rng.integers(CLASSES, size=rows).astype(np.uint8)
    np.save(folder / "y.npy", labels)
    inputs = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (rows, FEATURES))
    for start in range(0, rows, BLOCK):
        block = labels[start : start + BLOCK]
        noise = rng.standard_normal((len(block), FEATURES), dtype=np.float32)
        inputs[start : start + BLOCK] = 5 * noise + middles[block]
    inputs.flush()


class Memory:
    """The most memory of this process' own, in MB, while it is looked at; None where it can't be told."""

    def __init__(self) -> None:
        self.most: float | None = None
        self._over = threading.Event()

    def look(self) -> None:
        try:
            text = Path("/proc/self/status").read_text()
        except OSError:
            return
        found = next((line for line in text.splitlines() if line.startswith("RssAnon")), None)
        if found is not None:
            self.most = max(self.most or 0, int(found.split()[1]) / 1000)

    def _main(self) -> None:
        while not self._over.wait(0.02):
            self.look()

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._main)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def __str__(self) -> str:
        return "unknown here" if self.most is None else f"{self.most:,.0f} MB"


def timed(do: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    found = do()
    return time.perf_counter() - began, found


def options(folder: Path, hidden: tuple[int, ...], batch: int) -> RunOptions:
    return RunOptions(data=str(folder), hidden=hidden, batch_size=batch, epochs=10**6)


def bare(path: Path) -> None:
    """What no load can do without: every byte read and hashed."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)


def measure_load(folder: Path, steps: int) -> None:
    """Load, train and evaluate, with the memory that it takes; then every byte of the file again, bare."""
    hidden, batch = CASES[0]
    memory = Memory()
    memory.look()
    before = str(memory)
    with memory.watched():
        first, (config, dataset) = timed(lambda: prepare(options(folder, hidden, batch)))
        run = Run(config, dataset)
        for _ in range(steps):
            run.step()
        evaluated, _ = timed(run.evaluate)
    again, _ = timed(lambda: prepare(options(folder, hidden, batch)))
    hashed, _ = timed(lambda: bare(folder / "X.npy"))
    size = (folder / "X.npy").stat().st_size / 1e9
    rows = len(dataset.train) + len(dataset.dev) + len(dataset.test)
    verdict = (
        ""
        if memory.most is None
        else f"≤ {REACH_MEMORY} MB  {'yes' if memory.most <= REACH_MEMORY else 'NO'}"
    )
    print(f"\n{rows:,} × {FEATURES} float32, {size:.1f} GB, mapped")
    print(f"  {'load: hash, split, statistics':<42} {first:>7.1f} s   again {again:.1f} s")
    print(f"  {'against reading and hashing alone':<42} {again / hashed:>7.2f}     ({hashed:.1f} s)")
    print(f"  {'evaluation of dev and test':<42} {evaluated:>7.1f} s")
    print(
        f"  {f'memory of its own, {steps:,} steps included':<42} {memory!s:>9}   before {before}   {verdict}"
    )
    sys.stdout.flush()


def measure_rates(folder: Path, repeats: int, seconds: float) -> None:
    threshold = mapped.MAPPED_FROM
    print(f"\n{'Run.step()':<44} {'mapped/s':>9} {'memory/s':>9}   ratio  (min–max)   to reach")
    for hidden, batch in CASES:
        runs = {}
        for name, smallest in (("mapped", 1), ("memory", sys.maxsize)):
            mapped.MAPPED_FROM = smallest
            try:
                runs[name] = Run(*prepare(options(folder, hidden, batch)))
            finally:
                mapped.MAPPED_FROM = threshold
        rates = in_turn({name: run.step for name, run in runs.items()}, repeats, seconds, time.thread_time)
        ratios = sorted(a / b for a, b in zip(rates["mapped"], rates["memory"], strict=True))
        median = statistics.median(ratios)
        verdict = f"≥ {REACH_RATE:.2f}  {'yes' if median >= REACH_RATE else 'NO'}"
        shape = "-".join(map(str, (FEATURES, *hidden, CLASSES)))
        shown = f"{statistics.median(rates['mapped']):>9,.0f} {statistics.median(rates['memory']):>9,.0f}"
        title = f"{shape} m={batch}, {len(runs['memory'].dataset.train):,} rows"
        print(f"  {title:<42} {shown}   {median:5.2f}  ({ratios[0]:.2f}–{ratios[-1]:.2f})   {verdict}")
        sys.stdout.flush()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the folder that is loaded")
    parser.add_argument("--both-ways", type=int, default=200_000, help="rows of the folder for the rates")
    parser.add_argument("--steps", type=int, default=2000, help="while memory is looked at")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each way in each repeat")
    parser.add_argument("--folder", type=Path, help="where to make the data. [the system's temporary folder]")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, fewer repeats")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.rows, asked.both_ways, asked.repeats = 100_000, 50_000, 3
    pin_blas()
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    with tempfile.TemporaryDirectory(dir=asked.folder) as made:
        needed = 4 * FEATURES * (asked.rows + asked.both_ways)
        if shutil.disk_usage(made).free < 1.2 * needed:
            sys.exit(f"{made}: expected {1.2 * needed / 1e9:.1f} GB of free disk; choose another --folder")
        make(Path(made) / "large", asked.rows)
        measure_load(Path(made) / "large", asked.steps)
        shutil.rmtree(Path(made) / "large")
        make(Path(made) / "both", asked.both_ways)
        measure_rates(Path(made) / "both", asked.repeats, asked.seconds)


if __name__ == "__main__":
    main()
