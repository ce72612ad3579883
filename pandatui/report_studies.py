"""Studies as tables, text and JSON. Pure: from studies to text."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pandatui.plain import plain
from pandatui.report_sessions import aligned, when_words
from pandatui.search.dimension import Dimension, Value
from pandatui.search.importance import LEAST_TRIALS, textbook_place
from pandatui.search.records import restored
from pandatui.search.retest import Standing
from pandatui.search.sampling import distinct, grid
from pandatui.search.shelf import StoredStudy
from pandatui.search.space import Space
from pandatui.search.spec import RUN_OPTIONS, Spec
from pandatui.search.study import Study, Trial
from pandatui.sessions.schema import from_number, to_number
from pandatui.training.config import RunConfig
from pandatui.training.knobs import KNOBS
from pandatui.training.words import cost, duration, knob_value, number, plural

BEST = 10  # trials in the table
_BAR = 20  # cells of the most important knob's bar
_PLACES = {1: "first", 2: "second", 3: "third", 4: "leave alone"}
_LABELS = {"units": "hidden units", "batch_norm": "batch norm"}
_LISTED = ("study", "when", "data", "status", "rounds", "trials", "best dev", "right")
_RIGHT = {"rounds", "trials", "best dev", "right", "trial", "round", "dev cost", "epochs", "seed", "#"}


# -- words ---------------------------------------------------------------------------------------------------


def knob_label(knob: str) -> str:
    """learning rate, L2, hidden units."""
    return KNOBS[knob].label if knob in KNOBS else _LABELS.get(knob, knob)


def value_words(knob: str, value: Value) -> str:
    """A value of a trial as people read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return plain(value, 20)
    return knob_value(knob, value)


def dimension_words(dimension: Dimension) -> str:
    """0.198 … 0.407 (log), or relu, tanh."""
    if dimension.scale == "choice":
        return ", ".join(value_words(dimension.knob, choice) for choice in dimension.choices)
    low, high = (value_words(dimension.knob, end) for end in dimension.ends)
    return f"{low} … {high} ({dimension.scale})"


def _labelled(label: str, text: str, width: int) -> str:
    return f"{label.ljust(width)}  {text}".rstrip()


# -- one study -----------------------------------------------------------------------------------------------


def study_json(path: Path, study: Study, status: str) -> dict[str, Any]:
    """The object of `pandatui batch --json`."""
    best = study.best
    return {
        "study": str(path),
        "status": status,
        "best": None if best is None else trial_json(best) | {"command": train_command(study, best)},
        "rounds": [
            {
                "number": made.number,
                "box": made.box.to_plain(),
                "first_trial": made.trials.start,
                "last_trial": made.trials.stop - 1,
            }
            for made in study.rounds
        ],
        "next_box": None if study.points else study.proposed().to_plain(),
        "trials": [trial_json(trial) for trial in study.trials.values()],
        "importance": study.importance(),
        "distinct_values": distinct(trial.values for trial in study.trials.values()),
    }


def trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "round": trial.round,
        "knobs": trial.values,
        "seed": trial.config.seed,
        "status": trial.status,
        "reason": trial.reason,
        "steps": trial.steps,
        "epochs": trial.epochs,
        "dev_cost": to_number(trial.dev_cost) if trial.dev else None,
        "dev_accuracy": to_number(trial.dev_accuracy) if trial.dev else None,
        "weights_sha256": trial.weights_sha256,
        "costs_sha256": trial.costs_sha256,
    }


def train_command(study: Study, trial: Trial) -> str:
    """What trains a trial alone, to the same bits if it came to its end; for a shell."""
    config = trial.config
    usual = asdict(RunConfig(config.data, optimizer=config.optimizer))
    usual |= {"optimizer": "momentum", "standardise": "auto"}
    words = ["pandatui", "train", "--data", config.data]
    for name in (*RUN_OPTIONS[1:], "seed"):
        value = study.spec.run.standardise if name == "standardise" else getattr(config, name)
        option = f"--{name.replace('_', '-')}"
        if value is None or value == usual[name]:
            continue
        if name == "batch_norm":
            words.append(option if value else "--no-batch-norm")
        elif name == "drop":
            words += [word for column in value for word in (option, column)]
        else:
            words += [option, ",".join(map(str, value)) if name == "hidden" else str(value)]
    return " ".join(shlex.quote(plain(word, 1000)) for word in words)


