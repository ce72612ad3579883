"""Neighbours: a run's settings and one coarse step from them, to see whether they still stand."""

from collections.abc import Mapping

from pandatui.search.dimension import Value
from pandatui.search.space import setting_of, settings
from pandatui.training.config import RunConfig
from pandatui.training.knobs import COARSE, KNOBS, LIVE


def neighbours(config: RunConfig, values: Mapping[str, Value], train_rows: int) -> list[dict[str, Value]]:
    """A run's settings, then each live knob that its optimizer uses a coarse step down and up from there.

    `values` are laid over the config, such as knobs as nudges left them. A knob at its limit has one
    neighbour. Raises ConfigError.
    """
    run = settings(config, values)
    turned = [knob for knob in LIVE if run.optimizer in KNOBS[knob].used_by]
    centre = dict(values) | {knob: setting_of(run, knob) for knob in turned}
    found = [centre]
    for knob in turned:
        low, high = KNOBS[knob].low, KNOBS[knob].high
        if knob == "batch_size":
            low, high = 2 if run.batch_norm else 1, train_rows
        before = float(centre[knob])
        for notches in (-COARSE, COARSE):
            after = KNOBS[knob].turned(before, notches, low, high)
            if after != before:
                found.append(centre | {knob: int(after) if KNOBS[knob].whole else after})
    return found
