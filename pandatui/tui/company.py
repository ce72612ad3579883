"""What goes on beside a run, as pure functions of a snapshot: its ghosts and twins as curves and in words."""

from collections.abc import Sequence

import numpy as np

from pandatui.training.companions import GHOST, LEFT_ALONE, TWIN_BAND, CompanionLook
from pandatui.training.history import Floats
from pandatui.training.snapshot import Snapshot
from pandatui.training.words import cost, plural
from pandatui.tui.chart import Band, Trace, cost_text

_BEHIND = 1.5  # epochs; further behind the run, one is catching up


def companion(s: Snapshot, kind: str) -> CompanionLook | None:
    """The one of this kind, if there is one and a nudge for it to do without."""
    found = next((each for each in s.companions if each.kind == kind), None)
    return found if found is not None and (kind == TWIN_BAND or found.without) else None


def _numbers(numbers: Sequence[int]) -> str:
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}–{numbers[-1]}"
    return ", ".join(map(str, numbers))


def ghost(s: Snapshot) -> CompanionLook | None:
    """The ghost that a person asked for, without some nudges or without any."""
    alone = companion(s, LEFT_ALONE)
    return companion(s, GHOST) or (alone if alone is not None and alone.asked else None)


def gone_words(s: Snapshot) -> str:
    """What going back along the run has ended, as the end of a sentence."""
    gone = [f"the {each.kind}" for each in s.companions if each.kind in (GHOST, TWIN_BAND)]
    if not gone:
        return ""
    return f" · {' and '.join(gone)} {'are' if len(gone) > 1 or 'the twins' in gone else 'is'} gone"


def nudge_names(numbers: Sequence[int]) -> str:
    """nudge 2, nudges 1–3, nudges 1, 3."""
    return f"nudge{'s' if len(numbers) > 1 else ''} {_numbers(numbers)}"


# -- curves --------------------------------------------------------------------------------------------------


def traces_of(s: Snapshot) -> tuple[Trace, ...]:
    """The ghosts: their dev points, from the last that they share with the run on; before them train costs.

    At the run's steps at which they had seen as many rows.
    """
    found = []
    for kind in (LEFT_ALONE, GHOST):
        look = companion(s, kind)
        if look is None:
            continue
        name = "left alone" if kind == LEFT_ALONE else f"without {_numbers(look.without)}"
        points = len(look.dev_steps) > 0
        steps, costs = (look.dev_steps, look.dev_costs[:, 0]) if points else (look.steps, look.train)
        steps = _along(look, s, steps)
        past = steps <= s.steps
        steps, costs = steps[past], costs[past]
        if points:
            shared = np.flatnonzero(s.curve.dev_steps <= look.start)[-1:]
            steps = np.concatenate([s.curve.dev_steps[shared], steps])
            costs = np.concatenate([s.curve.dev_costs[shared], costs])
        found.append(Trace(name, steps, costs, points=points))
    return tuple(found)


def _along(look: CompanionLook, s: Snapshot, steps: Floats) -> Floats:
    """A companion's steps as the run's; only another batch size makes them differ."""
    _, ours, theirs = np.intersect1d(s.curve.dev_epochs, look.dev_epochs, return_indices=True)
    own = np.concatenate([[look.start], look.dev_steps[theirs]])
    runs = np.concatenate([[look.start], s.curve.dev_steps[ours]])
    if np.array_equal(own, runs):
        return steps
    slope = (runs[-1] - runs[-2]) / max(1.0, own[-1] - own[-2])
    beyond: Floats = runs[-1] + slope * (steps - own[-1])
    return np.where(steps > own[-1], beyond, np.interp(steps, own, runs))


def band_of(s: Snapshot) -> Band | None:
    """The twins' dev costs: least, mean − sd, mean, mean + sd, greatest at each epoch's end."""
    twins = companion(s, TWIN_BAND)
    if twins is None:
        return None
    past = twins.dev_steps <= s.steps
    costs = twins.dev_costs[past]
    mean, deviation = costs.mean(axis=1), costs.std(axis=1, ddof=1)
    return Band(
        seeds_name(twins),
        twins.dev_steps[past],
        costs.min(axis=1),
        mean - deviation,
        mean,
        mean + deviation,
        costs.max(axis=1),
    )


def seeds_name(twins: CompanionLook) -> str:
    """5 seeds."""
    return f"{twins.dev_costs.shape[1]} seeds"


