"""While the disk is full, what is done is marked as unsaved; the mark goes when it is on the disk."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions.store import look

Opened = Callable[..., Any]


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can grow: what the system says to a write is an error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def on_disk(folder: Path) -> list[str]:
    """The knobs of the nudges that a reader would find now."""
    session = look(folder / "made-run.json").session
    assert session is not None
    return [str(event.knob) for event in session.events if event.kind == "nudge"]


async def test_a_nudge_that_is_on_no_disk_is_marked_until_it_is(stage: Opened, folder: Path) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("D")
        await s.says("decay 0.01, in use from step 2")
        with no_room():
            await s.press("A")
            await s.says(
                "unsaved · learning rate 0.126 (×1.26), in use",
                "unsaved · learning rate 0.1 → 0.126",
                "not saved: File too large",
            )
            await s.press("B")
            await s.says("unsaved · momentum 0.921 (averages", "unsaved · momentum 0.900 → 0.921")
            await s.press("n", *"why", "enter")
            await s.says("unsaved · note: why")
            assert "unsaved · decay" not in s.screen()
            assert on_disk(folder) == ["decay"]
        await s.until(lambda: "unsaved" not in s.screen())
        await s.says("learning rate 0.1 → 0.126", "momentum 0.900 → 0.921", "note: why")
        assert on_disk(folder) == ["decay", "learning_rate", "momentum"]
        await s.until(lambda: "not saved" not in s.screen())


async def test_a_press_more_marks_the_gesture_that_was_saved(stage: Opened) -> None:
    async with stage() as s:
        await s.until(lambda: s.steps == 1)
        await s.press("D")
        await s.says("decay 0 → 0.01")
        with no_room():
            await s.press("D")
            await s.says("unsaved · decay 0 → 0.02 (2 presses)")
        await s.until(lambda: "unsaved" not in s.screen())


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (40, 12)])
async def test_the_mark_has_room_on_small_screens(stage: Opened, size: tuple[int, int]) -> None:
    async with stage(size=size) as s:
        await s.until(lambda: s.steps == 1)
        with no_room():
            await s.press("A")
            await s.says("unsaved · learning rate 0.126")
        await s.until(lambda: "unsaved" not in s.screen())
