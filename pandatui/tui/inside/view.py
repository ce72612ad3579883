"""A view into a run: what it asks between two steps, and the picture that it makes of the answer."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from textual.message import Message
from textual.strip import Strip

from pandatui.data import DataError
from pandatui.plain import plain
from pandatui.training import Run
from pandatui.tui.canvas import Cells, Ink, Palette
from pandatui.tui.widgets.drawn import Drawn

SHARE = 0.015  # of the time goes into answers, at most, while the run trains

Question = Callable[[Run], Any]
Ask = Callable[[Question], Future[Any]]


class InsideView(Drawn):
    """Hidden it costs nothing: only the one that is shown asks, and seldom where its answer is dear.

    `TITLE` heads its panel.
    """

    TITLE = ""

    class Answered(Message):
        """A run has answered, in its thread."""

        def __init__(self, answer: Future[Any]) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._waiting = False
        self._due = 0.0  # when the next question may be put
        self._asked_at: object = None
        self._excuse = ""
        self.note = ""  # at the foot of its panel: whose weights these are

    # -- asking ------------------------------------------------------------------------------------------

    def question(self) -> Question:
        """What to ask of the run between two steps, in its thread: frozen facts, quickly."""
        raise NotImplementedError

    def look(self, ask: Ask, state: object, *, training: bool) -> None:
        """Ask, if `state` or what the view wants is something else than last time; the answer is shown."""
        state = (state, self.size, self.wants)
        if self._waiting or state == self._asked_at or (training and time.monotonic() < self._due):
            return
        self._waiting, self._asked_at = True, state
        question = self.question()

        def timed(run: Run) -> tuple[Any, float]:
            began = time.perf_counter()
            return question(run), time.perf_counter() - began

        ask(timed).add_done_callback(lambda answer: self.post_message(self.Answered(answer)))

    @property
    def wants(self) -> object:
        """What else changes its answer."""
        return None

    @property
    def rest(self) -> float:
        """Seconds from an answer to the next question, at least, while the run trains."""
        return 0.0

    def on_inside_view_answered(self, message: Answered) -> None:
        self._waiting = False
        try:
            facts, seconds = message.answer.result()
        except DataError as error:  # a mapped file has changed: training says so too
            self._excuse = plain(str(error), 300)
            self.redraw()
            return
        self._due = time.monotonic() + max(self.rest, seconds / SHARE)
        if self.display:
            self._excuse = ""
            self.show(facts)

    def show(self, facts: Any) -> None:
        """Draw the answer."""
        raise NotImplementedError

    def excuse(self, words: str) -> None:
        """Say why there is nothing to show."""
        self._asked_at = None
        if words != self._excuse:
            self._excuse = words
            self.redraw()

    # -- drawing -----------------------------------------------------------------------------------------

    def paint(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        if self._excuse:
            cells = Cells(width, height, Ink(palette.foreground), unicode=self.unicode)
            for i, line in enumerate(wrapped(self._excuse, max(10, width - 4))):
                cells.write(2, max(0, height // 2 - 1) + i, line, Ink(palette.foreground))
            return cells.strips(palette.background)
        return self.picture(width, height, palette)

    def picture(self, width: int, height: int, palette: Palette) -> list[Strip] | None:
        """What was answered last, drawn; None before the first answer."""
        raise NotImplementedError

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Those that mean something here, with their words."""
        return ()

    def turn(self, by: int) -> str:
        """Go on to the next layer or picture, where there are several; what to say of it."""
        return ""

    @property
    def colour(self) -> bool:
        """Whether shades can tell anything."""
        return not self.app.no_color


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most so many characters, broken between words."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines
