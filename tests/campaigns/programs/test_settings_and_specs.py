"""Strangers' config.toml and specs: the installed program refuses in one line, soon, in little memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.campaign

MOST_SECONDS = 2.0  # of the processor: a busy machine is no failure
START = 0.25  # of them are the program's start; on a slower machine all takes longer in proportion
MOST_MB = 500

Put = Callable[[Path], object]
HOSTILE: dict[str, Put] = {
    "a million digits": lambda path: path.write_text("epochs = " + "9" * 1_000_000),
    "100,000 deep": lambda path: path.write_text("epochs = " + "[" * 100_000 + "]" * 100_000),
    "100,000 dots": lambda path: path.write_text("a." * 100_000 + "a = 1"),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.fixture
def told(attacks: Any, tmp_path: Path) -> Callable[..., str]:
    """Runs the program; the one line with which it refuses."""
    found = attacks("hostile settings and specs")

    def measured(*arguments: str) -> tuple[str, float, int]:
        """What it says, its seconds of the processor, the most memory in kB."""
        said = tmp_path / "said"
        with said.open("wb") as file:
            process = subprocess.Popen(
                found.command(*arguments),
                env=found.environ(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        line = said.read_text()
        assert process.returncode == 2, line[-2000:]
        return line, usage.ru_utime + usage.ru_stime, usage.ru_maxrss

    _, start, _ = measured("show", "/nowhere")

    def told(*arguments: str) -> str:
        line, seconds, memory = measured(*arguments)
        assert line.startswith("pandatui: ")
        assert line.count("\n") == 1
        assert seconds < MOST_SECONDS * max(1.0, start / START)
        assert memory < MOST_MB * 1024
        found.took(seconds)
        found.seen["refused in one line"] += 1
        return line

    return told


@pytest.mark.parametrize("what", HOSTILE)
def test_in_config_toml(told: Callable[..., str], what: str) -> None:
    from pandatui.settings import settings_file

    settings_file().parent.mkdir(parents=True)
    HOSTILE[what](settings_file())
    assert "config.toml" in told("sessions")


@pytest.mark.parametrize("what", ["a million digits", "100,000 deep"])
def test_in_a_spec(told: Callable[..., str], tmp_path: Path, what: str) -> None:
    HOSTILE[what](tmp_path / "spec.toml")
    assert "spec.toml" in told("batch", str(tmp_path / "spec.toml"))
