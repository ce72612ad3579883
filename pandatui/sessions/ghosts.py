"""The ghost: a session trained again without some of its nudges, or up to a step, and what those were worth.

A ghost is a session of its own: its events are those that still stand, without the gestures it does not have,
numbered from 1, so that it trains again by itself and needs its parent for nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pandatui.data import Dataset
from pandatui.nn.schedules import base_for, rate_in_use
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.replay import Progress, events_of, last_by, rerun
from pandatui.sessions.schema import EventRecord, Parent, Session, Values, encode, from_number
from pandatui.sessions.store import Store
from pandatui.training import Run
from pandatui.training.events import JUMPS, Event, Gesture, gestures
from pandatui.training.knobs import LIVE, clean


def train_ghost(
    session: Session,
    dataset: Dataset,
    *,
    without: Collection[int] = (),
    until: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """As `rerun`; and as far as its own epochs go, should another batch size end them sooner or later."""
    run = rerun(session, dataset, without=without, until=until, progress=progress)
    if run.epoch >= run.target_epochs:
        end = run.history.dev_step.part(run.target_epochs - 1, run.target_epochs)
        if len(end) and int(end[0]) < run.steps:
            run.timeline.seek(run, int(end[0]), last_by(run.events, int(end[0])))
            run.last_event = len(run.events)
    elif until is None and session.status == "finished":
        while run.ready:
            run.step()
    return run


def ghost_session(
    session: Session, ghost: Run, identity: Identity, *, without: Collection[int] = ()
) -> Session:
    """The ghost as a session: a branch of the one it comes from."""
    branch = record(ghost, identity, 0.0, ghost.evaluate())
    events = own_events(session, ghost, without)
    branch.events = [EventRecord(**asdict(event)) for event in events]
    share = min(1.0, ghost.steps / session.steps) if session.steps else 1.0
    branch.seconds = max([round(session.seconds * share, 3), *(event.seconds for event in events)])
    if branch.status == "running":
        branch.status = "stopped"
    gone = [e for e in ghost.events if e.kind == "nudge" and e.nudge in without]
    planned = {(e.step, e.knob) for e in gone if e.by == "plan"}
    branch.config["plan"] = [
        each for each in branch.config["plan"] if (each["step"], each["knob"]) not in planned
    ]
    fork = min((e.step - 1 for e in gone), default=ghost.steps)
    branch.parent = Parent(id=session.id, name=session.name, step=min(fork, ghost.steps))
    return branch


def keep_ghost(
    store: Store, session: Session, ghost: Run, name: str, *, without: Collection[int] = ()
) -> tuple[Path, Session]:
    """Write the ghost as a session of its own; where, and what. Raises OSError, FileExistsError."""
    branch = ghost_session(session, ghost, Identity.new(name), without=without)
    store.prepare()
    store.write(name, encode(branch), new=True)
    return store.path(name), branch


def ghost_name(store: Store, of: str, numbers: Collection[int], until: int | None = None) -> str:
    """brave-otter-without-2, brave-otter-until-400, with a number behind where that is taken."""
    what = "-without-" + "-".join(map(str, sorted(numbers)))[:16].rstrip("-") if numbers else ""
    what += f"-until-{until}" if until is not None else ""
    start = re.sub(r"[^A-Za-z0-9._-]", "", of).lstrip("._-")[:24] or "session"
    name, again = start + what, 1
    while store.path(name).exists():
        again += 1
        name = f"{start}{what}-{again}"
    return name


def own_events(session: Session, ghost: Run, without: Collection[int] = ()) -> list[Event]:
    """The events that stand, without some gestures: numbered anew, each nudge from the value it now finds."""
    cut = ghost.steps < session.steps
    until = ghost.steps if cut else ghost.steps + 1
    numbers: dict[int, int] = {}
    knobs = _Knobs(ghost)
    own: list[Event] = []
    for event in ghost.events:
        undone = event.undone_by is not None or event.nudge in without
        if undone or event.kind in (*JUMPS, "diverged") or event.step > until:
            continue
        if event.knob is not None and event.nudge is not None and event.after is not None:
            number = numbers.setdefault(event.nudge, len(numbers) + 1)
            before = event.before  # with all nudges it finds what it found then
            if without:
                before = clean(knobs.turn(event.step, event.knob, event.after))
            event = replace(event, before=before, nudge=number)
        own.append(replace(event, id=len(own) + 1, undone_by=None))
    if ghost.status == "diverged":
        end = next(e for e in reversed(ghost.events) if e.kind == "diverged" and e.undone_by is None)
        seconds = max((e.seconds for e in own), default=0.0)
        own.append(replace(end, id=len(own) + 1, seconds=max(seconds, end.seconds)))
    return own


class _Knobs:
    """The knobs of a run as its nudges find them one after the other."""

    def __init__(self, run: Run) -> None:
        config, history = run.config, run.history
        self._values = {name: float(getattr(config, name)) for name in LIVE}
        self._base_rate = self._values["learning_rate"]
        self._ends = history.dev_step.part(0, history.epochs)
        self._unseen = history.epochs - len(self._ends)

    def turn(self, step: int, knob: str, after: float) -> float:
        """Turn one at a step; returns what it was before. Decay moves the rate at the ends of epochs."""
        values = self._values
        epoch = self._unseen + int(np.searchsorted(self._ends, step - 1, side="right"))
        values["learning_rate"] = rate_in_use(self._base_rate, values["decay"], epoch)
        before, values[knob] = values[knob], after
        self._base_rate = base_for(values["learning_rate"], values["decay"], epoch)
        return before


# -- what nudges were worth ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Worth:
    """Dev cost with and without some gestures, at the last epoch's end that both have."""

    gestures: tuple[Gesture, ...]
    epoch: int
    with_them: float
    without_them: float

    @property
    def lowered(self) -> float:
        return self.without_them - self.with_them


def worth(session: Session, ghost: Run, numbers: Collection[int]) -> Worth:
    """What the nudges were worth, from the record and its ghost; NaN where no epoch's end is in both."""
    epoch = min(session.epochs, ghost.epoch)
    found = ghost.history.dev_cost.part(max(0, epoch - 1), epoch)
    taken = tuple(g for g in gestures(events_of(session)) if g.number in numbers)
    return Worth(
        taken,
        epoch,
        with_them=_dev_at(session.curves.dev_cost, session.epochs, epoch),
        without_them=float(found[0]) if len(found) else float("nan"),
    )


def _dev_at(dev: Values, epochs: int, epoch: int) -> float:
    """Dev cost at an epoch's end, where the record has it in full."""
    if 1 <= epoch <= len(dev.first):
        return from_number(dev.first[epoch - 1])
    if dev.last and 0 <= epochs - epoch < len(dev.last):
        return from_number(dev.last[epoch - epochs - 1])
    return float("nan")


def check_gestures(session: Session, wanted: Sequence[str]) -> set[int]:
    """`--without N...|all` as gesture numbers. Raises ValueError for one that is not there, or is undone."""
    live = {g.number for g in gestures(events_of(session)) if not g.undone}
    if "all" in wanted:
        return live
    numbers = set()
    for text in wanted:
        if not (text.isdecimal() and len(text) < 16) or int(text) not in live:
            known = ", ".join(map(str, sorted(live))) or "none"
            raise ValueError(f"nudge {text!r}: expected one that stands ({known}), or all")
        numbers.add(int(text))
    return numbers
