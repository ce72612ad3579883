"""What watching costs: `python -m benchmarks.screen`. The real program on a pty of 120×36, nothing else.

Rows: training under the watch screen at full pace against headless, per network and view, with a ghost and
with twins, and the bytes sent to the terminal meanwhile; what an epoch's histograms of the layers' inputs
take; key press to the answer on the screen while training at full pace; start-up times. Those that are set
against each other have two seconds in turn, the others being held: a machine whose speed drifts favours none.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pandatui.sessions.store import look
from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.setup import RunOptions, prepare

PROGRAM = [sys.executable, "-m", "pandatui"]
SIZE = (120, 36)


@contextlib.contextmanager
def on_terminal(arguments: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program on a pty; ended, if need be, at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"}
    environment |= {"XDG_CONFIG_HOME": str(folder / "config"), "PANDATUI_SESSIONS": str(folder)}
    command = [*PROGRAM, *arguments]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait()
        os.close(master)


def read_until(master: int, wanted: bytes, seconds: float) -> tuple[bytes, float]:
    """Everything sent until a pattern is found (or time is up, an error), and when that was."""
    seen = b""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        ready, _, _ = select.select([master], [], [], 0.05)
        if ready:
            seen += os.read(master, 65_536)
            if re.search(wanted, seen):
                return seen, time.perf_counter()
    raise TimeoutError(f"{wanted!r} not on the screen within {seconds} s")


BEFORE = "a-run-of-before"
Keys = Sequence[tuple[bytes, bytes]]  # each with what it brings to the screen
WITHOUT = "without a screen"
VIEWS: dict[str, Keys] = {
    "view 1, the curve": (),
    "view 2, layers": ((b"2", rb"front to back"),),
    "view 3, batch norm": ((b"3", rb"what batch norm does"),),
    "view 4, predictions": ((b"4", rb"predictions on dev"),),
    "view 5, compare": ((b"5", rb"leave it"), (b"\r", BEFORE.encode())),
}
BESIDE: dict[str, Keys] = {
    "view 1": (),
    "a ghost asked for": ((b"A", rb"in use from step"), (b"g", rb"left alone")),
    "five twins asked for": ((b"t", rb"bump real"), (b"h", rb"5 seeds")),
}
TURN = 2.0  # seconds; starting and opening a view are over before the first
WARM = 4.0


class Racer:
    """A run that is let go when it is its turn, and held when it is another's."""

    def __init__(self, process: subprocess.Popen[bytes], master: int | None, session: Path) -> None:
        self._process, self._master, self._session = process, master, session
        self._held, self._since = 0.0, time.perf_counter()  # seconds in all; since when
        self._at = (0, 0.0)  # steps and seconds without those that it was held, at the end of its last turn
        self._active, self._sent = 0.0, 0

    @property
    def bytes_per_second(self) -> float:
        return self._sent / self._active

    def turn(self, seconds: float = TURN) -> float:
        """Let it go for so long: its steps/s since its last turn, the time between not counted."""
        began = time.perf_counter()
        os.killpg(self._process.pid, signal.SIGCONT)
        self._held += began - self._since
        while (rest := began + seconds - time.perf_counter()) > 0:
            if self._master is None:
                time.sleep(rest)
            elif select.select([self._master], [], [], rest)[0]:
                self._sent += len(os.read(self._master, 65_536))
        os.killpg(self._process.pid, signal.SIGSTOP)
        self._since = time.perf_counter()
        self._active += self._since - began
        found = look(self._session).session  # by its journal, which has both of one moment
        assert found is not None
        before, self._at = self._at, (found.steps, found.seconds - self._held)
        return (self._at[0] - before[0]) / (self._at[1] - before[1])


