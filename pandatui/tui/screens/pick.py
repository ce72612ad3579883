"""Pick what to compare with: sessions and branches of the folder, and the stretches that they have left."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Input
from textual.worker import get_current_worker

from pandatui.charset import to_ascii
from pandatui.sessions import Session, Store
from pandatui.sessions.store import Stored
from pandatui.training.words import plural
from pandatui.tui.comparing import SIGNS
from pandatui.tui.foot import keys_line
from pandatui.tui.leaving import Dialog
from pandatui.tui.listing import COLUMNS, row_of, widths_of, words_of
from pandatui.tui.widgets.lines import Lines

MOST = len(SIGNS)


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """A session, or the stretch that its event `left` left; `key` is its own within the folder."""

    key: str
    session: Session
    left: int | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    pick: Pick
    cells: tuple[str, ...]
    words: str  # what a filter looks through


class PickScreen(Dialog[list[Pick]]):
    """Dismisses with the picks, in the order of the list, or None. `own`: the record to compare with."""

    CSS_PATH = "pick.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "pick", show=False),
        Binding("enter", "take", "take", show=False, priority=True),
        Binding("slash", "filter", "filter", show=False),
        Binding("down", "to_list", "to the list", show=False),
        Binding("escape", "leave", "close", show=False),
    ]

    def __init__(self, store: Store, own: Session, chosen: list[str], *, ascii_only: bool = False) -> None:
        super().__init__()
        self._store = store
        self._own = own
        self._chosen = set(chosen)
        self._ascii = ascii_only
        self._rows: dict[str, _Row] = {}

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Lines(id="head", ascii_only=self._ascii)
            yield DataTable(id="list", cursor_type="row", zebra_stripes=False)
            yield Input(id="filter", placeholder="name, data, status, network", compact=True)
            yield Lines(id="keys", ascii_only=self._ascii)

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.query_one("#head", Lines).show([Content("reading the folder …")])
        self._read()

    @work(thread=True, exclusive=True, group="pick")
    def _read(self) -> None:
        """Read the folder off the screen's thread."""
        found = self._store.list()
        if not get_current_worker().is_cancelled:
            self.app.call_later(self._show, found)

    def _show(self, found: list[Stored]) -> None:
        if not self.is_attached:
            return
        names = {each.session.id: each.session.name for each in found if each.session is not None}
        for row in self._stretches(self._own, ""):
            self._rows[row.pick.key] = row
        for stored in found:
            session = stored.session
            if session is None or session.id == self._own.id:
                continue
            pick = Pick(session.id, session)
            self._rows[pick.key] = _Row(pick, row_of(stored, names), words_of(stored))
            self._rows |= {row.pick.key: row for row in self._stretches(session, words_of(stored))}
        self._fill()
        self.query_one(DataTable).focus()

    def _stretches(self, session: Session, words: str) -> list[_Row]:
        """What a session has left, below it in the list."""
        rows = []
        whose = "this run" if session is self._own else "it"
        for each in session.curves.abandoned:
            if not each.step:
                continue
            name = f"· {whose}, undone: steps {each.step[0]:,.0f}–{each.step[-1]:,.0f}"
            pick = Pick(f"{session.id} {each.event}", session, each.event)
            rows.append(_Row(pick, (name, *[""] * (len(COLUMNS) - 1)), f"{words} undone"))
        return rows

    def _fill(self, at: int = 0) -> None:
        wanted = self.query_one("#filter", Input).value.casefold().split()
        keys = [key for key, row in self._rows.items() if all(word in row.words for word in wanted)]
        table = self.query_one(DataTable)
        table.clear(columns=True)
        widths = widths_of([row.cells for row in self._rows.values()], table.size.width - 5)
        table.add_column("", width=1)
        for i, width in widths.items():
            table.add_column(COLUMNS[i], width=width)
        for key in keys:
            cells = self._rows[key].cells
            shown = [to_ascii(cells[i]) if self._ascii else cells[i] for i in widths]
            table.add_row(self._mark(key), *map(Text, shown), key=key)
        if keys:
            table.move_cursor(row=min(at, len(keys) - 1))
        self._tell()

    def _mark(self, key: str) -> Text:
        return Text(("*" if self._ascii else "●") if key in self._chosen else "")

    def _tell(self) -> None:
        count = len(self._chosen & set(self._rows))
        words = f"compare with: {plural(count, 'run')} picked, {MOST} at the most"
        if not self._rows:
            words = "no other session in the folder yet"
        self.query_one("#head", Lines).show([Content.styled(words, "bold")])
        keys = [("space", "pick or not"), ("/", "filter"), ("enter", "compare"), ("esc", "leave it")]
        self.query_one("#keys", Lines).show([keys_line(keys, self.query_one("#keys").size.width)])

    def on_resize(self) -> None:
        if self._rows:
            self.call_after_refresh(self._fill_again)

    def _fill_again(self) -> None:
        if self.is_attached:
            self._fill(self.query_one(DataTable).cursor_row)

    def on_input_changed(self) -> None:
        self._fill()

    def _at(self) -> str | None:
        table = self.query_one(DataTable)
        if not table.is_valid_row_index(table.cursor_row):
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    def action_choose(self) -> None:
        key = self._at()
        if key is None:
            return
        if key in self._chosen:
            self._chosen.remove(key)
        elif len(self._chosen & set(self._rows)) < MOST:
            self._chosen.add(key)
        else:
            self.notify(f"{MOST} at the most", severity="warning", markup=False)
        table = self.query_one(DataTable)
        at = table.cursor_row
        table.update_cell_at((at, 0), self._mark(key))  # type: ignore[arg-type]
        if at + 1 < table.row_count:
            table.move_cursor(row=at + 1)
        self._tell()

    def action_take(self) -> None:
        """What is picked; where nothing is, the row with the cursor."""
        if self.query_one("#filter", Input).has_focus:
            self.query_one(DataTable).focus()
            return
        at = self._at()
        chosen = self._chosen & set(self._rows) or ({at} if at is not None else set())
        self.dismiss([row.pick for key, row in self._rows.items() if key in chosen])

    def action_filter(self) -> None:
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()

    def action_to_list(self) -> None:
        self.query_one(DataTable).focus()

    def action_leave(self) -> None:
        """Away with the filter first."""
        line = self.query_one("#filter", Input)
        if line.display:
            line.value = ""
            line.display = False
            self.query_one(DataTable).focus()
        else:
            self.dismiss(None)
