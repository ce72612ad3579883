"""NPZ archives and folders of .npy files, read by our own few lines instead of np.load.

np.load fills memory with whatever a header or an archive promises. Here a member's header is parsed by three
regular expressions (no evaluation, no pickle, plain dtypes only), compared with the size that the archive's
directory or the file system gives, and only then is an array made, or a large file mapped.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from pandatui.data import mapped
from pandatui.data.errors import DataError, listing, quote, show
from pandatui.data.labels import encode
from pandatui.data.mapped import Mapped
from pandatui.data.opening import check_length, check_size, open_regular, reason
from pandatui.data.raw import Raw, check_inputs
from pandatui.data.standardise import Array, Progress

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000
MOST_AXES = 8
BLOCK = 1 << 20

DESCR = re.compile(r"""['"]descr['"]\s*:\s*(?:['"]([^'"]*)['"]|(\[))""")
ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d,\sL]*)\)""")
PLAIN = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248]|[US][1-9]\d{0,5})")
NUMBERS = "biuf"

# What reading a damaged or unusual archive may raise.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One array that can be read: where it is, how large it is, and how to open it.

    `file` is true for a file of its own, which can be mapped.
    """

    place: str
    size: int
    compressed: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    file: bool = False

    def maps(self, header: Header) -> bool:
        """Whether its inputs stay on disk: plain numbers in C order in a large file of their own."""
        plain = header.dtype.kind in "iuf" and not header.fortran and len(header.shape) >= 2
        return self.file and plain and header.nbytes >= mapped.MAPPED_FROM


