"""From what a person asked for to a run: the data loaded, every default written out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pandatui.data import Dataset, load
from pandatui.training.config import DTYPES, ConfigError, PlannedNudge, RunConfig

DEFAULT_BATCH = 64

# Bare `pandatui` is the first lesson: the learning rate is timid on purpose, so that nudges visibly win.
LESSON: dict[str, Any] = {"data": "spirals", "hidden": (32, 32), "learning_rate": 0.0316, "epochs": 60}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was asked for; None where nothing was. `data` None is the lesson, with its own defaults."""

    data: str | None = None
    label: str | None = None
    drop: tuple[str, ...] = ()
    standardise: str | None = None
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    batch_norm: bool | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    second_moment: float | None = None
    decay: float | None = None
    l2: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    seed: int | None = None
    split_seed: int | None = None
    dtype: str | None = None
    plan: tuple[PlannedNudge, ...] = ()

    @property
    def lesson(self) -> bool:
        return self.data is None

    def asked(self) -> dict[str, Any]:
        """Every setting with a value, the lesson's own included."""
        given = {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}
        base = dict(LESSON) if self.lesson else {}
        if given.get("optimizer", "momentum") not in ("momentum", "sgd"):
            base.pop("learning_rate", None)  # the lesson's rate is momentum's
        return base | given


def parse_hidden(text: str) -> tuple[int, ...]:
    """`64,32` → (64, 32). Raises ConfigError."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"hidden {text!r}: expected numbers of units such as 64,32") from None


def prepare(
    options: RunOptions, progress: Callable[[str, float], None] | None = None
) -> tuple[RunConfig, Dataset]:
    """Load the data and write out every default. Raises DataError and ConfigError, each one line."""
    asked = options.asked()
    RunConfig(**(asked | {"standardise": "none"}))  # what no data can mend is refused before they load
    dataset = load_for(asked, progress)
    batch_size = asked.get("batch_size") or min(DEFAULT_BATCH, len(dataset.train))
    if batch_size > len(dataset.train):
        raise ConfigError(
            f"batch size {batch_size}: expected at most the {len(dataset.train):,} training rows"
        )
    resolved = {"batch_size": batch_size, "standardise": dataset.standardisation.kind}
    return RunConfig(**(asked | resolved)), dataset


def load_for(asked: dict[str, Any], progress: Callable[[str, float], None] | None = None) -> Dataset:
    """The data of these settings."""
    dtype = asked.get("dtype", DTYPES[0])
    drop: Sequence[str] = asked.get("drop", ())
    return load(
        asked["data"],
        label=asked.get("label"),
        drop=drop,
        standardise=asked.get("standardise", "auto"),
        split_seed=asked.get("split_seed", 0),
        dtype=dtype,
        progress=progress,
    )
