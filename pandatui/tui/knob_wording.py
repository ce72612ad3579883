"""The hyperparameters in words, as pure functions: values, what they mean, the keys that turn them."""

from collections.abc import Iterable

from textual.content import Content

from pandatui.training.knobs import COARSE, KNOBS
from pandatui.training.snapshot import Snapshot
from pandatui.training.words import knob_note, knob_value
from pandatui.tui.wording import MUTED, About

GROUPS = {"try first": "TRY FIRST", "second": "SECOND", "third": "THIRD", "leave alone": "LEAVE ALONE"}
LETTERS = {"learning_rate": "a  A", "momentum": "b  B", "decay": "d  D"}


def knob_rows(s: Snapshot, about: About, selected: str, used: Iterable[str]) -> list[Content]:
    """The knobs by importance with their values, what those mean, and the keys."""
    rows: list[Content] = []
    usable = set(used)
    seen = ""
    for name, knob in KNOBS.items():
        if knob.group != seen:
            seen = knob.group
            rows.append(Content.styled(GROUPS[knob.group], MUTED))
        label = f"{knob.label} {knob.symbol}".strip()
        if not knob.live:
            hint = " new run" if s.speed is None else ""
            rows.append(Content.assemble((f" {label:<16} {about.hidden:<9}", ""), (hint, MUTED)))
            continue
        here = name == selected and s.speed is None
        keys = "" if s.speed is not None else LETTERS.get(name, "- +" if here else "")
        value = knob_value(name, s.knobs[name]) if name in usable else "not used"
        style = "bold" if here else ("" if name in usable else MUTED)
        rows.append(
            Content.assemble(
                ("▸" if here else " ", "$accent"), (f"{label:<16} {value:<9}", style), (f" {keys}", MUTED)
            )
        )
        note = _note(s, name) if name in usable else ""
        if note:
            rows.append(Content.styled(f"   {note}", MUTED))
    rows.append(Content.styled(" ε 1e-08, fixed", MUTED))
    if s.speed is None:
        rows += [Content(""), Content.styled(" up/down picks, -/+ turns, enter types", MUTED)]
    return rows


def _note(s: Snapshot, name: str) -> str:
    last = next((g for g in reversed(s.gestures) if g.knob == name and not g.undone), None)
    if name in ("momentum", "decay"):
        return knob_note(name, s.knobs)
    if name == "learning_rate" and last is not None:
        return f"from step {last.last_step:,}: {knob_value(name, last.after)}"
    return ""


def knob_line(s: Snapshot, selected: str, coarse: bool, width: int) -> Content:
    """The knobs of the letter keys on one line, for narrow screens; of a recording without the keys."""
    parts: list[tuple[str, str]] = []
    if s.speed is not None:
        for name in LETTERS:
            label = KNOBS[name].symbol or KNOBS[name].label
            parts.append((f" {label} {knob_value(name, s.knobs[name])}  ", ""))
        return Content.assemble(*parts)
    shown = [("learning_rate", "a/A"), ("momentum", "b/B"), ("decay", "d/D")]
    if selected not in LETTERS:
        shown.insert(0, (selected, "-/+"))
    for name, keys in shown:
        knob = KNOBS[name]
        here = name == selected
        parts.append(("▸" if here else " ", "$accent"))
        parts.append(
            (f"{knob.symbol or knob.label} {knob_value(name, s.knobs[name])}", "bold" if here else "")
        )
        parts.append((f" {keys}  ", MUTED))
    notch = f"notch {notch_factor(coarse)}"
    used = sum(len(text) for text, _ in parts)
    if used + len(notch) < width:
        parts.append((" " * (width - used - len(notch) - 1) + notch, MUTED))
    return Content.assemble(*parts)


def notch_factor(coarse: bool) -> str:
    """×1.26, or ×3.16 for coarse notches."""
    return f"×{10 ** (0.1 * (COARSE if coarse else 1)):.3g}"


def notch_title(s: Snapshot, coarse: bool) -> str:
    """The panel's head: what one press does, and the key that changes that."""
    if s.speed is not None:
        return "hyperparameters"
    return f"hyperparameters · {notch_factor(coarse)} (x {'fine' if coarse else 'coarse'})"
