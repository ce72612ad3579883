"""A valid file of each kind, some more to start from, and how pandatui opens one and shows what is in it."""

# ruff: noqa: E501 (tables read best with one case a line)

from __future__ import annotations

import gzip
import io
import json
import os
import re
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pandatui.data import inspect, load
from pandatui.report_curve import drawn, svg
from pandatui.report_sessions import exported, listed, summary
from pandatui.report_sessions import table as sessions_table
from pandatui.report_studies import listed as study_listed
from pandatui.report_studies import shown
from pandatui.report_studies import summary as study_summary
from pandatui.search import shelf
from pandatui.search.engines import Inline
from pandatui.search.keeper import open_study
from pandatui.search.race import Race
from pandatui.search.records import restored
from pandatui.search.setup import prepare as prepare_study
from pandatui.search.space import wide_space
from pandatui.search.spec import Spec
from pandatui.search.spec_files import load as load_spec
from pandatui.search.spec_files import to_toml
from pandatui.sessions import Session, SessionError, Store
from pandatui.sessions.checkpoints import Checkpoint, kept_by
from pandatui.sessions.checkpoints import decode as decode_checkpoint
from pandatui.sessions.checkpoints import encode as encode_checkpoint
from pandatui.sessions.export import as_csv, as_schedule, read_schedule
from pandatui.sessions.inputs import load_inputs
from pandatui.sessions.journal import start_record
from pandatui.sessions.ledger import Ledger
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.records import crc_of, line
from pandatui.sessions.replay import RerunError
from pandatui.sessions.schema import encode
from pandatui.sessions.store import Stored, look
from pandatui.settings import load_settings, settings_file
from pandatui.training import Run
from pandatui.training.events import Note, Nudge, Undo
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.snapshot import View
from pandatui.tui import race_wording
from pandatui.tui.beside import Habits
from pandatui.tui.board import Sight, draw_board
from pandatui.tui.canvas import Palette
from pandatui.tui.charting import Look, chart_of_session
from pandatui.tui.compare_wording import table
from pandatui.tui.comparing import WAYS, Compared, chart_of_all
from pandatui.tui.listing import preview_lines, row_of, row_of_study, study_preview, words_of, words_of_study
from pandatui.tui.live import Replaying
from pandatui.tui.plotting import draw
from pandatui.tui.race_curves import Curves, draw_curves
from pandatui.tui.race_map import axes_of, draw_map
from pandatui.tui.race_view import Reader
from pandatui.tui.record_wording import happened_lines, settings_lines, summary_line

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


PALETTE = Palette("#101010", "#ffffff", "#808080", "#0000ff", "#ffff00", "#00ff00", "#ff0000", "#777777")


def on_the_screen(stored: Stored, session: Session) -> None:
    """What the list of sessions, the record, the comparison and the replay make of it."""
    row_of(stored, {}), words_of(stored)
    for tall in (True, False):
        preview_lines(session, stored.status, {}, 60, tall=tall, unicode=True)
    summary_line(session, stored.status), settings_lines(session)
    happened_lines(session, None, crashed=stored.status == "crashed")
    for look_at in (Look(), Look(log_axis=True, cursor=2.0)):
        draw(chart_of_session(session, look_at), 60, 16, PALETTE)
    first = Compared.of(session)
    others = [Compared.of(session, "other", each.event) for each in session.curves.abandoned[:3]]
    for way in WAYS:
        draw(chart_of_all(first, others, way, Look(), train=True), 60, 16, PALETTE)
        table(first, others, 1.0, way, 120, train=False, here="now")
    with suppress(RerunError):  # which is said there
        player = Replaying.of(session, 1.0).driver
        for step in (0, session.steps / 2, session.steps):
            player.seek(step)
            player.snapshot(View())


# -- to start from -------------------------------------------------------------------------------------------


