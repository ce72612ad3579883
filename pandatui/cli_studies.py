"""What `pandatui batch` does: from what was asked for to studies, raced and reported."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import click

from pandatui import report, report_batch, report_studies
from pandatui.data import BUILT_IN
from pandatui.search.cohort import lend
from pandatui.search.engines import EngineError, Inline, Processes, cores
from pandatui.search.keeper import default_name, finished_study, open_study
from pandatui.search.race import Engine, Race
from pandatui.search.retest import spec_of, standings
from pandatui.search.setup import Ready, prepare
from pandatui.search.shelf import find as find_study
from pandatui.search.shelf import look as look_at_study
from pandatui.search.shelf import study_name, study_path
from pandatui.search.space import Space, parse_vary, space_named
from pandatui.search.spec import Spec, SpecError
from pandatui.search.spec_files import load, to_toml
from pandatui.search.study import Study
from pandatui.sessions import SessionError, Store
from pandatui.sessions.keeping import batch_begun
from pandatui.sessions.lock import Held, holder
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.replay import RerunError
from pandatui.sessions.store import look
from pandatui.training.setup import RunOptions
from pandatui.training.setup import prepare as prepare_run

NOT_TO_BE_RERUN = 5
_OURS = re.compile(rb'"format"\s*:\s*"pandatui-session"')
_HEAD = 4096  # bytes in which a file of ours says what it is


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be raced, as said on the command line: `run` and `changes` lie over what `source` says."""

    source: str | None
    run: RunOptions
    changes: dict[str, Any]
    vary: tuple[str, ...]
    name: str | None

    @property
    def settings(self) -> list[str]:
        """The options that say what is to be raced, as far as they were given."""
        given = [each.name for each in fields(self.run) if getattr(self.run, each.name) not in (None, ())]
        return [*given, *self.changes, *(["vary"] if self.vary else [])]


@dataclass(slots=True)
class Running:
    """How it is to be raced, and what has come of it."""

    folder: Path
    workers: int | None
    scheduler: str | None
    every: float
    as_json: bool
    signals: report_batch.Signals = field(default_factory=report_batch.Signals)

    @property
    def store(self) -> Store:
        return Store(self.folder)

    def engine(self) -> Engine:
        """Where slices are trained. Raises EngineError."""
        if self.scheduler is not None:
            from pandatui.search.cluster import Cluster

            return Cluster(self.scheduler)
        workers = self.workers or cores()
        return Inline() if workers == 1 else Processes(workers)


def batch(running: Running, asked: Asked) -> int:
    """Race what was asked for; the exit status."""
    session = _session(running, asked)
    if session is not None:
        return _queued(running, asked, session)
    study = _study(running, asked)
    if study is not None:
        record = look_at_study(study).study
        assert record is not None, "what can't be read was refused"
        ready = prepare(Spec.from_plain(record.spec), report.LoadProgress())
        raced = _raced(running, ready, study_name(study))
    else:
        raced = _raced(running, prepare(_spec(asked), report.LoadProgress()), asked.name)
    report.put(json.dumps(raced.json()) if running.as_json else raced.text())
    return raced.exit


def print_spec(running: Running, asked: Asked) -> int:
    """Print the spec; the exit status."""
    if _session(running, asked) is not None or _study(running, asked) is not None:
        raise click.UsageError("expected a spec or options with --print-spec")
    report.put(to_toml(_spec(asked)).rstrip("\n"))
    return 0


def retest(running: Running, asked: Asked, which: str) -> int:
    """Race a session's settings against their neighbours; the exit status."""
    odd = sorted(set(asked.settings) - {"data", "epochs"})
    if odd or asked.source:
        found = asked.source or f"--{odd[0].replace('_', '-')}"
        raise click.UsageError(f"expected --data and --epochs alone with --retest, found {found}")
    store = running.store
    path = store.find(which)
    session = look(path).session
    assert session is not None, "what can't be read was refused"
    given = asked.run.data
    ours = path.resolve().parent == store.folder.resolve()
    try:
        spec = spec_of(session, given, asked.run.epochs)
        if given is None and session.config["data"] not in BUILT_IN and not ours:
            raise RerunError(f"its data {session.config['data']!r} is not opened for a file from elsewhere")
        ready = prepare(spec, report.LoadProgress())
        if ready.dataset.sha256 != session.data.sha256:
            raise RerunError(f"{ready.base.data!r} holds other data: expected those of the session")
    except RerunError as error:
        report.say(f"pandatui: cannot be trained again: {error}; give its data with --data FILE")
        return NOT_TO_BE_RERUN
    raced = _raced(running, ready, asked.name)
    verdicts = standings(raced.study)
    if running.as_json:
        report.put(json.dumps(raced.json() | {"retest": report_studies.retest_json(verdicts)}))
    else:
        report.put(f"{raced.text()}\n\n{report_studies.retest_text(verdicts)}")
    return raced.exit


# -- what is meant -------------------------------------------------------------------------------------------


def _session(running: Running, asked: Asked) -> Path | None:
    """The session that the source is, by name or path."""
    if asked.source is None:
        return None
    path = Path(asked.source)
    if path.is_file():
        with path.open("rb") as file:
            return path if _OURS.search(file.read(_HEAD)) else None
    try:
        return running.store.find(asked.source)
    except SessionError:
        return None


