"""What an import or a command may load, proven in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

OUTSIDE = {"click", "msgspec", "platformdirs", "plotext", "rich", "textual", "threadpoolctl"}


def loaded_by(script: str, *args: str) -> set[str]:
    """Names of packages, and of our own modules, that are loaded after the script."""
    code = (
        f"import sys\ntry:\n    {script}\nexcept SystemExit as done:\n    assert not done.code, done.code\n"
        "import json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=os.environ["HOME"],  # each test's own: what is written stays there
    )
    names = json.loads(done.stdout.splitlines()[-1])
    return {name if name.startswith("pandatui") else name.partition(".")[0] for name in names}


def ours(modules: set[str], floor: str) -> list[str]:
    return [name for name in modules if name.startswith(f"pandatui.{floor}")]


@pytest.mark.parametrize(
    ("module", "allowed", "floors_above"),
    [
        ("pandatui", set(), ("nn", "data", "training", "sessions", "search", "report", "tui", "cli")),
        ("pandatui.nn", set(), ("data", "training", "sessions", "search", "report", "tui", "cli")),
        ("pandatui.data", set(), ("nn", "training", "sessions", "search", "report", "tui", "cli")),
        ("pandatui.training", {"threadpoolctl"}, ("sessions", "search", "report", "tui", "cli")),
        (
            "pandatui.sessions",
            {"threadpoolctl", "msgspec", "platformdirs"},
            ("search", "report", "tui", "cli"),
        ),
        ("pandatui.search", {"threadpoolctl", "msgspec", "platformdirs"}, ("report", "tui", "cli")),
        ("pandatui.report", {"threadpoolctl", "msgspec", "platformdirs"}, ("tui", "cli")),
        ("pandatui.plain", set(), ("nn", "data", "training", "sessions", "search", "report", "tui", "cli")),
    ],
)
def test_a_floor_loads_nothing_from_above_and_no_more_from_outside(module, allowed, floors_above):
    modules = loaded_by(f"import {module}")
    assert modules & OUTSIDE <= allowed
    for floor in floors_above:
        assert ours(modules, floor) == []


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("train", "--help"), ("batch", "--help")])
def test_help_and_version_are_instant(args):
    modules = loaded_by("from pandatui.cli import main; main()", *args)
    assert "click" in modules
    assert not modules & {"numpy", "textual", "rich", "plotext", "msgspec", "threadpoolctl"}
    for floor in ("nn", "data", "training", "sessions", "search", "report", "tui"):
        assert ours(modules, floor) == []


def test_training_without_a_screen_loads_no_screen():
    modules = loaded_by(
        "from pandatui.cli import main; main()",
        *("train", "--data", "xor", "--hidden", "4", "--epochs", "1", "--json"),
    )
    assert not modules & {"textual", "rich", "plotext"}
    assert ours(modules, "tui") == []
