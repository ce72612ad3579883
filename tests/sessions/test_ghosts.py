"""The ghost that is drawn beside a run, and the one that is trained from a session."""

from __future__ import annotations

from pandatui.sessions.ghosts import train_ghost
from pandatui.sessions.record import Identity, record
from pandatui.sessions.schema import decode, encode
from pandatui.training.companions import Companions
from pandatui.training.events import Nudge


def test_the_ghost_beside_a_run_is_the_one_of_replay_without(new_run, dataset):
    """What `g` draws on the watch screen, against the session trained again without that nudge."""
    data = dataset(50)
    run = new_run(data, epochs=8)
    nudges = {20: ("learning_rate", 0.3), 45: ("decay", 0.5), 60: ("batch_size", 8.0)}
    while run.ready:
        if run.steps + 1 in nudges:
            knob, value = nudges[run.steps + 1]
            run.apply(Nudge(knob, to=value), 1.0)
        run.step()
    session = decode(encode(record(run, Identity.new("one"), 2.0, run.evaluate())))[0]
    for number in (1, 2, 3):
        ghost = train_ghost(session, data, without={number})
        beside = Companions()
        beside.ghost(run, frozenset({number}))
        while beside.attend(run, full_pace=False):
            pass
        (look,) = beside.look(run, 10_000)
        known = min(ghost.history.epochs, int(look.dev_epochs[-1]))
        since = int(look.dev_epochs[0]) - 1
        assert known - since >= 1
        assert (
            look.dev_costs[: known - since, 0].tolist() == ghost.history.dev_cost.part(since, known).tolist()
        )
