"""The lesson's four lines, in order, on a lesson that is played."""

from __future__ import annotations

from dataclasses import replace

from pandatui.training import Run
from pandatui.training.events import Nudge
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.snapshot import View, look
from pandatui.tui.lesson import FALLING, LOWER, START, lesson_line


def test_the_four_lines_come_in_order() -> None:
    config, data = prepare(RunOptions())
    run = Run(replace(config, epochs=45), data)
    lines: list[str] = []

    def hear() -> None:
        line = lesson_line(look(run, View(buckets=2)))
        if not lines or lines[-1] != line:
            lines.append(line)

    hear()
    while run.status == "running":
        if run.epoch in (5, 10) and not run.batches.place:
            run.apply(Nudge("learning_rate", notches=5))
        run.step()
        if not run.batches.place:
            hear()
    best = run.history.best
    assert best is not None
    assert lines[:2] == [START, FALLING]
    assert LOWER in lines
    assert lines.index(LOWER) > 1
    assert lines[-1].startswith("You: 0.")
    assert lines[-1].endswith("Try: pandatui --data digits")
    assert set(lines[2:-1]) <= {FALLING, LOWER}  # a curve may be ragged for a while


def test_at_epoch_40_it_says_lower_however_smooth_the_curve() -> None:
    config, data = prepare(RunOptions(epochs=60))
    run = Run(config, data)
    while run.epoch < 40:
        run.step()
    assert lesson_line(look(run, View(buckets=2))) == LOWER
