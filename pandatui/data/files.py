"""From a path to what it holds: the kind is known by the first bytes, never by the name alone."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from pandatui.data.arrays import KEYS, load_folder, load_npz
from pandatui.data.errors import DataError, show
from pandatui.data.idx import has_idx, load_idx_file, load_idx_folder
from pandatui.data.opening import open_regular, reason, status
from pandatui.data.raw import Raw
from pandatui.data.standardise import Progress
from pandatui.data.tables import load_csv

KNOWN = "CSV, NPZ, IDX (.gz too), or a folder with X.npy and y.npy or MNIST's four files"


def load_path(
    path: Path, source: str, *, label: str | None, drop: Sequence[str], progress: Progress | None
) -> Raw:
    """What is at the path. Raises DataError in one line that names it."""
    if stat.S_ISDIR(status(path).st_mode):
        refuse_columns(show(path), label, drop)
        return _load_folder(path, source, progress)
    with open_regular(path) as file:
        start = file.read(8)
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        refuse_columns(show(path), label, drop)
        return load_npz(path, source, progress)
    if start[:2] in (b"\x1f\x8b", b"\0\0"):
        refuse_columns(show(path), label, drop)
        return load_idx_file(path, source, progress)
    if start[:6] == b"\x93NUMPY":
        raise DataError(
            f"{show(path)}: expected a folder with X.npy and y.npy, found one .npy file: name its folder"
        )
    if not start:
        raise DataError(f"{show(path)}: expected {KNOWN}, found an empty file")
    if path.suffix.lower() == ".npz":
        raise DataError(f"{show(path)}: expected an NPZ archive, found a file that starts with {start!a}")
    if path.name.removesuffix(".gz").endswith("ubyte"):
        raise DataError(f"{show(path)}: expected an IDX file, found a file that starts with {start!a}")
    return load_csv(path, source, label, drop, progress)


def refuse_columns(place: str, label: str | None, drop: Sequence[str]) -> None:
    """--label and --drop choose columns of a CSV file; elsewhere they would be forgotten without a word."""
    if label is not None or drop:
        option = "label" if label is not None else "drop"
        raise DataError(f"{place}: expected a CSV file to go with --{option}, found other data")


def _load_folder(path: Path, source: str, progress: Progress | None) -> Raw:
    try:
        names = {entry.name.lower() for entry in path.iterdir()}
        if has_idx(path):
            return load_idx_folder(path, source, progress)
        if names & {f"{key}.npy" for key in KEYS}:
            return load_folder(path, source, progress)
    except OSError as error:
        raise DataError(f"{show(path)}: cannot be read: {reason(error)}") from None
    raise DataError(
        f"{show(path)}: expected X.npy and y.npy, or train-images-idx3-ubyte and train-labels-idx1-ubyte "
        f"(.gz too), found a folder with {'neither' if names else 'nothing'}"
    )
