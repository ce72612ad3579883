"""The watch screen: one model that learns, and a person's hands on it."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.message import Message

from pandatui.sessions import Session
from pandatui.sessions.record import record
from pandatui.training import ConfigError, Run
from pandatui.training.companions import LEFT_ALONE, TWIN_BAND
from pandatui.training.counterpart import Counterpart
from pandatui.training.events import (
    Command,
    Diverged,
    Extend,
    Finished,
    GoOn,
    Note,
    Nudge,
    Pause,
    Redo,
    Rescue,
    Rewind,
    Undo,
)
from pandatui.training.knobs import COARSE, KNOBS, LIVE
from pandatui.training.snapshot import Snapshot, View
from pandatui.training.words import knob_value
from pandatui.tui import company, race_wording, wording
from pandatui.tui.face import Aside
from pandatui.tui.foot import distance
from pandatui.tui.inside.shift import name_of
from pandatui.tui.inside.view import InsideView
from pandatui.tui.knob_wording import notch_factor
from pandatui.tui.live import Live
from pandatui.tui.messages import CompareWanted, FactPushed
from pandatui.tui.pace import next_pace
from pandatui.tui.racing import Racing
from pandatui.tui.screens.ask import AskScreen, ConfirmScreen, TwinsScreen, check_steps, knob_check
from pandatui.tui.screens.queue_batch import Batch, QueueBatchScreen
from pandatui.tui.screens.run import RunScreen
from pandatui.tui.screens.watch_keys import WATCH_HELP, WATCH_KEYS
from pandatui.tui.throttle import Throttle

LISTEN = 1.0  # seconds
PATIENCE = 0.5  # seconds for the run to be looked at whole: in a longer step that is said


class WatchScreen(RunScreen, inherit_bindings=False):
    """Watches a `Live` run and sends it what the keys ask for."""

    class BranchWanted(Message):
        """A person wants to train on from a step as a session of its own."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class GhostWanted(Message):
        """A person wants the run without these gestures as a session of its own."""

        def __init__(self, without: frozenset[int]) -> None:
            super().__init__()
            self.without = without

    class BatchWanted(Message):
        """A person wants many trials raced, now or later."""

        def __init__(self, batch: Batch) -> None:
            super().__init__()
            self.batch = batch

    BINDINGS: ClassVar[list[BindingType]] = list(WATCH_KEYS)
    HELP = WATCH_HELP
    live: Live

    def __init__(
        self,
        live: Live,
        *,
        ascii_only: bool = False,
        words: str = "",
        race: Callable[[], Racing | None] = lambda: None,
        bell: bool = False,
    ) -> None:
        """`race`: the one that goes on besides, on the same data, if there is one.

        `bell`: whether the terminal's rings where it may be worth coming back to the screen.
        """
        super().__init__(live, ascii_only=ascii_only, words=words)
        self._race = race
        self._bell = bell
        self._rung = ("", False)  # for what of the race, and whether for a flat cost
        self._throttle = Throttle(time.monotonic)

    # -- knobs -------------------------------------------------------------------------------------------

    def action_nudge(self, knob: str, direction: int) -> None:
        self._hand = replace(self._hand, picked=knob)
        if not self._refused(wording.no_more(self._snapshot)) and self._throttle.passes():
            self._send(Nudge(knob, notches=direction * (COARSE if self._hand.coarse else 1)))

    def action_nudge_picked(self, direction: int) -> None:
        self.action_nudge(self._hand.picked, direction)

    def action_pick(self, by: int) -> None:
        usable = [n for n in LIVE if self.live.about.optimizer in KNOBS[n].used_by]
        place = usable.index(self._hand.picked) if self._hand.picked in usable else 0
        self._hand = replace(self._hand, picked=usable[(place + by) % len(usable)])
        self.say(f"{KNOBS[self._hand.picked].label}: - and + turn it, enter types a value", "")

    def action_coarse(self) -> None:
        coarse = not self._hand.coarse
        self._hand = replace(self._hand, coarse=coarse)
        factor = notch_factor(coarse)
        self.say(f"coarse notches: {factor}, five at once" if coarse else f"fine notches: {factor}", "")

    def action_enter(self) -> None:
        if self._look.cursor is not None:
            self._ask_rewind(int(self._look.cursor))
        else:
            self.action_type_value()

    def action_type_value(self) -> None:
        if self._refused(wording.no_more(self._snapshot)):
            return
        knob = KNOBS[self._hand.picked]
        low, high = self.live.limits(knob.name)
        initial = knob_value(knob.name, self._snapshot.knobs[knob.name]) if self._snapshot else ""

        def take(text: str | None) -> None:
            if text is not None and text != initial:  # as shown, it is rounded: no reason to set that
                self._send(Nudge(knob.name, to=float(text)))

        title = f"{knob.label} {knob.symbol}".strip()
        self.app.push_screen(AskScreen(f"{title}, to", knob_check(knob.name, low, high), initial), take)

    # -- going back --------------------------------------------------------------------------------------

    def action_undo(self) -> None:
        self._send(Undo())

    def action_redo(self) -> None:
        self._send(Redo())

    def action_rescue(self) -> None:
        self._send(Rescue())

    def action_branch(self) -> None:
        s = self._snapshot
        if s is None:
            return
        step = int(self.here)
        where = "now" if step >= s.steps else f"{distance(s.steps - step, s.steps_per_epoch)} back"

        def take(yes: bool | None) -> None:
            if yes:
                self.post_message(self.BranchWanted(step))

        question = f"Branch at step {step:,}, {where}? This session ends and is saved; the branch trains on."
        self.app.push_screen(ConfirmScreen(question), take)

    def _ask_rewind(self, step: int) -> None:
        s = self._snapshot
        if s is None or step >= s.steps:
            self.say("that is now: there is nothing to go back to", "$warning")
            return

        def take(yes: bool | None) -> None:
            if yes:
                self._look = replace(self._look, cursor=None)
                self._send(Rewind(step))

        back = distance(s.steps - step, s.steps_per_epoch)
        self.app.push_screen(ConfirmScreen(f"Go back {back}, to step {step:,}? U takes it back."), take)

    # -- beside the run ----------------------------------------------------------------------------------

    def action_ghost(self) -> None:
        self._beside(self.live.beside.turn_ghost)

    def action_twins(self) -> None:
        s = self._snapshot
        if s is None:
            return
        beside = self.live.beside
        if company.companion(s, TWIN_BAND) is not None:
            self._beside(beside.end_twins)
            return

        def take(from_start: bool | None) -> None:
            if from_start is not None:
                self._beside(partial(beside.begin_twins, from_start=from_start))

        self.app.push_screen(TwinsScreen(s.steps), take)

    def action_keep_ghost(self) -> None:
        s = self._snapshot
        look = company.ghost(s) or company.companion(s, LEFT_ALONE) if s is not None else None
        if look is None:
            self.say("no ghost to keep: g makes one", "$warning")
        else:
            self.post_message(self.GhostWanted(frozenset(look.without)))

    def turn_hints(self) -> None:
        """Hints off until the next run, or on again."""
        beside = self.live.beside
        if beside.gives_hints:
            beside.no_hints()
        else:
            beside.give_hints()
        self.say("hints on" if beside.gives_hints else "no hints until the next run")

    def _beside(self, ask: Callable[[Run], str]) -> None:
        """Have something done beside the run, between two steps, and say what it says."""

        def said(answer: Future[str]) -> None:
            if not answer.cancelled() and answer.exception() is None:
                self.call_later(self.say, answer.result())  # behind the facts that came before

        if self.live.driver.failure is None:
            self.live.driver.ask(ask).add_done_callback(said)
        else:
            self.say(wording.ENDED, "bold $error")

    # -- the bell ----------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        if self._bell:
            self.set_interval(LISTEN, self.listen)

    def on_fact_pushed(self, message: FactPushed) -> None:
        if self._bell and isinstance(message.fact, Finished | Diverged):
            self.app.bell()

    def listen(self) -> None:
        """Ring where a race has found better or the cost has gone flat, behind other screens too."""
        racing, better = self._race(), ""
        if racing is not None:
            try:
                panda = self.live.driver.snapshot(View(1.0, None, 2), timeout=0.1).best_dev_cost
            except TimeoutError:  # a long step: as it was
                better = self._rung[0]
            else:
                better = race_wording.better_words(racing.read(), panda)
        heard = better, self.live.beside.flat
        if any(now and now != before for now, before in zip(heard, self._rung, strict=True)):
            self.app.bell()
        self._rung = heard

    # -- training ----------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        s = self._snapshot
        if s is None:
            return
        if s.status == "finished":
            self._send(Extend(s.target_epochs + self.live.config.epochs))
        elif not self._refused(wording.no_more(s)):
            self._send(GoOn() if s.paused else Pause())

    def _refused(self, reason: str) -> bool:
        """Whether there is a reason against it; says it."""
        if reason:
            self.say(reason, "$warning")
        return bool(reason)

    def action_one_step(self) -> None:
        training = self._snapshot is not None and self._snapshot.training
        reason = "one step at a time: space pauses first" if training else wording.no_step(self._snapshot)
        if not self._refused(reason):
            self._send(GoOn(1))

    def action_run_steps(self) -> None:
        if self._refused(wording.no_step(self._snapshot)):
            return

        def take(text: str | None) -> None:
            if text is not None:
                self._send(GoOn(int(text)))

        self.app.push_screen(AskScreen("Run how many steps, then pause?", check_steps, "100"), take)

    def action_pace(self, direction: int) -> None:
        driver, s = self.live.driver, self._snapshot
        if s is None:
            return
        pace = next_pace(driver.pace, s.steps_per_second / max(1, s.steps_per_epoch), direction > 0)
        if pace == driver.pace:
            self.say(
                "already as fast as it goes" if pace is None else "already as slow as it goes", "$warning"
            )
            return
        driver.set_pace(pace)
        self.say("as fast as it goes" if pace is None else f"{wording.pace_of(pace)} a second", "")

    def action_compare(self) -> None:
        driver, identity = self.live.driver, self.live.recorder.identity

        def now() -> Session:
            return driver.ask(lambda run: record(run, identity, driver.seconds, None)).result(PATIENCE)

        self.post_message(CompareWanted(now))

    # -- races -------------------------------------------------------------------------------------------

    def aside(self, s: Snapshot) -> Aside:
        mark, better = "", ""
        if (racing := self._race()) is not None:
            view = racing.read()
            mark, better = race_wording.mark(view), race_wording.better_words(view, s.best_dev_cost)
        lines = (("race", better), *company.news_of(s), ("hint", self.live.beside.hint or ""))
        return Aside(mark, tuple((label, words) for label, words in lines if words))

    def action_queue_batch(self) -> None:
        s = self._snapshot
        if s is None:
            return

        def take(batch: Batch | None) -> None:
            if batch is not None:
                self.post_message(self.BatchWanted(batch))

        knobs: dict[str, Any] = dict(s.knobs)
        config = replace(self.live.config, **(knobs | {"batch_size": int(knobs["batch_size"])}))
        racing = self._race()
        busy = racing is not None and racing.live and not racing.read().over
        rows = int(self.live.limits("batch_size")[1])
        self.app.push_screen(QueueBatchScreen(config, rows, busy=busy), take)

    # -- views -------------------------------------------------------------------------------------------

    def ask_for(self, view: InsideView, s: Snapshot) -> None:
        state = (s.steps, s.status, s.paused, len(s.events))
        view.look(self.live.driver.ask, state, training=s.training)

    def action_counterpart(self) -> None:
        """The same run with batch norm off, or on, beside it, from its start; again: without it."""
        companions = self.live.driver.companions

        def turn(run: Run) -> str:
            if companions.counterpart is not None:
                companions.counterpart = None
                return "this run alone again"
            try:
                companions.counterpart = Counterpart(run)
            except ConfigError as error:
                return str(error)
            return f"beside it the same run {name_of(not run.config.batch_norm)}: it catches up"

        if not self._refused(wording.ENDED if self.live.driver.failure is not None else ""):
            self.action_view(3)
            self.say(self.live.driver.ask(turn).result(), "")

    # -- the session -------------------------------------------------------------------------------------

    def action_note(self) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                self._send(Note(text))

        self.app.push_screen(AskScreen("Note", lambda text: ""), take)

    def action_save(self) -> None:
        self.live.recorder.save()
        self.say(self.live.recorder.problem or f"saving as {self.live.about.name}.json", "")

    def action_close(self) -> None:
        if not self.close_help() and not self.lift_cursor():
            self._hand = replace(self._hand, lesson=False)
            self.look_again()

    def _send(self, command: Command) -> None:
        if self.live.driver.failure is None:
            self.live.driver.send(command)
        else:  # the thread may be on its last breath, but hears no more
            self.say(wording.ENDED, "bold $error")
