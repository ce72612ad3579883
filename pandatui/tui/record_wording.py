"""A recorded session in words, as pure functions: its settings, a summary, what happened."""

import os

from textual.content import Content

from pandatui.plain import plain
from pandatui.sessions import Session
from pandatui.sessions.lock import Holder
from pandatui.sessions.player import Recording
from pandatui.sessions.replay import events_of
from pandatui.sessions.schema import Parent, from_number
from pandatui.training.events import gestures
from pandatui.training.history import Floats
from pandatui.training.words import cost, duration, number, plural
from pandatui.tui.wording import MUTED, event_line, gesture_line


def settings_lines(session: Session) -> list[Content]:
    """The settings, one a line, cleaned."""
    lines = []
    for name, value in session.config.items():
        if value in (None, [], ()) or name == "plan":
            continue
        lines.append(
            Content.assemble((f"{plain(name.replace('_', ' '), 20):<15} ", MUTED), plain(_setting(value), 60))
        )
    return lines


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return number(value) if isinstance(value, float) else str(value)


def summary_line(session: Session, status: str, style: str = "") -> Content:
    """brave-otter · spirals · finished · 60 epochs · 48 s · best dev 0.114 at epoch 58.

    `status` is what it is now, which may be more than the file says: crashed, or watched.
    """
    r = session.result
    parts = [plural(session.epochs, "epoch"), plural(session.steps, "step"), duration(session.seconds)]
    if r.best_dev_cost is not None:
        parts.append(f"best dev {cost(from_number(r.best_dev_cost))} at epoch {r.best_epoch}")
    if r.test_accuracy is not None:
        parts.append(f"test {from_number(r.test_accuracy):.1%} right")
    name, data = plain(session.name, 40), plain(session.data.name, 40)
    return Content.assemble(f"{name} · {data} · ", (status, style), " · " + " · ".join(parts))


def spells_worse_than_guessing(epochs: Floats, dev_costs: Floats, guessing: float) -> list[tuple[int, int]]:
    """First and last epoch of each spell: dev cost ln C or more, for two epochs, after having been below.

    The watch screen says so while it lasts. Where a record has epochs as blocks, their means count.
    """
    spells: list[tuple[int, int]] = []
    been_below, since, count = False, 0, 0
    for epoch, cost_there in zip(epochs.tolist(), dev_costs.tolist(), strict=True):
        if cost_there < guessing:
            been_below, count = True, 0
        elif been_below:  # NaN counts as worse
            since, count = (since if count else int(epoch)), count + 1
            if count == 2:
                spells.append((since, int(epoch)))
            elif count > 2:
                spells[-1] = since, int(epoch)
    return spells


def warnings_of(session: Session, *, crashed: bool) -> list[str]:
    """What a person who was not there should know went wrong on the live path, in order of time."""
    r = Recording.of(session)
    spells = spells_worse_than_guessing(r.dev_epochs, r.dev_costs, r.guessing)
    found = [f"worse than guessing, epochs {first}–{last}" for first, last in spells]
    fell = (e.step for e in r.events if e.kind == "diverged" and e.undone_by is None)
    found += [f"diverged at step {step:,}" for step in fell]
    return found + ([f"cut off at step {session.steps:,}"] if crashed else [])


def standing(session: Session, *, crashed: bool) -> str:
    """ran 8 h 12 min · 412 epochs · best dev 0.0871 at epoch 377 (35 ago) · 0 warnings."""
    parts = [f"ran {duration(session.seconds)}", plural(session.epochs, "epoch")]
    best = session.result.best_epoch
    if best is not None:
        ago = f" ({session.epochs - best} ago)" if session.epochs > best else ""
        parts.append(f"best dev {cost(from_number(session.result.best_dev_cost))} at epoch {best}{ago}")
    found = warnings_of(session, crashed=crashed)
    last = f"{', the last' if len(found) > 1 else ''}: {found[-1]}" if found else ""
    return " · ".join([*parts, plural(len(found), "warning") + last])


def lineage(parent: Parent, names: dict[str, str]) -> str:
    """brave-otter@412, or the trial that it was; `names` are those that ids have now."""
    if parent.study is not None:
        return f"{plain(parent.study, 30)} trial {parent.trial}"
    recorded = plain(parent.name or parent.id or "unknown", 30)
    now = plain(names.get(parent.id or "", recorded), 30)
    was = f" (then {recorded})" if now != recorded and parent.name else ""
    return f"{now}@{parent.step or 0:,}{was}"


def watched_line(holder: Holder) -> Content:
    """watching, keys that train are off: process 4711, since 11-21 08:29 UTC."""
    since = f", since {plain(holder.since[5:16].replace('T', ' '), 11)} UTC" if holder.since else ""
    who = f"process {holder.pid}" if holder.pid else "another process"
    if holder.pid == os.getpid():
        return Content.styled("this very program trains it: esc goes back to it", "$success")
    return Content.styled(f"watching, keys that train are off: {who}{since}", "$success")


def happened_lines(session: Session, holder: Holder | None, *, crashed: bool) -> list[Content]:
    """All that there is to say of a record: who trains it, where it is from, warnings, and its events."""
    lines = [watched_line(holder)] if holder is not None else []
    if session.parent is not None:
        lines.append(Content.assemble(("branch of ", MUTED), (lineage(session.parent, {}), "$accent")))
    lines += [
        Content.styled(f"warning: {each}", "$warning") for each in warnings_of(session, crashed=crashed)
    ]
    return [*lines, *event_lines(session)] or [Content("no nudges")]


def event_lines(session: Session) -> list[Content]:
    """Gestures and other events, oldest first."""
    events = events_of(session)
    seen = {e.nudge: e.id for e in reversed(events) if e.kind == "nudge"}
    lines = [(e.id, event_line(e, None)) for e in events if e.kind != "nudge"]
    lines += [(seen[g.number], gesture_line(g, None)) for g in gestures(events)]
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]
