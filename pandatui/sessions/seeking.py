"""Starting from a checkpoint: a fresh run is taken to the last one that serves, its curves to the record's.

It serves only if of the path that stands: arrays as the network has them, nudges and costs as on record. Any
other is passed over, and what it would have saved is trained again.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pandatui.sessions.checkpoints import MOST_BYTES, Checkpoint, CheckpointError, chain_at, decode
from pandatui.sessions.schema import Blocks, Number, Session, Values, from_number
from pandatui.training import Run
from pandatui.training.distributions import BINS, Distributions
from pandatui.training.events import Event
from pandatui.training.history import CHAIN_BLOCK, Floats, History, Series, chained
from pandatui.training.timeline import Kept

_MOST_RECALLED = 2**29  # values: what blocks are filled in takes memory as in the run itself


def seek(session: Session, run: Run, events: Sequence[Event], folder: Path, until: int | None = None) -> bool:
    """Take a fresh run to the last checkpoint of the record, by step `until`; False if none serves.

    Costs and dev points are the record's. The earlier states come within reach again.
    """
    limit = session.steps + 1 if until is None else until  # the last step whose nudges it may have
    found = [each for each in _all_of(folder, run) if of_the_path(each, events, session.steps)]
    history = recalled(session, found) if found else None
    if history is None:
        return False
    good = [each for each in found if _by(each, events, limit) and _fits(each, history)]
    if not good:
        return False
    last = good[-1]
    run.history = history
    run.distributions = distributions_of(session, len(run.config.hidden))
    for step, rate in last.rates:
        run.rates.set(int(step), float(rate))
    run.restore(last.state)
    run.timeline.reach([Kept(each.state, "asked" if each.why == "end" else each.why) for each in good])
    return True


def _all_of(folder: Path, run: Run) -> list[Checkpoint]:
    """The readable ones, by step."""
    found = (checkpoint_at(folder, steps, run) for steps in steps_in(folder))
    return [each for each in found if each is not None]


def steps_in(folder: Path) -> list[int]:
    """The steps that there are checkpoints of, whether they can be read or not."""
    return sorted(int(path.stem) for path in folder.glob("*.npz") if path.stem.isdecimal())


def checkpoint_at(folder: Path, steps: int, run: Run) -> Checkpoint | None:
    """The one of this step, for this run; None where it can't be read."""
    path = folder / f"{steps}.npz"
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        found = decode(path.read_bytes(), run)
    except (CheckpointError, OSError):
        return None
    return found if found.state.steps == steps else None


# -- which serve ---------------------------------------------------------------------------------------------


def _standing(events: Sequence[Event]) -> list[Event]:
    return [e for e in events if e.undone_by is None and e.kind in ("nudge", "extend")]


def of_the_path(found: Checkpoint, events: Sequence[Event], steps: int) -> bool:
    """Whether the nudges behind it are those that stand, and no other."""
    state, standing = found.state, _standing(events)
    behind = [e for e in standing if e.id <= state.last_event]
    return (
        0 < state.steps <= steps
        and 0 <= state.last_event <= len(events)
        and found.applied == tuple(e.id for e in behind)
        and all(e.step <= state.steps + 1 for e in behind)
        and all(e.step > state.steps for e in standing if e.id > state.last_event)
    )


def _by(found: Checkpoint, events: Sequence[Event], limit: int) -> bool:
    """Whether neither it nor the nudges behind it are beyond a step."""
    behind = [e.step for e in _standing(events) if e.id <= found.state.last_event]
    return max(found.state.steps, *behind, 0) <= limit


