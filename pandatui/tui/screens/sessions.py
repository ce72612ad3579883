"""The list of sessions and studies, newest first, with a preview: to open, find, note, rename and delete."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import DataTable, Input
from textual.worker import get_current_worker

from pandatui.charset import to_ascii
from pandatui.plain import plain
from pandatui.search.shelf import StoredStudy, studies
from pandatui.search.shelf import delete as delete_study
from pandatui.sessions import Session, SessionError, Store
from pandatui.sessions.keeping import annotate, delete, rename
from pandatui.sessions.lock import Held
from pandatui.sessions.store import NameRefused, Stored
from pandatui.training.run import MAX_NOTE
from pandatui.training.words import plural
from pandatui.tui.leaving import Leaving
from pandatui.tui.listing import (
    COLUMNS,
    foot,
    preview_lines,
    row_of,
    row_of_study,
    study_preview,
    widths_of,
    words_of,
    words_of_study,
)
from pandatui.tui.messages import StudyWanted
from pandatui.tui.screens.ask import AskScreen, ConfirmScreen
from pandatui.tui.screens.record import RecordScreen
from pandatui.tui.widgets.lines import Lines


def _reason(error: Exception) -> str:
    if isinstance(error, Held) and error.holder.pid == os.getpid():
        return "it is being trained now"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _words_of(stored: Stored | StoredStudy) -> str:
    return words_of(stored) if isinstance(stored, Stored) else words_of_study(stored)


def _age(stored: Stored | StoredStudy) -> int:
    """What is smaller for what was changed later."""
    try:
        return -stored.path.stat().st_mtime_ns
    except OSError:  # it went away while we looked
        return 0


class SessionsScreen(Leaving[None]):
    """Training, if any goes on, goes on behind it."""

    CSS_PATH = "sessions.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="By name, data, status, network", id="sessions.filter"),
        Binding("n", "note", "note", tooltip="A line of yours on its record", id="sessions.note"),
        Binding("R", "rename", "rename", tooltip="With all that belongs to it", id="sessions.rename"),
        Binding("delete", "delete", "delete", tooltip="After asking", id="sessions.delete"),
        Binding("down", "to_list", "to the list", tooltip="From the filter", id="sessions.list"),
        Binding("escape", "close", "close", tooltip="Back to where you were", id="sessions.close"),
        Binding("q", "app.quit", "quit", tooltip="Leave", id="sessions.quit"),
    ]

    def __init__(self, store: Store, *, ascii_only: bool = False, live: bool = False) -> None:
        super().__init__()
        self._store = store
        self._live = live  # whether something is being trained meanwhile
        self._ascii = ascii_only
        self._found: dict[str, Stored | StoredStudy] = {}
        self._rows: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}  # by id

    def compose(self) -> ComposeResult:
        yield Lines(id="status", ascii_only=self._ascii)
        with Horizontal():
            yield DataTable(id="table", cursor_type="row", zebra_stripes=False)
            yield Lines(id="preview", ascii_only=self._ascii)
        yield Input(id="filter", placeholder="name, data, status, network", compact=True)
        yield Lines(id="foot", ascii_only=self._ascii)

    def on_mount(self) -> None:
        self.query_one("#preview").border_title = "preview"
        self.query_one("#filter").display = False
        self.query_one("#status", Lines).show([Content(" sessions · reading …")])
        self._read()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill_again)

    def _show_foot(self) -> None:
        if self.is_attached:
            shown = self.query_one("#filter").display
            self.query_one("#foot", Lines).show([foot(self.size.width, shown)])

    # -- the folder --------------------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="sessions")
    def _read(self, choose: str = "") -> None:
        """Read the folder off the screen's thread."""
        found: list[Stored | StoredStudy] = [*self._store.list(), *studies(self._store)]
        found.sort(key=_age)
        if not get_current_worker().is_cancelled:
            self.app.call_later(self._show, found, choose)

    def _show(self, found: list[Stored | StoredStudy], choose: str) -> None:
        """Put up what was found, with the cursor on the file `choose`, else where it was."""
        if not self.is_attached:
            return
        first, chosen = not self._found, self._chosen()
        if not choose and chosen is not None:
            choose = str(chosen.path)
        self._found = {str(stored.path): stored for stored in found}
        sessions = [each.session for each in reversed(found) if isinstance(each, Stored)]
        self._names = {each.id: each.name for each in sessions if each is not None}
        rows = {
            key: row_of(stored, self._names) if isinstance(stored, Stored) else row_of_study(stored)
            for key, stored in self._found.items()
        }
        if self._ascii:
            rows = {key: tuple(map(to_ascii, cells)) for key, cells in rows.items()}
        self._rows = rows
        table = self.query_one(DataTable)
        at = table.cursor_row
        self._fill(choose, at)
        if first and not self.query_one("#filter").has_focus:
            table.focus()

    def _fill(self, choose: str = "", at: int = 0) -> None:
        """The rows that the filter lets through."""
        wanted = self.query_one("#filter", Input).value.casefold().split()
        keys = [key for key, each in self._found.items() if all(word in _words_of(each) for word in wanted)]
        table = self.query_one(DataTable)
        table.clear(columns=True)
        widths = widths_of(self._rows.values(), table.size.width)
        for i, width in widths.items():
            table.add_column(COLUMNS[i], key=COLUMNS[i], width=width)
        for key in keys:
            table.add_row(*(Text(self._rows[key][i]) for i in widths), key=key)
        if keys:
            table.move_cursor(row=keys.index(choose) if choose in keys else min(at, len(keys) - 1))
        where = plain(str(self._store.folder), 80)
        count = sum(isinstance(each, StoredStudy) for each in self._found.values())
        total = plural(len(self._found) - count, "session")
        total += f", {count} studies" if count > 1 else ", 1 study" if count else ""
        words = f" {len(keys)} of {total}" if wanted else f" {total}" if self._found else " no sessions"
        words += f" in {where}" + ("" if self._found else " yet")
        self.query_one("#status", Lines).show([Content(words)])
        self._show_foot()
        self._show_preview()

    def _chosen(self) -> Stored | StoredStudy | None:
        table = self.query_one(DataTable)
        if not table.is_valid_row_index(table.cursor_row):
            return None
        key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key
        return self._found.get(str(key.value))

    # -- the preview -------------------------------------------------------------------------------------

    def on_data_table_row_highlighted(self) -> None:
        self._show_preview()

    def _show_preview(self) -> None:
        if not self.is_attached:
            return
        stored = self._chosen()
        preview = self.query_one("#preview", Lines)
        if stored is None:
            preview.show([])
        elif isinstance(stored, StoredStudy):
            preview.show(study_preview(stored))
        elif stored.session is None:
            preview.show([Content.styled(plain(stored.problem, 500), "$error")])
        else:
            preview.show(
                preview_lines(
                    stored.session,
                    stored.status,
                    self._names,
                    max(10, preview.size.width),
                    tall=self.has_class("-wide"),
                    unicode=not self._ascii,
                )
            )

    def on_data_table_row_selected(self) -> None:
        stored = self._chosen()
        if isinstance(stored, StoredStudy):
            self.post_message(StudyWanted(stored.path))
        elif stored is not None:
            self.app.push_screen(RecordScreen(stored.path, ascii_only=self._ascii, live=self._live))

    # -- the filter --------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()
        self._show_foot()

    def on_input_changed(self) -> None:
        self._fill_again()

    def _fill_again(self) -> None:
        """The same with another filter, or in other room."""
        if self.is_attached and self._found:
            stored = self._chosen()
            self._fill(str(stored.path) if stored is not None else "")
        elif self.is_attached:
            self._show_foot()

    def on_input_submitted(self) -> None:
        self.action_to_list()

    def action_to_list(self) -> None:
        self.query_one(DataTable).focus()

    def action_close(self) -> None:
        """Away with the filter first, then with the screen."""
        line = self.query_one("#filter", Input)
        if line.display:
            line.value = ""
            line.display = False
            self.action_to_list()
            self._show_foot()
        elif len(self.app.screen_stack) > 2:
            self.dismiss(None)

    # -- note, name, away --------------------------------------------------------------------------------

    def _known(self) -> tuple[Path, Session] | None:
        """The chosen session's file and record, or None, after saying why."""
        stored = self._chosen()
        if stored is None:
            self.notify("expected a session to be chosen", severity="warning", markup=False)
        elif isinstance(stored, StoredStudy):
            self.notify("a study has neither notes nor another name", severity="warning", markup=False)
        elif stored.session is None:
            self.notify(plain(stored.problem, 300), severity="error", markup=False)
        else:
            return stored.path, stored.session
        return None

    def action_note(self) -> None:
        known = self._known()
        if known is None:
            return
        path, session = known

        def check(text: str) -> str:
            return "" if len(text) <= MAX_NOTE else f"expected at most {MAX_NOTE:,} characters"

        def put(text: str) -> Path:
            annotate(path, text)
            return path

        def take(text: str | None) -> None:
            if text is not None:
                self._do("no note", lambda: put(text), "noted")

        self.app.push_screen(AskScreen(f"Note on {plain(session.name, 40)}", check), take)

    def action_rename(self) -> None:
        known = self._known()
        if known is None:
            return
        path, session = known

        def check(name: str) -> str:
            try:
                taken = self._store.path(name).exists()
            except NameRefused as error:
                return plain(str(error), 200)
            return f"{name} is taken: expected another name" if taken and name != path.stem else ""

        def take(name: str | None) -> None:
            if name is not None and name != path.stem:
                self._do("not renamed", lambda: rename(path, name), f"renamed to {name}")

        self.app.push_screen(
            AskScreen(f"New name of {plain(session.name, 40)}", check, plain(path.stem, 64)), take
        )

    def action_delete(self) -> None:
        stored = self._chosen()
        if stored is None:
            self._known()
            return
        path = stored.path
        if isinstance(stored, StoredStudy):
            self._delete_study(stored)
            return
        if stored.holder is not None:
            self._tell(f"not deleted: {_reason(Held(path.stem, stored.holder))}", "", False)
            return

        def take(yes: bool | None) -> None:
            if yes:
                self._do("not deleted", lambda: delete(path), f"{plain(path.stem, 40)} is deleted")

        how = f"{stored.status}, " if stored.status else ""
        steps = f" ({how}{plural(stored.session.steps, 'step')})" if stored.session is not None else ""
        question = f"Delete {plain(path.stem, 40)}{steps} for good, with its journal and checkpoints?"
        self.app.push_screen(ConfirmScreen(question), take)

    def _delete_study(self, stored: StoredStudy) -> None:
        name = plain(stored.name, 40)

        def take(yes: bool | None) -> None:
            if yes:
                self._do("not deleted", lambda: delete_study(stored.path), f"{name} is deleted")

        trials = len(stored.study.trials) if stored.study is not None else 0
        question = f"Delete the study {name} ({stored.status}, {plural(trials, 'trial')}) for good?"
        self.app.push_screen(ConfirmScreen(question), take)

    @work(thread=True, group="keeping")
    def _do(self, refused: str, deed: Callable[[], Path | Iterable[Path]], done: str) -> None:
        """Carry it out off the screen's thread, say how it went, and read the folder again."""
        try:
            result = deed()
        except (SessionError, OSError) as error:
            self.app.call_later(self._tell, f"{refused}: {_reason(error)}", "", False)
            return
        if isinstance(result, Path):
            self.app.call_later(self._tell, done, str(result), True)
            return
        left = ", ".join(each.name for each in result)
        self.app.call_later(self._tell, f"{done}; not its own, and left: {left}" if left else done, "", True)

    def _tell(self, words: str, choose: str, fine: bool) -> None:
        self.app.notify(plain(words, 300), severity="information" if fine else "error", markup=False)
        if self.is_attached:
            self._read(choose)
