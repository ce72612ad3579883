"""What a race costs: `python -m benchmarks race`. Widths, the pool, and one core against Optuna and JAX.

Widths: member-steps a second of a population against those of the quickest width, and where the width that a
race would choose comes out. One core against Optuna with PyTorch, the same trials from create_study to the
last cost, and against JAX's vmap and scan. Pool: slices of half a second by two worker processes against one,
and one against this process, by the clock on the wall.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass

from benchmarks import peers, race_peers
from benchmarks.measuring import Contender, environment, heading, in_turn, row
from benchmarks.step import config_of, dataset_of
from pandatui.data import load
from pandatui.search.cohort import MOST_MEMBERS, Outcome, Slice, train_slice, width_for
from pandatui.search.engines import Inline, Processes, cores
from pandatui.search.race import Engine
from pandatui.training import RunConfig
from pandatui.training.population import Population

WIDTHS = (1, 2, 4, 8, 16, 32, 64)
CLOSE = 0.95  # of the best: what the choice is to reach


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
        return config_of(self.widths, self.m, self.optimizer)

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


def measure_widths(case: Case, repeats: int, seconds: float) -> None:
    """Each width's member-steps a second by those of the best; the choice in brackets."""
    dataset = dataset_of(case.widths)
    wanted = sorted({*WIDTHS, case.chosen})
    steps = {
        str(width): Contender(Population([case.config] * width, dataset).step, width) for width in wanted
    }
    rates = in_turn(steps, repeats, seconds)
    medians = {width: statistics.median(rates[str(width)]) for width in wanted}
    best = max(medians.values())
    cells = []
    for width in wanted:
        shown = f"{medians[width] / best:.2f}"
        cells.append(f"{width}:[{shown}]" if width == case.chosen else f"{width}: {shown} ")
    verdict = "yes" if medians[case.chosen] >= CLOSE * best else "NO"
    print(f"  {case.name:<34} {best:>9,.0f}   {' '.join(cells)}  {verdict}")
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
    heading(f"64-64-32-10, cohorts of {len(configs)}, wall clock")
    row("one process : here", rates["1"], rates["here"])
    row(f"two processes : one, on {cores()} cores", rates["2"], rates["1"], 1.8 if cores() > 1 else None)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks race",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each width in each repeat")
    parser.add_argument("--shape", help="only the widths of networks whose name contains this")
    parser.add_argument("--quick", action="store_true", help="three widths' tables, fewer repeats")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if options.shape is None or options.shape in case.name]
    if options.quick:
        options.repeats, options.seconds, cases = 5, 0.05, cases[::4]
    environment()
    peers.introduce()
    if options.shape is None:
        race_peers.measure(options.repeats, options.seconds, options.quick)
        measure_pool(options.repeats)
    print(f"\n{'network':<36} {'best/s':>9}   width: part of the best, [chosen], at most {MOST_MEMBERS}")
    for case in cases:
        measure_widths(case, options.repeats, options.seconds)


if __name__ == "__main__":
    main()
