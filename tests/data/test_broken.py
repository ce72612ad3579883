"""Files that cannot be used: each is refused in one short line with file, place, what was expected and found."""

# ruff: noqa: E501 (the tables of cases read best with one case a line)

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui import cli
from pandatui.data import DataError, inspect, load

GOOD = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(30))
X = np.arange(120.0).reshape(30, 4)
Y = np.arange(30) % 2


def refused(path: Path | str, **options) -> str:
    """The message of the DataError that both load and inspect raise."""
    with pytest.raises(DataError) as caught:
        load(str(path), **options)
    message = str(caught.value)
    with pytest.raises(DataError, match=re.escape(message)):
        inspect(str(path), **options)
    assert message.isprintable()
    assert len(message) < 500
    return message


CSV: list[tuple[str, bytes, dict, str]] = [
    ("empty", b"", {}, "found an empty file"),
    ("blank", b"\n \n\n", {}, "found an empty file"),
    ("header only", b"a,b,c\n", {}, "expected rows below the header, found none"),
    ("one column", b"1\n2\n3\n", {}, "at least one column of inputs"),
    ("ragged", (GOOD + "1,2\n").encode(), {}, "line 31: expected 3 cells, found 2"),
    (
        "ragged after blank lines",
        ("\n" + GOOD + "\n\n1,2,3,4\n").encode(),
        {},
        "line 34: expected 3 cells, found 4",
    ),
    (
        "missing",
        (GOOD + "1,,a\n").encode(),
        {},
        "line 31, column 2: expected a number, found a missing value, ''",
    ),
    (
        "missing at once",
        b"1,,a\n" + GOOD.encode(),
        {},
        "line 1, column 2: expected a number, found a missing value",
    ),
    (
        "question mark",
        ("p,q,r\n" + GOOD + "?,1,a\n").encode(),
        {},
        "line 32, column 1 'p': expected a number, found a mis",
    ),
    (
        "nan",
        (GOOD + "1,NaN,a\n").encode(),
        {},
        "line 31, column 2: expected a number, found a missing value, 'NaN'",
    ),
    ("inf", (GOOD + "1,-inf,a\n").encode(), {}, "line 31, column 2: expected a finite number, found '-inf'"),
    (
        "overflow",
        (GOOD + "1e999,1,a\n").encode(),
        {},
        "line 31, column 1: expected a finite number, found '1e999'",
    ),
    (
        "text",
        ("p,q,r\n" + GOOD + "1,red,a\n").encode(),
        {},
        "line 32, column 2 'q': expected a number, found 'red' (l",
    ),
    ("text, what to do", ("p,q,r\n" + GOOD + "1,red,a\n").encode(), {}, "--drop q)"),
    ("underscore", (GOOD + "1,1_0,a\n").encode(), {}, "column 2: expected a number, found '1_0'"),
    ("escape in a cell", (GOOD + "1,\x1b[2J,a\n").encode(), {}, r"found '\x1b[2J'"),
    ("flood", (GOOD + "1," + "é" * 10_000 + ",a\n").encode(), {}, "found '\\xe9"),
    (
        "not UTF-8",
        GOOD.encode() + b"1,2,\xff\n",
        {},
        f"line 31: expected text in UTF-8, found byte 0xff at offset {len(GOOD) + 4}",
    ),
    ("not UTF-8 after BOM", b"\xef\xbb\xbf1,\xff\n", {}, "found byte 0xff at offset 5"),
    ("UTF-16", GOOD.encode("utf-16"), {}, "expected text in UTF-8, found byte 0xff at offset 0"),
    (
        "NUL",
        GOOD.encode() + b"1,\x00,a\n",
        {},
        f"line 31: expected text, found a NUL byte at offset {len(GOOD) + 2}",
    ),
    (
        "open quote",
        (GOOD + '1,2,"a\n').encode(),
        {},
        "line 31: expected cells in CSV, found damage: unexpected end",
    ),
    ("after a quote", (GOOD + '1,2,"a"b\n').encode(), {}, "line 31: expected cells in CSV, found damage"),
    (
        "after a quote, with tabs",
        (GOOD.replace(",", "\t") + '1\t2\t"a"b\n').encode(),
        {},
        "line 31: expected cells in CSV, found damage: ' ' expected after",
    ),
    ("old Mac", GOOD.replace("\n", "\r").encode(), {}, "expected cells in CSV, found damage"),
    (
        "names twice",
        b"p,p,r\n" + GOOD.encode(),
        {},
        "line 1: expected different column names in the header, found 'p' twice",
    ),
    ("one class", b"1,a\n2,a\n3,a\n", {}, "expected at least two classes, found one, 'a'"),
    ("one numeric class", b"1,1\n2,1.0\n3,1\n", {}, "expected at least two classes, found one, '1'"),
    (
        "regression",
        b"".join(b"1,%d.5\n" % i for i in range(50)),
        {},
        "found '0.5': pandatui classifies, it does not regress",
    ),
    (
        "counts",
        b"".join(b"1,%d\n" % (i * i) for i in range(50)),
        {},
        "found 50 different numbers: pandatui classifies, it",
    ),
    (
        "names",
        b"".join(b"1,n%d\n" % i for i in range(50)),
        {},
        "found 50 different texts in 50 rows (choose another wi",
    ),
    ("missing label", (GOOD + "1,2,\n").encode(), {}, "line 31, column 3: expected a label, found ''"),
    ("NA among numbers", b"1,1\n2,2\n3,NA\n", {}, "line 3, column 2: expected a label, found 'NA'"),
    ("infinite label", b"1,1\n2,2\n3,inf\n", {}, "line 3, column 2: expected a finite label, found 'inf'"),
    (
        "too few rows",
        b"1,a\n2,a\n3,b\n4,b\n",
        {},
        "expected a class with at least 3 rows, so that dev is not empty",
    ),
    (
        "no such label",
        b"p,q,r\n" + GOOD.encode(),
        {"label": "kind"},
        "expected a column 'kind' (a name in the header, or a",
    ),
    (
        "column 0",
        GOOD.encode(),
        {"label": "0"},
        "expected a column '0' (a name in the header, or a number from 1 to 3",
    ),
    ("column 4", GOOD.encode(), {"drop": ["4"]}, "expected a column '4'"),
    ("dropped label", GOOD.encode(), {"label": "3", "drop": ["x3"]}, "found it among those dropped"),
    ("nothing left", GOOD.encode(), {"drop": ["1", "2"]}, "at least one column of inputs, found 1 of 3 left"),
    (
        "too large to square",
        b"1e300,a\n2,b\n-1e300,a\n" * 9,
        {},
        "expected numbers that can be squared and summed",
    ),
]


