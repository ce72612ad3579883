"""Files of every kind from strangers, each opened as pandatui opens it; run as a process of its own.

    python fuzzing.py FOLDER COUNT SEED

writes COUNT mutations of a valid file of each kind, and the bombs, and prints as JSON what was seen: how many
were refused, what was raised that is no refusal, the longest time that one took, and the peak of memory.
"""

# ruff: noqa: E501 (tables read best with one case a line)

from __future__ import annotations

import gzip
import io
import json
import random
import re
import resource
import struct
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pandatui.data import DataError, inspect, load
from pandatui.report_curve import drawn, svg
from pandatui.report_sessions import exported, summary
from pandatui.report_studies import shown
from pandatui.report_studies import summary as study_summary
from pandatui.search import shelf
from pandatui.search.keeper import open_study
from pandatui.search.setup import prepare as prepare_study
from pandatui.search.spec import Spec, SpecError
from pandatui.search.spec_files import load as load_spec
from pandatui.search.spec_files import to_toml
from pandatui.sessions import SessionError, Store
from pandatui.sessions.checkpoints import Checkpoint, CheckpointError, kept_by
from pandatui.sessions.checkpoints import decode as decode_checkpoint
from pandatui.sessions.checkpoints import encode as encode_checkpoint
from pandatui.sessions.export import as_csv, as_schedule, read_schedule
from pandatui.sessions.inputs import load_inputs
from pandatui.sessions.journal import start_record
from pandatui.sessions.ledger import Ledger
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.records import crc_of, line
from pandatui.sessions.schema import encode
from pandatui.sessions.store import look
from pandatui.training import ConfigError, Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Note, Nudge, Undo
from pandatui.training.setup import RunOptions, prepare

OURS = (SessionError, DataError, SpecError, ConfigError, CheckpointError)
LONGEST_LINE = 1_000  # characters of an error

# What a mutation puts in: depth, length, limits of numbers, paths, what a terminal would act on.
TOKENS = [
    *(b"[" * 100_000, b'{"a":' * 100_000, b"(" * 5_000, b"9" * 1_000_000, b"0." + b"9" * 100_000, b"a.b." * 5_000),
    *(b"1e999", b"-1", b"NaN", b"Infinity", b"-0.0", b"1e-400", b"18446744073709551616", b"null", b"true", b"{}"),
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\x1b]0;x\x07", "\u202e".encode(), b"\r", b'"', b"'", b"\\ud800", b"\\"),
    *(b"../../../../etc/passwd", b"/dev/zero", b"__class__", b"\x93NUMPY", b"PK\x03\x04", b"\x7f" * 64),
    *(struct.pack(">I", 2**31 - 1), struct.pack("<Q", 2**63), b"|O", b"(99999999999,)", b" " * 70_000, b"," * 9_999),
]  # fmt: skip


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """The file with one to four changes."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(raw) + 1)
        end = min(len(raw), place + chance.choice((1, 2, 8, 64, 1024)))
        match chance.randrange(6):
            case 0 if place < len(raw):
                raw = raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]
            case 1:
                raw = raw[:place]
            case 2:
                raw = raw[:place] + raw[end:]
            case 3:
                raw = raw[:place] + raw[place:end] * chance.choice((2, 2, 3, 1_000)) + raw[end:]
            case 4:
                other = chance.randrange(len(raw) + 1)
                raw = raw[:place] + raw[other : other + end - place] + raw[end:]
            case _:
                raw = raw[:place] + chance.choice(TOKENS) + raw[chance.choice((place, end)) :]
    return raw


# -- a valid file of each kind, and how it is opened ---------------------------------------------------------


ME = Identity("one", "0b8e0d5e-0000-4000-8000-000000000000", "2026-01-02T03:04:05+00:00")


def trained() -> tuple[Run, bytes, bytes]:
    """A run, its session as saved on the way, and the journal ahead of that."""
    run = Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=3)))
    run.step()
    early, ledger = encode(record(run, ME, 0.5, None)), Ledger(run)
    for command in (Nudge("learning_rate", notches=2), Nudge("momentum", to=0.5), Undo(), Note("ü")):
        run.step()
        run.step()
        run.apply(command, 0.5)
    while run.ready:
        run.step()
    journal = [start_record(ME.id), *ledger.news(run, 1.0)]
    return run, early, b"".join(line(n, each) for n, each in enumerate(journal, 1))


def sealed(raw: bytes) -> bytes:
    """A journal whose lines have the checksum of what is in them."""
    lines = []
    for each in raw.split(b"\n"):
        head, found, body = each.partition(b'"record":')
        if found and (number := re.match(rb'\{"n":([0-9]{1,15}),', head)):
            n, body = int(number[1]), body[:-1]
            each = b'{"n":%d,"crc":%d,"record":%s}' % (n, crc_of(n, body), body)
        lines.append(each)
    return b"\n".join(lines)


def idx(code: int, array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


class Kinds:
    """Valid files in a folder, and for each kind how pandatui opens one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run, early, journal = trained()
        session = record(self.run, ME, 1.25, self.run.evaluate())
        checkpoint = next(iter(kept_by(self.run).values()))
        assert isinstance(checkpoint, Checkpoint)
        labels = np.arange(60) % 3
        table = np.column_stack([labels + 0.25, np.arange(60) % 7]).astype(np.float32)
        packed = io.BytesIO()
        np.savez_compressed(packed, X=table, y=labels)
        rows = b"".join(
            b"%r,%d,%s\n" % (float(x), y, b"abc"[c : c + 1]) for (x, y), c in zip(table, labels, strict=True)
        )
        spec = Spec(run=RunOptions(data="xor", hidden=(4,), epochs=2), trials=4, rounds=2)
        opened = open_study(Store(folder), prepare_study(spec), "two")
        opened.study.begin_round()
        opened.keeper.began(opened.study.rounds[-1])
        opened.keeper.close()
        images = (np.arange(60 * 4) % 251).astype(np.uint8).reshape(60, 2, 2)
        (folder / "train-labels-idx1-ubyte").write_bytes(idx(8, labels.astype(np.uint8)))
        self.session = encode(session)
        (folder / "beside.json").write_bytes(early)
        self.kinds: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
            "session": ("one.json", self.session, self.open_session),
            "journal": ("beside.journal", journal, self.open_journal),
            "sealed journal": ("beside.journal", journal, self.open_journal),
            "study": ("two.study.json", (folder / "two.study.json").read_bytes(), self.open_study),
            "checkpoint": ("9.npz", encode_checkpoint(checkpoint), self.open_checkpoint),
            "JSON spec": ("spec.json", json.dumps(spec.to_plain()).encode(), load_spec),
            "TOML spec": ("spec.toml", to_toml(spec).encode(), load_spec),
            "schedule": ("nudges.txt", as_schedule(session).encode(), read_schedule),
            "CSV": ("t.csv", b"a,b,kind\n" + rows, self.open_data),
            "NPZ": ("a.npz", packed.getvalue(), self.open_data),
            "IDX": ("train-images-idx3-ubyte", idx(8, images), self.open_data),
        }  # fmt: skip

    def open_session(self, path: Path) -> None:
        stored = look(path)
        session = stored.session
        assert session is not None
        json.dumps(exported(path, session, not stored.edited))
        summary(session, not stored.edited, status=stored.status, warning=stored.warning)
        for show in (svg, drawn, as_csv, as_schedule):
            show(session)

    def open_journal(self, path: Path) -> None:
        stored = look(path.with_suffix(".json"))
        if stored.warning:
            raise SessionError(stored.warning)

    def open_study(self, path: Path) -> None:
        stored = shelf.look(path)
        json.dumps(shown(stored))
        study_summary(stored)

    def open_checkpoint(self, path: Path) -> None:
        decode_checkpoint(path.read_bytes(), self.run)

    def open_data(self, path: Path) -> None:
        load(str(path))
        inspect(str(path))
        if "images" not in path.name:
            load_inputs(str(path), self.run.config, self.run.dataset)

    def bombs(self) -> list[tuple[str, str, bytes]]:
        """(kind, name, bytes): what grows most for its size."""
        found = [
            (kind, name, made)
            for kind, (name, raw, _) in self.kinds.items()
            for made in (b"", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 1_000_000, b"\0" * 2**22, raw * 3)
        ]
        deep = b'{"n":1,"crc":0,"record":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"\n"
        found.append(("journal", "beside.journal", sealed(deep)))
        for name, shape in (("a.npz", (2**27, 1)), ("9.npz", (2**40,))):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
                start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
                archive.writestr("X.npy", start + bytes(2**26))
                archive.writestr("parameters.npy", start + bytes(2**20))
                archive.writestr("meta.json", b" " * 2**26)
            found.append(("NPZ" if name == "a.npz" else "checkpoint", name, out.getvalue()))
        zeros = gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, 2**17, 32, 32) + bytes(2**26))
        found.append(("IDX", "my-images-idx3-ubyte", zeros))
        (self.folder / "my-labels-idx1-ubyte").write_bytes(gzip.compress(bytes(2**26)))
        return found


