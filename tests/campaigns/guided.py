"""Mutations that learn: an input that reaches what none before it has reached is kept, and changed in turn.

What an input reaches is the pairs of lines that it runs through, one after the other, in the files below a
folder, and, for what C code refuses, the kind of error. Zip archives, arrays and JSON are also taken apart,
changed inside and put together again, so that not all of it ends at the first checksum or bracket.
"""

# ruff: noqa: E501 (lists read best with one kind a line)

from __future__ import annotations

import io
import json
import random
import re
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

MOST_KEPT = 200_000  # bytes of an input that is kept: what only grows says nothing new
MOST_INSIDE = 2**22  # bytes of an archive's member that is changed
_WORD = re.compile(rb'"[^"\n]{1,40}"|\w{1,40}|[-+]?[0-9][-+0-9.e]{0,20}|[^\w\s]')
_OWN = re.compile(r"'.*|\"[^\"]*\"|\d+")  # of an error what the input itself has put there

# What a mutation puts in: depth, length, limits of numbers, paths, what a terminal would act on.
LONG = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"(" * 5_000,
    b"9" * 1_000_000,
    b"0." + b"9" * 100_000,
    b"a.b." * 5_000,
    b" " * 70_000,
    b"," * 9_999,
]
TOKENS = [
    *(b"1e999", b"-1", b"NaN", b"Infinity", b"-0.0", b"1e-400", b"18446744073709551616", b"null", b"true", b"{}"),
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\x1b]0;x\x07", "\u202e".encode(), b"\r", b'"', b"'", b"\\ud800", b"\\"),
    *(b"../../../../etc/passwd", b"/dev/zero", b"__class__", b"\x93NUMPY", b"PK\x03\x04", b"\x7f" * 64),
    *(struct.pack(">I", 2**31 - 1), struct.pack("<Q", 2**63), b"|O", b"(99999999999,)"),
]  # fmt: skip
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 255, 65_536, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**40),
    *(0.5, -0.5, 1e-9, 1e-300, 5e-324, 1e300, -1e300, 1e308, "NaN", "Infinity", "-Infinity", "1", "", " "),
    *("\x1b]0;x\x07", "\u202e", "漢字" * 20, "x" * 5_000, "../../x", "/etc/passwd", [], {}, [[]], [None], {"": {}}),
]  # fmt: skip
_SIGNS = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\r0123456789aAeExX"
_HEADS = [
    *(b"'|O'", b"'<f8'", b"'>f4'", b"'|V9'", b"'<U9'", b"'<M8[s]'", b"'<c8'", b"'|b1'", b"'<i8'", b"[('a','<f4')]"),
    *(b"()", b"(0,)", b"(1,)", b"(60,)", b"(60, 2)", b"(2, 60)", b"(60, 2, 1)", b"(-1,)", b"(2**40,)", b"(True,)"),
    *(b"(999999999999,)", b"True", b"False", b"None"),
]  # fmt: skip
_HEAD_PART = re.compile(rb"'[<>|=]?\w+'(?=,)|\([\d, ]*\)|True|False")


