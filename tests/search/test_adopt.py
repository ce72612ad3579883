"""Adopting a trial: from its end or its start it is a session that verifies, with the trial's own bits."""

from __future__ import annotations

import threading

import pytest

from pandatui.search.adopt import adopt
from pandatui.search.space import Dimension, Space
from pandatui.sessions import Store
from pandatui.sessions.replay import data_of, rerun, verify
from pandatui.sessions.resume import resume
from pandatui.sessions.schema import Parent
from pandatui.sessions.store import read
from pandatui.training import ConfigError
from pandatui.training.events import Diverged, Finished, Nudge
from pandatui.training.setup import RunOptions

ENDS = (("finished", ""), ("diverged", "non-finite"), ("diverged", "blown up"))


@pytest.fixture(scope="module")
def ready(new_ready):
    run = RunOptions(data="xor", hidden=(4,), epochs=24, optimizer="sgd")
    norm = Dimension("batch_norm", "choice", choices=(True, False))
    wild = Space((Dimension("learning_rate", "log", 0.05, 100.0), Dimension("l2", "log", 0.001, 100.0), norm))
    return new_ready(run=run, space=wild, halving=True, trials=36, rounds=1)


@pytest.fixture(scope="module")
def study(ready, finish, tmp_path_factory):
    found = finish(tmp_path_factory.mktemp("raced"), ready)
    ends = {(t.status, t.reason if t.status == "diverged" else "") for t in found.trials.values()}
    assert ends == set(ENDS) | {("dropped", "")}
    return found


def trial_with(study, status, reason=""):
    found = (trial for trial in study.trials.values() if trial.status == status)
    return next(trial for trial in found if not reason or trial.reason == reason)


def kept(adopted):
    """Save it as it is; returns the session on disk."""
    adopted.recorder.start()
    adopted.driver.start()
    assert adopted.driver.close(30)
    adopted.recorder.close()
    assert adopted.recorder.problem == ""
    return read(adopted.recorder._store.path(adopted.recorder.identity.name))


@pytest.mark.parametrize(("status", "reason"), ENDS)
def test_from_its_end_it_has_the_trials_bits_and_verifies(status, reason, study, ready, tmp_path):
    trial = trial_with(study, status, reason)
    told = []
    adopted = adopt(Store(tmp_path), "one", trial, ready.dataset, progress=lambda *at: told.append(at))
    assert adopted.notes == ()
    session, whole = kept(adopted)
    assert whole
    assert session.status == status
    assert session.steps == trial.steps
    assert session.result.weights_sha256 == trial.weights_sha256
    assert session.result.costs_sha256 == trial.costs_sha256
    assert session.parent == Parent(study="one", trial=trial.number)
    assert session.result.dev_cost == trial.dev_cost or status == "diverged"
    again = rerun(session, data_of(session, None, trusted=True))
    assert verify(session, again).identical


def test_a_dropped_trial_goes_on_from_where_it_was_dropped(study, ready, tmp_path):
    trial = trial_with(study, "dropped")
    adopted = adopt(Store(tmp_path), "one", trial, ready.dataset, name="again")
    done = threading.Event()
    adopted.driver.subscribe(lambda fact: done.set() if isinstance(fact, Finished | Diverged) else None)
    at = adopted.driver.ask(
        lambda run: (run.steps, run.epoch, run.history.dev_cost.last(24).tolist())
    ).result()
    assert at == (trial.steps, trial.epochs, [cost for _, cost, _ in trial.dev])
    adopted.recorder.start()
    adopted.driver.start()
    assert done.wait(30)
    adopted.driver.close()
    adopted.recorder.close()
    session, _ = read(tmp_path / "again.json")
    assert (session.status, session.epochs) == ("finished", 24)
    assert verify(session, rerun(session, ready.dataset)).identical


def test_from_its_start_it_is_nudged_and_ends_otherwise(study, ready, tmp_path):
    trial = trial_with(study, "finished")
    adopted = adopt(Store(tmp_path), "one", trial, ready.dataset, from_start=True)
    assert adopted.driver.ask(lambda run: (run.steps, run.config)).result() == (0, trial.config)
    adopted.driver.send(Nudge("learning_rate", times=0.5))
    done = threading.Event()
    adopted.driver.subscribe(lambda fact: done.set() if isinstance(fact, Finished) else None)
    adopted.recorder.start()
    adopted.driver.start()
    assert done.wait(30)
    adopted.driver.close()
    session = adopted.recorder.close()
    assert session.result.costs_sha256 != trial.costs_sha256
    assert [event.knob for event in session.events] == ["learning_rate"]


def test_an_adopted_trial_goes_on_as_any_session(study, ready, tmp_path):
    store = Store(tmp_path)
    trial = trial_with(study, "finished")
    kept(adopt(store, "one", trial, ready.dataset, name="mine"))
    resumed = resume(store, store.find("mine"), epochs=30)
    assert resumed.notes == ()
    assert resumed.driver.ask(lambda run: (run.steps, run.target_epochs)).result() == (trial.steps, 30)
    resumed.recorder.start()
    resumed.recorder.close()


def test_other_bits_are_said(study, ready, tmp_path, new_ready):
    trial = trial_with(study, "finished")
    other = new_ready(run=RunOptions(data="moons", hidden=(4,), epochs=24))
    adopted = adopt(Store(tmp_path), "one", trial, other.dataset)
    assert adopted.notes
    assert "on record" in adopted.notes[0]


def test_a_seed_that_no_run_can_have_is_refused(new_ready):
    with pytest.raises(ConfigError):
        new_ready(seed=2**63)
