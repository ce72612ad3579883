"""View 3, what batch norm does: how the inputs of a layer's activation are spread, over all of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from textual.strip import Strip

from pandatui.sessions.player import Player
from pandatui.training import Run
from pandatui.training.companions import Companions
from pandatui.training.counterpart import CounterpartLook
from pandatui.training.distributions import Counts
from pandatui.training.events import Gesture, gestures
from pandatui.training.history import Floats
from pandatui.training.words import cost
from pandatui.tui.canvas import Palette
from pandatui.tui.inside.shift_picture import Spread, draw_shift
from pandatui.tui.inside.view import InsideView, Question

CELLS_A_SECOND = 1_350  # 18 kB
LONGEST = 2.0  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class ShiftLook:
    """One run, or two to stand one above the other; `nudges` are (number, epoch)."""

    spreads: tuple[Spread, ...]
    batch_norm: bool
    nudges: tuple[tuple[int, float], ...] = ()
    unsettled: bool = False  # whether the other is still behind


def name_of(batch_norm: bool) -> str:
    return "with batch norm" if batch_norm else "without batch norm"


def _spread(batch_norm: bool, epochs: Sequence[int], counts: Counts, dev_cost: float, more: str) -> Spread:
    words = f"dev {cost(dev_cost)}" if dev_cost == dev_cost else ""
    return Spread(" · ".join(filter(None, (name_of(batch_norm), words, more))), tuple(epochs), counts)


def shift_of(run: Run, counterpart: CounterpartLook | None) -> ShiftLook:
    """The run, and its counterpart if it has one."""
    seen, dev = run.distributions, run.history.dev_cost.last(1)
    last = float(dev[0]) if len(dev) else float("nan")
    spreads = [_spread(run.config.batch_norm, seen.epochs, seen.counts(), last, f"epoch {run.epoch}")]
    if counterpart is not None:
        more = counterpart.ended or f"epoch {counterpart.epoch}"
        if counterpart.behind:
            more = f"epoch {counterpart.epoch} of {run.epoch}, catching up"
        spreads.append(
            _spread(
                counterpart.batch_norm, counterpart.epochs, counterpart.counts, counterpart.dev_cost, more
            )
        )
    epochs, _, steps, _ = run.history.dev_step.view(1, run.history.epochs, 256)
    marks = _marks(gestures(run.events), steps, epochs)
    return ShiftLook(
        tuple(spreads), run.config.batch_norm, marks, counterpart is not None and counterpart.behind
    )


def recorded_shift(player: Player) -> ShiftLook:
    """What the record has, up to the playing step."""
    r, steps = player.recording, player.steps
    done = int(np.searchsorted(r.dev_steps, steps, "right"))
    epoch = int(r.dev_epochs[done - 1]) if done else 0
    kept = sum(each <= epoch for each in r.distributions.epochs)
    last = float(r.dev_costs[done - 1]) if done else float("nan")
    batch_norm = bool(player.session.config.get("batch_norm", True))
    spread = _spread(
        batch_norm, r.distributions.epochs[:kept], r.distributions.counts()[:kept], last, f"epoch {epoch}"
    )
    past = gestures([e for e in r.events if e.step <= steps])
    return ShiftLook((spread,), batch_norm, _marks(past, r.dev_steps[:done], r.dev_epochs[:done]))


def _marks(made: Sequence[Gesture], steps: Floats, epochs: Floats) -> tuple[tuple[int, float], ...]:
    """Where the nudges that stand are, in epochs."""
    if not len(steps):
        return ()
    standing = [gesture for gesture in made if not gesture.undone and gesture.first_step <= steps[-1]]
    at = np.interp([g.first_step for g in standing], [0.0, *steps], [0.0, *epochs])
    return tuple((g.number, float(epoch)) for g, epoch in zip(standing, at, strict=True))


class ShiftView(InsideView):
    """A heat map: time across, value up, density as shade; `companions` have the counterpart."""

    TITLE = "what batch norm does: how the inputs of a layer's activation are spread, epoch by epoch"

    def __init__(self, companions: Companions | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._companions = companions
        self._look: ShiftLook | None = None
        self._layer = 0
        self._answers = 0

    def question(self) -> Question:
        companions = self._companions

        def asked(run: Run) -> ShiftLook:
            other = companions.counterpart if companions is not None else None
            return shift_of(run, other.look(run) if other is not None else None)

        return asked

    @property
    def wants(self) -> object:
        """While the other is catching up, each answer is new."""
        other = self._companions.counterpart if self._companions is not None else None
        unsettled = self._look is not None and self._look.unsettled
        return id(other), self._answers if unsettled else 0

    @property
    def rest(self) -> float:
        """Its picture changes everywhere: 13 bytes a cell for a terminal that may be far away."""
        return min(LONGEST, self.size.area / CELLS_A_SECOND)

    def show(self, facts: ShiftLook) -> None:
        self._look = facts
        self._answers += 1
        self.redraw()

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        found = (("tab", "next layer"),)
        if self._companions is None or self._look is None:
            return found
        if len(self._look.spreads) > 1:
            return (*found, ("o", "this run alone"))
        return (*found, ("o", f"the same {name_of(not self._look.batch_norm)}"))

    def turn(self, by: int) -> str:
        layers = self._look.spreads[0].counts.shape[1] if self._look is not None else 1
        self._layer = (self._layer + by) % max(1, layers)
        self.redraw()
        return f"hidden layer {self._layer + 1} of {layers}"

    def picture(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        look = self._look
        if look is None:
            return None
        return draw_shift(
            look.spreads, look.nudges, self._layer, width, height, palette,
            unicode=self.unicode, colour=self.colour,
        )  # fmt: skip
