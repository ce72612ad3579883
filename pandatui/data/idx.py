"""IDX, the format that MNIST and its descendants are distributed in, plain or compressed with gzip.

A file is four bytes of magic (0, 0, the type, the number of axes), the sizes as big-endian 32-bit numbers,
the data. A plain file's length is compared with that before reading; a compressed one is read no further than
that.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from pandatui.data.errors import DataError, quote, show
from pandatui.data.labels import encode
from pandatui.data.opening import check_size, open_regular, reason
from pandatui.data.raw import Raw, check_inputs
from pandatui.data.standardise import Array, Progress

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_AXES = 8
BLOCK = 1 << 20


def read_idx(path: Path, progress: Progress | None = None) -> Array:
    """The array in an IDX file, native byte order, C order. Raises DataError for any damage."""
    place = show(path)
    with open_regular(path) as file:
        length = file.seek(0, 2)
        file.seek(0)
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            if not compressed:
                return _read(file, place, length, None, progress)
            with gzip.open(file, "rb") as stream:
                return _read(cast(IO[bytes], stream), place, None, length, progress)
        except (EOFError, zlib.error, OSError) as error:
            raise DataError(f"{place}: expected a whole gzip file, found damage: {reason(error)}") from None
        except MemoryError:
            raise DataError(f"{place}: expected data that fit in memory, found more") from None


def _read(
    stream: IO[bytes], place: str, length: int | None, compressed: int | None, progress: Progress | None
) -> Array:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= MOST_AXES:
        raise DataError(f"{place}: expected the magic number of an IDX file, found {quote(magic)}")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{place}: expected {magic[3]} sizes in the header, found the end of the file")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    dtype = np.dtype(TYPES[magic[2]])
    promised = math.prod(shape) * dtype.itemsize
    header = 4 + len(sizes)
    check_size(place, promised, compressed)
    if length is not None and length != header + promised:
        raise DataError(f"{place}: expected {promised} bytes for sizes {shape}, found {length - header}")
    data = np.empty(promised, dtype=np.uint8)
    view = data.data
    done = 0
    while done < promised:
        block = stream.read(min(BLOCK, promised - done))
        if not block:
            raise DataError(f"{place}: expected {promised} bytes for sizes {shape}, found {done}")
        view[done : done + len(block)] = block
        done += len(block)
        if progress is not None:
            progress("reading", done / promised)
    if stream.read(1):  # gzip compares its checksum here
        raise DataError(f"{place}: expected {promised} bytes for sizes {shape}, found more")
    return data.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def has_idx(folder: Path) -> bool:
    """Whether a folder holds MNIST's file of training images under any of its names."""
    return _find(folder, "train", "images") is not None


def _find(folder: Path, part: str, what: str) -> Path | None:
    rank = 3 if what == "images" else 1
    for name in (f"{part}-{what}-idx{rank}-ubyte", f"{part}-{what}.idx{rank}-ubyte"):
        for ending in ("", ".gz"):
            if (folder / (name + ending)).exists():
                return folder / (name + ending)
    return None


def load_idx_folder(folder: Path, source: str, progress: Progress | None = None) -> Raw:
    """The four files of MNIST; train-images and train-labels alone will do, both of t10k come together."""
    found = [_find(folder, part, what) for part in ("train", "t10k") for what in ("images", "labels")]
    train_images, train_labels, test_images, test_labels = found
    if train_images is None or train_labels is None:
        raise DataError(
            f"{show(folder)}: expected train-images-idx3-ubyte and train-labels-idx1-ubyte, found one"
        )
    if (test_images is None) != (test_labels is None):
        raise DataError(f"{show(folder)}: expected t10k images and labels together, found one of them")
    pairs = [(train_images, train_labels)]
    if test_images is not None and test_labels is not None:
        pairs.append((test_images, test_labels))
    return _load(pairs, folder.resolve().name, source, progress)


def load_idx_file(path: Path, source: str, progress: Progress | None = None) -> Raw:
    """One file of images, with its labels beside it under the same name, "labels" for "images"."""
    labels = None
    if "images" in path.name:
        plain = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
        candidates = [path.with_name(plain), path.with_name(plain + ".gz")]
        labels = next((candidate for candidate in candidates if candidate.exists()), None)
        if labels is None:
            raise DataError(
                f"{show(path)}: expected its labels beside it in {show(plain)}, found no such file"
            )
    if labels is None:
        raise DataError(
            f"{show(path)}: expected an IDX file of images with 'images' in its name, or their folder"
        )
    return _load([(path, labels)], path.name.removesuffix(".gz"), source, progress)


def _load(pairs: list[tuple[Path, Path]], name: str, source: str, progress: Progress | None) -> Raw:
    inputs: list[Array] = []
    labels: list[tuple[str, Array]] = []
    for images_path, labels_path in pairs:
        images, targets = read_idx(images_path, progress), read_idx(labels_path)
        check_inputs(images, show(images_path))
        if targets.ndim != 1 or targets.dtype.kind == "f":
            raise DataError(
                f"{show(labels_path)}: expected one whole number a row, found shape {targets.shape}"
            )
        if len(targets) != len(images):
            raise DataError(
                f"{show(labels_path)}: expected as many labels as images, {len(images)}, found {len(targets)}"
            )
        inputs.append(images)
        labels.append((show(labels_path), targets))
    if inputs[-1].shape[1:] != inputs[0].shape[1:]:
        raise DataError(
            f"{show(pairs[-1][0])}: expected test images of shape {inputs[0].shape[1:]}, "
            f"found {inputs[-1].shape[1:]}"
        )
    classes, codes = encode(labels)
    rows = len(inputs[0])
    image = inputs[0].ndim >= 3
    own_test = len(pairs) == 2
    return Raw(
        name=name,
        source=source,
        kind="IDX",
        inputs=inputs[0],
        labels=codes[:rows],
        classes=classes,
        features=() if image else tuple(f"x{column + 1}" for column in range(inputs[0].shape[1])),
        image_shape=inputs[0].shape[1:] if image else None,
        test_inputs=inputs[1] if own_test else None,
        test_labels=codes[rows:] if own_test else None,
    )