def others(session: Session) -> list[bytes]:
    """Sessions with what a short run has not: blocks, a queue, a parent, one that diverged."""
    plain = json.loads(encode(session))
    values = {
        "first": [0.7, 0.6],
        "last": [0.5],
        "blocks": {"size": 2, "min": [0.6], "mean": [0.65], "max": [0.7]},
    }
    curves = plain["curves"]
    long = {**curves, "train": values | {"blocks": values["blocks"] | {"h": ["0" * 64]}}}
    long |= {
        "dev_cost": values,
        "dev_accuracy": values,
        "dev_step": values
        | {"first": [2, 4], "last": [6], "blocks": {"size": 2, "min": [2], "mean": [3], "max": [4]}},
    }
    spec = {"spec": {"trials": 2, "run": {"data": "xor", "hidden": [4], "epochs": 1}}, "study": "two"}
    return [
        json.dumps(plain | more).encode()
        for more in (
            {"curves": long},
            {"queue": [spec, spec], "parent": {"id": ME.id, "name": "other", "step": 3}},
            {"status": "diverged", "parent": {"study": "two", "trial": 1}},
            {"status": "running"},
        )
    ]  # fmt: skip


def studies(folder: Path, spec: Spec) -> list[bytes]:
    """One that has begun, one that has ended, one with halving and seeds of which some have diverged."""
    found = []
    wild = replace(
        spec,
        trials=6,
        rounds=1,
        halving=True,
        run=replace(spec.run, epochs=8),
        space=wide_space(prepare(spec.run)[0], 100),
    )
    for each, ends in ((spec, False), (spec, True), (wild, True)):
        ready = prepare_study(each)
        opened = open_study(Store(folder), ready, "two")
        if ends:
            Race(opened.study, ready.dataset, Inline(), opened.keeper).run()
        else:
            opened.study.begin_round()
            opened.keeper.began(opened.study.rounds[-1])
        opened.keeper.close()
        found.append((folder / "two.study.json").read_bytes())
        (folder / "two.study.json").unlink()
    return found


def checkpoints(run: Run) -> list[bytes]:
    kept = [each for each in kept_by(run).values() if isinstance(each, Checkpoint)]
    return [encode_checkpoint(each) for each in kept]


def csvs(labels: np.ndarray) -> list[bytes]:
    def table(sep: bytes, end: bytes) -> bytes:
        rows = (
            [b"a", b"b", b"kind"],
            *([b"%.2f" % (y + i % 3 / 4), b"%d" % (i % 7), b"abc"[y : y + 1]] for i, y in enumerate(labels)),
        )
        return b"".join(sep.join(row) + end for row in rows)

    quoted = b'a,"b ""x""",kind\n' + b"".join(b'%d,,"a, %d"\n' % (i, y) for i, y in enumerate(labels))
    return [table(b",", b"\n"), table(b";", b"\r\n"), table(b"\t", b"\n"), b"\xef\xbb\xbf" + quoted]


def archives(labels: np.ndarray, images: np.ndarray) -> list[bytes]:
    """Tables and images, with text for labels, with parts of their own, as Fortran has it."""
    table = np.column_stack([labels + 0.25, np.arange(60) % 7]).astype(np.float32)
    names = np.array(["red", "green", "blue"])[labels]
    found = []
    for pack, arrays in (
        (np.savez_compressed, {"X": table, "y": labels}),
        (np.savez, {"X": images, "y": names}),
        (np.savez, {"X": np.asfortranarray(table), "y": labels, "X_test": table[:9], "y_test": labels[:9]}),
    ):
        out = io.BytesIO()
        pack(out, **arrays)
        found.append(out.getvalue())
    return found


@dataclass(frozen=True, slots=True)
class Kind:
    """What such a file is called, how it is opened, and what to start from, a valid one first."""

    name: str
    open: Callable[[Path], object]
    seeds: list[bytes]


NAMES = [
    *("session", "journal", "sealed journal", "study", "checkpoint", "JSON spec", "TOML spec", "schedule"),
    *("CSV", "NPZ", "IDX", "config.toml"),
]
CONFIG = b"""theme = "projector"
sessions = "/data/sessions"
hints = true
hints_off = ["slow"]
bell = false
[keys]
"watch.undo" = "ctrl+z"
"""
NUDGES = b"# by hand\n1:learning_rate=0.5\n2:momentum=*0.5\n\n 3:decay=/2\n4:batch_size=x0.5\n5:l2=1e-3\n"


