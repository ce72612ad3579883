"""`python -m pandatui` is `pandatui`; ctrl-c is looked after here before anything heavy is imported.

An exception that comes out of the middle of an import is shown by some modules, taken for a broken
installation by others. While anything is being imported SIGINT ends the program as it ends one that does not
handle it; else it raises KeyboardInterrupt, as Python has it.
"""

import io
import os
import signal
import sys
from types import FrameType

_IMPORTING = "<frozen importlib._bootstrap>"


def main() -> None:
    """Run a command. SIGINT ends it with 130, or by the signal itself; ignored, as by nohup, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    _open_what_is_closed()
    try:
        from pandatui.cli import main as run

        run()
    except KeyboardInterrupt:
        _die()
    finally:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: nothing is left to be put away
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # told already; Python would try again at the very end, and say so in its own way
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_what_is_closed() -> None:
    """Nothing to read, nobody to talk to; but what is written on a closed stdout is an error, as for `ls`.

    Left closed, their numbers would be given to the next files that are opened, a journal among them.
    """
    if sys.stdin is None:
        sys.stdin = _opened(0, os.O_RDONLY)
    if sys.stdout is None:
        sys.stdout = _opened(1, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = _opened(2, os.O_WRONLY)


def _opened(number: int, how: int) -> io.TextIOWrapper:
    found = os.open(os.devnull, how)
    if found != number:
        os.dup2(found, number)
        os.close(found)
    os.set_inheritable(number, True)
    return open(number, "w" if number else "r", encoding="utf-8", errors="backslashreplace", closefd=False)


def _interrupted(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            _die()
        frame = frame.f_back
    raise KeyboardInterrupt


def _die() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
