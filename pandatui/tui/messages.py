"""Messages that reach the screen's thread from elsewhere."""

from textual.message import Message

from pandatui.training.events import Fact


class FactPushed(Message):
    """The training thread tells of something; sent with `post_message`, never with `call_from_thread`."""

    def __init__(self, fact: Fact) -> None:
        super().__init__()
        self.fact = fact
