"""What all screens do: they are left once, whatever is pressed how quickly, and are as large as the terminal.

A key that is held, or pressed twice, reaches a screen again after it has gone. Textual then takes away
whatever is on top: what lies below, and at last the program.
"""

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.events import Resize
from textual.screen import ModalScreen, Screen, ScreenResultType


class Leaving(Screen[ScreenResultType]):
    """A screen that is dismissed while it is on top, and not again."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    async def _on_resize(self, event: Resize) -> None:
        """A size that the terminal has no more is not laid out.

        A screen that is laid out tells itself its size; behind the next size, that took the next one's place.
        """
        if event.size != self.app.size:
            event.prevent_default()


class Dialog(ModalScreen[ScreenResultType], Leaving[ScreenResultType]):
    """A question over what is there."""


class Palette(CommandPalette, Leaving[None]):
    """Textual's palette of commands."""
