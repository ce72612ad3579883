"""What the screen says, against golden text, from snapshots of real runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pandatui.training import Run
from pandatui.training.events import (
    EpochDone,
    GoOn,
    Note,
    Nudge,
    Pause,
    Recorded,
    Refused,
    WorseThanGuessing,
)
from pandatui.training.knobs import KNOBS, LIVE
from pandatui.training.snapshot import Snapshot, View, look
from pandatui.tui import knob_wording, wording
from pandatui.tui.foot import foot as foot_of

ABOUT = wording.About.of("brave-otter", "spirals", (5, 4), True, "relu", "momentum")
USED = [name for name in LIVE if "momentum" in KNOBS[name].used_by]


@pytest.fixture
def run(new_run: Callable[..., Run], dataset: Callable[..., Any]) -> Run:
    """35 steps with two presses of α in one gesture, one of decay, a pause and a note."""
    run = new_run(dataset(61))
    nudges = {7: Nudge("learning_rate", notches=1), 8: Nudge("learning_rate", notches=1, continues=True)}
    nudges[20] = Nudge("decay", notches=1)
    while run.steps < 35:
        if run.steps in nudges:
            run.apply(nudges[run.steps])
        run.step(0.5)
    run.apply(Pause())
    run.apply(Note("a [b]note"))
    return run


@pytest.fixture
def paused(run: Run) -> Snapshot:
    return replace(look(run, View()), pace=1.0, seconds=48.2)


@pytest.fixture
def training(paused: Snapshot) -> Snapshot:
    return replace(paused, paused=False)


@pytest.fixture
def finished(run: Run) -> Snapshot:
    run.apply(GoOn())
    while run.status == "running":
        run.step()
    return look(run, View())


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            120,
            " pandatui  brave-otter · spirals · 5-4 BN · momentum"
            "       ● training · epoch 2/4 · held at 1 epoch/s (> faster) · 48 s",
        ),
        (80, " brave-otter · spirals            ● training · epoch 2/4 · 1 epoch/s · dev 0.90"),
        (40, " ● training epoch 2/4 · dev 0.90"),
    ],
)
def test_the_status_line(training: Snapshot, width: int, line: str) -> None:
    assert wording.status_line(training, ABOUT, width).plain == line


def test_a_problem_leaves_no_room_for_what_is_known_anyway(paused: Snapshot) -> None:
    words = "not saved: No space left on device"
    wide = wording.status_line(paused, ABOUT, 120, words).plain
    assert len(wide) == 119
    assert wide.split() == f"brave-otter ○ paused · epoch 2/4 · {words}".split()
    assert wording.status_line(paused, ABOUT, 40, words).plain.strip() == words


def test_at_full_pace_it_tells_the_speed(training: Snapshot) -> None:
    fast = replace(training, pace=None, steps_per_second=9104.4)
    assert wording.pace_words(fast) == "full pace, 9,104 steps/s"
    assert wording.pace_words(replace(fast, steps_per_second=0.0)) == "full pace"
    assert wording.pace_words(replace(fast, status="finished")) == ""
    assert wording.pace_of(2.0) == "2 epochs/s"


def test_the_knobs_by_importance(paused: Snapshot) -> None:
    assert [row.plain.rstrip() for row in knob_wording.knob_rows(paused, ABOUT, "decay", USED)] == [
        "TRY FIRST",
        " learning rate α  0.157     a  A",
        "   from step 9: 0.158",
        "SECOND",
        " momentum β       0.900     b  B",
        "   averages over ~10 steps",
        " batch size       4",
        " hidden units     5, 4      new run",
        "THIRD",
        "▸decay            0.01      d  D",
        "   halves α₀ by epoch 100",
        " L2 λ             0",
        "LEAVE ALONE",
        " second moment β2 not used",
        " ε 1e-08, fixed",
        "",
        " up/down picks, -/+ turns, enter types",
    ]


def test_the_knobs_on_one_line(paused: Snapshot) -> None:
    line = knob_wording.knob_line(paused, "batch_size", True, 80).plain
    assert line == "▸batch size 4 -/+   α 0.157 a/A   β 0.900 b/B   decay 0.01 d/D      notch ×3.16"
    assert "notch" not in knob_wording.knob_line(paused, "batch_size", True, 60).plain
    assert knob_wording.notch_title(paused, False) == "hyperparameters · ×1.26 (x coarse)"
    assert knob_wording.notch_title(paused, True) == "hyperparameters · ×3.16 (x fine)"


def test_what_happened_newest_first(paused: Snapshot) -> None:
    lines = wording.happenings(paused, ABOUT, wording.EpochOf(paused), 9, 99)
    assert [line.plain for line in lines] == [
        "step 36 · epoch 2                   note: a [b]note",
        "step 36 · epoch 2                   paused",
        "step 21 · epoch 1          you   2  decay 0 → 0.01",
        "step 8–9 · epoch 0         you   1  learning rate 0.1 → 0.158 (2 presses)",
    ]
    assert len(wording.happenings(paused, ABOUT, wording.EpochOf(paused), 2, 99)) == 2


@pytest.mark.parametrize("width", [120, 80, 40])
def test_the_foot_has_what_can_be_done_now_and_fits(
    paused: Snapshot, training: Snapshot, finished: Snapshot, width: int
) -> None:
    for s in (paused, training, finished):
        foot = foot_of(s, width, 4).plain
        assert len(foot) <= width
        assert foot.endswith(" ? help  q quit  ")
        assert len(foot.strip().split("  ")) <= 8
    assert foot_of(paused, width, 4).plain.startswith(" space go on ")
    assert foot_of(training, width, 4).plain.startswith(" space pause ")
    assert foot_of(finished, width, 4).plain.startswith(" space 4 more epochs ")
    assert (". one step" in foot_of(paused, width, 4).plain) == (width > 40)


def test_there_are_never_more_than_eight_keys_and_the_undo_is_among_them(training: Snapshot) -> None:
    for width in (80, 100, 120, 200):
        keys = foot_of(replace(training, can_redo=True), width, 4).plain.strip().split("  ")
        assert len(keys) <= 8
        assert "U redo" in keys
        assert any(key.startswith("u ") for key in keys)


def test_at_the_cursor_the_foot_says_what_can_be_done_there(training: Snapshot) -> None:
    foot = foot_of(training, 120, 4, at_cursor=True).plain
    for words in ("enter go back there", "f branch there", "esc to now", "shift+←→ nudge to nudge", "q quit"):
        assert words in foot


def test_a_recording_has_no_keys_that_train(training: Snapshot) -> None:
    played = replace(training, speed=2.0)
    assert knob_wording.notch_title(played, True) == "hyperparameters"
    rows = "\n".join(row.plain for row in knob_wording.knob_rows(played, ABOUT, "decay", USED))
    assert "a  A" not in rows
    assert "new run" not in rows
    assert knob_wording.knob_line(played, "decay", False, 80).plain.split() == [
        "α",
        "0.157",  # 0.1585 × 1.01 / 1.02
        "β",
        "0.900",
        "decay",
        "0.01",
    ]
    assert "a/A" not in foot_of(played, 120, 4).plain


@pytest.mark.parametrize("width", range(100, 141, 4))
@pytest.mark.parametrize("pace", [1.0, 1 / 64, None])
def test_the_status_line_leaves_out_what_has_no_room(
    training: Snapshot, width: int, pace: float | None
) -> None:
    about = wording.About.of("constant-nightingale", "spirals", (64, 32, 16), True, "leaky_relu", "momentum")
    line = wording.status_line(replace(training, pace=pace, seconds=40_000.0), about, width)
    assert line.cell_length < width
    left, right = line.plain.split("● training · epoch 2/4")
    parts = {"", "full pace" if pace is None else f"held at {wording.pace_of(pace)} (> faster)", "11 h 6 min"}
    assert set(right.split(" · ")) <= parts
    names = ["constant-nightingale", "spirals", "64-32-16 BN leaky relu", "momentum"]
    shown = left.removeprefix(" pandatui  ").strip().split(" · ")
    assert shown == names[: len(shown)]


def test_what_a_branch_is_from_stands_among_what_happened(paused: Snapshot) -> None:
    about = replace(ABOUT, origin=("sly-magpie", 15))
    lines = [line.plain for line in wording.happenings(paused, about, wording.EpochOf(paused), 9, 99)]
    at = next(i for i, line in enumerate(lines) if "branch of sly-magpie" in line)
    assert lines[at].startswith("step 15 · epoch ")
    assert "decay" in lines[at - 1]
    assert "learning rate" in lines[at + 1]


def test_the_epoch_of_a_step_beyond_the_curve_is_where_it_would_be(paused: Snapshot) -> None:
    epoch_of = wording.EpochOf(paused)  # 15 steps an epoch, 35 done
    assert [epoch_of(step) for step in (1, 15, 16, 30, 31, 45, 46, 151)] == [0, 0, 1, 1, 2, 2, 3, 10]


def test_the_headline_of_an_end(training: Snapshot, finished: Snapshot) -> None:
    done = "4 epochs done · best dev 0.80 at epoch 4"
    wide, narrow = wording.headline(finished, 120, 4), wording.headline(finished, 60, 4)
    assert wide is not None
    assert narrow is not None
    assert wide.plain == f"{done} · space 4 more · u back · f branch · ctrl+n new run · q quit"
    assert narrow.plain == done
    assert wording.headline(training, 120, 4) is None
    assert wording.standing(finished) == "best dev 0.80 at epoch 4 · now 50.0% right"


def test_the_headline_of_a_run_that_has_diverged(new_run: Callable[..., Run]) -> None:
    run = new_run(batch_norm=False, optimizer="sgd", learning_rate=100.0, epochs=40)
    while run.status == "running":
        run.step()
    head = wording.headline(look(run, View()), 120, 4)
    assert head is not None
    assert head.plain.startswith("✖ the cost ")
    assert f"at step {run.events[-1].step}" in head.plain
    assert wording.state_words(look(run, View()))[0] == "✖ diverged"


def test_every_fact_has_its_answer_but_the_end_of_an_epoch(run: Run) -> None:
    pause = next(e for e in run.events if e.kind == "pause")
    said, style = wording.answer(Recorded(pause), paused=True) or ("", "")
    assert said == "paused before step 36 · . takes one step, r runs some, space goes on"
    assert style == "$warning"
    refused = wording.answer(Refused(Nudge("decay", notches=-1), "already at its limit, 0"), paused=False)
    assert refused == ("decay: already at its limit, 0", "$warning")
    worse = wording.answer(WorseThanGuessing(16), paused=False)
    assert worse is not None
    assert worse[0].startswith("worse than guessing since epoch 16 · ")
    assert wording.answer(EpochDone(1, 20, 0.5, 0.5), paused=False) is None


def test_a_wide_name_counts_by_its_cells(training: Snapshot) -> None:
    about = wording.About.of("大熊猫", "螺旋", (5, 4), True, "relu", "momentum")
    assert wording.status_line(training, about, 120).cell_length <= 120
