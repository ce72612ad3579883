"""What `pandatui export` and `pandatui predict` do."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import click
import numpy as np

from pandatui import report, report_curve, report_sessions
from pandatui.cli_replay import Replay
from pandatui.data import Dataset
from pandatui.plain import harmless, plain
from pandatui.sessions import Session, Store
from pandatui.sessions.export import as_csv, as_npz, as_schedule, step_of
from pandatui.sessions.inputs import load_inputs
from pandatui.sessions.replay import UNKNOWN, RerunError, rerun
from pandatui.sessions.store import look, write_whole
from pandatui.training import ConfigError, Run


def export_session(
    store: Store, path: Path, *, form: str, at: str, data: str | None, accept_edited: bool, output: str | None
) -> int:
    """Write a session in another form; the exit status."""
    if form == "npz":
        if output is None and sys.stdout.isatty():
            raise click.UsageError("npz is not for a terminal: expected -o FILE")
        asked = Replay(store, path, data, accept_edited, as_json=False)
        try:
            run, dataset = trained(asked, asked.record(), at)
            _write(as_npz(run, dataset), output)
        except (RerunError, ConfigError) as error:
            return asked.refuse(error)
        return 0
    if at != "last" or data is not None or accept_edited:
        raise click.UsageError("expected --at, --data and --accept-edited with --format npz alone")
    found = look(path)  # with what its journal has ahead of the file
    session, whole = found.session, not found.edited
    assert session is not None
    if form == "csv":
        text = as_csv(session)
    elif form == "json":
        text = json.dumps(report_sessions.exported(path, session, whole)) + "\n"
    elif form == "svg":
        text = report_curve.svg(session)
    elif form == "txt":
        text = f"{report_sessions.summary(session, whole)}\n\n{report_curve.drawn(session)}\n"
    else:
        text = as_schedule(session)
    _write_text(text, output)
    return 0


def predict_rows(
    store: Store, path: Path, file: str, *, data: str | None, accept_edited: bool, output: str | None
) -> int:
    """The label and the probabilities of each row; the exit status."""
    asked = Replay(store, path, data, accept_edited, as_json=False)
    try:
        run, dataset = trained(asked, asked.record(), "last")
    except (RerunError, ConfigError) as error:
        return asked.refuse(error)
    inputs = load_inputs(file, run.config, dataset)
    with np.errstate(all="ignore"):
        found = run.network.probabilities(inputs)[0]  # (rows, C)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    classes = [harmless(name) for name in dataset.classes]
    writer.writerow(["row", "label", *(f"p({name})" for name in classes)])
    for row, (best, shares) in enumerate(zip(found.argmax(axis=1), found, strict=True), start=1):
        writer.writerow([row, classes[best], *map(str, shares)])
    _write_text(out.getvalue(), output)
    return 0


def trained(asked: Replay, session: Session, at: str) -> tuple[Run, Dataset]:
    """The session's run at a step, trained again from the nearest checkpoint, or else from the seed.

    Says so where its weights are not those on record.
    """
    try:
        step = step_of(session, at)
    except ValueError as error:
        raise click.UsageError(f"--at: {error}") from None
    until = step if step < session.steps else None
    expected = session.result.weights_sha256
    progress = report.StepProgress("training it again")
    try:
        dataset = asked.dataset(session)
        for checkpoints in (asked.checkpoints(), None):
            run = rerun(session, dataset, until=until, progress=progress, checkpoints=checkpoints)
            differs = until is None and run.weights_sha256() != expected != UNKNOWN
            if checkpoints is None or not differs:
                break
    finally:
        progress.done()
    if differs:
        report.say(
            f"note: trained again, its weights are not bit for bit those on record; "
            f"pandatui replay {asked.called} --verify says more"
        )
    return run, dataset


def _write_text(text: str, output: str | None) -> None:
    if output is None and sys.stdout.isatty():  # nothing that the terminal would act on
        report.put("\n".join(plain(line, 100_000) for line in text.splitlines()))
    else:
        _write(text.encode("utf-8", "backslashreplace"), output)


def _write(raw: bytes, output: str | None) -> None:
    """To a file, in one stroke where it is a regular one, or to stdout. Raises OSError."""
    if output is None:
        try:
            sys.stdout.buffer.write(raw)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # `pandatui … | head`: whoever read has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    path = Path(output)
    if (path.exists() and not path.is_file()) or path.is_symlink():
        with path.open("wb") as file:
            file.write(raw)
    else:
        write_whole(path, raw)
