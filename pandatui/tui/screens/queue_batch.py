"""Queue a batch: a space around the panda's settings, to be edited, and how many trials to race in it."""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from pandatui.plain import plain
from pandatui.search.space import centred, check_fits, default_space, wide_space
from pandatui.search.spec import Spec
from pandatui.training import ConfigError, RunConfig
from pandatui.tui.leaving import Dialog
from pandatui.tui.racing import spec_around
from pandatui.tui.widgets.cycle import Cycle
from pandatui.tui.widgets.dimension_rows import DimensionRows

TRIALS, ROUNDS = 48, 3
_NUMBERS = ("trials", "rounds", "epochs")


@dataclass(frozen=True, slots=True)
class Batch:
    """What to race, and whether at once."""

    spec: Spec
    now: bool


class QueueBatchScreen(Dialog[Batch]):
    """Dismisses with a batch, or None. `busy`: a race goes on, so that this one can only be for later."""

    CSS_PATH = "form.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#trials"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close", show=False),
        Binding("ctrl+l", "take(False)", "later", show=False),
    ]

    def __init__(self, config: RunConfig, train_rows: int, *, busy: bool) -> None:
        super().__init__()
        self._config = config
        self._train_rows = train_rows
        self._busy = busy

    def compose(self) -> ComposeResult:
        c = self._config
        offered = centred(c, wide_space(c, self._train_rows), self._train_rows)
        varied = frozenset(default_space(c).knobs)
        initial = {"trials": TRIALS, "rounds": ROUNDS, "epochs": c.epochs}
        with VerticalScroll(id="box", can_focus=False):
            yield Static("Queue a batch: random trials around the present settings", markup=False)
            with Grid(id="numbers"):
                for name in _NUMBERS:
                    yield Label("epochs a trial" if name == "epochs" else name, markup=False)
                    yield Input(str(initial[name]), id=name, compact=True)
                yield Label("halving", markup=False)
                yield Cycle(("off", "on"), "off", id="halving")
            yield DimensionRows({each.knob: each for each in offered.dimensions}, free=True, varied=varied)
            yield Static("", id="problem", markup=False)
            with Horizontal(id="buttons"):
                if not self._busy:
                    yield Button("Now (enter)", variant="primary", id="now")
                yield Button(f"Later ({'enter' if self._busy else 'ctrl+l'})", id="later")
                yield Button("Leave it (esc)", id="leave")

    def on_mount(self) -> None:
        self._checked()

    def on_input_changed(self) -> None:
        self._checked()

    def on_dimension_rows_changed(self) -> None:
        self._checked()

    def _checked(self) -> Spec | None:
        """The spec as typed, or None with the reason on show."""
        problem, spec = "", None
        try:
            spec = self._read()
        except ConfigError as error:
            problem = str(error)
        hint = "space turns < … >; what is fixed stays as it is now"
        if self._busy:
            hint = "a race goes on: this one waits in the session's queue"
        line = self.query_one("#problem", Static)
        line.update(Content.styled(plain(problem or hint, 300), "$error" if problem else "$muted"))
        for button in self.query("#now, #later").results(Button):
            button.disabled = bool(problem)
        return spec

    def _read(self) -> Spec:
        numbers = {}
        for name in _NUMBERS:
            text = self.query_one(f"#{name}", Input).value.strip()
            if not text.isdecimal() or len(text) > 9:
                raise ConfigError(f"{name} {text[:20]!r}: expected a whole number")
            numbers[name] = int(text)
        space = self.query_one(DimensionRows).read()
        check_fits(space, self._config, self._train_rows)
        halving = self.query_one("#halving", Cycle).value == "on"
        return spec_around(self._config, space, halving=halving, **numbers)

    def on_input_submitted(self) -> None:
        self.action_take(not self._busy)

    def on_cycle_submitted(self) -> None:
        self.action_take(not self._busy)

    def on_dimension_rows_submitted(self) -> None:
        self.action_take(not self._busy)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "leave":
            self.dismiss(None)
        else:
            self.action_take(event.button.id == "now")

    def action_take(self, now: bool) -> None:
        spec = self._checked()
        if spec is not None:
            self.dismiss(Batch(spec, now))

    def action_leave(self) -> None:
        self.dismiss(None)
