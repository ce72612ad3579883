"""One of a few words: space or the arrow keys turn to the next. Much quicker to put up than a Select."""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Cycle(Widget, can_focus=True):
    """Shows `value` as < value > and posts `Changed` when a person turns it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right", "turn(1)", "next", show=False),
        Binding("left", "turn(-1)", "before", show=False),
        Binding("enter", "submit", "done", show=False),
    ]
    ALLOW_SELECT = False

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, cycle: "Cycle") -> None:
            super().__init__()
            self.cycle = cycle

        @property
        def control(self) -> "Cycle":
            return self.cycle

    class Submitted(Message):
        """Enter was pressed."""

    value = reactive("")

    def __init__(self, values: Sequence[str], value: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._values = tuple(values)
        self.set_reactive(Cycle.value, value)

    def render(self) -> Content:
        return Content(f"< {self.value} >")

    def action_turn(self, by: int) -> None:
        self.value = self._values[(self._values.index(self.value) + by) % len(self._values)]
        self.post_message(self.Changed(self))

    def action_submit(self) -> None:
        self.post_message(self.Submitted())

    def on_click(self) -> None:
        self.action_turn(1)
