"""The list of recorded sessions, newest first, with a preview; enter opens one."""

from typing import ClassVar

import numpy as np
from rich.cells import cell_len
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable
from textual.worker import get_current_worker

from pandatui.plain import plain
from pandatui.sessions import Session, Store
from pandatui.sessions.schema import from_number
from pandatui.sessions.store import Stored
from pandatui.training.words import cost, plural
from pandatui.tui.charset import to_ascii
from pandatui.tui.plotting import sparkline
from pandatui.tui.screens.record import RecordScreen, event_lines, settings_lines, summary_line
from pandatui.tui.widgets.lines import Lines
from pandatui.tui.wording import MUTED

_COLUMNS = ("name", "when", "data", "status", "dev", "right", "nudges", "epochs")


def row_of(stored: Stored) -> tuple[str, ...]:
    """One line of the table, cleaned; `dev` and `right` are the best of the run."""
    s = stored.session
    if s is None:
        return (plain(stored.path.stem, 30), "", "", "unreadable", "", "", "", "")
    best, right = s.result.best_dev_cost, s.result.best_dev_accuracy
    nudges = len({e.nudge for e in s.events if e.kind == "nudge"})
    return (
        plain(s.name, 30),
        plain(s.created[5:16].replace("T", " "), 11),
        plain(s.data.name, 16),
        stored.status,
        cost(from_number(best)) if best is not None else "",
        f"{from_number(right):.1%}" if right is not None else "",
        str(nudges or ""),
        str(s.epochs),
    )


class SessionsScreen(Screen[None]):
    """Training, if any goes on, goes on behind it."""

    CSS_PATH = "sessions.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", tooltip="Back to where you were", id="sessions.close"),
        Binding("q", "app.quit", "quit", tooltip="Leave", id="sessions.quit"),
    ]

    def __init__(self, store: Store, *, ascii_only: bool = False, live: bool = False) -> None:
        super().__init__()
        self._store = store
        self._live = live  # whether something is being trained meanwhile
        self._ascii = ascii_only
        self._found: dict[str, Stored] = {}

    def compose(self) -> ComposeResult:
        yield Lines(id="status", ascii_only=self._ascii)
        with Horizontal():
            yield DataTable(id="table", cursor_type="row", zebra_stripes=False)
            yield Lines(id="preview", ascii_only=self._ascii)
        yield Lines(id="foot", ascii_only=self._ascii)

    def on_mount(self) -> None:
        self.query_one("#preview").border_title = "preview"
        self.query_one("#status", Lines).show([Content(" sessions · reading …")])
        self.query_one("#foot", Lines).show([Content(" up/down choose  enter open  esc close  q quit")])
        self._read()

    @work(thread=True, exclusive=True, group="sessions")
    def _read(self) -> None:
        """Read the folder off the screen's thread."""
        found = self._store.list()
        if not get_current_worker().is_cancelled:
            self.app.call_later(self._show, found)

    def _show(self, found: list[Stored]) -> None:
        if not self.is_attached:
            return
        where = plain(str(self._store.folder), 80)
        words = f" {plural(len(found), 'session')} in {where}" if found else f" no sessions in {where} yet"
        self.query_one("#status", Lines).show([Content(words)])
        self._found = {str(stored.path): stored for stored in found}
        rows = {key: row_of(stored) for key, stored in self._found.items()}
        if self._ascii:
            rows = {key: tuple(map(to_ascii, cells)) for key, cells in rows.items()}
        table = self.query_one(DataTable)
        for name, *cells in zip(_COLUMNS, *rows.values(), strict=True):
            table.add_column(name, key=name, width=max(map(cell_len, (name, *cells))))
        for key, row in rows.items():
            table.add_row(*map(Text, row), key=key)
        table.focus()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        stored = self._found.get(str(event.row_key.value))
        if stored is None:
            return
        preview = self.query_one("#preview", Lines)
        if stored.session is None:
            preview.show([Content.styled(plain(stored.problem, 500), "$error")])
        else:
            preview.show(self._preview(stored.session, max(10, preview.size.width)))

    def _preview(self, session: Session, width: int) -> list[Content]:
        values = np.array([from_number(v) for v in session.curves.dev_cost.first])
        lines = [summary_line(session), Content("")]
        if len(values):
            spark = sparkline(values, min(width - 10, 60), unicode=not self._ascii)
            lines += [Content.assemble(("dev cost ", MUTED), (spark, "$secondary")), Content("")]
        happened = event_lines(session)
        lines += settings_lines(session)
        if happened:
            lines += [Content(""), *happened[:8]]
            if len(happened) > 8:
                lines.append(Content.styled(f"and {len(happened) - 8} more", MUTED))
        return lines

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        stored = self._found.get(str(event.row_key.value))
        if stored is not None:
            self.app.push_screen(RecordScreen(stored.path, ascii_only=self._ascii, live=self._live))

    def action_close(self) -> None:
        if len(self.app.screen_stack) > 2:
            self.dismiss(None)
