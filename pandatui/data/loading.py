"""`load` gives a run its data; `inspect` says what would be loaded, without standardising it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from pandatui.data.catalog import BUILT_IN, built_in
from pandatui.data.dataset import Dataset, assemble, split_rows, standardisation_of
from pandatui.data.errors import DataError, quote
from pandatui.data.files import load_path, refuse_columns
from pandatui.data.mapped import Mapped
from pandatui.data.raw import Raw
from pandatui.data.split import FEWEST
from pandatui.data.standardise import DTYPES, KINDS, Progress, Statistics
from pandatui.data.survey import survey

LOPSIDED = 10  # the largest class has so many times the rows of the smallest: worth a word


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What `pandatui data FILE` has to say."""

    name: str
    source: str
    kind: str  # "built-in", "CSV", "NPZ", "NPY folder", "IDX"
    train_rows: int
    dev_rows: int
    test_rows: int
    own_test: bool  # whether the test rows are the file's own test split
    n_features: int
    features: tuple[str, ...]  # as in Dataset
    classes: tuple[str, ...]
    counts: tuple[int, ...]  # rows of each class, all parts together
    constant: tuple[str, ...]  # columns (of images: "row,column") with one value in all training rows
    standardisation: str  # "column", "overall" or "none": what "auto" stands for
    image_shape: tuple[int, ...] | None
    mapped: int  # bytes of inputs that stay on disk and are read as they are needed; 0 for what is loaded
    sha256: str
    warnings: tuple[str, ...]  # one line each

    @property
    def rows(self) -> dict[str, int]:
        return {"train": self.train_rows, "dev": self.dev_rows, "test": self.test_rows}


def load(
    source: str,
    *,
    label: str | None = None,
    drop: Sequence[str] = (),
    standardise: str = "auto",
    split_seed: int = 0,
    dtype: str = "float32",
    progress: Progress | None = None,
) -> Dataset:
    """A data set by the name of a built-in set, or by the path of a file or folder.

    A built-in name wins over a file of that name (write ./digits for the file). `label` and `drop` are names
    or numbers of columns, from 1, of a CSV file. `progress(what, fraction)` is called during the work; what
    it raises ends the load. Raises DataError with one line.
    """
    check_options(standardise, dtype)
    raw = load_raw(source, label=label, drop=drop, split_seed=split_seed, progress=progress)
    return assemble(raw, standardise=standardise, split_seed=split_seed, dtype=dtype, progress=progress)


def inspect(
    source: str,
    *,
    label: str | None = None,
    drop: Sequence[str] = (),
    standardise: str = "auto",
    split_seed: int = 0,
    progress: Progress | None = None,
) -> Inspection:
    """What `load` would give for the same arguments, and what to know of it. Raises what `load` raises."""
    check_options(standardise, DTYPES[0])
    raw = load_raw(source, label=label, drop=drop, split_seed=split_seed, progress=progress)
    train, dev, test = split_rows(raw, split_seed)
    found = survey(raw, train, progress)
    statistics = found.statistics
    counts = np.bincount(raw.labels, minlength=len(raw.classes))
    training_counts = counts
    if raw.test_labels is not None:
        counts = counts + np.bincount(raw.test_labels, minlength=len(raw.classes))
    own_rows = 0 if raw.test_labels is None else len(raw.test_labels)
    constant = constant_columns(raw, statistics)
    return Inspection(
        name=raw.name,
        source=raw.source,
        kind=raw.kind,
        train_rows=len(train),
        dev_rows=len(dev),
        test_rows=own_rows if test is None else len(test),
        own_test=test is None,
        n_features=len(statistics.mean),
        features=raw.features,
        classes=raw.classes,
        counts=tuple(counts.tolist()),
        constant=constant,
        standardisation=standardisation_of(raw, statistics, standardise).kind,
        image_shape=raw.image_shape,
        mapped=sum(each.nbytes for each in (raw.inputs, raw.test_inputs) if isinstance(each, Mapped)),
        sha256=found.sha256,
        warnings=tuple(warnings_of(raw, training_counts.tolist(), constant)),
    )


def check_options(standardise: str, dtype: str) -> None:
    """Before a long load, not after it."""
    if standardise not in KINDS:
        raise DataError(f"standardise: expected one of {', '.join(KINDS)}, found {quote(standardise)}")
    if dtype not in DTYPES:
        raise DataError(f"dtype: expected {' or '.join(DTYPES)}, found {quote(dtype)}")


def load_raw(
    source: str, *, label: str | None, drop: Sequence[str], split_seed: int, progress: Progress | None
) -> Raw:
    """What the source names, as it is. Raises DataError, for running out of memory too."""
    if source in BUILT_IN:
        refuse_columns(source, label, drop)
        return built_in(source, split_seed)
    path = Path(source)
    if not source or not (looks_like_a_path(source) or os.path.lexists(source)):
        near = get_close_matches(source, BUILT_IN, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise DataError(
            f"{quote(source)}: expected a file or one of {', '.join(BUILT_IN)}, found neither{hint}"
        )
    try:
        return load_path(path, source, label=label, drop=drop, progress=progress)
    except MemoryError:
        raise DataError(f"{quote(source)}: expected data that fit in memory, found more") from None


def looks_like_a_path(source: str) -> bool:
    return "/" in source or os.sep in source or "." in source or "\0" in source


def constant_columns(raw: Raw, statistics: Statistics) -> tuple[str, ...]:
    """Names of the columns with one value in all training rows; an image's pixels by their indices from 0."""
    found = np.flatnonzero(statistics.constant)
    if raw.image_shape is None:
        return tuple(raw.features[column] for column in found)
    places = np.stack(np.unravel_index(found, raw.image_shape), axis=1)
    return tuple(",".join(map(str, place)) for place in places.tolist())


def warnings_of(raw: Raw, counts: list[int], constant: tuple[str, ...]) -> list[str]:
    """One line for each thing that would spoil training or its figures; counts of the rows to be split."""
    lines = []
    scarce = [name for name, count in zip(raw.classes, counts, strict=True) if 0 < count < FEWEST]
    absent = [name for name, count in zip(raw.classes, counts, strict=True) if count == 0]
    if scarce:
        names = ", ".join(map(quote, scarce[:5])) + (", …" if len(scarce) > 5 else "")
        lines.append(f"too few rows to be in dev and test ({FEWEST} are needed): class {names}")
    if absent:
        names = ", ".join(map(quote, absent[:5])) + (", …" if len(absent) > 5 else "")
        lines.append(f"in the test set only, cannot be learned: class {names}")
    largest, smallest = max(counts), min(count for count in counts if count)
    if largest >= LOPSIDED * smallest:
        lines.append(
            f"unbalanced: the largest class has {largest} rows, the smallest {smallest}; "
            f"always guessing the largest is right in {100 * largest / sum(counts):.1f} %"
        )
    if constant and raw.image_shape is None:
        names = ", ".join(map(quote, constant[:5])) + (", …" if len(constant) > 5 else "")
        lines.append(f"constant in the training rows, so of no use: column {names}")
    return lines
