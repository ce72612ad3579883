"""Ways to train for workers to import: some go wrong, some tell where they are."""

import os
import signal
import struct
import sys
from contextlib import suppress

from pandatui.search.cohort import Outcome, Slice, train_slice

POISON = 0.0666


def poisoned(work: Slice) -> Outcome:
    """Takes its worker with it where one learning rate is trained."""
    if any(config.learning_rate == POISON for config in work.configs):
        os._exit(1)
    return train_slice(work)


def mortal(lives: str, work: Slice) -> Outcome:
    """Is killed at the end of a slice, as often as there are files in this folder."""
    outcome = train_slice(work)
    for life in os.listdir(lives):
        with suppress(FileNotFoundError):  # another worker has just had it
            os.unlink(os.path.join(lives, life))
            os.kill(os.getpid(), signal.SIGKILL)
    return outcome


def hungry(work: Slice) -> Outcome:
    """Finds no memory for one learning rate."""
    if any(config.learning_rate == POISON for config in work.configs):
        raise MemoryError
    return train_slice(work)


def refused(word: str) -> None:
    raise ValueError(word)


class UnreadableError(Exception):
    """Can be pickled, but not read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def unreadable(word: str) -> None:
    raise UnreadableError(word, "")


def modules(_: object) -> list[str]:
    return sorted(sys.modules)


def where(_: object) -> tuple[int, int]:
    """Its process and how nice it is."""
    return os.getpid(), os.nice(0)


def talkative(word: str) -> str:
    print("what a library prints")
    os.write(1, b"and what it writes\n")
    return word


def endless(fifo: str) -> None:
    """Says that it has begun, and never ends."""
    with open(fifo, "w") as file:
        file.write(f"{os.getpid()}\n")
    while True:
        pass


def patient(pipes: tuple[str, str]) -> int:
    """Says that it has begun, and ends when it is told to."""
    begun, go_on = pipes
    with open(begun, "w") as file:
        file.write(f"{os.getpid()}\n")
    with open(os.open(go_on, os.O_RDWR), "rb", buffering=0) as file:
        file.read(1)
    return os.getpid()


class Reluctant:
    """Says when it is about to be sent, and goes when it is told to."""

    def __init__(self, pipes: tuple[str, str]) -> None:
        self.pipes = pipes

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (patient(self.pipes),)


def half_an_answer(size: int) -> None:
    """Is killed while it writes to its parent."""
    answers = sys._getframe(2).f_locals["answers"]
    answers.write(struct.pack(">Q", size))
    answers.write(bytes(size // 2))
    answers.flush()
    os.kill(os.getpid(), signal.SIGKILL)
