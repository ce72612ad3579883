"""Recorder: keeps a session's journal and file in step with its run.

Events go to the journal, and to the disk, in the training thread before anybody hears of them. A thread of
its own adds the costs twice a second, and every ten seconds asks the Driver for a copy of the record between
two steps (quick), then encodes and writes it while training goes on. A disk that is full or gone stops no
training: the problem is there to be shown, and saving is tried again.
"""

import contextlib
import errno
import os
import threading
import time
from typing import Any

from pandatui.data import DataError
from pandatui.sessions.checkpoints import (
    MOST_AT_ONCE,
    WORTH_IT,
    Checkpoint,
    Checkpoints,
    folder_of,
    kept_by,
)
from pandatui.sessions.journal import Journal
from pandatui.sessions.ledger import Ledger
from pandatui.sessions.record import Identity, record
from pandatui.sessions.recovery import journal_path
from pandatui.sessions.schema import Session, encode
from pandatui.sessions.store import Store
from pandatui.training import Driver, Run
from pandatui.training.events import Diverged, Fact, Failed, Finished, Recorded
from pandatui.training.state import Evaluation

__all__ = ["Identity", "Recorder", "record"]

PERIOD = 10.0  # seconds from file to file, at least
TICK = 0.5  # seconds from costs to costs in the journal
SHARE = 0.05  # of the time goes into saving, at most
LONG_JOURNAL = 4 * 2**20  # bytes


