"""What a race costs: `python -m benchmarks.race`. How wide cohorts should be, and what two processes bring.

Rates taken in turn, as in `benchmarks.step`, one BLAS thread each, float32. Widths: member-steps a second of
processor time of a population against those of the quickest width, and where the width that a race would
choose comes out. Pool: slices of half a second by two worker processes against one, and one against this
process, by the clock on the wall.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.step import Steps, in_turn
from pandatui.data import Dataset, Part, Standardisation, load
from pandatui.search.cohort import MOST_MEMBERS, Outcome, Slice, train_slice, width_for
from pandatui.search.engines import Inline, Processes, cores
from pandatui.search.race import Engine
from pandatui.training import RunConfig
from pandatui.training.environment import describe, pin_blas
from pandatui.training.population import Population

ROWS = 8192
WIDTHS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Case:
    widths: tuple[int, ...]
    m: int = 64
    optimizer: str = "momentum"

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.widths))} m={self.m} {self.optimizer}"

    @property
    def config(self) -> RunConfig:
        return RunConfig(
            data="benchmark",
            standardise="none",
            hidden=self.widths[1:-1],
            optimizer=self.optimizer,
            batch_size=self.m,
            epochs=10**6,
        )

    @property
    def chosen(self) -> int:
        return width_for(self.config, self.widths[0], self.widths[-1])


CASES = (
    Case((2, 16, 16, 2)),
    Case((2, 32, 32, 3)),
    Case((2, 32, 32, 3), m=512),
    Case((64, 64, 32, 10)),
    Case((64, 64, 32, 10), optimizer="adam"),
    Case((64, 64, 32, 10), m=16),
    Case((64, 64, 32, 10), m=512),
    Case((64, 128, 64, 10)),
    Case((64, 256, 256, 10)),
    Case((784, 128, 64, 10)),
    Case((784, 128, 64, 10), optimizer="adam"),
    Case((784, 512, 256, 10), m=128),
)


# -- widths --------------------------------------------------------------------------------------------------


def dataset_of(case: Case) -> Dataset:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((ROWS, case.widths[0])).astype(np.float32)
    labels = rng.integers(case.widths[-1], size=ROWS)
    few = Part(inputs[:16], labels[:16])
    return Dataset(
        name="benchmark",
        source="benchmark",
        train=Part(inputs, labels),
        dev=few,
        test=few,
        classes=tuple(map(str, range(case.widths[-1]))),
        features=(),
        image_shape=None,
        standardisation=Standardisation("none", np.zeros(1), np.ones(1)),
        sha256="",
    )


def population(case: Case, dataset: Dataset, members: int) -> Steps:
    return Population([case.config] * members, dataset).step


def measure_widths(case: Case, repeats: int, seconds: float) -> None:
    """Each width's member-steps a second by those of the best; the choice in brackets."""
    dataset = dataset_of(case)
    wanted = sorted({*WIDTHS, case.chosen})
    steps = {str(width): population(case, dataset, width) for width in wanted}
    rates = in_turn(steps, repeats, seconds, time.thread_time)
    medians = {width: width * statistics.median(rates[str(width)]) for width in wanted}
    best = max(medians.values())
    cells = []
    for width in wanted:
        shown = f"{medians[width] / best:.2f}"
        cells.append(f"{width}:[{shown}]" if width == case.chosen else f"{width}: {shown} ")
    print(f"  {case.name:<34} {best:>9,.0f}   {' '.join(cells)}")
    sys.stdout.flush()


# -- pool ----------------------------------------------------------------------------------------------------


def slices_of(engine: Engine, slices: list[Slice]) -> tuple[float, float]:
    """Member-steps a second of all that these slices took, and their mean time of training in seconds."""
    began = time.perf_counter()
    futures = [engine.submit(train_slice, work) for work in slices]
    outcomes: list[Outcome] = [future.result() for future in futures]
    took = time.perf_counter() - began
    member_steps = sum(outcome.costs.size for outcome in outcomes)
    return member_steps / took, statistics.mean(outcome.seconds for outcome in outcomes)


def measure_pool(repeats: int) -> None:
    data = load("digits", standardise="overall")
    settings = {"data": "digits", "standardise": "overall", "epochs": 10**6}
    configs = [
        RunConfig(**settings, learning_rate=0.001 * 1.1**i)  # type: ignore[arg-type]
        for i in range(width_for(RunConfig(**settings), 64, 10))  # type: ignore[arg-type]
    ]
    first = train_slice(Slice(tuple(configs), data.sha256, None, 200, 10**6))
    steps = max(1, round(200 / first.seconds * 0.5))
    work = [Slice(tuple(configs), data.sha256, first.state, steps, 10**6)] * 4
    engines: dict[str, Engine] = {"here": Inline(), "1": Processes(1), "2": Processes(2)}
    for engine in engines.values():
        slices_of(engine, work)  # starts the workers
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(repeats):
        for name, engine in engines.items():
            rates[name].append(slices_of(engine, work)[0])
    for engine in engines.values():
        engine.close(now=False)
    print(f"\n64-64-32-10, {len(configs)} members a cohort, four slices of about half a second")
    for what, ours, theirs in (
        ("one process : here", "1", "here"),
        (f"two processes : one, on {cores()} cores", "2", "1"),
    ):
        ratios = sorted(a / b for a, b in zip(rates[ours], rates[theirs], strict=True))
        median = statistics.median(ratios)
        rate = statistics.median(rates[ours])
        print(f"  {what:<34} {rate:>9,.0f}   {median:5.2f}  ({ratios[0]:.2f}–{ratios[-1]:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each width in each repeat")
    parser.add_argument("--shape", help="only networks whose name contains this, as 64-64-32-10")
    options = parser.parse_args()
    pin_blas()
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    print(f"\n{'network':<36} {'best/s':>9}   width: part of the best, [chosen], at most {MOST_MEMBERS}")
    for case in CASES:
        if options.shape is None or options.shape in case.name:
            measure_widths(case, options.repeats, options.seconds)
    if options.shape is None:
        measure_pool(options.repeats)


if __name__ == "__main__":
    main()
