"""CSV: a table of numbers with one column of labels, read row by row in chunks of one array conversion each.

Quick where all is well; when a chunk does not convert, it is looked through cell by cell to say where and
why. Columns are counted from 1, as lines are, and from the end with negative numbers (-1 is the last).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pandatui.data.errors import DataError, listing, quote, show
from pandatui.data.labels import is_missing, number, order_classes
from pandatui.data.opening import check_size, open_regular
from pandatui.data.raw import Raw
from pandatui.data.standardise import Array, Progress
from pandatui.plain import one_line

CHUNK = 2048  # rows converted at once
LONGEST_LINE = 1 << 24
DELIMITERS = (",", ";", "\t")
Row = tuple[int, list[str]]  # the line a row starts at, its cells


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are inputs, which one holds the labels; indices from 0, names None without a header."""

    names: tuple[str, ...] | None
    count: int
    inputs: tuple[int, ...]
    label: int

    def place(self, path: str, line: int, column: int) -> str:
        name = f" {quote(self.names[column])}" if self.names is not None else ""
        return f"{path}: line {line}, column {column + 1}{name}"

    def called(self, column: int) -> str:
        return self.names[column] if self.names is not None else str(column + 1)


def load_csv(
    path: Path, source: str, label: str | None, drop: Sequence[str], progress: Progress | None = None
) -> Raw:
    """A CSV file. `label` and `drop` are names from the header or column numbers; label: the last by default.

    A first row in which a cell that is neither label nor dropped is text is the header. The delimiter is a
    comma; a semicolon or a tab where the first line has one and no comma. Without a header, the columns are
    named x1, x2, … after their place in the file. Raises DataError with line and column.
    """
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        return _Table(file, path, size, progress).read(source, label, drop)


class _Table:
    """One pass over an open file."""

    def __init__(self, file: BinaryIO, path: Path, size: int, progress: Progress | None) -> None:
        self.file, self.path, self.size, self.progress = file, path, size, progress
        self.place = show(path)
        self.codes: dict[str, int] = {}  # a label as found → its number in order of appearance
        self.seen_at: list[int] = []  # the line where each was first seen

    def lines(self) -> Iterator[str]:
        """The lines as text, decoded one by one so that a wrong byte can be given with its offset."""
        offset, line = 0, 0
        while raw := self.file.readline(LONGEST_LINE):
            line += 1
            if len(raw) == LONGEST_LINE:
                raise DataError(
                    f"{self.place}: line {line}: expected at most {LONGEST_LINE} bytes, found more"
                )
            try:
                text = raw.decode("utf-8-sig" if offset == 0 else "utf-8")
            except UnicodeDecodeError as error:
                start = error.start + (3 if offset == 0 and raw.startswith(b"\xef\xbb\xbf") else 0)
                raise DataError(
                    f"{self.place}: line {line}: expected text in UTF-8, found byte 0x{raw[start]:02x} "
                    f"at offset {offset + start}"
                ) from None
            if "\0" in text:
                raise DataError(
                    f"{self.place}: line {line}: expected text, found a NUL byte at offset "
                    f"{offset + raw.index(0)}"
                )
            offset += len(raw)
            yield text

    def rows(self) -> Iterator[Row]:
        """Rows that are not blank, with the line each starts at."""
        lines = self.lines()
        skipped = 0
        for first in lines:
            if first.strip():
                break
            skipped += 1
        else:
            raise DataError(f"{self.place}: expected rows of a table, found an empty file")
        reader = csv.reader(chain([first], lines), delimiter=sniff(first), skipinitialspace=True, strict=True)
        start = 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                line = f"{self.place}: line {start + skipped}"
                raise DataError(f"{line}: expected cells in CSV, found damage: {one_line(error)}") from None
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield start + skipped, cells
            start = reader.line_num + 1

    def read(self, source: str, label: str | None, drop: Sequence[str]) -> Raw:
        rows = self.rows()
        line, cells = next(rows)
        columns, has_header = choose(self.place, line, [cell.strip() for cell in cells], label, drop)
        if not has_header:
            rows = chain([(line, cells)], rows)
        # A row takes at least two bytes a cell, so the file's size bounds the rows; pages not used cost
        # nothing.
        most = self.size // (2 * columns.count) + 2
        check_size(self.place, self.size)
        inputs = np.empty((most, len(columns.inputs)))
        codes = np.empty(most, dtype=np.intp)
        done = 0
        while chunk := list(islice(rows, CHUNK)):
            for at, row in chunk:
                if len(row) != columns.count:
                    raise DataError(
                        f"{self.place}: line {at}: expected {columns.count} cells, found {len(row)}"
                    )
            if done + len(chunk) > most:
                raise DataError(f"{self.place}: expected a file that stays as it is, found it growing")
            inputs[done : done + len(chunk)] = self.convert(chunk, columns)
            codes[done : done + len(chunk)] = [self.code(at, row[columns.label]) for at, row in chunk]
            done += len(chunk)
            if self.progress is not None:
                self.progress("reading", min(self.file.tell() / self.size, 1.0))
        if done == 0:
            raise DataError(f"{self.place}: expected rows below the header, found none")
        classes, order = order_classes(
            list(self.codes),
            done,
            lambda index: columns.place(self.place, self.seen_at[index], columns.label),
        )
        names = tuple(columns.names[i] if columns.names is not None else f"x{i + 1}" for i in columns.inputs)
        return Raw(
            name=self.path.stem,
            source=source,
            kind="CSV",
            inputs=inputs[:done],
            labels=order[codes[:done]],
            classes=classes,
            features=names,
        )

    def code(self, line: int, cell: str) -> int:
        text = cell.strip()
        code = self.codes.setdefault(text, len(self.codes))
        if code == len(self.seen_at):
            self.seen_at.append(line)
        return code

    def convert(self, chunk: list[Row], columns: Columns) -> Array:
        """The chunk's inputs as float64 (rows, inputs). DataError at the first cell that is none."""
        cells = [[row[column] for column in columns.inputs] for _, row in chunk]
        try:
            values = np.array(cells, dtype=np.float64)
            # float() also takes 1_000, which no file means as a number.
            if np.isfinite(values).all() and not any("_" in "".join(row) for row in cells):
                return values
        except ValueError:
            pass
        found = []
        for line, row in chunk:
            for column in columns.inputs:
                cell = row[column].strip()
                value = number(cell)
                if value is not None and np.isfinite(value):
                    found.append(value)
                    continue
                place = columns.place(self.place, line, column)
                if is_missing(cell):
                    raise DataError(f"{place}: expected a number, found a missing value, {quote(cell)}")
                if value is not None:
                    raise DataError(f"{place}: expected a finite number, found {quote(cell)}")
                raise DataError(
                    f"{place}: expected a number, found {quote(cell)} "
                    f"(leave a column of text out with --drop {shown_option(columns.called(column))})"
                )
        return np.array(found).reshape(len(chunk), -1)  # blanks that strip() knows and NumPy does not


