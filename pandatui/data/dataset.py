"""A data set as training sees it: three parts of standardised rows, frozen, with the hash of what was loaded.

`assemble` makes one of what a reader or a generator hands over. Part by part and chunk by chunk, so that
beside the raw arrays only the finished parts are held in memory; of what is mapped, no more than row numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError, show
from pandatui.data.mapped import Mapped
from pandatui.data.raw import Raw
from pandatui.data.split import Rows, stratified
from pandatui.data.standardise import (
    DTYPES,
    Array,
    Progress,
    Standardisation,
    Statistics,
    from_statistics,
    resolve,
)
from pandatui.data.survey import Reach, survey
from pandatui.data.taken import Standardised


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One of train, dev, test. Its arrays are read-only.

    `inputs` (rows, features) float32 or float64, C order, standardised: an array, or where the file is mapped
    what has its shape and gives arrays of the same bits. `labels` (rows,) intp, indices of classes.

    Two doors for whoever reads rows: `take` for mini-batches, slices of `inputs` for chunks of many in order.
    """

    inputs: Array | Standardised
    labels: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.intp], inputs_out: Array, labels_out: npt.NDArray[np.intp]) -> None:
        """Gather a mini-batch into inputs_out (m, features) and labels_out (m,) without allocating.

        `rows` is intp (m,) within 0 … len − 1; others are clipped, since NumPy checks bounds only by way of a
        copy. Raises DataError when a mapped file has changed.
        """
        if isinstance(self.inputs, np.ndarray):
            np.take(self.inputs, rows, axis=0, out=inputs_out, mode="clip")
        else:
            self.inputs.take(rows, inputs_out)
        np.take(self.labels, rows, out=labels_out, mode="clip")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Everything a run needs to know of its data. `sha256` is of the arrays as loaded (see `Fingerprint`)."""

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


def frozen(array: Array) -> Array:
    """A fresh array, made read-only so that no one standardises it twice."""
    array.flags.writeable = False
    return array


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
    found = survey(raw, train, progress)
    standardisation = standardisation_of(raw, found.statistics, standardise)

    def part(inputs: Array | Mapped, labels: npt.NDArray[np.intp], rows: Rows, reach: Reach | None) -> Part:
        try:
            if isinstance(inputs, Mapped):
                taken = Standardised(inputs, rows, standardisation, dtype)
                if reach is None or not reach.fits(standardisation, dtype):
                    taken.check()
                return Part(taken, frozen(labels[rows].astype(np.intp)))
            gathered = standardisation.gather(inputs, rows, dtype, progress)
        except DataError as error:
            raise DataError(f"{show(raw.source)}: {error}") from None
        return Part(frozen(gathered), frozen(labels[rows].astype(np.intp)))

    if test is None:
        assert raw.test_inputs is not None
        assert raw.test_labels is not None
        test_part = part(raw.test_inputs, raw.test_labels, np.arange(len(raw.test_labels)), found.test_reach)
    else:
        test_part = part(raw.inputs, raw.labels, test, found.reach)
    return Dataset(
        name=raw.name,
        source=raw.source,
        train=part(raw.inputs, raw.labels, train, found.reach),
        dev=part(raw.inputs, raw.labels, dev, found.reach),
        test=test_part,
        classes=raw.classes,
        features=raw.features,
        image_shape=raw.image_shape,
        standardisation=standardisation,
        sha256=found.sha256,
    )
