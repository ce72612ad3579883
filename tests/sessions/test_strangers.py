"""Sessions from strangers: whatever the bytes, a session or one error in one line, in little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.report_curve import drawn, svg
from pandatui.report_sessions import exported, summary
from pandatui.sessions import SessionError, schema
from pandatui.sessions.export import as_csv, as_schedule
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import decode, encode, integrity_of
from pandatui.sessions.store import Store, read
from pandatui.training.events import Note, Nudge, Undo

ME = Identity("brave-otter", "0b8e0d5e-0000-4000-8000-000000000000", "2026-01-02T03:04:05+00:00")


@pytest.fixture(scope="module")
def raw(new_run):
    run = new_run(epochs=3)
    for command in (Nudge("learning_rate", notches=2), Nudge("momentum", to=0.5), Undo(), Note("ü")):
        run.step()
        run.step()
        run.apply(command, 0.5)
    while run.ready:
        run.step()
    return encode(record(run, ME, 1.25, run.evaluate()))


def decoded(content):
    """The session and whether it is whole, or None and why not."""
    try:
        return decode(content), ""
    except SessionError as error:
        return None, str(error)


def looked_at(path, session, whole):
    """Everything that shows a session: none of it may raise."""
    json.dumps(exported(path, session, whole))
    return summary(session, whole), svg(session), drawn(session), as_csv(session), as_schedule(session)


def test_two_thousand_flipped_bits_pass_for_nothing_else(raw):
    rng = np.random.default_rng(1)
    content = json.loads(raw)
    for place in rng.integers(0, len(raw), 2000).tolist():
        flipped = bytearray(raw)
        flipped[place] ^= 1 << int(rng.integers(8))
        found, says = decoded(bytes(flipped))
        if found is None:
            assert "\n" not in says
        else:
            assert not found[1] or json.loads(flipped) == content


def test_a_key_that_nobody_knows_is_quoted_on_one_line(raw):
    found, says = decoded(raw.replace(b'"steps":', b'"st\\neps\\u001b[2J":', 1))
    assert found is None
    assert "eps" in says
    assert not {"\n", "\x1b"} & set(says)


def places(value, path=()):
    """The paths of all values inside a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield from places(inner, (*path, i))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 10**300, -(10**300)]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["NaN", "Infinity", "nudge", "undo", "\x1b]0;x\x07", "../../x", "a" * 5000, ""]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@given(data=st.data())
def test_any_value_anywhere_is_refused_or_can_be_shown(raw, tmp_path_factory, data):
    plain = json.loads(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([p for p in places(plain) if p]))
        target = plain
        for key in path[:-1]:
            target = target[key]
        if data.draw(st.booleans()) and data.draw(st.booleans()):
            del target[path[-1]]
        else:
            target[path[-1]] = data.draw(ODD)
    plain["integrity"] = integrity_of(plain)
    found, says = decoded(json.dumps(plain).encode())
    if found is None:
        assert "\n" not in says
        assert len(says) < 1000
    else:
        looked_at(tmp_path_factory.getbasetemp() / "x.json", *found)


@given(st.binary(max_size=300))
def test_any_bytes(content):
    with pytest.raises(SessionError):
        decode(content)


