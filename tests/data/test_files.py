"""Files that load: what a test writes comes back, whatever the format, and the ways of naming columns."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.data import DataError, inspect, load

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, size=(60, 4, 3), dtype=np.uint8)
Y = np.tile(np.arange(3, dtype=np.uint8), 20)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def everything(data):
    """All inputs and labels of a set loaded unstandardised, in an order of their own."""
    parts = (data.train, data.dev, data.test)
    rows = np.concatenate([np.column_stack([part.inputs, part.labels]) for part in parts])
    return rows[np.lexsort(rows.T)]


def sorted_rows(inputs, labels):
    rows = np.column_stack([inputs.reshape(len(inputs), -1), labels])
    return rows[np.lexsort(rows.T)]


def raw(path, **options):
    return load(str(path), standardise="none", dtype="float64", **options)


def table(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def csv_rows(rows: int = 30) -> str:
    return "".join(f"{i},{i * 0.5},{'ab'[i % 2]}\n" for i in range(rows))


class TestArrays:
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    @pytest.mark.parametrize("dtype", ["u1", "i2", ">i4", "f4", ">f8", "f2"])
    def test_npz_comes_back(self, tmp_path, save, dtype):
        save(tmp_path / "a.npz", X=X.astype(dtype), y=Y)
        data = raw(tmp_path / "a.npz")
        assert np.array_equal(everything(data), sorted_rows(X, Y))
        assert (data.name, data.image_shape, data.classes) == ("a", (4, 3), ("0", "1", "2"))

    def test_fortran_order_and_booleans(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=np.asfortranarray(X.reshape(60, 12) > 99), y=Y)
        data = raw(tmp_path / "a.npz")
        assert np.array_equal(everything(data), sorted_rows(X > 99, Y))
        assert data.features == tuple(f"x{i}" for i in range(1, 13))

    @pytest.mark.parametrize(
        ("y", "classes"),
        [
            (Y.astype(np.float64), ("0", "1", "2")),
            (Y.reshape(-1, 1), ("0", "1", "2")),
            (np.eye(3)[Y], ("0", "1", "2")),
            (np.array(["cat", "ant", "bee"])[Y], ("ant", "bee", "cat")),
            (np.array([b"10", b"9", b"-1"])[Y], ("-1", "9", "10")),
            (Y == 1, ("0", "1")),
        ],
    )
    def test_labels_may_be_written_in_many_ways(self, tmp_path, y, classes):
        np.savez(tmp_path / "a.npz", X=X, y=y)
        assert load(str(tmp_path / "a.npz")).classes == classes

    def test_own_test_split(self, tmp_path):
        np.savez(tmp_path / "a.npz", x_train=X[:50], y_train=Y[:50], x_test=X[50:], y_test=Y[50:])
        data = raw(tmp_path / "a.npz")
        assert np.array_equal(data.test.inputs, X[50:].reshape(10, 12))
        assert np.array_equal(data.test.labels, Y[50:])
        assert (len(data.train), len(data.dev)) == (45, 5)
        assert inspect(str(tmp_path / "a.npz")).own_test

    def test_folder_of_npy_has_the_hash_of_the_npz(self, tmp_path):
        np.savez(tmp_path / "a.npz", X=X, y=Y)
        (tmp_path / "folder").mkdir()
        np.save(tmp_path / "folder/X.npy", X)
        np.save(tmp_path / "folder/y.npy", Y)
        assert load(str(tmp_path / "folder")).sha256 == load(str(tmp_path / "a.npz")).sha256


class TestIdx:
    @pytest.mark.parametrize("ending", ["", ".gz"])
    @pytest.mark.parametrize("dot", ["-", "."])
    def test_folder_of_four_and_a_single_file(self, tmp_path, ending, dot):
        pack = gzip.compress if ending else bytes
        for part, rows in (("train", slice(0, 50)), ("t10k", slice(50, 60))):
            (tmp_path / f"{part}-images{dot}idx3-ubyte{ending}").write_bytes(pack(idx(X[rows])))
            (tmp_path / f"{part}-labels{dot}idx1-ubyte{ending}").write_bytes(pack(idx(Y[rows])))
        data = raw(tmp_path)
        assert np.array_equal(everything(data), sorted_rows(X, Y))
        assert np.array_equal(data.test.inputs, X[50:].reshape(10, 12))
        assert (data.name, data.image_shape) == (tmp_path.name, (4, 3))
        single = raw(tmp_path / f"train-images{dot}idx3-ubyte{ending}")
        assert np.array_equal(everything(single), sorted_rows(X[:50], Y[:50]))

    def test_same_arrays_same_hash_as_npz(self, tmp_path):
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(X))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(Y))
        np.savez(tmp_path / "a.npz", X=X, y=Y)
        assert load(str(tmp_path)).sha256 == load(str(tmp_path / "a.npz")).sha256

    @pytest.mark.skipif(not os.path.isdir("/usr/share/datasets/fashion-mnist"), reason="not installed")
    def test_fashion_mnist_in_bounded_steps(self):
        seen = []
        data = load(
            "/usr/share/datasets/fashion-mnist", progress=lambda what, done: seen.append((what, done))
        )
        assert data.shapes == {"train": (54000, 784), "dev": (6000, 784), "test": (10000, 784)}
        assert {what for what, _ in seen} == {"reading", "measuring", "standardising"}
        assert all(0 <= done <= 1 for _, done in seen)
        assert np.bincount(data.dev.labels).tolist() == [600] * 10


class TestCsv:
    @given(
        rows=st.lists(
            st.tuples(
                st.floats(allow_nan=False, allow_infinity=False, width=32),
                st.integers(-(10**9), 10**9),
                st.sampled_from(["a", "b, c", 'd "e"', "é"]),
            ),
            min_size=12,
            max_size=40,
        ),
        delimiter=st.sampled_from([",", ";", "\t"]),
        header=st.booleans(),
        end=st.sampled_from(["\n", "\r\n"]),
        bom=st.booleans(),
    )
    def test_what_is_written_comes_back(self, tmp_path_factory, rows, delimiter, header, end, bom):
        rows = [*rows, *[(0.0, 0, "a")] * 3, *[(0.0, 1, "é")] * 3]
        label = [f'"{text.replace(chr(34), chr(34) * 2)}"' for _, _, text in rows]
        lines = [delimiter.join([repr(a), str(b), c]) for (a, b, _), c in zip(rows, label, strict=True)]
        if header:
            lines.insert(0, delimiter.join(["one", "two", "kind"]))
        # The first line decides the delimiter; "b, c" in quotes must not.
        path = tmp_path_factory.mktemp("csv") / "t.csv"
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + end.join(lines).encode())
        data = raw(path)
        codes = np.array([data.classes.index(text) for _, _, text in rows])
        values = np.array([[a, b] for a, b, _ in rows], dtype=np.float64)
        assert np.array_equal(everything(data), sorted_rows(values, codes))
        assert data.features == (("one", "two") if header else ("x1", "x2"))

    @pytest.mark.parametrize(
        ("label", "drop", "features"),
        [
            (None, (), ("a", "b")),
            ("kind", ("a",), ("b",)),
            ("3", ("1",), ("b",)),
            ("-1", ("-2",), ("a",)),
            ("a", ("kind",), ("b",)),
            ("1", ("3",), ("b",)),
        ],
    )
    def test_columns_by_name_and_number(self, tmp_path, label, drop, features):
        text = "a,b,kind\n" + "".join(f"{i % 3},{i},{'uv'[i % 2]}\n" for i in range(30))
        assert load(str(table(tmp_path / "t.csv", text)), label=label, drop=drop).features == features

    def test_columns_without_a_header_are_named_after_their_place(self, tmp_path):
        path = table(tmp_path / "t.csv", "".join(f"{i % 2},{i},{-i}\n" for i in range(30)))
        assert load(str(path), label="1").features == ("x2", "x3")
        assert load(str(path), label="1", drop=["x3"]).features == ("x2",)

    def test_a_dropped_column_of_text_makes_no_header(self, tmp_path):
        path = table(tmp_path / "t.csv", "".join(f"n{i},{i},{i % 2}\n" for i in range(30)))
        data = load(str(path), drop=["1"])
        assert sum(map(len, (data.train, data.dev, data.test))) == 30

    @pytest.mark.parametrize(
        ("labels", "classes"),
        [
            (["10", "9", "-1"], ("-1", "9", "10")),
            (["1.0", "2", "3e0"], ("1", "2", "3")),
            (["10", "9", "b"], ("10", "9", "b")),
            (["x", "NA", "y"], ("NA", "x", "y")),
        ],
    )
    def test_classes_are_sorted_as_numbers_when_all_are_whole(self, tmp_path, labels, classes):
        path = table(tmp_path / "t.csv", "".join(f"{i},{labels[i % 3]}\n" for i in range(30)))
        assert load(str(path)).classes == classes

    def test_blank_lines_and_rows_over_several_chunks(self, tmp_path):
        path = table(tmp_path / "t.csv", "\n\n" + csv_rows(5001).replace("\n7,", "\n\n7,") + "\n\n")
        data = raw(path)
        assert np.array_equal(np.sort(everything(data)[:, 0]), np.arange(5001))

    def test_sha_of_a_table(self, tmp_path):
        with_header = table(tmp_path / "t.csv", "a,b,c\n" + csv_rows())
        without = table(tmp_path / "u.csv", csv_rows().replace(",", ";"))
        assert load(str(with_header)).sha256 == load(str(without)).sha256


class TestInspect:
    def test_it_agrees_with_load(self, tmp_path):
        text = "a,b,kind\n" + "".join(f"7,{i},{'u' if i < 40 else 'v'}\n" for i in range(44))
        path = str(table(tmp_path / "t.csv", text))
        seen, data = inspect(path), load(path)
        assert seen.rows == {name: shape[0] for name, shape in data.shapes.items()}
        assert (seen.kind, seen.classes, seen.counts) == ("CSV", ("u", "v"), (40, 4))
        assert (seen.constant, seen.standardisation, seen.sha256) == (("a",), "column", data.sha256)
        unbalanced, constant = seen.warnings
        assert "90.9 %" in unbalanced
        assert "column 'a'" in constant

    def test_constant_pixels_and_scarce_classes(self, tmp_path):
        images, labels = X.copy(), Y.copy()
        images[:, 1, 2] = 9
        labels[:2] = 3
        np.savez(tmp_path / "a.npz", X=images, y=labels)
        seen = inspect(str(tmp_path / "a.npz"))
        assert seen.constant == ("1,2",)
        assert seen.standardisation == "overall"
        assert any("class '3'" in warning for warning in seen.warnings)

    def test_a_built_in_set(self):
        assert inspect("digits").counts == (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
        assert inspect("digits").warnings == ()


def test_a_progress_that_raises_ends_the_load():
    def stop(what: str, done: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        load("digits", progress=stop)


@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"standardise": "rows"}, {"split_seed": -1}])
def test_options_out_of_range(options):
    with pytest.raises(DataError, match="expected"):
        load("spirals", **options)
