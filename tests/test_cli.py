"""The commands from outside: what they print, save and end with."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from pathlib import Path

import pytest

import pandatui
from pandatui import cli, report
from pandatui.sessions.store import read
from pandatui.training import Run
from pandatui.training.companions import Companions
from pandatui.training.events import Nudge
from pandatui.training.setup import RunOptions, prepare

LONG = 60  # seconds: only a failure waits so long

FIELDS = [
    "session",
    "status",
    "steps",
    "epochs",
    "train_cost",
    "dev_cost",
    "dev_accuracy",
    "best_dev_cost",
    "test_accuracy",
    "seconds",
    "steps_per_second",
    "weights_sha256",
    "costs_sha256",
]
SMALL = ("--data", "xor", "--hidden", "4", "--epochs", "2")


@pytest.fixture
def pandatui_(monkeypatch, capfd, tmp_path):
    """Runs a command in this process, in a folder of its own: (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["pandatui", *args])
        try:
            cli.main()
            status = 0
        except SystemExit as done:
            status = done.code or 0
        out, err = capfd.readouterr()
        return status, out, err

    return run


@pytest.fixture
def trained(pandatui_):
    """The JSON of a training that went well."""

    def train(*args):
        status, out, err = pandatui_("train", "--json", *args)
        assert status == 0, err
        return json.loads(out)

    return train


def hashes(found):
    return found["weights_sha256"], found["costs_sha256"]


def clean(text):
    """Whether a terminal would act on nothing in it."""
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


# -- train --


def test_json_has_these_fields_and_stdout_nothing_else(trained, tmp_path):
    found = trained(*SMALL, "--sessions", "kept", "--name", "first")
    assert list(found) == FIELDS
    assert found["session"] == str(Path("kept") / "first.json")
    assert (found["status"], found["steps"], found["epochs"]) == ("finished", 2 * 13, 2)
    session, whole = read(tmp_path / "kept" / "first.json")
    assert whole
    assert session.result.weights_sha256 == found["weights_sha256"]
    assert session.result.costs_sha256 == found["costs_sha256"]
    assert session.result.test_accuracy == found["test_accuracy"]
    assert session.status == "finished"


def test_the_same_options_give_the_same_hashes_and_a_nudge_others(trained):
    plain = [hashes(trained(*SMALL)) for _ in range(2)]
    nudged = [hashes(trained(*SMALL, "--nudge", "9:learning_rate=*0.5")) for _ in range(2)]
    absolute = hashes(trained(*SMALL, "--nudge", "9:learning_rate=0.05"))
    seeded = hashes(trained(*SMALL, "--seed", "2"))
    assert plain[0] == plain[1]
    assert nudged[0] == nudged[1] == absolute
    assert len({plain[0], nudged[0], seeded}) == 3


def test_nothing_said_is_the_lesson(trained, tmp_path):
    found = trained("--epochs", "1", "--sessions", "s")
    session, _ = read(tmp_path / found["session"])
    assert (session.config["data"], session.config["hidden"]) == ("spirals", [32, 32])
    assert session.config["learning_rate"] == 0.0316


def test_every_option_reaches_the_config(trained, tmp_path):
    (tmp_path / "table.csv").write_text(
        "id,a,b,kind,c\n" + "".join(f"{i},{i % 7},{i % 5},{'xyz'[i % 3]},{i % 2}\n" for i in range(60))
    )
    options = (
        "--data table.csv --label kind --drop id --drop 5 --standardise overall --hidden 6,5 "
        "--activation tanh --no-batch-norm --optimizer adam --learning-rate 0.01 --momentum 0.8 "
        "--second-moment 0.99 --decay 0.1 --l2 0.5 --batch-size 7 --epochs 3 --seed 5 --split-seed 6 "
        "--dtype float64 --name all --sessions kept --nudge 4:l2=0 --nudge 2:momentum=x0.5"
    )
    found = trained(*options.split())
    config = read(tmp_path / found["session"])[0].config
    assert config == {
        "data": "table.csv",
        "label": "kind",
        "drop": ["id", "5"],
        "standardise": "overall",
        "hidden": [6, 5],
        "activation": "tanh",
        "batch_norm": False,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "momentum": 0.8,
        "second_moment": 0.99,
        "decay": 0.1,
        "l2": 0.5,
        "batch_size": 7,
        "epochs": 3,
        "seed": 5,
        "split_seed": 6,
        "dtype": "float64",
        "plan": [{"step": 2, "knob": "momentum", "times": 0.5}, {"step": 4, "knob": "l2", "to": 0.0}],
    }


