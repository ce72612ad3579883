"""The study file: a round trip, what is thinned, ten thousand trials, and files from strangers."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pandatui.report_studies import listed, shown, summary
from pandatui.search.ledger import merged
from pandatui.search.records import (
    ALL_POINTS,
    POINTS,
    Identity,
    data_record,
    decode,
    encode,
    points_for,
    record,
    restored,
    thinned,
)
from pandatui.search.shelf import StoredStudy, look
from pandatui.sessions import SessionError
from pandatui.sessions.records import JournalError
from pandatui.sessions.schema import MAX_BYTES, integrity_of
from pandatui.training.setup import RunOptions
from pandatui.tui.listing import study_preview


def identity(ready):
    return Identity(
        "one", "id-1", "2026-01-02T03:04:05+00:00", ready.fingerprint(), data_record(ready.dataset)
    )


@pytest.fixture(scope="module")
def ready(new_ready):
    return new_ready(halving=True, run=RunOptions(data="xor", hidden=(4,), epochs=8, l2=0.5))


@pytest.fixture(scope="module")
def study(ready, finish, tmp_path_factory):
    return finish(tmp_path_factory.mktemp("raced"), ready)


@pytest.fixture(scope="module")
def raw(ready, study):
    return encode(record(study, identity(ready), "finished"))


def test_a_round_trip(raw, ready, study, table):
    found, whole = decode(raw)
    assert whole
    again = restored(found)
    assert table(again) == table(study)
    assert again.spec == study.spec
    assert (again.base, again.space, again.environments) == (study.base, study.space, study.environments)
    assert [t.number for t in again.ranking()] == [t.number for t in study.ranking()]
    assert again.proposed() == study.proposed()
    assert encode(record(again, identity(ready), "finished")) == raw


def test_every_setting_is_written_out_and_nothing_names_the_machine(raw):
    plain = json.loads(raw)
    assert plain["config"]["momentum"] == 0.9
    assert plain["spec"]["keep"] == 0.25
    assert b"/" not in raw.replace(b"utf-8/", b"")


def test_what_has_not_ended_waits(ready, study):
    found, _ = decode(encode(record(study, identity(ready), "running")))
    found.trials[-1] = msgspec.structs.replace(
        found.trials[-1], status="waiting", steps=0, dev=None, dev_cost=None, dev_accuracy=None
    )
    last = restored(found).trials[len(found.trials)]
    assert last.stands
    assert math.isnan(last.dev_cost)


@given(st.lists(st.floats(), min_size=0, max_size=300), st.integers(3, 64))
def test_thinned_points(costs, most):
    dev = [(i + 1, cost, 0.5) for i, cost in enumerate(costs)]
    kept = thinned(dev, most)
    assert len(kept) == min(most, len(dev)) or len(dev) > most >= len(kept) >= most - 2
    assert [step for step, *_ in kept] == sorted({step for step, *_ in kept})
    assert set(map(repr, kept)) <= set(map(repr, dev))
    if dev:
        assert repr(kept[0]) == repr(dev[0])
        assert repr(kept[-1]) == repr(dev[-1])
        best = min((cost for _, cost, _ in dev if math.isfinite(cost)), default=None)
        assert best is None or best in [cost for _, cost, _ in kept]
    if len(dev) > most > 3:
        gaps = np.diff([step for step, *_ in kept])
        assert gaps.max() <= math.ceil((len(dev) - 1) / (most - 2)) + 1


def test_long_trials_rank_from_the_file_as_they_did_in_the_race(new_ready, finish, tmp_path):
    run = RunOptions(data="xor", hidden=(4,), epochs=150, learning_rate=3.0)
    ready = new_ready(run=run, objective="best_dev_cost", rounds=1)
    study = finish(tmp_path, ready)
    assert max(len(trial.dev) for trial in study.trials.values()) > POINTS
    again = restored(decode(encode(record(study, identity(ready), "finished")))[0])
    assert max(len(trial.dev) for trial in again.trials.values()) == POINTS
    assert [t.number for t in again.ranking()] == [t.number for t in study.ranking()]


@pytest.mark.parametrize("trials", [1, 5_000, 10_000, 20_000])
def test_points_of_all_trials_together_are_bounded(trials):
    assert 8 <= points_for(trials) <= POINTS
    assert points_for(trials) * trials <= ALL_POINTS


TEN_THOUSAND = """
import numpy as np
from pandatui.search.records import Identity, data_record, decode, encode, record, restored
from pandatui.search.setup import prepare
from pandatui.search.spec import Spec
from pandatui.training.setup import RunOptions

