"""The list of sessions and the look at one, while training goes on behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.geometry import Size
from textual.widgets import DataTable, Input

from pandatui.sessions.journal import Journal
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import Parent, encode
from pandatui.sessions.store import read
from pandatui.training import Run
from pandatui.training.events import Note, Nudge
from pandatui.tui.listing import COLUMNS, widths_of
from pandatui.tui.record_wording import event_lines, settings_lines, summary_line
from pandatui.tui.screens.ask import AskScreen, ConfirmScreen
from pandatui.tui.screens.record import RecordScreen
from pandatui.tui.screens.sessions import SessionsScreen
from pandatui.tui.widgets.cost_plot import CostPlot

Opened = Callable[..., Any]


@pytest.fixture
def recorded(new_run: Callable[..., Run], folder: Path) -> Callable[..., Path]:
    """Writes the session of a finished run."""

    def write(
        name: str = "old-otter", note: str = "mind the gap", parent: Parent | None = None, **settings: Any
    ) -> Path:
        run = new_run(**settings)
        while run.status == "running":
            if run.steps == 3:
                run.apply(Nudge("learning_rate", notches=5))
            if run.steps == 5:
                run.apply(Note(note))
            run.step()
        session = record(
            run, Identity(name, f"id of {name}", "2026-11-21T10:00:00+00:00", parent), 12.0, run.evaluate()
        )
        folder.mkdir(exist_ok=True)
        path = folder / f"{name[:20]}.json"
        path.write_bytes(encode(session))
        return path

    return write


async def listed(s: Any, rows: int) -> DataTable[Any]:
    await s.press("ctrl+o")
    await s.until(lambda: s.app.screen.query(DataTable))
    table = s.app.screen.query_one(DataTable)
    await s.until(lambda: table.row_count == rows, f"for {rows} rows")
    return table


async def test_list_preview_open_and_back_while_training_goes_on(
    stage: Opened, recorded: Callable[..., Path]
) -> None:
    recorded()
    async with stage(pace=None, epochs=1_000_000, size=(130, 40)) as s:
        await listed(s, 2)
        await s.says("2 sessions in", "old-otter", "made-run", "up/down choose  enter open")
        await s.press("down")
        await s.says("batch norm", "rate 0.1 → 0.316", "note: mind the gap")
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, RecordScreen))
        await s.says("old-otter · made · finished · 4 epochs", "12 s", "dev", "settings")
        before = s.steps
        await s.until(lambda: s.steps > before + 10)
        await s.press("left", "l", "s", "y")
        assert s.app.clipboard.startswith("step ")
        await s.press("escape")  # the cursor
        await s.press("escape")
        await s.until(lambda: isinstance(s.app.screen, SessionsScreen))
        await s.press("escape")
        await s.until(lambda: s.app.screen is s.watch)
        await s.says("training")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not a session"),
        (b"{", "not a session"),
        (b"[1, 2]", "not a pandatui session"),
        (b"\xff\xfe\x00", "not a session"),
        (b'{"format": "pandatui-session", "version": 99}', "use a newer one"),
        (b'{"format": "pandatui-session", "version": 1}', "not a session as expected"),
    ],
)
async def test_a_damaged_file_is_listed_and_says_why(
    stage: Opened, folder: Path, raw: bytes, words: str
) -> None:
    folder.mkdir()
    (folder / "broken.json").write_bytes(raw)
    async with stage(size=(130, 40)) as s:
        table = await listed(s, 2)
        await s.says("broken", "unreadable")
        table.move_cursor(row=[key.value.endswith("broken.json") for key in table.rows].index(True))
        await s.until(lambda: words in " ".join(s.text("#preview").split()))
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, RecordScreen))
        await s.says("broken.json")
        await s.press("left", "l", "s", "y", "escape")
        await s.until(lambda: isinstance(s.app.screen, SessionsScreen))


async def test_a_nudge_that_says_too_little_is_a_damaged_file(
    stage: Opened, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    path.write_text(path.read_text().replace('"knob":"learning_rate"', '"knob":"nonsense"'))
    async with stage(size=(130, 40)) as s:
        await listed(s, 2)
        await s.says("unreadable")


async def test_an_edited_record_says_so(stage: Opened, recorded: Callable[..., Path]) -> None:
    path = recorded()
    path.write_text(path.read_text().replace("mind the gap", "mine the gap"))
    async with stage(size=(130, 40)) as s:
        s.app.push_screen(RecordScreen(path))
        await s.says("edited", "old-otter", "mine the gap")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (40, 12)])
async def test_a_record_shows_its_curve_at_every_size(
    stage: Opened, recorded: Callable[..., Path], size: tuple[int, int]
) -> None:
    path = recorded()
    async with stage(size=size) as s:
        s.app.push_screen(RecordScreen(path))
        await s.says("old-otter", "guessing", "dev 1.0" if size[0] > 200 else "dev")
        assert s.app.screen.query_one(CostPlot).size.height >= 8
        assert ("what happened" in s.screen()) == (size[0] >= 80)


async def test_an_empty_folder_says_so(stage: Opened, tmp_path: Path) -> None:
    from pandatui.sessions import Store

    async with stage() as s:
        s.app.push_screen(SessionsScreen(Store(tmp_path / "none")))
        await s.says("no sessions in")
        await s.press("enter", "escape")
        await s.until(lambda: s.app.screen is s.watch)


def test_the_lines_of_a_record(recorded: Callable[..., Path]) -> None:
    session, _ = read(recorded(hidden=(5, 4), batch_norm=False))
    assert summary_line(session, "finished").plain.startswith("old-otter · made · finished · 4 epochs · ")
    assert [line.plain for line in event_lines(session)] == [
        "step 4         you   1  learning rate 0.1 → 0.316",
        "step 6         note: mind the gap",
    ]
    settings = [" ".join(line.plain.split()) for line in settings_lines(session)]
    assert "batch norm off" in settings
    assert "hidden 5, 4" in settings
    assert "learning rate 0.1" in settings


# -- finding, noting, renaming, taking away --


def names(s: Any) -> list[str]:
    table = s.app.screen.query_one(DataTable)
    return sorted(Path(str(key.value)).stem for key in table.rows)


async def choose(s: Any, name: str) -> None:
    table = s.app.screen.query_one(DataTable)
    table.move_cursor(row=[Path(str(key.value)).stem for key in table.rows].index(name))
    await s.seen()


async def asked(s: Any, key: str, kind: type) -> None:
    await s.press(key)
    await s.until(lambda: isinstance(s.app.screen, kind), f"for {kind.__name__}")
    if kind is AskScreen:
        await s.until(lambda: isinstance(s.app.focused, Input))


async def answered(s: Any, text: str) -> None:
    s.app.screen.query_one(Input).value = text
    await s.press("enter")
    await s.until(lambda: isinstance(s.app.screen, SessionsScreen))


async def told(s: Any, words: str) -> None:
    await s.until(
        lambda: any(words in note.message for note in s.app._notifications), f"to be told {words!r}"
    )


@pytest.mark.parametrize("size", [(130, 40), (80, 24), (40, 12)])
async def test_rows_are_filtered_at_each_key_and_esc_brings_them_back(
    stage: Opened, recorded: Callable[..., Path], size: tuple[int, int]
) -> None:
    recorded()
    recorded("other-yak", hidden=(7,), optimizer="adam")
    async with stage(size=size) as s:
        await listed(s, 3)
        await s.press("slash", "o", "t", "t")
        await s.until(lambda: names(s) == ["old-otter"])
        await s.says("1 of 3 sessions", "old-otter", "esc all again")
        await s.press("q", "n", "R", "delete")  # letters there, and no keys
        await s.until(lambda: names(s) == [])
        s.app.screen.query_one(Input).value = "ADAM finished"
        await s.until(lambda: names(s) == ["other-yak"])
        s.app.screen.query_one(Input).value = "run made"
        await s.until(lambda: names(s) == ["made-run"])
        await s.press("enter", "n", "escape")  # a note on it, after all not
        await s.press("escape")
        await s.until(lambda: names(s) == ["made-run", "old-otter", "other-yak"])
        assert isinstance(s.app.screen, SessionsScreen)
        assert not s.app.screen.query_one(Input).display
        await s.press("escape")
        await s.until(lambda: s.app.screen is s.watch)


async def test_nothing_chosen_is_said(stage: Opened, recorded: Callable[..., Path]) -> None:
    recorded()
    async with stage() as s:
        await listed(s, 2)
        await s.press("slash", "z", "z", "z")
        await s.until(lambda: names(s) == [])
        await s.press("enter", "n")
        await told(s, "expected a session to be chosen")
        await s.press("R", "delete", "enter")
        assert isinstance(s.app.screen, SessionsScreen)


async def test_a_note_is_kept_and_shown(stage: Opened, recorded: Callable[..., Path]) -> None:
    path = recorded()
    async with stage(size=(130, 40)) as s:
        await listed(s, 2)
        await choose(s, "old-otter")
        await asked(s, "n", AskScreen)
        await s.says("Note on old-otter")
        await answered(s, "the [b]best[/b] one")
        await told(s, "noted")
        await s.until(lambda: "note: the [b]best[/b] one" in s.text("#preview"))
        session, whole = read(path)
        assert whole
        assert session.events[-1].text == "the [b]best[/b] one"


async def test_the_session_that_is_trained_now_is_left_alone(stage: Opened) -> None:
    async with stage() as s:
        await listed(s, 1)
        await asked(s, "n", AskScreen)
        await answered(s, "not now")
        await told(s, "no note: it is being trained now")
        await asked(s, "R", AskScreen)
        await answered(s, "other-name")
        await told(s, "not renamed: it is being trained now")
        await s.press("delete")
        await told(s, "not deleted: it is being trained now")
        assert names(s) == ["made-run"]


async def test_what_another_holds_or_was_edited_is_refused_in_words(
    stage: Opened, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    journal = Journal.create(path.with_suffix(".journal"), "id of old-otter")
    async with stage() as s:
        await listed(s, 2)
        await choose(s, "old-otter")
        await asked(s, "n", AskScreen)
        await answered(s, "mine")
        await told(s, "no note: ")
        journal.close(remove=True)
        edited = path.with_suffix(".new")
        edited.write_text(path.read_text().replace("mind the gap", "mine the gap"))
        edited.replace(path)  # at once: the list may be reading it
        await asked(s, "n", AskScreen)
        await answered(s, "mine")
        await told(s, "was edited")


async def test_rename_checks_the_name_while_it_is_typed(stage: Opened, recorded: Callable[..., Path]) -> None:
    path = recorded()
    recorded("other-yak")
    async with stage() as s:
        await listed(s, 3)
        await choose(s, "old-otter")
        await asked(s, "R", AskScreen)
        line = s.app.screen.query_one(Input)
        assert line.value == "old-otter"
        line.value = "other-yak"
        await s.says("other-yak is taken")
        line.value = "../x"
        await s.says("expected up to 64")
        await s.press("enter")
        assert isinstance(s.app.screen, AskScreen)
        await answered(s, "new-newt")
        await told(s, "renamed to new-newt")
        await s.until(lambda: names(s) == ["made-run", "new-newt", "other-yak"])
        assert read(path.with_name("new-newt.json"))[0].name == "new-newt"
        await s.until(lambda: "new-newt" in s.text("#preview"))


@pytest.mark.parametrize("size", [(120, 36), (40, 12)])
async def test_delete_asks_and_takes_one(
    stage: Opened, recorded: Callable[..., Path], size: tuple[int, int]
) -> None:
    path = recorded()
    recorded("other-yak")
    async with stage(size=size) as s:
        await listed(s, 3)
        await choose(s, "old-otter")
        await asked(s, "delete", ConfirmScreen)
        await s.says("Delete old-otter")
        await s.press("escape")
        assert path.exists()
        await asked(s, "delete", ConfirmScreen)
        await s.press("enter")
        await told(s, "old-otter is deleted")
        await s.until(lambda: names(s) == ["made-run", "other-yak"])
        assert not path.exists()


async def test_a_damaged_file_is_not_deleted(stage: Opened, folder: Path) -> None:
    folder.mkdir()
    (folder / "broken.json").write_bytes(b"{")
    async with stage() as s:
        await listed(s, 2)
        await choose(s, "broken")
        await s.press("n")
        await told(s, "not a session")
        await asked(s, "delete", ConfirmScreen)
        await s.press("enter")
        await told(s, "not deleted: ")
        assert (folder / "broken.json").exists()


@pytest.mark.parametrize("size", [(130, 40), (80, 24)])
async def test_the_preview_says_where_a_branch_is_from(
    stage: Opened, recorded: Callable[..., Path], size: tuple[int, int]
) -> None:
    recorded()
    recorded("child-cat", parent=Parent(id="id of old-otter", name="first-fox", step=5))
    recorded("lone-lynx", parent=Parent(id="gone", name="gone-goose", step=1200))
    recorded("trial-toad", parent=Parent(study="big", trial=3))
    async with stage(size=size) as s:
        await listed(s, 5)
        await choose(s, "child-cat")
        await s.until(lambda: "branch of old-otter@5 (then first-fox)" in s.text("#preview"))
        await s.says("branch of old-otter@5", "dev cost")
        await choose(s, "lone-lynx")
        await s.until(lambda: "branch of gone-goose@1,200" in s.text("#preview"))
        await choose(s, "trial-toad")
        await s.until(lambda: "branch of big trial 3" in s.text("#preview"))
        assert all(len(line) <= size[0] for line in s.screen().splitlines())


def test_the_table_has_the_columns_that_say_anything_as_far_as_there_is_room() -> None:
    row = ("brave-otter", "11-21 08:47", "spirals", "finished", "0.114", "98.7%", "", "", "60", "1,140", "32")
    branch = (
        "sly-magpie",
        "11-21 08:50",
        "spirals",
        "stopped",
        "",
        "",
        "2",
        "brave-otter@498",
        "27",
        "5",
        "32",
    )

    def shown(rows: list[tuple[str, ...]], room: int) -> list[str]:
        widths = widths_of(rows, room)
        assert sum(width + 2 for width in widths.values()) <= max(room, 13)
        return [COLUMNS[i] for i in widths]

    assert shown([row], 200) == [name for name in COLUMNS if name not in ("nudges", "branch of")]
    assert shown([row, branch], 200) == list(COLUMNS)
    assert shown([row, branch], 80) == [
        "name",
        "when, UTC",
        "data",
        "status",
        "dev",
        "right",
        "nudges",
        "epochs",
    ]
    assert shown([row, branch], 40) == ["name", "when, UTC", "data"]
    assert shown([row, branch], 1) == ["name"]
    assert shown([], 80)[0] == "name"


async def test_more_columns_come_with_more_room_and_the_chosen_session_stays(
    stage: Opened, recorded: Callable[..., Path]
) -> None:
    recorded("one")
    recorded("two")
    async with stage(size=(90, 24)) as s:
        table = await listed(s, 3)
        await s.says("nudges", "epochs")
        assert [str(column.label) for column in table.ordered_columns][-1] == "steps"
        await s.press("down", "down")
        chosen = s.app.screen._chosen().path
        s.app.post_message(events.Resize(Size(200, 40), Size(200, 40)))
        await s.until(lambda: str(table.ordered_columns[-1].label) == "network")
        assert s.app.screen._chosen().path == chosen
