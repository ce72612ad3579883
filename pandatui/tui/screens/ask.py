"""One question, one line to answer it on, checked while it is typed."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from pandatui.training.config import ConfigError, check_knob
from pandatui.training.knobs import KNOBS
from pandatui.tui.leaving import Dialog


def knob_check(name: str, low: float, high: float) -> Callable[[str], str]:
    """What is wrong with a text as a value of a knob within these limits."""

    def check(text: str) -> str:
        try:
            check_knob(name, float(text), low=low, high=high)
        except ConfigError as error:
            return str(error)
        except ValueError:
            return f"expected a number, {KNOBS[name].expectation(low, high)}"
        return ""

    return check


def check_steps(text: str) -> str:
    """What is wrong with a text as a number of steps."""
    fine = text.isdecimal() and len(text) <= 12 and int(text) > 0
    return "" if fine else "expected a whole number of steps, at least 1"


class AskScreen(Dialog[str | None]):
    """Dismisses with the text, or None. `check` returns what is wrong with a text, or an empty string."""

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "close", show=False)]

    def __init__(self, question: str, check: Callable[[str], str], initial: str = "") -> None:
        super().__init__()
        self._question = question
        self._check = check
        self._initial = initial

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(Content(self._question), id="question", markup=False)
            yield Input(self._initial)
            yield Static("enter takes it · esc leaves it", id="hint", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        problem = self._check(event.value.strip()) if event.value.strip() else ""
        hint = self.query_one("#hint", Static)
        hint.set_class(bool(problem), "problem")
        hint.update(Content(problem or "enter takes it · esc leaves it"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if text and not self._check(text):
            self.dismiss(text)

    def action_cancel(self) -> None:
        self.dismiss(None)


class ConfirmScreen(Dialog[bool]):
    """A question to answer with enter or esc. Dismisses with True or False."""

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", "yes", show=False),
        Binding("escape,n", "answer(False)", "no", show=False),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(Content(self._question), id="question", markup=False)
            yield Static("enter does it · esc leaves it", id="hint", markup=False)

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class TwinsScreen(Dialog[bool]):
    """Where twins are to begin. Dismisses with True for the start, False for here, None for neither."""

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,s", "answer(True)", "from the start", show=False),
        Binding("h", "answer(False)", "from here", show=False),
        Binding("escape,n", "leave", "no", show=False),
    ]

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def compose(self) -> ComposeResult:
        here = f"h      from here, step {self._steps:,}: other orders of the data"
        with Vertical(id="box"):
            yield Static("Is that bump real? Five twins of this run, nudges and all.", id="question")
            yield Static(Content("enter  from the start: five other seeds"), markup=False)
            yield Static(Content(here), markup=False)
            yield Static("esc leaves it", id="hint", markup=False)

    def action_answer(self, from_start: bool) -> None:
        self.dismiss(from_start)

    def action_leave(self) -> None:
        self.dismiss(None)