EDITS = [
    (lambda p: p["events"][0].update(id=2), "$.events[0].id"),
    (lambda p: p["events"][0].update(kind="exec"), "$.events[0].kind"),
    (lambda p: p["events"][0].update(step=0), "$.events[0]"),
    (lambda p: p["events"][0].update(step=10**14), "$.events[0].step"),
    (lambda p: p["events"][0].update(seconds=-1.0), "$.events[0]"),
    (lambda p: p["events"][0].update(knob="__class__"), "$.events[0].knob"),
    (lambda p: p["events"][0].update(to=1e300), "$.events[0].to"),
    (lambda p: p["events"][0].pop("to"), "$.events[0].to"),
    (lambda p: p["events"][0].update({"from": -1.0}), "$.events[0].from"),
    (lambda p: p["events"][0].update(by="root"), "$.events[0].by"),
    (lambda p: p["events"][0].pop("nudge"), "$.events[0].nudge"),
    (lambda p: p["events"][2].pop("back_to"), "$.events[2].back_to"),
    (lambda p: p["events"][3].update(kind="extend"), "$.events[3].epochs"),
    (lambda p: p["data"].update(classes=["one"]), "$.data.classes"),
    (lambda p: p["data"]["statistics"].update(mean=[]), "$.data.statistics.mean"),
    (lambda p: p["data"]["statistics"].update(scale=[0.0] * 3), "$.data.statistics.scale"),
    (lambda p: p["curves"]["dev_step"]["first"].__setitem__(0, "Infinity"), "$.curves.dev_step"),
    (lambda p: p["curves"]["abandoned"][0]["step"].pop(), "$.curves.abandoned[0]"),
    (lambda p: p.update(seconds=1e300), "$.seconds"),
    (lambda p: p.update(seconds=-1.0), "$.seconds"),
]


@pytest.mark.parametrize(("edit", "where"), EDITS)
def test_what_no_run_records_is_refused_with_its_place(raw, edit, where):
    plain = json.loads(raw)
    edit(plain)
    with pytest.raises(SessionError) as caught:
        decode(json.dumps(plain).encode())
    assert where in str(caught.value)


def test_long_digits_are_refused_in_numbers_alone(raw):
    plain = json.loads(raw)
    plain["events"][3]["text"] = "9" * 2000
    decode(json.dumps(plain).encode())
    for number in (b"9" * 500, b"0." + b"9" * 1500, b"1e" + b"9" * 500, b"9" * 1_000_000):
        with pytest.raises(SessionError):
            decode(raw.replace(b'"seconds": 1.25', b'"seconds": ' + number))


@pytest.mark.parametrize("length", [998, 999, 1_000, 1_001, 2_500])
@pytest.mark.parametrize("before", [0, 1, 499, 500, 999, 1_000, 1_001])
def test_a_row_of_digits_is_found_wherever_it_begins(before, length):
    raw = b"x" * before + b"7" * length + b"x" * 700
    assert schema._has_endless(raw) == bool(re.search(rb"[0-9]{1000}", raw))


# What grows most in memory or time for its bytes; made in a process of its own, whose peak is looked at.
LARGE = {
    "lists": "b'[],' * (MAX_BYTES // 3)",
    "fewer lists": "b'[],' * 290_000 + b'[]'",
    "objects": "b'{},' * 290_000 + b'{}'",
    "keys": "b'{' + b','.join(b'\"%d\":1' % i for i in range(490_000)) + b'}'",
    "escaped keys": "b'{' + b','.join(b'\"\\\\u0041%d\":1' % i for i in range(490_000)) + b'}'",
    "numbers": "b'0.5,' * 1_900_000 + b'0'",
    "one long string": "b'\"' + b'a' * (MAX_BYTES - 300) + '\U0001f600'.encode() + b'\"'",
    "backslashes": "b'\"' + b'\\\\' * (MAX_BYTES - 300) + b'\"'",
    "digits": "b'9' * (MAX_BYTES - 300)",
    "depth": "b'[' * 290_000",
    "too large": "b' ' * (MAX_BYTES + 1)",
}
SCRIPT = """
import resource
from pandatui.sessions.schema import MAX_BYTES, SessionError, decode
raw = b'{{"format": "pandatui-session", "version": 1, "queue": [' + {made} + b']}}'
try:
    decode(raw)
except SessionError:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_maxrss // 1024)
"""


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_file_takes_little(name):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(made=LARGE[name])],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) < 500  # MB


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    (tmp_path / "folder.json").mkdir()
    store = Store(tmp_path)
    for name in ("pipe", "link", "zero", "loop", "folder"):
        with pytest.raises(SessionError):
            read(tmp_path / f"{name}.json")
        with pytest.raises(SessionError):
            store.find(name)
    assert all(each.session is None and each.problem for each in store.list())


def test_a_sparse_file_of_a_terabyte(tmp_path):
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SessionError, match="larger than"):
        read(tmp_path / "huge.json")
