"""The app towards its terminal: which driver, which signals end it, and what of its input is heard."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial

from textual import events
from textual.actions import ActionParseResult
from textual.app import App
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.timer import Timer, TimerCallback
from textual.worker import WorkerFailed

from pandatui.plain import harmless
from pandatui.tui.leaving import Palette
from pandatui.tui.memory import one_heap
from pandatui.tui.terminal import TerminalDriver

MOST_PASTED = 10_000  # characters
# seconds, for Python's 5 ms: a step gives the interpreter away at each matrix product, and while the screen
# is drawn would wait so long for it after each of them
_TURN = 0.001
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)


class TerminalApp(App[None]):
    """An app that is left with `finish`, by a key or by a signal, and then hears no more."""

    leaving = False

    def finish(self, code: int) -> None:
        """Leave with this exit status."""
        self.leaving = True
        self.exit(return_code=code)

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        return TerminalDriver if found is LinuxDriver else found

    def on_load(self) -> None:
        """Before the terminal is taken over, so that no signal leaves it so."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, partial(self.finish, 128 + number))

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """As Textual does, but heard however late: it skips what is due before the timer's task has begun.

        Of a timer that is heard once that is the end, and by such a one it follows the terminal's size.
        """
        timer = super().set_timer(delay, callback, name=name, pause=True)
        timer._skip = False
        if not pause:
            timer.resume()
        return timer

    async def on_event(self, event: events.Event) -> None:
        """As Textual does; but keys that come when the app leaves would find screens without widgets.

        What is pasted is seen as it stands: a line editor would send its escapes to the terminal.
        """
        if self.leaving and isinstance(event, events.InputEvent):
            return
        if isinstance(event, events.Paste):
            event.text = harmless("".join(event.text[:MOST_PASTED].splitlines()[:1]))
        await super().on_event(event)

    async def run_action(
        self,
        action: "str | ActionParseResult",  # which is a string itself
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As Textual does; but a screen that a key finds half open gets its parts first."""
        screen = default_namespace
        if isinstance(screen, Screen) and not screen.is_mounted:
            return screen.call_later(self.run_action, action, screen, namespaces)
        return await super().run_action(action, default_namespace, namespaces)

    def _handle_exception(self, error: Exception) -> None:
        """While the app is leaving, a screen that has just been opened may miss its parts: no mistake."""
        if not (self.leaving and isinstance(error, NoMatches | WorkerFailed)):
            super()._handle_exception(error)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))


def prepare_process() -> None:
    """What the app needs of the process before it is made."""
    one_heap()
    sys.setswitchinterval(_TURN)
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]  # https://no-color.org: an empty one says nothing; for Textual it is a yes
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # until the app hears it, there is nothing to save; asyncio would show where it was cut
        signal.signal(signal.SIGINT, signal.SIG_DFL)
