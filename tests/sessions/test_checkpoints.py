"""Checkpoints: they save time and nothing else; a wrong one is never gone on from."""

from __future__ import annotations

import io
import random
import shutil
import zipfile

import numpy as np
import pytest

from pandatui.sessions import Store, checkpoints
from pandatui.sessions import recorder as recorder_module
from pandatui.sessions.checkpoints import (
    CheckpointError,
    Checkpoints,
    chain_at,
    decode,
    encode,
    folder_of,
    kept_by,
)
from pandatui.sessions.record import Identity, record
from pandatui.sessions.recorder import Recorder
from pandatui.sessions.resume import resume
from pandatui.sessions.seeking import seek
from pandatui.training import Driver, Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Extend, Nudge, Rewind, Undo
from pandatui.training.setup import RunOptions, prepare


@pytest.fixture(autouse=True)
def _one_blas_thread():
    pin_blas()


def a_run(**options):
    options = {"data": "xor", "hidden": (6,), "epochs": 40, "decay": 0.1, "optimizer": "adam"} | options
    return Run(*prepare(RunOptions(**options)))


def go(run, steps):
    while run.steps < steps and run.ready:
        run.step()
    return run


def everything(run):
    h = run.history
    return (
        run.steps,
        run.epoch,
        run.status,
        run.weights_sha256(),
        h.costs_sha256(),
        h.best,
        [s.last(10_000).tolist() for s in (h.train, h.dev_step, h.dev_cost, h.dev_accuracy)],
        [each.tolist() for each in run.rates.arrays()],
        dict(run.knobs),
        run.base_rate,
        run.batches.state(),
        run._below_guessing,
        run._worse_since,
    )


def with_a_past():
    run = go(a_run(), 100)
    run.apply(Nudge("learning_rate", notches=2))
    go(run, 150)
    run.apply(Nudge("batch_size", times=0.5))
    go(run, 180)
    run.apply(Undo())
    return go(run, 333)


def session_of(run):
    return record(run, Identity("one", "id-1", "2026-01-02T03:04:05+00:00"), 1.0, None)


@pytest.fixture
def kept(tmp_path):
    """A run with its checkpoints in a folder."""
    run = with_a_past()
    folder = tmp_path / "one.checkpoints"
    Checkpoints(folder).keep(kept_by(run))
    return run, folder


def test_from_any_of_them_it_is_the_same_run(kept):
    run, folder = kept
    session = session_of(run)
    names = sorted((p for p in folder.iterdir()), key=lambda p: int(p.stem))
    assert [int(p.stem) for p in names][-1] == 333
    while names:
        fresh = Run(run.config, run.dataset)
        fresh.adopt(run.events, run.steps)
        assert seek(session, fresh, run.events, folder)
        assert fresh.steps == int(names[-1].stem)
        fresh.train_again(run.steps, len(run.events))
        assert everything(fresh) == everything(run)
        names.pop().unlink()
    assert not seek(session, Run(run.config, run.dataset), run.events, folder)


def test_the_states_on_disk_are_within_reach_again(kept):
    run, folder = kept
    fresh = Run(run.config, run.dataset)
    fresh.adopt(run.events, run.steps)
    assert seek(session_of(run), fresh, run.events, folder)
    fresh.adopt(run.events, run.steps)
    for each in (run, fresh):
        each.last_event = len(each.events)
        each.apply(Rewind(120))
    assert everything(fresh) == everything(run)
    for each in (run, fresh):
        go(each, 400)
        each.apply(Undo())
    assert everything(fresh) == everything(run)


def test_those_of_another_path_are_passed_over(kept):
    _, folder = kept
    other = go(a_run(), 333)
    assert seek(session_of(other), Run(other.config, other.dataset), other.events, folder)  # up to the nudge
    fresh = Run(other.config, other.dataset)
    seek(session_of(other), fresh, other.events, folder)
    assert fresh.steps <= 100
    stranger = go(a_run(seed=2), 333)
    assert not seek(session_of(stranger), Run(stranger.config, stranger.dataset), stranger.events, folder)
    wider = go(a_run(hidden=(7,)), 333)
    assert not seek(session_of(wider), Run(wider.config, wider.dataset), wider.events, folder)


def test_a_flipped_bit_is_never_gone_on_from(kept):
    run, folder = kept
    raw = (folder / "333.npz").read_bytes()
    true = encode(decode(raw, run))
    chance = random.Random(11)
    refused = 0
    for _ in range(1500):
        place = chance.randrange(len(raw))
        flipped = bytearray(raw)
        flipped[place] ^= 1 << chance.randrange(8)
        try:
            assert encode(decode(bytes(flipped), run)) == true
        except CheckpointError:
            refused += 1
    assert refused > 1000


def test_cut_anywhere_it_is_none(kept):
    run, folder = kept
    raw = (folder / "333.npz").read_bytes()
    for cut in range(0, len(raw), 97):
        with pytest.raises(CheckpointError):
            decode(raw[:cut], run)


def archive(**members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", members.pop("how", zipfile.ZIP_STORED)) as made:
        for name, raw in members.items():
            made.writestr(name.replace("_", "."), raw)
    return target.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PK",
        archive(),
        archive(meta_json=b"{}"),
        archive(meta_json=b"[" * 100_000),
        archive(meta_json=b" " * 2_000_000),
        archive(how=zipfile.ZIP_DEFLATED, meta_json=b"{}"),
        archive(meta_json=b"{}", parameters_npy=b"\x93NUMPY\x01\x00v\x00{'descr': '|V0', 'shape': (9,)}"),
        archive(meta_json=b"{}", parameters_npy=b"\x93NUMPY\x01\x00\x05\x00((((("),
    ],
)
def test_files_that_are_none(raw):
    with pytest.raises(CheckpointError):
        decode(raw, a_run())


