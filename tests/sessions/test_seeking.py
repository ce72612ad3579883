"""Beyond what a file keeps in full: from a checkpoint a run has the bits and the file that it would have."""

from __future__ import annotations

import shutil
import time

import msgspec
import numpy as np
import pytest

from pandatui.sessions.branching import branch
from pandatui.sessions.checkpoints import Checkpoints, kept_by
from pandatui.sessions.export import step_of
from pandatui.sessions.ledger import merged
from pandatui.sessions.record import Identity, record
from pandatui.sessions.replay import rerun, verify
from pandatui.sessions.schema import Blocks, Values, decode, encode
from pandatui.sessions.seeking import recalled
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Nudge, Redo, Rewind, Undo
from pandatui.training.history import History, HistoryState
from pandatui.training.setup import RunOptions, prepare

ME = Identity("one", "id-1", "2026-01-02T03:04:05+00:00")
NUDGES = {350: 2, 1_550: -2, 2_600: 1, 3_889: -1}


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    """All costs up to 2,048, then the first and the last 1,024; dev points as far as 200, then 128."""
    pin_blas()
    for name, value in (("FULL_TRAIN", 2_048), ("END_TRAIN", 1_024), ("FULL_DEV", 200), ("END_DEV", 128)):
        monkeypatch.setattr(History, name, value)


def a_run(**options):
    options = {"data": "xor", "hidden": (3,), "epochs": 2_500, "decay": 0.001, "batch_size": 250} | options
    return Run(*prepare(RunOptions(**options)))


def go(run, steps):
    while run.steps < steps and run.ready:
        if run.steps in NUDGES and not any(e.step == run.steps + 1 for e in run.events):
            run.apply(Nudge("learning_rate", notches=NUDGES[run.steps]))
        run.step()
    return run


def file_of(run):
    """The session file without what was abandoned: whoever resumes adds that from the record before.

    And without the spread of inputs, which is for the eye: how thin it is depends on the way there.
    """
    session = record(run, ME, 1.0, None)
    session.curves.abandoned, session.curves.inputs = [], None
    found, whole = decode(encode(session))
    assert whole
    return found


def same(one, other):
    """All that is in two files, but for what was abandoned."""
    assert msgspec.to_builtins(file_of(one)) == msgspec.to_builtins(file_of(other))
    assert one.batches.state() == other.batches.state()
    assert [a.tolist() for a in one.rates.arrays()] == [a.tolist() for a in other.rates.arrays()]
    return True


def on_disk(run, folder):
    Checkpoints(folder).keep(kept_by(run), at_most=2**40)
    return file_of(run)


@pytest.fixture
def steps_trained(monkeypatch):
    trained = []
    step = Run.train_step
    monkeypatch.setattr(Run, "train_step", lambda self: trained.append(1) or step(self))
    return trained


def resumed(session, run, folder):
    again = rerun(session, run.dataset, checkpoints=folder)
    again.status, again.paused = run.status, False
    return again


@pytest.mark.parametrize("most_blocks", [8_192, 8, 2])
def test_beyond_the_limits_it_goes_on_to_the_same_file(tmp_path, monkeypatch, steps_trained, most_blocks):
    monkeypatch.setattr("pandatui.sessions.record._MAX_BLOCKS", most_blocks)
    run, folder = go(a_run(), 4_250), tmp_path / "one.checkpoints"
    session = on_disk(run, folder)
    assert session.curves.train.blocks is not None
    assert session.curves.dev_cost.blocks is not None
    steps_trained.clear()
    again = resumed(session, run, folder)
    if most_blocks > 2:
        assert not steps_trained
    assert same(again, run)
    for stop in (4_650, 6_173):  # resumed twice
        assert same(go(again, stop), go(run, stop))
        shutil.rmtree(folder)
        session = on_disk(again, folder)
        again = resumed(session, run, folder)
        assert same(again, run)
    shutil.rmtree(folder)
    assert same(resumed(session, run, folder), run)
    assert verify(session, rerun(session, run.dataset)).identical