class Recorder:
    """Saves one Driver's run. `problem` is what keeps it from being saved just now, or empty.

    Make it before anything else subscribes to the Driver: then an event is on disk before anybody hears of
    it. `journal` and `before` are those of a session that goes on; see `resume`.
    """

    def __init__(
        self,
        driver: Driver,
        store: Store,
        identity: Identity,
        *,
        journal: Journal | None = None,
        before: Session | None = None,
    ) -> None:
        self._driver = driver
        self._store = store
        self.identity = identity
        self._journal = journal
        self._before = before
        self._queue = list(before.queue) if before is not None else []
        self._ledger = driver.ask(Ledger).result()
        self._checkpoints = Checkpoints(folder_of(store.path(identity.name)))
        self._not_saved = ""
        self._not_journalled = ""
        self.saves = 0
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._main, name="pandatui-recorder", daemon=True)
        driver.subscribe(self._hear)

    @property
    def path(self) -> str:
        return str(self._store.path(self.identity.name))

    @property
    def problem(self) -> str:
        return self._not_journalled or self._not_saved

    @property
    def unsaved(self) -> bool:
        """Whether there are events that are on no disk yet."""
        return bool(self._not_journalled)

    @property
    def events_on_disk(self) -> int:
        """The id of the last event that is on disk; those behind it wait for a disk fault to end."""
        return self._ledger.events

    def start(self) -> None:
        """Write journal and file before the first step, then go on in the background.

        Raises OSError, FileExistsError where the name is taken, Held where another is writing that session.
        """
        self._store.prepare()
        path = self._store.path(self.identity.name)
        if self._before is None and path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        journal = self._journal or Journal.create(journal_path(path), self.identity.id)
        try:
            self._store.write(self.identity.name, encode(self._ask(None)), new=self._before is None)
            journal.restart(self.identity.id, journal.end, journal.number)
        except BaseException:
            journal.close(remove=self._before is None)
            raise
        self._journal = journal
        self._thread.start()

    def save(self) -> None:
        """Ask for a save soon."""
        self._wanted.set()

    def queue(self, entry: dict[str, Any]) -> None:
        """Put a batch for later into the queue, such as {"spec": …}: plain JSON. It is saved soon."""
        self._queue.append(entry)
        self.save()

    def close(self, evaluate: bool = True) -> Session:
        """The last save, once the Driver has ended: with the final status and figures. Returns the record.

        The journal goes once the file has all of it, and stays where that could not be written.
        """
        self._closing = True
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join()
        evaluation = None
        unmeasured = ""
        if evaluate:
            try:
                evaluation = self._driver.ask(Run.evaluate).result()
            except DataError as error:  # its file has changed: only the last figures are missing
                unmeasured = f"saved without its last figures: {error}"
        session = self._ask(evaluation)
        if session.status == "running":
            session.status = "stopped"
        journal, self._journal = self._journal, None
        if journal is not None:
            try:
                self._write(session)
                self._keep(self._driver.ask(self._kept).result(), at_most=0)  # the end
                if self._not_saved:
                    self._driver.ask(lambda run: self._note_down(run, journal, sync=True)).result()
            finally:
                journal.close(remove=not self._not_saved)
            self._not_journalled = ""
        self._not_saved = self._not_saved or unmeasured
        return session

    # -- in the training thread --------------------------------------------------------------------------

    def _hear(self, fact: Fact) -> None:
        """An event is put on disk before anybody else hears of it; an end is worth a save at once."""
        if isinstance(fact, Recorded | Diverged):
            self._driver.ask(lambda run: self._note_down(run, self._journal, sync=True)).result()
        if isinstance(fact, Finished | Diverged | Failed):
            self._wanted.set()

    def _note_down(self, run: Run, journal: Journal | None, *, sync: bool) -> None:
        """Write to the journal what it does not have yet; what fails is tried again with the next costs."""
        if journal is None:
            return
        records = self._ledger.news(run, self._driver.seconds)
        try:
            journal.append(records, sync=sync)
        except OSError as error:
            self._not_journalled = f"not saved: {error.strerror or error}"
        else:
            self._ledger.reset(run)
            self._not_journalled = ""

    # -- in the recorder's thread ------------------------------------------------------------------------

    def _main(self) -> None:
        due = time.monotonic() + PERIOD
        while not self._closing:
            asked = self._wanted.wait(max(0.0, min(TICK, due - time.monotonic())))
            if asked:  # else it may have been asked since
                self._wanted.clear()
            if self._closing:
                return
            began = time.monotonic()
            try:
                self._tick()
                if asked or began >= due:
                    self._save()
            except Exception as error:  # a mistake of ours: to be seen, and raised again by `close`
                self._not_saved = f"not saved: internal error: {type(error).__name__}: {error}"
            ended = time.monotonic()
            if asked or began >= due or self.problem:
                wait = TICK if self.problem else PERIOD
                due = ended + max(wait, (ended - began) / SHARE)

    def _tick(self) -> None:
        """The costs of the last moment go to the journal; is it still where it was, and the folder open?"""
        journal = self._journal
        assert journal is not None
        self._driver.ask(lambda run: self._note_down(run, journal, sync=False)).result()
        try:
            if not journal.in_place():
                self._replace(journal)
                return
            if not os.access(self._store.folder, os.W_OK):
                raise OSError(errno.EROFS, "the folder is read-only")
            journal.sync()
        except OSError as error:
            self._not_saved = f"not saved: {error.strerror or error}"

    def _replace(self, journal: Journal) -> None:
        """The folder went away, or the journal in it: its past into the file, and then a new one."""
        self._store.prepare()

        def look(run: Run) -> tuple[Session, Ledger]:
            return self._record(run, None), Ledger(run)

        session, ledger = self._driver.ask(look).result()
        self._write(session)
        if self._not_saved:  # what the old journal had is nowhere else yet: at the next tick again
            return
        new = Journal.create(journal_path(self._store.path(self.identity.name)), self.identity.id)

        def exchange(run: Run) -> None:
            self._journal, self._ledger = new, ledger

        self._driver.ask(exchange).result()
        journal.close(remove=False)

    def _save(self) -> None:
        """Write the file, and drop what it has from a journal that has grown long."""
        journal = self._journal
        assert journal is not None

        def look(run: Run) -> tuple[Session, dict[int, Checkpoint], int, int]:
            self._note_down(run, journal, sync=False)
            return self._record(run, None), self._kept(run), journal.end, journal.number

        session, kept, end, number = self._driver.ask(look).result()
        self._write(session)
        self._keep(kept)
        if not self._not_saved and end > LONG_JOURNAL:
            self._driver.ask(lambda run: self._shorten(journal, end, number)).result()

    def _kept(self, run: Run) -> dict[int, Checkpoint]:
        """What to keep as checkpoints; a run that is quickly trained again needs none."""
        return kept_by(run) if self._driver.seconds >= WORTH_IT else {}

    def _keep(self, kept: dict[int, Checkpoint], at_most: int = MOST_AT_ONCE) -> None:
        if kept and not self._not_saved:
            with contextlib.suppress(OSError):  # they only save time; the file tells of a full disk
                self._checkpoints.keep(kept, at_most=at_most)

    def _shorten(self, journal: Journal, end: int, number: int) -> None:
        try:
            journal.restart(self.identity.id, end, number)
        except OSError as error:
            self._not_saved = f"not saved: {error.strerror or error}"

    def _write(self, session: Session) -> None:
        try:
            self._store.prepare()
            self._store.write(self.identity.name, encode(session))
            self._not_saved = ""
            self.saves += 1
        except OSError as error:
            self._not_saved = f"not saved: {error.strerror or error}"

    def _ask(self, evaluation: Evaluation | None) -> Session:
        return self._driver.ask(lambda run: self._record(run, evaluation)).result()

    def _record(self, run: Run, evaluation: Evaluation | None) -> Session:
        session = record(run, self.identity, self._driver.seconds, evaluation)
        session.queue = list(self._queue)
        if self._before is not None:
            session.environment = self._before.environment
            session.curves.abandoned = [*self._before.curves.abandoned, *session.curves.abandoned]
        return session
