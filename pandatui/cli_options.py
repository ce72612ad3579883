"""RUN OPTIONS: what `pandatui`, `train` and `batch` have in common."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pandatui.training.setup import RunOptions

F = TypeVar("F", bound=Callable[..., Any])


def run_options(command: F, *, called: str = "What to call the session. [two words]") -> F:
    """RUN OPTIONS: what a run is made of. The defaults in brackets are those of a run on `--data`."""
    number = click.FLOAT
    for option in reversed(
        (
            click.option(
                "--data", metavar="NAME|FILE", help="Built-in set or data file. [the spirals lesson]"
            ),
            click.option("--label", metavar="COLUMN", help="The column to predict. [the last]"),
            click.option(
                "--drop", metavar="COLUMN", multiple=True, help="A column to leave out; repeatable."
            ),
            click.option(
                "--standardise",
                type=click.Choice(["auto", "column", "overall", "none"]),
                help="Scale inputs by column, or images overall. [auto]",
            ),
            click.option("--hidden", metavar="UNITS", help="Hidden units, layer by layer. [64,32]"),
            click.option(
                "--activation",
                type=click.Choice(["relu", "leaky_relu", "tanh", "sigmoid"]),
                help="Of the hidden layers. [relu]",
            ),
            click.option(
                "--batch-norm/--no-batch-norm", default=None, help="Batch norm before each activation. [on]"
            ),
            click.option(
                "--optimizer",
                type=click.Choice(["momentum", "adam", "rmsprop", "sgd"]),
                help="The update rule. [momentum]",
            ),
            click.option("--learning-rate", type=number, help="α. [0.1; adam and rmsprop 0.001]"),
            click.option(
                "--momentum", type=number, help="β, the weight of the old average of gradients. [0.9]"
            ),
            click.option("--second-moment", type=number, help="β2 of rmsprop and adam. [0.999]"),
            click.option("--decay", type=number, help="Learning-rate decay: α₀/(1 + decay·epoch). [0]"),
            click.option("--l2", type=number, help="λ, the L2 penalty on weights. [0]"),
            click.option("--batch-size", type=int, help="Examples in a mini-batch. [64]"),
            click.option("--epochs", type=int, help="Passes over the training set. [60]"),
            click.option("--seed", type=int, help="Of the start and the mini-batches. [1]"),
            click.option("--split-seed", type=int, help="Of the split and of generated data. [0]"),
            click.option("--dtype", type=click.Choice(["float32", "float64"]), help="[float32]"),
            click.option("--name", help=called),
            click.option("--sessions", metavar="DIR", help="Where sessions are kept."),
        )
    ):
        command = option(command)
    return command


def need_terminal(instead: str) -> None:
    """Refuse a screen where there is no terminal, or one that can't move its cursor; say what works there."""
    ours = (sys.stdin, sys.stderr)
    if not all(each is not None and each.isatty() for each in ours):
        raise click.UsageError(f"the screen needs a terminal; without one use: {instead}")
    if os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        raise click.UsageError(f"the screen needs a terminal that moves its cursor; else use: {instead}")


def options_of(settings: dict[str, Any], **more: Any) -> "RunOptions":
    """What was asked for, of the options that `run_options` gives a command."""
    from pandatui.training.setup import RunOptions, parse_hidden

    hidden = settings.pop("hidden")
    return RunOptions(**settings, **more, hidden=None if hidden is None else parse_hidden(hidden))
