"""`pandatui batch` from outside: what it prints, saves and ends with, and that it goes on after anything."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
import unicodedata

import pytest

from pandatui import cli
from pandatui.search import cohort
from pandatui.search.adopt import adopt
from pandatui.search.dimension import position
from pandatui.search.records import encode as encode_study
from pandatui.search.records import restored
from pandatui.search.setup import prepare
from pandatui.search.shelf import look, read
from pandatui.search.spec import Spec
from pandatui.search.spec_files import from_toml
from pandatui.sessions.journal import Journal
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import encode
from pandatui.sessions.store import Store
from pandatui.sessions.store import read as read_session
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Nudge
from pandatui.training.setup import RunOptions
from pandatui.training.setup import prepare as prepare_run

LONG = 60  # seconds: only a failure waits so long
SMALL = ("--data", "xor", "--hidden", "4", "--epochs", "4", "--trials", "9", "--workers", "1")
TRIAL = [
    "number",
    "round",
    "knobs",
    "seed",
    "status",
    "reason",
    "steps",
    "epochs",
    "dev_cost",
    "dev_accuracy",
]
TRIAL += ["weights_sha256", "costs_sha256"]
FIELDS = ["study", "status", "best", "rounds", "next_box", "trials", "importance", "distinct_values"]


@pytest.fixture
def pandatui_(monkeypatch, capfd, tmp_path):
    """Runs a command in this process, in a folder of its own: (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["pandatui", *map(str, args)])
        try:
            cli.main()
            status = 0
        except SystemExit as done:
            status = done.code or 0
        out, err = capfd.readouterr()
        return status, out, err

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The sessions folder in use."""
    monkeypatch.setenv("PANDATUI_SESSIONS", str(tmp_path / "kept"))
    return tmp_path / "kept"


def study_in(folder):
    (path,) = folder.glob("*.study.json")
    return path


def results(found):
    """All of an answer that is to be the same wherever and however often it was raced."""
    return {key: value for key, value in found.items() if key != "study"}


def clean(text):
    """Whether a terminal would act on nothing in it."""
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


# -- a study -------------------------------------------------------------------------------------------------


def test_coarse_to_fine_on_one_worker_and_on_two(pandatui_, tmp_path):
    asked = ("batch", "--data", "digits", "--trials", "24", "--rounds", "3", "--epochs", "5", "--json")
    one, two = (
        pandatui_(*asked, "--sessions", tmp_path / workers, "--workers", workers) for workers in ("1", "2")
    )
    assert (one[0], two[0]) == (0, 0)
    found = json.loads(one[1])
    assert results(found) == results(json.loads(two[1]))
    assert list(found) == FIELDS
    assert all(list(trial) == TRIAL for trial in found["trials"])
    assert [trial["number"] for trial in found["trials"]] == list(range(1, 25))
    costs = {
        number: statistics.median(t["dev_cost"] for t in found["trials"] if t["round"] == number)
        for number in (1, 3)
    }
    assert costs[3] < costs[1]
    widths = [[_width(each["box"][knob]) for knob in each["box"]] for each in found["rounds"]]
    assert all(later < first for later, first in zip(widths[2], widths[0], strict=True))
    assert found["best"]["dev_cost"] == min(t["dev_cost"] for t in found["trials"])
    assert sum(found["importance"].values()) == pytest.approx(1)
    assert set(found["distinct_values"].values()) == {24}
    assert found["study"] == str(study_in(tmp_path / "1"))
    saved, whole = read(study_in(tmp_path / "1"))
    assert whole
    assert saved.status == "finished"
    assert results(
        json.loads(pandatui_("show", saved.name, "--sessions", tmp_path / "1", "--json")[1])
    ).items() >= (results(found).items())


def _width(plain):
    low, high = (position(plain["scale"], plain[end]) for end in ("low", "high"))
    return high - low


def test_the_report_says_the_best_where_to_look_next_and_what_mattered(pandatui_, folder):
    status, out, err = pandatui_("batch", *SMALL[:-4], "--trials", "24", "--workers", "1")
    assert status == 0
    lines = out.splitlines()
    name = study_in(folder).name.removesuffix(".study.json")
    assert lines[0].startswith(f"{name}: finished, 24 of 24 trials in 3 rounds")
    assert lines[2].split()[:3] == ["#", "trial", "round"]
    ranks = [line.split()[0] for line in lines[3:13]]
    assert ranks == [str(place) for place in range(1, 11)]
    costs = [float(line.split()[3]) for line in lines[3:13]]
    assert costs == sorted(costs)
    for heading in ("box of a next round", "what mattered", "values tried in 24 trials"):
        assert any(line.startswith(heading) for line in lines)
    tried = next(i for i, line in enumerate(lines) if line.startswith("values tried"))
    assert lines[tried].split()[-3:] == ["random", "on", "grid"] or lines[tried].endswith("random  on a grid")
    assert lines[tried + 1].split() == ["learning", "rate", "24", "2"]
    assert [word for word in ("first", "second", "third") if any(word in line for line in lines)]
    assert "round 2: 8 trials: learning rate" in err
    assert f"saved as {study_in(folder)}" in err
    assert clean(out)
    assert clean(err)


@pytest.mark.parametrize(
    "options",
    [
        ("--data", "digits", "--no-batch-norm", "--optimizer", "adam", "--dtype", "float64", "--seed", "7"),
        ("--data", "digits", "--space", "wide", "--split-seed", "3", "--standardise", "column"),
        (
            "--data",
            "two words.csv",
            "--label",
            "the class",
            "--drop",
            "an id",
            "--drop",
            "b",
            "--hidden",
            "5",
        ),
    ],
)
def test_the_command_of_the_best_trains_it_alone_to_the_same_bits(pandatui_, folder, tmp_path, options):
    rows = "".join(f"{i % 3},{i},{(i * 7) % 11},{i % 5 + i % 3}\n" for i in range(60))
    (tmp_path / "two words.csv").write_text(f"the class,an id,b,c\n{rows}")
    asked = ("batch", *options, "--trials", "6", "--rounds", "2", "--epochs", "3", "--workers", "1")
    found = json.loads(pandatui_(*asked, "--json")[1])
    program, *command = shlex.split(found["best"]["command"])
    assert program == "pandatui"
    status, out, _ = pandatui_(*command, "--json")
    assert status == 0
    assert json.loads(out)["weights_sha256"] == found["best"]["weights_sha256"]
    assert found["best"]["command"] in pandatui_("show", study_in(folder).name.split(".")[0])[1]


def test_a_grid_tries_few_values_of_each_knob(pandatui_, folder):
    asked = ("batch", *SMALL[:-4], "--trials", "16", "--rounds", "1", "--workers", "1", "--sampling", "grid")
    status, out, _ = pandatui_(*asked)
    assert status == 0
    tried = out[out.index("values tried") :].splitlines()
    assert tried[0].endswith("grid  if random")
    assert tried[1].split() == ["learning", "rate", "2", "16"]


def test_a_finished_study_prints_its_result_and_is_not_touched(pandatui_, folder):
    first = pandatui_("batch", *SMALL, "--json")
    path = study_in(folder)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    path.parent.chmod(0o500)
    again = pandatui_("batch", *SMALL, "--json", "--every", "0.1")
    by_name = pandatui_("batch", path.name.removesuffix(".study.json"), "--json")
    by_path = pandatui_("batch", path, "--json")
    path.parent.chmod(0o700)
    assert first[:2] == again[:2] == by_name[:2] == by_path[:2]
    assert "has finished already" in again[2]
    assert before == (path.read_bytes(), path.stat().st_mtime_ns)


def test_workers_and_the_name_do_not_count_for_what_is_asked(pandatui_, folder):
    one = pandatui_("batch", *SMALL, "--json")
    assert pandatui_("batch", *SMALL[:-1], "2", "--json")[1] == one[1]
    other = pandatui_("batch", *SMALL, "--name", "mine", "--json")
    assert results(json.loads(other[1])) == results(json.loads(one[1]))
    assert (folder / "mine.study.json").exists()


def test_a_name_with_other_settings_is_refused(pandatui_, folder):
    assert pandatui_("batch", *SMALL, "--name", "mine")[0] == 0
    status, out, err = pandatui_("batch", *SMALL, "--seed", "2", "--name", "mine")
    assert (status, out) == (2, "")
    assert "study 'mine' exists" in err
    assert err.count("\n") == 1


def test_some_trials_failed(pandatui_, folder, monkeypatch):
    class Poisoned(cohort.Population):
        def __init__(self, configs, dataset, state=None):
            if any(config.learning_rate > 0.1 for config in configs):
                raise MemoryError
            super().__init__(configs, dataset, state)

    monkeypatch.setattr(cohort, "Population", Poisoned)
    status, out, err = pandatui_("batch", *SMALL, "--rounds", "1", "--json")
    assert status == 7, err
    found = json.loads(out)
    failed = {t["number"] for t in found["trials"] if t["knobs"]["learning_rate"] > 0.1}
    assert failed
    assert {t["number"] for t in found["trials"] if t["status"] == "failed"} == failed
    assert {t["reason"] for t in found["trials"] if t["status"] == "failed"} == {"worker died 3 times"}
    assert all(t["status"] == "finished" for t in found["trials"] if t["number"] not in failed)
    status, out, _ = pandatui_("batch", *SMALL, "--rounds", "1")
    assert status == 7
    assert f"{len(failed)} failed" in out


# -- what is asked for ---------------------------------------------------------------------------------------


def test_a_printed_spec_is_raced_as_the_options_that_made_it(pandatui_, folder, tmp_path):
    options = (*SMALL[:-2], "--vary", "learning_rate=log:1e-3:1", "--vary", "activation=choice:relu,tanh")
    options = (*options, "--halving", "--keep", "0.5", "--objective", "best_dev_cost", "--seed", "5")
    status, text, _ = pandatui_("batch", *options, "--print-spec")
    assert status == 0
    assert list(folder.parent.glob("*")) == []
    (tmp_path / "mine.toml").write_text(text)
    by_options = json.loads(pandatui_("batch", *options, "--workers", "1", "--json")[1])
    by_file = json.loads(pandatui_("batch", "mine.toml", "--workers", "1", "--json")[1])
    assert by_file == by_options
    assert list(by_options["rounds"][0]["box"]) == ["learning_rate", "activation"]
    (tmp_path / "mine.json").write_text(json.dumps(from_toml(text.encode()).to_plain()))
    assert json.loads(pandatui_("batch", "./mine.json", "--workers", "1", "--json")[1]) == by_options


def test_options_lie_over_a_spec(pandatui_, folder, tmp_path):
    spec = Spec(run=RunOptions(data="xor", hidden=(4,), epochs=9), trials=30, space="wide")
    (tmp_path / "mine.json").write_text(json.dumps(spec.to_plain()))
    asked = ("batch", "mine.json", "--trials", "3", "--epochs", "2", "--vary", "l2=log:0.1:1", "--print-spec")
    status, text, _ = pandatui_(*asked)
    assert status == 0
    found = from_toml(text.encode())
    assert (found.trials, found.run.epochs, found.run.hidden, found.rounds) == (3, 2, (4,), 3)
    assert found.space["l2"].ends == (0.1, 1.0)
    assert {"units", "layers", "learning_rate"} < set(found.space.knobs)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("nothing",), "'nothing': no such spec, session or study"),
        (("nothing.toml",), "'nothing.toml': no such spec, session or study"),
        (("--trials", "2"), "trials 2: expected at least one a round"),
        (("--vary", "x"), "vary 'x': expected KNOB=SCALE:LOW:HIGH"),
        (("--vary", "second_moment=log1m:0.9:0.99"), "second_moment: not used by momentum"),
        (("--vary", "batch_size=int:1:9"), "expected at least 2 with batch norm"),
        (("--keep", "0"), "keep 0.0: expected a part above 0"),
        (("--data", "nothing.csv"), "nothing.csv"),
        (("--workers", "0"), "--workers"),
        (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "either --workers or --scheduler"),
        (("--scheduler", "nonsense"), "pandatui"),
        (("--name", "../x"), "name '../x'"),
        (("--retest", "nobody"), "no session 'nobody'"),
        (("--retest", "nobody", "--trials", "3"), "--data and --epochs alone with --retest, found --trials"),
        (("--retest", "nobody", "--print-spec"), "either --retest or --print-spec"),
    ],
)
def test_bad_usage_is_one_line_and_leaves_nothing(args, says, pandatui_, folder):
    status, out, err = (
        pandatui_("batch", *SMALL[:6], *args) if "--retest" not in args else pandatui_("batch", *args)
    )
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not folder.exists() or list(folder.iterdir()) == []


# -- sessions ------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(folder):
    """Saves a session of xor with this queue and these nudges before step 9."""

    def keep(name="brave-otter", queue=(), nudges=(), **settings):
        pin_blas()
        options = RunOptions(**({"data": "xor", "hidden": (4,), "epochs": 4} | settings))
        config, dataset = prepare_run(options)
        run = Run(config, dataset)
        while run.ready:
            if run.steps == 8:
                for nudge in nudges:
                    run.apply(nudge)
            run.step()
        session = record(run, Identity.new(name), 1.0, run.evaluate())
        session.queue = list(queue)
        Store(folder).prepare()
        Store(folder).write(name, encode(session))
        return Store(folder).path(name)

    return keep


def queued(**settings):
    run = RunOptions(data="xor", hidden=(4,), epochs=2)
    spec = Spec(**({"run": run, "trials": 4, "rounds": 2} | settings))
    return {"spec": spec.to_plain(), "queued_at": "2026-01-02T03:04:05+00:00", "step": 7, "study": None}


def test_queued_batches_are_run_once_each(pandatui_, kept):
    path = kept(queue=[queued(), queued(seed=2)])
    status, out, err = pandatui_("batch", "brave-otter", "--workers", "1", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["session"] == str(path)
    assert [len(study["trials"]) for study in found["studies"]] == [4, 4]
    assert "batch 2 of 2 queued in brave-otter" in err
    session, whole = read_session(path)
    assert whole
    names = [entry["study"] for entry in session.queue]
    assert [study["study"] for study in found["studies"]] == [
        str(path.parent / f"{n}.study.json") for n in names
    ]
    assert [entry["step"] for entry in session.queue] == [7, 7]
    before = path.read_bytes()
    assert json.loads(pandatui_("batch", path, "--json")[1]) == {"session": str(path), "studies": []}
    assert "no batches are queued" in pandatui_("batch", "brave-otter")[2]
    assert path.read_bytes() == before
    assert pandatui_("replay", "brave-otter", "--verify")[0] == 0


def test_a_queued_batch_that_was_broken_off_goes_on(pandatui_, kept, folder):
    kept(queue=[queued()])
    whole = json.loads(pandatui_("batch", "brave-otter", "--workers", "1", "--json")[1])["studies"][0]
    path = study_in(folder)
    found, _ = read(path)
    found.status, found.rounds, found.trials = "stopped", found.rounds[:1], found.trials[:2]
    path.write_bytes(encode_study(found))
    again = json.loads(pandatui_("batch", "brave-otter", "--workers", "1", "--json")[1])["studies"]
    assert again == [whole]


def test_a_session_in_use_is_left_alone(pandatui_, kept):
    path = kept(queue=[queued()])
    session, _ = read_session(path)
    journal = Journal.create(path.with_suffix(".journal"), session.id)
    try:
        status, out, err = pandatui_("batch", "brave-otter")
    finally:
        journal.close(remove=True)
    assert (status, out) == (2, "")
    assert f"is being trained by process {os.getpid()} since " in err


def test_a_queue_that_no_batch_can_be_made_of_is_refused(pandatui_, kept, folder):
    kept(queue=[queued(), {"spec": {"trials": -1}}])
    status, _, err = pandatui_("batch", "brave-otter")
    assert status == 2
    assert "batch 2 of the queue: trials -1" in err
    assert list(folder.glob("*.study.json")) == []


def test_a_session_from_elsewhere_and_other_settings_are_refused(pandatui_, kept, folder, tmp_path):
    path = kept(queue=[queued()])
    elsewhere = tmp_path / "brave-otter.json"
    elsewhere.write_bytes(path.read_bytes())
    status, _, err = pandatui_("batch", elsewhere)
    assert status == 2
    assert f"expected a session of {folder}" in err
    assert "expected no --trials with a session" in pandatui_("batch", "brave-otter", "--trials", "3")[2]
    assert "expected a spec or options" in pandatui_("batch", "brave-otter", "--print-spec")[2]


def test_a_retest_says_whether_settings_still_stand(pandatui_, kept):
    kept(nudges=[Nudge("learning_rate", to=1e-4)], data="digits", epochs=2)
    asked = ("batch", "--retest", "brave-otter", "--workers", "1")
    status, out, _ = pandatui_(*asked)
    assert status == 0
    verdicts = out.splitlines()[-5:]
    assert verdicts[0].startswith("learning rate 0.0001 is stale: the best neighbour (0.000316) is ")
    assert verdicts[0].endswith(" better")
    assert [line.split()[0] for line in verdicts] == ["learning", "momentum", "batch", "decay", "L2"]
    assert "box of a next round" not in out
    found = json.loads(pandatui_(*asked, "--json")[1])
    assert found["importance"] == {}
    stale = found["retest"][0]
    assert (stale["knob"], stale["verdict"], stale["pairs"]) == ("learning_rate", "stale", 5)
    by_seed = {(t["knobs"]["learning_rate"], t["seed"]): t["dev_cost"] for t in found["trials"][:15]}
    pairs = [by_seed[0.000316227766017, seed] - by_seed[1e-4, seed] for seed in range(1, 6)]
    assert stale["difference"] == pytest.approx(statistics.mean(pairs))
    assert stale["error"] == pytest.approx(statistics.stdev(pairs) / 5**0.5)


def test_a_retest_on_other_data_is_refused(pandatui_, kept, tmp_path):
    rows = "\n".join(f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60))
    (tmp_path / "mine.csv").write_text(f"x,y,label\n{rows}\n")
    path = kept(data=str(tmp_path / "mine.csv"), hidden=(3,))
    (tmp_path / "mine.csv").write_text(f"x,y,label\n{rows}\n1,1,a\n")
    status, out, err = pandatui_("batch", "--retest", "brave-otter")
    assert (status, out) == (5, "")
    assert "holds other data" in err
    (tmp_path / "mine.csv").write_text(f"x,y,label\n{rows}\n")
    elsewhere = tmp_path / "else.json"
    elsewhere.write_bytes(path.read_bytes())
    status, _, err = pandatui_("batch", "--retest", elsewhere)
    assert status == 5
    assert "not opened for a file from elsewhere" in err
    asked = ("--data", tmp_path / "mine.csv", "--epochs", "1", "--workers", "1")
    assert pandatui_("batch", "--retest", elsewhere, *asked)[0] == 0


def test_an_adopted_trial_verifies(pandatui_, folder):
    name = "mine"
    assert pandatui_("batch", *SMALL, "--name", name)[0] == 0
    study = restored(read(folder / "mine.study.json")[0])
    dataset = prepare(study.spec).dataset
    adopted = adopt(Store(folder), name, study.best, dataset, name="winner")
    adopted.recorder.start()
    adopted.recorder.close()
    status, out, _ = pandatui_("replay", "winner", "--verify")
    assert status == 0, out
    assert "identical" in out
    assert f"mine trial {study.best.number}" in pandatui_("sessions")[1]


def test_studies_are_listed_behind_the_sessions_and_shown(pandatui_, kept, folder):
    kept()
    assert pandatui_("batch", *SMALL, "--name", "mine")[0] == 0
    (folder / "bad.study.json").write_text('{"format": "pandatui-study\x1b[31m"}')
    status, out, _ = pandatui_("sessions")
    assert status == 0
    assert clean(out)
    sessions, studies = out.split("\n\n")
    assert "brave-otter" in sessions
    assert "mine" not in sessions
    mine = next(line for line in studies.splitlines() if line.startswith("mine"))
    assert "finished" in mine
    assert "3 of 3  9 of 9" in mine
    assert "unreadable: 'bad.study.json'" in studies
    listed = {each["name"]: each for each in json.loads(pandatui_("sessions", "--json")[1])}
    assert (listed["mine"]["trials"], listed["mine"]["rounds"]) == (9, 3)
    assert pandatui_("show", "mine")[1].startswith("mine: finished, 9 of 9 trials")
    assert pandatui_("show", folder / "mine.study.json")[0] == 0
    assert pandatui_("show", "bad")[0] == 2
    shown = json.loads(pandatui_("show", "mine", "--json")[1])
    assert shown["best"]["number"] == listed["mine"]["best_trial"]


# -- as a process --------------------------------------------------------------------------------------------


LENGTHY = (
    "--data",
    "digits",
    "--hidden",
    "16",
    "--epochs",
    "120",
    "--trials",
    "24",
    "--rounds",
    "2",
    "--halving",
)


def start(folder, *more, program=("-m", "pandatui"), **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    command = [sys.executable, *program, "batch", *LENGTHY, "--json", "--name", "mine"]
    return subprocess.Popen([*command, "--sessions", str(folder), *more], text=True, **(pipes | options))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The study that nobody disturbed: its answer."""
    process = start(tmp_path_factory.mktemp("whole"), "--workers", "1")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    return results(json.loads(out))