class Kinds:
    """Valid files in a folder, and for each kind how pandatui opens one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run, early, journal = trained()
        session = record(self.run, ME, 1.25, self.run.evaluate())
        self.session = encode(session)
        (folder / "beside.json").write_bytes(early)
        spec = Spec(run=RunOptions(data="xor", hidden=(4,), epochs=2), trials=4, rounds=2)
        labels = np.arange(60) % 3
        images = (np.arange(60 * 4) % 251).astype(np.uint8).reshape(60, 2, 2)
        (folder / "train-labels-idx1-ubyte").write_bytes(idx(8, labels.astype(np.uint8)))
        os.environ["XDG_CONFIG_HOME"] = str(folder)
        settings_file().parent.mkdir()
        config = str(settings_file().relative_to(folder))
        specs = [spec, replace(spec, space=wide_space(self.run.config, 100), halving=True, seeds=2)]
        self.kinds = {
            "session": Kind("one.json", self.open_session, [self.session, *others(session), early]),
            "journal": Kind("beside.journal", self.open_journal, [journal]),
            "sealed journal": Kind("beside.journal", self.open_journal, [journal]),
            "study": Kind("two.study.json", self.open_study, studies(folder, spec)),
            "checkpoint": Kind("9.npz", self.open_checkpoint, checkpoints(self.run)),
            "JSON spec": Kind("spec.json", load_spec, [json.dumps(s.to_plain()).encode() for s in specs]),
            "TOML spec": Kind("spec.toml", load_spec, [to_toml(s).encode() for s in specs]),
            "schedule": Kind("nudges.txt", read_schedule, [as_schedule(session).encode(), NUDGES]),
            "CSV": Kind("t.csv", self.open_data, csvs(labels)),
            "NPZ": Kind("a.npz", self.open_data, archives(labels, images)),
            "IDX": Kind("train-images-idx3-ubyte", self.open_data, [idx(8, images), gzip.compress(idx(8, images)), idx(13, images.astype(">f4"))]),
            "config.toml": Kind(config, lambda path: Habits.of(load_settings()), [CONFIG]),
        }  # fmt: skip
        assert [*self.kinds] == NAMES

    def open_session(self, path: Path) -> None:
        stored = look(path)
        session = stored.session
        assert session is not None
        json.dumps([listed(stored), exported(path, session, not stored.edited)])
        sessions_table([stored])
        summary(session, not stored.edited, status=stored.status, warning=stored.warning)
        for show in (svg, drawn, as_csv, as_schedule):
            show(session)
        on_the_screen(stored, session)

    def open_journal(self, path: Path) -> None:
        stored = look(path.with_suffix(".json"))
        assert stored.session is not None
        on_the_screen(stored, stored.session)
        if stored.warning:
            raise SessionError(stored.warning)

    def open_study(self, path: Path) -> None:
        stored = shelf.look(path)
        json.dumps([study_listed(stored), shown(stored)])
        study_summary(stored)
        row_of_study(stored), words_of_study(stored), study_preview(stored)
        assert stored.study is not None
        view = Reader(restored(stored.study), "study", 0.7).read()
        for words in (race_wording.head, race_wording.foot, race_wording.mattered):
            words(view, 100)
        for entry in view.trials:
            race_wording.entry_words(entry, view.knobs)
        draw_curves(Curves(), view, None, 60, 20, PALETTE)
        draw_board(view, Sight(), 60, 20, PALETTE)
        for axes in axes_of(view.knobs)[:2]:
            draw_map(view, axes, None, 60, 20, PALETTE)

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
            (kind, made_as.name, made)
            for kind, made_as in self.kinds.items()
            for made in (
                b"",
                b"[" * 100_000,
                b'{"a":' * 100_000,
                b"9" * 1_000_000,
                b"\0" * 2**22,
                made_as.seeds[0] * 3,
            )
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
