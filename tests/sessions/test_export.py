"""What a session is handed on as: read back, and compared with the run it comes from."""

from __future__ import annotations

import csv
import io
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pandatui.data import DataError
from pandatui.report_curve import drawn, svg
from pandatui.sessions.export import as_csv, as_npz, as_schedule, dev_rows, read_schedule, step_of, train_rows
from pandatui.sessions.inputs import load_inputs
from pandatui.sessions.recorder import Identity, record
from pandatui.sessions.schema import Blocks, Values, decode, encode
from pandatui.training import ConfigError
from pandatui.training.environment import pin_blas
from pandatui.training.events import Note, Nudge, Undo
from pandatui.training.setup import RunOptions, prepare

ME = Identity("brave-otter", "0b8e0d5e-0000-4000-8000-000000000000", "2026-01-02T03:04:05+00:00")


@pytest.fixture(autouse=True)
def _one_thread():
    pin_blas()


def nudged(run):
    for command in (
        Nudge("learning_rate", notches=3),
        Nudge("momentum", to=0.5),
        Undo(),
        Note("=1+1, \x1b[2J"),
        Nudge("batch_size", to=7),
        Nudge("momentum", to=0.8),
    ):
        for _ in range(4):
            run.step()
        run.apply(command, 1.0)
    run.apply(Nudge("momentum", to=0.85, continues=True), 1.0)
    while run.ready:
        run.step()
    return run


def session_of(run):
    session, whole = decode(encode(record(run, ME, 9.0, run.evaluate())))
    assert whole
    return session


@pytest.fixture
def run(new_run):
    return nudged(new_run(epochs=8))


@pytest.fixture
def session(run):
    return session_of(run)


# -- curves --------------------------------------------------------------------------------------------------


def test_csv_has_every_cost_and_what_happened(session):
    rows = list(csv.DictReader(io.StringIO(as_csv(session))))
    costs = [float(row["train_cost"]) for row in rows if row["train_cost"]]
    assert costs == session.curves.train.first
    assert [float(r["dev_cost"]) for r in rows if r["dev_cost"]] == session.curves.dev_cost.first
    assert [int(r["step"]) for r in rows if r["dev_cost"]] == session.curves.dev_step.first
    happened = [(int(r["step"]), r["event"]) for r in rows if r["event"]]
    assert [step for step, _ in happened] == [5, 13, 17, 21]
    assert "nudge 1: learning rate 0.1 → 0.2" in happened[0][1]
    assert happened[1][1].startswith("note: =1+1")
    assert "2 presses" in happened[3][1]


def test_blocks_stand_between_the_first_and_the_last(session):
    session.steps = 40
    session.curves.train = Values(
        first=[1.0] * 8,
        last=["NaN"] * 8,
        blocks=Blocks(size=8, min=[0.5] * 5, mean=[1.0] * 5, max=[2.0] * 5),
    )
    rows = train_rows(session)
    assert rows[:, 0].tolist() == [*range(1, 9), 16, 24, 32, *range(33, 41)]
    assert rows[9].tolist() == [24, 1.0, 0.5, 2.0]
    assert "24,1.0,0.5,2.0" in as_csv(session)
    ET.fromstring(svg(session))
    assert drawn(session)


@pytest.mark.parametrize("values", [[], [0.0], ["NaN", "Infinity"], [1e308, 1e-308, 1e308], [0.5] * 3])
def test_pictures_of_odd_curves(session, values):
    session.curves.train, session.steps = Values(first=values), len(values)
    for name in ("dev_step", "dev_cost", "dev_accuracy"):
        setattr(session.curves, name, Values(first=[]))
    picture = svg(session)
    ET.fromstring(picture)
    assert "nan" not in picture.replace("dominant", "")
    assert max(map(len, drawn(session).splitlines())) < 85


def test_the_picture_has_a_mark_for_each_nudge_that_stands_and_its_texts_are_escaped(session):
    session.name = '<script>"&\x1b'
    root = ET.fromstring(svg(session))
    texts = ["".join(each.itertext()) for each in root.iter()]
    space = "{http://www.w3.org/2000/svg}"
    assert [mark.findtext(f"{space}text") for mark in root.iter(f"{space}g")] == ["1", "3", "4"]
    assert any('<script>"&�' in t for t in texts)
    assert not list(root.iter(f"{space}script"))


def test_the_text_is_ascii_and_has_the_nudges_numbers(session):
    text = drawn(session)
    assert text.isascii()
    marks = next(line for line in text.splitlines() if line.lstrip().startswith("nudge"))
    assert marks.split()[1:] == ["1", "3", "4"]


# -- nudges --------------------------------------------------------------------------------------------------


def test_the_schedule_gives_the_same_bits(session, run, new_run, tmp_path):
    path = tmp_path / "nudges.txt"
    path.write_text(as_schedule(session))
    planned = new_run(epochs=8, plan=read_schedule(path))
    while planned.ready:
        planned.step()
    assert planned.weights_sha256() == run.weights_sha256()
    assert planned.history.costs_sha256() == session.result.costs_sha256
    assert "momentum=0.5" not in as_schedule(session)


