"""The screen of a run playing a recorded session: no training, no data. Moving moves through time."""

from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType

from pandatui.sessions.player import FASTEST, SLOWEST, Player
from pandatui.sessions.stills import Stills
from pandatui.training.events import GoOn, Pause, gestures
from pandatui.training.snapshot import Snapshot
from pandatui.training.words import number
from pandatui.tui.charting import Look, whole_of
from pandatui.tui.inside.shift import ShiftView, recorded_shift
from pandatui.tui.inside.view import InsideView
from pandatui.tui.live import Replaying
from pandatui.tui.messages import CompareWanted, GoOnWanted, StillsReady, StillsWanted
from pandatui.tui.screens.ask import ConfirmScreen
from pandatui.tui.screens.run import RunScreen
from pandatui.tui.screens.watch_keys import PACE, shared_keys

T = TypeVar("T")

_SHARED = {
    "branch", "left", "right", "nudge-left", "nudge-right", "home", "end",
    "view-curve", "view-layers", "view-inputs", "view-predictions", "view-compare", "turn",
    "log", "smooth", "zoom-in", "zoom-out", "copy", "help", "close", "quit", "new", "sessions",
}  # fmt: skip


def _keys() -> list[BindingType]:
    own = (
        ("space", "pause", "play or pause", "At the end: from the start", "pause", None),
        ("less_than_sign", "pace(-1)", "slower", "Half as fast", "slower", "<"),
        ("greater_than_sign", "pace(1)", "faster", "Twice as fast, up to ×1000", "faster", ">"),
    )
    return [
        *(
            Binding(
                key, action, label, tooltip=tip, group=PACE, id=f"replay.{id}", show=False, key_display=shown
            )
            for key, action, label, tip, id, shown in own
        ),
        *shared_keys(_SHARED),
    ]


def _answered(value: T) -> Future[T]:
    answer: Future[T] = Future()
    answer.set_result(value)
    return answer


class ReplayScreen(RunScreen, inherit_bindings=False):
    """Plays a session from its start at `speed` times its own pace."""

    BINDINGS: ClassVar[list[BindingType]] = _keys()
    HELP = """
# A recorded session

It plays by its own clock, without training anything. `space` plays and pauses, `<` and `>` change the speed,
the arrow keys move along the curve, with `shift` from nudge to nudge; a click goes there.

`1` to `4` are the views of the watch screen. What the layers' inputs were is on record; layers and
predictions need weights: those of the nearest checkpoint, where there are any and the data are at hand.
"""

    def __init__(self, replaying: Replaying, path: Path, *, ascii_only: bool = False) -> None:
        super().__init__(replaying, ascii_only=ascii_only)
        self._path = path
        self._player: Player = replaying.driver
        self._look = Look(last=whole_of(self._player.session))
        self._stills: Stills | None = None
        self._no_stills = ""  # why there are none; empty before anybody has asked

    def on_mount(self) -> None:
        super().on_mount()
        self._player.start()

    # -- views -------------------------------------------------------------------------------------------

    def ask_for(self, view: InsideView, s: Snapshot) -> None:
        if isinstance(view, ShiftView):
            self._show_shift(view, s)
            return
        if self._stills is None:
            if not self._no_stills:
                self._no_stills = "its checkpoints are being looked for"
                self.post_message(StillsWanted(self._path, self._player.session, self))
            go_on = "Press f to train on from here; then this view has them."
            view.excuse(f"A recording has no weights: {self._no_stills}. {go_on}")
        elif (run := self._stills.at(s.steps)) is None:
            view.excuse("A recording has no weights, and before this step there is no checkpoint.")
        else:
            view.note = f"weights of step {run.steps:,}, the nearest checkpoint before"
            view.look(lambda question: _answered(question(run)), run.steps, training=False)

    def _show_shift(self, view: ShiftView, s: Snapshot) -> None:
        if self._player.session.curves.inputs is None:
            view.excuse("This session was recorded without the spread of its layers' inputs.")
        else:
            facts = _answered((recorded_shift(self._player), 0.0))
            view.look(lambda question: facts, (s.epoch, len(s.events)), training=False)

    def on_stills_ready(self, message: StillsReady) -> None:
        self._stills, self._no_stills = message.stills, message.reason
        self.look_again()

    # -- playing -----------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        standing = self._player.standing
        self._player.send(GoOn() if standing else Pause())
        self.say("playing" if standing else "paused", "")

    def action_pace(self, direction: int) -> None:
        before = self._player.speed
        self._player.set_speed(before * (2 if direction > 0 else 0.5))
        if self._player.speed == before:
            self.say(f"already at ×{number(FASTEST if direction > 0 else SLOWEST)}", "$warning")
        else:
            self.say(f"×{number(self._player.speed)} as fast as it was", "")

    @property
    def here(self) -> float:
        return float(self._player.steps)

    @property
    def axis_end(self) -> float:
        return self._look.last or super().axis_end

    @property
    def nudge_steps(self) -> list[int]:
        return [g.first_step for g in gestures(self._player.recording.events) if not g.undone]

    def action_cursor_nudge(self, by: int) -> None:
        self._jump(self.here, by)

    def point(self, step: float) -> None:
        self._player.seek(min(max(0.0, step), float(self._player.session.steps)))
        self.look_again()

    def action_branch(self) -> None:
        """Train on from here, as a session of its own."""
        step = self._player.steps

        def take(yes: bool | None) -> None:
            if yes:
                self.post_message(GoOnWanted(self._path, step))

        self._player.send(Pause())
        self.app.push_screen(ConfirmScreen(f"Train on from step {step:,}, as a session of its own?"), take)

    def action_compare(self) -> None:
        session = self._player.session
        self.post_message(CompareWanted(lambda: session))

    def action_close(self) -> None:
        if not self.close_help() and len(self.app.screen_stack) > 2:
            self.dismiss(None)
