"""Driver: exact steps, facts, pace, gestures by the clock, and every way that the thread can end."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pandatui.training import Driver
from pandatui.training.environment import describe
from pandatui.training.events import (
    Diverged,
    EpochDone,
    Extend,
    Failed,
    Finished,
    GoOn,
    Note,
    Nudge,
    Pause,
    Recorded,
)
from pandatui.training.snapshot import View

LONG = 60  # seconds: only a failure waits so long


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Heard:
    """A subscriber that keeps every fact and lets a test wait for one."""

    def __init__(self, driver: Driver) -> None:
        self.facts = []
        self._changed = threading.Condition()
        driver.subscribe(self)

    def __call__(self, fact) -> None:
        with self._changed:
            self.facts.append(fact)
            self._changed.notify_all()

    def wait(self, kind, count=1):
        """The facts of one kind, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(kind)) >= count, LONG), self.facts
            return self.of(kind)

    def of(self, kind):
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def events(self):
        return [fact.event for fact in self.of(Recorded)]


@pytest.fixture
def drive():
    """Drivers that are closed whatever happens."""
    made = []

    def drive(run, **options):
        driver = Driver(run, **options)
        made.append(driver)
        return driver, Heard(driver)

    yield drive
    for driver in made:
        assert driver.close(LONG)


def hashes(run):
    return run.weights_sha256(), run.history.costs_sha256()


def reference(new_run, **settings):
    run = new_run(**settings)
    while run.ready:
        run.step()
    return run


def test_a_run_to_its_end(new_run, drive):
    driver, heard = drive(new_run())
    driver.start()
    (finished,) = heard.wait(Finished)
    assert finished.epochs == 4
    assert [(f.epoch, f.step) for f in heard.of(EpochDone)] == [(1, 5), (2, 10), (3, 15), (4, 20)]
    assert driver.alive  # it waits for what a person wants next
    assert driver.ask(hashes).result(LONG) == hashes(reference(new_run))
    driver.send(Extend(6))
    heard.wait(Finished, 2)
    assert driver.ask(hashes).result(LONG) == hashes(reference(new_run, epochs=6))
    assert driver.close(LONG)
    assert not driver.alive
    assert driver.failure is None


def test_commands_sent_before_the_start_come_before_the_first_step(new_run, drive):
    driver, heard = drive(new_run())
    driver.send(Nudge("learning_rate", to=0.2))
    driver.send(Pause())
    driver.start()
    heard.wait(Recorded, 2)
    assert [(e.kind, e.step) for e in heard.events()] == [("nudge", 1), ("pause", 1)]
    driver.send(GoOn(3))
    heard.wait(Recorded, 4)
    assert driver.ask(lambda run: run.steps).result(LONG) == 3