# -- words ---------------------------------------------------------------------------------------------------


def own_dev(s: Snapshot, epoch: int) -> float | None:
    """The run's dev cost at an epoch's end, where the snapshot has it."""
    if epoch == s.epoch:
        return s.dev_cost
    at = np.flatnonzero(s.curve.dev_epochs == epoch)
    return float(s.curve.dev_costs[at[0]]) if len(at) else None


def last_epoch(look: CompanionLook, s: Snapshot) -> int:
    """The last epoch's end that both have; 0 for none."""
    both = look.dev_epochs[look.dev_epochs <= s.epoch]
    return int(both[-1]) if len(both) else 0


def left_alone_words(s: Snapshot) -> str:
    """you 0.231 · left alone 0.890: dev costs at the last epoch's end that both have."""
    look = companion(s, LEFT_ALONE)
    if look is None:
        return ""
    if look.diverged:
        return f"left alone it diverged at step {look.steps_done:,}"
    epoch = last_epoch(look, s)
    ours = own_dev(s, epoch) if epoch and epoch >= s.epoch - 1 else None
    if ours is None:
        return f"left alone: catching up, epoch {int(look.place)}" if look.place < s.place - _BEHIND else ""
    theirs = float(look.dev_costs[look.dev_epochs == epoch][0, 0])
    return f"you {cost(ours)} · left alone {cost(theirs)}"


def best_left_alone(s: Snapshot) -> float | None:
    """The lowest dev cost of the run left alone, once it has come as far as the run."""
    look = companion(s, LEFT_ALONE)
    if look is None or last_epoch(look, s) < s.epoch:
        return None
    alone = look.dev_costs[look.dev_epochs <= s.epoch, 0]
    shared = s.curve.dev_costs[s.curve.dev_steps <= look.start]
    both = np.concatenate([alone, shared])
    return float(np.nanmin(both)) if np.isfinite(both).any() else None


def ghost_words(s: Snapshot) -> str:
    """What the nudges have done that a ghost is without, as far as can be said; empty without one."""
    look = ghost(s)
    if look is None:
        return ""
    names = nudge_names(look.without)
    if look.diverged:
        return f"without {names} it diverged at step {look.steps_done:,}"
    if look.place < s.place - _BEHIND:
        return f"without {names}: catching up, epoch {int(look.place)} of {s.epoch}"
    found = look.effect
    if found is None:
        return f"without {names}: drawn dim; after three epochs there is something to say"
    sign = "−" if found.difference < 0 else "+"
    words = f"{names}: dev cost {sign}{abs(found.difference):.2g} at epoch {found.epoch}"
    words += f", {plural(found.steps_later, 'step')} later"
    if found.within_noise:
        twins = companion(s, TWIN_BAND)
        held = twins is not None and bool((twins.dev_epochs == found.epoch).any())
        return f"{words}: within {'the spread of seeds' if held else 'noise'}"
    return f"{words}, and {found.trend}"


def twins_words(s: Snapshot) -> str:
    """Where the run lies among its twins, or how far they are; empty without them."""
    twins = companion(s, TWIN_BAND)
    if twins is None:
        return ""
    name = seeds_name(twins)
    if twins.diverged:
        return f"{name}: one diverged at step {twins.steps_done:,}, there the band ends"
    if twins.place < s.place - _BEHIND:
        return f"{name} catch up: epoch {int(twins.place)} of {s.epoch}"
    epoch = last_epoch(twins, s)
    ours = own_dev(s, epoch) if epoch else None
    if ours is None:
        return f"{name}: their band begins at the epoch's end"
    costs = twins.dev_costs[twins.dev_epochs == epoch][0]
    low, high = float(costs.min()), float(costs.max())
    place = "below them all" if ours < low else "above them all" if ours > high else "among them"
    mean, deviation = float(costs.mean()), float(costs.std(ddof=1))
    spread = f"{cost_text(mean)} ± {cost_text(deviation)}, {cost_text(low)}–{cost_text(high)}"
    return f"{name} at epoch {epoch}: dev {spread} · you {cost_text(ours)}, {place}"


def news_of(s: Snapshot) -> tuple[tuple[str, str], ...]:
    """Lines for the log, each a label and words."""
    lines = (("ghost", ghost_words(s)), ("twins", twins_words(s)))
    return tuple((label, words) for label, words in lines if words)
