"""The session file: its fields, its one way to JSON and back, and the hash that makes an edit visible.

Numbers that JSON does not know are the strings "NaN", "Infinity" and "-Infinity". `integrity` is the SHA-256
of the canonical JSON (sorted keys, no spaces) of all else.
"""

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pandatui.plain import one_line
from pandatui.training.config import MAX_EPOCHS, MAX_STEP, ConfigError, RunConfig, check_knob
from pandatui.training.distributions import BINS, MOST_COLUMNS
from pandatui.training.knobs import LIVE

FORMAT: Literal["pandatui-session"] = "pandatui-session"
VERSION: Literal[1] = 1
MAX_BYTES = 32 * 1024 * 1024
MOST = {b",": 2_000_000, b'"': 1_000_000, b"[": 300_000, b"{": 300_000}  # what bounds time and memory
_MOST_DIGITS = 1_000
_DIGITS = b"0123456789"
_SPACED = re.compile(rb'"\s+:')
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(\s*+:)?|[{}]', re.DOTALL)

Special = Literal["NaN", "Infinity", "-Infinity"]
Number = float | Special
Count = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(max_length=4096)]
Bins = Annotated[list[Annotated[int, Meta(ge=0, le=2**16 - 1)]], Meta(min_length=BINS, max_length=BINS)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class SessionError(ValueError):
    """A file that is no session, or a damaged one: one line that says where and what was expected."""


class EventRecord(Struct, forbid_unknown_fields=True, omit_defaults=True):
    id: Count
    step: Count
    kind: Text
    seconds: float
    knob: Text | None = None
    before: float | None = msgspec.field(default=None, name="from")
    after: float | None = msgspec.field(default=None, name="to")
    by: Text | None = None
    nudge: Count | None = None
    epochs: Count | None = None
    text: Text | None = None
    back_to: Count | None = None
    undone_by: Count | None = None


class Statistics(Struct, forbid_unknown_fields=True):
    kind: Literal["column", "overall", "none"]
    mean: list[float]
    scale: list[float]


class DataRecord(Struct, forbid_unknown_fields=True):
    name: Text
    source: Text
    sha256: Sha256
    train_rows: Count
    dev_rows: Count
    test_rows: Count
    features: Count
    image_shape: list[Count] | None
    classes: list[str]  # as long as the cells of the file that they are from
    statistics: Statistics


class Blocks(Struct, forbid_unknown_fields=True):
    """min, mean and max of each `size` values in turn; `h` is the hash chain after each, for train costs."""

    size: Count
    min: list[Number]
    mean: list[Number]
    max: list[Number]
    h: list[Sha256] = []


class Values(Struct, forbid_unknown_fields=True):
    """All values in `first` while they are few; else the first, the last, and blocks over the whole."""

    first: list[Number]
    last: list[Number] = []
    blocks: Blocks | None = None


class Stretch(Struct, forbid_unknown_fields=True):
    """A stretch that was left by the event with this id: its train costs for the eye, thinned."""

    event: Count
    step: list[float]
    cost: list[Number]


class Histograms(Struct, forbid_unknown_fields=True):
    """How the inputs of each hidden layer's activation are spread, after some of the epochs.

    `counts`: by epoch, by layer, in 32 bins that are even on the scale of asinh; those from ±32 on are open.
    """

    epochs: Annotated[list[Count], Meta(max_length=MOST_COLUMNS)]
    counts: Annotated[list[list[Bins]], Meta(max_length=MOST_COLUMNS)]


class Curves(Struct, forbid_unknown_fields=True):
    train: Values
    dev_step: Values
    dev_cost: Values
    dev_accuracy: Values
    abandoned: list[Stretch] = []
    inputs: Histograms | None = None


class Result(Struct, forbid_unknown_fields=True):
    train_cost: Number | None
    best_epoch: Count | None
    best_dev_cost: Number | None
    best_dev_accuracy: Number | None
    dev_cost: Number | None
    dev_accuracy: Number | None
    test_cost: Number | None
    test_accuracy: Number | None
    weights_sha256: Sha256
    costs_sha256: Sha256


class Parent(Struct, forbid_unknown_fields=True, omit_defaults=True):
    id: Text | None = None
    name: Text | None = None
    step: Count | None = None
    study: Text | None = None
    trial: Count | None = None


class Session(Struct, forbid_unknown_fields=True):
    format: Literal["pandatui-session"]
    version: Literal[1]
    id: Text
    name: Text
    created: Text
    status: Literal["running", "stopped", "finished", "diverged"]
    environment: dict[str, str | int]
    config: dict[str, Any]
    data: DataRecord
    steps: Count
    epochs: Count
    seconds: float
    events: list[EventRecord]
    curves: Curves
    result: Result
    queue: list[dict[str, Any]]
    parent: Parent | None
    integrity: str = ""


def to_number(value: float) -> Number:
    """A float as it stands in a file."""
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def from_number(value: Number | None) -> float:
    """Its inverse; None is NaN."""
    return float("nan") if value is None else float(value)


def to_numbers(values: Iterable[float]) -> list[Number]:
    """`to_number` of each; a whole array costs one look when all are finite."""
    plain = list(values)
    return list(plain) if all(map(math.isfinite, plain)) else [to_number(v) for v in plain]


def integrity_of(plain: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of all keys but `integrity`."""
    rest = {key: value for key, value in plain.items() if key != "integrity"}
    return hashlib.sha256(msgspec.json.encode(rest, order="sorted")).hexdigest()


def encode(session: Session) -> bytes:
    """The file's bytes: readable by a person, one event a line, curves compact."""
    plain = msgspec.to_builtins(session)
    plain["integrity"] = integrity_of(plain)
    parts = []
    for key, value in plain.items():
        if key == "events" and value:
            body = b"[\n    " + b",\n    ".join(map(msgspec.json.encode, value)) + b"\n  ]"
        elif key == "curves":
            curves = (b'"%s": %s' % (k.encode(), msgspec.json.encode(v)) for k, v in value.items())
            body = b"{\n    " + b",\n    ".join(curves) + b"\n  }"
        else:
            body = msgspec.json.format(msgspec.json.encode(value), indent=2).replace(b"\n", b"\n  ")
        parts.append(b'  "%s": %s' % (key.encode(), body))
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


def decode(raw: bytes) -> tuple[Session, bool]:
    """The session, checked throughout, and whether its integrity holds (False: it was edited).

    Raises SessionError.
    """
    with in_one_line("session"):
        plain = plain_of(raw, "session", VERSION)
        session = msgspec.convert(plain, Session)
        config = RunConfig.from_dict(session.config)
        _check_events(session)
        _check_data(session.data)
        _check_curves(session.curves)
        if session.curves.inputs is not None:
            _check_histograms(session.curves.inputs, len(config.hidden))
        return session, session.integrity == integrity_of(plain)


@contextlib.contextmanager
def in_one_line(noun: str) -> Iterator[None]:
    """Whatever is wrong with a file of ours, a `noun`, becomes a SessionError."""
    try:
        yield
    except SessionError:
        raise
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise SessionError(f"not a {noun} as expected: {one_line(error)}") from None


def plain_of(raw: bytes, noun: str, version: int, most: Mapping[bytes, int] = MOST) -> dict[str, Any]:
    """The JSON object of a file of ours, bounded before it is decoded. Raises SessionError, DecodeError."""
    _check_size(raw, noun, most)
    plain = msgspec.json.decode(raw)
    if not isinstance(plain, dict) or plain.get("format") != f"pandatui-{noun}":
        raise SessionError(f'not a pandatui {noun}: expected "format": "pandatui-{noun}"')
    if isinstance(found := plain.get("version"), int) and found > version:
        raise SessionError(f"version {found}: this pandatui reads up to version {version}; use a newer one")
    _check_keys(raw, plain)
    return plain


def _check_size(raw: bytes, noun: str, limits: Mapping[bytes, int]) -> None:
    """Before anything is made of it: how much there is of what takes memory, and no endless numbers."""
    if len(raw) > MAX_BYTES:
        raise SessionError(f"larger than {MAX_BYTES // 2**20} MiB, which no {noun} is")
    for sign, most in limits.items():
        if (found := raw.count(sign)) > most:
            raise SessionError(f"expected at most {most:,} of {sign.decode()!r}, found {found:,}")
    if _has_endless(raw) and _has_endless(_STRING.sub(b"", raw)):
        raise SessionError(f"expected numbers of less than {_MOST_DIGITS:,} digits")


def _has_endless(raw: bytes) -> bool:
    """Whether 1,000 digits follow each other; such a row covers a place that is a multiple of 1,000."""
    for place in range(0, len(raw), _MOST_DIGITS):
        if 48 <= raw[place] <= 57:
            before = raw[max(0, place - _MOST_DIGITS) : place]
            start = place - (len(before) - len(before.rstrip(_DIGITS)))
            part = raw[start : start + _MOST_DIGITS]
            if len(part) == _MOST_DIGITS and not part.strip(_DIGITS):
                return True
    return False


def _check_keys(raw: bytes, plain: dict[str, Any]) -> None:
    """No key twice in one object: a reader that takes the first would see another session.

    Where as many keys were read as are written there is none; only else it matters which it is.
    """
    if not _SPACED.search(raw) and raw.count(b'":') == _keys_in(plain):
        return
    seen: list[set[bytes]] = []
    path: list[bytes] = []
    key = b""
    for token in _TOKEN.finditer(raw):
        if token[0] == b"{":
            seen.append(set())
            path.append(key)
        elif token[0] == b"}":
            seen.pop()
            key = path.pop()
        elif token[2] is not None:
            key = token[1]
            name = json.loads(b'"%s"' % key).encode() if b"\\" in key else key
            if name in seen[-1]:
                where = ".".join(each.decode() for each in (*path[1:], name))
                raise SessionError(f"$.{where[:200]}: expected a key once, found it twice")
            seen[-1].add(name)


def _keys_in(plain: Any) -> int:
    """The keys of all objects in it."""
    if isinstance(plain, dict):
        return len(plain) + sum(_keys_in(each) for each in plain.values() if isinstance(each, dict | list))
    if not {dict, list}.isdisjoint(map(type, plain)):
        return sum(_keys_in(each) for each in plain if isinstance(each, dict | list))
    return 0


_JUMPS = ("undo", "redo", "rewind")
KINDS = frozenset({"nudge", "pause", "go on", "extend", "note", "diverged", *_JUMPS})


def _check_events(session: Session) -> None:
    """Events are numbered as they come, have what their kind needs, and those that stand go forward in time.

    So that training them again ends, and whoever shows them can rely on their fields.
    """
    if not 0 <= session.seconds <= MAX_STEP:
        raise SessionError(f"$.seconds: expected running time, found {session.seconds}")
    last = 1
    for i, event in enumerate(session.events):
        where = f"$.events[{i}]"
        if event.id != i + 1:
            raise SessionError(f"{where}.id: expected {i + 1}, found {event.id}")
        if event.kind not in KINDS:
            raise SessionError(f"{where}.kind: expected one of {', '.join(sorted(KINDS))}")
        if not (1 <= event.step <= MAX_STEP and 0 <= event.seconds <= MAX_STEP):
            raise SessionError(f"{where}: expected a step from 1 and seconds from 0")
        if event.kind == "nudge":
            _check_nudge(event, where)
        if event.kind == "extend" and not 1 <= (event.epochs or 0) <= MAX_EPOCHS:
            raise SessionError(f"{where}.epochs: expected 1 … {MAX_EPOCHS:,}")
        if event.kind in _JUMPS and event.back_to is None:
            raise SessionError(f"{where}.back_to: expected a step")
        if event.undone_by is None and event.kind not in _JUMPS:
            if not last <= event.step <= session.steps + 1:
                raise SessionError(f"{where}.step: expected {last} … {session.steps + 1}, found {event.step}")
            last = event.step


def _check_nudge(event: EventRecord, where: str) -> None:
    if event.knob not in LIVE:
        raise SessionError(f"{where}.knob: expected one of {', '.join(LIVE)}")
    if event.by not in ("you", "plan"):
        raise SessionError(f"{where}.by: expected you or plan")
    if not event.nudge:
        raise SessionError(f"{where}.nudge: expected the number of its gesture, from 1")
    try:
        check_knob(event.knob, event.after)
    except ConfigError as error:
        raise SessionError(f"{where}.to: {error}") from None
    if event.before is None or event.before < 0:
        raise SessionError(f"{where}.from: expected a number from 0")


def _check_data(data: DataRecord) -> None:
    if len(data.classes) < 2:
        raise SessionError("$.data.classes: expected at least 2")
    wanted = {data.features} if data.statistics.kind == "column" else {1, data.features}
    for name, values in (("mean", data.statistics.mean), ("scale", data.statistics.scale)):
        if len(values) not in wanted:
            raise SessionError(
                f"$.data.statistics.{name}: expected {min(wanted)} numbers, found {len(values)}"
            )
    if not all(scale > 0 for scale in data.statistics.scale):
        raise SessionError("$.data.statistics.scale: expected positive numbers")


def _check_curves(curves: Curves) -> None:
    """What belongs together must be of one length, so that whoever draws it can rely on that."""
    dev = (curves.dev_step, curves.dev_cost, curves.dev_accuracy)
    if len({(len(v.first), len(v.last), len(v.blocks.min) if v.blocks else 0) for v in dev}) > 1:
        raise SessionError("curves: expected as many dev steps as costs and accuracies")
    for values in (curves.train, *dev):
        blocks = values.blocks
        if blocks and (blocks.size < 1 or len(blocks.h) not in (0, len(blocks.min))):
            raise SessionError("curves: expected blocks of 1 or more, and a hash for each or none")
        if blocks and not len(blocks.min) == len(blocks.mean) == len(blocks.max):
            raise SessionError("curves: expected min, mean and max of every block")
    for step in (*curves.dev_step.first, *curves.dev_step.last):
        if isinstance(step, str) or not 0 <= step <= MAX_STEP:
            raise SessionError(f"$.curves.dev_step: expected steps, found {step}")
    for i, stretch in enumerate(curves.abandoned):
        if len(stretch.step) != len(stretch.cost):
            raise SessionError(f"$.curves.abandoned[{i}]: expected as many steps as costs")
        if not all(0 <= step <= MAX_STEP for step in stretch.step):
            raise SessionError(f"$.curves.abandoned[{i}].step: expected steps")


def _check_histograms(found: Histograms, layers: int) -> None:
    where = "$.curves.inputs"
    if len(found.counts) != len(found.epochs):
        raise SessionError(f"{where}: expected counts of {len(found.epochs)} epochs")
    if any(len(each) != layers for each in found.counts):
        raise SessionError(f"{where}.counts: expected those of {layers} hidden layers")
    if not all(a < b for a, b in pairwise([0, *found.epochs])):
        raise SessionError(f"{where}.epochs: expected rising ones, from 1")