def test_a_command_is_carried_out_between_steps_and_bears_on_the_next(new_run, drive):
    """While it trains at full pace; re-run by hand, the same nudge at the same step gives the same bits."""
    driver, heard = drive(new_run(epochs=1_000_000))
    driver.start()
    heard.wait(EpochDone, 20)
    driver.send(Nudge("learning_rate", times=0.5))
    heard.wait(Recorded)
    (event,) = heard.events()
    assert event.step > 100
    heard.wait(EpochDone, event.step // 5 + 1)  # so that it bears on a step
    assert driver.close(LONG)
    again = new_run(epochs=1_000_000)
    while again.steps < driver.ask(lambda run: run.steps).result(LONG):
        if again.steps + 1 == event.step:
            again.apply(Nudge("learning_rate", to=event.after))
        again.step()
    assert driver.ask(hashes).result(LONG) == hashes(again)


@pytest.mark.parametrize("pace", [None, 1e6, 3e3, 500.0])
def test_pace_changes_no_bit(new_run, drive, pace):
    driver, heard = drive(new_run(epochs=20), pace=pace)
    driver.start()
    heard.wait(Finished)
    assert driver.ask(hashes).result(LONG) == hashes(reference(new_run, epochs=20))


def test_a_slow_pace_waits_and_a_change_of_it_is_heard_at_once(new_run, drive):
    driver, heard = drive(new_run(), pace=1e-6)
    driver.start()
    driver.ask(lambda run: None).result(LONG)
    assert driver.snapshot(View(), LONG).steps <= 1  # the next is due in two days
    assert driver.pace == 1e-6
    driver.set_pace(None)
    heard.wait(Finished)


@pytest.mark.parametrize("call", range(1, 9))
def test_the_pace_is_changed_while_the_thread_works_out_when_the_next_step_is_due(new_run, drive, call):
    calls = itertools.count(1)

    def clock():
        if next(calls) == call:
            driver.set_pace(None)
        return 1000.0

    driver, heard = drive(new_run(), pace=1e-6, clock=clock)
    driver.start()
    driver.ask(lambda run: None).result(LONG)
    for _ in range(call):
        assert driver.seconds == 0
    heard.wait(Finished)
    assert driver.failure is None


def test_the_pace_that_is_set_last_holds(new_run, drive, monkeypatch):
    """Also when it is set just before the thread notes when the next step is due at the one before."""
    run = new_run()
    driver, heard = drive(run, pace=1e-6)
    per_epoch = type(run.batches).steps_per_epoch

    def late(batches, size):
        driver.set_pace(1e9)
        return per_epoch(batches, size)

    monkeypatch.setattr(type(run.batches), "steps_per_epoch", late)
    driver.start()
    heard.wait(Finished)


def test_no_step_is_made_up_for_after_a_pause(new_run, drive):
    """Held at five steps a second by a clock that stands, a pause of an hour is followed by one step."""
    clock = Clock()
    driver, heard = drive(new_run(), pace=1.0, clock=clock)
    driver.send(Pause())
    driver.start()
    heard.wait(Recorded)
    clock.now += 3600
    driver.send(GoOn())
    heard.wait(Recorded, 2)
    driver.ask(lambda run: None).result(LONG)
    assert driver.ask(lambda run: run.steps).result(LONG) <= 1
    driver.set_pace(None)
    heard.wait(Finished)


def test_running_time_stands_while_paused(new_run, drive):
    clock = Clock()
    driver, heard = drive(new_run(), pace=1e-6, clock=clock)
    assert driver.seconds == 0
    driver.start()
    while not driver.ask(lambda run: run.steps).result(LONG):
        pass
    clock.now += 7
    assert driver.seconds == 7
    driver.send(Pause())
    heard.wait(Recorded)
    assert driver.ask(lambda run: run.events[-1].seconds).result(LONG) == 7
    while driver._running_since is not None:
        driver.ask(lambda run: None).result(LONG)
    clock.now += 100
    assert driver.seconds == 7


def test_presses_within_two_seconds_are_one_gesture(new_run, drive):
    clock = Clock()
    driver, heard = drive(new_run(), clock=clock)
    presses = [  # seconds after the press before, knob, gesture
        (0, "learning_rate", 1),
        (2.0, "learning_rate", 1),
        (2.0, "learning_rate", 1),
        (2.01, "learning_rate", 2),
        (0.1, "momentum", 3),
        (0.1, "learning_rate", 4),
        (0.1, "learning_rate", 4),
    ]
    for wait, knob, _ in presses:
        clock.now += wait
        driver.send(Nudge(knob, notches=-1))
    driver.start()
    heard.wait(Recorded, len(presses))
    assert [e.nudge for e in heard.events()] == [gesture for *_, gesture in presses]


def test_a_refused_press_of_another_knob_ends_the_gesture(new_run, drive):
    driver, heard = drive(new_run(), clock=Clock())
    for knob in ("learning_rate", "decay", "learning_rate"):
        driver.send(Nudge(knob, notches=-1))  # decay is at its limit
    driver.start()
    heard.wait(Recorded, 2)
    assert [e.nudge for e in heard.events()] == [1, 2]


def test_snapshots_agree_with_themselves_at_full_pace(new_run, drive):
    driver, heard = drive(new_run(epochs=2_000))
    driver.start()
    last = -1
    while not heard.of(Finished):
        shot = driver.snapshot(View(1, None, 50), LONG)
        assert shot.steps >= last
        last = shot.steps
        assert shot.epoch == len(shot.curve.dev_costs) or shot.epoch > 100
        assert shot.epoch == shot.steps // 5
        assert shot.place == pytest.approx(shot.epoch + (shot.steps % 5) * 4 / 21)
        if shot.steps:
            assert shot.curve.steps[-1] <= shot.steps
            assert (shot.curve.low <= shot.curve.mean + 1e-12).all()
            assert (shot.curve.mean <= shot.curve.high + 1e-12).all()
    end = driver.snapshot(View(), LONG)
    assert (end.status, end.training, end.epoch, end.steps) == ("finished", False, 2_000, 10_000)
    assert (end.best_epoch, end.best_dev_cost) == driver.ask(lambda run: run.history.best[:2]).result(LONG)


def test_a_look_before_the_first_step(new_run):
    shot = Driver(new_run()).snapshot(View())
    assert (shot.steps, shot.epoch, shot.steps_per_epoch, shot.best_epoch) == (0, 0, 5, 0)
    assert len(shot.curve.steps) == len(shot.curve.dev_costs) == 0
    assert shot.train_cost != shot.train_cost
    assert shot.knobs["learning_rate"] == 0.1
    assert shot.curve.rates.tolist() == [0.1]


def test_many_threads_ask_at_once_from_start_to_end(new_run, drive):
    """Every question is answered, those included that come as the thread ends."""
    driver, heard = drive(new_run(epochs=300))
    go = threading.Event()

    def curious(_):
        go.wait(LONG)
        last = 0
        for _ in range(200):
            steps = driver.ask(lambda run: run.steps).result(LONG)
            assert steps >= last
            last = steps
        return last

    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(curious, range(8))
        driver.start()
        go.set()
        heard.wait(EpochDone)
        driver.close(LONG)
        assert all(answer >= 0 for answer in answers)


def test_the_end_of_the_thread_misses_no_question(new_run, drive):
    """Asked in a tight loop while the thread ends, twenty times over."""
    for _ in range(20):
        driver, _heard = drive(new_run())
        driver.start()
        closer = threading.Thread(target=driver.close)
        closer.start()
        while driver.alive:
            driver.ask(lambda run: run.steps).result(LONG)
        closer.join(LONG)


def test_questions_after_the_end_are_answered_one_at_a_time(new_run, drive):
    driver, _ = drive(new_run())
    driver.start()
    driver.close(LONG)
    inside = []
    worst = []

    def question(run):
        inside.append(1)
        worst.append(len(inside))
        run.evaluate()
        inside.pop()

    with ThreadPoolExecutor(8) as pool:
        for answer in list(pool.map(lambda _: driver.ask(question), range(40))):
            answer.result(LONG)
    assert max(worst) == 1


def test_a_question_that_raises_is_the_askers_own(new_run, drive):
    driver, heard = drive(new_run())
    driver.start()
    with pytest.raises(ZeroDivisionError):
        driver.ask(lambda run: 1 / 0).result(LONG)
    heard.wait(Finished)
    driver.close(LONG)
    with pytest.raises(ZeroDivisionError):
        driver.ask(lambda run: 1 / 0).result(LONG)
    assert driver.failure is None


def test_a_question_given_up_harms_no_one(new_run, drive):
    driver, heard = drive(new_run())
    answers = []
    hold, held = threading.Event(), threading.Event()

    def slow(run):
        held.set()
        hold.wait(LONG)

    driver.start()
    driver.ask(slow)
    assert held.wait(LONG)
    answers = [driver.ask(lambda run: run.steps) for _ in range(3)]
    with pytest.raises(TimeoutError):
        driver.snapshot(View(), timeout=0)
    assert answers[1].cancel()
    hold.set()
    assert answers[2].result(LONG) >= answers[0].result(LONG)
    heard.wait(Finished)
    assert driver.failure is None


def test_an_error_in_training_is_pushed_and_kept(new_run, drive, monkeypatch):
    run = new_run()
    driver, heard = drive(run)
    error = RuntimeError("a mistake of ours")

    def fail(*_):
        if run.steps == 7:
            raise error
        return step(*_)

    step = run.learner.step
    monkeypatch.setattr(run.learner, "step", fail)
    driver.start()
    assert heard.wait(Failed)[0].error is error
    driver.join(LONG)
    assert not driver.alive
    assert driver.failure is error
    assert driver.ask(lambda run: run.steps).result(LONG) == 7
    driver.send(Nudge("learning_rate", notches=1))  # heard by no one, and no one waits
    assert driver.close(LONG)


def test_a_question_that_came_before_the_error_is_answered_after_it(new_run, drive, monkeypatch):
    run = new_run()
    driver, heard = drive(run)
    asked = []

    def fail(*_):
        asked.append(driver.ask(lambda run: run.steps))
        raise RuntimeError

    monkeypatch.setattr(run.learner, "step", fail)
    driver.start()
    heard.wait(Failed)
    assert asked[0].result(LONG) == 0


def test_a_divergence_leaves_the_thread_to_be_asked(new_run, drive):
    driver, heard = drive(new_run(batch_norm=False, hidden=(32, 32, 32), learning_rate=100.0))
    driver.start()
    heard.wait(Diverged)
    driver.send(Note("too fast"))
    heard.wait(Recorded)
    assert driver.snapshot(View(), LONG).status == "diverged"
    assert driver.alive


def test_what_was_sent_before_close_is_still_on_record(new_run, drive):
    driver, heard = drive(new_run(epochs=1_000_000))
    driver.start()
    heard.wait(EpochDone)
    driver.send(Note("last words"))
    assert driver.close(LONG)
    assert heard.events()[-1].text == "last words"


def test_close_before_the_start_and_twice(new_run):
    driver = Driver(new_run())
    assert driver.close()
    assert driver.close()


def test_a_driver_means_one_blas_thread(new_run):
    Driver(new_run())
    assert describe()["threads"] == 1


def test_the_environment_names_no_one(new_run, monkeypatch):
    import getpass
    import platform
    import socket

    found = " ".join(map(str, describe().values()))
    for private in (socket.gethostname(), platform.node()):
        assert private not in found
    assert getpass.getuser() not in found.split()
    assert set(describe()) == {"python", "numpy", "blas", "kernel", "threads", "simd", "machine", "system"}
