"""The commands. What is heavy is imported inside them, so that `--help` and `--version` are instant."""

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import click

from pandatui import __version__
from pandatui.charset import spell_out, terminal_has_utf8
from pandatui.cli_batch import batch
from pandatui.cli_doctor import completion, doctor
from pandatui.cli_options import need_terminal, options_of, run_options
from pandatui.cli_resume import resume
from pandatui.cli_sessions import COMMANDS, folder_of

USAGE, INTERNAL, INTERRUPTED = 2, 70, 130


class _DefaultGroup(click.Group):
    """A group whose first word may also be a file, or an option of the app itself: then the app is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = ("-h", "--help", "-V", "--version")
        completing = not args and ctx.resilient_parsing
        if not completing and (not args or (args[0] not in self.commands and args[0] not in own)):
            args = ["watch", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("pandatui", "[RUN OPTIONS] | FILE | COMMAND [ARGS]...")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        watch = self.commands["watch"]
        with formatter.section("Run options"):
            rows = (p.get_help_record(ctx) for p in watch.params)
            formatter.write_dl([row for row in rows if row is not None])
        with formatter.section("Options"):
            rows = (p.get_help_record(ctx) for p in self.get_params(ctx))
            formatter.write_dl([row for row in rows if row is not None])


@click.group(
    cls=_DefaultGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", message="pandatui %(version)s")
def cli() -> None:
    """Watch one neural network learn in your terminal, and nudge its hyperparameters while it does.

    Bare `pandatui` is the first lesson. With a data FILE it trains on that, a session FILE it shows.
    """


@cli.command(hidden=True)
@click.argument("file", required=False)
@run_options
@click.option("--pace", metavar="N|max", help="Epochs a second. [built-in data 1, files max]")
@click.option("--theme", help="Colours: panda-dark, panda-light, projector, or any of Textual's.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters alone.")
def watch(
    file: str | None,
    name: str | None,
    sessions: str | None,
    pace: str | None,
    theme: str | None,
    ascii_only: bool,
    **settings: Any,
) -> None:
    """The interactive session."""
    from pandatui.data import BUILT_IN
    from pandatui.settings import load_settings

    kept = load_settings()
    session_file = None
    if file is not None:
        if settings["data"] is not None:
            raise click.UsageError("expected either FILE or --data, found both")
        if file.endswith(".json"):
            session_file = Path(file)
            if not session_file.exists():
                from pandatui.plain import plain

                raise click.UsageError(f"{plain(repr(file))}: no such session file")
        elif file in BUILT_IN or Path(file).exists():
            settings["data"] = file
        else:
            from pandatui.plain import plain

            raise click.UsageError(f"{plain(repr(file))}: no such command or file; see pandatui --help")
    options = options_of(settings)
    speed = _pace(pace)
    need_terminal("pandatui train [RUN OPTIONS]")
    from pandatui.report import LoadProgress
    from pandatui.sessions.store import check_name
    from pandatui.training.setup import prepare

    if name is not None:
        check_name(name)
    config = dataset = None
    if session_file is None:
        config, dataset = prepare(options, LoadProgress())
    from pandatui.tui.app import Start, run_app
    from pandatui.tui.beside import Habits

    start = Start(
        folder=folder_of(sessions, kept.sessions),
        options=options,
        config=config,
        dataset=dataset,
        session_file=session_file,
        name=name,
        pace=speed,
        theme=theme or kept.theme,
        keys=kept.keys,
        ascii_only=ascii_only,
        habits=Habits.of(kept),
    )
    sys.exit(run_app(start))


@cli.command()
@run_options
@click.option(
    "--nudge",
    "nudges",
    metavar="STEP:KNOB=VALUE",
    multiple=True,
    help="Turn a knob at a step; VALUE is a number, *0.5 or /2; repeatable.",
)
@click.option("--nudges", "schedule", metavar="FILE", help="As many, from a file that export has made.")
@click.option(
    "--every", type=click.FloatRange(min=0.05), default=5.0, help="Seconds between lines off a terminal. [5]"
)
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object on stdout.")
def train(
    name: str | None,
    sessions: str | None,
    nudges: tuple[str, ...],
    schedule: str | None,
    every: float,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train without a screen; save the session and report."""
    from pandatui import report
    from pandatui.sessions import Recorder, Store
    from pandatui.sessions.recorder import Identity
    from pandatui.training import Driver, PlannedNudge, Run
    from pandatui.training.setup import prepare

    plan = tuple(PlannedNudge.parse(text) for text in nudges)
    if schedule is not None:
        from pandatui.sessions.export import read_schedule

        plan += read_schedule(Path(schedule))
    options = options_of(settings, plan=plan)
    store = Store(folder_of(sessions))
    identity = Identity.new(store.new_name() if name is None else name)
    taken = f"session {identity.name!r} exists in {store.folder}: expected a new --name"
    if store.path(identity.name).exists():
        raise click.UsageError(taken)
    config, dataset = prepare(options, report.LoadProgress())
    driver = Driver(Run(config, dataset))
    try:
        status = report.train(driver, Recorder(driver, store, identity), every=every, as_json=as_json)
    except FileExistsError:  # another program has begun it since
        raise click.UsageError(taken) from None
    sys.exit(status)


