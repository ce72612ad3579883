"""`python -m pandatui` is `pandatui`, and both begin here: ctrl-c is looked after before anything heavy is imported.

An exception that comes out of the middle of an import is shown by some modules, taken for a broken
installation by others. While anything is being imported SIGINT ends the program as it ends one that does not
handle it; else it raises KeyboardInterrupt, as Python has it.
"""

import os
import signal
from types import FrameType

_IMPORTING = "<frozen importlib._bootstrap>"


def main() -> None:
    """Run a command. SIGINT ends it with 130, or by the signal itself; ignored, as by nohup, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    try:
        from pandatui.cli import main as run

        run()
    except KeyboardInterrupt:
        _die()
    finally:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: nothing is left to be put away


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
