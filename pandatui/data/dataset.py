"""A data set as training sees it: three parts of standardised rows, frozen, with the hash of what was loaded.

`Raw` is what a reader or a generator hands over; `assemble` splits, standardises and freezes it. Part by part
and chunk by chunk, so that beside the raw arrays only the finished parts are held in memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError, show
from pandatui.data.split import Rows, stratified
from pandatui.data.standardise import (
    DTYPES,
    Array,
    Progress,
    Standardisation,
    Statistics,
    from_statistics,
    measure,
    resolve,
)

HASH_BLOCK = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One of train, dev, test. Its arrays are read-only.

    `inputs` (rows, features) float32 or float64, C order, standardised; `labels` (rows,) intp, indices of
    classes.
    """

    inputs: Array
    labels: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.intp], inputs_out: Array, labels_out: npt.NDArray[np.intp]) -> None:
        """Gather a mini-batch into inputs_out (m, features) and labels_out (m,) without allocating.

        The one door through which training reads rows. `rows` is intp (m,) within 0 … len − 1; others are
        clipped, since NumPy checks bounds only by way of a copy.
        """
        np.take(self.inputs, rows, axis=0, out=inputs_out, mode="clip")
        np.take(self.labels, rows, out=labels_out, mode="clip")


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Data as loaded, before split and standardisation.

    `inputs` (rows, features), or (rows, height, width, ...) for images, any real dtype of up to 64 bits,
    finite; `labels` (rows,) intp into `classes`. A file's own test split is in `test_inputs` and
    `test_labels`.
    """

    name: str
    source: str
    kind: str  # "built-in", "CSV", "NPZ", "NPY folder", "IDX"
    inputs: Array
    labels: npt.NDArray[np.intp]
    classes: tuple[str, ...]
    features: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    test_inputs: Array | None = None
    test_labels: npt.NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Everything a run needs to know of its data. `sha256` is of the arrays as loaded (see `fingerprint`)."""

    name: str
    source: str
    train: Part
    dev: Part
    test: Part
    classes: tuple[str, ...]
    features: tuple[str, ...]  # column names, or "x1", "x2", …; () for images
    image_shape: tuple[int, ...] | None
    standardisation: Standardisation
    sha256: str

    @property
    def n_features(self) -> int:
        return int(self.train.inputs.shape[1])

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def dtype(self) -> str:
        return str(self.train.inputs.dtype.name)

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(rows, features) of each part, by its name."""
        parts = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: (len(part), self.n_features) for name, part in parts.items()}


def fingerprint(raw: Raw) -> str:
    """SHA-256 over classes and arrays (inputs, labels, own test split), each after its dtype and shape.

    Labels count as int64 and everything as little-endian, so that the hash is the same on every machine.
    """
    digest = hashlib.sha256(("\0".join(raw.classes)).encode("utf-8", "surrogatepass"))
    arrays = {
        "inputs": raw.inputs,
        "labels": raw.labels.astype("<i8"),
        "test_inputs": raw.test_inputs,
        "test_labels": None if raw.test_labels is None else raw.test_labels.astype("<i8"),
    }
    for key, array in arrays.items():
        if array is None:
            continue
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"\0{key} {little.dtype.str} {little.shape}\0".encode())
        view = little.reshape(-1).view(np.uint8)
        for start in range(0, len(view), HASH_BLOCK):
            digest.update(view[start : start + HASH_BLOCK].data)
    return digest.hexdigest()


def split_rows(raw: Raw, split_seed: int) -> tuple[Rows, Rows, Rows | None]:
    """Rows of train, dev and test; test is None where the file has its own."""
    if split_seed < 0:
        raise DataError(f"split_seed: expected 0 or more, found {split_seed}")
    if raw.test_labels is not None:
        train, dev = stratified(
            raw.labels, len(raw.classes), split_seed, parts=1, where=f"{show(raw.source)}: training part"
        )
        return train, dev, None
    train, dev, test = stratified(raw.labels, len(raw.classes), split_seed, parts=2, where=show(raw.source))
    return train, dev, test


def standardisation_of(raw: Raw, statistics: Statistics, standardise: str) -> Standardisation:
    """The standardisation that training uses; DataError names the file."""
    try:
        return from_statistics(resolve(standardise, raw.image_shape), statistics)
    except DataError as error:
        raise DataError(f"{show(raw.source)}: {error}") from None


def frozen_part(inputs: Array, labels: npt.NDArray[np.intp]) -> Part:
    """A Part of fresh arrays, made read-only so that no one standardises them twice."""
    inputs.flags.writeable = False
    labels.flags.writeable = False
    return Part(inputs, labels)


def assemble(
    raw: Raw,
    *,
    standardise: str = "auto",
    split_seed: int = 0,
    dtype: str = "float32",
    progress: Progress | None = None,
) -> Dataset:
    """Split, standardise and freeze what was loaded. Raises DataError with one line."""
    if dtype not in DTYPES:
        raise DataError(f"dtype: expected {' or '.join(DTYPES)}, found {dtype!r}")
    train, dev, test = split_rows(raw, split_seed)
    standardisation = standardisation_of(raw, measure(raw.inputs, train, progress), standardise)

    def part(inputs: Array, labels: npt.NDArray[np.intp], rows: Rows) -> Part:
        try:
            gathered = standardisation.gather(inputs, rows, dtype, progress)
        except DataError as error:
            raise DataError(f"{show(raw.source)}: {error}") from None
        return frozen_part(gathered, labels[rows].astype(np.intp))

    if test is None:
        assert raw.test_inputs is not None
        assert raw.test_labels is not None
        test_part = part(raw.test_inputs, raw.test_labels, np.arange(len(raw.test_labels)))
    else:
        test_part = part(raw.inputs, raw.labels, test)
    return Dataset(
        name=raw.name,
        source=raw.source,
        train=part(raw.inputs, raw.labels, train),
        dev=part(raw.inputs, raw.labels, dev),
        test=test_part,
        classes=raw.classes,
        features=raw.features,
        image_shape=raw.image_shape,
        standardisation=standardisation,
        sha256=fingerprint(raw),
    )
