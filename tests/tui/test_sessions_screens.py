"""The list of sessions and the look at one, while training goes on behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import DataTable

from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.training import Run
from pandatui.training.events import Note, Nudge
from pandatui.tui.screens.record import RecordScreen, event_lines, settings_lines, summary_line
from pandatui.tui.screens.sessions import SessionsScreen
from pandatui.tui.widgets.cost_plot import CostPlot

Opened = Callable[..., Any]


@pytest.fixture
def recorded(new_run: Callable[..., Run], folder: Path) -> Callable[..., Path]:
    """Writes the session of a finished run."""

    def write(name: str = "old-otter", note: str = "mind the gap", **settings: Any) -> Path:
        run = new_run(**settings)
        while run.status == "running":
            if run.steps == 3:
                run.apply(Nudge("learning_rate", notches=5))
            if run.steps == 5:
                run.apply(Note(note))
            run.step()
        session = record(run, Identity(name, "0", "2026-11-21T10:00:00+00:00"), 12.0, run.evaluate())
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
    from pandatui.sessions.store import read

    session, _ = read(recorded(hidden=(5, 4), batch_norm=False))
    assert summary_line(session).plain.startswith(" old-otter · made · finished · 4 epochs · ")
    assert [line.plain for line in event_lines(session)] == [
        "step 4         you   1  learning rate 0.1 → 0.316",
        "step 6         note: mind the gap",
    ]
    settings = [" ".join(line.plain.split()) for line in settings_lines(session)]
    assert "batch norm off" in settings
    assert "hidden 5, 4" in settings
    assert "learning rate 0.1" in settings
