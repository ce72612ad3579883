"""`Raw` is what a reader or a generator hands over, and what its inputs have to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pandatui.data.errors import DataError
from pandatui.data.mapped import Mapped
from pandatui.data.standardise import Array, chunks, table


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Data as loaded, before split and standardisation.

    `inputs` (rows, features), or (rows, height, width, ...) for images, any real dtype of up to 64 bits,
    finite (what is mapped is looked through by `survey`); `labels` (rows,) intp into `classes`. A file's own
    test split is in `test_inputs` and `test_labels`.
    """

    name: str
    source: str
    kind: str  # "built-in", "CSV", "NPZ", "NPY folder", "IDX"
    inputs: Array | Mapped
    labels: npt.NDArray[np.intp]
    classes: tuple[str, ...]
    features: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    test_inputs: Array | Mapped | None = None
    test_labels: npt.NDArray[np.intp] | None = None


def check_inputs(inputs: Array | Mapped, place: str) -> None:
    """Raise DataError for inputs without rows, or with one that is not finite; that of mapped ones waits."""
    if inputs.ndim < 2:
        raise DataError(
            f"{place}: expected (rows, features) or (rows, height, width), found shape {inputs.shape}"
        )
    if inputs.size == 0:
        raise DataError(f"{place}: expected at least one row and one feature, found shape {inputs.shape}")
    if not isinstance(inputs, Mapped):
        check_finite(inputs, place)


def check_finite(inputs: Array | Mapped, place: str) -> None:
    """Raise DataError for the first number that is not finite."""
    if inputs.dtype.kind != "f":
        return
    flat = table(inputs)
    for part in chunks(len(inputs), inputs.size // len(inputs)):
        wrong = ~np.isfinite(flat[part])
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            index = (part.start + row, *np.unravel_index(column, inputs.shape[1:]))
            where = ", ".join(str(int(i)) for i in index)
            raise DataError(
                f"{place}[{where}]: expected a finite number, found {flat[part][row, column].item()}"
            )