def test_a_pickle_is_not_opened(kept):
    run, folder = kept
    with zipfile.ZipFile(folder / "333.npz") as old:
        members = {name: old.read(name) for name in old.namelist()}
    evil = io.BytesIO()
    np.lib.format.write_array(evil, np.array([print], dtype=object))
    members["parameters.npy"] = evil.getvalue()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, raw in members.items():
            made.writestr(name, raw)
    with pytest.raises(CheckpointError):
        decode(target.getvalue(), run)


def test_the_chain_at_any_step():
    run, short = go(a_run(epochs=400), 2100), a_run(epochs=400)
    for steps in (1, 1023, 1024, 1025, 2048, 2100):
        go(short, steps)
        assert chain_at(run.history, steps, np.empty(0)) == short.history.costs_sha256()


def test_each_is_written_once_and_what_is_not_kept_goes(tmp_path, monkeypatch):
    written = []
    write = checkpoints.write_whole
    monkeypatch.setattr(
        checkpoints, "write_whole", lambda path, raw: written.append(path.name) or write(path, raw)
    )
    folder = tmp_path / "one.checkpoints"
    kept = Checkpoints(folder)
    run = go(a_run(epochs=400), 100)
    best = f"{7 * 13}.npz"  # after the last whole epoch
    assert run.history.best[0] == 7
    kept.keep(kept_by(run))
    assert sorted(written) == sorted(["32.npz", "64.npz", "96.npz", "100.npz", best])
    (folder / ".77-0123456789abcdef.tmp").touch()
    (folder / "notes.txt").touch()
    written.clear()
    go(run, 130)
    kept.keep(kept_by(run))
    best = f"{run.history.best[0] * 13}.npz"
    assert set(written) == {"128.npz", "130.npz", best}
    assert {p.name for p in folder.iterdir()} == {
        *("32.npz", "64.npz", "96.npz", "128.npz", "130.npz", "notes.txt", best)
    }


def test_over_the_limit_the_strides_go_first_then_the_oldest_asked_for_and_never_the_end_or_the_best(
    tmp_path, monkeypatch
):
    """The order of the timeline in memory, on disk: room for so many, and who is left."""
    run = a_run(epochs=400)
    for steps in (50, 75, 110, 170, 250):
        go(run, steps)
        run.apply(Nudge("momentum", notches=-1))
    go(run, 300)
    best = 13 * run.history.best[0]
    kept = kept_by(run)
    asked, stride = [50, 75, 110, 170, 250], [n for n in range(32, 300, 32) if n != best]
    assert {n: each.why for n, each in kept.items()} == (
        dict.fromkeys(stride, "stride") | dict.fromkeys(asked, "asked") | {best: "best", 300: "end"}
    )
    size = max(each.size for each in kept.values())
    folder = tmp_path / "one.checkpoints"
    keeper = Checkpoints(folder)
    for room in range(16, -1, -1):
        monkeypatch.setattr(checkpoints, "MOST_BYTES", room * size)
        keeper.keep(kept)
        left = {int(p.stem) for p in folder.iterdir()}
        least = [best, 300, *asked[::-1], *stride[::-1]][: max(2, room)]
        assert left >= set(least)
        assert len(left) <= max(2, room) + 1  # those with fewer rates are a little smaller
    assert left == {best, 300}
    other = tmp_path / "two.checkpoints"
    Checkpoints(other).keep(kept, at_most=0)
    assert {int(p.stem) for p in other.iterdir()} == {best, 300}


def test_why_a_state_is_kept_comes_back_with_it(kept):
    run, folder = kept
    fresh = Run(run.config, run.dataset)
    assert seek(session_of(run), fresh, run.events, folder)
    was = {each.state.steps: each.why for each in run.timeline.kept}
    now = {each.state.steps: each.why for each in fresh.timeline.kept}
    assert now.pop(333) == "asked"  # somebody ended it there
    assert now == was
    for each in (run, fresh):
        each.adopt(run.events, run.steps)
        go(each, 500)
    assert fresh.timeline._stride == run.timeline._stride


@pytest.mark.parametrize("deleted", [False, True])
def test_resumed_with_and_without_them(tmp_path, monkeypatch, deleted):
    monkeypatch.setattr(recorder_module, "WORTH_IT", 0.0)
    store = Store(tmp_path)
    driver = Driver(with_a_past())
    run = driver.ask(lambda run: run).result()
    recorder = Recorder(driver, store, Identity.new("one"))
    recorder.start()
    driver.close()
    recorder.close()
    path = store.path("one")
    assert (folder_of(path) / "333.npz").is_file()
    if deleted:
        shutil.rmtree(folder_of(path))
    trained = []
    step = Run.train_step
    monkeypatch.setattr(Run, "train_step", lambda self: trained.append(1) or step(self))
    resumed = resume(store, path)
    assert len(trained) == (333 if deleted else 0)
    again = resumed.driver.ask(lambda run: run).result()
    assert resumed.notes == ()
    for each in (run, again):
        go(each, 10_000)
        each.apply(Extend(45))
        go(each, 10_000)
    assert everything(again) == everything(run)
    resumed.recorder.close(evaluate=False)
