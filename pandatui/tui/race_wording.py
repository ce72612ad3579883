"""What the race screen says, as pure functions from a view to words."""

import math
from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from pandatui.plain import plain
from pandatui.search.importance import LEAST_TRIALS, TEXTBOOK
from pandatui.training.words import cost, plural
from pandatui.tui.race_curves import SIGNS
from pandatui.tui.race_map import knob_name, value_text
from pandatui.tui.race_view import Entry, RaceView
from pandatui.tui.wording import MUTED

_MEANING = (" each knob's share of what tells", " the best trials from the rest")
_ORDINALS = ("1st", "2nd", "3rd", "last")
_BAR = 12  # cells of the longest bar


def state_words(view: RaceView) -> tuple[str, str]:
    """The race's state as a sign with a word, and the style that goes with it."""
    if view.clock.problem and not view.clock.live:
        return "✖ stopped", "bold $error"
    if view.over:
        return "● done", "bold $success"
    if not view.clock.live:
        return "○ on record", "bold $warning"
    if view.clock.held:
        return "○ paused", "bold $warning"
    return ("● racing", "bold $success") if view.standing else ("○ waiting for you", "bold $warning")


def progress_words(view: RaceView) -> list[str]:
    """round 2 of 3, 31 of 48 trials, 112/min."""
    rounds, trials = len(view.boxes), f"{view.ended:,} of {view.total:,} trials"
    words = [f"round {rounds} of {view.rounds_planned}", trials]
    if view.clock.live and view.clock.per_minute >= 1 and not view.over:
        words.append(f"{view.clock.per_minute:,.0f}/min")
    return words


def best_words(view: RaceView) -> str:
    """best dev cost 0.0871, trial 27."""
    best = view.best
    return "" if best is None else f"best dev cost {cost(best.dev_cost)}, trial {best.number}"


def head(view: RaceView, width: int) -> Content:
    """The top line; where room is scarce, the more telling stays."""
    sign = state_words(view)
    name = plain(view.name, 60)
    middle = progress_words(view)
    best = best_words(view)
    wide: list[tuple[str, str]] = [(" pandatui ", "bold $primary"), (f" {name} · ", ""), sign]
    wide.append((f" · {' · '.join(middle)}", ""))
    narrow = [(f" {name} · ", ""), sign, (f" · {' · '.join(middle[:2])}", "")]
    short = best.removeprefix("best dev cost ")
    slim = [(" ", ""), sign, (f" {view.ended}/{view.total}", "")]
    for left, right in ((wide, best), (narrow, best), (narrow[1:], best), (slim, short), (slim, "")):
        used = sum(cell_len(text) for text, _ in left) + cell_len(right) + 2
        if used <= width or not right:
            gap = " " * max(1, width - used + 1)
            return Content.assemble(*left, (gap, ""), (right, "bold $secondary"))
    raise AssertionError("the last of them always fits")


def advice(view: RaceView) -> tuple[str, str]:
    """What there is to know or to do now, and its style; empty while it races."""
    rounds, again = len(view.boxes), "ctrl+r goes on"
    if view.clock.problem:
        return f"✖ {plain(view.clock.problem, 200)}", "bold $error"
    if view.over:
        done = f"{plural(view.total, 'trial')} in {plural(rounds, 'round')}: all done"
        return f"{done} · enter adopts the trial at the cursor · ctrl+r races another round", "$success"
    if not view.clock.live:
        return f"as it is on record · {again} · enter adopts the trial at the cursor", MUTED
    if view.clock.held:
        return "paused: what is out comes in, nothing goes out · space goes on", "$warning"
    if rounds and not view.standing:
        return (
            f"round {rounds} is over · ctrl+r begins round {rounds + 1} in the dashed box · e edits it",
            "$accent",
        )
    return "", ""


def entry_words(entry: Entry, knobs: Sequence[str]) -> str:
    """trial 12 · round 1 · α 0.0412 · β 0.944 · finished · dev cost 0.15, 97.8 % right."""
    values = [f"{knob_name(knob)} {value_text(knob, entry.values[knob])}" for knob in knobs]
    parts = [f"trial {entry.number}", *values, status_words(entry)]
    if math.isfinite(entry.dev_cost):
        parts.append(f"dev cost {cost(entry.dev_cost)}, {entry.dev_accuracy:.1%} right")
    return " · ".join(parts)


