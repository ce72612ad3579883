"""Nothing listens: the sockets of every process of the app and of the commands, while they work.

With `--scheduler` there are connections to the address given, and no others.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.campaign

TABLES = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
LISTENS = "0A"  # the state, in /proc/net/tcp


def inodes(pid: int) -> set[str]:
    """The sockets that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for each in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(each.path)
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


def sockets(pids: list[int]) -> list[str]:
    """The sockets of these processes that reach a network, loopback too: local address, remote one, state."""
    ours = set().union(*map(inodes, pids))
    found = []
    for table in TABLES:
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[9] in ours:
                state = "listens" if table.startswith("tcp") and fields[3] == LISTENS else fields[3]
                found.append(f"{table} {fields[1]} {fields[2]} {state}")
    return found


def test_it_is_seen_when_something_listens() -> None:
    """The way to look finds a socket of our own."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"{server.getsockname()[1]:04X}"
        assert f"tcp 0100007F:{port} 00000000:0000 listens" in sockets([os.getpid()])


def test_no_sockets(attacks: Any) -> None:
    found = attacks("sockets")
    seconds = 0.5 * max(1, found.count / 6)
    raced = ("--data", "moons", "--hidden", "8", "--epochs", "1000000")
    programs = {
        "train": (("train", *raced), ""),
        "batch": (("batch", *raced, "--trials", "40", "--workers", "2"), ""),
        "the app with a race": ((*raced, "--pace", "max"), "c\r"),
    }
    for program, (arguments, keys) in programs.items():
        terminal = found.terminal(*arguments)
        terminal.until(lambda: [*found.folder.glob("*.json")], "its record")
        if keys:
            terminal.says("train")
            terminal.type(keys[0])
            terminal.says("trials")
            terminal.type(keys[1])
        workers = 1 if program == "train" else 2
        terminal.until(lambda n=workers, t=terminal: len(t.family()) >= n, "its workers")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            family = terminal.family()
            assert sockets(family) == [], program
            found.seen["looks"] += 1
            found.seen["processes looked at"] += len(family)
            terminal.read(0.05)
        terminal.process.terminate()
        assert terminal.ends() == 143
        assert not terminal.orphans()
        for each in found.folder.glob("*.json"):
            each.unlink()


def test_no_sockets_of_commands_that_only_look(attacks: Any) -> None:
    found = attacks("sockets")
    assert found.answer("train", "--data", "xor", "--epochs", "2", "--name", "one").returncode == 0
    commands = [
        ("doctor",),
        ("sessions",),
        ("replay", "one", "--verify"),
        ("replay", "one", "--speed", "0.25"),
    ]
    for arguments in commands:
        terminal = found.terminal(*arguments)
        if arguments == commands[-1]:
            terminal.says("xor")
        while terminal.process.poll() is None:
            assert sockets(terminal.family()) == [], arguments
            found.seen["looks"] += 1
            terminal.read(0.05)
            if b"xor" in terminal.shown and arguments == commands[-1]:
                terminal.type("q")
        assert terminal.ends() == 0


@pytest.mark.skipif(not importlib.util.find_spec("distributed"), reason="Dask is not installed")
def test_with_a_scheduler_only_that_is_spoken_to(attacks: Any, tmp_path: Path) -> None:
    found = attacks("sockets")
    with ExitStack() as stack:

        def dask(command: str, words: str, *options: str) -> str:
            """`dask scheduler` or `dask worker`, begun; the line in which it says these words."""
            log = tmp_path / f"{command}.log"
            arguments = [f"distributed.cli.dask_{command}", "--host", "127.0.0.1", "--no-dashboard", *options]
            with log.open("w") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", *arguments], stdout=file, stderr=file, cwd=tmp_path
                )
            stack.enter_context(process)
            stack.callback(process.terminate)
            end = time.monotonic() + 60
            while not (lines := [line for line in log.read_text().splitlines() if words in line]):
                assert time.monotonic() < end, log.read_text()
                select.select([], [], [], 0.02)
            return lines[0]

        address = dask("scheduler", "Scheduler at:", "--port", "0").split()[-1]
        dask("worker", "Registered to:", address, "--nworkers", "1", "--nthreads", "1")
        asked = f"0100007F:{int(address.rpartition(':')[2]):04X}"
        run = ("--data", "moons", "--hidden", "8", "--epochs", "1000000", "--trials", "40")
        terminal = found.terminal("batch", *run, "--scheduler", address)
        terminal.until(lambda: [*found.folder.glob("*.study.json")], "its record")
        end = time.monotonic() + 0.5 * max(1, found.count / 6)
        while time.monotonic() < end or not found.seen["connections to the scheduler"]:
            for each in sockets(terminal.family()):
                table, local, remote, state = each.split()
                assert (table, local[:8], remote) == ("tcp", "0100007F", asked), each
                assert state != "listens", each
                found.seen["connections to the scheduler"] += 1
            terminal.read(0.05)
        terminal.process.terminate()
        assert terminal.ends() == 143