def test_without_json_a_summary_and_what_happened(pandatui_):
    status, out, err = pandatui_("train", *SMALL, "--name", "one", "--nudge", "3:learning_rate=*2")
    assert status == 0
    assert out.startswith("one: finished after 2 epochs, 26 steps, ")
    assert [line.split("  ")[0] for line in out.splitlines()[1:]] == [
        "best dev cost",
        "last dev cost",
        "test",
    ]
    assert "learning rate 0.2 (×2), in use from step 3" in err


def test_sessions_go_where_they_were_told_to(trained, tmp_path, monkeypatch):
    (tmp_path / "sessions").mkdir()
    assert trained(*SMALL)["session"].startswith("sessions" + os.sep)
    monkeypatch.setenv("PANDATUI_SESSIONS", str(tmp_path / "there"))
    assert trained(*SMALL)["session"].startswith(str(tmp_path / "there"))
    assert trained(*SMALL, "--sessions", "mine")["session"].startswith("mine" + os.sep)


def test_sessions_go_where_the_settings_say_unless_the_environment_does(trained, tmp_path, monkeypatch):
    from pandatui.settings import settings_file

    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(f'sessions = "{tmp_path / "settled"}"\n')
    assert trained(*SMALL)["session"].startswith(str(tmp_path / "settled"))
    monkeypatch.setenv("PANDATUI_SESSIONS", str(tmp_path / "there"))
    assert trained(*SMALL)["session"].startswith(str(tmp_path / "there"))


def test_a_divergence_is_saved_and_ends_with_6(pandatui_, tmp_path):
    status, out, err = pandatui_(
        *("train", "--data", "spirals", "--no-batch-norm", "--hidden", "32,32,32", "--learning-rate", "100"),
        *("--json", "--name", "wild", "--sessions", "s"),
    )
    assert status == 6
    assert json.loads(out)["status"] == "diverged"
    assert "diverged at step" in err
    session, whole = read(tmp_path / "s" / "wild.json")
    assert (whole, session.status, session.events[-1].kind) == (True, "diverged", "diverged")


def test_progress_is_lines_off_a_terminal(pandatui_, monkeypatch):
    line_of, seen = report.progress_line, []

    def third(snapshot):
        seen.append(snapshot)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return line_of(snapshot)

    monkeypatch.setattr(report, "progress_line", third)
    status, out, err = pandatui_(
        "train", "--data", "digits", "--epochs", "1000000", "--every", "0.05", "--json", "--sessions", "s"
    )
    assert status == 128 + signal.SIGTERM
    json.loads(out)
    lines = err.splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert line.startswith("epoch ")
        assert "/1000000 · step " in line
    assert clean(err)


# -- refusals --

