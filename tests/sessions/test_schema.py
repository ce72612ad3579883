"""The session file: round trip, integrity, and whatever a file may hold refused in one line."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from pandatui.sessions import SessionError
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import decode, encode, from_number, to_number, to_numbers
from pandatui.training import PlannedNudge
from pandatui.training.events import Note, Nudge, Pause

ME = Identity("brave-otter", "0b8e0d5e-0000-4000-8000-000000000000", "2026-01-02T03:04:05+00:00")


@pytest.fixture
def session(new_run):
    run = new_run(plan=(PlannedNudge(3, "l2", times=2.0), PlannedNudge(4, "decay", to=0.1)))
    run.step()
    run.apply(Nudge("learning_rate", notches=1), 0.25)
    run.apply(Note('a "note" with ü and \x1b'), 0.5)
    while run.ready:
        run.step()
    return record(run, ME, 1.25, run.evaluate())


def plain_of(session):
    return json.loads(encode(session))


def sealed(plain):
    """The file with its integrity set right, as a careful forger would."""
    rest = {key: value for key, value in plain.items() if key != "integrity"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(rest | {"integrity": hashlib.sha256(canonical.encode()).hexdigest()}).encode()


def test_round_trip(session):
    raw = encode(session)
    again, whole = decode(raw)
    assert whole
    assert again.integrity
    again.integrity = ""
    assert again == session
    assert encode(again) == raw


def test_the_top_level_keys_in_order(session):
    assert list(plain_of(session)) == [
        "format",
        "version",
        "id",
        "name",
        "created",
        "status",
        "environment",
        "config",
        "data",
        "steps",
        "epochs",
        "seconds",
        "events",
        "curves",
        "result",
        "queue",
        "parent",
        "integrity",
    ]


def test_events_are_a_line_each_with_their_own_fields_only(session):
    lines = [line.strip().rstrip(",") for line in encode(session).decode().splitlines()]
    events = [json.loads(line) for line in lines if line.startswith('{"id"')]
    assert events == plain_of(session)["events"]
    assert events[0] == {
        "id": 1,
        "step": 2,
        "kind": "nudge",
        "seconds": 0.25,
        "knob": "learning_rate",
        "from": 0.1,
        "to": 0.125892541179,
        "by": "you",
        "nudge": 1,
    }
    assert set(events[1]) == {"id", "step", "kind", "seconds", "text"}
    assert [e["by"] for e in events if e["kind"] == "nudge"] == ["you", "plan"]  # ×2 of no L2 is no nudge


def test_integrity_is_the_hash_of_the_canonical_json_of_all_else(session):
    """Floats that Python writes as JSON does; so the standard library alone can check it."""
    plain = plain_of(session)
    assert decode(sealed(plain))[1]


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p.update(name="other"),
        lambda p: p["config"].update(learning_rate=0.2),
        lambda p: p["events"].pop(),
        lambda p: p["curves"]["train"]["first"].__setitem__(3, 0.5),
        lambda p: p["result"].update(test_accuracy=1.0),
        lambda p: p.update(integrity="0" * 64),
        lambda p: p.update(integrity=""),
        lambda p: p.pop("integrity"),
    ],
)
def test_an_edit_is_seen(session, edit):
    plain = plain_of(session)
    edit(plain)
    again, whole = decode(json.dumps(plain).encode())
    assert not whole
    assert again.steps == session.steps


def test_layout_is_no_edit(session):
    assert decode(json.dumps(plain_of(session), indent=7).encode())[1]


def test_numbers_that_json_does_not_know(session):
    values = [1.5, math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7976931348623157e308]
    numbers = to_numbers(values)
    assert numbers[1:4] == ["Infinity", "-Infinity", "NaN"]
    assert all(isinstance(number, float) for number in numbers[:1] + numbers[4:])
    back = [from_number(number) for number in numbers]
    assert np.array_equal(np.array(back), np.array(values), equal_nan=True)
    assert math.isnan(from_number(None))
    assert to_number(np.float64(0.1)) == 0.1

    session.curves.train.first = numbers
    session.result.dev_cost = to_number(math.inf)
    again, whole = decode(encode(session))
    assert whole
    assert again.curves.train.first == numbers
    assert b"1.7976931348623157e308" in encode(session)
    assert again.result.dev_cost == "Infinity"


def test_every_float_comes_back_to_the_bit(session):
    values = np.random.default_rng(0).random(5000) * 10.0 ** np.random.default_rng(1).integers(
        -300, 300, 5000
    )
    session.curves.train.first = to_numbers(values.tolist())
    assert decode(encode(session))[0].curves.train.first == values.tolist()


REFUSED = [
    (lambda p: p.update(format="other"), "not a pandatui session"),
    (lambda p: p.pop("format"), "not a pandatui session"),
    (lambda p: p.update(version=2), "reads up to version 1"),
    (lambda p: p.update(version=0), "version"),
    (lambda p: p.update(version="1"), "version"),
    (lambda p: p.update(colour="red"), "colour"),
    (lambda p: p.pop("steps"), "steps"),
    (lambda p: p.update(steps=-1), "$.steps"),
    (lambda p: p.update(steps=1.5), "$.steps"),
    (lambda p: p.update(steps=2**60), "$.steps"),
    (lambda p: p.update(status="crashed"), "$.status"),
    (lambda p: p.update(name=None), "$.name"),
    (lambda p: p.update(name="x" * 5000), "$.name"),
    (lambda p: p.update(seconds="NaN"), "$.seconds"),
    (lambda p: p.update(events={}), "$.events"),
    (lambda p: p["events"][0].update(odd=1), "odd"),
    (lambda p: p["events"][0].update(to="NaN"), "$.events[0].to"),
    (lambda p: p["curves"]["train"].update(first=["nan"]), "$.curves.train.first[0]"),
    (lambda p: p["curves"]["train"].update(first=[[1.0]]), "$.curves.train.first[0]"),
    (lambda p: p["curves"]["dev_cost"]["first"].pop(), "as many dev steps"),
    (
        lambda p: p["curves"]["train"].update(
            blocks={"size": 1024, "min": [1.0], "mean": [1.0], "max": [], "h": []}
        ),
        "of every block",
    ),
    (lambda p: p["result"].update(weights_sha256="x"), "$.result.weights_sha256"),
    (lambda p: p["config"].pop("l2"), "'l2'"),
    (lambda p: p["config"].update(odd=1), "'odd'"),
    (lambda p: p["config"].update(hidden=[0]), "hidden units"),
    (lambda p: p["config"].update(plan=[{"step": 1}]), "planned nudge"),
    (lambda p: p["config"].update(momentum=10**400), "momentum"),
    (lambda p: p["data"]["statistics"].update(kind="auto"), "$.data.statistics.kind"),
    (lambda p: p.update(queue=[1]), "$.queue[0]"),
    (lambda p: p.update(parent={"odd": 1}), "odd"),
]


@pytest.mark.parametrize(("edit", "says"), REFUSED)
def test_a_field_that_is_wrong_is_named(session, edit, says):
    plain = plain_of(session)
    edit(plain)
    with pytest.raises(SessionError) as caught:
        decode(json.dumps(plain).encode())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"pandatui-session"',
        b"{}",
        b'{"format": NaN}',
        b'{"format": 1e999}',
        b'{"format": "pandatui-session", "version": 99999999999999999999999}',
        b'{"format": "pandatui-session", "version": 1}',
        b'{"format": "pandatui-session", "version": true}',
        b'{"format": "pandatui-session"} x',
        b"\xff\xfe\x00",
        b'{"format": "\xff"}',
        b"\x00" * 100,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": "pandatui-session", "version": 1, "config": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_bytes_that_are_no_session(raw):
    with pytest.raises(SessionError) as caught:
        decode(raw)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x10", b"01"])
def test_numbers_that_are_no_json(session, literal):
    raw = encode(session).replace(b'"seconds": 1.25', b'"seconds": ' + literal)
    assert literal in raw
    with pytest.raises(SessionError):
        decode(raw)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (b'"steps":', b'"steps": 7, "steps":', "$.steps"),
        (b'"steps":', b'"\\u0073teps": 7, "steps":', "$.steps"),
        (b'"seed":', b'"seed": 7, "seed":', "$.config.seed"),
        (b'"seed":', b'"seed" : 7, "seed":', "$.config.seed"),
        (b'"seed":', b'"seed"\n: 7, "seed"\t:', "$.config.seed"),
        (b'"queue": []', b'"queue": [{"a": 1}, {"a": 1}, {"b": {"a": 1, "a": 1}}]', "$.queue.b.a"),
    ],
)
def test_a_key_given_twice_is_refused(session, old, new, where):
    raw = encode(session)
    assert old in raw
    with pytest.raises(SessionError) as caught:
        decode(raw.replace(old, new, 1))
    assert f"{where}: expected a key once" in str(caught.value)


def test_a_torn_file_is_refused_at_every_length(session):
    raw = encode(session).rstrip()
    for length in range(0, len(raw), 97):
        with pytest.raises(SessionError):
            decode(raw[:length])


def test_flipped_bits_are_refused_or_seen(session):
    """No flip in the file passes for the original but those in the spaces of its layout."""
    raw = bytearray(encode(session))
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(raw), 400).tolist():
        flipped = raw.copy()
        flipped[place] ^= 1 << int(rng.integers(8))
        try:
            again, whole = decode(bytes(flipped))
        except SessionError:
            continue
        assert not whole or json.loads(flipped) == json.loads(raw), again


def test_no_person_place_or_path_is_in_it(session):
    import getpass
    import socket
    from pathlib import Path

    raw = encode(session).decode()
    for private in (str(Path.home()), str(Path.cwd()), socket.gethostname(), f'"{getpass.getuser()}'):
        assert private not in raw


def test_a_pause_is_an_event_and_no_status(new_run):
    run = new_run()
    run.apply(Pause())
    session = record(run, ME, 0.0, None)
    assert (session.status, [e.kind for e in session.events]) == ("running", ["pause"])
    assert session.result.train_cost is None
    assert session.result.best_epoch is None
    assert decode(encode(session))[1]