@pytest.mark.parametrize(
    ("content", "options", "fragment"), [row[1:] for row in CSV], ids=[row[0] for row in CSV]
)
def test_tables(tmp_path, content, options, fragment):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    message = refused(path, **options)
    assert message.startswith(str(path))
    assert fragment in message


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name + ".npy", content)
    return out.getvalue()


def npy(descr: str, shape: str, data: bytes = b"", order: str = "False") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def with_value(value: float) -> np.ndarray:
    changed = X.copy()
    changed[7, 2] = value
    return changed


OBJECTS = np.array([[{}], [1]], dtype=object)
NPZ: list[tuple[str, Callable[[], bytes], str]] = [
    ("no keys", lambda: npz(a=X, b=Y), "expected arrays X and y, or x_train and y_train, found 'a', 'b'"),
    ("no arrays", lambda: npz(), "found no arrays"),
    ("X and x", lambda: zipped(X=b"", x=b""), "expected one array named 'x', found two"),
    ("half a test", lambda: npz(x_train=X, y_train=Y, x_test=X), "expected x_test and y_test together"),
    ("objects", lambda: npz(X=OBJECTS, y=Y), "found dtype '|O' (Python objects; they are never unpickled)"),
    ("object labels", lambda: npz(X=X, y=np.array([None] * 30, dtype=object)), "never unpickled"),
    ("structured", lambda: npz(X=np.zeros(30, dtype=[("a", "f4")]), y=Y), "found a structured dtype"),
    ("void", lambda: zipped(X=npy("'|V0'", "(1099511627776, 4)"), y=npy("'|u1'", "(1,)")), "found dtype '|V0'"),
    ("strings", lambda: npz(X=np.full((30, 2), "a"), y=Y), "expected numbers as inputs, found str32"),
    ("complex", lambda: npz(X=X.astype(complex), y=Y), "found dtype '<c16'"),
    ("dates", lambda: npz(X=np.zeros((30, 2), "M8[s]"), y=Y), "found dtype '<M8[s]'"),
    ("one axis", lambda: npz(X=X[:, 0], y=Y), "expected (rows, features) or (rows, height, width), found shape (30,)"),
    ("no rows", lambda: npz(X=X[:0], y=Y[:0]), "expected at least one row and one feature, found shape (0, 4)"),
    ("lengths", lambda: npz(X=X, y=Y[:-1]), "expected as many labels in y as rows in x, 30, found 29"),
    ("scalar labels", lambda: npz(X=X, y=np.array(1)), "as rows in x, 30, found 1"),
    ("label matrix", lambda: npz(X=X, y=X), "expected labels (rows,), or one-hot (rows, classes), found shape (30, 4)"),
    ("test shape", lambda: npz(x_train=X, y_train=Y, x_test=X[:, :3], y_test=Y), "test rows of shape (4,), found (3,)"),
    ("test labels", lambda: npz(x_train=X, y_train=Y, x_test=X, y_test=Y.astype(str)), "labels as in the training part"),
    ("nan", lambda: npz(X=with_value(np.nan), y=Y), "'X'[7, 2]: expected a finite number, found nan"),
    ("inf", lambda: npz(X=with_value(-np.inf).reshape(30, 2, 2), y=Y), "'X'[7, 1, 0]: expected a finite number, found -i"),
    ("one class", lambda: npz(X=X, y=Y * 0), "expected at least two classes, found one, '0'"),
    ("regression", lambda: npz(X=X, y=Y + 0.25), "found '0.25': pandatui classifies, it does not regress"),
    ("nan label", lambda: npz(X=X, y=np.where(Y, np.nan, 1.0)), "'y'[1]: expected a label, found 'nan'"),
    ("not UTF-8 label", lambda: npz(X=X, y=np.array([b"a", b"\xff"])[Y]), "expected readable labels"),
    ("wrong code point", lambda: zipped(X=npy("'|u1'", "(2, 1)", b"ab"), y=npy("'<U1'", "(2,)", b"\xff" * 8)), "readable labels"),
    ("cut archive", lambda: npz(X=X, y=Y)[:-30], "expected an NPZ archive, found damage"),
    ("flipped byte", lambda: flipped(npz(X=X, y=Y), 120), "found damage"),
    ("no npy", lambda: zipped(X=b"hello", y=b"hello"), "expected an array in .npy format, found b'hello'"),
    ("version 9", lambda: zipped(X=b"\x93NUMPY\x09\x00", y=b""), "expected .npy version 1 to 3"),
    ("cut header", lambda: zipped(X=npy("'<f8'", "(2, 2)")[:30], y=b""), "found it cut or longer"),
    ("nested header", lambda: zipped(X=npy("'<f8'", "(" * 4000), y=b""), "with descr, fortran_order and shape"),
    ("long header", lambda: zipped(X=npy("'<f8'", " " * 20_000 + "(1,)"), y=b""), "found it cut or longer"),
    ("negative", lambda: zipped(X=npy("'<f8'", "(-1, 2)"), y=b""), "with descr, fortran_order and shape"),
    ("many axes", lambda: zipped(X=npy("'<f8'", "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)"), y=b""), "expected at most 8 axes"),
    ("short data", lambda: zipped(X=npy("'<f8'", "(2, 2)", b"1234"), y=npy("'|u1'", "(2,)", b"ab")), "expected 32 bytes for"),
    ("promise", lambda: zipped(X=npy("'<f8'", "(99999999999, 9)"), y=b""), "expected at most 4 GiB of data, found 7199999"),
    ("bomb", lambda: zipped(X=npy("'|u1'", "(134217728, 1)", bytes(1 << 27)), y=b""), "compressed at most 200 times"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "fragment"), [row[1:] for row in NPZ], ids=[row[0] for row in NPZ])