BAD = [
    ("train", "--epochs", "0"),
    ("train", "--epochs", "many"),
    ("train", "--no-such-option"),
    ("train", "--activation", "swish"),
    ("train", "--activation"),
    ("train", "--hidden", "64;32"),
    ("train", "--hidden", "0"),
    ("train", "--learning-rate", "nan"),
    ("train", "--momentum", "1"),
    ("train", "--batch-size", "5000"),
    ("train", "--batch-size", "0"),
    ("train", "--batch-size", "1"),
    ("train", "--seed", "-1"),
    ("train", "--every", "0"),
    ("train", "--nudge", "5"),
    ("train", "--nudge", "5:learning_rate=inf"),
    ("train", "--nudge", "5:batch_size=inf"),
    ("train", "--nudge", "5:batch_size=100000"),
    ("train", "--nudge", "5:batch_size=1"),
    ("train", "--nudge", "5:second_moment=0.9"),
    ("train", "--nudge", "5:units=9"),
    ("train", "--data", "nowhere.csv"),
    ("train", "--data", "nothing"),
    ("train", "--data", "\udcff.csv"),
    ("train", "--data", "xor", "--label", "y"),
    ("train", "--data", "."),
    ("train", "--name", "../up"),
    ("train", "--name", ""),
    ("train", "--name", "x" * 5000),
    ("train", "--sessions", "/dev/null"),
    ("train", "extra"),
    ("data", "nowhere.csv"),
    ("data", "xor", "extra"),
    ("trian",),
    ("--pace", "fast"),
    ("--pace", "0"),
    ("--data", "xor", "data.csv"),
]


@pytest.mark.parametrize(
    "args", BAD, ids=lambda args: " ".join(args)[:50].encode("ascii", "replace").decode()
)
def test_what_cannot_be_is_one_line_and_status_2(pandatui_, args, tmp_path):
    status, out, err = pandatui_(*args)
    assert (status, out) == (2, "")
    assert err.startswith("pandatui: ")
    assert err.count("\n") == 1
    assert len(err) < 1200
    assert "Traceback" not in err
    assert clean(err)
    assert list(tmp_path.iterdir()) == []


def test_a_session_of_that_name_is_not_overwritten(pandatui_, tmp_path):
    first = pandatui_("train", *SMALL, "--name", "one", "--sessions", "s")
    before = (tmp_path / "s" / "one.json").read_bytes()
    assert first[0] == 0
    status, out, err = pandatui_("train", *SMALL, "--name", "one", "--sessions", "s")
    assert (status, out) == (2, "")
    assert "'one' exists in s: expected a new --name" in err
    assert (tmp_path / "s" / "one.json").read_bytes() == before


@pytest.mark.parametrize("args", [(), ("--data", "xor"), ("--ascii", "--pace", "max")])
def test_without_a_terminal_the_app_names_the_headless_command(pandatui_, args):
    status, out, err = pandatui_(*args)
    assert (status, out) == (2, "")
    assert "pandatui train [RUN OPTIONS]" in err


def test_settings_that_cannot_be_read_are_said(pandatui_):
    from pandatui.settings import settings_file

    settings_file().parent.mkdir(parents=True)
    settings_file().write_text("theme = [")
    status, _, err = pandatui_("train", *SMALL)
    assert status == 2
    assert "config.toml" in err
    assert err.count("\n") == 1


def test_too_little_memory_is_said(pandatui_, monkeypatch):
    from pandatui.training import setup

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(setup, "prepare", fail)
    status, _, err = pandatui_("train", *SMALL)
    assert status == 2
    assert err.startswith("pandatui: not enough memory: ")


HOSTILE = ["\x1b[31mred", "\x1b]0;title\x07", "\u202eevil", "a[/b]", "[@click=app.quit]x", "\x9b2J", "a\r\nb"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "option", ["--name", "--data", "--label", "--drop", "--sessions", "--nudge", "--hidden"]
)
def test_a_hostile_option_reaches_no_terminal(pandatui_, option, text, tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i * 7 % 11},{i % 2}\n" for i in range(40)))
    data = () if option == "--data" else ("--data", "t.csv")
    status, out, err = pandatui_("train", *data, "--epochs", "1", option, text)
    assert status == (0 if option == "--sessions" else 2)
    assert clean(out + err)


@pytest.mark.parametrize("text", HOSTILE[:6])
def test_a_hostile_file_reaches_no_terminal(pandatui_, text, tmp_path):
    name = f"odd {text.replace('/', '')}.csv"
    (tmp_path / name).write_text(
        f"{text}1,b,{text}\n" + "".join(f"5,{i},{text if i % 2 else 'other'}\n" for i in range(40)),
        encoding="utf-8",
    )
    for args in (("data", name), ("train", "--epochs", "1", "--json", "--data", name)):
        status, out, err = pandatui_(*args)
        assert status in (0, 2)
        assert clean(out + err)
    (tmp_path / name).write_text(f"a,{text}\n1,{text}\n{text},2\n", encoding="utf-8")
    status, out, err = pandatui_("data", name)
    assert status == 2
    assert clean(out + err)


