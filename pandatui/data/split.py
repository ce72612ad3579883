"""Which rows go into train, dev and test: stratified by class, the same for the same labels and seed.

A class of three rows or more is in every part; one or two rows of a class go to train, where they can do some
good.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError

Rows = npt.NDArray[np.intp]

HELD_OUT = 10  # one row in ten goes to dev, one to test
FEWEST = 3  # rows of a class that let it be in every part

# Streams spawned from split_seed. Making data and splitting them never share draws.
MAKING, SPLITTING = 0, 1


def stream(split_seed: int, purpose: int) -> np.random.Generator:
    """The generator for one purpose (MAKING or SPLITTING) of a split seed."""
    return np.random.default_rng(np.random.SeedSequence(split_seed, spawn_key=(purpose,)))


def quotas(counts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How many rows of each class one held-out part gets, given the classes' counts (classes,).

    A tenth, rounded down but at least one where a class has three rows; what is then missing to a tenth of
    all rows goes one by one to the largest remainders, ties to the lower class.
    """
    counts = counts.astype(np.int64)
    held = np.where(counts >= FEWEST, np.maximum(counts // HELD_OUT, 1), 0)
    remainders = np.where(counts >= FEWEST, counts - HELD_OUT * held, 0)
    missing = (int(counts.sum()) + HELD_OUT // 2) // HELD_OUT - int(held.sum())
    for label in np.argsort(-remainders, kind="stable")[: max(missing, 0)]:
        if remainders[label] > 0:
            held[label] += 1
    return held


def stratified(
    labels: npt.NDArray[np.intp], n_classes: int, split_seed: int, *, parts: int, where: str
) -> tuple[Rows, ...]:
    """Rows of train and of `parts` held-out parts (1: dev; 2: dev, test), each in ascending order.

    Raises DataError when a held-out part would be empty, which is when no class has three rows.
    """
    counts = np.bincount(labels, minlength=n_classes)
    held = quotas(counts)
    if not held.any():
        raise DataError(
            f"{where}: expected a class with at least {FEWEST} rows, so that dev is not empty; "
            f"found {len(labels)} rows in {n_classes} classes, at most {int(counts.max())} in one"
        )
    order = stream(split_seed, SPLITTING).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # by class, shuffled within it
    first = np.cumsum(counts) - counts
    place = np.arange(len(labels)) - np.repeat(first, counts)  # of a row within its class
    part = np.repeat(held, counts)  # rows its class gives to one part
    # Places below held are dev, the next held are test, all others train.
    which = np.minimum(place // np.maximum(part, 1), parts)
    which[part == 0] = parts
    held_out = tuple(np.sort(order[which == number]) for number in range(parts))
    return (np.sort(order[which == parts]), *held_out)