@pytest.mark.parametrize("back_to", [0, 250, 1_024, 1_450, 2_048, 2_250, 3_250, 4_200])
def test_gone_back_after_a_resume_it_is_the_run_that_went_back_before(tmp_path, steps_trained, back_to):
    run, folder = go(a_run(), 4_250), tmp_path / "one.checkpoints"
    again = resumed(on_disk(run, folder), run, folder)
    steps_trained.clear()
    again.apply(Rewind(back_to))
    assert len(steps_trained) <= 150  # of this run the stride is 128
    run.apply(Rewind(back_to))
    assert same(again, run)
    stop = back_to + 750
    assert same(go(again, stop), go(run, stop))
    for command in (Redo(), Undo()):
        for each in (again, run):
            each.apply(command)
        assert same(again, run)
    later = tmp_path / "later.checkpoints"
    session = on_disk(again, later)
    assert same(go(resumed(session, run, later), 4_500), go(run, 4_500))


def test_undone_nudge_by_nudge_after_a_resume(tmp_path):
    run, folder = go(a_run(), 4_250), tmp_path / "one.checkpoints"
    again = resumed(on_disk(run, folder), run, folder)
    for _ in NUDGES:
        for each in (again, run):
            each.apply(Undo())
        assert same(again, run)


def test_any_one_checkpoint_will_do_or_is_passed_over(tmp_path, steps_trained):
    run, folder = go(a_run(), 3_000), tmp_path / "one.checkpoints"
    session = on_disk(run, folder)
    served = set()
    paths = sorted(folder.iterdir(), key=lambda path: int(path.stem))
    for path in (*paths[::8], *(folder / f"{steps}.npz" for steps in (1_024, 1_984, 2_048, 2_112))):
        alone = tmp_path / "alone.checkpoints"
        alone.mkdir()
        shutil.copy(path, alone)
        steps_trained.clear()
        assert same(resumed(session, run, alone), run)
        if len(steps_trained) < 3_000:
            assert len(steps_trained) == 3_000 - int(path.stem)
            served.add(int(path.stem))
        shutil.rmtree(alone)
    assert {1_024, 2_048, 2_112} <= served  # the one at 2,048 has the costs that the file has not
    assert not any(1_024 < steps < 2_048 for steps in served)


def test_at_a_step_from_the_last_checkpoint_before_it(tmp_path, steps_trained):
    run, folder = go(a_run(), 3_000), tmp_path / "one.checkpoints"
    session = on_disk(run, folder)
    for until in (1, 350, 351, 1_550, 1_551, 2_999, 3_000):
        plain = rerun(session, run.dataset, until=until)
        steps_trained.clear()
        again = rerun(session, run.dataset, until=until, checkpoints=folder)
        assert len(steps_trained) <= 128
        assert again.steps == until
        assert again.knobs == plain.knobs
        for each in (again, plain):
            each.branch([e for e in each.events if e.step <= until])
        assert same(again, plain)
        assert same(go(again, until + 50), go(plain, until + 50))


def test_a_branch_that_starts_from_a_checkpoint_is_the_one_from_the_seed(tmp_path, steps_trained):
    run, folder = go(a_run(), 1_750), tmp_path / "one.checkpoints"
    run.apply(Nudge("decay", to=0.01))
    go(run, 1_800)
    run.apply(Undo())
    session = on_disk(go(run, 3_000), folder)
    for step in (349, 1_775, 2_999):
        plain = rerun(session, run.dataset, until=step)
        steps_trained.clear()
        again = rerun(session, run.dataset, until=step, checkpoints=folder)
        for each in (plain, again):
            assert branch(each, session, step).step == step
        assert len(steps_trained) <= 256  # twice from the one before it
        assert same(again, plain)
        assert same(go(again, step + 150), go(plain, step + 150))
        again.apply(Undo())
        plain.apply(Undo())
        assert same(again, plain)
        child = file_of(again)
        assert verify(child, rerun(child, run.dataset)).identical