@contextlib.contextmanager
def racing(arguments: list[str], folder: Path, keys: Keys | None) -> Iterator[Racer]:
    """On a terminal at full pace, with these keys pressed; None: without a screen.

    `folder` is its own, and there is a session in it already, to be compared with.
    """
    whole(["train", "--data", "digits", "--epochs", "40", "--name", BEFORE, "--sessions", str(folder)])
    named, session = [*arguments, "--name", "it"], folder / "it.json"
    if keys is not None:
        with on_terminal([*named, "--pace", "max"], folder) as (process, master):
            read_until(master, rb"train \d", 60)
            for key, brings in keys:
                os.write(master, key)
                read_until(master, brings, 20)
            yield Racer(process, master, session)
        return
    command = [*PROGRAM, "train", *named, "--sessions", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield Racer(process, None, session)
    finally:
        process.kill()
        process.wait()


def race(ways: dict[str, Keys | None], arguments: list[str], folder: Path, rounds: int) -> None:
    """Print each way's speed as a share of the first's in the same round, and what it sends."""
    with contextlib.ExitStack() as stack:
        racers: dict[str, Racer] = {}
        for name, keys in ways.items():
            own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            racers[name] = stack.enter_context(racing(arguments, own, keys))
            racers[name].turn(WARM)
        speeds = [{name: each.turn() for name, each in racers.items()} for _ in range(rounds)]
        first, *others = ways
        for name in others:
            ratios = [of_round[name] / of_round[first] for of_round in speeds]
            sent = racers[name].bytes_per_second / 1000
            print(f"  {name}, against {first}: {spread(ratios)}; {sent:.0f} kB/s")


def share_of_histograms(arguments: list[str]) -> float:
    """What part of training goes into seeing how the layers' inputs are spread, at each epoch's end."""
    options, extra = RunOptions(data=arguments[1]), dict(zip(arguments[2::2], arguments[3::2], strict=True))
    if "--hidden" in extra:
        options = replace(options, hidden=tuple(map(int, extra["--hidden"].split(","))))
    if "--batch-size" in extra:
        options = replace(options, batch_size=int(extra["--batch-size"]))
    pin_blas()
    run = Run(*prepare(replace(options, epochs=int(extra["--epochs"]))))
    spent = 0.0

    def timed(function: Callable[..., None]) -> Callable[..., None]:
        def call(*given: object) -> None:
            nonlocal spent
            began = time.perf_counter()
            function(*given)
            spent += time.perf_counter() - began

        return call

    seen = run.distributions
    seen.see, seen.end_epoch = timed(seen.see), timed(seen.end_epoch)  # type: ignore[method-assign]
    began = time.perf_counter()
    while run.ready:
        run.step()
    return spent / (time.perf_counter() - began)


def key_to_screen(arguments: list[str], folder: Path, presses: int) -> list[float]:
    """Seconds from a key press to its answer in words, while training at full pace."""
    found = []
    with on_terminal([*arguments, "--pace", "max"], folder) as (_, master):
        read_until(master, rb"train \d", 20)
        for i in range(presses):
            start = time.perf_counter()
            os.write(master, b"A" if i % 2 else b"a")
            _, at = read_until(master, rb"in use from step", 5)
            found.append(at - start)
            with contextlib.suppress(TimeoutError):  # let the message be followed by quieter redraws
                read_until(master, rb"\x00", 0.25)
    return sorted(found)


def made_images(folder: Path, rows: int = 60_000) -> Path:
    """As many rows as Fashion-MNIST has, of its shape: what is in them is no matter here."""
    rng = np.random.default_rng(1)
    labels = rng.integers(10, size=rows)
    inputs = rng.normal(size=(rows, 784)).astype(np.float32) + labels[:, None] / 10
    np.savez(folder / "images.npz", X=inputs, y=labels)
    return folder / "images.npz"


def first_curve(folder: Path) -> float:
    """Seconds from the launch to the first frame with a curve."""
    start = time.perf_counter()
    with on_terminal([], folder) as (_, master):
        _, at = read_until(master, rb"train \d", 20)
    return at - start


def whole(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([*PROGRAM, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def spread(values: list[float], form: str = "{:.2f}") -> str:
    """median (min–max)."""
    low, middle, high = (form.format(v) for v in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}–{high})"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="turns of two seconds that each way has")
    parser.add_argument("--repeats", type=int, default=5, help="of what is over in a second")
    parser.add_argument("--quick", action="store_true", help="two of each")
    given = parser.parse_args(arguments)
    if given.quick:
        given.rounds = given.repeats = 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = ["--data", "digits"]
        large = ["--data", str(made_images(folder)), "--hidden", "512,256", "--batch-size", "128"]
        endless = ["--epochs", "1000000"]
        for label, arguments, epochs in (
            ("64-64-32-10, m=64", small, "2000"),
            ("784-512-256-10, m=128", large, "5"),
        ):
            print(f"training at full pace, {label}:")
            race({WITHOUT: None} | VIEWS, arguments + endless, folder, given.rounds)
            shares = [100 * share_of_histograms([*arguments, "--epochs", epochs]) for _ in range(3)]
            print(f"  an epoch's histograms: {spread(shares)} % of training")
        print("beside training at full pace, 64-64-32-10, m=64:")
        race(dict(BESIDE), small + endless, folder, given.rounds)
        times = key_to_screen(["--data", "digits", "--epochs", "100000"], folder, 100)
        p99 = times[int(len(times) * 0.99) - 1]
        print(f"key to screen: p50 {times[len(times) // 2] * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
        print(f"launch to the first curve: {spread([first_curve(folder) for _ in range(given.repeats)])} s")
        train = ["train", "--data", "digits", "--epochs", "1", "--sessions", name]
        print(f"train, launch to end, of one epoch: {spread([whole(train) for _ in range(given.repeats)])} s")
        print(f"--help: {spread([whole(['--help']) for _ in range(given.repeats)])} s")
        print(f"--version: {spread([whole(['--version']) for _ in range(given.repeats)])} s")


if __name__ == "__main__":
    main()