def _study(running: Running, asked: Asked) -> Path | None:
    """The study of the folder in use that the source is, by name or path."""
    path = find_study(running.store, asked.source) if asked.source is not None else None
    if path is None:
        return None
    if path.resolve().parent != running.store.folder.resolve():
        raise click.UsageError(f"{path.name!r}: expected a study of {running.store.folder}")
    _nothing_else(asked, "a study")
    return path


def _nothing_else(asked: Asked, noun: str) -> None:
    if asked.settings or asked.name:
        odd = [*asked.settings, "name"][0].replace("_", "-")
        raise click.UsageError(f"expected no --{odd} with {noun}, which has its own")


def _spec(asked: Asked) -> Spec:
    """The spec of the file, if there is one, with what the options say. Raises SpecError, DataError."""
    if asked.source is not None and not Path(asked.source).exists():
        raise click.UsageError(f"{asked.source!r}: no such spec, session or study")
    spec = Spec() if asked.source is None else load(Path(asked.source))
    given = {
        each.name: value
        for each in fields(asked.run)
        if (value := getattr(asked.run, each.name)) not in (None, ())
    }
    spec = replace(spec, **(asked.changes | {"run": replace(spec.run, **given)}))
    return replace(spec, space=_varied(asked, spec)) if asked.vary else spec


def _varied(asked: Asked, spec: Spec) -> Space:
    """What --vary says; besides a space that was given, it takes the place of the same knobs there."""
    said = Space(tuple(parse_vary(text) for text in asked.vary))
    if "space" not in asked.changes and asked.source is None:
        return said
    space = spec.space
    if isinstance(space, str):
        config, dataset = prepare_run(spec.run, report.LoadProgress())
        space = space_named(space, config, len(dataset.train))
    return Space((*said.dimensions, *(each for each in space.dimensions if each.knob not in said.knobs)))


# -- racing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Raced:
    """A study at the end of a race, or as it was when that had finished already."""

    exit: int
    path: Path
    study: Study

    @property
    def status(self) -> str:
        return "finished" if self.study.over else "stopped"

    def json(self) -> dict[str, Any]:
        return report_studies.study_json(self.path, self.study, self.status)

    def text(self) -> str:
        return report_studies.study_text(study_name(self.path), self.study, self.status)


def _raced(
    running: Running, ready: Ready, name: str | None, begun: Callable[[str], None] = lambda name: None
) -> _Raced:
    """Race a study to its end, or take one that has finished. `begun` hears its name when it is on disk."""
    store = running.store
    name = name or default_name(ready)
    path = study_path(store, name)
    done = finished_study(store, ready, name)
    if done is not None:
        begun(name)
        report.say(f"{name} has finished already: {path}")
        return _Raced(report_batch.outcome(done), path, done)
    with running.signals.heard():
        try:
            engine = running.engine()
        except EngineError as error:
            raise click.UsageError(str(error)) from None
        try:
            opened = open_study(store, ready, name)
            begun(name)
        except BaseException:
            engine.close(now=True)
            raise
        for note in opened.notes:
            report.say(note)
        lend(ready.dataset, ready.base)
        race = Race(opened.study, ready.dataset, engine, opened.keeper)
        status = report_batch.race(race, engine, opened.keeper, running.signals, every=running.every)
    if not opened.keeper.problem:
        how = "" if opened.study.over else f"; to go on: pandatui batch {name}"
        report.say(f"saved as {path}{how}")
    return _Raced(status, path, opened.study)


# -- a session's queue ---------------------------------------------------------------------------------------


def _queued(running: Running, asked: Asked, path: Path) -> int:
    """Race the batches in a session's queue that have not finished; the exit status."""
    _nothing_else(asked, "a session")
    store = running.store
    if path.resolve().parent != store.folder.resolve():
        raise click.UsageError(f"{path.name!r}: expected a session of {store.folder}")
    owner = holder(journal_path(path))
    if owner is not None:
        raise Held(path.stem, owner)
    stored = look(path)
    assert stored.session is not None, "what can't be read was refused"
    queue = stored.session.queue
    specs = [_entry(entry, place) for place, entry in enumerate(queue)]
    studies: list[dict[str, Any]] = []
    worst = 0
    for place, spec in enumerate(specs):
        if running.signals.caught:
            break
        named = queue[place].get("study")
        if named is not None and _is_finished(store, named):
            continue
        ready = prepare(spec, report.LoadProgress())
        report.say(f"batch {place + 1} of {len(queue)} queued in {path.stem}")

        def begun(name: str, place: int = place, named: str | None = named) -> None:
            if named != name:
                batch_begun(path, place, name)

        raced = _raced(running, ready, named, begun)
        worst = worst or raced.exit
        studies.append(raced.json())
        if not running.as_json:
            report.put(raced.text())
    if running.as_json:
        report.put(json.dumps({"session": str(path), "studies": studies}))
    elif not studies:
        report.say(f"no batches are queued in {path.stem}")
    return worst


def _entry(entry: dict[str, Any], place: int) -> Spec:
    try:
        return Spec.from_plain(entry.get("spec"))
    except SpecError as error:
        raise SpecError(f"batch {place + 1} of the queue: {error}") from None


def _is_finished(store: Store, name: Any) -> bool:
    path = find_study(store, name) if isinstance(name, str) else None
    return path is not None and look_at_study(path).status == "finished"
