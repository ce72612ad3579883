"""Strings from strangers, in every place where one reaches the screen, tables, logs, errors and exports.

`PANDATUI_STRINGS` says how many are generated besides the listed ones.
"""

# ruff: noqa: E501 (tables read best with one case a line)

from __future__ import annotations

import json
import os
import random
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pandatui.sessions.schema import integrity_of

STRINGS = int(os.environ.get("PANDATUI_STRINGS", "12"))
SEED = os.environ.get("PANDATUI_SEED") or str(secrets.randbelow(10**9))
Outside = Callable[..., tuple[int, str, str]]

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(120 + STRINGS)]

LISTED = [
    *("\x1b[31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]2;t\x1b\\", "\x1bc", "\x1b[6n", "\x1b[?1049h"),
    *("\x1b]52;c;cm0gLXJm\x07", "\x1b]52;p;?\x1b\\", "\x1b]8;;http://evil\x1b\\go\x1b]8;;\x1b\\", "\x1bP+q544e\x1b\\"),
    *("\x9b31m", "\x9d0;x\x9c", "\x90q\x9c", "\x85", "\x84", "\x8d", "\x9f", "\x7f", "\x08\x08\x08", "\x0b\x0c", "\x00", "a\0b"),
    *("\u202egnp.exe", "\u202a\u202b\u202c\u202d", "\u2066a\u2067b\u2068c\u2069", "\u200e\u200f", "\u061c", "\u2028", "\u2029"),
    *("[red]x[/red]", "a[/b]", "[@click=app.quit]x[/]", "[link=http://evil]x[/link]", "[[", "[bold", "]", "$x", "{x}", "%s%n"),
    *("http://evil", "file:///etc/passwd", "<b>&amp;</b>", "<script>alert(1)</script>", "]]>", '"/><x y="'),
    *("漢字" * 30, "ﷺ" * 9, "🐼" * 20, "👩‍👩‍👧‍👦", "🇩🇪", "e" + "\u0301" * 60, "Z\u0351\u0352\u0353", "\u200b\u200d\ufeff", "ａｂ"),
    *("a\nb", "a\r\nb", "\t\t", "\r", "", " ", "-", "--help", "=1+1", "@x", "../../x", "~", "x" * 3000, "'; rm -rf /; '"),
    *("\ue000", "\U000e0041\U000e0042", "\ufffe", "\U0010ffff", "`id`", "$(id)"),
]  # fmt: skip


def payloads() -> list[str]:
    chance = random.Random(SEED)
    parts = [*LISTED, *map(chr, range(256)), "\u202e", "\u2066", "\u2028", "漢", "\u0301", "a", "[", "/"]
    return LISTED + ["".join(chance.choices(parts, k=chance.randint(1, 6)))[:500] for _ in range(STRINGS)]


def unclean(text: str) -> Iterator[str]:
    """What in it a terminal would act on."""
    bidi = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    for c in text:
        if c != "\n" and (c in bidi or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")):
            yield hex(ord(c))


def harmless(found: tuple[int, str, str], args: object) -> None:
    status, out, err = found
    assert status in (0, 2, 3, 4, 5, 6, 7), (status, args, err)
    assert not set(unclean(out + err)), (args, set(unclean(out + err)))
    assert "Traceback" not in err, (args, err)


def test_in_a_session_and_its_queue(outside: Outside) -> None:
    assert len(LISTED) >= 60
    print(f"PANDATUI_STRINGS={STRINGS} PANDATUI_SEED={SEED}")
    common = ("--data", "xor", "--hidden", "4", "--epochs", "1", "--sessions", "kept")
    assert outside("train", *common, "--name", "one")[0] == 0
    path = Path("kept/one.json")
    true = path.read_bytes()
    for evil in payloads():
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


def test_in_arguments(outside: Outside) -> None:
    for evil in payloads():
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


def test_in_a_table_and_in_what_is_predicted(outside: Outside) -> None:
    for number, evil in enumerate(payloads()[:: max(1, STRINGS // 12)]):
        cell = '"' + evil.replace('"', '""').replace("\n", " ").replace("\r", " ").replace("\0", "") + 'k"'
        rows = "".join(f"{i},{i * 7 % 11},{cell if i % 2 else 'other'}\n" for i in range(20))
        Path("t.csv").write_text(f"a,{cell},kind\n{rows}", encoding="utf-8")
        harmless(outside("data", "t.csv"), evil)
        name = f"s{number}"
        common = ("--epochs", "1", "--hidden", "2", "--sessions", "kept", "--name", name)
        harmless(outside("train", "--data", "t.csv", *common), evil)
        harmless(outside("predict", name, "t.csv", "--sessions", "kept"), evil)


def test_in_a_spec(outside: Outside) -> None:
    for evil in payloads():
        Path("s.json").write_text(json.dumps({"space": evil, "run": {"data": evil}}))
        harmless(outside("batch", "s.json", "--print-spec"), evil)
        Path("s.json").write_text(json.dumps({"run": {"data": evil, "drop": [evil]}, "trials": 9}))
        harmless(outside("batch", "s.json", "--print-spec"), evil)
        Path("s.json").write_text(json.dumps({evil: evil}))
        harmless(outside("batch", "s.json"), evil)