def shown_option(name: str) -> str:
    """A column's name as one would type it: bare when it is plain, quoted otherwise."""
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else quote(name)


def sniff(line: str) -> str:
    """The delimiter: a comma if the line has one outside quotes, else a semicolon or tab if it has one."""
    outside = "".join(line.split('"')[::2])
    return next((delimiter for delimiter in DELIMITERS if delimiter in outside), ",")


def choose(
    place: str, line: int, first: list[str], label: str | None, drop: Sequence[str]
) -> tuple[Columns, bool]:
    """Columns from the first row and what was asked for, and whether that row is a header."""
    count = len(first)
    asked = [name for name in (label, *drop) if name is not None]
    by_number = {name: _number(name, count) for name in asked}
    inputs_if_numbers = set(range(count)) - {by_number[name] for name in drop}
    inputs_if_numbers.discard(count - 1 if label is None else by_number[label])
    texts = [
        i
        for i in inputs_if_numbers
        if i is not None and number(first[i]) is None and not is_missing(first[i])
    ]
    # A number in the first row names a column only where the row is seen to be a header, and names just one.
    for name in asked:
        doubtful = number(name) is not None and (not texts or first.count(name) > 1)
        if by_number[name] is None and (name not in first or doubtful):
            words = [cell for cell in first if number(cell) is None]
            found = f"columns {listing(first)}" if words else f"{count} columns without a header"
            raise DataError(
                f"{place}: expected a column {quote(name)} (a name in the header, or a number from 1 to "
                f"{count}, or from -{count} to -1), found {found}"
            )
    # What is no column number can only be a name, so there is a header.
    named = any(index is None for index in by_number.values())
    header = named or bool(texts)
    names = tuple(cell or f"x{i + 1}" for i, cell in enumerate(first)) if header else None
    if names is not None and len(set(names)) < count:
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataError(
            f"{place}: line {line}: expected different column names in the header, found {quote(twice)} twice"
        )

    def find(name: str) -> int:
        index = names.index(name) if names is not None and name in names else by_number[name]
        assert index is not None, "names that are nowhere were refused above"
        return index

    label_index = count - 1 if label is None else find(label)
    dropped = {find(name) for name in drop}
    if label_index in dropped:
        raise DataError(f"{place}: expected a label column that is kept, found it among those dropped")
    inputs = tuple(i for i in range(count) if i != label_index and i not in dropped)
    if not inputs:
        raise DataError(
            f"{place}: line {line}: expected a label column and at least one column of inputs, found "
            f"{count - len(dropped)} of {count} left"
        )
    return Columns(names, count, inputs, label_index), header


def _number(name: str, count: int) -> int | None:
    """A column number (x3 is 3) as an index from 0; None unless it is within 1 … count or -count … -1."""
    try:
        value = int(name.removeprefix("x"))
    except ValueError:
        return None
    if 1 <= value <= count:
        return value - 1
    return value + count if -count <= value <= -1 else None
