"""Strings from strangers, in every place where one reaches the screen, tables, logs, errors and exports.

`PANDATUI_STRINGS` says how many are generated besides the listed ones.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pandatui.sessions.schema import integrity_of

STRINGS = int(os.environ.get("PANDATUI_STRINGS", "12"))
Outside = Callable[..., tuple[int, str, str]]
Harmless = Callable[[tuple[int, str, str], object], None]

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(120 + STRINGS)]


@pytest.fixture
def harmless(strangers: Any) -> Harmless:
    """Fails for a status that is none of ours and for anything that a terminal would act on."""

    def check(found: tuple[int, str, str], args: object) -> None:
        status, out, err = found
        assert status in (0, 2, 3, 4, 5, 6, 7), (status, args, err)
        assert not strangers.unclean(out + err), (args, strangers.unclean(out + err))
        assert "Traceback" not in err, (args, err)

    return check


def test_in_a_session_and_its_queue(outside: Outside, strangers: Any, harmless: Harmless) -> None:
    assert strangers.listed >= 60
    print(strangers)
    common = ("--data", "xor", "--hidden", "4", "--epochs", "1", "--sessions", "kept")
    assert outside("train", *common, "--name", "one")[0] == 0
    path = Path("kept/one.json")
    true = path.read_bytes()
    for evil in strangers.strings:
        plain = json.loads(true)
        plain["name"] = plain["id"] = plain["created"] = evil
        plain["data"] |= {"name": evil, "source": evil}
        plain["data"]["classes"] = [evil, evil + "2"]
        plain["environment"] |= {"kernel": evil, evil: evil}
        plain["parent"] = {"id": evil, "name": evil, "step": 1}
        plain["events"] = [{"id": 1, "step": 1, "kind": "note", "seconds": 0.5, "text": evil}]
        plain["queue"] = [{"spec": {"run": {"data": evil}, evil: evil}, "study": evil}]
        plain["integrity"] = integrity_of(plain)
        path.write_text(json.dumps(plain))
        for form in ("csv", "json", "svg", "txt", "nudges"):
            harmless(found := outside("export", "one", "--format", form, "--sessions", "kept"), (form, evil))
            if form == "svg" and found[0] == 0:
                assert "<script" not in found[1]
        for args in (
            ("sessions",),
            ("sessions", "--json"),
            ("show", "one"),
            ("show", "one", "--json"),
            ("batch", "one"),
        ):
            harmless(outside(*args, "--sessions", "kept"), (args, evil))


def test_in_arguments(outside: Outside, strangers: Any, harmless: Harmless) -> None:
    for evil in strangers.strings:
        if "\0" in evil or not evil.strip() or evil in ("~", "--help"):
            continue  # no argument holds a NUL; help is no error
        for args in (
            ("show", evil),
            ("batch", evil),
            ("batch", "--vary", evil),
            ("data", evil),
            ("train", "--data", "xor", "--nudges", evil),
            ("train", "--data", "xor", "--name", f"\x1b{evil}"),
            ("train", "--data", evil),
            ("--pace", evil),
        ):
            found = outside(*args, *(("--sessions", "kept") if args[0] in ("show", "batch", "train") else ()))
            assert found[0] == 2 or "-" in evil, (args, found)
            harmless(found, args)


def test_in_a_table_and_in_what_is_predicted(outside: Outside, strangers: Any, harmless: Harmless) -> None:
    """Five strings to a table, for its columns and for its classes."""
    for number, start in enumerate(range(0, len(strangers.strings), 5)):
        evil = strangers.strings[start : start + 5]
        cells = [
            '"' + re.sub("[\n\r]", " ", each).replace("\0", "").replace('"', '""') + f'k{i}"'
            for i, each in enumerate(evil)
        ]
        rows = "".join(
            ",".join(str((i + 1) * (j + 3) % 11) for j in range(len(cells))) + f",{cells[i % len(cells)]}\n"
            for i in range(20 * len(cells))
        )
        Path("t.csv").write_text(f"{','.join(cells)},kind\n{rows}", encoding="utf-8")
        harmless(outside("data", "t.csv"), evil)
        name = f"s{number}"
        common = ("--epochs", "1", "--hidden", "2", "--sessions", "kept", "--name", name)
        harmless(found := outside("train", "--data", "t.csv", *common), evil)
        assert found[0] == 0, found
        harmless(outside("predict", name, "t.csv", "--sessions", "kept"), evil)


def test_in_a_spec(outside: Outside, strangers: Any, harmless: Harmless) -> None:
    for evil in strangers.strings:
        Path("s.json").write_text(json.dumps({"space": evil, "run": {"data": evil}}))
        harmless(outside("batch", "s.json", "--print-spec"), evil)
        Path("s.json").write_text(json.dumps({"run": {"data": evil, "drop": [evil]}, "trials": 9}))
        harmless(outside("batch", "s.json", "--print-spec"), evil)
        Path("s.json").write_text(json.dumps({evil: evil}))
        harmless(outside("batch", "s.json"), evil)