def test_a_schedule_that_is_none_is_refused_with_its_line(tmp_path):
    path = tmp_path / "n.txt"
    for content, says in [
        (b"# fine\n\n5:momentum=0.5\n6:nothing=1\n", "line 4: "),
        (b"\xff\xfe", "lines of text"),
        (b"#" * (1 << 21), "at most"),
        (b"5:momentum=" + b"9" * 5000, "line 1: "),
        (b"9" * 100_000 + b":momentum=1", "line 1: "),
    ]:
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=says) as caught:
            read_schedule(path)
        assert len(str(caught.value)) < 600
    with pytest.raises(DataError):
        read_schedule(tmp_path)


# -- the network ---------------------------------------------------------------------------------------------


def test_steps_by_name(session):
    assert step_of(session, "last") == session.steps
    assert step_of(session, "7") == 7
    best = step_of(session, "best")
    rows = dev_rows(session)
    assert rows[rows[:, 0] == best, 1] == session.result.best_dev_cost
    for wrong in ("", "-1", "first", str(session.steps + 1), "9" * 5000, "²"):
        with pytest.raises(ValueError, match="expected best, last"):
            step_of(session, wrong)
    session.result.best_epoch = 10**9
    with pytest.raises(ValueError, match="not on record"):
        step_of(session, "best")


@pytest.mark.parametrize("batch_norm", [True, False])
def test_npz_is_all_that_is_needed_to_predict_by_hand(tmp_path, batch_norm):
    config, dataset = prepare(
        RunOptions(data="digits", hidden=(16, 8), epochs=2, batch_norm=batch_norm, activation="tanh")
    )
    from pandatui.training import Run

    run = Run(config, dataset)
    while run.ready:
        run.step()
    path = tmp_path / "net.npz"
    path.write_bytes(as_npz(run, dataset))
    with np.load(path, allow_pickle=False) as found:
        net = {name: found[name] for name in found.files}
    assert net["classes"].tolist() == list(dataset.classes)
    assert str(net["activation"]) == "tanh"
    a = dataset.dev.inputs
    for i in (1, 2):
        z = a @ net[f"W{i}"]
        if batch_norm:
            z = (z - net[f"mean{i}"]) / np.sqrt(net[f"variance{i}"] + net["epsilon"])
            z = z * net[f"scale{i}"] + net[f"shift{i}"]
        else:
            z = z + net[f"b{i}"]
        a = np.tanh(z)
    logits = a @ net["W3"] + net["b3"]
    right = float((logits.argmax(axis=1) == dataset.dev.labels).mean())
    assert right == run.evaluate().dev_accuracy
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    cost = -np.log(shares[np.arange(len(shares)), dataset.dev.labels]).mean()
    assert math.isclose(cost, run.evaluate().dev_cost, rel_tol=1e-5)
    assert net["input_shape"].tolist() == list(dataset.image_shape or (64,))


# -- rows to predict -----------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "wine.csv"
    lines = [f"{i},{i * 7 % 13},{'red' if i % 2 else 'white'},{i * 3 % 5}" for i in range(60)]
    path.write_text("\n".join(["id,acid,colour,sugar", *lines]) + "\n")
    return prepare(RunOptions(data=str(path), label="colour", drop=("id",), hidden=(4,), batch_size=8))


def inputs_of(tmp_path, text, table):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    return load_inputs(str(path), *table)


def test_rows_with_labels_or_without_and_in_any_order_of_named_columns(tmp_path, table):
    _, dataset = table
    expected = dataset.standardisation.apply(np.array([[3.0, 4.0], [1.0, 2.0]]))
    for text in (
        "acid,sugar\n3,4\n1,2\n",
        "sugar,acid\n4,3\n\n2,1\n",
        "id,acid,colour,sugar\n9,3,red,4\n9,1,?,2\n",
        "3,4\n1,2\n",
        "a;b\n3;4\n1;2\n",
    ):
        assert np.array_equal(inputs_of(tmp_path, text, table), expected)
    np.savez(tmp_path / "x.npz", X=np.array([[3, 4], [1, 2]]))
    assert np.array_equal(load_inputs(str(tmp_path / "x.npz"), *table), expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("acid,sugar\n", "found none"),
        ("acid,sugar\n1,x\n", "line 2, column 2: expected a finite number, found 'x'"),
        ("acid,sugar\n1,nan\n", "line 2, column 2"),
        ("acid,sugar\n1\n", "found no cell"),
        ("1,2,3,4,5,6,7\n", "expected 2 columns acid, sugar, found 7 columns"),
        ('acid,sugar\n"1,2\n', "line"),
    ],
)
def test_rows_that_are_none(tmp_path, table, text, says):
    with pytest.raises(DataError, match=says):
        inputs_of(tmp_path, text, table)


def test_arrays_that_are_no_rows(tmp_path, table):
    for name, arrays in (
        ("a", {"Z": np.ones(3)}),
        ("b", {"X": np.array(["a"])}),
        ("c", {"X": np.ones((2, 3))}),
    ):
        np.savez(tmp_path / name, **arrays)
        with pytest.raises(DataError):
            load_inputs(str(tmp_path / f"{name}.npz"), *table)
    with pytest.raises(DataError):
        load_inputs(str(tmp_path / "nothing.csv"), *table)
