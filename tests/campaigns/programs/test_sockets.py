"""Nothing listens: the sockets of every process of the app, of `train` and `batch`, while they work."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(7200)]

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
    """The sockets of these processes that reach a network, loopback too: local address, state."""
    ours = set().union(*map(inodes, pids))
    found = []
    for table in TABLES:
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[9] in ours:
                state = "listens" if table.startswith("tcp") and fields[3] == LISTENS else fields[3]
                found.append(f"{table} {fields[1]} {state}")
    return found


def test_it_is_seen_when_something_listens() -> None:
    """The way to look finds a socket of our own."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"{server.getsockname()[1]:04X}"
        assert f"tcp 0100007F:{port} listens" in sockets([os.getpid()])


def test_no_sockets(attacks: Any) -> None:
    found = attacks("sockets")
    seconds = 0.5 * max(1, found.count / 6)
    raced = ("--data", "moons", "--hidden", "8", "--epochs", "4000")
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
