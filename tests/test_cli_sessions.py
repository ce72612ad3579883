"""The commands on recorded sessions, from outside: what they print, save and end with."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from pandatui import cli
from pandatui.sessions.checkpoints import Checkpoints, kept_by
from pandatui.sessions.journal import Journal
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.replay import rerun
from pandatui.sessions.schema import Parent, encode, integrity_of
from pandatui.sessions.store import Store, read
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.events import Note, Nudge, Undo
from pandatui.training.setup import RunOptions, prepare

SMALL = ("--data", "xor", "--hidden", "4", "--epochs", "2")


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


@pytest.fixture
def kept(folder):
    """Saves a session of 6 epochs on xor with three nudges, the second undone; `edit` changes the record."""

    def keep(name="brave-otter", edit=lambda session: None, **settings):
        pin_blas()
        options = RunOptions(**({"data": "xor", "hidden": (4,), "epochs": 6} | settings))
        config, dataset = prepare(options)
        run = Run(config, dataset)
        for _ in range(15):
            run.step()
        run.apply(Nudge("learning_rate", notches=5), 1.0)
        for _ in range(10):
            run.step()
        run.apply(Nudge("momentum", to=0.5), 2.0)
        for _ in range(10):
            run.step()
        run.apply(Undo(), 3.0)
        run.step()
        run.apply(Note("looks \x1b[31mgood"), 4.0)
        run.apply(Nudge("momentum", to=0.95), 5.0)
        while run.ready:
            run.step()
        session = record(run, Identity.new(name), 7.5, run.evaluate())
        edit(session)
        Store(folder).prepare()
        Store(folder).write(name, encode(session))
        return session

    return keep


def clean(text):
    """Whether a terminal would act on nothing in it."""
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


# -- sessions ------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_said_on_stderr(pandatui_, folder):
    assert pandatui_("sessions") == (0, "", f"no sessions in {folder} yet\n")
    assert pandatui_("sessions", "--json")[:2] == (0, "[]\n")


def test_the_list_has_a_line_for_each_and_says_why_one_cannot_be_read(pandatui_, kept, folder):
    kept()
    kept("calm-panda", edit=lambda s: setattr(s, "parent", Parent(id="x", name="brave-otter", step=26)))
    (folder / "torn.json").write_bytes(b'{"format": "pandatui-session"')
    status, out, _ = pandatui_("sessions")
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split() == [
        *("name", "when", "data", "network", "status", "steps"),
        *("best", "dev", "right", "nudges", "parent"),
    ]
    assert lines[1].startswith("calm-panda")
    assert lines[1].endswith("brave-otter@26")
    assert "4 BN momentum" in lines[2]
    assert " finished " in lines[2]
    assert lines[2].split()[-1] == "2"  # the undone nudge does not count
    assert lines[3].startswith("unreadable: 'torn.json': ")
    status, out, _ = pandatui_("sessions", "--json")
    found = {each["name"]: each for each in json.loads(out)}
    assert found["calm-panda"]["parent"] == {"id": "x", "name": "brave-otter", "step": 26}
    assert found["brave-otter"]["nudges"] == 2
    assert "problem" in found["torn"]


def test_an_edited_session_is_marked(pandatui_, kept, folder):
    kept()
    path = folder / "brave-otter.json"
    path.write_text(path.read_text().replace('"seconds": 7.5', '"seconds": 8.5'))
    assert " finished (edited) " in pandatui_("sessions")[1]
    assert "not as it was written" in pandatui_("show")[1]


# -- show ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [(), ("brave-otter",), ("kept/brave-otter.json",)])
def test_show_numbers_the_nudges_and_marks_those_undone(pandatui_, kept, which):
    kept()
    status, out, _ = pandatui_("show", *which)
    assert status == 0
    nudges = [line for line in out.splitlines() if line.startswith("nudge")]
    assert nudges == [
        "nudge 1      learning rate 0.1 → 0.316 at step 16",
        "nudge 2      momentum 0.900 → 0.500 at step 26 [undone]",
        "nudge 3      momentum 0.900 → 0.950 at step 27",
    ]
    assert clean(out)
    assert "undo before step 36: back to step 25" in out


def test_show_as_json(pandatui_, kept):
    session = kept()
    status, out, _ = pandatui_("show", "--json")
    found = json.loads(out)
    assert status == 0
    assert [(n["nudge"], n["undone"]) for n in found["nudges"]] == [(1, False), (2, True), (3, False)]
    assert found["steps"] == session.steps
    assert found["result"]["weights_sha256"] == session.result.weights_sha256
    assert not found["edited"]


@pytest.mark.parametrize("command", ["show"])
def test_a_session_that_is_not_there(pandatui_, folder, command):
    for which in ("nobody", "no/where.json", "../x", ""):
        status, out, err = pandatui_(command, which)
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_one_that_nobody_trains_any_more_has_crashed(pandatui_, kept):
    kept(edit=lambda s: setattr(s, "status", "running"))
    assert json.loads(pandatui_("sessions", "--json")[1])[0]["status"] == "crashed"
    assert json.loads(pandatui_("show", "--json")[1])["status"] == "crashed"
    assert " crashed " in pandatui_("sessions")[1]
    assert pandatui_("show")[1].startswith("brave-otter: crashed after 6 epochs")


def test_hostile_names_do_nothing_to_a_terminal(pandatui_, kept):
    def edit(session):
        session.name = "a\x1b]0;x\x07b"
        session.data.name = "c\x9b31m"
        session.parent = Parent(id="\x1b", name="\x1b[2J", step=1)
        session.environment["kernel"] = "\x1bc"

    kept(edit=edit)
    for command in (("sessions",), ("show",)):
        status, out, err = pandatui_(*command)
        assert status == 0
        assert clean(out + err)


# -- replay --------------------------------------------------------------------------------------------------


def edited(folder, change, *, sealed=False, name="brave-otter"):
    """Change the JSON of a session; `sealed` sets its integrity right."""
    path = folder / f"{name}.json"
    plain = json.loads(path.read_text())
    change(plain)
    if sealed:
        plain["integrity"] = integrity_of(plain)
    path.write_text(json.dumps(plain))


def test_verify_says_identical(pandatui_, kept):
    session = kept()
    status, out, err = pandatui_("replay", "--verify")
    assert (status, err) == (0, "")
    assert out == (
        f"brave-otter: identical: all {session.steps} train costs and the final weights are those on record\n"
    )
    status, out, _ = pandatui_("replay", "brave-otter", "--verify", "--json")
    found = json.loads(out)
    assert status == found["exit"] == 0
    assert found["identical"]
    assert found["first_step"] is found["try_next"] is None


def test_verify_of_an_edited_session_is_5_unless_that_is_accepted(pandatui_, kept, folder):
    kept()
    edited(folder, lambda p: p["events"][0].update(to=0.4))
    status, out, err = pandatui_("replay", "--verify")
    assert (status, out, err.count("\n")) == (5, "", 1)
    assert "--accept-edited" in err
    status, out, _ = pandatui_("replay", "--verify", "--json")
    assert status == 5
    assert "not as it was written" in json.loads(out)["problem"]
    assert pandatui_("replay", "--verify", "--accept-edited")[0] == 4


def test_verify_of_a_forged_nudge_is_4_and_names_the_first_step(pandatui_, kept, folder):
    kept()
    edited(folder, lambda p: p["events"][0].update(to=0.4), sealed=True)
    status, out, _ = pandatui_("replay", "--verify")
    assert status == 4
    assert "first step    17: " in out
    assert "first block   steps 1 … 78" in out
    assert "ulps of float32 apart" in out
    assert "environment   the same as on record" in out
    assert "try next      pandatui replay brave-otter --verify" in out
    status, out, _ = pandatui_("replay", "--verify", "--json")
    first = json.loads(out)["first_step"]
    assert float.fromhex(first["here_hex"]) == first["here"] != first["recorded"]


def test_verify_in_another_environment_is_3(pandatui_, kept, folder):
    kept()
    edited(
        folder,
        lambda p: p["events"][0].update(to=0.4) or p["environment"].update(kernel="Nehalem"),
        sealed=True,
    )
    status, out, _ = pandatui_("replay", "--verify")
    assert status == 3
    assert "kernel: Nehalem on record" in out
    assert "OPENBLAS_CORETYPE=Nehalem pandatui replay brave-otter --verify" in out
    assert "fail" not in out.lower()


def test_what_a_file_says_of_its_environment_gets_into_no_command(pandatui_, kept, folder):
    kept()
    edited(
        folder,
        lambda p: p["events"][0].update(to=0.4) or p["environment"].update(kernel="x; rm -rf ~ \x1b[2J"),
        sealed=True,
    )
    status, out, _ = pandatui_("replay", "--verify")
    assert status == 3
    assert "rm -rf" not in next(line for line in out.splitlines() if line.startswith("try next"))
    assert clean(out)


def test_verify_with_other_data_is_5(pandatui_, kept, folder, tmp_path):
    kept()
    table = tmp_path / "other.csv"
    table.write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    status, _, err = pandatui_("replay", "--verify", "--data", table)
    assert status == 5
    assert "other data" in err


@pytest.mark.parametrize(
    "asked",
    [
        ("replay", "--verify"),
        ("replay", "--until", "2"),
        ("resume", "--headless"),
        ("export", "--format", "npz"),
    ],
)
def test_a_data_file_that_is_not_there_is_bad_usage(pandatui_, kept, asked):
    kept()
    status, out, err = pandatui_(*asked, "--data", "nowhere.csv")
    assert (status, out) == (2, "")
    assert err == "pandatui: --data 'nowhere.csv': expected a file or a folder, found none there\n"
    assert pandatui_(*asked, "--data", "xor")[0] == 0


def test_a_path_on_record_is_followed_for_our_own_sessions_alone(pandatui_, kept, folder, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("a,b,c\n" + "".join(f"{i * 37 % 11},{i},{i % 2}\n" for i in range(60)))
    kept(data=str(table), batch_size=16)
    assert pandatui_("replay", "--verify")[0] == 0
    elsewhere = tmp_path / "mail"
    elsewhere.mkdir()
    (folder / "brave-otter.json").rename(elsewhere / "x.json")
    status, _, err = pandatui_("replay", elsewhere / "x.json", "--verify")
    assert status == 5
    assert "--data FILE" in err
    assert pandatui_("replay", elsewhere / "x.json", "--verify", "--data", table)[0] == 0
    (elsewhere / "x.json").rename(folder / "brave-otter.json")
    table.unlink()
    status, _, err = pandatui_("replay", "--verify")
    assert status == 5
    assert "not there any more; give it with --data FILE" in err


def test_a_damaged_session_is_5_and_none_at_all_2(pandatui_, kept, folder):
    kept()
    path = folder / "brave-otter.json"
    path.write_bytes(path.read_bytes()[:-50])
    assert pandatui_("replay", "--verify")[0] == 5
    assert pandatui_("replay", "nobody", "--verify")[0] == 2


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--verify", "--without", "1"),
        ("--verify", "--until", "5"),
        ("--without", "2"),  # undone
        ("--without", "9"),
        ("--without", "one"),
        ("--until", "0"),
        ("--until", "79"),
    ],
)
def test_bad_usage_of_replay_is_one_line(pandatui_, kept, folder, args):
    kept()
    status, out, err = pandatui_("replay", "brave-otter", *args)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert len(list(folder.iterdir())) == 1


def test_a_ghost_is_saved_as_a_branch_and_says_what_the_nudge_was_worth(pandatui_, kept, folder):
    session = kept()
    status, out, err = pandatui_("replay", "--without", "3")
    assert status == 0
    assert out.startswith("nudge 3 (momentum 0.9 → 0.95 at step 27) ")
    assert " dev cost by 0.0" in out.splitlines()[0]
    assert out.splitlines()[0].endswith("at epoch 6")
    assert err == f"saved as {folder / 'brave-otter-without-3.json'}\n"
    branch, whole = read(folder / "brave-otter-without-3.json")
    assert whole
    assert branch.id != session.id
    assert branch.parent == Parent(id=session.id, name="brave-otter", step=26)
    assert pandatui_("replay", "brave-otter-without-3", "--verify")[0] == 0
    assert pandatui_("replay", "brave-otter", "--without", "3")[0] == 0  # and again, beside it
    assert (folder / "brave-otter-without-3-2.json").exists()


def test_a_ghost_of_all_as_json(pandatui_, kept, trained_plainly):
    kept()
    status, out, _ = pandatui_("replay", "--without", "all", "--until", "40", "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["steps"], found["without"], found["worth"]["epoch"]) == (40, [1, 3], 3)
    assert found["costs_sha256"] == trained_plainly(40)


@pytest.fixture
def trained_plainly():
    def train(steps):
        run = Run(*prepare(RunOptions(data="xor", hidden=(4,), epochs=6)))
        for _ in range(steps):
            run.step()
        return run.history.costs_sha256()

    return train


# -- export, predict, train --nudges -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "json", "svg", "txt", "nudges"])
def test_every_form_needs_no_data_and_goes_to_stdout_or_a_file(pandatui_, kept, tmp_path, form):
    kept(edit=lambda s: s.config.update(data="gone.csv"))
    status, out, err = pandatui_("export", "--format", form)
    assert (status, err) == (0, "")
    assert out
    assert pandatui_("export", "brave-otter", "--format", form, "-o", "out") == (0, "", "")
    assert (tmp_path / "out").read_text() == out
    assert "\x1b" not in out or form == "json"


def test_a_device_is_written_to_and_not_replaced(pandatui_, kept, tmp_path):
    kept()
    (tmp_path / "link").symlink_to("/dev/null")
    assert pandatui_("export", "--format", "csv", "-o", "link")[0] == 0
    assert (tmp_path / "link").is_symlink()
    assert pandatui_("export", "--format", "csv", "-o", tmp_path)[0] == 2


def test_of_a_crashed_session_what_only_its_journal_has_is_handed_on_too(pandatui_, kept, folder):
    session = kept(edit=lambda s: setattr(s, "status", "running"))
    path = folder / "brave-otter.json"
    journal = Journal.create(journal_path(path), session.id)
    journal.append([{"kind": "costs", "from": session.steps, "costs": [0.125], "seconds": 9.0}], sync=True)
    journal.append([{"kind": "events", "events": [], "steps": session.steps + 1}], sync=True)
    journal.close(remove=False)
    rows = pandatui_("export", "--format", "csv")[1].splitlines()
    assert rows[-1].startswith(f"{session.steps + 1},0.125,")
    assert json.loads(pandatui_("export", "--format", "json")[1])["steps"] == session.steps + 1


def test_export_as_json_has_the_curves(pandatui_, kept):
    session = kept()
    found = json.loads(pandatui_("export", "--format", "json")[1])
    assert found["curves"]["train"]["first"] == session.curves.train.first


def test_the_network_at_best_last_and_a_step(pandatui_, kept, tmp_path):
    session = kept()
    for at, step in (("last", session.steps), ("5", 5), ("best", 13 * session.result.best_epoch)):
        assert pandatui_("export", "--format", "npz", "--at", at, "-o", "net.npz") == (0, "", "")
        with np.load(tmp_path / "net.npz", allow_pickle=False) as net:
            assert int(net["step"]) == step
    assert pandatui_("export", "--format", "npz", "--at", "79", "-o", "x")[0] == 2
    assert pandatui_("export", "--format", "csv", "--at", "best")[0] == 2
    assert pandatui_("export")[0] == 2


@pytest.fixture
def with_checkpoints(kept, folder):
    """Saves a session with checkpoints of its own."""

    def keep(**settings):
        session = kept(**settings)
        run = rerun(session, prepare(RunOptions(**({"data": "xor"} | settings)))[1])
        Checkpoints(folder / "brave-otter.checkpoints").keep(kept_by(run))
        return session

    return keep


@pytest.fixture
def steps_trained(monkeypatch):
    trained = []
    step = Run.train_step
    monkeypatch.setattr(Run, "train_step", lambda self: trained.append(1) or step(self))
    return trained


def test_the_network_comes_from_the_nearest_checkpoint_with_the_same_bytes(
    pandatui_, with_checkpoints, folder, tmp_path, steps_trained
):
    with_checkpoints()
    found = {}
    for name, least in (("near", 0), ("seed", 1)):
        for at in ("last", "5", "best", "40", "64"):
            steps_trained.clear()
            assert pandatui_("export", "--format", "npz", "--at", at, "-o", "net.npz") == (0, "", "")
            found[name, at] = (tmp_path / "net.npz").read_bytes()
            assert (len(steps_trained) < 32) == (name == "near" or at == "5")
        np.savez(tmp_path / "rows.npz", X=np.ones((2, 2)))
        steps_trained.clear()
        found[name, "rows"] = pandatui_("predict", "brave-otter", "rows.npz")
        assert bool(steps_trained) == bool(least)
        shutil.rmtree(folder / "brave-otter.checkpoints", ignore_errors=True)
    for what in ("last", "5", "best", "40", "64", "rows"):
        assert found["near", what] == found["seed", what]


def test_a_checkpoint_with_other_weights_is_not_handed_on(pandatui_, with_checkpoints, folder, tmp_path):
    session = with_checkpoints()
    dataset = prepare(RunOptions(data="xor"))[1]
    run = rerun(session, dataset)
    run.network.parameters += 1
    shutil.rmtree(folder / "brave-otter.checkpoints")
    Checkpoints(folder / "brave-otter.checkpoints").keep(kept_by(run))
    assert pandatui_("export", "--format", "npz", "-o", "net.npz") == (0, "", "")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as net:
        assert net["W1"].tolist() == rerun(session, dataset).network.views["W1"][0].tolist()


@pytest.mark.parametrize("command", [("export", "--format", "npz", "-o", "x.npz"), ("predict",)])
def test_of_an_edited_session_nothing_is_handed_on_unless_that_is_accepted(
    pandatui_, with_checkpoints, folder, tmp_path, steps_trained, command
):
    with_checkpoints()
    steps_trained.clear()
    edited(folder, lambda p: p["events"][0].update(to=0.4))
    np.savez(tmp_path / "rows.npz", X=np.ones((2, 2)))
    args = (*command, "brave-otter", "rows.npz") if command == ("predict",) else command
    status, out, err = pandatui_(*args)
    assert (status, out, err.count("\n")) == (5, "", 1)
    assert "--accept-edited" in err
    assert not steps_trained
    assert not (tmp_path / "x.npz").exists()
    status, _, err = pandatui_(*args, "--accept-edited")
    assert status == 0
    assert "not bit for bit" in err
    assert len(steps_trained) >= 78  # from the seed: its checkpoints are of what it was
    assert pandatui_("export", "--format", "csv", "--accept-edited")[0] == 2
    (folder / "brave-otter.json").write_text("{}")
    assert pandatui_(*args)[0] == 5


def test_predictions_are_those_of_the_dev_evaluation(pandatui_, kept, tmp_path):
    session = kept(data="digits", hidden=(8,), epochs=2)
    _, dataset = prepare(RunOptions(data="digits"))
    raw = dataset.dev.inputs * dataset.standardisation.scale + dataset.standardisation.mean
    np.savez(tmp_path / "dev.npz", X=raw.astype(np.float64).round().reshape(len(raw), 8, 8))
    status, out, err = pandatui_("predict", "brave-otter", "dev.npz")
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["row", "label", *(f"p({i})" for i in range(10))]
    labels = [dataset.classes[i] for i in dataset.dev.labels]
    right = np.mean([row["label"] == label for row, label in zip(rows, labels, strict=True)])
    assert right == session.result.dev_accuracy
    costs = [-np.log(float(row[f"p({label})"])) for row, label in zip(rows, labels, strict=True)]
    assert np.isclose(np.mean(costs), session.result.dev_cost, rtol=1e-5)


def test_predict_says_what_is_wrong(pandatui_, kept, tmp_path):
    kept()
    (tmp_path / "rows.csv").write_text("1,2,3,4,5,6\n")
    for args in (("brave-otter", "rows.csv"), ("brave-otter", "nowhere.csv"), ("nobody", "rows.csv")):
        status, out, err = pandatui_("predict", *args)
        assert (status, out, err.count("\n")) == (2, "", 1)
    kept("moved", edit=lambda s: s.config.update(data="gone.csv"))
    status, _, err = pandatui_("predict", "moved", "rows.csv")
    assert status == 5
    assert "--data FILE" in err


def test_nudges_serve_another_run(pandatui_, kept, tmp_path):
    session = kept()
    assert pandatui_("export", "--format", "nudges", "-o", "n.txt")[0] == 0
    options = ("--data", "xor", "--hidden", "4", "--epochs", "6", "--json")
    status, out, _ = pandatui_("train", *options, "--nudges", "n.txt")
    assert status == 0
    assert json.loads(out)["costs_sha256"] == session.result.costs_sha256
    (tmp_path / "n.txt").write_text("5:nothing=1\n")
    status, _, err = pandatui_("train", *options, "--nudges", "n.txt")
    assert (status, err.count("\n")) == (2, 1)
    assert "line 1" in err
    assert pandatui_("train", *options, "--nudges", "nowhere.txt")[0] == 2


# -- doctor, completion --------------------------------------------------------------------------------------


def test_doctor_names_what_training_runs_on(pandatui_, folder):
    status, out, err = pandatui_("doctor")
    found = dict(line.split(maxsplit=1) for line in out.partition("\n\n")[0].splitlines())
    assert (status, err) == (0, "")
    assert found["threads"] == "1"
    assert found["sessions"] == str(folder)
    assert {"pandatui", "python", "numpy", "blas", "kernel", "simd"} <= set(found)


def test_doctor_says_which_other_kernels_there_are_and_each_of_them_works():
    def told(**more):
        command = [sys.executable, "-m", "pandatui", "doctor"]
        return subprocess.run(
            command, env=os.environ | more, capture_output=True, text=True, check=True
        ).stdout

    others = [line.split(maxsplit=1)[1] for line in told().splitlines() if line.startswith("others")]
    if not others:
        pytest.skip("not OpenBLAS on x86-64")
    for kernel in others[0].split(", "):
        assert f"kernel    {kernel}\n" in told(OPENBLAS_CORETYPE=kernel)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(pandatui_, shell):
    status, out, _ = pandatui_("completion", shell)
    assert status == 0
    assert "_PANDATUI_COMPLETE" in out
    assert pandatui_("completion", "tcsh")[0] == 2


@pytest.mark.parametrize(
    ("words", "offered"),
    [("pandatui sh", "show"), ("pandatui export --form", "--format"), ("pandatui export --format n", "npz")],
)
def test_completion_offers_commands_options_and_choices(pandatui_, monkeypatch, words, offered):
    monkeypatch.setenv("_PANDATUI_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert f"plain,{offered}" in pandatui_()[1].splitlines()