def mark(view: RaceView) -> str:
    """race 31/48: what the head of another screen says of it."""
    if view.clock.problem:
        return "race not saved" if view.clock.live else "race stopped"
    words = f"race {view.ended:,}/{view.total:,}"
    return f"{words} paused" if view.clock.held and not view.over else f"{words} done" if view.over else words


def better_words(view: RaceView, panda: float) -> str:
    """trial 27 ended at dev cost 0.0871, better than this one's best, 0.114; else nothing."""
    best = view.best
    if best is None or best.status != "finished" or not best.dev_cost < panda < math.inf:
        return ""
    ends = f"trial {best.number} ended at dev cost {cost(best.dev_cost)}"
    return f"{ends}, this one's best is {cost(panda)} · C shows the race, enter there adopts"


# -- the leaderboard -----------------------------------------------------------------------------------------

COLUMNS = ("#", "trial", "dev cost", "right")


def status_words(entry: Entry) -> str:
    """epoch 9, ● finished, ✖ diverged, ○ dropped at 4 (epochs), waiting."""
    sign = SIGNS.get(entry.status, "")
    match entry.status:
        case "training":
            return f"epoch {entry.epochs}"
        case "dropped" | "stopped":
            return f"{sign} {entry.status} at {entry.epochs}"
        case "failed":
            return f"{sign} failed: {plain(entry.reason, 60)}"
        case "waiting":
            return "waiting"
        case _:
            return f"{sign} {entry.status}"


def row_cells(place: int, entry: Entry, knobs: Sequence[str]) -> tuple[str, ...]:
    """One line of the leaderboard."""
    known = math.isfinite(entry.dev_cost)
    return (
        str(place + 1),
        str(entry.number),
        cost(entry.dev_cost) if known else "",
        f"{entry.dev_accuracy:.1%}" if known else "",
        *(value_text(knob, entry.values[knob]) for knob in knobs),
        status_words(entry),
    )


# -- what mattered -------------------------------------------------------------------------------------------


def textbook(knob: str) -> str:
    """1st, 2nd, 3rd or last: when the textbook would try it."""
    return next((word for word, group in zip(_ORDINALS, TEXTBOOK, strict=True) if knob in group), "")


def mattered(view: RaceView, width: int, *, unicode: bool = True) -> list[Content]:
    """A bar a knob, the most important first, beside the textbook's order."""
    if not view.importance:
        return [Content.styled(words, MUTED) for words in (f" known after {LEAST_TRIALS} trials:", *_MEANING)]
    most = max(view.importance.values())
    names = max(len(knob_name(knob)) for knob in view.importance)
    room = max(3, min(_BAR, width - names - 22))
    lines = []
    for knob, share in view.importance.items():
        length = max(1, round(room * share / most))
        bar = ("█" if unicode else "#") * length
        lines.append(
            Content.assemble(
                (f" {knob_name(knob):<{names}} ", ""),
                (f"{bar:<{room}}", "$secondary"),
                (f" {share:>4.0%}", ""),
                (f"  textbook {textbook(knob)}", MUTED),
            )
        )
    return [*lines, Content(""), *(Content.styled(words, MUTED) for words in _MEANING)]


def foot(view: RaceView, width: int) -> Content:
    """The keys that can be used now, as many as fit."""
    keys = [("enter", "adopt")]
    if view.clock.live:
        keys += [("space", "go on" if view.clock.held else "pause")] if view.standing else []
        keys += [("del", "stop trial")] if view.standing else []
        keys += [("ctrl+k", "stop round")] if view.standing else []
    keys += [("ctrl+r", "next round"), ("e", "edit box"), ("tab", "axes"), ("esc", "back"), ("?", "help")]
    last = keys[-2:]
    used = 1 + sum(len(key) + len(word) + 3 for key, word in last)
    parts: list[tuple[str, str]] = [(" ", "")]
    for key, word in keys:
        size = len(key) + len(word) + 3
        if (key, word) not in last:
            if used + size > width:
                continue
            used += size
        parts += [(key, "bold $accent"), (f" {word}  ", "")]
    return Content.assemble(*parts)
