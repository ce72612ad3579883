"""Numbers and facts in words."""

from __future__ import annotations

import math

import pytest

from pandatui.training.events import (
    Diverged,
    EpochDone,
    Event,
    Extend,
    Failed,
    Finished,
    Gesture,
    Nudge,
    Recorded,
    Refused,
    WorseThanGuessing,
)
from pandatui.training.words import (
    cost,
    duration,
    gesture_words,
    knob_note,
    knob_value,
    number,
    plural,
    sentence,
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0316227766017, "0.0316"),
        (12.345, "12.3"),
        (1e-6, "1e-06"),
        (64.0, "64"),
        (1437.0, "1437"),
        (0.0, "0"),
        (1e6, "1e+06"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "no number"),
    ],
)
def test_number(value, words):
    assert number(value) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("momentum", 0.9, "0.900"),
        ("momentum", 0.99, "0.9900"),
        ("momentum", 0.9999, "0.99990"),
        ("second_moment", 0.999, "0.99900"),
        ("batch_size", 64.0, "64"),
        ("learning_rate", 0.125892541179, "0.126"),
        ("decay", 0.0, "0"),
    ],
)
def test_knob_value(name, value, words):
    assert knob_value(name, value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.08714, "0.0871"),
        (0.44, "0.44"),
        (1.0986, "1.10"),
        (9_999.0, "9999.00"),
        (2.34e7, "2.3e+07"),
        (0.0, "0"),
        (math.inf, "not finite"),
        (math.nan, "not finite"),
    ],
)
def test_cost(value, words):
    assert cost(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (48, "48 s"), (60, "1 min 0 s"), (185, "3 min 5 s"), (29_520, "8 h 12 min")],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_plural():
    assert (plural(1, "epoch"), plural(0, "step"), plural(1_200, "step")) == (
        "1 epoch",
        "0 steps",
        "1,200 steps",
    )


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("momentum", 0.9, "averages over ~10 steps"),
        ("momentum", 0.98, "averages over ~50 steps"),
        ("second_moment", 0.995, "averages over ~200 steps"),
        ("decay", 0.0, "rate does not fall by itself"),
        ("decay", 0.01, "halves α₀ by epoch 100"),
        ("l2", 0.5, ""),
    ],
)
def test_what_a_value_means(knob, value, words):
    assert knob_note(knob, {knob: value}) == words


def nudged(knob="learning_rate", before=0.0316, after=0.0398):
    return Recorded(Event(1, 286, "nudge", 1.0, knob=knob, before=before, after=after, by="you", nudge=1))


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (nudged(), "learning rate 0.0398 (×1.26), in use from step 286"),
        (
            nudged("momentum", 0.9, 0.95),
            "momentum 0.950 (averages over ~20 steps), in use from step 286",
        ),
        (nudged("decay", 0.0, 0.01), "decay 0.01, in use from step 286"),
        (nudged("batch_size", 64, 128), "batch size 128 (×2), in use from step 286"),
        (Recorded(Event(1, 1_286, "pause", 1.0)), "paused before step 1,286"),
        (Recorded(Event(1, 1_286, "go on", 1.0)), "going on with step 1,286"),
        (Recorded(Event(1, 9, "extend", 1.0, epochs=1_200)), "going on to epoch 1,200"),
        (Recorded(Event(1, 9, "note", 1.0, text="ragged")), "note: ragged"),
        (Recorded(Event(1, 9, "diverged", 1.0, text="blown up")), "diverged at step 9: blown up"),
        (Refused(Nudge("l2"), "already at its limit, 100"), "L2: already at its limit, 100"),
        (Refused(Nudge("momentum"), "momentum is not used by sgd"), "momentum is not used by sgd"),
        (Refused(Extend(1), "the run has diverged"), "the run has diverged"),
        (EpochDone(12, 228, 0.4412, 0.853), "epoch 12: dev cost 0.44, 85.3% right"),
        (WorseThanGuessing(16), "worse than guessing since epoch 16"),
        (
            Diverged(1_001, "non-finite", math.nan),
            "diverged at step 1,001: the cost or a gradient is not finite; the step was not taken",
        ),
        (
            Diverged(51, "blown up", 2.3e7),
            "diverged by step 51: the last 50 costs are far above guessing (now 2.3e+07)",
        ),
        (Finished(60), "60 epochs done"),
        (Failed(KeyError("odd")), "training stopped by an error: KeyError: 'odd'"),
    ],
)
def test_sentence(fact, words):
    assert sentence(fact) == words


def test_while_paused_a_nudge_waits_for_the_next_step():
    assert (
        sentence(nudged(), paused=True)
        == "paused: learning rate 0.0398 (×1.26), in use from the next step, 286"
    )


def test_a_gesture_counts_its_presses():
    five = Gesture(2, "learning_rate", 191, 199, 0.1, 0.316227766017, "you", 5, undone=False)
    assert gesture_words(five) == "learning rate 0.1 → 0.316 (5 presses)"
    one = Gesture(2, "momentum", 191, 191, 0.9, 0.95, "you", 1, undone=False)
    assert gesture_words(one) == "momentum 0.900 → 0.950"