@cli.command()
@click.argument("source", required=False, metavar="[NAME or FILE]")
@click.option("--label", metavar="COLUMN", help="The column to predict. [the last]")
@click.option("--drop", metavar="COLUMN", multiple=True, help="A column to leave out; repeatable.")
def data(source: str | None, label: str | None, drop: tuple[str, ...]) -> None:
    """List the built-in data sets, or say what a file would load as.

    A folder's X.npy of 256 MB or more is mapped, not loaded: its rows are read as they are needed.
    """
    from pandatui import report
    from pandatui.data import BUILT_IN, inspect

    if source is None:
        report.put(report.data_list(dict(BUILT_IN)))
    else:
        found = inspect(source, label=label, drop=drop, progress=report.LoadProgress())
        report.put(report.data_text(found, label, drop))


for _command in (batch, resume, *COMMANDS, doctor, completion):
    cli.add_command(_command)


def _pace(text: str | None) -> float | str | None:
    """None where nothing was said, "max", or epochs a second."""
    if text is None or text == "max":
        return text
    with contextlib.suppress(ValueError):
        if 0 < (pace := float(text)) <= 1e6:
            return pace
    raise click.UsageError(f"pace {text!r}: expected epochs a second, such as 2, or max")


def main() -> None:
    """Run a command; every foreseen error is one line on stderr and status 2, an unforeseen one status 70."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # as stderr: no terminal is too old for a class name
    if not terminal_has_utf8():
        for stream in (sys.stdout, sys.stderr):
            spell_out(stream)
    try:
        cli.main(prog_name="pandatui", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        sys.exit(_refuse(error.format_message()))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except MemoryError as error:
        sys.exit(_refuse(f"not enough memory: {error or 'expected smaller data or fewer hidden units'}"))
    except OSError as error:
        where = f"{error.filename!r}: " if error.filename else ""
        sys.exit(_refuse(f"{where}{error.strerror or error}"))
    except ValueError as error:
        if not _foreseen(error):
            raise SystemExit(_internal(error)) from error
        sys.exit(_refuse(str(error)))
    except Exception as error:
        raise SystemExit(_internal(error)) from error


def _foreseen(error: ValueError) -> bool:
    """Whether it is one of ours: bad data, settings, sessions, names."""
    from pandatui.data import DataError
    from pandatui.sessions import SessionError
    from pandatui.sessions.store import NameRefused
    from pandatui.settings import SettingsError
    from pandatui.training import ConfigError

    return isinstance(error, DataError | ConfigError | SessionError | SettingsError | NameRefused)


def _refuse(message: str) -> int:
    from pandatui.plain import plain

    _tell(f"pandatui: {plain(message, 1000)}")
    return USAGE


def _internal(error: Exception) -> int:
    from pandatui.report import show_traceback

    show_traceback(error)
    _tell(f"pandatui: internal error: {type(error).__name__}; please report it")
    return INTERNAL


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that has gone: the status still says it
        print(line, file=sys.stderr, flush=True)
