"""The terminal may go before the program does: then what would be shown is dropped, and the program ends.

It may also be far away, without colour or without UTF-8: what is sent is made short, and fit for it.

Textual's own driver waits without end for its writer, which an error has ended; takes over the terminal a
second time when it is told to go on without having been suspended, as the kernel does at a hang-up; shows
as a mistake of the program that nothing can be read, or goes on to read nothing; and may hear of two sizes
in the wrong order.
"""

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Callable
from threading import Event
from typing import IO, Any, cast

from textual.color import Color
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.geometry import Size

from pandatui.charset import cell_by_cell
from pandatui.tui.colourless import colourless
from pandatui.tui.lean import Style, lean


class _Outlived:
    """A file that may go away: what can't be written then is dropped."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()


class _Ending(Event):
    """Set for good when the terminal has gone: all that is read then is nothing, at once and without end."""

    def __init__(self, terminal: int) -> None:
        super().__init__()
        self._terminal = terminal

    def is_set(self) -> bool:
        return super().is_set() or self.hung_up

    @property
    def hung_up(self) -> bool:
        asked = select.poll()  # one that is shared would be refused while another thread asks it
        asked.register(self._terminal, 0)
        return any(event & select.POLLHUP for _, event in asked.poll(0))


class TerminalDriver(LinuxDriver):
    """Textual's, for a terminal that may be closed at any moment."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.exit_event = self._ending = _Ending(self.fileno)
        self._file = cast(Any, _Outlived(cast(IO[str], self._file)))

    def start_application_mode(self) -> None:
        """Read each size in the app's loop: where the signal is handled, the next one may come in between."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._resized)

    def _resized(self) -> None:
        if not self._in_band_window_resize:
            size = Size(*self._get_terminal_size())
            self._app.post_message(Resize(size, size))

    def _get_terminal_size(self) -> tuple[int, int]:
        """As the terminal says: LINES and COLUMNS of the environment know nothing of later sizes."""
        try:
            columns, rows = os.get_terminal_size(self.fileno)
        except OSError:
            columns = rows = 0
        return (columns, rows) if columns and rows else super()._get_terminal_size()

    def write(self, data: str) -> None:
        """Drop it where the writer has ended: its queue is never emptied again."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(lean(self._in_ascii(data), self._restyled()))

    def _in_ascii(self, data: str) -> str:
        """What frames and Textual's own widgets draw, where the terminal has only ASCII."""
        return cell_by_cell(data) if getattr(self._app, "ascii_only", False) else data

    def _restyled(self) -> Callable[[Style], Style] | None:
        if not self._app.no_color:
            return None
        theme = self._app.theme_variables
        return colourless(*(Color.parse(theme[name]).brightness for name in ("background", "foreground")))

    def run_input_thread(self) -> None:
        """Read keys; when the terminal has gone, say so to the app, as the kernel does to its owner alone."""
        try:
            super().run_input_thread()
            gone = self._ending.hung_up
        except OSError:
            gone = True
        if gone:
            os.kill(os.getpid(), signal.SIGHUP)

    def _sigcont_application(self, *_: Any) -> None:
        """Come back only from where ctrl+z has sent it."""
        if self._must_signal_resume:
            super()._sigcont_application()
