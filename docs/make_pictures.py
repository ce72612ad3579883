"""Make the README's pictures from the running app: `python docs/make_pictures.py`, also with `--race`,
`--beside`, `--compare`, `--layers`, `--batch-norm` or `--predictions`.

It plays the first lesson with real keys at two epochs a second and takes what is on the screen at epoch 23;
`--beside` asks for a ghost and twins on the way and takes epoch 34, `--compare` lays three sessions over it.
The race is one of sixty trials on the digits, taken when all have ended.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pandatui.training.setup import RunOptions, prepare
from pandatui.tui.app import PandaApp, Start

LESSON = {5: "AAAAA", 10: "AAAAA", 15: "AAAAA", 20: "aaa"}  # epoch: keys
BESIDE = {5: "AAAAA", 12: "AAAAA", 20: "g", 22: "t", 23: ("enter",)}
OTHERS = {  # to compare with: options of pandatui train
    "left-alone": (),
    "bold-heron": ("--learning-rate", "0.3", "--batch-size", "32", "--nudge", "1500:learning_rate=0.03"),
    "adam-wren": ("--optimizer", "adam", "--learning-rate", "0.01", "--no-batch-norm"),
}
COMPARE = {**LESSON, 30: "5", 32: ("space", "space", "space", "enter")}
VIEWS = {
    "layers": (34, {**LESSON, 22: "2"}),
    "batch-norm": (34, {**LESSON, 22: "3", 23: "o"}),
    "predictions": (34, {**LESSON, 33: "4"}),
}
Presses = Mapping[int, Sequence[str]]


async def picture(
    target: Path, size: tuple[int, int], theme: str, ascii_only: bool, last: int, presses: Presses
) -> None:
    """Run the app without a terminal, press the keys when their epoch has come, save the screen as SVG."""
    options = RunOptions()
    config, dataset = prepare(options)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder  # the theme of the picture is not the person's
        if presses is COMPARE:
            train_others(Path(folder) / "sessions")
        start = Start(
            Path(folder) / "sessions",
            options,
            config,
            dataset,
            name="brave-otter",
            pace=2.0,
            theme=theme,
            ascii_only=ascii_only,
        )
        app = PandaApp(start)
        async with app.run_test(size=size) as pilot:
            due = dict(presses)
            while (epoch := await pressed(app, due)) < last:
                await pilot.pause(0.02)
                assert epoch <= last
            app.screen.look_again()  # type: ignore[attr-defined]
            await pilot.pause(0.1)
            target.write_text(app.export_screenshot(), encoding="utf-8")
            app.finish(0)


def train_others(folder: Path) -> None:
    for name, options in OTHERS.items():
        command = [sys.executable, "-m", "pandatui", "train", "--sessions", str(folder), "--name", name]
        subprocess.run([*command, *options], check=True, capture_output=True)


async def race_picture(target: Path, size: tuple[int, int], theme: str, ascii_only: bool) -> None:
    """Queue a batch from a panda on the digits and save its race screen once it is over."""
    options = RunOptions(data="digits", epochs=30)
    config, dataset = prepare(options)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder
        start = Start(
            Path(folder) / "sessions",
            options,
            config,
            dataset,
            name="brave-otter",
            pace=1.0,
            theme=theme,
            ascii_only=ascii_only,
        )
        app = PandaApp(start)
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.5)
            app.simulate_key("c")
            while not app.screen.query("#trials"):
                await pilot.pause(0.05)
            for key in ("6", "0", "enter"):
                app.simulate_key(key)
            while app.racing is None:
                await pilot.pause(0.05)
            app.simulate_key("C")
            while not app.racing.read().over:
                await pilot.pause(0.05)
            await pilot.pause(1)
            target.write_text(app.export_screenshot(), encoding="utf-8")
            app.finish(0)


async def pressed(app: PandaApp, due: dict[int, Sequence[str]]) -> int:
    """Press the keys whose epoch has come; returns the epoch."""
    assert app.live is not None
    epoch = app.live.driver.ask(lambda run: run.epoch).result()
    for when in [when for when in due if when <= epoch]:
        keys = due.pop(when)
        for key in keys:
            app.simulate_key(key)
            if not isinstance(keys, str):
                await asyncio.sleep(0.1)  # for a dialog
    return epoch


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?")
    which = parser.add_mutually_exclusive_group()
    for name in ("race", "beside", "compare", *VIEWS):
        which.add_argument(f"--{name}", dest="which", action="store_const", const=name, default="watch")
    parser.add_argument("--size", default="120x36")
    parser.add_argument("--theme", default="panda-dark")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--epoch", type=int)
    given = parser.parse_args()
    columns, rows = map(int, given.size.split("x"))
    os.environ.setdefault("LANG", "C.UTF-8")
    target = Path(given.target or Path(__file__).parent / f"{given.which}.svg")
    if given.which == "race":
        asyncio.run(race_picture(target, (columns, rows), given.theme, given.ascii))
    else:
        pictures: dict[str, tuple[int, Presses]] = {
            "watch": (23, LESSON),
            "beside": (34, BESIDE),
            "compare": (38, COMPARE),
            **VIEWS,
        }
        last, presses = pictures[given.which]
        last = given.epoch or last
        asyncio.run(picture(target, (columns, rows), given.theme, given.ascii, last, presses))
