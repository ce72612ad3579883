"""Files of every kind from strangers, each opened as pandatui opens it; run as a process of its own.

    python fuzzing.py FOLDER COUNT SECONDS SEED KIND...

makes of valid files of each kind at least COUNT mutations, for at least SECONDS, and with all kinds the bombs
too, and prints as JSON what was seen: how many were refused, what was raised that is no refusal, the longest
time that one took, and the peak of memory. With SECONDS the mutations are guided by what they reach; what
fell is left in FOLDER/fell.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
import traceback
import unicodedata
import warnings
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from guided import Guide
from kinds import NAMES, Kinds, sealed

import pandatui
from pandatui.data import DataError
from pandatui.search.spec import SpecError
from pandatui.sessions import SessionError
from pandatui.sessions.checkpoints import CheckpointError
from pandatui.settings import SettingsError
from pandatui.training import ConfigError
from pandatui.training.environment import pin_blas

OURS = (SessionError, DataError, SpecError, ConfigError, CheckpointError, SettingsError)
LONGEST_LINE = 1_000  # characters of an error
WORTH_A_SECOND_LOOK = 0.5  # seconds: being watched takes many times as long
HOME = os.path.dirname(pandatui.__file__) + os.sep
# what reads files and makes sense of them; drawing a curve is the same lines whatever is in it
WATCHED = tuple(
    HOME + part for part in ("data", "sessions", "search", "training", "settings", "toml", "report")
)


class Attack:
    """What was seen so far."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.seen: Counter[str] = Counter()
        self.slowest = (0.0, "")
        self.failures: dict[str, str] = {}  # by where it fell

    def one(self, kind: str, raw: bytes, called: str, guide: Guide | None = None, name: str = "") -> None:
        """Open it once; again, unwatched, where that took long."""
        path = self.kinds.folder / (name or self.kinds.kinds[kind].name)
        path.write_bytes(raw)
        began = time.process_time()
        with nullcontext() if guide is None else guide.watching():
            refusal = self._opened(kind, path, raw, called)
        took = time.process_time() - began
        if guide is not None:
            guide.learn(raw, refusal)
            if took > WORTH_A_SECOND_LOOK:
                self.one(kind, raw, called)
                return
        self.slowest = max(self.slowest, (took, called))

    def _opened(self, kind: str, path: Path, raw: bytes, called: str) -> str:
        """What it was refused with, in a word or more; empty where it was opened."""
        try:
            self.kinds.kinds[kind].open(path)
        except OURS as error:
            if called.startswith("valid"):
                self._fell(f"{called}: {error}", called, raw)
            self.seen[f"{kind} refused"] += 1
            says = str(error)
            if not says or len(says) > LONGEST_LINE or any(unicodedata.category(c) == "Cc" for c in says):
                self._fell(f"{called} not in one line: {says[:200]!r}", f"{kind}: what it says", raw)
            return f"{type(error).__name__} {says}"
        except (Exception, RecursionError) as error:
            frames = [
                each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(HOME)
            ]
            where = f"{frames[-1].filename.removeprefix(HOME)}:{frames[-1].lineno}" if frames else "?"
            self._fell(f"{kind}: {type(error).__name__} at {where}: {str(error)[:300]}", where, raw)
            return where
        self.seen[f"{kind} opened"] += 1
        return ""

    def _fell(self, what: str, where: str, raw: bytes) -> None:
        if where not in self.failures:
            folder = self.kinds.folder / "fell"
            folder.mkdir(exist_ok=True)
            self.failures[where] = f"{what}; {folder / str(len(self.failures))}"
            (folder / str(len(self.failures) - 1)).write_bytes(raw)

    def guided(self, kind: str, count: int, seconds: float, seed: str) -> None:
        """The mutations of one kind."""
        seeds, chance = self.kinds.kinds[kind].seeds, random.Random(f"{seed}/{kind}")
        guide = Guide(seeds, WATCHED, chance)
        watcher = guide if seconds else None
        for each in seeds:
            self.one(kind, each, f"{kind} to start from", watcher)
        number, end = 0, time.monotonic() + seconds
        while number < count or time.monotonic() < end:
            raw = guide.next()
            self.one(kind, sealed(raw) if kind == "sealed journal" else raw, f"{kind} {number}", watcher)
            number += 1
        if watcher:
            self.seen[f"{kind} reached"] = len(guide.reached)
            self.seen[f"{kind} kept"] = len(guide.kept)


def main(folder: Path, count: int, seconds: float, seed: str, chosen: list[str]) -> None:
    pin_blas()
    warnings.simplefilter("error")
    attack = Attack(Kinds(folder))
    for kind in chosen:
        attack.one(kind, attack.kinds.kinds[kind].seeds[0], f"valid {kind}")
    assert not attack.failures, attack.failures
    assert not any("refused" in what for what in attack.seen), attack.seen
    if chosen == NAMES:
        for number, (kind, name, raw) in enumerate(attack.kinds.bombs()):
            attack.one(kind, raw, f"bomb {number} of {kind}", name=name)
            (folder / name).unlink()
    for kind in chosen:
        attack.guided(kind, count, seconds, seed)
        (folder / attack.kinds.kinds[kind].name).unlink()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    said = {"seen": attack.seen, "failures": [*attack.failures.values()], "slowest": attack.slowest}
    print(json.dumps(said | {"mb": usage.ru_maxrss // 1024}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5:] or NAMES)