# -- data, help, version --


def test_data_lists_the_built_in_sets(pandatui_):
    status, out, err = pandatui_("data")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        *("digits", "spirals", "moons", "circles", "xor", "blobs")
    ]


@pytest.mark.parametrize("options", [(), ("--label", "k i"), ("--label", "1", "--drop", "a", "--drop", "3")])
def test_data_of_a_file_names_a_command_that_works(pandatui_, tmp_path, options):
    name = 'it\'s a "table".csv'
    rows = "".join(f"{i % 3},{i},{i * i % 17},{i % 2}\n" for i in range(60))
    (tmp_path / name).write_text(f"k i,a,b,y\n{rows}")
    status, out, err = pandatui_("data", name, *options)
    assert (status, err) == (0, "")
    *_, last = out.splitlines()
    says, _, command = last.partition(": ")
    assert says == "train on it with"
    program, *args = shlex.split(command)
    assert program == "pandatui"
    assert pandatui_("train", *args, "--epochs", "1")[0] == 0


def test_data_says_what_it_would_load(pandatui_):
    status, out, _ = pandatui_("data", "digits")
    assert status == 0
    assert "1,437 train, 180 dev, 180 test (split 80/10/10, stratified)" in out
    assert "images of 8×8" in out
    assert "classes   10: 0 " in out


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_commands_and_run_options(pandatui_, flag):
    status, out, err = pandatui_(flag)
    assert (status, err) == (0, "")
    for word in ("train", "data", "--learning-rate", "--pace", "--ascii", "--version"):
        assert word in out
    status, out, _ = pandatui_("train", flag)
    assert status == 0
    for word in ("--nudge", "--json", "--every", "--split-seed"):
        assert word in out


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(pandatui_, flag):
    assert pandatui_(flag) == (0, f"pandatui {pandatui.__version__}\n", "")


# -- as a process --


def start(*args, before=(), **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(
        [*before, sys.executable, "-m", "pandatui", *args], text=True, **(pipes | options)
    )


def until(true, seconds=LONG):
    """Wait for another process, a few milliseconds at a time."""
    end = time.monotonic() + seconds
    tick = threading.Event()
    while not true():
        assert time.monotonic() < end
        tick.wait(0.005)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_saves_and_ends_with_its_number(tmp_path, number):
    file = tmp_path / "long.json"
    process = start(
        *("train", "--data", "digits", "--epochs", "1000000", "--json", "--name", "long"),
        *("--sessions", str(tmp_path)),
    )
    try:
        until(lambda: file.exists() and file.stat().st_size)
        assert read(file)[0].status == "running"
        process.send_signal(number)
        out, err = process.communicate(timeout=LONG)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + number, err
    found = json.loads(out)
    session, whole = read(file)
    assert whole
    assert (session.status, found["status"]) == ("stopped", "stopped")
    assert session.steps == found["steps"]
    assert session.result.test_accuracy == found["test_accuracy"]
    assert "Traceback" not in err


def test_under_nohup_a_hangup_is_not_heard_and_a_closed_log_stops_nothing(tmp_path):
    file = tmp_path / "long.json"
    process = start(
        *("train", "--data", "digits", "--epochs", "1000000", "--every", "0.05", "--name", "long"),
        *("--sessions", str(tmp_path)),
        before=("sh", "-c", 'trap "" HUP; exec "$0" "$@"'),
    )
    try:
        until(lambda: file.exists() and file.stat().st_size)
        assert any(line.startswith("epoch ") for line in process.stderr)
        process.stderr.close()
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG) == 143  # 129, had the hangup before it been heard
    finally:
        process.kill()
        process.wait()
    assert read(file)[0].status == "stopped"


