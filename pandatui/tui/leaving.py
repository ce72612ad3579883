"""Leaving a screen: once, whatever is pressed how quickly.

A key that is held, or pressed twice, reaches a screen again after it has gone. Textual then takes away
whatever is on top: what lies below, and at last the program.
"""

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen, Screen, ScreenResultType


class Leaving(Screen[ScreenResultType]):
    """A screen that is dismissed while it is on top, and not again."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()


class Dialog(ModalScreen[ScreenResultType], Leaving[ScreenResultType]):
    """A question over what is there."""


class Palette(CommandPalette, Leaving[None]):
    """Textual's palette of commands."""
