"""`pandatui resume`: go on where a session ended, on the screen or without one."""

import sys
from typing import Any

import click

from pandatui.cli_options import need_terminal
from pandatui.cli_sessions import as_json_option, data_option, of_session, store_of

NOT_TO_BE_RERUN, DIVERGED = 5, 6


@click.command()
@of_session
@click.option("--epochs", type=click.IntRange(min=1), metavar="TOTAL", help="Train up to this epoch.")
@data_option("Its data, where they have moved.")
@click.option("--headless", is_flag=True, help="Without a screen.")
@as_json_option
def resume(session: str | None, sessions: str | None, as_json: bool, **options: Any) -> None:
    """Go on where a session ended, whatever ended it: finished, stopped, diverged, or a crash.

    The bits are those of a run that was never interrupted. SESSION is a path or a name. [the newest]
    """
    from pandatui import report
    from pandatui.sessions.replay import RerunError, config_of
    from pandatui.sessions.resume import recovered
    from pandatui.sessions.resume import resume as made_ready
    from pandatui.sessions.store import look

    headless = options["headless"] or as_json
    if not headless:
        need_terminal("pandatui resume --headless")
    store = store_of(sessions)
    path = store.find(session)
    if headless and options["epochs"] is None:
        before = look(path)
        if before.session is not None and before.status in ("finished", "diverged"):
            sys.exit(report.finished(before.session, str(path), as_json=as_json))
    try:
        pace = None if headless else _pace(config_of(recovered(path)))
        ready = made_ready(
            store, path, data=options["data"], epochs=options["epochs"], pace=pace, progress=report.told()
        )
    except RerunError as error:
        report.say(f"pandatui: {error}")
        sys.exit(NOT_TO_BE_RERUN)
    if headless:
        for note in ready.notes:
            report.say(note)
        sys.exit(report.train(ready.driver, ready.recorder, every=5.0, as_json=as_json))
    from pandatui.settings import load_settings
    from pandatui.training.setup import RunOptions
    from pandatui.tui.app import Start, run_app

    kept = load_settings()
    start = Start(
        folder=store.folder,
        options=RunOptions(data=ready.session.config["data"]),
        resumed=ready,
        theme=kept.theme,
        keys=kept.keys,
    )
    sys.exit(run_app(start))


def _pace(config: Any) -> float | None:
    from pandatui.tui.live import pace_for

    return pace_for(config, None)
