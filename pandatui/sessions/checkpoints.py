"""Checkpoints, `NAME.checkpoints/STEP.npz`: states of a run on disk, so that going on need not train again.

They are the states that the run's timeline keeps, and its end; each is written once, whole, never a pickle.
Costs are in the session's file; a checkpoint has those alone that a long session's file thins out.
"""

import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pandatui.plain import one_line
from pandatui.sessions.store import write_whole
from pandatui.training import Run
from pandatui.training.batches import BatchesState
from pandatui.training.events import Event
from pandatui.training.history import CHAIN_BLOCK, Floats, History, HistoryState, chained
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
_RANK = {"stride": 0, "asked": 1, "best": 2, "end": 2}  # what goes first where there is no room for all
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
    """A state with what ties it to its record: the nudges behind it, the chain of its costs, its rates.

    `why` it is kept: "stride", "asked", "best" or "end".
    """

    state: RunState
    applied: tuple[int, ...]
    chain: str
    rates: np.ndarray
    why: str

    @property
    def size(self) -> int:
        """Bytes in a file, about."""
        arrays = (*(getattr(self.state, name) for name in _ARRAYS), self.rates)
        return int(sum(array.nbytes for array in arrays)) + self.costs + 8192

    @property
    def costs(self) -> int:
        """Bytes of costs and dev points that it has with it."""
        return sum(a.nbytes for a in (self.state.history.train_tail, *self.state.history.dev_tails))


def folder_of(path: Path) -> Path:
    """Where the checkpoints of the session file at `path` are."""
    return path.with_suffix(".checkpoints")


def applied_by(events: Sequence[Event], last_event: int) -> tuple[int, ...]:
    """The ids of the standing events, up to `last_event`, that change a run."""
    return tuple(e.id for e in events[:last_event] if e.undone_by is None and e.kind in ("nudge", "extend"))