# -- attacking -----------------------------------------------------------------------------------------------


class Attack:
    """What was seen so far."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.seen: Counter[str] = Counter()
        self.slowest = (0.0, "")
        self.failures: list[str] = []

    def one(self, kind: str, name: str, raw: bytes, called: str) -> None:
        path, opened = self.kinds.folder / name, self.kinds.kinds[kind][2]
        path.write_bytes(raw)
        began = time.perf_counter()
        try:
            opened(path)
            self.seen[f"{kind} opened"] += 1
        except OURS as error:
            if called.startswith("valid"):
                self.failures.append(f"{called}: {error}")
            self.seen[f"{kind} refused"] += 1
            says = str(error)
            if "\n" in says or not says or len(says) > LONGEST_LINE:
                self.failures.append(f"{called}: not one line: {says[:300]!r}")
        except (Exception, RecursionError) as error:
            self.failures.append(f"{called}: {type(error).__name__}: {str(error)[:300]}")
        took = time.perf_counter() - began
        self.slowest = max(self.slowest, (took, called))


def main(folder: Path, count: int, seed: str) -> None:
    pin_blas()
    warnings.simplefilter("error")
    attack = Attack(Kinds(folder))
    for kind, (name, raw, _) in attack.kinds.kinds.items():
        attack.one(kind, name, raw, f"valid {kind}")
    assert not attack.failures, attack.failures
    assert not any("refused" in what for what in attack.seen), attack.seen
    for number, (kind, name, raw) in enumerate(attack.kinds.bombs()):
        attack.one(kind, name, raw, f"bomb {number} of {kind}")
        (folder / name).unlink()
    for kind, (name, raw, _) in attack.kinds.kinds.items():
        for number in range(count):
            made = mutated(raw, random.Random(f"{seed}/{kind}/{number}"))
            made = sealed(made) if kind == "sealed journal" else made
            attack.one(kind, name, made, f"{kind} {number}")
        (folder / name).unlink()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    said = {"seen": attack.seen, "failures": attack.failures, "slowest": attack.slowest}
    print(json.dumps(said | {"mb": usage.ru_maxrss // 1024}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