def test_the_best_epochs_step_is_known_where_only_blocks_have_it():
    run = go(a_run(), 1_500)
    run.apply(Nudge("batch_size", times=0.5))
    session = file_of(go(run, 3_000))
    ends = run.history.dev_step.last(run.epoch)
    assert len(ends) == run.epoch == session.epochs
    turned = int((ends <= 1_500).sum()) // 64
    unknown = set()
    for epoch in range(1, run.epoch + 1):
        session.result.best_epoch = epoch
        try:
            assert step_of(session, "best") == ends[epoch - 1]
        except ValueError:
            unknown.add((epoch - 1) // 64)
    assert unknown == {turned}
    session.result.best_epoch = 10**9
    with pytest.raises(ValueError, match="not on record"):
        step_of(session, "best")


def test_a_diverged_one_starts_from_its_last_good_checkpoint(tmp_path, steps_trained):
    wild = {"batch_norm": False, "optimizer": "sgd"}
    run, folder = go(a_run(**wild), 2_450), tmp_path / "one.checkpoints"
    run.apply(Nudge("learning_rate", to=100.0))
    go(run, 5_000)
    assert run.status == "diverged"
    session = on_disk(run, folder)
    steps_trained.clear()
    again = rerun(session, run.dataset, checkpoints=folder)
    assert len(steps_trained) < 500
    assert again.status == "diverged"
    assert same(again, run)
    assert verify(session, again).identical
    for each in (again, run):
        each.apply(Undo())
    assert same(again, run)
    assert again.steps == 2_450


def test_a_killed_one_is_gone_on_with_from_before_its_journal(tmp_path, steps_trained):
    run, folder = go(a_run(), 3_000), tmp_path / "one.checkpoints"
    session = on_disk(run, folder)
    go(run, 3_600)
    costs = run.history.train.part(3_000, 3_600).tolist()
    first = session.epochs
    dev = [s.part(first, run.epoch).tolist() for s in run.history.dev_series()]
    points = [[int(step), cost, accuracy] for step, cost, accuracy in zip(*dev, strict=True)]
    crashed = merged(
        session,
        (
            {"kind": "costs", "from": 3_000, "costs": costs, "seconds": 2.0},
            {"kind": "dev", "from": first, "points": points},
        ),
    )
    assert (crashed.steps, crashed.epochs) == (3_600, run.epoch)
    steps_trained.clear()
    again = resumed(crashed, run, folder)
    assert len(steps_trained) == 600
    assert same(again, run)


def test_ten_million_steps_are_recalled_at_once():
    steps, size = 10_000_000, 2_048
    count, epochs = steps // size, 400_000
    costs = [0.5] * 1_024
    run = a_run()
    session = file_of(run)
    session.steps, session.epochs = steps, epochs
    session.curves.train = Values(
        costs, costs, Blocks(size, [0.25] * count, [0.5] * count, [0.75] * count, ["ab" * 32] * count)
    )
    for name in ("dev_step", "dev_cost", "dev_accuracy"):
        part = [0.5] * (epochs // 64)
        setattr(session.curves, name, Values(costs[:128], costs[:128], Blocks(64, part, part, part)))
    began = time.perf_counter()
    history = recalled(session)
    assert time.perf_counter() - began < 30  # a loop over its steps takes minutes
    assert (history.steps, history.epochs) == (steps, epochs)
    tail = np.full(10_000, 0.5)
    history.restore(HistoryState(steps, tail, epochs, (tail,) * 3, None))
    at, low, mean, high = history.train.view(1, steps, 200)
    assert len(at) >= 150
    assert {*low, *mean, *high} == {0.25, 0.5, 0.75}


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: t.blocks.h.clear(),
        lambda t: setattr(t.blocks, "size", 1_000),
        lambda t: setattr(t.blocks, "size", 2**50),
        lambda t: setattr(t.blocks, "size", 32),
        lambda t: (t.blocks.min.clear(), t.blocks.mean.clear(), t.blocks.max.clear(), t.blocks.h.clear()),
        lambda t: t.first.append(1.0),
        lambda t: t.blocks.h.__setitem__(slice(None), ["00" * 32] * len(t.blocks.h)),
    ],
)
def test_a_record_that_does_not_fit_its_checkpoints_is_trained_again(tmp_path, edit, steps_trained):
    run, folder = go(a_run(), 2_500), tmp_path / "one.checkpoints"
    session = on_disk(run, folder)
    edit(session.curves.train)
    steps_trained.clear()
    again = rerun(session, run.dataset, checkpoints=folder)
    assert len(steps_trained) >= 2_500 - 2_048
    assert same(again, run)
    assert np.isfinite(again.history.train.first).all()
