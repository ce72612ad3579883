"""Messages that reach the screen's thread from elsewhere."""

from collections.abc import Callable
from pathlib import Path

from textual.message import Message
from textual.screen import Screen

from pandatui.data import Dataset
from pandatui.search.keeper import Opened
from pandatui.search.space import Space
from pandatui.sessions import Recorder, Session
from pandatui.sessions.stills import Stills
from pandatui.training import Driver
from pandatui.training.events import Fact


class CompareWanted(Message):
    """A person wants to compare the record that `session` gives, which may grow, with others."""

    def __init__(self, session: Callable[[], Session]) -> None:
        super().__init__()
        self.session = session


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


class StillsWanted(Message):
    """A replay wants to show what needs weights: whatever checkpoints there are, as `StillsReady`."""

    def __init__(self, path: Path, session: Session, screen: Screen[None]) -> None:
        super().__init__()
        self.path = path
        self.session = session
        self.screen = screen


class StillsReady(Message):
    """A recorded session's checkpoints, or why there are none to look at."""

    def __init__(self, stills: Stills | None, reason: str) -> None:
        super().__init__()
        self.stills = stills
        self.reason = reason


class RaceReady(Message):
    """A study is open and can be raced; its next round in this box or the proposed one."""

    def __init__(self, opened: Opened, dataset: Dataset, title: str, box: Space | None) -> None:
        super().__init__()
        self.opened = opened
        self.dataset = dataset
        self.title = title
        self.box = box


class RaceNotReady(Message):
    """It can't, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class StudyWanted(Message):
    """A person wants to look at a study of the folder."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