run = RunOptions(data="xor", hidden=(4,), epochs=200)
ready = prepare(Spec(run=run, space="wide", trials=10_000, rounds=1))
study = ready.study()
chance = np.random.default_rng(0)
for number in study.begin_round().trials:
    trial = study.trials[number]
    costs = chance.random(40, np.float32).astype(float)
    trial.dev = [(13 * i, cost, i / 300) for i, cost in enumerate(costs.tolist(), 1)]
    trial.steps, trial.epochs, trial.seconds = 2600, 200, float(chance.random())
    trial.environment = study.environment_number({"python": "3"})
    trial.end("finished", "", "a" * 64)
raw = encode(record(study, Identity("one", "1", "2026", "0" * 64, data_record(ready.dataset)), "finished"))
found, whole = decode(raw)
again = restored(found)
assert whole and len(again.trials) == 10_000 and again.best.number == study.best.number
print(len(raw))
"""


def test_ten_thousand_trials_stay_usable():
    done = subprocess.run(
        [sys.executable, "-c", TEN_THOUSAND], capture_output=True, text=True, timeout=100, check=True
    )
    assert int(done.stdout) < 0.75 * MAX_BYTES


# -- strangers --


def opened(content):
    """The study that these bytes are and whether they are whole, or why not."""
    try:
        found, whole = decode(content)
        return restored(found), found, whole, ""
    except SessionError as error:
        return None, None, False, str(error)


def looked_at(path, found, whole):
    """Everything that shows a study: none of it may raise."""
    stored = StoredStudy(path, found, not whole, "", found.status)
    json.dumps([listed(stored), shown(stored)])
    return summary(stored)


def test_flipped_bits_pass_for_nothing_else(raw):
    chance = np.random.default_rng(1)
    content = json.loads(raw)
    for place in chance.integers(0, len(raw), 300).tolist():
        flipped = bytearray(raw)
        flipped[place] ^= 1 << int(chance.integers(8))
        study, _, whole, says = opened(bytes(flipped))
        if study is None:
            assert says
            assert "\n" not in says
        else:
            assert not whole or json.loads(flipped) == content


def places(value, path=()):
    """The paths of all values inside a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield from places(inner, (*path, i))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1, 5, 2**31, 2**53, 2**63, 10**300, -(10**300), 1e308, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["NaN", "Infinity", "waiting", "log", "\x1b]0;x\x07", "../../x", "a" * 5000, "wide", "grid"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_anywhere_is_refused_or_can_be_shown(raw, tmp_path_factory, data):
    plain = json.loads(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([p for p in places(plain) if p]))
        target = plain
        for key in path[:-1]:
            target = target[key]
        if data.draw(st.booleans()) and data.draw(st.booleans()):
            del target[path[-1]]
        else:
            target[path[-1]] = data.draw(ODD)
    plain["integrity"] = integrity_of(plain)
    study, found, whole, says = opened(json.dumps(plain).encode())
    if study is None:
        assert "\n" not in says
        assert len(says) < 1000
    else:
        looked_at(tmp_path_factory.getbasetemp() / "x.study.json", found, whole)


@given(st.binary(max_size=300))
def test_any_bytes(content):
    with pytest.raises(SessionError):
        decode(content)


EDITS = [
    (lambda p: p.update(format="pandatui-session"), "not a pandatui study"),
    (lambda p: p.update(version=2), "reads up to version 1"),
    (lambda p: p["trials"].pop(), "$.rounds"),
    (lambda p: p["trials"][0].update(number=2), "$.trials[0]"),
    (lambda p: p["trials"][0].update(round=2), "$.trials[0]"),
    (lambda p: p["trials"][0]["knobs"].update(learning_rate=-1), "learning rate -1"),
    (lambda p: p["trials"][0]["knobs"].update(seed=1), "$.trials[0].knobs"),
    (lambda p: p["trials"][0].update(status="training"), "$.trials[0].status"),
    (lambda p: p["trials"][0].update(environment=1), "$.trials[0].environment"),
    (lambda p: p["trials"][0].update(seconds=-1), "$.trials[0]"),
    (lambda p: p["trials"][0].update(dev_cost=0.0), "$.trials[0]: expected the last dev cost"),
    (lambda p: p["trials"][0]["dev"]["cost"].pop(), "$.trials[0].dev"),
    (lambda p: p["trials"][0]["dev"]["step"].reverse(), "$.trials[0].dev.step"),
    (lambda p: p["trials"][0].update(weights_sha256="x"), "weights_sha256"),
    (lambda p: p["rounds"][0].update(number=2), "$.rounds[0].number"),
    (lambda p: p["rounds"][0].update(decided=[8]), "$.rounds[0].decided"),
    (lambda p: p["rounds"][0].update(last=99), "$.rounds[0]"),
    (lambda p: p["rounds"][0]["box"].pop("decay"), "$.rounds[0].box"),
    (lambda p: p["rounds"][0]["box"]["l2"].update(low=2.0, high=1.0), "l2"),
    (lambda p: p["spec"].update(trials=0), "trials 0"),
    (lambda p: p["config"].update(epochs="x"), "epochs"),
    (lambda p: p["space"].clear(), "at least one knob"),
    (lambda p: p.update(points=[{"l2": 0.1}]), "$.trials[0].knobs"),
    (lambda p: p.update(more=1), "more"),
]


@pytest.mark.parametrize(("edit", "says"), EDITS)
def test_what_no_study_can_be_is_refused_with_its_place(raw, edit, says):
    plain = json.loads(raw)
    edit(plain)
    plain["integrity"] = integrity_of(plain)
    study, *_, said = opened(json.dumps(plain).encode())
    assert study is None
    assert says in said


BOMBS = {
    "lists": (b"[],", MAX_BYTES // 3),
    "deep": (b'{"a":', 100_000),
    "objects": (b"{},", 400_000),
    "digits": (b"9", 5_000),
    "too large": (b" ", MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(name):
    piece, count = BOMBS[name]
    with pytest.raises(SessionError):
        decode(piece * count)


def test_a_key_twice_is_refused(raw):
    with pytest.raises(SessionError, match="found it twice"):
        decode(raw.replace(b'"name": "one"', b'"name": "one", "name": "two"', 1))


LINES = [
    {"kind": "start"},
    {"kind": "trials", "trials": [], "environments": []},
    {"kind": "trials", "trials": [{"number": 99, "round": 1, "seed": 1, "knobs": {}, "status": "failed"}]},
    {"kind": "rung", "round": 9, "epoch": 2, "trials": [], "environments": []},
    {"kind": "rung", "round": 1, "epoch": 7, "trials": [], "environments": []},
    {"kind": "round", "round": {"number": 5, "box": {}, "first": 1, "last": 1, "decided": []}, "trials": []},
    {"kind": "round", "round": {"number": 4, "box": {}, "first": 1, "last": 1, "decided": []}, "trials": []},
    {"kind": "exec"},
    {"kind": "trials", "trials": [], "environments": [], "mo\nre\x1b[2J": 1},
    {},
]


@pytest.mark.parametrize("line", LINES)
def test_a_journal_from_strangers_is_refused_or_does_no_harm(raw, line):
    found, _ = decode(raw)
    try:
        says = "" if merged(found, [line]) is found else "changed"
    except JournalError as error:
        says = str(error)
    assert not says or says.startswith("journal: ")
    assert not {"\n", "\x1b"} & set(says)


def test_the_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / "x.study.json"
    path.mkdir()
    with pytest.raises(SessionError, match="regular file"):
        look(path)


def some_study(folder, raw, **changes):
    """A file with these changes."""
    path = folder / "some.study.json"
    path.write_text(json.dumps(json.loads(raw) | changes))
    return path


@pytest.mark.parametrize("spec", [{"trials": "x"}, {"trials": 4, "run": 5}, {"rounds": "\x1b[31m"}])
def test_a_study_whose_spec_is_none_is_refused_in_one_line(raw, spec, tmp_path):
    """The list's preview took what a study asks for as it stood there, a stranger's text too."""
    with pytest.raises(SessionError, match=r"not a study as expected: [^\n]+$"):
        look(some_study(tmp_path, raw, spec=spec))


def test_a_study_that_does_not_say_what_it_asks_for_is_shown_with_the_defaults(raw, tmp_path):
    stored = look(some_study(tmp_path, raw, spec={}))
    assert any("60 trials in 3 rounds" in line.plain for line in study_preview(stored))
    assert listed(stored)["rounds_in_all"] == 3


def test_the_best_trial_of_a_study_whose_trials_are_numbered_wrongly_is_found(raw, tmp_path):
    trials = [each | {"number": each["number"] + 1_000} for each in json.loads(raw)["trials"]]
    assert listed(look(some_study(tmp_path, raw, trials=trials)))["best_trial"] > 1_000
