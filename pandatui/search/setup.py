"""From a spec to what a race needs: the data loaded, every default written out, the first box."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from pandatui.data import Dataset
from pandatui.search.dimension import Value
from pandatui.search.neighbours import neighbours
from pandatui.search.space import Space, check_fits, space_named
from pandatui.search.spec import Spec
from pandatui.search.study import Study
from pandatui.training import RunConfig
from pandatui.training.setup import prepare as prepare_run


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """All that a study begins with. `points` is what is tried where nothing is sampled."""

    spec: Spec
    base: RunConfig
    dataset: Dataset
    space: Space
    points: tuple[dict[str, Value], ...] = ()

    def study(self) -> Study:
        """One that has not begun."""
        return Study(self.spec, self.base, self.space, self.points)

    def fingerprint(self) -> str:
        """SHA-256 over all that decides what the study comes to: what was asked for, and the data."""
        asked = {
            "spec": self.spec.fingerprint(),
            "config": self.base.to_dict(),
            "space": self.space.to_plain(),
            "points": self.points,
            "data": self.dataset.sha256,
        }
        return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()


def prepare(spec: Spec, progress: Callable[[str, float], None] | None = None) -> Ready:
    """Load a spec's data and settle its space. Raises DataError, ConfigError, each one line."""
    config, dataset = prepare_run(spec.run, progress)
    rows = len(dataset.train)
    base = replace(config, seed=spec.seed)
    space = spec.space if isinstance(spec.space, Space) else space_named(spec.space, base, rows)
    check_fits(space, base, rows)
    points = tuple(neighbours(base, {}, rows)) if spec.sampling == "neighbours" else ()
    return Ready(spec, base, dataset, space, points)
