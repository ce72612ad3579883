"""Checkpoints, `NAME.checkpoints/STEP.npz`: states of a run on disk, so that going on need not train again.

They are the states that the run's timeline keeps, and its end; each is written once, whole, never a pickle.
It serves only if of the path that stands: arrays as the network has them, nudges and costs as on record.
Any other is passed over, and what it would have saved is trained again.
"""

import hashlib
import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pandatui.sessions.schema import Session, from_number
from pandatui.sessions.store import write_whole
from pandatui.training import Run
from pandatui.training.batches import BatchesState
from pandatui.training.events import Event
from pandatui.training.history import CHAIN_BLOCK, History, HistoryState
from pandatui.training.state import RunState

MOST_BYTES = 256 * 2**20
MOST_AT_ONCE = 32 * 2**20
WORTH_IT = 2.0  # seconds of training that are soon done again
_PLAIN = (
    "steps",
    "last_event",
    "epoch",
    "target_epochs",
    "knobs",
    "base_rate",
    "spent",
    "running_product",
    "first_product",
    "second_product",
    "below_guessing",
    "worse_since",
)
_ARRAYS = ("parameters", "running", "first", "second")
_UNREADABLE = (
    *(zipfile.BadZipFile, ValueError, TypeError, KeyError, IndexError, EOFError, OSError, OverflowError),
    *(RuntimeError, SyntaxError, MemoryError, struct.error, zlib.error, tokenize.TokenError),
)
_META = "meta.json"
_MOST_META = 1_000_000  # bytes


class CheckpointError(ValueError):
    """A checkpoint that can't serve: damaged, or of another path."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A state with what ties it to its record: the nudges behind it, the chain of its costs, its rates."""

    state: RunState
    applied: tuple[int, ...]
    chain: str
    rates: np.ndarray


def folder_of(path: Path) -> Path:
    """Where the checkpoints of the session file at `path` are."""
    return path.with_suffix(".checkpoints")


def applied_by(events: Sequence[Event], last_event: int) -> tuple[int, ...]:
    """The ids of the standing events, up to `last_event`, that change a run."""
    return tuple(e.id for e in events[:last_event] if e.undone_by is None and e.kind in ("nudge", "extend"))


def chain_at(history: History, steps: int) -> str:
    """`costs_sha256` as it was after so many steps; these costs must be among those kept in full."""
    whole = steps // CHAIN_BLOCK
    rest = history.train.part(whole * CHAIN_BLOCK, steps)
    if not len(rest):
        return history.links[whole].hex()
    return hashlib.sha256(history.links[whole] + rest.astype("<f8").tobytes()).hexdigest()


def kept_by(run: Run) -> dict[int, Checkpoint]:
    """The states within reach and the present one, by step; of two at one step the one without the nudge."""
    found: dict[int, RunState] = {}
    for state in (*run.timeline.states(), run.state()):
        ended = state.steps == run.steps and run.status == "diverged"
        if 0 < state.steps <= run.history.FULL_TRAIN and not ended:
            found.setdefault(state.steps, state)
    rates = np.stack(run.rates.arrays(), axis=1)
    return {
        steps: Checkpoint(
            state,
            applied_by(run.events, state.last_event),
            chain_at(run.history, steps),
            rates[rates[:, 0] <= steps],
        )
        for steps, state in found.items()
    }


# -- files ---------------------------------------------------------------------------------------------------


def encode(checkpoint: Checkpoint) -> bytes:
    """The bytes of one NPZ: arrays as they stand, and the rest as JSON."""
    state = checkpoint.state
    meta = {name: getattr(state, name) for name in _PLAIN} | {
        "stream": dict(state.batches.stream),
        "place": state.batches.place,
        "epochs": state.history.epochs,
        "best": state.history.best,
        "applied": checkpoint.applied,
        "chain": checkpoint.chain,
    }
    arrays = {name: getattr(state, name) for name in _ARRAYS} | {"rates": checkpoint.rates}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_META), json.dumps(meta))  # no clock in the bytes
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return target.getvalue()


def decode(raw: bytes, run: Run) -> Checkpoint:
    """A checkpoint for this run; sizes, types and shapes are checked before anything is read.

    Raises CheckpointError.
    """
    own = run.state()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            meta = json.loads(_member(archive, _META, _MOST_META))
            arrays: dict[str, Any] = {name: _array(archive, name, getattr(own, name)) for name in _ARRAYS}
            rates = _array(archive, "rates", np.empty((0, 2)), rows=True)
        plain = {name: _like(meta[name], getattr(own, name), name) for name in _PLAIN}
        if any(_like(meta["knobs"][name], value, name) < 0 for name, value in own.knobs.items()):
            raise CheckpointError("knobs: expected numbers from 0")
        best = meta["best"]
        history = HistoryState(
            steps=plain["steps"],
            train_tail=np.empty(0),
            epochs=_like(meta["epochs"], 0, "epochs"),
            dev_tails=(np.empty(0),) * 3,
            best=None if best is None else (int(best[0]), float(best[1]), float(best[2])),
        )
        batches = BatchesState(_like(meta["stream"], {}, "stream"), _like(meta["place"], 0, "place"))
        state = RunState(**plain, **arrays, batches=batches, history=history)
        return Checkpoint(state, tuple(meta["applied"]), str(meta["chain"]), rates)
    except CheckpointError:
        raise
    except _UNREADABLE as error:
        raise CheckpointError(f"not a checkpoint: {type(error).__name__}: {error}") from None


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member's bytes, of which the archive's CRC-32 has been compared."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > most:
        raise CheckpointError(f"{name}: expected at most {most:,} bytes, not compressed")
    return archive.read(info)


