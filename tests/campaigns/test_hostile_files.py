"""Files from strangers: one kind of error in one line, soon and in little memory; nothing else is opened.

`PANDATUI_FUZZ` says how many mutations of each kind of file there are, `PANDATUI_FUZZ_SECONDS` how long each
kind is attacked by mutations that are guided by what they reach.
"""

# ruff: noqa: E501 (tables read best with one case a line)

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pandatui
from pandatui.search.spec import SpecError
from pandatui.search.spec_files import load as load_spec
from pandatui.sessions import SessionError, Store
from pandatui.sessions.store import NameRefused

FUZZ = int(os.environ.get("PANDATUI_FUZZ", "25"))
SECONDS = float(os.environ.get("PANDATUI_FUZZ_SECONDS", "0"))
SEED = os.environ["PANDATUI_SEED"]
MOST_MB = 500
MOST_SECONDS = 2.0

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(120 + FUZZ + 2 * SECONDS)]


# one process for all kinds, or, when there is time, one for each
KINDS = [
    *("session", "journal", "sealed journal", "study", "checkpoint", "JSON spec", "TOML spec", "schedule"),
    *("CSV", "NPZ", "IDX", "config.toml"),
]


@pytest.mark.parametrize(
    "chosen", [[kind] for kind in KINDS] if SECONDS else [[]], ids=lambda kinds: "".join(kinds) or "all"
)
def test_mutations_and_bombs_of_every_kind_of_file(tmp_path: Path, chosen: list[str]) -> None:
    print(f"PANDATUI_FUZZ={FUZZ} PANDATUI_FUZZ_SECONDS={SECONDS:g} PANDATUI_SEED={SEED}")
    script = Path(__file__).with_name("fuzzing.py")
    command = [sys.executable, script, tmp_path, str(FUZZ), str(SECONDS), SEED, *chosen]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert found["failures"] == []
    seen = found["seen"]
    for kind in chosen or KINDS:
        assert seen[f"{kind} opened"] + seen[f"{kind} refused"] >= FUZZ
        assert seen[f"{kind} refused"] > FUZZ // 10
    assert found["mb"] < MOST_MB
    assert found["slowest"][0] < MOST_SECONDS, found["slowest"]


PLANTED = """
def load(raw):
    if raw[:1] == b"<":
        if raw[1:2] == b"!":
            if b"]" in raw[2:]:
                if raw[-1:] == b";":
                    raise KeyError("what nobody thought of")
"""


