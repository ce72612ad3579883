"""What a network predicts, for the eye: regions of the plane, confusion of classes, its worst mistakes.

All of it is test mode on dev data, between two steps, and changes nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pandatui.data import Dataset
from pandatui.data.dataset import Part
from pandatui.nn import Network

MARGIN = 0.06  # of the data's extent, on each side
MOST_ROWS = 20_000  # of dev data looked at
_LEAST_ROWS = 512
_WORK = 5e8  # rows × weights that a look may take while the run trains: tens of milliseconds

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Which class wins where in the plane of two inputs, in their own units, row 0 at the top.

    `winner` (height, width), `certainty` its probability. `bounds`: left, right, bottom, top.
    """

    winner: Ints
    certainty: Floats
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """`confusion` (true, predicted) counts; the rows that were missed worst, with their probabilities.

    `rows` are places in the part, `probability` that of the true label, the smallest first, `sureness` that
    of the label predicted. `first_predicted` is what is predicted for all the rows that were looked at.
    """

    confusion: Ints
    rows: Ints
    true: Ints
    predicted: Ints
    probability: Floats
    sureness: Floats
    first_predicted: Ints

    @property
    def precision(self) -> Floats:
        """By class; NaN for one that is never predicted."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> Floats:
        """By class; NaN for one that does not occur."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=1))


def _share(part: Ints, whole: Ints) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(part / whole, np.float64)


def extent(dataset: Dataset) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of the training and dev points of two inputs, with a margin."""
    points = np.concatenate([raw_inputs(dataset, part) for part in (dataset.train, dataset.dev)])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * np.maximum(high - low, 1e-9)
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(right), float(bottom), float(top)


def raw_inputs(dataset: Dataset, part: Part) -> Floats:
    """The inputs of a part (rows, features) as they were before they were standardised."""
    statistics = dataset.standardisation
    return np.asarray(part.inputs * statistics.scale.ravel() + statistics.mean.ravel(), np.float64)


def regions(
    network: Network, dataset: Dataset, bounds: tuple[float, float, float, float], width: int, height: int
) -> Regions:
    """The class that wins in the middle of each cell. Raises ValueError unless there are 2 inputs."""
    if dataset.n_features != 2:
        raise ValueError(f"{dataset.n_features} inputs: a plane has 2")
    left, right, bottom, top = bounds
    x = left + (np.arange(width) + 0.5) * (right - left) / width
    y = top - (np.arange(height) + 0.5) * (top - bottom) / height
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    statistics = dataset.standardisation
    inputs = ((grid - statistics.mean.ravel()) / statistics.scale.ravel()).astype(network.dtype)
    with np.errstate(all="ignore"):
        probabilities = network.probabilities(inputs)[0]
    winner = probabilities.argmax(axis=1)
    certainty = probabilities[np.arange(len(winner)), winner].astype(np.float64)
    return Regions(winner.reshape(height, width), certainty.reshape(height, width), bounds)


def rows_in_a_moment(network: Network, rows: int) -> int:
    """How many of so many rows can be looked at without holding up the training."""
    quick = max(_LEAST_ROWS, int(_WORK / max(1, network.n_weights)))
    return min(rows, MOST_ROWS, quick)


def mistakes(
    network: Network, part: Part, classes: int, *, rows: int = MOST_ROWS, most: int = 40
) -> Mistakes:
    """Confusion on the first rows of a part, and its worst mistakes."""
    labels = part.labels[:rows]
    with np.errstate(all="ignore"):
        probabilities = network.probabilities(part.inputs[:rows])[0]
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(labels * classes + predicted, minlength=classes * classes)
    of_true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    missed = np.flatnonzero(predicted != labels)
    worst = missed[np.argsort(of_true[missed], kind="stable")][:most]
    return Mistakes(
        confusion=confusion.reshape(classes, classes),
        rows=worst,
        true=labels[worst],
        predicted=predicted[worst],
        probability=of_true[worst],
        sureness=probabilities[worst, predicted[worst]].astype(np.float64),
        first_predicted=predicted,
    )
