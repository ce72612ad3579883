"""What is learned of raw data on the way through: hash, statistics of the training rows, how far values go.

What is mapped is found to be finite on the same way, since nobody has read it before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from pandatui.data.errors import DataError
from pandatui.data.mapped import Mapped
from pandatui.data.raw import Raw, check_finite
from pandatui.data.split import Rows
from pandatui.data.standardise import Array, Progress, Standardisation, Statistics, chunks, measure, table


class Fingerprint:
    """SHA-256 over classes and arrays (inputs, labels, own test split), each after its dtype and shape.

    Labels count as int64 and everything as little-endian, so that the hash is the same on every machine.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._digest = hashlib.sha256(("\0".join(classes)).encode("utf-8", "surrogatepass"))

    def begin(self, key: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """An array is about to come."""
        self._digest.update(f"\0{key} {dtype.newbyteorder('<').str} {shape}\0".encode())

    def add(self, rows: Array) -> None:
        """Some of its rows, in order."""
        little = np.ascontiguousarray(rows.astype(rows.dtype.newbyteorder("<"), copy=False))
        self._digest.update(little.reshape(-1).view(np.uint8).data)

    def labels(self, key: str, labels: Array) -> None:
        """Labels, whole."""
        self.begin(key, np.dtype("<i8"), labels.shape)
        self.add(labels.astype("<i8"))

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class Reach:
    """The lowest and highest value of each column of a mapped array, (2, features) float64."""

    def __init__(self, raw: Mapped) -> None:
        self._raw = raw
        self.ends = np.repeat([[np.inf], [-np.inf]], raw.features, axis=1)

    def add(self, rows: Array) -> None:
        """Raise DataError for a number that is not finite."""
        low, high = self.ends
        with np.errstate(invalid="ignore"):
            np.minimum(low, rows.min(axis=0), out=low)
            np.maximum(high, rows.max(axis=0), out=high)
        if not np.isfinite(self.ends).all():  # NaN is passed on by both
            check_finite(self._raw, self._raw.place)

    def fits(self, standardisation: Standardisation, dtype: str) -> bool:
        """Whether dtype holds every value once standardised: what holds for both ends holds between them."""
        try:
            standardisation.apply(self.ends, dtype)
        except DataError:
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What was found: statistics of the training rows, the hash of all, and of what is mapped its reach."""

    statistics: Statistics
    sha256: str
    reach: Reach | None
    test_reach: Reach | None


def survey(raw: Raw, train: Rows, progress: Progress | None = None) -> Survey:
    """One way through all rows, a second through the training rows for their variance. Raises DataError."""
    fingerprint = Fingerprint(raw.classes)
    reach = _reach(raw.inputs)

    def see(rows: Array) -> None:
        fingerprint.add(rows)
        if reach is not None:
            reach.add(rows)

    fingerprint.begin("inputs", raw.inputs.dtype, raw.inputs.shape)
    statistics = measure(raw.inputs, train, progress, see)
    fingerprint.labels("labels", raw.labels)
    test_reach = None
    if raw.test_inputs is not None and raw.test_labels is not None:
        test_reach = _reach(raw.test_inputs)
        fingerprint.begin("test_inputs", raw.test_inputs.dtype, raw.test_inputs.shape)
        flat = table(raw.test_inputs)
        rows = len(raw.test_labels)
        for part in chunks(rows, raw.test_inputs.size // rows):
            stretch = flat[part]
            fingerprint.add(stretch)
            if test_reach is not None:
                test_reach.add(stretch)
            if progress is not None:
                progress("reading", part.stop / rows)
        fingerprint.labels("test_labels", raw.test_labels)
    for inputs in (raw.inputs, raw.test_inputs):
        if isinstance(inputs, Mapped):
            inputs.check()  # what was hashed is what was there all the while
    return Survey(statistics, fingerprint.hexdigest(), reach, test_reach)


def _reach(inputs: Array | Mapped) -> Reach | None:
    return Reach(inputs) if isinstance(inputs, Mapped) else None
