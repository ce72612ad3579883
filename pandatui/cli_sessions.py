"""The commands on recorded sessions. As in `cli`, what is heavy is imported inside them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pandatui.search.shelf import StoredStudy
    from pandatui.sessions import Store

F = TypeVar("F", bound=Callable[..., Any])


def folder_of(option: str | None, kept: str | None = None) -> Path:
    """The sessions folder: --sessions, else the environment, else the settings' (`kept` where known)."""
    import os

    from pandatui.sessions.store import sessions_folder
    from pandatui.settings import load_settings

    environ = dict(os.environ)
    kept = load_settings().sessions if kept is None else kept
    if kept and "PANDATUI_SESSIONS" not in environ:
        environ["PANDATUI_SESSIONS"] = kept
    return sessions_folder(option, environ)


def _in_folder(command: F) -> F:
    return click.option("--sessions", metavar="DIR", help="Where sessions are kept.")(command)


def of_session(command: F) -> F:
    """SESSION and where to look for it."""
    return click.argument("session", required=False, metavar="[SESSION]")(_in_folder(command))


def _accept_edited(command: F) -> F:
    text = "Train it again even when the file is not as it was written."
    return click.option("--accept-edited", is_flag=True, help=text)(command)


def as_json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")(command)


def data_option(words: str) -> Callable[[F], F]:
    """--data FILE, which must be there: a path that a person typed wrongly is bad usage."""
    return click.option("--data", metavar="FILE", callback=_there, help=words)


def _there(_: click.Context, __: click.Parameter, data: str | None) -> str | None:
    from pandatui.data import BUILT_IN

    if data is not None and data not in BUILT_IN and not Path(data).exists():
        raise click.UsageError(f"--data {data!r}: expected a file or a folder, found none there")
    return data


def store_of(option: str | None) -> "Store":
    from pandatui.sessions import Store

    return Store(folder_of(option))


@click.command("sessions")
@_in_folder
@as_json_option
def list_sessions(sessions: str | None, as_json: bool) -> None:
    """List the recorded sessions and studies, newest first."""
    import json

    from pandatui import report, report_sessions, report_studies
    from pandatui.search.shelf import studies

    store = store_of(sessions)
    found, raced = store.list(), studies(store)
    if as_json:
        listed = [report_sessions.listed(each) for each in found]
        report.put(json.dumps(listed + [report_studies.listed(each) for each in raced]))
    elif found or raced:
        tables = [report_sessions.table(found)] if found else []
        tables += [report_studies.table(raced)] if raced else []
        report.put("\n\n".join(tables))
    else:
        report.say(f"no sessions in {store.folder} yet")


@click.command()
@of_session
@as_json_option
def show(session: str | None, sessions: str | None, as_json: bool) -> None:
    """Sum up a session, with its nudges by number, or a study. SESSION is a path or a name. [the newest]"""
    import json

    from pandatui import report, report_sessions
    from pandatui.sessions.store import look

    store = store_of(sessions)
    study = _study(store, session)
    if study is not None:
        from pandatui import report_studies

        report.put(json.dumps(report_studies.shown(study)) if as_json else report_studies.summary(study))
        return
    found = look(store.find(session))
    record, whole = found.session, not found.edited
    assert record is not None, "what can't be read was refused"
    if as_json:
        shown = report_sessions.shown(found.path, record, whole) | {"status": found.status}
        report.put(json.dumps(shown | ({"warning": found.warning} if found.warning else {})))
    else:
        report.put(report_sessions.summary(record, whole, status=found.status, warning=found.warning))


def _study(store: "Store", which: str | None) -> "StoredStudy | None":
    """The study of this name or path, unless there is a session of that name."""
    from pandatui.search import shelf

    path = shelf.find(store, which) if which is not None else None
    if path is None or (which == shelf.study_name(path) and store.path(which).is_file()):
        return None
    return shelf.look(path)


@click.command()
@of_session
@click.option("--speed", metavar="X", type=click.FloatRange(0.25, 1000), help="Times as fast as it was. [1]")
@click.option("--verify", is_flag=True, help="Train it again and compare every cost and the weights.")
@click.option("--without", metavar="N|all", multiple=True, help="Train it again without nudge N; repeatable.")
@click.option("--until", metavar="STEP", type=click.IntRange(min=1), help="Train it again up to a step.")
@data_option("Its data, where they have moved.")
@_accept_edited
@as_json_option
def replay(session: str | None, sessions: str | None, as_json: bool, **options: Any) -> None:
    """Play a session on the watch screen; or train it again, without a screen.

    Playing needs no data and trains nothing. With --verify every cost and the final weights are compared with
    the record. With --without or --until the run is saved as a session of its own, and what the nudges were
    worth is said. SESSION is a path or a name. [the newest]
    """
    import sys

    asked = options["without"] or options["until"] is not None
    if options["verify"] + bool(asked) + (options["speed"] is not None) > 1:
        raise click.UsageError("expected one of --speed, --verify, and --without or --until")
    if not (options["verify"] or asked):
        sys.exit(_play(session, sessions, options["speed"] or 1.0))
    from pandatui.cli_replay import Replay, ghost, verify

    store = store_of(sessions)
    path = store.find(session)
    again = Replay(store, path, options["data"], options["accept_edited"], as_json)
    if options["verify"]:
        sys.exit(verify(again))
    sys.exit(ghost(again, options["without"], options["until"]))


@click.command()
@of_session
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "svg", "txt", "nudges", "npz"]),
    required=True,
    help="Curves and events; everything; a picture; a text; a schedule for train --nudges; the network.",
)
@click.option("--at", metavar="best|last|STEP", default="last", help="Of npz: the network when. [last]")
@data_option("Of npz: the session's data, where they have moved.")
@_accept_edited
@click.option("-o", "--output", metavar="FILE", help="Write there. [stdout]")
def export(session: str | None, sessions: str | None, output: str | None, **options: Any) -> None:
    """Hand a session on. SESSION is a path or a name. [the newest]

    For npz it is trained again up to the step, from the nearest checkpoint where there is one: weights,
    running averages, standardisation, class names.
    """
    import sys

    from pandatui.cli_hand_on import export_session

    store = store_of(sessions)
    sys.exit(export_session(store, store.find(session), output=output, **options))


@click.command()
@click.argument("session")
@click.argument("file")
@_in_folder
@data_option("The session's data, where they have moved.")
@_accept_edited
@click.option("-o", "--output", metavar="FILE", help="Write there. [stdout]")
def predict(session: str, file: str, sessions: str | None, **options: Any) -> None:
    """Use a session's network, trained again: the label and the probabilities of each row of FILE, as CSV."""
    import sys

    from pandatui.cli_hand_on import predict_rows

    store = store_of(sessions)
    sys.exit(predict_rows(store, store.find(session), file, **options))


def _play(session: str | None, sessions: str | None, speed: float) -> int:
    from pandatui.cli_options import need_terminal

    need_terminal("pandatui show, or replay --verify")
    from pandatui.settings import load_settings
    from pandatui.training.setup import RunOptions
    from pandatui.tui.app import Start, run_app

    store, kept = store_of(sessions), load_settings()
    start = Start(
        folder=store.folder,
        options=RunOptions(),
        session_file=store.find(session),
        speed=speed,
        theme=kept.theme,
        keys=kept.keys,
    )
    return run_app(start)


COMMANDS = (list_sessions, show, replay, export, predict)