def study_text(name: str, study: Study, status: str) -> str:
    """What a person wants to know of a study: the best, where to look next, what mattered."""
    seconds = sum(trial.seconds for trial in study.trials.values())
    ended = [trial for trial in study.trials.values() if not trial.stands]
    counts = ", ".join(
        f"{count} {what}"
        for what in ("diverged", "dropped", "stopped", "failed")
        if (count := sum(trial.status == what for trial in ended))
    )
    lines = [
        f"{plain(name)}: {status}, {len(ended)} of {plural(_in_all(study), 'trial')} in "
        f"{plural(len(study.rounds), 'round')}, {duration(seconds)} of training"
        + (f"; {counts}" * bool(counts))
    ]
    lines += ["", *best_table(study)]
    if study.best is not None:
        lines += [
            "",
            "the best one alone, with the same bits, as a session",
            f"  {train_command(study, study.best)}",
        ]
    if not study.points:
        lines += ["", *_where(study), "", *_mattered(study), "", *_tried(study)]
    return "\n".join(lines)


def shown(stored: StoredStudy) -> dict[str, Any]:
    """One study of the folder as JSON. Raises SessionError for a record that no study can have."""
    assert stored.study is not None, "what can't be read was refused"
    found = study_json(stored.path, restored(stored.study), stored.status)
    whole = {"name": stored.name, "created": stored.study.created, "edited": stored.edited}
    return found | whole | ({"warning": stored.warning} if stored.warning else {})


def summary(stored: StoredStudy) -> str:
    """What a person wants to know of a study of the folder. Raises as `shown`."""
    assert stored.study is not None, "what can't be read was refused"
    text = study_text(stored.name, restored(stored.study), stored.status)
    notes = ["edited: this file is not as it was written"] if stored.edited else []
    notes += [f"warning: {plain(stored.warning, 500)}"] if stored.warning else []
    return "\n".join([*notes, text])


def _in_all(study: Study) -> int:
    return len(study.trials) + sum(study.sizes[len(study.rounds) :])


def best_table(study: Study) -> list[str]:
    """The best ten trials, a line each under headings."""
    ranked = [trial for trial in study.ranking() if trial.dev][:BEST]
    if not ranked:
        return ["no trial has come to the end of an epoch"]
    knobs = ranked[0].values
    seeds = study.spec.seeds > 1
    headings = ["#", "trial", "round", *(["seed"] * seeds), "dev cost", "right", "epochs", "status"]
    rows = [
        [
            str(place),
            str(trial.number),
            str(trial.round),
            *([str(trial.config.seed)] * seeds),
            number(trial.dev_cost),  # neighbours in the table differ in the third digit
            f"{trial.dev_accuracy:.1%}",
            f"{trial.epochs:,}",
            trial.status,
            *(value_words(knob, trial.values[knob]) for knob in knobs),
        ]
        for place, trial in enumerate(ranked, 1)
    ]
    return aligned([[*headings, *map(knob_label, knobs)], *rows], _RIGHT)


def box_lines(box: Space) -> list[str]:
    """A box, one knob a line."""
    width = max(len(knob_label(knob)) for knob in box.knobs)
    return [_labelled(knob_label(each.knob), dimension_words(each), width) for each in box.dimensions]


def _where(study: Study) -> list[str]:
    return ["box of a next round", *(f"  {line}" for line in box_lines(study.proposed()))]


def _mattered(study: Study) -> list[str]:
    found = study.importance()
    if not found:
        ended = len(study.results())
        few = f"{plural(ended, 'trial')}, {LEAST_TRIALS} needed" if ended < LEAST_TRIALS else "nothing tells"
        return [f"what mattered: can't be said ({few})"]
    most = max(found.values())
    rows = [("what mattered", "share", "", "textbook")]
    rows += [
        (
            knob_label(knob),
            f"{share:.0%}",
            "█" * round(_BAR * share / most),
            _PLACES[textbook_place(knob)],
        )
        for knob, share in found.items()
    ]
    return aligned(rows, {"share"})