@dataclass(frozen=True, slots=True)
class Header:
    """What a .npy header says, and how many bytes it takes itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    length: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes], place: str) -> Header:
    """The header of a .npy stream. Raises DataError unless it names a plain dtype and a shape."""
    start = stream.read(8)
    if start[:6] != MAGIC:
        raise DataError(f"{place}: expected an array in .npy format, found {quote(start)}")
    if start[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise DataError(f"{place}: expected .npy version 1 to 3, found {quote(start[6:])}")
    form = "<H" if start[6] == 1 else "<I"
    width = struct.calcsize(form)
    raw_length = stream.read(width)
    length = struct.unpack(form, raw_length)[0] if len(raw_length) == width else LONGEST_HEADER + 1
    text = stream.read(min(length, LONGEST_HEADER)).decode("latin-1")
    if length > LONGEST_HEADER or len(text) < length:
        raise DataError(
            f"{place}: expected a .npy header of up to {LONGEST_HEADER} bytes, found it cut or longer"
        )
    descr, order, shape = DESCR.search(text), ORDER.search(text), SHAPE.search(text)
    if descr is None or order is None or shape is None:
        raise DataError(
            f"{place}: expected a .npy header with descr, fortran_order and shape, found {quote(text)}"
        )
    if descr[2] or not PLAIN.fullmatch(descr[1]):
        kind = "a structured dtype" if descr[2] else "dtype " + quote(descr[1])
        hint = " (Python objects; they are never unpickled)" if "O" in (descr[1] or "") else ""
        raise DataError(
            f"{place}: expected numbers of up to 64 bits, or strings as labels, found {kind}{hint}"
        )
    sizes = tuple(int(size[:20]) for size in re.findall(r"\d+", shape[1]))
    if len(sizes) > MOST_AXES:
        raise DataError(f"{place}: expected at most {MOST_AXES} axes, found {len(sizes)}")
    return Header(np.dtype(descr[1]), sizes, order[1] == "True", len(start) + width + length)


def read_array(member: Member, progress: Progress | None = None) -> Array:
    """The member as an array of native byte order, C order. DataError comes before anything large."""
    try:
        with member.open() as stream:
            header = read_header(stream, member.place)
            check_size(member.place, header.nbytes, member.compressed)
            check_length(member.place, header.dtype, header.shape, member.size - header.length)
            data = np.empty(header.nbytes, dtype=np.uint8)
            view = data.data
            done = 0
            while done < len(view):
                block = stream.read(min(BLOCK, len(view) - done))
                if not block:
                    raise DataError(f"{member.place}: expected {len(view)} bytes of data, found {done}")
                view[done : done + len(block)] = block
                done += len(block)
                if progress is not None:
                    progress("reading", done / len(view))
            stream.read(1)  # the archive's checksum is compared at the end of the stream
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{member.place}: expected a readable array, found damage: {reason(error)}") from None
    if header.dtype.kind == "b":
        data = (data != 0).view(np.uint8)  # a byte other than 0 and 1 is true, as everywhere
        header = replace(header, dtype=np.dtype(np.uint8))
    array: Array = data.view(header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    native: Array = np.ascontiguousarray(array.astype(header.dtype.newbyteorder("="), copy=False))
    return native


def read_inputs(member: Member, progress: Progress | None = None) -> Array | Mapped:
    """As read_array, or the file mapped where it is a large one."""
    if member.file:
        with member.open() as file:
            header = read_header(file, member.place)
            if member.maps(header):
                try:
                    return Mapped(
                        cast(BinaryIO, file), member.place, header.dtype, header.shape, header.length
                    )
                except OSError as error:
                    raise DataError(f"{member.place}: cannot be mapped: {reason(error)}") from None
    return read_array(member, progress)


def load_npz(path: Path, source: str, progress: Progress | None = None) -> Raw:
    """An NPZ archive with X and y, or x_train, y_train and, if it has them, x_test and y_test."""
    with open_regular(path) as file:
        return from_archive(file, show(path), path.stem, source, progress)


def from_archive(file: BinaryIO, place: str, name: str, source: str, progress: Progress | None = None) -> Raw:
    """As load_npz, from an open file."""
    try:
        archive = zipfile.ZipFile(file)
    except BROKEN as error:
        raise DataError(f"{place}: expected an NPZ archive, found damage: {reason(error)}") from None
    with archive:
        members: dict[str, Member] = {}
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            key = info.filename[: -len(".npy")]
            if key.lower() in members:
                raise DataError(f"{place}: expected one array named {quote(key.lower())}, found two")

            def opened(info: zipfile.ZipInfo = info) -> AbstractContextManager[IO[bytes]]:
                return archive.open(info)

            members[key.lower()] = Member(
                f"{place}, {quote(key)}", info.file_size, info.compress_size, opened
            )
        return _from_members(members, place, name, source, "NPZ", progress)


def load_folder(path: Path, source: str, progress: Progress | None = None) -> Raw:
    """A folder with X.npy and y.npy, or with x_train.npy and so on."""
    members: dict[str, Member] = {}
    for entry in sorted(path.iterdir()):
        if entry.suffix == ".npy" and entry.stem.lower() in KEYS:

            def opened(entry: Path = entry) -> AbstractContextManager[IO[bytes]]:
                return open_regular(entry)

            with open_regular(entry) as file:
                size = file.seek(0, 2)
            members[entry.stem.lower()] = Member(show(entry), size, size, opened, file=True)
    return _from_members(members, show(path), path.resolve().name, source, "NPY folder", progress)


KEYS = frozenset({"x", "y", "x_train", "y_train", "x_test", "y_test"})


def _from_members(
    members: dict[str, Member], place: str, name: str, source: str, kind: str, progress: Progress | None
) -> Raw:
    if {"x", "y"} <= members.keys():
        keys = ("x", "y")
    elif {"x_train", "y_train"} <= members.keys():
        keys = ("x_train", "y_train")
    else:
        found = listing(members) or "no arrays"
        raise DataError(f"{place}: expected arrays X and y, or x_train and y_train, found {found}")
    own_test = keys == ("x_train", "y_train") and bool({"x_test", "y_test"} & members.keys())
    if own_test and not {"x_test", "y_test"} <= members.keys():
        raise DataError(f"{place}: expected x_test and y_test together, found one of them")
    wanted = [*keys, *(("x_test", "y_test") if own_test else ())]
    _check_headers([members[key] for key in wanted])
    pairs = [
        (read_inputs(members[x], progress), read_array(members[y], progress))
        for x, y in zip(wanted[::2], wanted[1::2], strict=True)
    ]
    inputs, labels = pairs[0]
    test_inputs = pairs[1][0] if own_test else None
    for (rows, targets), x, y in zip(pairs, wanted[::2], wanted[1::2], strict=True):
        check_inputs(rows, members[x].place)
        _check_lengths(rows, targets, place, x, y)
    if test_inputs is not None and test_inputs.shape[1:] != inputs.shape[1:]:
        raise DataError(
            f"{place}: expected test rows of shape {inputs.shape[1:]}, found {test_inputs.shape[1:]}"
        )
    labelled = zip(wanted[1::2], pairs, strict=True)
    classes, codes = encode([(members[y].place, targets) for y, (_, targets) in labelled])
    image = inputs.ndim >= 3
    return Raw(
        name=name,
        source=source,
        kind=kind,
        inputs=inputs,
        labels=codes[: len(labels)],
        classes=classes,
        features=() if image else tuple(f"x{column + 1}" for column in range(inputs.shape[1])),
        image_shape=inputs.shape[1:] if image else None,
        test_inputs=test_inputs,
        test_labels=codes[len(labels) :] if own_test else None,
    )


def _check_headers(members: list[Member]) -> None:
    """All headers before any data: inputs (even places) hold numbers, and both sizes are true."""
    for index, member in enumerate(members):
        try:
            with member.open() as stream:
                header = read_header(stream, member.place)
        except DataError:
            raise
        except BROKEN as error:
            raise DataError(
                f"{member.place}: expected a readable array, found damage: {reason(error)}"
            ) from None
        if index % 2 == 0 and header.dtype.kind not in NUMBERS:
            raise DataError(f"{member.place}: expected numbers as inputs, found {header.dtype.name}")
        if index % 2 == 1 or not member.maps(header):
            check_size(member.place, header.nbytes, member.compressed)


def _check_lengths(inputs: Array | Mapped, labels: Array, place: str, x: str, y: str) -> None:
    if len(labels) != len(inputs):
        raise DataError(
            f"{place}: expected as many labels in {y} as rows in {x}, {len(inputs)}, found {len(labels)}"
        )
