"""The list of sessions and studies in words, as pure functions: rows, the filter, the preview, the keys."""

from collections.abc import Iterable

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from pandatui.plain import plain
from pandatui.search.records import StudyRecord, TrialRecord
from pandatui.search.shelf import StoredStudy
from pandatui.search.spec import Spec
from pandatui.sessions import Session
from pandatui.sessions.schema import from_number
from pandatui.sessions.store import Stored
from pandatui.training.words import cost, plural
from pandatui.tui.plotting import sparkline
from pandatui.tui.record_wording import event_lines, lineage, settings_lines, summary_line
from pandatui.tui.wording import MUTED, About

COLUMNS = (
    "name", "when, UTC", "data", "status", "dev", "right", "nudges",
    "branch of", "epochs", "steps", "network",
)  # fmt: skip


def row_of(stored: Stored, names: dict[str, str]) -> tuple[str, ...]:
    """One line of the table, cleaned; `dev` and `right` are the best of the run. `names`: as in `lineage`."""
    s = stored.session
    if s is None:
        return (plain(stored.path.stem, 30), "", "", "unreadable", *[""] * (len(COLUMNS) - 4))
    best, right = s.result.best_dev_cost, s.result.best_dev_accuracy
    nudges = len({e.nudge for e in s.events if e.kind == "nudge"})
    return (
        plain(s.name, 30),
        plain(s.created[5:16].replace("T", " "), 11),
        plain(s.data.name, 16),
        stored.status,
        cost(from_number(best)) if best is not None else "",
        f"{from_number(right):.1%}" if right is not None else "",
        str(nudges or ""),
        lineage(s.parent, names) if s.parent is not None else "",
        str(s.epochs),
        f"{s.steps:,}",
        network_of(s),
    )


def widths_of(rows: Iterable[tuple[str, ...]], room: int) -> dict[int, int]:
    """Column → width: of those that say anything, as many as there is room for, the first first."""
    columns = list(zip(COLUMNS, *rows, strict=True))
    widths: dict[int, int] = {}
    for i, (name, *cells) in enumerate(columns):
        width = max(map(cell_len, (name, *cells)))
        if (i < 2 or any(cells)) and (i == 0 or width + 2 <= room):
            widths[i] = width
            room -= width + 2
    return widths


def words_of(stored: Stored) -> str:
    """What a filter looks through: name, data, status and network."""
    s = stored.session
    if s is None:
        return f"{plain(stored.path.stem, 80)} unreadable".casefold()
    return f"{plain(s.name, 80)} {plain(s.data.name, 80)} {stored.status} {network_of(s)}".casefold()


def row_of_study(stored: StoredStudy) -> tuple[str, ...]:
    """One line of the table for a study, cleaned; `dev` and `right` are the best trial's at its end."""
    found, name = stored.study, plain(stored.name, 30)
    if found is None:
        return (name, "", "", "unreadable", *[""] * (len(COLUMNS) - 4))
    best, ended = best_of(found), sum(trial.status != "waiting" for trial in found.trials)
    return (
        name,
        plain(found.created[5:16].replace("T", " "), 11),
        plain(found.data.name, 16),
        f"study, {stored.status}",
        cost(from_number(best.dev_cost)) if best is not None else "",
        f"{from_number(best.dev_accuracy):.1%}" if best is not None else "",
        *[""] * (len(COLUMNS) - 7),
        plural(ended, "trial"),
    )


def words_of_study(stored: StoredStudy) -> str:
    """What a filter looks through."""
    data = plain(stored.study.data.name, 80) if stored.study is not None else "unreadable"
    return f"{plain(stored.name, 80)} {data} study {stored.status}".casefold()


def best_of(found: StudyRecord) -> TrialRecord | None:
    """The finished trial with the lowest dev cost, if there is one."""
    finished = [trial for trial in found.trials if trial.status == "finished"]
    return min(finished, key=lambda trial: from_number(trial.dev_cost), default=None)


def study_preview(stored: StoredStudy) -> list[Content]:
    """A study at a glance."""
    found = stored.study
    if found is None:
        return [Content.styled(plain(stored.problem, 500), "$error")]
    ended = sum(trial.status != "waiting" for trial in found.trials)
    spec = Spec.from_plain(found.spec)  # which was checked when it was read
    planned = f"{plural(spec.trials, 'trial')} in {plural(spec.rounds, 'round')}"
    lines = [
        Content(f" study {plain(found.name, 60)} · {plain(found.data.name, 40)} · {stored.status}"),
        Content.assemble(("planned  ", MUTED), planned),
        Content.assemble(("ended    ", MUTED), f"{ended:,}, the last in round {len(found.rounds)}"),
    ]
    best = best_of(found)
    if best is not None:
        words = f"trial {best.number}, dev cost {cost(from_number(best.dev_cost))}"
        lines.append(Content.assemble(("best     ", MUTED), (words, "$secondary")))
        for knob, value in best.knobs.items():
            said = f"{value:.4g}" if isinstance(value, float) else plain(str(value), 30)
            lines.append(Content.assemble((f"  {plain(knob.replace('_', ' '), 20):<15}", MUTED), said))
    if stored.warning:
        lines.append(Content.styled(plain(stored.warning, 300), "$warning"))
    return lines


def network_of(s: Session) -> str:
    """64-32 BN momentum, 64-32 tanh adam."""
    c = s.config
    about = About.of("", "", c["hidden"], c["batch_norm"], c["activation"], c["optimizer"])
    return plain(f"{about.network} {about.optimizer}", 80)


def preview_lines(
    session: Session, status: str, names: dict[str, str], width: int, *, tall: bool, unicode: bool
) -> list[Content]:
    """A session at a glance, `width` columns wide; without its settings, newest first, unless `tall`."""
    values = np.array([from_number(v) for v in session.curves.dev_cost.first])
    lines = [summary_line(session, status)]
    if session.parent is not None:
        lines.append(Content.assemble(("branch of ", MUTED), (lineage(session.parent, names), "$accent")))
    lines.append(Content.assemble(("network ", MUTED), network_of(session)))
    if len(values):
        spark = sparkline(values, max(1, min(width - 10, 60)), unicode=unicode)
        lines.append(Content.assemble(("dev cost ", MUTED), (spark, "$secondary")))
    happened = event_lines(session)
    last = happened[-8:]
    if not tall:
        return [*lines, *reversed(last)]
    if len(happened) > len(last):
        last.insert(0, Content.styled(f"{len(happened) - len(last)} more before", MUTED))
    return [*lines, Content(""), *settings_lines(session), Content(""), *last]


_KEYS = (
    ("up/down", "choose"),
    ("enter", "open"),
    ("/", "filter"),
    ("n", "note"),
    ("R", "rename"),
    ("del", "delete"),
    ("esc", "close"),
    ("q", "quit"),
)
_FIRST = ("esc", "/", "n", "R", "del", "enter", "q", "up/down")  # where not all fit


def foot(width: int, filtered: bool) -> Content:
    """The keys, as many as fit, the more needed ones first."""
    words = {key: "all again" if filtered and key == "esc" else word for key, word in _KEYS}
    room, fit = width + 1, set()
    for key in _FIRST:
        size = len(key) + len(words[key]) + 3
        if size <= room:
            room -= size
            fit.add(key)
    shown = [Content.assemble((key, "bold $accent"), f" {words[key]}") for key in words if key in fit]
    return Content(" ") + Content("  ").join(shown)
