"""Spec files: read back as written, in TOML and JSON, and nothing that a stranger wrote does harm."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.search import Dimension, Space
from pandatui.search.spec import RUN_OPTIONS, Spec, SpecError
from pandatui.search.spec_files import from_json, from_toml, load, to_toml
from pandatui.toml import MAX_BYTES
from pandatui.training.setup import RunOptions

DIGITS = Spec(run=RunOptions(data="digits", epochs=10))
SPACE = Space(
    (
        Dimension("learning_rate", "log", 1e-6, 100),
        Dimension("momentum", "log1m", 0.9, 0.999),
        Dimension("layers", "int", 1, 4),
        Dimension("activation", "choice", choices=("relu", "tanh")),
        Dimension("batch_norm", "choice", choices=(True, False)),
        Dimension("decay", "choice", choices=(0.0, 0.01)),
    )
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
runs = st.builds(
    RunOptions,
    data=names,
    label=st.none() | names,
    drop=st.lists(names, max_size=3).map(tuple),
    hidden=st.none() | st.lists(st.integers(1, 65_536), min_size=1, max_size=4).map(tuple),
    batch_norm=st.none() | st.booleans(),
    learning_rate=st.none() | st.floats(1e-6, 100),
    l2=st.none() | st.just(0) | st.floats(1e-5, 100),
    epochs=st.none() | st.integers(1, 10_000_000),
    dtype=st.sampled_from([None, "float32", "float64"]),
)
specs = st.builds(
    Spec,
    run=runs,
    space=st.sampled_from(["default", "wide", SPACE]),
    rounds=st.integers(1, 9),
    trials=st.integers(9, 20_000),
    keep=st.floats(0, 1, exclude_min=True),
    seed=st.integers(0, 2**62),
    objective=st.sampled_from(["dev_cost", "best_dev_cost", "dev_accuracy"]),
    sampling=st.sampled_from(["random", "grid"]),
    halving=st.booleans(),
    seeds=st.integers(1, 100),
)


@given(specs)
def test_what_is_written_reads_back_equal(spec):
    assert from_toml(to_toml(spec).encode()) == spec
    assert from_json(json.dumps(spec.to_plain()).encode()) == spec


def test_what_is_printed_to_start_from():
    lines = to_toml(DIGITS).splitlines()
    assert all(len(line) <= 110 for line in lines)
    assert 'data = "digits"                 # a built-in set or a file' in lines
    assert "# hidden = [64, 32]             # units, layer by layer" in lines
    assert {line.partition(" =")[0].lstrip("# ") for line in lines if " = " in line} >= {
        *RUN_OPTIONS,
        *DIGITS.to_plain(),
    } - {"run"}


def test_what_is_printed_as_a_default_is_one():
    """Every comment that shows a default, made a line, changes nothing; label and drop are examples."""
    lines = to_toml(DIGITS).splitlines()
    end = lines.index(next(line for line in lines if line.startswith("[run]")))
    shown = [line.removeprefix("# ") if " = " in line else line for line in lines[end:]]
    kept = [line for line in shown if not line.startswith(("label", "drop"))]
    spec = from_toml("\n".join([*lines[:end], *kept]).encode())
    assert spec.fingerprint() == DIGITS.fingerprint()
    assert spec != DIGITS


def test_the_space_that_is_printed_as_an_example_is_a_space():
    text = to_toml(DIGITS).replace('space = "default"', "# ")
    spec = from_toml(re.sub(r"(?m)^# (\[space\]|\w+ = \{)", r"\1", text).encode())
    assert spec.space.knobs == ("learning_rate", "momentum", "layers", "activation")


def test_a_table_of_a_space_in_any_of_tomls_ways():
    text = 'rounds = 1\n[space.learning_rate]\nscale = "log"\nlow = 1\nhigh = 10\n[run]\ndata = "digits"\n'
    assert from_toml(text.encode()) == Spec(
        run=RunOptions(data="digits"), rounds=1, space=Space((Dimension("learning_rate", "log", 1, 10),))
    )


def test_files_are_read_by_their_names_end(tmp_path):
    toml, js, bare = tmp_path / "a.toml", tmp_path / "a.json", tmp_path / "spec"
    toml.write_text(to_toml(DIGITS), encoding="utf-8")
    bare.write_text("\ufeff" + to_toml(DIGITS), encoding="utf-8")
    js.write_text(json.dumps(DIGITS.to_plain()), encoding="utf-8")
    assert load(toml) == load(js) == load(bare) == DIGITS


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"none\.toml: expected a file, found nothing there"):
        load(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="expected a regular file, found a folder"):
        load(tmp_path)
    (tmp_path / "a.toml").write_text("rounds = 0")
    with pytest.raises(SpecError, match=r"a\.toml: rounds 0: expected"):
        load(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "not JSON as expected"),
        (b"[]", "spec []: expected a table"),
        (b"null", "spec None: expected a table"),
        (b'{"rounds": 1', "not JSON as expected"),
        (b'{"rounds": 1, "rounds": 2}', "'rounds': expected a key once, found it twice"),
        (b'{"run": {"data": "a", "data": "b"}}', "'data': expected a key once"),
        (b'{"rounds": 1, "\\u0072ounds": 2}', "'rounds': expected a key once"),
        (b'{"keep": NaN}', "NaN: expected a number"),
        (b'{"keep": -Infinity}', "-Infinity: expected a number"),
        (b'{"keep": 1e999}', "keep inf: expected"),
        (b'{"seed": %s}' % (b"9" * 5_000), "not JSON as expected: Exceeds the limit"),
        (b'{"seed": %s}' % (b"9" * 4_000), "seed 99999"),
        (b'{"space": ' + b"[" * 100_000, "not JSON as expected"),
        (b'{"space": ' + b'{"a":' * 100_000, "not JSON as expected"),
        (b'{"run": {"data": "\\ud800"}}', "run: data '\\ud800': expected text"),
        (b'{"\\n\\u001b[31m": 1}', "'\\n\\x1b[31m': expected one of"),
        (b"\xff{}", "expected text in UTF-8"),
        (b" " * (MAX_BYTES + 1), "larger than 1 MiB"),
        (b'{"run": {"hidden": [%s]}}' % b",".join([b"1"] * 100_000), "hidden: 100000 layers"),
        (b'{"%s": 1}' % (b"x" * 500_000), "'xxx"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else "",
)
def test_json_that_is_no_spec_is_refused_in_one_short_line(raw, expected):
    with pytest.raises(SpecError) as caught:
        from_json(raw)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"rounds = ", "not TOML as expected: Invalid value (at end of document)"),
        (b"rounds = 1\nrounds = 2", "not TOML as expected: Cannot overwrite a value"),
        (b"[run]\n[run]", "not TOML as expected"),
        (b"rounds = 1979-05-27", "rounds datetime.date(1979, 5, 27): expected a whole number"),
        (b"keep = nan", "keep nan: expected"),
        (b"keep = inf", "keep inf: expected"),
        (b"seed = " + b"9" * 5_000, "not TOML as expected: a number with far more digits than a spec has"),
        (b"space = " + b"[" * 100_000, "not TOML as expected: nested deeper than a spec is"),
        (b"space = " + b"{a=" * 100_000, "not TOML as expected"),
        (b"a." * 20_000 + b"a = 1", "far more dots in a line"),
        (b"\n".join(b"a." * 400 + b"a%d = 1" % i for i in range(1_000)), "far more dots in a line"),
        (b"rounds = 1\x00", "not TOML as expected"),
        (b"\xff", "expected text in UTF-8"),
        (b"#" * (MAX_BYTES + 1), "larger than 1 MiB"),
        (b"[workers]\nn = 2", "'workers': expected one of"),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else "",
)
def test_toml_that_is_no_spec_is_refused_in_one_short_line(raw, expected):
    with pytest.raises(SpecError) as caught:
        from_toml(raw)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def made_or_refused(read, raw):
    try:
        return read(raw), ""
    except SpecError as error:
        return None, str(error)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["", "run", "space"]),
    st.sampled_from([*RUN_OPTIONS, *DIGITS.to_plain(), "l2"]),
    json_values,
)
def test_whatever_stands_in_a_field_there_is_a_spec_or_a_refusal(table, name, value):
    plain = {table: {name: value}} if table else {name: value}
    spec, said = made_or_refused(from_json, json.dumps(plain).encode())
    assert said.isprintable()
    assert spec is None or from_json(json.dumps(spec.to_plain()).encode()) == spec


@given(st.binary(max_size=60))
def test_any_bytes_are_a_spec_or_a_refusal(raw):
    for read in (from_json, from_toml):
        assert made_or_refused(read, raw)[1].isprintable()


def test_odd_names_are_written_so_that_any_reader_of_toml_reads_them():
    name = 'a"b\\c\x00\x1f\x7f\t\n\u2028é🐼.csv' + "." * 3_000
    spec = replace(DIGITS, run=RunOptions(data=name))
    assert tomllib.loads(to_toml(spec))["run"]["data"] == name
    assert from_toml(to_toml(spec).encode()) == spec