def chain_at(history: History, steps: int, tail: Floats) -> str:
    """`costs_sha256` as it was after so many steps, of which these are the last costs.

    Where they are too few, all must be among those that the history has in full.
    """
    start = history.link_before(steps)
    behind = start - (steps - len(tail))
    rest = tail[behind:] if behind >= 0 else history.train.part(start, steps)
    return chained(history.links[start // CHAIN_BLOCK], rest).hex()


def kept_by(run: Run) -> dict[int, Checkpoint]:
    """The states within reach and the present one, by step; of two at one step the one without the nudge."""
    found: dict[int, RunState] = {}
    why: dict[int, str] = {}
    ended = {"end": run.state()} if run.status != "diverged" else {}
    for reason, state in (*((k.why, k.state) for k in run.timeline.kept), *ended.items()):
        if 0 < state.steps < run.steps or (state.steps == run.steps and ended):
            other = found.get(state.steps, state)
            found[state.steps] = min(other, state, key=lambda each: each.last_event)
            why[state.steps] = max(why.get(state.steps, reason), reason, key=_RANK.__getitem__)
    rates = np.stack(run.rates.arrays(), axis=1)
    kept = {
        steps: Checkpoint(
            state,
            applied_by(run.events, state.last_event),
            chain_at(run.history, steps, state.history.train_tail),
            rates[rates[:, 0] <= steps],
            why[steps],
        )
        for steps, state in found.items()
    }
    return _with_first_costs(run.history, kept)


def _with_first_costs(history: History, kept: dict[int, Checkpoint]) -> dict[int, Checkpoint]:
    """Those of a long run, of which the file has the first only: the last that needs the others has them.

    So has all before it, as it is of one path with it.
    """
    steps = [n for n in kept if history.END_TRAIN < n <= history.FULL_TRAIN < history.steps]
    if steps:
        costs = history.train.first[history.END_TRAIN : max(steps)].copy()
        kept[max(steps)] = _with_tails(kept[max(steps)], train_tail=costs)
    epochs = {n: each.state.epoch for n, each in kept.items()}
    steps = [n for n in kept if history.END_DEV < epochs[n] <= history.FULL_DEV < history.epochs]
    if steps:
        part = slice(history.END_DEV, epochs[max(steps)])
        tails = tuple(series.first[part].copy() for series in history.dev_series())
        kept[max(steps)] = _with_tails(kept[max(steps)], dev_tails=tails)
    return kept


def _with_tails(checkpoint: Checkpoint, **tails: Any) -> Checkpoint:
    state = checkpoint.state
    return replace(checkpoint, state=replace(state, history=replace(state.history, **tails)))


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
        "why": checkpoint.why,
    }
    arrays = {name: getattr(state, name) for name in _ARRAYS} | {"rates": checkpoint.rates}
    arrays |= {
        "train_tail": state.history.train_tail[:, None],
        "dev_tails": np.stack(state.history.dev_tails, axis=1),
    }
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
            rates, train_tail, dev_tails = (
                _array(archive, name, np.empty((0, width)), rows=True)
                for name, width in (("rates", 2), ("train_tail", 1), ("dev_tails", 3))
            )
        plain = {name: _like(meta[name], getattr(own, name), name) for name in _PLAIN}
        if any(_like(meta["knobs"][name], value, name) < 0 for name, value in own.knobs.items()):
            raise CheckpointError("knobs: expected numbers from 0")
        best = meta["best"]
        history = HistoryState(
            steps=plain["steps"],
            train_tail=train_tail[:, 0],
            epochs=_like(meta["epochs"], 0, "epochs"),
            dev_tails=tuple(dev_tails.T.copy()),
            best=None if best is None else (int(best[0]), float(best[1]), float(best[2])),
        )
        batches = BatchesState(_like(meta["stream"], {}, "stream"), _like(meta["place"], 0, "place"))
        state = RunState(**plain, **arrays, batches=batches, history=history)
        if meta["why"] not in _RANK:
            raise CheckpointError(f"why: expected one of {', '.join(_RANK)}")
        return Checkpoint(state, tuple(meta["applied"]), str(meta["chain"]), rates, meta["why"])
    except CheckpointError:
        raise
    except _UNREADABLE as error:
        raise CheckpointError(f"not a checkpoint: {type(error).__name__}: {one_line(error, 200)}") from None


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
    """The checkpoints of one session as the recorder keeps them: what the run keeps, and nothing else.

    Where there is no room for all, the stride's go first, then those asked for, the oldest first; the end and
    the best dev cost always stay.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[int, tuple[np.ndarray, int]] = {}

    def keep(self, wanted: dict[int, Checkpoint], *, at_most: int = MOST_AT_ONCE) -> None:
        """Write what is new, up to so many bytes; drop what is no longer wanted, or has no room.

        Raises OSError.
        """
        self._folder.mkdir(exist_ok=True)
        fit = _fitting(wanted, MOST_BYTES)
        for path in self._folder.iterdir():
            stale = path.suffix == ".npz" and path.stem.isdecimal() and int(path.stem) not in fit
            if stale or (path.suffix == ".tmp" and path.name.startswith(".")):
                path.unlink(missing_ok=True)
        content = {n: (each.state.parameters, each.costs) for n, each in fit.items()}
        self._written = {n: written for n, written in self._written.items() if n in fit}
        new = {n: each for n, each in fit.items() if not _same(self._written.get(n), content[n])}
        for steps, checkpoint in _fitting(new, at_most).items():
            write_whole(self._folder / f"{steps}.npz", encode(checkpoint))
            self._written[steps] = content[steps]


def _same(one: tuple[np.ndarray, int] | None, other: tuple[np.ndarray, int]) -> bool:
    return one is not None and one[0] is other[0] and one[1] == other[1]


def _fitting(wanted: dict[int, Checkpoint], room: int) -> dict[int, Checkpoint]:
    """Those that have room, what matters most and the last steps first; the end and the best have it."""
    fit = {}
    for steps in sorted(wanted, key=lambda n: (_RANK[wanted[n].why], n), reverse=True):
        room -= wanted[steps].size
        if room < 0 and _RANK[wanted[steps].why] < _RANK["best"]:
            break
        fit[steps] = wanted[steps]
    return fit
