"""Sessions: the record of one panda, as a JSON file."""

from pandatui.sessions.recorder import Recorder
from pandatui.sessions.schema import Session, SessionError
from pandatui.sessions.store import Store

__all__ = ["Recorder", "Session", "SessionError", "Store"]