def test_what_lies_behind_four_conditions_is_found_by_what_is_reached_and_not_without(tmp_path: Path) -> None:
    """The guide is told from a blind mutation by a mistake that we planted."""
    (tmp_path / "planted.py").write_text(PLANTED)
    tries = """
import random, sys
from guided import Guide
from planted import load
watched = sys.argv[1] == "guided"
guide = Guide([b"abc;"], (load.__code__.co_filename,) if watched else ("nowhere",), random.Random(7))
for number in range(20_000 if watched else 5_000):
    raw = guide.next()
    try:
        with guide.watching():
            load(raw)
    except KeyError:
        print(number)
        break
    guide.learn(raw, "")
"""

    def found(how: str) -> str:
        path = os.pathsep.join((str(tmp_path), str(Path(__file__).parent)))
        done = subprocess.run(
            [sys.executable, "-c", tries, how],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert found("guided")
    assert not found("blind")


# -- what is no regular file ---------------------------------------------------------------------------------


def traps(folder: Path) -> Iterator[tuple[str, str]]:
    """(what, its place): pipes, devices and links, by the endings that commands go by."""
    for end in (".json", ".study.json", ".toml", ".csv", ".npz", ".txt", ""):
        os.mkfifo(folder / f"pipe{end}")
        (folder / f"link{end}").symlink_to(folder / f"pipe{end}")
        (folder / f"zero{end}").symlink_to("/dev/zero")
        (folder / f"loop{end}").symlink_to(folder / f"loop{end}")
        for what in ("pipe", "link", "zero", "loop"):
            yield what, str(folder / f"{what}{end}")
    yield "device", "/dev/zero"


def test_pipes_devices_and_links_are_refused_at_once_by_every_command(
    tmp_path: Path, outside: Callable[..., tuple[int, str, str]]
) -> None:
    """A pipe that nobody writes to would hold the command for ever: the test's own time limit is the proof."""
    asked = 0
    for what, path in traps(tmp_path):
        for args in (
            ("show", path),
            ("export", path, "--format", "csv"),
            ("replay", path, "--verify"),
            ("resume", path, "--headless"),
            ("predict", path, path),
            ("batch", path),
            ("batch", "--retest", path),
            ("batch", "--data", path),
            ("data", path),
            ("train", "--data", path),
            ("train", "--data", "xor", "--epochs", "1", "--nudges", path),
            (path,),
        ):
            status, _, err = outside(*args)
            assert status in (2, 5), (what, args, err)
            assert err.startswith("pandatui: "), (args, err)
            assert err.count("\n") == 1, (args, err)
            asked += 1
    assert asked == 29 * 12


def test_a_pipe_for_a_spec_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(SpecError, match="expected a regular file, found a pipe"):
        load_spec(tmp_path / "pipe.toml")


def test_pipes_beside_a_session_hold_nobody(
    tmp_path: Path, outside: Callable[..., tuple[int, str, str]]
) -> None:
    """A journal and checkpoints that are pipes, devices or loops; another's journal; a folder of that name."""
    assert outside("train", "--data", "xor", "--epochs", "2", "--name", "one", "--sessions", "kept")[0] == 0
    journal, checkpoints = tmp_path / "kept" / "one.journal", tmp_path / "kept" / "one.checkpoints"
    for each in checkpoints.glob("*") if checkpoints.exists() else ():
        each.unlink()
    checkpoints.mkdir(exist_ok=True)

    def commands() -> None:
        for args in (
            ("show", "one"),
            ("sessions",),
            ("replay", "one", "--verify"),
            ("export", "one", "--format", "csv"),
        ):
            status, _, err = outside(*args, "--sessions", "kept")
            assert status == 0, (args, err)
            assert "Traceback" not in err
        assert outside("resume", "one", "--headless", "--sessions", "kept")[0] in (0, 2)

    for made in (os.mkfifo, lambda p: p.symlink_to("/dev/zero"), lambda p: p.symlink_to(p), Path.mkdir):
        made(journal)
        made(checkpoints / "8.npz")
        commands()
        for each in (journal, checkpoints / "8.npz"):
            if each.exists() or each.is_symlink():
                each.rmdir() if each.is_dir() and not each.is_symlink() else each.unlink()


# -- names that lead elsewhere -------------------------------------------------------------------------------


def traversals() -> list[str]:
    """Two hundred ways to name a file outside."""
    ups = [f"{'../' * n}{end}" for n in range(1, 9) for end in ("etc/passwd", "x", "x.json", "")]
    odd = [
        f"{start}{end}"
        for start in ("..", ".", "./..", "a/..", "a/../..", "~", "~root", "$HOME", "%2e%2e")
        for end in ("/x", "/../x", "//x", "\\x")
    ]
    absolute = [
        f"{top}/{end}"
        for top in ("", "/tmp", "/etc", "/dev", "/proc/self", "//host", "file://")
        for end in ("x", "passwd", "fd/0", "null", "..")
    ]
    windows = [
        f"{drive}{end}"
        for drive in ("C:", "C:\\", "\\\\host\\", "..\\", "\\\\?\\")
        for end in ("x", "..\\x", "CON", "x.json")
    ]
    hidden = [
        f"{start}x{end}"
        for start in (".", "..", "-", "--", " ", "_", "~")
        for end in ("", ".json", "/y", ".study", ".journal")
    ]
    control = [
        f"x{c}y" for c in "\0\n\r\t\x1b\x7f\x85\x9b\u2028\u202e\u2066 /\\:*?\"<>|'&;$`(){}[]#%!+=,@^é漢"
    ]
    return [*ups, *odd, *absolute, *windows, *hidden, *control, "x" * 65, "x" * 5000, "x.json", "x.study", ""]  # fmt: skip


def test_two_hundred_names_that_lead_outside_lead_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "kept"
    store = Store(folder)
    store.prepare()
    (tmp_path / "a" / "x.json").write_text("outside")
    names = traversals()
    assert len(set(names)) >= 200
    before = sorted(tmp_path.rglob("*"))
    for name in names:
        with pytest.raises(NameRefused):
            store.path(name)
        with pytest.raises(NameRefused):
            store.write(name, b"x")
        with pytest.raises((SessionError, NameRefused)):
            store.find(name if "/" not in name and not name.endswith(".json") else f"no/{name}")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_study_in_a_queue_with_such_a_name_is_not_opened_and_nothing_is_written_there(
    tmp_path: Path, outside: Callable[..., tuple[int, str, str]]
) -> None:
    from pandatui.sessions.schema import integrity_of

    small = ("--data", "xor", "--hidden", "4", "--epochs", "1", "--sessions", "a/kept")
    assert outside("train", *small, "--name", "one")[0] == 0
    path = tmp_path / "a" / "kept" / "one.json"
    plain = json.loads(path.read_text())
    spec = {"trials": 2, "rounds": 1, "run": {"data": "xor", "hidden": [4], "epochs": 1}}
    before = {p for p in tmp_path.rglob("*") if p.suffix != ".journal"}
    for name in filter(None, traversals()[::6]):
        plain["queue"] = [{"spec": spec, "study": name}]
        plain["integrity"] = integrity_of(plain)
        path.write_text(json.dumps(plain))
        status, out, err = outside("batch", "one", "--workers", "1", "--sessions", "a/kept")
        assert (status, out) == (2, ""), (name, err)
        assert err.splitlines()[-1].startswith("pandatui: "), (name, err)
        assert {p for p in tmp_path.rglob("*") if p.suffix != ".journal"} == before


# -- the code ------------------------------------------------------------------------------------------------

# Where it is done all the same, and why a file cannot get there.
ALLOWED = {
    ("search/worker.py", "pickle"): "between a process and its own child, through a pipe",
    ("search/engines.py", "pickle"): "the other end of that pipe",
    ("search/cluster.py", "importlib.import_module"): "of two names that stand there",
}
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "imp",
    "runpy",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "globals", "locals", "vars", "delattr"}


