"""Each rule of the table: where it holds, where it does not by a little, and that it says a thing once."""

from __future__ import annotations

import dataclasses

import pytest

from pandatui.training.hints import NAMES, QUIET_EPOCHS, RULES, Hints, Seen, seen

KNOBS = {
    "learning_rate": 0.1,
    "momentum": 0.9,
    "decay": 0.0,
    "l2": 0.0,
    "batch_size": 64.0,
    "second_moment": 0.999,
}
CALM = Seen(
    knobs=KNOBS,
    optimizer="momentum",
    batch_norm=True,
    epoch=30,
    steps_per_epoch=23,
    train_cost=0.3,
    dev=tuple(3 * 0.8**n for n in range(30)),
    best_epoch=30,
    best_cost=3 * 0.8**29,
    raggedness=1.5,
    since_nudge=30,
)
FLAT = tuple([1.0, 0.8, 0.6, 0.5, 0.45, 0.4, 0.3, 0.2] + [0.1] * 22)
OVER = (*FLAT[:-4], 0.11, 0.12, 0.13, 0.14)


def like(**changes):
    knobs = KNOBS | changes.pop("knobs", {})
    return dataclasses.replace(CALM, knobs=knobs, **changes)


@pytest.mark.parametrize(
    ("name", "held", "not_quite"),
    [
        (
            "overfitting",
            like(dev=OVER, best_epoch=9, best_cost=0.1, train_cost=0.05),
            like(dev=OVER, best_epoch=9, best_cost=0.1, train_cost=0.1),
        ),
        (
            "overfitting",
            like(dev=OVER, best_epoch=20, best_cost=0.1, train_cost=0.05),
            like(dev=OVER, best_epoch=21, best_cost=0.1, train_cost=0.05),
        ),
        (
            "overfitting",  # ever since an epoch that is not among the last ones
            like(dev=(0.2,) * 64, best_epoch=9, best_cost=0.1, train_cost=0.05, epoch=900, since_nudge=3),
            like(dev=(0.2,) * 64, best_epoch=9, best_cost=0.19, train_cost=0.05, epoch=900, since_nudge=3),
        ),
        (
            "overfitting",
            like(dev=FLAT, best_epoch=20, best_cost=0.1, train_cost=0.04),
            like(dev=FLAT, best_epoch=20, best_cost=0.1, train_cost=0.05),
        ),
        ("long memory", like(knobs={"momentum": 0.99}), like(knobs={"momentum": 0.97})),
        ("long memory", like(knobs={"momentum": 0.99}), like(knobs={"momentum": 0.99}, optimizer="sgd")),
        ("small batches", like(knobs={"batch_size": 4.0}), like(knobs={"batch_size": 8.0})),
        ("small batches", like(knobs={"batch_size": 4.0}), like(knobs={"batch_size": 4.0}, batch_norm=False)),
        ("rate decayed away", like(knobs={"decay": 2.0}, dev=FLAT), like(knobs={"decay": 1.0}, dev=FLAT)),
        ("ragged", like(raggedness=4.0, dev=FLAT), like(raggedness=4.0)),
        ("ragged", like(raggedness=4.0, dev=FLAT), like(raggedness=4.0, dev=FLAT, since_nudge=4)),
        ("slow", like(raggedness=0.5, dev=tuple(1 - 0.01 * n for n in range(30))), like(raggedness=0.5)),
        ("flat", like(dev=FLAT), like(dev=(*FLAT[:-1], 0.09))),
        ("flat", like(dev=FLAT), like(dev=FLAT, since_nudge=19)),
        ("flat", like(dev=FLAT, train_cost=0.05), like(dev=FLAT, train_cost=0.04)),
    ],
)
def test_a_rule_holds_and_just_does_not(name, held, not_quite):
    rule = next(rule for rule in RULES if rule.name == name)
    assert rule.holds(held)
    assert not rule.holds(not_quite)
    words = rule.words(held)
    assert len(words) < 110
    assert "\n" not in words


def test_a_calm_run_hears_nothing():
    assert not any(rule.holds(CALM) for rule in RULES)
    assert Hints().at(CALM) is None


def test_the_words_of_the_table_have_their_reasons():
    assert (
        RULES[NAMES.index("long memory")]
        .words(like(knobs={"momentum": 0.99}))
        .startswith("β 0.99 averages over 100 steps, an epoch has 23")
    )


def test_a_thing_is_said_once_until_it_has_not_held_for_a_while():
    hints, bad = Hints(), like(knobs={"batch_size": 4.0})
    assert hints.at(bad) is not None
    for epoch in range(31, 60):
        assert hints.at(dataclasses.replace(bad, epoch=epoch)) is None
    assert hints.at(dataclasses.replace(CALM, epoch=30 + QUIET_EPOCHS)) is None
    assert hints.at(dataclasses.replace(bad, epoch=61)) is not None


def test_after_going_back_it_may_be_said_again():
    hints, bad = Hints(), like(knobs={"batch_size": 4.0})
    hints.at(bad)
    assert hints.at(dataclasses.replace(bad, epoch=12)) is not None


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_switched_off(name):
    hints = Hints(off=[name])
    for case in (
        like(
            knobs={"batch_size": 4.0, "momentum": 0.99, "decay": 2.0}, dev=OVER, best_epoch=9, train_cost=0.01
        ),
        like(raggedness=4.0, dev=FLAT),
        like(dev=FLAT),
    ):
        said = {hints.at(case) for _ in range(9)}
        own = next(rule for rule in RULES if rule.name == name).words(case)
        assert own not in said


def test_what_is_seen_of_a_run(new_run, dataset):
    run = new_run(dataset(50), epochs=9)
    assert seen(run) is None
    for _ in range(40):
        run.step()
    found = seen(run)
    assert (found.epoch, len(found.dev), found.steps_per_epoch, found.since_nudge) == (3, 3, 13, 3)
    assert found.dev[-1] == run.history.dev_cost.last(1)[0]
