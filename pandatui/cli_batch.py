"""`pandatui batch`: random search without a screen. What it does is in `cli_studies`."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pandatui.cli_options import options_of, run_options
from pandatui.cli_sessions import as_json_option, folder_of

F = TypeVar("F", bound=Callable[..., Any])


def _run_options(command: F) -> F:
    return run_options(command, called="What to call the study. [by its data and settings]")


@click.command()
@click.argument("source", required=False, metavar="[SPEC or SESSION]")
@_run_options
@click.option("--trials", type=int, help="In all, spread over the rounds. [60]")
@click.option("--rounds", type=int, help="Each around the best of the one before. [3]")
@click.option("--space", type=click.Choice(["default", "wide"]), help="What to vary, and how far. [default]")
@click.option(
    "--vary",
    metavar="KNOB=SCALE:LOW:HIGH",
    multiple=True,
    help="Vary this, by itself or besides --space; choice:A,B for choices; repeatable.",
)
@click.option("--sampling", type=click.Choice(["random", "grid"]), help="Of each round's box. [random]")
@click.option(
    "--halving", is_flag=True, default=None, help="Drop the worse half at 1/4 and 1/2 of the epochs."
)
@click.option(
    "--objective",
    type=click.Choice(["dev_cost", "best_dev_cost", "dev_accuracy"]),
    help="What is to be good. [dev_cost]",
)
@click.option("--keep", type=float, help="The best part, which the next box is drawn around. [0.25]")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Worker processes. [all cores]")
@click.option("--scheduler", metavar="ADDRESS", help="Train on Dask's workers: tcp://host:8786.")
@click.option("--print-spec", is_flag=True, help="Print it as a spec to start from; train nothing.")
@click.option("--retest", metavar="SESSION", help="Race a session's settings against their neighbours.")
@click.option(
    "--every", type=click.FloatRange(min=0.05), default=5.0, help="Seconds between lines off a terminal. [5]"
)
@as_json_option
def batch(
    source: str | None, name: str | None, sessions: str | None, vary: tuple[str, ...], **options: Any
) -> None:
    """Race many models with random hyperparameters, coarse to fine, without a screen.

    What to race is said by a SPEC (TOML or JSON), by the options, or by both; a SESSION's queued batches are
    run, each once. The same command goes on where it was broken off; so does `pandatui batch` with the
    study's name.
    """
    from pandatui import cli_studies

    told = {key: options.pop(key) for key in ("workers", "scheduler", "every", "as_json")}
    print_spec, retest = options.pop("print_spec"), options.pop("retest")
    of_study = ("seed", "trials", "rounds", "space", "sampling", "halving", "objective", "keep")
    changes = {key: value for key in of_study if (value := options.pop(key)) is not None}
    asked = cli_studies.Asked(source, options_of(options), changes, vary, name)
    running = cli_studies.Running(folder_of(sessions), **told)
    if told["workers"] and told["scheduler"]:
        raise click.UsageError("expected either --workers or --scheduler, found both")
    if retest is not None:
        if print_spec:
            raise click.UsageError("expected either --retest or --print-spec, found both")
        sys.exit(cli_studies.retest(running, asked, retest))
    if print_spec:
        sys.exit(cli_studies.print_spec(running, asked))
    sys.exit(cli_studies.batch(running, asked))
