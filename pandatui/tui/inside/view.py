"""A view into a run: what it asks between two steps, and the picture that it makes of the answer."""

from collections.abc import Callable
from typing import Any

from pandatui.training import Run
from pandatui.tui.widgets.drawn import Drawn


class InsideView(Drawn):
    """Hidden it costs nothing: only the one that is shown is asked for.

    `TITLE` heads its panel. `WEIGHTS`: it needs the network, which a recording has not.
    """

    TITLE = ""
    WEIGHTS = True

    def question(self) -> Callable[[Run], Any]:
        """What to ask of the run between two steps, in its thread: frozen facts, quickly."""
        raise NotImplementedError

    def show(self, facts: Any) -> None:
        """Draw the answer."""
        raise NotImplementedError

    def turn(self, by: int) -> str:
        """Go on to the next layer, class or picture, where there are several; what to say of it."""
        return ""

    @property
    def colour(self) -> bool:
        """Whether shades can tell anything."""
        return not self.app.no_color
