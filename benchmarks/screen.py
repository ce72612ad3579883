"""What watching costs: `python -m benchmarks.screen`. The real program on a pty of 120×36, nothing else.

Rows: training under the watch screen at full pace against headless, per network and view, with a ghost and
with twins; bytes sent to the terminal; what an epoch's histograms of the layers' inputs take; key press to
the answer on the screen while training at full pace; start-up times. Ratios come from runs taken in turn,
so that a machine whose speed drifts does not favour one side.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pty
import re
import select
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

from pandatui.training import Run
from pandatui.training.environment import pin_blas
from pandatui.training.setup import RunOptions, prepare

PROGRAM = [sys.executable, "-m", "pandatui"]
SIZE = (120, 36)
VIEWS = {"2": "layers", "3": "batch norm", "4": "predictions", "5": "compare"}


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


def read_while(master: int, going: Callable[[], bool], seconds: float) -> bytes:
    """Everything sent while something goes on, which is asked five times a second."""
    seen, end, asked = b"", time.perf_counter() + seconds, 0.0
    while time.perf_counter() < end:
        ready, _, _ = select.select([master], [], [], 0.05)
        if ready:
            seen += os.read(master, 65_536)
        if time.perf_counter() - asked > 0.2:
            asked = time.perf_counter()
            if not going():
                return seen
    raise TimeoutError(f"still going on after {seconds} s")


def finished(session: Path) -> bool:
    """Whether its record says so."""
    return session.exists() and b'"status": "finished"' in session.read_bytes()[:400]


def headless(arguments: list[str], folder: Path) -> float:
    """steps/s without a screen."""
    command = [*PROGRAM, "train", *arguments, "--json", "--sessions", str(folder)]
    done = subprocess.run(command, capture_output=True, check=True)
    return float(json.loads(done.stdout)["steps_per_second"])


Keys = Sequence[tuple[bytes, bytes]]  # each with what it brings to the screen
GHOST: Keys = ((b"A", rb"in use from step"), (b"g", rb"left alone"))
TWINS: Keys = ((b"t", rb"bump real"), (b"h", rb"5 seeds"))


def watched(arguments: list[str], folder: Path, keys: Keys = (), view: str = "1") -> tuple[float, float]:
    """steps/s under the watch screen at full pace, and bytes a second sent to the terminal meanwhile.

    `view`: the key of the view that is shown from the first frame on.
    """
    name = f"watched-{time.monotonic_ns()}"
    with on_terminal([*arguments, "--pace", "max", "--name", name], folder) as (process, master):
        before = b""
        if keys or view != "1":
            before, _ = read_until(master, rb"epoch \d", 60)
        for key, brings in keys:
            os.write(master, key)
            before += read_until(master, brings, 10)[0]
        if view != "1":
            os.write(master, view.encode())
        if view == "5":  # with the newest session
            before += read_until(master, rb"leave it", 10)[0]
            os.write(master, b"\r")
        sent = before + read_while(master, lambda: not finished(folder / f"{name}.json"), 300)
        if view == "5":  # a screen of its own
            os.write(master, b"\x1b")
            read_until(master, rb"epochs done", 10)
        os.write(master, b"q")
        with contextlib.suppress(OSError):  # the terminal goes with the program
            while os.read(master, 65_536):
                pass
        process.wait()
    session = json.loads((folder / f"{name}.json").read_bytes())
    return session["steps"] / session["seconds"], len(sent) / session["seconds"]


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
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two repeats")
    given = parser.parse_args(arguments)
    if given.quick:
        given.repeats = 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = str(made_images(folder))
        rows = [
            ("64-64-32-10, m=64", ["--data", "digits", "--epochs", "2000"]),
            (
                "784-512-256-10, m=128",
                ["--data", images, "--hidden", "512,256", "--batch-size", "128", "--epochs", "5"],
            ),
        ]
        for label, arguments in rows:
            ratios, sent = [], []
            for _ in range(given.repeats):
                plain = headless(arguments, folder)
                speed, bytes_sent = watched(arguments, folder)
                ratios.append(speed / plain)
                sent.append(bytes_sent / 1000)
            print(f"watched against headless, {label}: {spread(ratios)}; kB/s sent {spread(sent, '{:.1f}')}")
            for view, name in VIEWS.items():
                ratios = []
                for _ in range(given.repeats):
                    plain = headless(arguments, folder)
                    ratios.append(watched(arguments, folder, view=view)[0] / plain)
                print(f"the same with view {view}, {name}: {spread(ratios)}")
            shares = [100 * share_of_histograms(arguments) for _ in range(given.repeats)]
            print(f"an epoch's histograms, {label}: {spread(shares)} % of training")
        small = ["--data", "digits", "--epochs", "600"]
        for label, keys in (("a ghost", GHOST), ("five twins", TWINS)):
            ratios = [
                watched(small, folder, keys)[0] / watched(small, folder)[0] for _ in range(given.repeats)
            ]
            print(f"with {label} asked for against without, 64-64-32-10, m=64: {spread(ratios)}")
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
