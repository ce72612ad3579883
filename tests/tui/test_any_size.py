"""Terminals of every size from 1×1 to 200×60: every screen is drawn in each, and the app goes on answering.

`PANDATUI_SIZES` says how many of the 12,000 sizes for each screen, or `all`: each size on one of the screens,
dealt out at random, besides those where layouts change on each; `PANDATUI_SEED` takes the same again.
"""

from __future__ import annotations

import itertools
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.events import Resize
from textual.geometry import Size

from pandatui.search.setup import prepare
from pandatui.search.spec import Spec
from pandatui.sessions import Store
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.training import Run
from pandatui.training.events import Nudge
from pandatui.training.setup import RunOptions
from pandatui.tui.racing import Racing

pytestmark = pytest.mark.campaign

WIDEST, HIGHEST = 200, 60
SIZES = os.environ.get("PANDATUI_SIZES", "3")
SEED = os.environ["PANDATUI_SEED"]
CORNERS = [(1, 1), (WIDEST, 1), (1, HIGHEST), (WIDEST, HIGHEST), (2, 2), (1, 2), (2, 1), (3, 3)]
FULL = (120, 36)
EDGES = [*itertools.product((29, 39, 40, 59, 60, 99, 100, 110), (15, 16, 20, 27, 28))]  # where layouts change
# how each screen is reached from the watch screen, by keys and what screen they open, and how a view is left
Way = tuple[tuple[tuple[str, ...], str], ...]
SCREENS: dict[str, dict[str, tuple[Way, tuple[str, ...]]]] = {
    "training": {
        "the curve": ((), ()),
        "pointed at and zoomed": (((("left", "left", "z", "l", "s"), "WatchScreen"),), ("Z", "end")),
        "layers": (((("2",), "WatchScreen"),), ("1",)),
        "batch norm": (((("3",), "WatchScreen"),), ("1",)),
        "predictions": (((("4",), "WatchScreen"),), ("1",)),
        "help": (((("question_mark",), "WatchScreen"),), ("question_mark",)),
        "palette": (((("ctrl+p",), "Palette"),), ()),
    },
    "records": {
        "what to compare with": (((("5",), "PickScreen"),), ()),
        "comparison": (((("5",), "PickScreen"), (("space", "enter"), "CompareScreen")), ()),
        "sessions": (((("ctrl+o",), "SessionsScreen"),), ()),
        "a record": (((("ctrl+o",), "SessionsScreen"), (("end", "enter"), "RecordScreen")), ()),
    },
    "more": {
        "new run": (((("ctrl+n",), "NewRunScreen"),), ()),
        "a choice": (((("ctrl+n",), "NewRunScreen"), (("tab", "tab", "enter"), "NewRunScreen")), ("escape",)),
        "batch": (((("c",), "QueueBatchScreen"),), ()),
        "race": (((("C",), "RaceScreen"),), ()),
    },
}


def sizes(screen: str) -> list[tuple[int, int]]:
    """The smallest, then of the corners, of the edges of layouts and of all others in turn."""
    chance = random.Random(f"{SEED}/{screen}")
    every = [*itertools.product(range(1, WIDEST + 1), range(1, HIGHEST + 1))]
    if SIZES == "all":
        random.Random(SEED).shuffle(every)
        names = [name for group in SCREENS.values() for name in group]
        return [*CORNERS, *EDGES, *every[names.index(screen) :: len(names)]]
    kinds = [chance.sample(each, len(each)) for each in (CORNERS, EDGES, every)]
    mixed = [size for sizes in itertools.zip_longest(*kinds) for size in sizes if size is not None]
    return [(1, 1), *mixed[: int(SIZES) - 1]]


@pytest.fixture
def shelf(folder: Path, new_run: Callable[..., Run]) -> None:
    """A session to list, to open and to compare with."""
    run = new_run(epochs=8)
    while run.ready:
        if run.steps == 10:
            run.apply(Nudge("learning_rate", to=0.2), 1.0)
        run.step(run.steps * 0.1)
    session = record(run, Identity.new("an-older-one"), run.steps * 0.1, run.evaluate())
    store = Store(folder)
    store.prepare()
    store.write("an-older-one", encode(session))


@pytest.fixture
def raced(folder: Path, held_engine: Any, noted: Any) -> Callable[[], Racing]:
    """A race that is over, with all its trials known."""

    def raced() -> Racing:
        run = RunOptions(data="xor", hidden=(4,), epochs=2)
        ready = prepare(Spec(run=run, trials=4, rounds=1))
        racing = Racing(ready.study(), folder / "xor-race.study.json", "race of made-run", math.log(2))
        racing.begin(ready.dataset, held_engine, noted)
        return racing

    return raced


def drawn(s: Any) -> tuple[int, int]:
    """The size of what is on the screen; no columns where its lines are not equally long."""
    lines = s.screen().split("\n")
    widths = {cell_len(line) for line in lines}
    return (widths.pop() if len(widths) == 1 else 0), len(lines)


def resized(app: Any, columns: int, rows: int) -> Size:
    """As Textual's pilot does it, but without a rest until the processor is idle."""
    size = app._driver._size = Size(columns, rows)
    app.post_message(Resize(size, size))
    return size


@pytest.mark.parametrize("kind", SCREENS)
async def test_every_screen_in_every_size(
    kind: str, stage: Callable[..., Any], shelf: None, raced: Callable[[], Racing], held_engine: Any
) -> None:
    async with stage(pace=1.0, epochs=1_000_000) as s:
        await s.until(lambda: s.steps > 0)
        if kind == "more":
            s.app.racing = raced()

            def over() -> bool:
                held_engine.let_go()
                return bool(s.app.racing.read().over)

            await s.until(over)
        for screen, (way, back) in SCREENS[kind].items():
            for keys, name in way:
                if name == "RecordScreen":
                    await s.says("an-older-one")
                await s.press(*keys[:-1])
                s.type(keys[-1])
                await s.until(lambda name=name: type(s.app.screen).__name__ == name, f"for {screen}")
            shown = s.app.screen
            for columns, rows in sizes(screen):
                size = resized(s.app, columns, rows)
                where = f"for {screen} in {columns}×{rows}, PANDATUI_SEED={SEED}"
                await s.until(lambda size=size: s.app.screen.outer_size == size and drawn(s) == size, where)
                assert s.app.screen is shown
            await s.pilot.resize_terminal(*FULL)
            await s.press(*back)
            while (top := s.app.screen) is not s.watch:
                s.type("escape")
                await s.until(lambda top=top: s.app.screen is not top, f"for the end of {screen}")
            steps = s.steps
            await s.until(lambda steps=steps: s.steps > steps, "for another step")
        s.type("q")
        await s.until(lambda: not s.app.is_running, "for the end")
        assert s.app.return_code == 0