class Mutator:
    """Changes files of one kind; `words` are those of the valid ones."""

    def __init__(self, seeds: list[bytes], chance: random.Random) -> None:
        self.chance = chance
        self.words = sorted({word for seed in seeds for word in _WORD.findall(seed[:MOST_KEPT])})

    def changed(self, raw: bytes, other: bytes) -> bytes:
        """The file with one to four changes; `other` is one whose pieces may be used."""
        for _ in range(self.chance.choice((1, 1, 1, 2, 4))):
            inside = self._inside(raw) if self.chance.random() < 0.75 else None
            raw = self._anywhere(raw, other) if inside is None else inside
        return raw

    def _inside(self, raw: bytes) -> bytes | None:
        """Changed within what it is made of; None where it can't be taken apart."""
        try:
            if raw.startswith(b"PK\x03\x04"):
                return self._in_zip(raw)
            if raw.startswith(b"\x93NUMPY"):
                return self._in_head(raw)
            if raw.lstrip()[:1] == b"{":
                return self._in_json(raw)
        except Exception:  # of many kinds, where it is broken already
            return None
        return None

    def _anywhere(self, raw: bytes, other: bytes) -> bytes:
        chance = self.chance
        place = chance.randrange(len(raw) + 1)
        end = min(len(raw), place + chance.choice((1, 2, 8, 64, 1024)))
        match chance.randrange(10):
            case 0 if place < len(raw):
                return raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]
            case 1:
                return raw[:place]
            case 2:
                return raw[:place] + raw[end:]
            case 3:
                return raw[:place] + raw[place:end] * chance.choice((2, 2, 3, 1_000)) + raw[end:]
            case 4:
                start = chance.randrange(len(other) + 1)
                return raw[:place] + other[start : start + end - place] + raw[end:]
            case 5 if self.words and (found := list(_WORD.finditer(raw[:MOST_KEPT]))):
                start, stop = chance.choice(found).span()
                return raw[:start] + chance.choice(self.words) + raw[stop:]
            case 6:
                return raw[:place] + bytes([chance.randrange(256)]) + raw[place + chance.randrange(2) :]
            case 7 | 8:
                return raw[:place] + bytes([chance.choice(_SIGNS)]) + raw[place + chance.randrange(2) :]
            case _:
                token = chance.choice(TOKENS if chance.random() < 0.95 else LONG)
                return raw[:place] + token + raw[chance.choice((place, end)) :]

    # -- JSON ------------------------------------------------------------------------------------------------

    def _in_json(self, raw: bytes) -> bytes:
        """A value within it; of lines, each JSON, one within a line."""
        try:
            return self._tree(raw)
        except ValueError:
            lines = raw.split(b"\n")
            place = self.chance.randrange(len(lines))
            lines[place] = self._tree(lines[place])
            if self.chance.random() < 0.2:
                lines.insert(self.chance.randrange(len(lines)), self.chance.choice(lines))
            return b"\n".join(lines)

    def _tree(self, raw: bytes) -> bytes:
        tree = json.loads(raw)
        holder, key = self._place(tree)
        chance = self.chance
        value = holder[key]
        match chance.randrange(8):
            case 0:
                del holder[key]
            case 1:
                other, there = self._place(tree)
                holder[key] = json.loads(json.dumps(other[there]))
            case 2 if isinstance(holder, list):
                holder[key:key] = [value] * chance.choice((1, 1, 2, 100))
            case 2:
                holder[chance.choice(("x", "", *list(holder)))] = value
            case 3 if isinstance(holder, list):
                chance.shuffle(holder)
            case 4 if isinstance(value, int | float):
                holder[key] = chance.choice(
                    (value + 1, value - 1, -value, value * 2, value * 10**6, value / 3)
                )
            case 5 if isinstance(value, list):
                del value[chance.randrange(len(value) + 1) :]
            case _:
                holder[key] = chance.choice(VALUES)
        return json.dumps(tree, separators=(",", ":")).encode()  # as journals have it

    def _place(self, tree: Any) -> tuple[Any, Any]:
        """A place in it, more likely one near the top than one of a thousand numbers below."""
        holder, key = tree, self._key(tree)
        while isinstance(holder[key], dict | list) and holder[key] and self.chance.random() < 0.75:
            holder = holder[key]
            key = self._key(holder)
        return holder, key

    def _key(self, holder: Any) -> Any:
        return (
            self.chance.randrange(len(holder)) if isinstance(holder, list) else self.chance.choice([*holder])
        )

    # -- archives and arrays -----------------------------------------------------------------------------

    def _in_zip(self, raw: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            if not 0 < len(infos) < 100 or any(each.file_size > MOST_INSIDE for each in infos):
                raise ValueError("not one to be taken apart")
            members = [(each.filename, archive.read(each)) for each in infos]
        chance = self.chance
        place = chance.randrange(len(members))
        name, data = members[place]
        match chance.randrange(10):
            case 0:
                del members[place]
            case 1:
                members.append(
                    (chance.choice((name, "y.npy", "../x.npy", "X", "meta.json", "\x1b.npy")), data)
                )
            case 2:
                members[place] = (name, chance.choice(members)[1])
            case _:
                inside = self._inside(data)
                members[place] = (name, self._anywhere(data, raw) if inside is None else inside)
        out = io.BytesIO()
        how = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w", how) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return out.getvalue()

    def _in_head(self, raw: bytes) -> bytes:
        """An array's header with another type, shape or order, its length put right; or its values."""
        length = 10 + struct.unpack("<H", raw[8:10])[0]
        head, values = raw[10:length], raw[length:]
        found = list(_HEAD_PART.finditer(head))
        if not found or self.chance.random() < 0.4:
            return raw[:length] + self._anywhere(values, values)
        start, stop = self.chance.choice(found).span()
        head = head[:start] + self.chance.choice(_HEADS) + head[stop:]
        return raw[:8] + struct.pack("<H", len(head)) + head + values


class Guide:
    """What was reached in files whose names begin with one of `ours`, and the inputs that got there."""

    def __init__(self, seeds: list[bytes], ours: tuple[str, ...], chance: random.Random) -> None:
        self.chance = chance
        self.kept = list(seeds)
        self.opened = list(seeds)  # of these, what was not refused: most that is worth reaching lies behind
        self.reached: set[int | str] = set()
        self._ours = ours
        self._now: set[int | str] = set()
        self._numbers: dict[CodeType | int, int] = {}
        self._mutator = Mutator(seeds, chance)

    def next(self) -> bytes:
        """An input that was kept, half the time one that was opened, changed."""
        kept = self.opened if self.chance.random() < 0.5 else self.kept
        kept = kept[-20:] if self.chance.random() < 0.5 else kept
        return self._mutator.changed(self.chance.choice(kept), self.chance.choice(self.kept))

    def learn(self, raw: bytes, refusal: str) -> None:
        """Keep the input that was just watched, if it has reached anything new; `refusal`: what it was told."""
        self._now.add(_OWN.sub("", refusal)[:120])
        if not self._now <= self.reached and len(raw) < MOST_KEPT:
            self.kept.append(raw)
            if not refusal:
                self.opened.append(raw)
        self.reached |= self._now

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the lines that are run through meanwhile, in this thread."""
        self._now = set()
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        code = frame.f_code
        number = self._numbers.get(id(code))
        if number is None:
            ours = code.co_filename.startswith(self._ours)
            # the code is kept, so that its id is not given to another
            number = self._numbers[code] = self._numbers[id(code)] = len(self._numbers) + 1 if ours else 0
        if not number:
            return None
        before, reached = 0, self._now

        def line(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
            nonlocal before
            if event == "line":
                reached.add(number << 40 | before << 20 | frame.f_lineno)
                before = frame.f_lineno
            return line

        return line
