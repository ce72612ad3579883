"""What the race screen asks: how to adopt a trial, and where the next round is to look."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from pandatui.plain import plain
from pandatui.search.space import Space, check_fits
from pandatui.training import ConfigError, RunConfig
from pandatui.training.words import cost
from pandatui.tui.leaving import Dialog
from pandatui.tui.race_map import knob_name
from pandatui.tui.race_view import Entry
from pandatui.tui.widgets.dimension_rows import DimensionRows


class AdoptScreen(Dialog[bool]):
    """Dismisses with True for the end, False for the start, None for neither."""

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,e", "answer(True)", "from its end", show=False),
        Binding("s", "answer(False)", "from its start", show=False),
        Binding("escape,n", "leave", "no", show=False),
    ]

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry

    @property
    def _ended(self) -> bool:
        return not self._entry.stands and self._entry.epochs > 0

    def compose(self) -> ComposeResult:
        e = self._entry
        words = f"Adopt trial {e.number} as the panda? The present session ends and is saved."
        end = f"enter  from its end: epoch {e.epochs}, dev cost {cost(e.dev_cost)}"
        with Vertical(id="box"):
            yield Static(Content(words), markup=False)
            yield Static(Content(""), markup=False)
            if self._ended:
                yield Static(Content(end), markup=False)
            yield Static(Content("s      from its start: its settings, step 1 on"), markup=False)
            yield Static("esc leaves it", id="hint", markup=False)

    def action_answer(self, end: bool) -> None:
        if not end or self._ended:
            self.dismiss(end)

    def action_leave(self) -> None:
        self.dismiss(None)


class BoxScreen(Dialog[Space]):
    """A form for the box of the next round, which stays inside the first. Dismisses with a box."""

    CSS_PATH = "form.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "close", show=False)]

    def __init__(self, number: int, box: Space, first: Space, base: RunConfig) -> None:
        super().__init__()
        self._number = number
        self._box = box
        self._first = first
        self._base = base

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box", can_focus=False):
            yield Static(f"Box of round {self._number}", markup=False)
            yield DimensionRows({each.knob: each for each in self._box.dimensions}, free=False)
            yield Static("", id="problem", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Take it (enter)", variant="primary", id="take")
                yield Button("Leave it (esc)", id="leave")

    def on_dimension_rows_changed(self) -> None:
        self._checked()

    def _checked(self) -> Space | None:
        """The box as typed, or None with the reason on show."""
        problem, box = "", None
        try:
            box = self.query_one(DimensionRows).read()
            self._check_inside(box)
            check_fits(box, self._base)
        except ConfigError as error:
            problem, box = str(error), None
        self.query_one("#problem", Static).update(Content(plain(problem, 300)))
        self.query_one("#take", Button).disabled = bool(problem)
        return box

    def _check_inside(self, box: Space) -> None:
        for each in box.dimensions:
            whole = self._first[each.knob]
            outside = (
                [choice for choice in each.choices if choice not in whole.choices]
                if each.scale == "choice"
                else [end for end in each.ends if not whole.ends[0] <= end <= whole.ends[1]]
            )
            if outside:
                words = ", ".join(map(str, whole.choices)) or "{:g} … {:g}".format(*whole.ends)
                raise ConfigError(
                    f"{knob_name(each.knob)} {outside[0]}: expected within the first box, {words}"
                )

    def on_dimension_rows_submitted(self) -> None:
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "take":
            self._take()
        else:
            self.dismiss(None)

    def _take(self) -> None:
        box = self._checked()
        if box is not None:
            self.dismiss(box)

    def action_leave(self) -> None:
        self.dismiss(None)
