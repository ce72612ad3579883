"""Worker: a process of its own that trains what its parent sends, and ends as soon as the parent has gone.

Frames over two pipes: a length, then a pickle. What a worker prints goes to its stderr, never into the pipe.
Nothing of the parent's main module is run here, so no program needs a guard against being started twice.
"""

import os
import pickle
import struct
import threading
import traceback
from queue import SimpleQueue
from typing import BinaryIO

_LENGTH = struct.Struct(">Q")


def send(pipe: BinaryIO, body: bytes) -> None:
    """Write one frame. Raises OSError when nobody is there to read it."""
    pipe.write(_LENGTH.pack(len(body)))
    pipe.write(body)
    pipe.flush()


def receive(pipe: BinaryIO) -> bytes | None:
    """The next frame; None when the other side has gone, in the middle of one too."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = pipe.read(length)
    return body if len(body) == length else None


def main(nice: int) -> None:
    """Train until the parent has gone. An empty frame says that the worker is there."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if nice:
        os.nice(nice)
    inbox: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    send(answers, b"")
    while True:
        send(answers, _answer(inbox.get()))


def _listen(requests: BinaryIO, inbox: SimpleQueue[bytes]) -> None:
    while (body := receive(requests)) is not None:
        inbox.put(body)
    os._exit(0)  # nobody is left who could want what is being trained


def _answer(request: bytes) -> bytes:
    """A pickled pair: whether it went well, and what came of it or what was raised."""
    try:
        train, work = pickle.loads(request)
        return pickle.dumps((True, train(work)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        error.add_note("In the worker:\n" + traceback.format_exc())
        try:
            pickled = pickle.dumps((False, error))
            pickle.loads(pickled)  # some are written that can't be read
        except Exception:
            pickled = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return pickled
