"""How the layers' inputs are spread is on record: kept, checked, restored, and played."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from pandatui.sessions import SessionError
from pandatui.sessions.checkpoints import Checkpoints, folder_of, kept_by
from pandatui.sessions.ledger import Ledger, merged
from pandatui.sessions.player import Player
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.replay import rerun
from pandatui.sessions.schema import decode, encode, integrity_of
from pandatui.sessions.stills import Stills
from pandatui.training.events import Nudge, Rewind, Undo

ME = Identity("one", "id-1", "2026-01-02T03:04:05+00:00")


def trained(new_run, data, steps, **settings):
    run = new_run(data, **({"epochs": 500} | settings))
    while run.steps < steps and run.ready:
        run.step()
    return run


def file_of(run):
    return decode(encode(record(run, ME, 1.0, None)))[0]


@pytest.fixture
def data(dataset):
    return dataset(50)


def test_the_file_has_what_the_run_has(new_run, data):
    run = trained(new_run, data, 300)
    found = file_of(run).curves.inputs
    assert found.epochs == run.distributions.epochs == list(range(1, 24))
    assert np.array_equal(found.counts, run.distributions.counts())


def test_a_long_run_has_no_more_of_them_than_fit(new_run, dataset):
    run = trained(new_run, dataset(), 10**6, hidden=(2,))
    found = file_of(run).curves.inputs
    assert found.epochs == list(range(4, 501, 4))
    assert len(encode(record(run, ME, 1.0, None))) < 400_000


def test_a_session_of_before_is_read_as_it_is(new_run, data):
    plain = json.loads(encode(record(trained(new_run, data, 30), ME, 1.0, None)))
    del plain["curves"]["inputs"]
    plain["integrity"] = integrity_of(plain)
    session, whole = decode(json.dumps(plain).encode())
    assert whole
    assert session.curves.inputs is None
    assert Player(session).recording.distributions.epochs == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f["epochs"].append(f["epochs"][-1]), "$.curves.inputs: expected counts of 3"),
        (lambda f: f["epochs"].reverse(), "$.curves.inputs.epochs"),
        (lambda f: f["epochs"].__setitem__(0, 0), "$.curves.inputs.epochs"),
        (lambda f: f["counts"].pop(), "$.curves.inputs"),
        (lambda f: f["counts"][0].pop(), "those of 2 hidden layers"),
        (lambda f: f["counts"][0][0].pop(), "$.curves.inputs.counts[0][0]"),
        (lambda f: f["counts"][0][0].__setitem__(0, -1), "$.curves.inputs.counts"),
        (lambda f: f["counts"][0][0].__setitem__(0, 65536), "$.curves.inputs.counts"),
        (lambda f: f["counts"][0][0].__setitem__(0, 0.5), "$.curves.inputs.counts"),
        (lambda f: f.update(more=1), "more"),
        (lambda f: f.update(epochs=[], counts=[[]] * 129), "$.curves.inputs.counts"),
    ],
)
def test_what_can_t_be_is_refused_in_one_line(new_run, data, change, says):
    plain = json.loads(encode(record(trained(new_run, data, 30), ME, 1.0, None)))
    assert plain["curves"]["inputs"]["epochs"] == [1, 2]
    change(plain["curves"]["inputs"])
    with pytest.raises(SessionError) as refused:
        decode(json.dumps(plain).encode())
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("checkpoints", [True, False])
def test_going_on_it_has_what_was_seen_before(new_run, data, tmp_path, checkpoints):
    run = trained(new_run, data, 300)
    folder = tmp_path / "one.checkpoints"
    if checkpoints:
        Checkpoints(folder).keep(kept_by(run))
    again = rerun(file_of(run), data, checkpoints=folder if checkpoints else None)
    assert again.distributions.epochs == run.distributions.epochs
    assert np.array_equal(again.distributions.counts(), run.distributions.counts())
    for each in (run, again):
        for _ in range(30):
            each.step()
    assert np.array_equal(again.distributions.counts(), run.distributions.counts())


def test_a_checkpoint_before_the_end_takes_over_no_more_than_its_own(new_run, data, tmp_path):
    run = trained(new_run, data, 300)
    folder = tmp_path / "one.checkpoints"
    Checkpoints(folder).keep(kept_by(run))
    again = rerun(file_of(run), data, until=150, checkpoints=folder)
    assert again.distributions.epochs == list(range(1, again.epoch + 1))
    assert np.array_equal(again.distributions.counts(), run.distributions.counts()[: again.epoch])


def test_with_a_journal_ahead_it_has_those_of_the_path_that_stands(new_run, data):
    run = trained(new_run, data, 150)
    file, ledger = file_of(run), Ledger(run)
    run.apply(Rewind(60))
    run.apply(Nudge("learning_rate", notches=3))
    while run.steps < 200:
        run.step()
    whole = merged(file, tuple(ledger.news(run, 2.0)))
    found = decode(encode(whole))[0].curves.inputs
    assert found.epochs == [1, 2, 3, 4]  # 60 steps are 4 epochs of 13 and a part
    assert np.array_equal(found.counts, run.distributions.counts()[:4])
    assert msgspec.to_builtins(file.curves.inputs)["epochs"] == list(range(1, 12))


def test_undone_epochs_are_not_in_the_file(new_run, data):
    run = trained(new_run, data, 60)
    run.apply(Nudge("learning_rate", notches=1))
    while run.steps < 150:
        run.step()
    run.apply(Undo())
    assert file_of(run).curves.inputs.epochs == [1, 2, 3, 4]


# -- stills --------------------------------------------------------------------------------------------------


def test_the_weights_of_a_step_are_those_of_the_checkpoint_before_it(new_run, data, tmp_path):
    run = trained(new_run, data, 300, optimizer="adam")
    path = tmp_path / "one.json"
    Checkpoints(folder_of(path)).keep(kept_by(run))
    stills = Stills(file_of(run), folder_of(path), data)
    steps = sorted(int(each.stem) for each in folder_of(path).glob("*.npz"))
    assert len(steps) > 3
    for step in (300, steps[0], steps[2] + 1, steps[1] - 1 + (steps[1] - steps[0] == 1), 299):
        found = stills.at(step)
        alone = trained(new_run, data, found.steps, optimizer="adam")
        assert found.steps == max(each for each in steps if each <= step)
        assert found.weights_sha256() == alone.weights_sha256()
        assert (found.epoch, found.batches.place) == (alone.epoch, alone.batches.place)
    assert stills.at(steps[0] - 1) is None


def test_checkpoints_of_another_path_and_torn_ones_are_passed_over(new_run, data, tmp_path):
    run = trained(new_run, data, 100)
    run.apply(Nudge("learning_rate", notches=2))
    while run.steps < 200:
        run.step()
    folder = tmp_path / "one.checkpoints"
    Checkpoints(folder).keep(kept_by(run))
    steps = sorted(int(each.stem) for each in folder.glob("*.npz"))
    run.apply(Undo())
    session = file_of(run)
    found = Stills(session, folder, data).at(10**6)
    assert found.steps == 100  # those behind the nudge are of the path that was left
    (folder / "100.npz").write_bytes(b"torn")
    found = Stills(session, folder, data).at(100)
    assert found.steps == max(each for each in steps if each < 100)
    assert not Stills(session, tmp_path / "none", data)
