"""The commands on recorded sessions, from outside: what they print, save and end with."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from pandatui import cli
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import Parent, encode
from pandatui.sessions.store import Store
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
    assert "went back to step 25" in out


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
