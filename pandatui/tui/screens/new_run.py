"""The new-run dialog: a form that is checked while one types."""

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from pandatui.data import BUILT_IN, Dataset
from pandatui.nn.layers import ACTIVATIONS
from pandatui.nn.optimizers import OPTIMIZERS
from pandatui.plain import plain
from pandatui.training import ConfigError, RunConfig
from pandatui.training.knobs import DEFAULT_RATES
from pandatui.training.setup import RunOptions, parse_hidden
from pandatui.tui.leaving import Dialog

_NUMBERS = {  # field → (label, type); in the order of importance
    "learning_rate": ("learning rate α", float),
    "momentum": ("momentum β", float),
    "batch_size": ("batch size", int),
    "decay": ("decay", float),
    "l2": ("L2 λ", float),
    "epochs": ("epochs", int),
    "seed": ("seed", int),
}


def _shown(value: float | int) -> str:
    """A value as it can be typed, whole numbers in full."""
    return str(value) if isinstance(value, int) else f"{value:.12g}"


class NewRunScreen(Dialog[RunOptions | None]):
    """Dismisses with what was asked for, or None. An empty field means the default."""

    CSS_PATH = "new_run.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (40, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#data"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "close", show=False),
        Binding("ctrl+n", "start", "start", show=False),
    ]

    class Prepared(Message):
        """The data are loaded: the run can begin."""

        def __init__(self, config: RunConfig, dataset: Dataset) -> None:
            super().__init__()
            self.config = config
            self.dataset = dataset

    class Refused(Message):
        """It can't begin, and why."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self, present: RunConfig | None) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        c = self._present
        yes = [("on", "on"), ("off", "off")]
        with VerticalScroll(id="box", can_focus=False):
            yield Static(self._title(), markup=False)
            with Grid(id="form"):
                yield Label("data (name or file)", markup=False)
                yield Input(
                    plain(c.data, 4096) if c else "spirals", id="data", placeholder=" ".join(BUILT_IN)
                )
                yield Label("hidden units", markup=False)
                yield Input(",".join(map(str, c.hidden)) if c else "", id="hidden", placeholder="64,32")
                yield Label("activation", markup=False)
                yield self._choice("activation", tuple(ACTIVATIONS), c.activation if c else "relu")
                yield Label("batch norm", markup=False)
                yield Select(
                    yes,
                    value="on" if c is None or c.batch_norm else "off",
                    allow_blank=False,
                    id="batch_norm",
                )
                yield Label("optimizer", markup=False)
                yield self._choice("optimizer", tuple(OPTIMIZERS), c.optimizer if c else "momentum")
                for name, (label, _) in _NUMBERS.items():
                    yield Label(label, markup=False)
                    yield Input(_shown(getattr(c, name)) if c else "", id=name, placeholder="default")
            yield Static("", id="problem", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Start (ctrl+n)", variant="primary", id="start")
                yield Button("Close (esc)", id="cancel")

    def _title(self) -> str:
        return "New run · the present one is stopped and saved" if self._present else "New run"

    def _choice(self, name: str, values: tuple[str, ...], value: str) -> Select[str]:
        return Select([(v.replace("_", " "), v) for v in values], value=value, allow_blank=False, id=name)

    def on_input_changed(self) -> None:
        self._check()

    def on_select_changed(self, event: Select.Changed) -> None:
        if event.select.id == "optimizer":
            self._suit_rate(str(event.value))
        self._check()

    def _suit_rate(self, optimizer: str) -> None:
        """Another optimizer's rate is of another size: one that nobody typed gives way to the default."""
        rate, c = self.query_one("#learning_rate", Input), self._present
        rate.placeholder = f"{DEFAULT_RATES[optimizer]:g}"
        if c is not None and c.optimizer != optimizer and rate.value == _shown(c.learning_rate or 0.0):
            rate.value = ""

    def on_input_submitted(self) -> None:
        self.action_start()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self.action_start()
        else:
            self.dismiss(None)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_start(self) -> None:
        options = self._check()
        if options is not None:
            self.dismiss(options)

    def _check(self) -> RunOptions | None:
        """The options as typed, or None with the reason on show."""
        problem, options = "", None
        try:
            options = self._read()
            RunConfig(**(options.asked() | {"standardise": "none"}))
        except (ConfigError, ValueError) as error:
            problem, options = str(error), None
        self.query_one("#problem", Static).update(Content(plain(problem, 300)))
        self.query_one("#start", Button).disabled = bool(problem)
        return options

    def _read(self) -> RunOptions:
        numbers: dict[str, float | int] = {}
        for name, (label, kind) in _NUMBERS.items():
            text = self.query_one(f"#{name}", Input).value.strip()
            if text:
                try:
                    numbers[name] = kind(text)
                except ValueError:
                    raise ConfigError(f"{label} {text[:20]!r}: expected a number") from None
        hidden = self.query_one("#hidden", Input).value.strip()
        data = self.query_one("#data", Input).value.strip()
        if not data:
            raise ConfigError("data: expected the name of a built-in set or a file")
        c = self._present
        kept: dict[str, Any] = {}  # what the form does not ask stays as it is
        if c is not None:
            kept = {"second_moment": c.second_moment, "split_seed": c.split_seed, "dtype": c.dtype}
            if data == plain(c.data, 4096).strip():
                data = c.data
                kept |= {"label": c.label, "drop": c.drop, "standardise": c.standardise}
        return RunOptions(
            data=data,
            hidden=parse_hidden(hidden) if hidden else None,
            activation=str(self.query_one("#activation", Select).value),
            batch_norm=self.query_one("#batch_norm", Select).value == "on",
            optimizer=str(self.query_one("#optimizer", Select).value),
            **kept,
            **numbers,  # type: ignore[arg-type]
        )