def offences(tree: ast.AST) -> Iterator[str]:
    """What a string of a file could be run, imported or looked up by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            modules = [*names, node.module or ""] if isinstance(node, ast.ImportFrom) else names
            yield from sorted({m.split(".")[0] for m in modules} & FORBIDDEN_MODULES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in FORBIDDEN_CALLS or called.endswith(
                (".import_module", ".literal_eval", "os.system", ".popen")
            ):
                yield called
            yield from (
                f"{called}({ast.unparse(k)})"
                for k in node.keywords
                if (k.arg == "allow_pickle" and ast.unparse(k.value) != "False")
                or (k.arg == "shell" and ast.unparse(k.value) != "False")
            )
            if called in ("np.load", "numpy.load"):
                yield called


def looked_up(tree: ast.AST) -> Iterator[str]:
    """getattr and setattr with a name that does not stand there."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func)
            in (
                "getattr",
                "setattr",
                "hasattr",
                "object.__setattr__",
            )
            and not isinstance(node.args[1], ast.Constant)
        ):
            yield ast.unparse(node)


# Each of these names comes from our own lists: fields of our dataclasses, knobs, options. None is of a file.
LOOKED_UP = {
    "cli_studies.py": ["getattr(self.run, each.name)", "getattr(asked.run, each.name)"],
    "report_studies.py": ["getattr(each, name)", "getattr(config, name)"],
    "search/retest.py": ["getattr(config, name)"],
    "search/space.py": ["getattr(base, name)", "getattr(config, knob)"],
    "search/spec.py": ["getattr(self.run, name)", "getattr(self, each.name)"],
    "sessions/checkpoints.py": ["getattr(self.state, name)", "getattr(state, name)", "getattr(own, name)"],
    "sessions/ghosts.py": ["getattr(config, name)"],
    "sessions/ledger.py": ["getattr(event, name)"],
    "sessions/replay.py": ["getattr(record, name)"],
    "training/config.py": ["object.__setattr__(self, knob, clean(check_knob(knob, getattr(self, knob))))", "getattr(self, knob)"],
    "training/population.py": ["getattr(config, field)"],
    "training/setup.py": ["getattr(self, f.name)"],
    "tui/racing.py": ["getattr(config, name)"],
    "tui/screens/new_run.py": ["getattr(c, name)"],
}  # fmt: skip


def test_nothing_runs_imports_or_looks_up_by_a_string_of_a_file() -> None:
    root = Path(pandatui.__file__).parent
    found, names, files = set(), {}, 0
    for path in sorted(root.rglob("*.py")):
        tree, where = ast.parse(path.read_text()), path.relative_to(root).as_posix()
        files += 1
        found |= {(where, what) for what in offences(tree)}
        if told := set(looked_up(tree)):
            names[where] = told
    assert files > 100
    assert found == set(ALLOWED)
    assert names == {where: set(told) for where, told in LOOKED_UP.items()}


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from pickle import loads", "eval(x)", "exec(x)", "__import__(x)"),
        *("np.load(f, allow_pickle=True)", "np.load(f)", "importlib.import_module(x)", "os.system(x)"),
        *("subprocess.run(x, shell=True)", "ast.literal_eval(x)"),
    ],
)
def test_it_would_be_seen(code: str) -> None:
    assert list(offences(ast.parse(code)))


def test_a_name_that_is_looked_up_would_be_seen() -> None:
    assert list(looked_up(ast.parse("getattr(x, name)"))) == ["getattr(x, name)"]
    assert list(looked_up(ast.parse("getattr(x, 'name')"))) == []
