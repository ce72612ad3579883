"""The journal's lines: `{"n":N,"crc":C,"record":{...}}`, the CRC-32 over number and record.

A line is a record only if every byte of it is right, so that no flipped bit is ever read as other content.
What follows the last whole record is a torn tail, to be cut; damage with whole records behind it is an error.
"""

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pandatui.sessions.schema import SessionError

MAX_BYTES = 512 * 2**20
_LINE = re.compile(rb'\{"n":([1-9][0-9]{0,15}),"crc":(0|[1-9][0-9]{0,9}),"record":(\{.*\})\}', re.DOTALL)

Record = dict[str, Any]


class JournalError(SessionError):
    """A journal that is damaged or of something else: one line that names the byte."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a journal holds: its whole records, and where they end. `size` beyond `end` is the torn tail.

    `damage` says where a record is damaged that has whole ones behind it; `records` are those before it.
    """

    records: tuple[Record, ...]
    end: int
    size: int
    number: int  # of the last whole record, 0 where there is none
    damage: str = ""


def line(number: int, record: Record) -> bytes:
    """One record as it stands in the file."""
    body = msgspec.json.encode(record)
    return b'{"n":%d,"crc":%d,"record":%s}\n' % (number, crc_of(number, body), body)


def crc_of(number: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(b"%d " % number))


def parse_line(raw: bytes) -> tuple[int, Record] | None:
    """Number and record of a line without its newline, or None unless every byte of it is right."""
    match = _LINE.fullmatch(raw)
    if match is None:
        return None
    number, body = int(match[1]), match[3]
    if int(match[2]) != crc_of(number, body):
        return None
    try:
        return number, msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def parse(raw: bytes) -> Contents:
    """The whole records from the start on. The first may have any number, each other the next one."""
    records: list[Record] = []
    number, end = 0, 0
    while (newline := raw.find(b"\n", end)) >= 0:
        found = parse_line(raw[end:newline])
        if found is None or (records and found[0] != number + 1):
            break
        number = found[0]
        records.append(found[1])
        end = newline + 1
    damage = ""
    if end < len(raw) and any(parse_line(each) for each in raw[end:].split(b"\n")[:-1]):
        damage = f"journal damaged at byte {end}: expected record {number + 1}"
    return Contents(tuple(records), end, len(raw), number, damage)


def read_journal(path: Path) -> Contents:
    """A journal as it is now, whoever writes it. Raises OSError, JournalError if too large."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return parse(read_all(descriptor))
    finally:
        os.close(descriptor)


def read_all(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > MAX_BYTES:
        raise JournalError(f"journal larger than {MAX_BYTES // 2**20} MiB")
    raw = b""
    while len(raw) < size and (part := os.pread(descriptor, size - len(raw), len(raw))):
        raw += part
    return raw


def write_all(descriptor: int, raw: bytes) -> None:
    """All of it, by one write unless the system takes only a part. Raises OSError."""
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view) :]
