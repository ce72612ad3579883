"""How rates are measured: in turn, in many short turns, so that a machine whose speed drifts favours nobody.

A ratio is taken within each round of turns; shown are their median and, in brackets, between which values the
middle half of them lay. The clock is that of the processor time of all threads of this process, so that the
rates are those of one core, and a neighbour who takes the core away does not count.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from pandatui.training.environment import describe

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Contender:
    """One who takes `steps` (of so many members together) at each call."""

    call: Callable[[], object]
    steps: int = 1


def rate_of(contender: Contender, seconds: float, clock: Clock = time.process_time) -> float:
    """Steps a second, counted over at least `seconds`."""
    count, batch = 0, 1
    start = now = clock()
    while now - start < seconds:
        for _ in range(batch):
            contender.call()
        count += batch
        now = clock()
        batch = max(1, int(count / max(now - start, 1e-6) * seconds / 10))
    return count * contender.steps / (now - start)


def in_turn(
    contenders: dict[str, Contender], repeats: int, seconds: float, clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Rates of each, taken in turn, after a round that warms up."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(repeats + 1):
        for name, contender in contenders.items():
            rate = rate_of(contender, seconds, clock)
            if repeat:
                rates[name].append(rate)
    return rates


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median, and the quartiles beside it."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def heading(title: str) -> None:
    print(f"\n{title:<44} {'ours/s':>9} {'theirs/s':>9}   ratio  (half of them)   to reach")


def row(what: str, ours: list[float], theirs: list[float], reach: float | None = None) -> None:
    """A line of a table: the rates' medians, the ratio with its spread, and whether it is reached."""
    middle, low, high = spread([a / b for a, b in zip(ours, theirs, strict=True)])
    verdict = "" if reach is None else f"≥ {reach:.2f}  {'yes' if middle >= reach else 'NO'}"
    rates = f"{statistics.median(ours):>9,.0f} {statistics.median(theirs):>9,.0f}"
    print(f"  {what:<42} {rates}   {middle:5.2f}  ({low:.2f}–{high:.2f})   {verdict}".rstrip())
    sys.stdout.flush()


def environment() -> None:
    """What all this ran on, in one line."""
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
