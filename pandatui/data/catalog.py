"""The built-in sets: the digits, shipped with the package, and five made from split_seed.

What is made is rounded to 6 decimals before anything else sees it, so that the last bits of a machine's sine
do not reach the hash. Points come class by class, 2 features each.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from types import MappingProxyType
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from pandatui.data.arrays import from_archive
from pandatui.data.errors import DataError
from pandatui.data.raw import Raw
from pandatui.data.split import MAKING, stream
from pandatui.data.standardise import Array

BUILT_IN = MappingProxyType(
    {
        "digits": "handwritten digits, 8×8 pixels: 1,797 rows, 64 features, 10 classes",
        "spirals": "three arms wound around each other: 1,500 rows, 2 features, 3 classes",
        "moons": "two half moons, one inside the other's bend: 1,000 rows, 2 features, 2 classes",
        "circles": "a ring around a ring: 1,000 rows, 2 features, 2 classes",
        "xor": "four quarters of a square, opposite ones alike: 1,000 rows, 2 features, 2 classes",
        "blobs": "five round clouds that touch: 1,000 rows, 2 features, 5 classes",
    }
)

DECIMALS = 6
Made = tuple[Array, Array]  # points (rows, 2) float64, labels (rows,)


def built_in(name: str, split_seed: int) -> Raw:
    """A built-in set by its name, which must be in BUILT_IN; split_seed is 0 or more."""
    if split_seed < 0:
        raise DataError(f"split_seed: expected 0 or more, found {split_seed}")
    if name == "digits":
        with resources.files("pandatui.data").joinpath("digits.npz").open("rb") as file:
            raw = from_archive(cast(BinaryIO, file), "digits", "digits", "digits")
        return Raw(
            name="digits",
            source="digits",
            kind="built-in",
            inputs=raw.inputs,
            labels=raw.labels,
            classes=raw.classes,
            image_shape=raw.image_shape,
        )
    points, labels = MAKERS[name](stream(split_seed, MAKING))
    inputs = np.round(points, DECIMALS) + 0.0  # + 0.0 makes -0.0 plain zero
    return Raw(
        name=name,
        source=name,
        kind="built-in",
        inputs=np.ascontiguousarray(inputs),
        labels=labels.astype(np.intp),
        classes=tuple(str(label) for label in range(int(labels.max()) + 1)),
        features=("x1", "x2"),
    )


def polar(radius: npt.ArrayLike, angle: Array) -> Array:
    """(rows, 2) points at a radius and an angle in radians."""
    points: Array = np.asarray(radius)[..., np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points


def spirals(rng: np.random.Generator) -> Made:
    """Three arms of 500 points: radius t, angle 3πt + arm·2π/3, t evenly spaced from 0.05 to 1.

    Gaussian noise of 0.03 is added to both coordinates; nearer to the middle than 0.05 it would swallow the
    arms. This is the first lesson's data.
    """
    each, arms = 500, 3
    t = np.tile(np.linspace(0.05, 1, each), arms)
    labels = np.repeat(np.arange(arms), each)
    points = polar(t, 3 * np.pi * t + labels * (2 * np.pi / arms))
    return points + 0.03 * rng.standard_normal(points.shape), labels


def moons(rng: np.random.Generator) -> Made:
    """Two half circles of radius 1, the second turned over and moved by (1, 0.5); Gaussian noise of 0.15."""
    angle = np.linspace(0, np.pi, 500)
    upper = polar(1.0, angle)
    points = np.concatenate([upper, np.array([1.0, 0.5]) - upper])
    return points + 0.15 * rng.standard_normal(points.shape), np.repeat([0, 1], 500)


def circles(rng: np.random.Generator) -> Made:
    """A ring of radius 0.5 inside one of radius 1; Gaussian noise of 0.1."""
    angle = np.arange(500) * (2 * np.pi / 500)
    points = np.concatenate([polar(0.5, angle), polar(1.0, angle)])
    return points + 0.1 * rng.standard_normal(points.shape), np.repeat([0, 1], 500)


def xor(rng: np.random.Generator) -> Made:
    """250 uniform points in each quarter of the square from -1 to 1; class 1 where the signs differ."""
    quarters = np.repeat([[1, 1], [-1, -1], [1, -1], [-1, 1]], 250, axis=0)
    return quarters * rng.random(quarters.shape), np.repeat([0, 1], 500)


def blobs(rng: np.random.Generator) -> Made:
    """Five clouds of 200 points with deviation 0.4, their centres evenly on a circle of radius 1.5."""
    labels = np.repeat(np.arange(5), 200)
    points = polar(1.5, labels * (2 * np.pi / 5))
    return points + 0.4 * rng.standard_normal(points.shape), labels


MAKERS: dict[str, Callable[[np.random.Generator], Made]] = {
    "spirals": spirals,
    "moons": moons,
    "circles": circles,
    "xor": xor,
    "blobs": blobs,
}
