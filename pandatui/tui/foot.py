"""The foot of the screen: the keys that can be used now."""

from collections.abc import Sequence

from textual.content import Content

from pandatui.training.snapshot import Snapshot
from pandatui.training.words import plural

_MOST = 8  # keys


def distance(steps: int, steps_per_epoch: int) -> str:
    """2 epochs, or 12 steps where that is less than one."""
    epochs = steps / max(1, steps_per_epoch)
    return plural(round(epochs), "epoch") if epochs >= 1 else plural(steps, "step")


def undo_keys(s: Snapshot, width: int) -> list[tuple[str, str]]:
    """What `u` and `U` would do now: back to before 2 (−2 epochs); in few words where room is scarce."""
    far = f" (−{distance(s.undo_steps, s.steps_per_epoch)})" if s.undo_steps else ""
    back = f"back to before {s.undo_number}{far}"
    keys = [("u", back if width >= 100 else "undo")]
    return (keys if s.undo_number else []) + ([("U", "redo")] if s.can_redo else [])


def foot(s: Snapshot, width: int, more: int, *, at_cursor: bool = False) -> Content:
    """The keys that can be used now, eight at the most, as many as fit."""
    if s.speed is not None:
        keys = [*_playing_keys(s), ("<>", "speed")]
        keys += [("f", "train on from here" if width >= 100 else "train on"), ("esc", "close")]
        keys += [("shift+←→", "nudge to nudge")]
    elif at_cursor and s.status != "failed":
        keys = [("←→", "move"), ("enter", "go back there"), ("f", "branch there"), ("esc", "to now")]
        keys += [("shift+←→", "nudge to nudge"), ("y", "copy")]
    elif s.status == "failed":
        keys = [("←→", "read the curve")]
    elif s.status == "diverged":
        keys = [("h", "rescue"), *undo_keys(s, width), ("←→", "read the curve"), ("ctrl+n", "new run")]
    elif s.status == "finished":
        keys = [
            ("space", f"{more:,} more epochs"),
            *undo_keys(s, width),
            ("f", "branch"),
            *([("g", "ghost")] if s.undo_number else []),
            ("←→", "read the curve"),
            ("ctrl+n", "new run"),
        ]
    else:
        keys = [("space", "go on" if s.paused else "pause")]
        keys += [(".", "one step")] if s.paused else []
        wide = [("a/A", "rate"), ("b/B", "momentum"), ("d/D", "decay")]
        keys += wide if width >= 120 else [("a/A b/B d/D", "turn")]  # the panel or the line above names them
        keys += undo_keys(s, width)
        keys += [("g", "ghost")] if s.undo_number else []
        keys += [] if s.paused or s.undo_number or s.can_redo else [("<>", "pace")]
        keys += [("c", "queue batch")] if width >= 100 else []
    keys += [("?", "help"), ("q", "quit")]
    return keys_line(keys, width)


def _playing_keys(s: Snapshot) -> list[tuple[str, str]]:
    """Those of a recording."""
    return [("space", "again" if s.at_end else "play" if s.paused else "pause"), ("←→", "move")]


def inside_foot(s: Snapshot, own: Sequence[tuple[str, str]], width: int) -> Content:
    """The keys in a view into the network, with those of its own."""
    keys = [("1", "the curve"), ("2 3 4 5", "views"), *own]
    if s.speed is not None:
        keys += _playing_keys(s)
    elif s.status == "running":
        keys += [("space", "go on" if s.paused else "pause"), ("a/A b/B d/D", "turn"), *undo_keys(s, 0)[:1]]
    elif s.status in ("finished", "diverged"):
        keys += [("space", "more epochs")] if s.status == "finished" else [("h", "rescue")]
        keys += undo_keys(s, 0)[:1]
    keys += [("?", "help"), ("q", "quit")]
    return keys_line(keys, width)


def keys_line(keys: Sequence[tuple[str, str]], width: int) -> Content:
    """Keys with their words, as many as fit and eight at the most; the last two always."""
    last = list(keys[-2:])
    room = width - 1 - sum(map(_size, last))
    chosen: list[tuple[str, str]] = []
    for pair in keys[:-2]:
        if len(chosen) + len(last) < _MOST and _size(pair) <= room:
            chosen.append(pair)
            room -= _size(pair)
    parts = [part for key, word in chosen + last for part in ((key, "bold $accent"), (f" {word}  ", ""))]
    return Content.assemble(" ", *parts)


def _size(pair: tuple[str, str]) -> int:
    return len(pair[0]) + len(pair[1]) + 3
