"""Inputs on a common scale: (raw − mean) / scale, with the training rows' statistics.

Tables are standardised by column, images by their overall mean and deviation (by column, rare pixels blow
up). All sums run in float64 over chunks whose size depends on the row's width alone, with plain additions, so
that the statistics have the same bits on every machine and no float64 copy of the data is ever made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError
from pandatui.data.mapped import Mapped

Array = npt.NDArray[Any]
Kind = Literal["column", "overall", "none"]
Progress = Callable[[str, float], None]
See = Callable[[Array], None]

KINDS: tuple[str, ...] = ("auto", "column", "overall", "none")
DTYPES: tuple[str, ...] = ("float32", "float64")

CHUNK_ROWS = 1024
CHUNK_VALUES = 1 << 20  # a chunk is at most 8 MiB of float64, one row if that is wider


def chunks(rows: int, features: int) -> Iterator[slice]:
    """Slices that cover `rows` rows in order; their size depends on `features` alone."""
    size = max(1, min(CHUNK_ROWS, CHUNK_VALUES // max(features, 1)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def table(raw: Array | Mapped) -> Array | Mapped:
    """Raw rows with their trailing axes flattened, (rows, features); what is mapped gives them so anyway."""
    return raw if isinstance(raw, Mapped) else raw.reshape(len(raw), math.prod(raw.shape[1:]))


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Of some rows, by column: mean, variance (1/m, two-pass), low and high; float64 (features,)."""

    mean: Array
    variance: Array
    low: Array
    high: Array
    rows: int

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """Columns that hold one value only, (features,)."""
        return np.asarray(self.low == self.high)


def measure(
    raw: Array | Mapped, rows: Array, progress: Progress | None = None, see: See | None = None
) -> Statistics:
    """Statistics of raw[rows]; raw is (rows, ...) of any real dtype, `rows` in ascending order.

    On the way through, `see` is shown every row of raw, in order and once: stretches of (m, features). The
    variance takes a second way through the rows.
    """
    flat = table(raw)
    features = math.prod(raw.shape[1:])
    total, squares = np.zeros(features), np.zeros(features)
    low, high = np.full(features, np.inf), np.full(features, -np.inf)
    seen = 0
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # too large a value shows in the result, and is told there
        for part in chunks(len(rows), features):
            end = int(rows[part.stop - 1]) + 1 if part.stop < len(rows) else len(raw)
            stretch = flat[seen:end]
            if see is not None:
                see(stretch)
            block = stretch[rows[part] - seen].astype(np.float64)
            seen = end
            total += np.add.reduce(block, axis=0)
            np.minimum(low, block.min(axis=0), out=low)
            np.maximum(high, block.max(axis=0), out=high)
            if progress is not None:
                progress("measuring", 0.5 * part.stop / len(rows))
        mean = total / len(rows)
        for part in chunks(len(rows), features):
            block = flat[rows[part]].astype(np.float64)
            block -= mean
            block *= block
            squares += np.add.reduce(block, axis=0)
            if progress is not None:
                progress("measuring", 0.5 + 0.5 * part.stop / len(rows))
        variance = squares / len(rows)
    return Statistics(mean, variance, low, high, len(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Standardisation:
    """How raw inputs become a network's inputs: (raw − mean) / scale.

    `mean` and `scale` are float64, (features,) for "column" and (1,) for "overall" and "none" (0 and 1).
    """

    kind: Kind
    mean: Array
    scale: Array

    def apply(self, raw: Array, dtype: str | npt.DTypeLike = "float32") -> Array:
        """Raw rows (rows, features) or (rows, height, width, ...) → (rows, features), C order.

        Raises DataError for another number of features, or values that dtype cannot hold.
        """
        return self.gather(raw, np.arange(len(raw)), dtype)

    def gather(
        self,
        raw: Array | Mapped,
        rows: Array,
        dtype: str | npt.DTypeLike = "float32",
        progress: Progress | None = None,
    ) -> Array:
        """apply(raw[rows]) without a copy of raw[rows] at full precision."""
        flat = table(raw)
        features = math.prod(raw.shape[1:])
        if len(self.mean) not in (1, features):
            raise DataError(f"expected rows of {len(self.mean)} features, found {features}")
        out = np.empty((len(rows), features), dtype=dtype)  # (rows, features)
        with np.errstate(over="ignore", invalid="ignore"):
            for part in chunks(len(rows), features):
                block = flat[rows[part]]
                self.into(block, np.empty(block.shape), out[part])
                if not np.isfinite(out[part]).all():
                    row, column = np.argwhere(~np.isfinite(out[part]))[0]
                    value = block[row, column].item()
                    raise DataError(
                        f"row {int(rows[part][row]) + 1}, input {int(column) + 1}: expected a number that "
                        f"{out.dtype.name} can hold once standardised, found {value!r}"
                    )
                if progress is not None:
                    progress("standardising", part.stop / len(rows))
        return out

    def into(self, raw: Array, wide: Array, out: Array) -> None:
        """Raw rows (m, features) standardised into out, by way of `wide`, float64; both of the same shape.

        The one place where it is computed, so that rows have the same bits whenever they are standardised.
        """
        np.copyto(wide, raw)
        np.subtract(wide, self.mean, out=wide)
        np.divide(wide, self.scale, out=wide)
        np.copyto(out, wide, casting="same_kind")


def resolve(standardise: str, image_shape: tuple[int, ...] | None) -> Kind:
    """The kind that "auto" stands for: "column" for tables, "overall" for images; other kinds as they are."""
    if standardise not in KINDS:
        raise DataError(f"standardise: expected one of {', '.join(KINDS)}, found {standardise!r}")
    if standardise == "auto":
        return "column" if image_shape is None else "overall"
    return cast(Kind, standardise)


def from_statistics(kind: Kind, of: Statistics) -> Standardisation:
    """The standardisation of one kind from the training rows' statistics. What is constant gets scale 1.

    Overall, with equal counts in all columns: the mean of means, and the mean of the variances plus the
    variance of the means, summed exactly (math.fsum).
    """
    if kind == "none":
        return Standardisation(kind, np.zeros(1), np.ones(1))
    mean, variance, constant = of.mean, of.variance, of.constant
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        column = int(np.argmax(~(np.isfinite(mean) & np.isfinite(variance))))
        raise DataError(
            f"input {column + 1}: expected numbers that can be squared and summed, found values up to "
            f"{max(abs(float(of.low[column])), abs(float(of.high[column])))!r}"
        )
    if kind == "overall":
        centre = math.fsum(mean) / len(mean)
        spread = math.fsum(variance) + math.fsum((mean - centre) * (mean - centre))
        mean, variance = np.array([centre]), np.array([spread / len(of.mean)])
        constant = np.array([bool(of.low.min() == of.high.max())])
    # A variance that underflowed would divide by (nearly) nothing: such a column is as good as constant.
    constant = constant | (variance < np.finfo(np.float64).tiny)
    return Standardisation(kind, mean, np.where(constant, 1.0, np.sqrt(variance)))