def _fits(found: Checkpoint, history: History) -> bool:
    """Whether its costs are those on record, and all that a file of it would have is there."""
    state = found.state
    start = history.link_before(state.steps)
    return (
        history.reaches(state.history)
        and state.epoch == state.history.epochs <= history.epochs
        and history.links[start // CHAIN_BLOCK] != b""
        and found.chain == chain_at(history, state.steps, state.history.train_tail)
        and _epochs_fit(found, history)
    )


def _epochs_fit(found: Checkpoint, history: History) -> bool:
    state, (ends, *_) = found.state, found.state.history.dev_tails
    if state.epoch > history.dev_step.known:
        return bool(ends[-1] <= state.steps)
    known = min(history.epochs, history.dev_step.known)
    return bool((history.dev_step.first[:known] <= state.steps).sum() == state.epoch)


# -- the curves of a record ----------------------------------------------------------------------------------


def recalled(session: Session, found: Sequence[Checkpoint] = ()) -> History | None:
    """The history that a record has; of a long one `restore` must follow. None where it has gaps.

    Of a long session's first costs the file has a part; the rest may be in one of its checkpoints.
    """
    curves, history = session.curves, History()
    dev = (curves.dev_step, curves.dev_cost, curves.dev_accuracy)
    rows = np.stack([_array(values.first) for values in dev], axis=1)
    for values, end in ((curves.train, history.END_TRAIN), (curves.dev_step, history.END_DEV)):
        if values.blocks is not None and len(values.first) != end:
            return None
    try:
        if curves.train.blocks is None:
            history.extend(_array(curves.train.first), np.empty((0, 3)))
        else:
            _recall(history.train, session.steps, curves.train, _first_costs(curves.train, found))
            history.links = _links(session.steps, curves.train.blocks)
        if curves.dev_step.blocks is None:
            history.extend(np.empty(0), rows)
        else:
            for series, values, first in zip(
                history.dev_series(), dev, _first_rows(rows, found).T, strict=True
            ):
                _recall(series, session.epochs, values, first)
    except ValueError:
        return None
    whole = (history.steps, history.epochs) == (session.steps, session.epochs)
    return history if whole else None


def distributions_of(session: Session, layers: int) -> Distributions:
    """Those of the layers' inputs on record; older sessions have none."""
    found = session.curves.inputs
    if found is None:
        return Distributions(layers)
    return Distributions.of(found.epochs, np.array(found.counts, np.uint16).reshape(-1, layers, BINS))


def _array(values: Sequence[Number]) -> Floats:
    return np.array([from_number(v) for v in values], dtype=np.float64)


def _recall(series: Series, n: int, values: Values, first: Floats) -> None:
    """Raises ValueError for what no file of ours has."""
    blocks = values.blocks
    if blocks is None or blocks.size < 1 or not len(first) < n <= _MOST_RECALLED:
        raise ValueError("expected blocks of a long curve")
    rows = np.stack([_array(blocks.min), _array(blocks.mean), _array(blocks.max)], axis=1)
    series.recall(n, first, blocks.size, rows[: n // blocks.size])


def _links(steps: int, blocks: Blocks) -> list[bytes]:
    """The chain after each 1,024 steps; where it is not on record, nothing."""
    if blocks.size % CHAIN_BLOCK or len(blocks.h) != len(blocks.min):
        raise ValueError("expected the chain at multiples of its block")
    links = [bytes(32)] + [b""] * (steps // CHAIN_BLOCK)
    for i, link in enumerate(blocks.h[: steps // blocks.size], start=1):
        links[i * blocks.size // CHAIN_BLOCK] = bytes.fromhex(link)
    return links


def _first_costs(train: Values, found: Sequence[Checkpoint]) -> Floats:
    """The first costs: those on record, and what the last checkpoint that has the next ones has of them."""
    first = _array(train.first)
    for each in reversed(found):
        state, tail = each.state, each.state.history.train_tail
        if state.steps <= History.FULL_TRAIN and 0 < len(tail) == state.steps - len(first):
            costs = np.concatenate([first, tail])
            if chained(bytes(32), costs).hex() == each.chain:
                return costs
    return first


def _first_rows(rows: Floats, found: Sequence[Checkpoint]) -> Floats:
    """As many dev points (n, 3)."""
    for each in reversed(found):
        tails = np.stack(each.state.history.dev_tails, axis=1)
        if each.state.epoch <= History.FULL_DEV and 0 < len(tails) == each.state.epoch - len(rows):
            return np.concatenate([rows, tails])
    return rows
