"""A recorded session in words, as pure functions: its settings, a summary, what happened."""

from textual.content import Content

from pandatui.plain import plain
from pandatui.sessions import Session
from pandatui.sessions.replay import events_of
from pandatui.sessions.schema import from_number
from pandatui.training.events import gestures
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


def summary_line(session: Session) -> Content:
    """brave-otter · spirals · finished · 60 epochs · 48 s · best dev 0.114 at epoch 58."""
    r = session.result
    parts = [plain(session.name, 40), plain(session.data.name, 40), session.status]
    parts += [plural(session.epochs, "epoch"), plural(session.steps, "step"), duration(session.seconds)]
    if r.best_dev_cost is not None:
        parts.append(f"best dev {cost(from_number(r.best_dev_cost))} at epoch {r.best_epoch}")
    if r.test_accuracy is not None:
        parts.append(f"test {from_number(r.test_accuracy):.1%} right")
    return Content(" " + " · ".join(parts))


def event_lines(session: Session) -> list[Content]:
    """Gestures and other events, oldest first."""
    events = events_of(session)
    seen = {e.nudge: e.id for e in reversed(events) if e.kind == "nudge"}
    lines = [(e.id, event_line(e, None)) for e in events if e.kind != "nudge"]
    lines += [(seen[g.number], gesture_line(g, None)) for g in gestures(events)]
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]
