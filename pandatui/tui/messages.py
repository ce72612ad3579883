"""Messages that reach the screen's thread from elsewhere."""

from pathlib import Path

from textual.message import Message

from pandatui.sessions import Recorder
from pandatui.training import Driver
from pandatui.training.events import Fact


class FactPushed(Message):
    """The training thread tells of something; sent with `post_message`, never with `call_from_thread`."""

    def __init__(self, fact: Fact) -> None:
        super().__init__()
        self.fact = fact


class RunReady(Message):
    """A session was trained again and can go on, itself or as a branch; `notes` are what to say first."""

    def __init__(self, driver: Driver, recorder: Recorder, notes: tuple[str, ...]) -> None:
        super().__init__()
        self.driver = driver
        self.recorder = recorder
        self.notes = notes


class RunNotReady(Message):
    """It can't, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class GoOnWanted(Message):
    """A person wants to go on with a recorded session; from a step: as a branch."""

    def __init__(self, path: Path, step: int | None) -> None:
        super().__init__()
        self.path = path
        self.step = step
