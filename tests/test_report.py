"""The headless report's words, from facts made for it."""

from __future__ import annotations

import pytest

from pandatui import report
from pandatui.data import inspect
from pandatui.sessions.recorder import Identity, record
from pandatui.training.snapshot import View, look


@pytest.fixture
def ended(new_run):
    run = new_run()
    while run.ready:
        run.step()
    return run


def session_of(run, evaluation):
    return record(run, Identity("brave-otter", "0", "2026-01-02T03:04:05+00:00"), 65.4, evaluation)


class Clock:
    def __init__(self, *times):
        self.times = list(times)

    def __call__(self):
        return self.times.pop(0)


@pytest.fixture
def long_load(monkeypatch):
    monkeypatch.setattr(report, "_LONG_LOAD", 1.0)


def test_a_load_that_is_quick_shows_nothing(capsys, long_load):
    progress = report.LoadProgress(Clock(0, 0.5, 0.99))
    progress("reading", 0.5)
    progress("reading", 1.0)
    assert capsys.readouterr() == ("", "")


def test_a_long_load_shows_a_line_a_second_and_the_end(capsys, long_load):
    progress = report.LoadProgress(Clock(10, 10.5, 11.1, 11.5, 12.2, 12.3))
    for fraction in (0.1, 0.2, 0.3, 0.4, 1.0):
        progress("reading \x1b[31mx", fraction)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "".join(f"reading \ufffd[31mx {percent}%\n" for percent in (20, 40, 100))


def test_progress_before_the_first_step_and_at_the_end(new_run, ended):
    assert report.progress_line(look(new_run(), View())) == "epoch 0/4 · step 0"
    line = report.progress_line(look(ended, View()))
    assert line.startswith("epoch 4/4 · step 20 · train ")
    assert line.endswith("% right)")


def test_the_bar_fills_and_fits(monkeypatch, new_run, ended):
    monkeypatch.setenv("COLUMNS", "200")
    assert report.bar(look(new_run(), View()), 10).startswith("╌" * 10 + " epoch 0/4")
    assert report.bar(look(ended, View()), 10).startswith("━" * 10 + " epoch 4/4")
    monkeypatch.setattr("os.get_terminal_size", lambda _: (_ for _ in ()).throw(OSError))
    assert len(report.bar(look(ended, View()), 100)) == 79


def test_the_summary_in_words(ended):
    text = report.summary_text(session_of(ended, ended.evaluate()))
    head, best, last, test = text.splitlines()
    assert head == "brave-otter: finished after 4 epochs, 20 steps, 1 min 5 s"
    assert best.startswith("best dev cost  ")
    assert f"at epoch {ended.history.best[0]} (" in best
    assert last.startswith("last dev cost  ")
    assert test.startswith("test           ")
    assert test.endswith("% right")


def test_the_summary_of_a_run_without_a_step(new_run):
    session = session_of(new_run(), None)
    assert report.summary_text(session) == "brave-otter: running after 0 epochs, 0 steps, 1 min 5 s"
    found = report.summary(session, "x.json")
    assert (found["train_cost"], found["best_dev_cost"], found["test_accuracy"]) == (None, None, None)
    assert found["steps_per_second"] == 0.0
    session.seconds = 0.0
    assert report.summary(session, "x.json")["steps_per_second"] is None


def test_numbers_that_are_none_in_the_summary(ended):
    session = session_of(ended, ended.evaluate())
    session.result.dev_cost = "Infinity"
    session.result.dev_accuracy = 0.5
    assert "last dev cost  not finite (50.0% right)" in report.summary_text(session)
    assert report.summary(session, "x")["dev_cost"] == "Infinity"


def test_many_classes_and_columns_are_cut(tmp_path):
    path = tmp_path / "wide.csv"
    columns = [f"column {i}" for i in range(60)]
    rows = [",".join(["1"] * 59 + [str(row), f"class {row % 30}"]) for row in range(300)]
    path.write_text("\n".join([",".join([*columns, "y"]), *rows]))
    text = report.data_text(inspect(str(path)), None, ())
    classes, constant = (
        next(x for x in text.splitlines() if x.startswith(w)) for w in ("classes", "constant")
    )
    assert classes.startswith("classes   30: class 0 3.3%, ")
    assert classes.endswith(" …")
    assert constant.startswith("constant  59 columns: column 0, ")
    assert constant.endswith(" …")
    assert max(map(len, text.splitlines())) < 1200


def test_talk_to_a_terminal_that_has_gone_is_no_error(monkeypatch):
    class Gone:
        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    report.say("anyone there?")


def test_a_traceback_cannot_act_on_a_terminal(capsys):
    try:
        raise ValueError("\x1b[2J \u202e\nsecond line")
    except ValueError as error:
        report.show_traceback(error)
    _, err = capsys.readouterr()
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert "ValueError: \ufffd[2J \ufffd" in err
