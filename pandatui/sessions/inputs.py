"""Rows to predict: inputs as the session's network takes them, with labels in the file or without."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np

from pandatui.data import BUILT_IN, DataError, Dataset
from pandatui.data.arrays import BROKEN, NUMBERS, Member, read_array
from pandatui.data.errors import show
from pandatui.data.labels import number
from pandatui.data.loading import load_raw
from pandatui.data.mapped import Mapped
from pandatui.data.opening import check_size, open_regular, reason, status
from pandatui.data.raw import check_inputs
from pandatui.data.standardise import Array
from pandatui.data.tables import LONGEST_LINE, choose, sniff
from pandatui.data.taken import Standardised
from pandatui.plain import one_line
from pandatui.training import RunConfig

_NAMES = ("x", "x_test", "x_train")


def load_inputs(source: str, config: RunConfig, dataset: Dataset) -> Array | Standardised:
    """(rows, features), standardised as in training; read as they are needed where the file is a large one.

    Raises DataError in one line.
    """
    raw = _raw(source, config, dataset)
    features = int(np.prod(raw.shape[1:]))
    if features != dataset.n_features:
        raise DataError(f"{show(source)}: expected rows of {dataset.n_features} inputs, found {features}")
    try:
        if isinstance(raw, Mapped):
            taken = Standardised(raw, np.arange(len(raw)), dataset.standardisation, config.dtype)
            taken.check()
            return taken
        return dataset.standardisation.apply(raw, config.dtype)
    except DataError as error:
        raise DataError(f"{show(source)}: {error}") from None


def _raw(source: str, config: RunConfig, dataset: Dataset) -> Array | Mapped:
    path = Path(source)
    if source not in BUILT_IN and not path.is_dir():
        status(path)
        with open_regular(path) as file:
            start = file.read(4)
        if start[:2] == b"PK":
            return _archive(path)
        if start[:2] not in (b"\x1f\x8b", b"\0\0"):
            return _table(path, config, dataset)
    raw = load_raw(source, label=None, drop=(), split_seed=config.split_seed, progress=None)
    return raw.inputs


def _archive(path: Path) -> Array:
    with open_regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
            members = {info.filename.lower(): info for info in archive.infolist()}
        except BROKEN as error:
            raise DataError(f"{show(path)}: expected an NPZ archive: {reason(error)}") from None
        info = next((members[f"{name}.npy"] for name in _NAMES if f"{name}.npy" in members), None)
        if info is None:
            raise DataError(f"{show(path)}: expected an array X")
        found = info
        member = Member(show(path), found.file_size, found.compress_size, lambda: archive.open(found))
        inputs = read_array(member)
    if inputs.dtype.kind not in NUMBERS:
        raise DataError(f"{show(path)}: expected numbers in X, found {inputs.dtype.name}")
    check_inputs(inputs, show(path))
    return inputs


def _table(path: Path, config: RunConfig, dataset: Dataset) -> Array:
    with open_regular(path) as file:
        check_size(show(path), size := file.seek(0, 2))
        file.seek(0)
        raw = file.read(size)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{show(path)}: expected text in UTF-8") from None
    if max(map(len, raw.split(b"\n"))) > LONGEST_LINE:
        raise DataError(f"{show(path)}: expected lines of at most {LONGEST_LINE} bytes")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sniff(text.split("\n", 1)[0]), strict=True)
    try:
        rows = [
            (reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise DataError(
            f"{show(path)}: line {reader.line_num}: expected cells in CSV: {one_line(error)}"
        ) from None
    if not rows:
        raise DataError(f"{show(path)}: expected rows of a table, found an empty file")
    columns, header = _columns(show(path), rows[0][1], config, dataset)
    values = [_numbers(show(path), line, cells, columns) for line, cells in rows[header:]]
    if not values:
        raise DataError(f"{show(path)}: expected rows below the header, found none")
    return np.array(values, np.float64)


def _columns(
    place: str, first: list[str], config: RunConfig, dataset: Dataset
) -> tuple[tuple[int, ...], bool]:
    """Where the inputs are, and whether the first row is a header: by name, else by their number."""
    features = dataset.features
    if features and set(features) <= set(first):
        return tuple(first.index(name) for name in features), True
    header = all(number(cell) is None for cell in first)
    if len(first) == dataset.n_features:
        return tuple(range(len(first))), header
    if len(first) == dataset.n_features + 1 + len(config.drop):
        columns, header = choose(place, 1, first, config.label, config.drop)
        return columns.inputs, header
    named = ", ".join(features[:8]) + (", …" if len(features) > 8 else "")
    raise DataError(f"{place}: expected {dataset.n_features} columns {named}, found {len(first)} columns")


def _numbers(place: str, line: int, cells: list[str], columns: tuple[int, ...]) -> list[float]:
    out = []
    for column in columns:
        value = number(cells[column]) if column < len(cells) else None
        if value is None or not np.isfinite(value):
            found = repr(cells[column][:40]) if column < len(cells) else "no cell"
            raise DataError(
                f"{place}: line {line}, column {column + 1}: expected a finite number, found {found}"
            )
        out.append(value)
    return out
