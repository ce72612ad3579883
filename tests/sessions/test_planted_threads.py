"""Whatever trains a session again does it with one BLAS thread: with two, wide networks get other bits."""

from __future__ import annotations

import pytest
from threadpoolctl import ThreadpoolController

from pandatui.sessions import Recorder, Store
from pandatui.sessions import recorder as recorder_module
from pandatui.sessions.checkpoints import Checkpoints, folder_of, kept_by
from pandatui.sessions.record import Identity
from pandatui.sessions.replay import rerun
from pandatui.sessions.resume import resume
from pandatui.sessions.store import read
from pandatui.training import Driver, Run
from pandatui.training.setup import RunOptions, prepare
from pandatui.training.trainer import Trainer


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A session at step 100 whose last checkpoint is that of step 96."""
    monkeypatch.setattr(recorder_module, "WORTH_IT", 0.0)
    store = Store(tmp_path)
    driver = Driver(Run(*prepare(RunOptions(data="xor", hidden=(6,), epochs=40))))
    recorder = Recorder(driver, store, Identity.new("one"))
    recorder.start()
    recorder._closing = True  # its thread rests; we are its thread
    recorder._wanted.set()
    recorder._thread.join()
    run = driver.ask(lambda run: run).result()
    while run.steps < 100:
        driver._push(run.step())
    driver.close()
    recorder.close()
    path = store.path("one")
    Checkpoints(folder_of(path)).keep({n: kept for n, kept in kept_by(run).items() if n <= 96})
    return store, path


@pytest.fixture
def threads(monkeypatch):
    """BLAS unpinned, as in a new process; the threads that each step had."""
    controller = ThreadpoolController()
    found = []

    def counted(real):
        def step(self, *args, **more):
            found.append(max(lib["num_threads"] for lib in controller.info() if lib["user_api"] == "blas"))
            return real(self, *args, **more)

        return step

    monkeypatch.setattr(Trainer, "train_step", counted(Trainer.train_step))
    with controller.limit(limits=2, user_api="blas"):
        yield found


def test_when_it_is_resumed_from_a_checkpoint(stopped, threads):
    resume(*stopped).recorder.close(evaluate=False)
    assert threads == [1] * 4


def test_when_it_is_trained_again_from_the_seed(stopped, threads):
    _, path = stopped
    session, _ = read(path)
    rerun(session, prepare(RunOptions(data="xor"))[1])
    assert threads == [1] * 100
