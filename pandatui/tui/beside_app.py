"""What the app does about what is beside a run: it keeps ghosts as sessions, and compares records."""

from typing import Any

from textual import work
from textual.worker import get_current_worker

from pandatui.data import Dataset
from pandatui.sessions import Session
from pandatui.sessions.ghosts import ghost_name, keep_ghost, train_ghost
from pandatui.sessions.record import record
from pandatui.sessions.replay import RerunError
from pandatui.sessions.schema import from_number
from pandatui.training import Run
from pandatui.training.words import cost, plural
from pandatui.tui.comparing import Compared
from pandatui.tui.live import Live
from pandatui.tui.messages import CompareWanted
from pandatui.tui.racing_app import RacingApp
from pandatui.tui.screens.compare import CompareScreen
from pandatui.tui.screens.watch import WatchScreen


class BesideApp(RacingApp):
    """The part of the app that has a run, `live`, and others beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.live: Live | None = None
        self._compared: list[Compared] = []  # what was picked to compare with, for the next time

    def on_watch_screen_ghost_wanted(self, message: WatchScreen.GhostWanted) -> None:
        """Save the ghost as a session: nothing of it was written before."""
        live = self.live
        if live is None:
            return

        def now(run: Run) -> tuple[Session, Dataset]:
            return record(run, live.recorder.identity, live.driver.seconds, None), run.dataset

        session, dataset = live.driver.ask(now).result()
        self.say(f"training the ghost for its record, {plural(session.steps, 'step')}")
        self._keep_ghost(session, dataset, message.without)

    @work(thread=True, exclusive=True, group="ghost")
    def _keep_ghost(self, session: Session, dataset: Dataset, without: frozenset[int]) -> None:
        """Train it from the start, off the screen's thread, and write it; leaving the app ends that."""
        worker = get_current_worker()

        def progress(done: int, steps: int) -> None:
            if worker.is_cancelled:
                raise RerunError("left before it was done")

        try:
            ghost = train_ghost(session, dataset, without=without, progress=progress)
            name = ghost_name(self.store, session.name, without)
            _, kept = keep_ghost(self.store, session, ghost, name, without=without)
        except (RerunError, OSError) as error:
            if worker.is_cancelled:  # another is kept instead, or the app leaves
                return
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            self.call_later(self.say, f"the ghost is not saved: {reason}")
            return
        best = kept.result.best_dev_cost
        words = f", best dev {cost(from_number(best))}" if best is not None else ""
        self.call_later(self.say, f"the ghost is saved as {name}: step {kept.steps:,}{words}")

    def on_compare_wanted(self, message: CompareWanted) -> None:
        try:
            screen = CompareScreen(self.store, message.session, self._compared, ascii_only=self.ascii_only)
        except TimeoutError:
            self.say("a long step: press 5 again")
        else:
            self.push_screen(screen)