# the program holds at the first thing that halving decides, as ctrl-z would hold it: most trials are to come
HELD = """
import os, signal
from pandatui.search.keeper import Keeper
decided = Keeper.decided
def hold(*what):
    Keeper.decided = decided
    decided(*what)
    os.kill(os.getpid(), signal.SIGSTOP)
Keeper.decided = hold
from pandatui.__main__ import main
main()
"""


@contextlib.contextmanager
def held(folder, *more):
    """A study that is held half way through, until it gets SIGCONT."""
    process = start(folder, *more, program=("-c", HELD))
    try:
        journal = folder / "mine.study.journal"
        until(lambda: journal.exists() and b'"kind":"rung"' in journal.read_bytes())
        until(lambda: os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)[0])
        yield process
    finally:
        process.kill()
        process.communicate()


def until(true):
    """Wait for another process, a few milliseconds at a time."""
    end = time.monotonic() + LONG
    tick = threading.Event()
    while not true():
        assert time.monotonic() < end
        tick.wait(0.005)


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGINT, "2"), (signal.SIGTERM, "1"), (signal.SIGHUP, "1")]
)
def test_a_signal_keeps_what_has_ended_and_the_same_command_goes_on(number, workers, tmp_path, undisturbed):
    with held(tmp_path, "--workers", workers, "--every", "0.05") as process:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert "to go on: pandatui batch mine" in err
    assert "/min" in err
    stopped = json.loads(out)
    assert stopped["status"] == "stopped"
    ended = {t["number"]: t for t in stopped["trials"] if t["status"] != "waiting"}
    assert len(ended) >= 6
    stored = look(tmp_path / "mine.study.json")
    assert (stored.status, stored.warning) == ("stopped", "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.study.json"]
    process = start(tmp_path, "--workers", "1")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    assert results(json.loads(out)) == undisturbed