def scripted(script, *args):
    """The program with a mistake put into it."""
    return subprocess.run(
        [sys.executable, "-c", f"{script}\nfrom pandatui.cli import main\nmain()", *args],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


FAIL_AT_STEP_7 = """
from pandatui.training.run import Run
step = Run.step
def fail(self, seconds=0.0):
    if self.steps == 7:
        raise RuntimeError("not \\x1b[31m foreseen")
    return step(self, seconds)
Run.step = fail
"""


def test_an_error_in_training_is_shown_saved_and_ends_with_70(tmp_path):
    done = scripted(FAIL_AT_STEP_7, "train", *SMALL, "--json", "--sessions", str(tmp_path), "--name", "x")
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "RuntimeError: not " in done.stderr
    assert clean(done.stderr)
    session, whole = read(tmp_path / "x.json")
    assert (whole, session.status, session.steps) == (True, "stopped", 7)
    assert json.loads(done.stdout)["steps"] == 7


def test_an_error_anywhere_else_ends_with_70():
    done = scripted("import pandatui.report\npandatui.report.data_list = lambda sets: 1 / 0", "data")
    assert done.returncode == 70
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "pandatui: internal error: ZeroDivisionError; please report it"


def test_a_last_save_that_fails_is_no_success(tmp_path):
    """The folder becomes a file while training; the file's last state is lost, and that is said."""
    script = f"""
import os
from pandatui.sessions import Recorder
close = Recorder.close
def closed(self, evaluate=True):
    self._closing = True  # its thread rests, lest it makes the folder again
    self._wanted.set()
    self._thread.join()
    os.rename({str(tmp_path / "s")!r}, {str(tmp_path / "aside")!r})
    open({str(tmp_path / "s")!r}, "w").close()
    return close(self, evaluate)
Recorder.close = closed
"""
    done = scripted(script, "train", *SMALL, "--json", "--sessions", str(tmp_path / "s"))
    assert done.returncode == 2
    assert "not saved: " in done.stderr
    assert json.loads(done.stdout)["status"] == "finished"


def test_a_reader_that_has_seen_enough_is_no_error():
    with start("data") as process:
        process.stdout.close()
        assert process.wait(LONG) == 0
        assert process.stderr.read() == ""


def test_output_that_cannot_show_a_character_escapes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    process = start("data", "digits")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert clean(err)  # where it takes long, what it is at
    assert "8\\xd78" in out


def test_on_a_terminal_a_bar_and_still_only_json_on_stdout(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    process = start(
        "train", "--data", "digits", "--epochs", "6000", "--json", "--sessions", str(tmp_path), stderr=theirs
    )
    os.close(theirs)
    shown, asked = b"", False
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        shown += part
        if "━".encode() in shown and not asked:
            process.terminate()
            asked = True
    out, _ = process.communicate(timeout=LONG)
    os.close(ours)
    assert process.returncode in (0, 128 + signal.SIGTERM)
    assert list(json.loads(out)) == FIELDS
    assert "━".encode() in shown
    assert b"epoch " in shown
    assert shown.endswith(b"\r\x1b[2K")  # the line is left empty


def test_a_session_file_that_is_not_there_is_said_before_any_screen():
    done = subprocess.run(
        [sys.executable, "-m", "pandatui", "missing.json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == "pandatui: 'missing.json': no such session file\n"


def test_a_twin_in_the_app_is_what_train_gives_with_its_seed_and_the_same_nudges(trained):
    config, data = prepare(RunOptions(data="xor", hidden=(4,), epochs=2))
    run = Run(config, data)
    while run.ready:
        if run.steps == 8:
            run.apply(Nudge("learning_rate", to=0.3))
        run.step()
    companions = Companions()
    companions.twins(run, from_start=True)
    while companions.attend(run, full_pace=False):
        pass
    (twins,) = companions.look(run, 10_000)
    for i in (0, 4):
        record = trained(*SMALL, "--seed", str(2 + i), "--nudge", "9:learning_rate=0.3")
        session, _ = read(Path(record["session"]))
        assert session.curves.dev_cost.first == twins.dev_costs[:2, i].tolist()
