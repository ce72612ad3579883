"""What a re-run has shown, in words and as JSON. Pure: from verdicts to text."""

import math
import re
from pathlib import Path
from typing import Any

from pandatui.plain import plain
from pandatui.sessions import Session
from pandatui.sessions.ghosts import Worth
from pandatui.sessions.replay import UNKNOWN, Difference, Verdict
from pandatui.sessions.schema import to_number
from pandatui.training.events import Gesture
from pandatui.training.knobs import KNOBS
from pandatui.training.words import cost, number

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,31}")  # from a file into a command that people will copy


def verdict_text(session: Session, verdict: Verdict, called: str) -> str:
    """Identical or not; if not, the first block and step that differ, the environment, what to try next."""
    name = plain(session.name, 64)
    here = [
        f"{what}: {plain(recorded, 60)} on record, {plain(found, 60)} here"
        for what, recorded, found in verdict.environment
    ]
    if verdict.identical:
        again = ", and it diverged again" if session.status == "diverged" else ""
        what = "train costs and the final weights are those on record"
        if session.result.weights_sha256 == UNKNOWN:
            what = "train costs are those on record; it was killed, so its weights are on none"
        lines = [f"{name}: identical: all {verdict.steps:,} {what}{again}"]
        return "\n".join(lines + [f"although      {each}" for each in here])
    lines = [f"{name}: differs from the record"]
    if verdict.found_steps != verdict.steps:
        lines.append(
            f"steps         {verdict.steps:,} on record, here it diverged at {verdict.found_steps:,}"
        )
    if verdict.block is not None:
        lines.append(f"first block   steps {verdict.block[0]:,} … {verdict.block[1]:,}")
    if verdict.first is not None:
        lines.append(f"first step    {_difference_words(verdict.first)}")
    costs, weights = ("equal" if each else "differ" for each in (verdict.costs_equal, verdict.weights_equal))
    lines.append(f"train costs   {costs}; the final weights {weights}")
    lines += [f"environment   {each}" for each in here or ["the same as on record"]]
    if here:
        lines.append("likely cause  other arithmetic: the environment differs")
    lines.append(f"try next      {try_next(verdict, called)}")
    return "\n".join(lines)


def _difference_words(first: Difference) -> str:
    distance = f", {first.ulps:,} ulps of {first.dtype} apart" if first.ulps >= 0 else ""
    return (
        f"{first.step:,}: {first.recorded!r} ({first.recorded.hex()}) on record, "
        f"{first.found!r} ({first.found.hex()}) here{distance}"
    )


def try_next(verdict: Verdict, called: str) -> str:
    """The command that would tell more."""
    again = f"pandatui replay {called} --verify"
    recorded = {what: old for what, old, _ in verdict.environment if _WORD.fullmatch(old)}
    if not verdict.environment:
        return f"{again} once more: a change of the record differs at the same step each time"
    if "kernel" in recorded:
        return f"OPENBLAS_CORETYPE={recorded['kernel']} {again}"
    if "numpy" in recorded:
        return f"{again}, with numpy=={recorded['numpy']} installed"
    return f"{again}, on the machine that recorded it"


def verdict_json(path: Path, verdict: Verdict, status: int, called: str) -> dict[str, Any]:
    """The object of `--json`; numbers that JSON does not know are strings."""
    first = verdict.first
    return {
        "session": str(path),
        "identical": verdict.identical,
        "exit": status,
        "steps": verdict.steps,
        "found_steps": verdict.found_steps,
        "costs_equal": verdict.costs_equal,
        "weights_equal": verdict.weights_equal,
        "same_environment": verdict.same_environment,
        "environment": {what: {"recorded": old, "here": new} for what, old, new in verdict.environment},
        "first_block": list(verdict.block) if verdict.block else None,
        "first_step": None
        if first is None
        else {
            "step": first.step,
            "recorded": to_number(first.recorded),
            "here": to_number(first.found),
            "recorded_hex": first.recorded.hex(),
            "here_hex": first.found.hex(),
            "ulps": first.ulps if first.ulps >= 0 else None,
            "dtype": first.dtype,
        },
        "try_next": None if verdict.identical else try_next(verdict, called),
    }


# -- ghosts --------------------------------------------------------------------------------------------------


def worth_words(found: Worth) -> str:
    """nudge 2 (momentum 0.9 → 0.95 at step 412) lowered dev cost by 0.012 at epoch 20."""
    names = [_gesture_words(each) for each in found.gestures]
    who = ", ".join(names[:-1]) + " and " + names[-1] + " together" if len(names) > 1 else names[0]
    if not found.epoch or (math.isnan(found.with_them) and math.isnan(found.without_them)):
        return f"{who}: no epoch's end is in both runs, so there is nothing to compare"
    if not math.isfinite(found.lowered):
        return (
            f"{who}: dev cost {cost(found.with_them)} with, {cost(found.without_them)} without, "
            f"at epoch {found.epoch:,}"
        )
    if found.lowered == 0:
        return f"{who} made no difference to dev cost at epoch {found.epoch:,}"
    verb = "lowered" if found.lowered > 0 else "raised"
    return f"{who} {verb} dev cost by {cost(abs(found.lowered))} at epoch {found.epoch:,}"


def _gesture_words(gesture: Gesture) -> str:
    turned = f"{_value(gesture.knob, gesture.before)} → {_value(gesture.knob, gesture.after)}"
    return f"nudge {gesture.number} ({KNOBS[gesture.knob].label} {turned} at step {gesture.first_step:,})"


def _value(knob: str, value: float) -> str:
    return f"{value:.6g}" if knob in ("momentum", "second_moment") else number(value)


def ghost_json(path: Path, session: Session, branch: Session, found: Worth | None) -> dict[str, Any]:
    """The object of `--json`."""
    return {
        "session": str(path),
        "parent": {"id": session.id, "name": session.name, "step": branch.parent and branch.parent.step},
        "status": branch.status,
        "steps": branch.steps,
        "epochs": branch.epochs,
        "dev_cost": branch.result.dev_cost,
        "without": [] if found is None else [each.number for each in found.gestures],
        "worth": None
        if found is None
        else {
            "epoch": found.epoch,
            "dev_cost_with": to_number(found.with_them),
            "dev_cost_without": to_number(found.without_them),
            "lowered": to_number(found.lowered),
        },
        "weights_sha256": branch.result.weights_sha256,
        "costs_sha256": branch.result.costs_sha256,
    }
