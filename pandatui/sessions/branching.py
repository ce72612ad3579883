"""Branches: a run that was trained along a session goes on as a session of its own.

A branch copies the live path up to its step and needs its parent for nothing; the lineage is only told.
"""

from pandatui.sessions.ghosts import own_events
from pandatui.sessions.replay import last_by
from pandatui.sessions.schema import Parent, Session
from pandatui.training import Run


def branch(run: Run, session: Session, step: int) -> Parent:
    """Take `run`, whose record `session` is, back to `step` and make the rest its future, not its past.

    Its events are then those that stand up to there, numbered from 1. Returns the lineage.
    """
    until = step if step < session.steps else step + 1  # at its end, a nudge that waits for the next step too
    run.timeline.seek(run, step, last_by(run.events, until))
    run.branch(own_events(session, run))
    return Parent(id=session.id, name=session.name, step=step)