def test_a_second_interrupt_leaves_at_once_and_breaks_nothing(tmp_path, undisturbed):
    with held(tmp_path, "--workers", "2") as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LONG)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    stored = look(tmp_path / "mine.study.json")
    assert stored.status in ("crashed", "stopped")
    assert stored.warning == ""
    process = start(tmp_path, "--workers", "1")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    assert results(json.loads(out)) == undisturbed


def test_a_second_process_is_told_who_races_it(tmp_path):
    with held(tmp_path, "--workers", "1") as process:
        other = start(tmp_path, "--workers", "1")
        out, err = other.communicate(timeout=LONG)
        assert (other.returncode, out) == (2, "")
        *loading, said = err.splitlines()
        assert f"by process {process.pid} since 20" in said
        assert all(line.endswith("%") for line in loading)  # where that takes long


def test_on_a_terminal_a_bar_and_still_only_json_on_stdout(tmp_path):
    import pty

    ours, theirs = pty.openpty()
    process = start(tmp_path, "--workers", "1", "--trials", "60", stderr=theirs)
    wanted = ("━", "round 1/2 · ", "best dev ", " to go")
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
        if all(words.encode() in shown for words in wanted) and not asked:
            process.terminate()
            asked = True
    out, _ = process.communicate(timeout=LONG)
    os.close(ours)
    assert process.returncode in (0, 128 + signal.SIGTERM)
    assert list(json.loads(out)) == FIELDS
    text = shown.decode()
    assert all(words in text for words in wanted)
    drawn = [line for line in text.split("\r") if "━" in line]
    assert max(len(line.removeprefix("\x1b[2K")) for line in drawn) < 80


KILLS = 3


def test_killed_at_random_and_again_it_ends_with_the_same_table(tmp_path, undisturbed):
    chance = random.Random(7)
    for number in range(KILLS):
        process = start(tmp_path, "--workers", str(1 + number % 2))
        tick = threading.Event()
        try:
            until((tmp_path / "mine.study.json").exists)
            tick.wait(chance.uniform(0.2, 1.2))
        finally:
            process.kill()
            process.communicate(timeout=LONG)
        stored = look(tmp_path / "mine.study.json")
        assert stored.warning == ""
    process = start(tmp_path, "--workers", "1")
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == 0, err
    assert results(json.loads(out)) == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["mine.study.json"]