def test_archives(tmp_path, content, fragment):
    path = tmp_path / "a.npz"
    path.write_bytes(content())
    message = refused(path)
    assert message.startswith(str(path))
    assert fragment in message


IMAGES = bytes([0, 0, 8, 3]) + struct.pack(">3I", 30, 2, 2) + bytes(range(120))
LABELS = bytes([0, 0, 8, 1]) + struct.pack(">I", 30) + bytes(Y.tolist())
IDX: list[tuple[str, bytes, bytes | None, str]] = [
    ("no labels", IMAGES, None, "found one"),
    ("cut", IMAGES[:-1], LABELS, "expected 120 bytes for sizes (30, 2, 2), found 119"),
    ("longer", IMAGES + b"x", LABELS, "expected 120 bytes for sizes (30, 2, 2), found 121"),
    ("cut gzip", gzip.compress(IMAGES)[:-9], LABELS, "expected a whole gzip file, found damage"),
    ("wrong checksum", flipped(gzip.compress(IMAGES), -6), LABELS, "expected a whole gzip file, found damage"),
    ("cut in gzip", gzip.compress(IMAGES[:-1]), LABELS, "expected 120 bytes for sizes (30, 2, 2), found 119"),
    ("longer in gzip", gzip.compress(IMAGES + b"x"), LABELS, "expected 120 bytes for sizes (30, 2, 2), found more"),
    ("magic", b"\1\2" + IMAGES[2:], LABELS, "expected the magic number of an IDX file, found b'\\x01\\x02\\x08\\x03'"),
    ("type", b"\0\0\x07" + IMAGES[3:], LABELS, "expected the magic number"),
    ("cut header", IMAGES[:9], LABELS, "expected 3 sizes in the header, found the end of the file"),
    ("empty", b"", LABELS, "expected the magic number of an IDX file, found b''"),
    ("promise", IMAGES[:4] + b"\xff" * 12, LABELS, "expected at most 4 GiB of data"),
    ("bomb", gzip.compress(IMAGES[:4] + struct.pack(">3I", 1 << 17, 32, 32) + bytes(1 << 20)), LABELS, "at most 200 times"),
    ("no images", IMAGES[:4] + bytes(12), LABELS, "expected at least one row and one feature"),
    ("lengths", IMAGES, bytes([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]), "expected as many labels as images, 30, found 2"),
    ("label axes", IMAGES, IMAGES, "expected one whole number a row, found shape (30, 2, 2)"),
    ("one class", IMAGES, LABELS[:8] + bytes(30), "expected at least two classes, found one, '0'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("images", "labels", "fragment"), [row[1:] for row in IDX], ids=[row[0] for row in IDX]
)
def test_idx(tmp_path, images, labels, fragment):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    message = refused(tmp_path)
    assert message.startswith(str(tmp_path))
    assert fragment in message


def test_a_table_too_large_for_float32(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"1e30,a\n2,b\n-1e39,a\n" * 9)
    with pytest.raises(DataError, match=r"t\.csv: row \d+, input 1: expected a number that float32 can hold"):
        load(str(tmp_path / "t.csv"), standardise="none")
    assert load(str(tmp_path / "t.csv"), standardise="none", dtype="float64").dtype == "float64"


class TestPaths:
    def test_an_unknown_name_gets_the_names(self):
        assert "one of digits, spirals, moons" in refused("nothing")
        assert "did you mean digits?" in refused("digts")

    @pytest.mark.parametrize("name", ["a.csv", "no/such/file", "nul\0.csv", "x" * 5000 + "/a", "a/\nb", ""])
    def test_a_path_to_nothing(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert "expected a file" in (message := refused(name)) or "cannot be read" in message

    def test_what_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        assert "expected a regular file, found a pipe" in refused(tmp_path / "pipe")
        assert "expected a regular file, found a device" in refused("/dev/zero")
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        assert "cannot be read" in refused(tmp_path / "loop")

    def test_a_pipe_inside_a_folder(self, tmp_path):
        os.mkfifo(tmp_path / "X.npy")
        np.save(tmp_path / "y.npy", Y)
        assert "found a pipe" in refused(tmp_path)

    def test_folders_of_nothing_known(self, tmp_path):
        assert "found a folder with nothing" in refused(tmp_path)
        (tmp_path / "a.txt").write_text("a")
        assert "found a folder with neither" in refused(tmp_path)
        np.save(tmp_path / "X.npy", X)
        assert "found 'x'" in refused(tmp_path)
        assert "name its folder" in refused(tmp_path / "X.npy")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_permission_denied(self, tmp_path):
        (tmp_path / "t.csv").write_text(GOOD)
        (tmp_path / "t.csv").chmod(0)
        assert "cannot be read: Permission denied" in refused(tmp_path / "t.csv")

    def test_names_that_promise_another_format(self, tmp_path):
        for name, expected in (("a.npz", "an NPZ archive"), ("train-images-idx3-ubyte", "an IDX file")):
            (tmp_path / name).write_text("hello")
            assert f"expected {expected}" in refused(tmp_path / name)
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
        assert "expected an IDX file of images" in refused(tmp_path / "t.csv.gz")

    def test_label_and_drop_are_for_tables(self, tmp_path):
        assert "expected a CSV file to go with --label" in refused("digits", label="1")
        np.savez(tmp_path / "a.npz", X=X, y=Y)
        assert "expected a CSV file to go with --drop" in refused(tmp_path / "a.npz", drop=["1"])

    def test_single_images_file_without_labels(self, tmp_path):
        (tmp_path / "my-images-idx3-ubyte").write_bytes(IMAGES)
        assert "expected its labels beside it in my-labels-idx1-ubyte" in refused(
            tmp_path / "my-images-idx3-ubyte"
        )


def attacked(path: Path, content: bytes) -> None:
    """Whatever is in a file, it loads or is refused in one line; nothing else is raised."""
    path.write_bytes(content)
    message = "loaded"
    try:
        load(str(path))
    except DataError as error:
        message = str(error)
    assert message.isprintable()


@given(st.integers(0, 10**6), st.integers(1, 255), st.sampled_from(["npz", "csv", "npz, stored"]))
def test_one_wrong_byte_never_gives_a_traceback(tmp_path_factory, at, change, kind):
    stored = io.BytesIO()
    np.savez(stored, X=X, y=Y)
    content = {"npz": npz(X=X, y=Y), "csv": GOOD.encode(), "npz, stored": stored.getvalue()}[kind]
    at %= len(content)
    content = content[:at] + bytes([content[at] ^ change]) + content[at + 1 :]
    attacked(
        tmp_path_factory.mktemp("flip") / "a.npz"
        if "npz" in kind
        else tmp_path_factory.mktemp("f") / "t.csv",
        content,
    )


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PK\3\4", b"\0\0\x08\3", b"\x1f\x8b", b"\x93NUMPY", b"a,b\n"]),
)
def test_noise_never_gives_a_traceback(tmp_path_factory, noise, start):
    attacked(tmp_path_factory.mktemp("noise") / "my-images.idx3", start + noise)


# -- as a command --------------------------------------------------------------------------------------------


def test_every_broken_file_is_one_line_and_status_2(tmp_path, monkeypatch, capfd):
    """All of the tables above, by `data` and `train`: the line names the file, what was expected and found."""
    monkeypatch.chdir(tmp_path)
    cases = [(f"{i}.csv", content, options) for i, (_, content, options, _) in enumerate(CSV)]
    cases += [(f"{i}.npz", content(), {}) for i, (_, content, _) in enumerate(NPZ)]
    assert len(cases) >= 40
    for name, content, options in cases:
        Path(name).write_bytes(content)
        chosen = ["--label", options["label"]] if "label" in options else []
        chosen += [word for column in options.get("drop", ()) for word in ("--drop", column)]
        for command in (["data", name, *chosen], ["train", "--data", name, *chosen]):
            monkeypatch.setattr(sys, "argv", ["pandatui", *command])
            with pytest.raises(SystemExit) as done:
                cli.main()
            out, err = capfd.readouterr()
            assert (done.value.code, out, err.count("\n")) == (2, "", 1), (command, err)
            assert err.startswith("pandatui: ")
            assert name in err
            assert "found" in err
