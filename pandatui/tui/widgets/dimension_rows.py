"""Rows of a form for a space: a knob, its scale, and its low and high or its choices."""

from collections.abc import Mapping

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid
from textual.message import Message
from textual.widgets import Input, Label

from pandatui.plain import plain
from pandatui.search.dimension import Dimension, Value, parse_vary, scales_of
from pandatui.search.space import Space
from pandatui.training import ConfigError
from pandatui.training.knobs import KNOBS
from pandatui.tui.widgets.cycle import Cycle

FIXED = "fixed"


def label_of(knob: str) -> str:
    """learning rate α."""
    found = KNOBS.get(knob)
    return f"{found.label} {found.symbol}".strip() if found is not None else knob.replace("_", " ")


def typed(value: Value | None) -> str:
    """A limit or a choice as a person types it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class DimensionRows(Grid):
    """One row a knob. Where `free`, scales can be chosen, and a knob be left out as fixed.

    `rows` has for each knob its dimension; with `varied`, those not in it begin as fixed.
    """

    class Changed(Message):
        """Something was typed or chosen."""

    class Submitted(Message):
        """Enter was pressed."""

    def __init__(
        self, rows: Mapping[str, Dimension], *, free: bool, varied: frozenset[str] | None = None
    ) -> None:
        super().__init__()
        self._rows = dict(rows)
        self._free = free
        self._varied = frozenset(rows) if varied is None else varied

    def compose(self) -> ComposeResult:
        for words in ("", "scale", "low, or choices", "high"):
            yield Label(words, classes="head", markup=False)
        for knob, dimension in self._rows.items():
            choice = dimension.scale == "choice"
            yield Label(label_of(knob), markup=False)
            scale = dimension.scale if knob in self._varied else FIXED
            if self._free:
                yield Cycle((FIXED, *scales_of(knob)), scale, id=f"scale-{knob}")
            else:
                yield Label(dimension.scale, classes="head", markup=False)
            low = ", ".join(map(typed, dimension.choices)) if choice else typed(dimension.low)
            high = "" if choice else typed(dimension.high)
            yield Input(low, id=f"low-{knob}", compact=True, disabled=scale == FIXED)
            yield Input(high, id=f"high-{knob}", compact=True, disabled=scale in (FIXED, "choice"))

    def _scale(self, knob: str) -> str:
        if not self._free:
            return self._rows[knob].scale
        return self.query_one(f"#scale-{knob}", Cycle).value

    def _suit(self, knob: str) -> None:
        """Only what the scale needs can be typed."""
        scale = self._scale(knob)
        self.query_one(f"#low-{knob}", Input).disabled = scale == FIXED
        self.query_one(f"#high-{knob}", Input).disabled = scale in (FIXED, "choice")

    def read(self) -> Space:
        """The space as typed; untouched ends keep all their digits. Raises ConfigError."""
        return Space(tuple(self._read(knob) for knob in self._rows if self._scale(knob) != FIXED))

    def _read(self, knob: str) -> Dimension:
        scale, before = self._scale(knob), self._rows[knob]
        low, high = (self.query_one(f"#{end}-{knob}", Input).value.strip() for end in ("low", "high"))
        if scale == "choice":
            return parse_vary(f"{knob}=choice:{low}")
        ends: list[float] = []
        for name, text, was in (("low", low, before.low), ("high", high, before.high)):
            if was is not None and text == typed(was):
                ends.append(was)
                continue
            try:
                ends.append(int(text) if scale == "int" else float(text))
            except ValueError:
                kind = "a whole number" if scale == "int" else "a number"
                raise ConfigError(f"{label_of(knob)}, {name} {plain(text, 20)!r}: expected {kind}") from None
        return Dimension(knob, scale, ends[0], ends[1])

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(Cycle.Changed)
    def _chosen(self, event: Cycle.Changed) -> None:
        event.stop()
        self._suit(str(event.cycle.id).removeprefix("scale-"))
        self.post_message(self.Changed())

    @on(Input.Submitted)
    @on(Cycle.Submitted)
    def _submitted(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Submitted())