def _array(archive: zipfile.ZipFile, name: str, own: np.ndarray, *, rows: bool = False) -> np.ndarray:
    """An array like `own`; with `rows`, of any number of them."""
    most = 2**22 if rows else own.nbytes
    member = io.BytesIO(_member(archive, f"{name}.npy", most + 4096))
    if np.lib.format.read_magic(member) != (1, 0):
        raise CheckpointError(f"{name}: expected NPY version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype != own.dtype or fortran or (shape[1:] != own.shape[1:] if rows else shape != own.shape):
        raise CheckpointError(f"{name}: expected {own.dtype} {own.shape}, found {dtype} {shape}")
    return np.frombuffer(member.read(), dtype).reshape(shape).copy()


def _like(value: Any, own: Any, name: str) -> Any:
    """The value if its kind is that of a run's own."""
    kinds: tuple[type, ...] = (type(own),)
    if name == "worse_since":
        kinds = (int, type(None))
    if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(own, bool):
        raise CheckpointError(f"{name}: not as expected")
    return value


class Checkpoints:
    """The checkpoints of one session as the recorder keeps them: what the run keeps, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[int, RunState] = {}

    def keep(self, wanted: dict[int, Checkpoint], *, at_most: int = MOST_AT_ONCE) -> None:
        """Write what is new, up to so many bytes and the last step first; drop what is no longer wanted.

        Raises OSError.
        """
        self._folder.mkdir(exist_ok=True)
        sizes = {n: sum(getattr(c.state, a).nbytes for a in _ARRAYS) + 8192 for n, c in wanted.items()}
        fit = self._newest(sizes, MOST_BYTES)
        for path in self._folder.iterdir():
            stale = path.suffix == ".npz" and path.stem.isdecimal() and int(path.stem) not in fit
            if stale or (path.suffix == ".tmp" and path.name.startswith(".")):
                path.unlink(missing_ok=True)
        self._written = {n: state for n, state in self._written.items() if n in fit}
        new = {n: sizes[n] for n in fit if self._written.get(n) is not wanted[n].state}
        for steps in self._newest(new, max(at_most, *new.values()) if new else 0):
            write_whole(self._folder / f"{steps}.npz", encode(wanted[steps]))
            self._written[steps] = wanted[steps].state

    @staticmethod
    def _newest(sizes: dict[int, int], room: int) -> list[int]:
        """The last steps that have room."""
        fit = []
        for steps in sorted(sizes, reverse=True):
            room -= sizes[steps]
            if room < 0:
                break
            fit.append(steps)
        return fit


# -- going on from one ---------------------------------------------------------------------------------------


def seek(session: Session, run: Run, events: Sequence[Event], folder: Path) -> bool:
    """Take a fresh run, which has adopted the record, to its last checkpoint that serves; False if none does.

    Costs and dev points are the record's. The earlier states come within reach again.
    """
    curves = session.curves
    if curves.train.blocks is not None or curves.dev_cost.blocks is not None:
        return False
    costs = np.array([from_number(cost) for cost in curves.train.first])
    if len(costs) != session.steps:
        return False
    columns = [
        [from_number(v) for v in c.first] for c in (curves.dev_step, curves.dev_cost, curves.dev_accuracy)
    ]
    dev = np.array(columns).T.reshape(-1, 3)
    history = History()
    history.extend(costs, dev)
    good = [found for found in _all_of(folder, run) if _serves(found, history, events)]
    if not good:
        return False
    last = good[-1]
    run.history.extend(costs[: last.state.steps], dev[dev[:, 0] <= last.state.steps])
    for step, rate in last.rates:
        run.rates.set(int(step), float(rate))
    run.restore(last.state)
    run.timeline.reach([found.state for found in good])
    return True


def _serves(found: Checkpoint, history: History, events: Sequence[Event]) -> bool:
    """Whether it is a state of the path that stands."""
    state = found.state
    if not (0 < state.steps <= history.steps and 0 <= state.last_event <= len(events)):
        return False
    standing = [e for e in events if e.undone_by is None and e.kind in ("nudge", "extend")]
    return (
        found.applied == tuple(e.id for e in standing if e.id <= state.last_event)
        and all(e.step <= state.steps + 1 for e in standing if e.id <= state.last_event)
        and all(e.step > state.steps for e in standing if e.id > state.last_event)
        and state.history.epochs == int((history.dev_step.part(0, history.epochs) <= state.steps).sum())
        and state.epoch == state.history.epochs
        and found.chain == chain_at(history, state.steps)
    )


def _all_of(folder: Path, run: Run) -> list[Checkpoint]:
    """The readable ones, by step."""
    found = []
    for path in folder.glob("*.npz"):
        if path.stem.isdecimal() and path.is_file() and path.stat().st_size <= MOST_BYTES:
            try:
                checkpoint = decode(path.read_bytes(), run)
            except (CheckpointError, OSError):
                continue
            if checkpoint.state.steps == int(path.stem):
                found.append(checkpoint)
    return sorted(found, key=lambda each: each.state.steps)