def _tried(study: Study) -> list[str]:
    """How many distinct values of each knob were tried, beside what the other way would have tried."""
    tried = distinct(trial.values for trial in study.trials.values())
    count = len(study.trials)
    on_grid = distinct(grid(study.space, count))
    if study.spec.sampling == "grid":
        heading, other = "if random", {knob: str(count) for knob in tried}
        for each in study.space.dimensions:
            if each.scale in ("choice", "int"):
                other[each.knob] = "all"
    else:
        heading, other = "on a grid", {knob: str(on_grid[knob]) for knob in tried}
    rows = [(f"values tried in {plural(count, 'trial')}", study.spec.sampling, heading)]
    rows += [(knob_label(knob), str(count), other[knob]) for knob, count in tried.items()]
    return aligned(rows, {study.spec.sampling, heading})


# -- a retest ------------------------------------------------------------------------------------------------


def retest_text(found: Sequence[Standing]) -> str:
    """Whether each setting still stands, a line a knob."""
    return "\n".join(map(standing_words, found)) or "no setting has a neighbour that came to an end"


def standing_words(found: Standing) -> str:
    """learning rate 0.0316 still stands: the best neighbour (0.1) is 0.004 ± 0.006 better."""
    setting = f"{knob_label(found.knob)} {value_words(found.knob, found.value)}"
    verdict = {"stands": "still stands", "doubtful": "is in doubt", "stale": "is stale"}[found.verdict]
    neighbour = f"the best neighbour ({value_words(found.knob, found.neighbour)})"
    if found.pairs < 2:
        how = "diverges less often" if found.difference < 0 else "can't be compared: too few came to an end"
        return f"{setting} {verdict}: {neighbour} {how}"
    better = "better" if found.difference < 0 else "worse"
    spread = f"{abs(found.difference):.2g} ± {found.error:.1g}"
    return f"{setting} {verdict}: {neighbour} is {spread} {better}"


def retest_json(found: Sequence[Standing]) -> list[dict[str, Any]]:
    return [
        asdict(each) | {name: to_number(getattr(each, name)) for name in ("difference", "error")}
        for each in found
    ]


# -- the list ------------------------------------------------------------------------------------------------


def table(found: Sequence[StoredStudy]) -> str:
    """One line a study; what can't be read comes with the reason."""
    rows = [_row(each) for each in found if each.study is not None]
    lines = aligned([_LISTED, *rows], _RIGHT) if rows else []
    lines += [f"unreadable: {plain(each.problem, 300)}" for each in found if each.study is None]
    return "\n".join(lines)


def _row(stored: StoredStudy) -> tuple[str, ...]:
    facts = listed(stored)
    best = facts["best_dev_cost"]
    return (
        plain(stored.name, 40),
        when_words(facts["created"]),
        plain(facts["data"], 16),
        facts["status"] + (" (edited)" if stored.edited else ""),
        f"{facts['rounds']} of {facts['rounds_in_all']}",
        f"{facts['trials']:,} of {facts['trials_in_all']:,}",
        cost(from_number(best)) if best is not None else "",
        f"{from_number(facts['best_dev_accuracy']):.1%}" if best is not None else "",
    )


def listed(stored: StoredStudy) -> dict[str, Any]:
    """One study of the list as JSON."""
    found = stored.study
    if found is None:
        return {"name": stored.name, "study": str(stored.path), "problem": stored.problem}
    ended = [trial for trial in found.trials if trial.status != "waiting"]
    ranked = sorted(
        (-trial.epochs, from_number(trial.dev_cost), place)
        for place, trial in enumerate(found.trials)
        if trial.status not in ("waiting", "diverged", "failed")
        and math.isfinite(from_number(trial.dev_cost))
    )
    best = found.trials[ranked[0][2]] if ranked else None
    spec = Spec.from_plain(found.spec)  # which was checked when it was read
    return {
        "name": stored.name,
        "study": str(stored.path),
        "id": found.id,
        "created": found.created,
        "data": found.data.name,
        "status": stored.status or found.status,
        "edited": stored.edited,
        "rounds": len(found.rounds),
        "rounds_in_all": max(spec.rounds, len(found.rounds)),
        "trials": len(ended),
        "trials_in_all": max(spec.trials if len(found.rounds) < spec.rounds else 0, len(found.trials)),
        "best_trial": None if best is None else best.number,
        "best_dev_cost": None if best is None else best.dev_cost,
        "best_dev_accuracy": None if best is None else best.dev_accuracy,
    }
