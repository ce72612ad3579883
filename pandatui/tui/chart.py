"""What the cost chart shows, as frozen facts, and what can be read from them at a step.

No colour, no size, no cell: the widget fills a `Chart`, `plotting.draw` turns it into strips. The dataclasses
compare by identity (`eq=False`): two arrays have no single truth value, and a reactive would ask for one.
"""

from dataclasses import dataclass, field

import numpy as np

FURTHEST_STEP = 1e15  # beyond it float64 no longer counts single steps; keeps differences finite


def _none() -> np.ndarray:
    return np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One run's train cost, already decimated to about two buckets a text column."""

    steps: np.ndarray  # (n,) middle step of each bucket, rising
    low: np.ndarray  # (n,) may hold nan and inf, as may the next two
    mean: np.ndarray  # (n,)
    high: np.ndarray  # (n,)


@dataclass(frozen=True, slots=True)
class Mark:
    """One gesture of nudges: drawn at its step as `number text`, such as "1 α↑"."""

    step: int
    number: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A dimmed extra line: an abandoned stretch, a ghost, another session.

    `points`: its costs are dev points, to be drawn as such and not smoothed. `sign`: a letter that stands on
    the line here and there, so that several are told apart without colour.
    """

    name: str
    steps: np.ndarray  # (n,)
    costs: np.ndarray  # (n,)
    points: bool = False
    sign: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Where several runs lie at some steps: least, mean − sd, mean, mean + sd, greatest, each (n,)."""

    name: str
    steps: np.ndarray  # (n,)
    low: np.ndarray
    below: np.ndarray
    mean: np.ndarray
    above: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Everything one frame of the cost chart needs."""

    first: float  # the steps at the left and the right edge: zoom changes them
    last: float
    train: Curve
    dev_steps: np.ndarray  # (e,)
    dev_costs: np.ndarray  # (e,)
    guessing: float  # ln C
    epoch_steps: np.ndarray  # (e,) the step at which each of `epoch_numbers` (by default 1, 2, ...) ended
    steps_per_epoch: float  # for the epochs beyond the last one that ended
    marks: tuple[Mark, ...] = ()
    rate_steps: np.ndarray = field(default_factory=_none)  # rates[i] is in use from rate_steps[i] on
    rates: np.ndarray = field(default_factory=_none)
    abandoned: tuple[Trace, ...] = ()
    ghosts: tuple[Trace, ...] = ()
    band: Band | None = None
    others: tuple[Trace, ...] = ()
    log_axis: bool = True
    smoothing: int = 0  # 0 is off, else the window of the average in text columns
    cursor: float | None = None  # the step under the cursor
    diverged_at: int | None = None
    x_label: str = "epoch"
    names: tuple[str, str] = ("train", "dev")
    epoch_numbers: np.ndarray | None = None  # (e,) rising; for runs of more epochs than are worth passing on


def view(chart: Chart) -> tuple[float, float]:
    """The steps at both edges, made finite and at least one step apart."""
    first, last = (float(np.nan_to_num(edge, nan=0.0)) for edge in (chart.first, chart.last))
    first = min(max(first, -FURTHEST_STEP), FURTHEST_STEP)
    last = min(max(last, -FURTHEST_STEP), FURTHEST_STEP)
    return first, max(last, first + 1.0)


def bounded(steps: np.ndarray) -> np.ndarray:
    """Steps as float64 within ±`FURTHEST_STEP`; nan stays nan."""
    return np.clip(np.asarray(steps, dtype=np.float64), -FURTHEST_STEP, FURTHEST_STEP)


def _epoch_ends(chart: Chart) -> tuple[np.ndarray, np.ndarray, float]:
    """Epochs from 0 on, the step at which each ended, rising, and the steps an epoch takes after the last."""
    ends = np.round(bounded(chart.epoch_steps), 9)  # apart by what can be divided by
    known = np.isfinite(ends)
    ends = np.maximum.accumulate(np.concatenate([[0.0], ends[known]]))
    numbers = np.arange(1, len(known) + 1) if chart.epoch_numbers is None else chart.epoch_numbers
    numbers = np.concatenate(
        [[0.0], numbers[known] if chart.epoch_numbers is not None else numbers[: known.sum()]]
    )
    length = chart.steps_per_epoch
    return numbers, ends, min(length, FURTHEST_STEP) if length >= 1 else 1.0


def epoch_at(chart: Chart, step: float) -> float:
    """Epochs done at a step, with its fraction."""
    numbers, ends, length = _epoch_ends(chart)
    if step < 0:
        return step / length
    if step > ends[-1]:
        return float(numbers[-1]) + (step - float(ends[-1])) / length
    return float(np.interp(step, ends, numbers))


def step_of_epoch(chart: Chart, epoch: float) -> float:
    """The step at which a (fractional) epoch ends: the inverse of `epoch_at`."""
    numbers, ends, length = _epoch_ends(chart)
    if epoch < 0:
        return epoch * length
    if epoch > numbers[-1]:
        return float(ends[-1]) + (epoch - float(numbers[-1])) * length
    return float(np.interp(epoch, numbers, ends))


def rate_at(chart: Chart, steps: np.ndarray) -> np.ndarray:
    """The learning rate in use at each step; nan before the first known one."""
    if not len(chart.rates):
        return np.full(np.shape(steps), np.nan)
    place = np.searchsorted(bounded(chart.rate_steps), steps, side="right") - 1
    return np.where(place >= 0, np.asarray(chart.rates, dtype=np.float64)[np.maximum(place, 0)], np.nan)


def cost_text(cost: float) -> str:
    """Two decimals, or two significant digits below 0.1: 1.10, 0.38, 0.087, 2e-05."""
    if not np.isfinite(cost):
        return str(cost)
    size = abs(cost)
    if size >= 1e5 or 0 < size < 1e-4:
        return f"{cost:.0e}"
    if size >= 100:
        return f"{cost:.0f}"
    return f"{cost:.2f}" if size >= 0.0995 or size == 0 else f"{cost:.{3 if size >= 0.00995 else 4}f}"


def readings(chart: Chart, step: float) -> tuple[tuple[str, str], ...]:
    """What the chart says at a step, as (label, value): the bucket at hand, the latest dev cost, the rate."""
    read = [("step", f"{step:.0f}")]
    if chart.x_label != "step":
        read.append((chart.x_label, f"{epoch_at(chart, step):.1f}"))
    train = _bucket_at(chart.train, step)
    if train is not None:
        read.append(("train", cost_text(train)))
    known = (bounded(chart.dev_steps) <= step) & np.isfinite(chart.dev_costs)
    if known.any():
        read.append(("dev", cost_text(float(np.asarray(chart.dev_costs)[known][-1]))))
    rate = float(rate_at(chart, np.array([step]))[0])
    if np.isfinite(rate):
        read.append(("α", f"{rate:.3g}"))
    return tuple(read)


def reading_text(chart: Chart, step: float, width: int | None = None) -> str:
    """The readings in one line: "step 412 · epoch 10.3 · train 0.38 · dev 0.44 · α 0.316".

    Where that is wider than `width` the epoch goes first, then the rate, then the step.
    """
    read = list(readings(chart, step))
    for dispensable in (chart.x_label, "α", "step", ""):
        line = " · ".join(f"{label} {value}" for label, value in read)
        if width is None or len(line) <= width:
            break
        read = [(label, value) for label, value in read if label != dispensable]
    return line


def _bucket_at(train: Curve, step: float) -> float | None:
    """The mean train cost of the nearest bucket, or None more than a bucket off the curve."""
    steps = bounded(train.steps)
    usable = np.isfinite(steps) & np.isfinite(train.mean)
    if not usable.any():
        return None
    steps, mean = steps[usable], np.asarray(train.mean)[usable]
    spacing = max(1.0, float(steps[-1] - steps[-2]) if len(steps) > 1 else 1.0)
    if not steps[0] - spacing <= step <= steps[-1] + spacing:
        return None
    return float(mean[np.argmin(np.abs(steps - step))])
