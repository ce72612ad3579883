"""Mapped folders against the same folders loaded in full: hash, statistics, rows, refusals, to the bit."""

from __future__ import annotations

import hashlib
import os
import struct
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.data import DataError, Dataset, inspect, load, mapped
from pandatui.data.standardise import CHUNK_ROWS
from pandatui.data.taken import Standardised

ROWS = 2 * CHUNK_ROWS + 300  # three chunks, so that stretches have to join
RNG = np.random.default_rng(0)
X = RNG.integers(-100, 100, size=(ROWS, 3, 2))
Y = RNG.integers(0, 4, size=ROWS)
PARTS = ("train", "dev", "test")


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Dataset, Dataset]]:
    """The folder loaded in full, and mapped."""

    def load_both(folder: Path, **options: object) -> tuple[Dataset, Dataset]:
        in_full = load(str(folder), **options)  # type: ignore[arg-type]
        assert isinstance(in_full.train.inputs, np.ndarray)
        monkeypatch.setattr(mapped, "MAPPED_FROM", 1)
        there = load(str(folder), **options)  # type: ignore[arg-type]
        assert isinstance(there.train.inputs, Standardised)
        return in_full, there

    return load_both


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path, X=X.astype(np.float32).reshape(ROWS, 6), y=Y)
    return tmp_path


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any size is mapped."""
    monkeypatch.setattr(mapped, "MAPPED_FROM", 1)


def save(folder: Path, **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def assert_equal(one: Dataset, other: Dataset) -> None:
    assert one.sha256 == other.sha256
    assert (one.classes, one.features, one.image_shape) == (other.classes, other.features, other.image_shape)
    assert (one.shapes, one.dtype) == (other.shapes, other.dtype)
    assert one.standardisation.kind == other.standardisation.kind
    assert one.standardisation.mean.tobytes() == other.standardisation.mean.tobytes()
    assert one.standardisation.scale.tobytes() == other.standardisation.scale.tobytes()
    for name in PARTS:
        a, b = getattr(one, name), getattr(other, name)
        assert a.inputs[:].tobytes() == b.inputs[:].tobytes()
        assert a.labels.tobytes() == b.labels.tobytes()


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i4", "i8", "f2", "f4", ">f8"])
@pytest.mark.parametrize("standardise", ["column", "overall", "none"])
@pytest.mark.parametrize("out", ["float32", "float64"])
def test_it_has_the_bits_of_one_loaded_in_full(tmp_path, both, dtype, standardise, out):
    save(tmp_path, X=X.astype(dtype), y=Y)
    assert_equal(*both(tmp_path, standardise=standardise, dtype=out))


def test_the_hash_is_that_of_the_loaded_arrays(folder, always):
    expected = hashlib.sha256(b"0\x001\x002\x003")
    expected.update(f"\0inputs <f4 {(ROWS, 6)}\0".encode() + X.astype("<f4").tobytes())
    expected.update(f"\0labels <i8 {(ROWS,)}\0".encode() + Y.astype("<i8").tobytes())
    assert load(str(folder)).sha256 == expected.hexdigest()


@pytest.mark.parametrize("start", [0, 1, 3])
def test_numbers_may_begin_anywhere_in_the_file(tmp_path, both, start):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({ROWS}, 6), }}{' ' * start}\n".encode()
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + X.astype("<f8").tobytes()
    (tmp_path / "X.npy").write_bytes(content)
    save(tmp_path, y=Y)
    assert_equal(*both(tmp_path))


@pytest.mark.parametrize("held_back", [40, 1400])
def test_a_test_set_of_its_own(tmp_path, both, held_back):
    save(tmp_path, x_train=X[:-held_back], y_train=Y[:-held_back])
    save(tmp_path, x_test=X[-held_back:], y_test=Y[-held_back:])
    in_full, there = both(tmp_path)
    assert_equal(in_full, there)
    assert len(there.test) == held_back


def test_one_of_two_may_be_large(tmp_path, both, monkeypatch):
    save(tmp_path, x_train=X[:-40], y_train=Y[:-40], x_test=X[-40:], y_test=Y[-40:])
    in_full, _ = both(tmp_path)
    monkeypatch.setattr(mapped, "MAPPED_FROM", X[:-40].nbytes)
    there = load(str(tmp_path))
    assert [isinstance(getattr(there, part).inputs, np.ndarray) for part in PARTS] == [False, False, True]
    assert_equal(in_full, there)


def test_the_threshold_is_256_mib(tmp_path):
    assert mapped.MAPPED_FROM == 256 * 1024 * 1024
    rows = 4 * 1024
    save(tmp_path, y=np.arange(rows) % 2)
    for less, expected in ((1, 0), (0, mapped.MAPPED_FROM)):
        shape = (rows, mapped.MAPPED_FROM // rows - less)
        np.lib.format.open_memmap(
            tmp_path / "X.npy", "w+", np.uint8, shape
        ).flush()  # zeros that take no disk
        assert inspect(str(tmp_path)).mapped == expected


@pytest.mark.parametrize(
    "array",
    [np.asfortranarray(X.reshape(ROWS, 6)), X.reshape(ROWS, 6) > 0],
    ids=["Fortran order", "booleans"],
)
def test_what_is_loaded_in_full_whatever_its_size(tmp_path, always, array):
    save(tmp_path, X=array, y=Y)
    assert isinstance(load(str(tmp_path)).train.inputs, np.ndarray)
    assert inspect(str(tmp_path)).mapped == 0


def test_inspect_agrees(folder, monkeypatch):
    in_full = inspect(str(folder))
    monkeypatch.setattr(mapped, "MAPPED_FROM", 1)
    there = inspect(str(folder))
    assert (in_full.mapped, there.mapped) == (0, ROWS * 6 * 4)
    assert there.sha256 == in_full.sha256 == load(str(folder)).sha256
    assert (there.rows, there.counts, there.warnings) == (in_full.rows, in_full.counts, in_full.warnings)


class TestRows:
    @given(st.data())
    def test_take_slices_and_row_numbers(self, tmp_path_factory, data):
        folder = tmp_path_factory.mktemp("rows")
        save(folder, X=X[:200], y=Y[:200])
        in_full = load(str(folder)).train
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mapped, "MAPPED_FROM", 1)
            there = load(str(folder)).train
        n = len(there)
        rows = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=150)), np.intp)
        chosen = data.draw(st.slices(n))
        assert np.array_equal(there.inputs[rows], in_full.inputs[rows])
        assert np.array_equal(there.inputs[chosen], in_full.inputs[chosen])
        outs = [(np.full((len(rows), 6), -1, np.float32), np.full(len(rows), -1)) for _ in range(2)]
        in_full.take(rows, *outs[0])
        there.take(rows, *outs[1])
        assert outs[0][0].tobytes() == outs[1][0].tobytes()
        assert np.array_equal(outs[0][1], outs[1][1])

    def test_row_numbers_are_clipped_as_in_memory(self, folder, both):
        rows = np.array([-5, 0, 10**9], np.intp)
        found = []
        for data in both(folder):
            out = np.empty((3, 6), np.float32), np.empty(3, np.intp)
            data.dev.take(rows, *out)
            found.append(out[0].tobytes() + out[1].tobytes())
        assert found[0] == found[1]

    def test_wide_rows_go_one_by_one(self, tmp_path, both):
        save(tmp_path, X=RNG.standard_normal((40, 70_000)).astype(np.float32), y=np.arange(40) % 2)
        assert_equal(*both(tmp_path))

    def test_threads_do_not_mix_theirs(self, folder, both):
        in_full, there = both(folder)
        orders = [np.random.default_rng(seed).permutation(len(there.train)) for seed in range(64)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda rows: there.train.inputs[rows], orders))
        for rows, inputs in zip(orders, found, strict=True):
            assert np.array_equal(inputs, in_full.train.inputs[rows])

    def test_taking_allocates_next_to_nothing(self, tmp_path, always):
        save(tmp_path, X=RNG.standard_normal((3000, 64)), y=np.arange(3000) % 2)
        part = load(str(tmp_path)).train
        rows = np.arange(1024, dtype=np.intp)
        out = np.empty((1024, 64), np.float32), np.empty(1024, np.intp)
        part.take(rows, *out)
        tracemalloc.start()
        part.take(rows, *out)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (
            peak < 100_000
        )  # places in the file and NumPy's own buffers; the rows are 524,288 as they stand


def test_loading_takes_chunks_of_memory_alone(tmp_path, always):
    rows, features = 4000, 4096  # 64 MB
    inputs = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (rows, features))
    inputs[:, 0] = np.arange(rows)
    inputs.flush()
    del inputs
    save(tmp_path, y=np.arange(rows) % 2)
    tracemalloc.start()
    data = load(str(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.shapes["train"] == (3200, features)
    assert peak < 24e6  # a chunk is 4 MB, as float64 8 MB


def test_progress_tells_how_far_it_is(folder, always):
    seen: list[tuple[str, float]] = []
    load(str(folder), progress=lambda what, done: seen.append((what, done)))
    measuring = [done for what, done in seen if what == "measuring"]
    assert measuring == sorted(measuring)
    assert measuring[0] < 0.5
    assert measuring[-1] == 1


def test_a_progress_that_raises_ends_the_load(folder, always):
    def stop(what: str, done: float) -> None:
        if what == "measuring":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(str(folder), progress=stop)


def message(folder: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        load(str(folder), **options)  # type: ignore[arg-type]
    assert str(caught.value).isprintable()
    return str(caught.value)


class TestRefusals:
    """In the words that there are for what is loaded in full."""

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("row", [0, 1500, ROWS - 1])
    @pytest.mark.parametrize("name", ["x_train", "x_test"])
    def test_what_is_not_finite(self, tmp_path, monkeypatch, value, row, name):
        arrays = {"x_train": X.astype(np.float32), "x_test": X.astype(np.float32)}
        arrays[name][row, 2, 1] = value
        save(tmp_path, **arrays, y_train=Y, y_test=Y)
        expected = message(tmp_path)
        monkeypatch.setattr(mapped, "MAPPED_FROM", 1)
        assert message(tmp_path) == expected
        assert f"{name}.npy[{row}, 2, 1]: expected a finite number, found {value}" in expected
        with pytest.raises(DataError, match="expected a finite number"):
            inspect(str(tmp_path))

    @pytest.mark.parametrize("row", [0, 1500, ROWS - 1])
    def test_what_float32_cannot_hold(self, tmp_path, monkeypatch, row):
        inputs = X.astype(np.float64)
        inputs[row, 1, 1] = -1e60
        save(tmp_path, X=inputs, y=Y)
        expected = message(tmp_path, standardise="none")
        monkeypatch.setattr(mapped, "MAPPED_FROM", 1)
        assert message(tmp_path, standardise="none") == expected
        assert f"row {row + 1}, input 4: expected a number that float32 can hold" in expected
        assert load(str(tmp_path), standardise="none", dtype="float64").dtype == "float64"

    @pytest.mark.parametrize(
        ("arrays", "fragment"),
        [
            ({"X": X[:, 0, 0], "y": Y}, "expected (rows, features) or (rows, height, width), found shape"),
            ({"X": X[:0], "y": Y[:0]}, "expected at least one row and one feature"),
            ({"X": X, "y": Y[:-1]}, f"expected as many labels in y as rows in x, {ROWS}, found {ROWS - 1}"),
            ({"X": X.astype(object), "y": Y}, "never unpickled"),
            ({"X": X.astype(complex), "y": Y}, "found dtype '<c16'"),
            ({"X": X.astype("U4"), "y": Y}, "expected numbers as inputs, found str128"),
            ({"X": X, "y": Y * 0}, "expected at least two classes, found one, '0'"),
            (
                {"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y},
                "expected test rows of shape (3, 2), found (2, 2)",
            ),
        ],
    )
    def test_what_is_no_data(self, tmp_path, always, arrays, fragment):
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
        assert fragment in message(tmp_path)

    @pytest.mark.parametrize("change", [-1, 1, -5000])
    def test_a_file_of_another_length(self, folder, monkeypatch, change):
        os.truncate(folder / "X.npy", (folder / "X.npy").stat().st_size + change)
        expected = message(folder)
        monkeypatch.setattr(mapped, "MAPPED_FROM", 1)
        assert message(folder) == expected
        assert f"expected {ROWS * 24} bytes for shape ({ROWS}, 6) of float32, found" in expected

    def test_a_promise_is_measured_by_the_file(self, tmp_path, always):
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9), }\n"
        (tmp_path / "X.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        save(tmp_path, y=Y)
        assert "expected 7199999999928 bytes for shape (99999999999, 9) of float64, found 0" in message(
            tmp_path
        )

    @given(st.integers(0, 127), st.integers(1, 255))
    def test_one_wrong_byte_in_a_header_never_gives_a_traceback(self, tmp_path_factory, at, change):
        folder = tmp_path_factory.mktemp("flip")
        save(folder, X=X[:60].astype(np.float32), y=Y[:60])
        content = bytearray((folder / "X.npy").read_bytes())
        content[at] ^= change
        (folder / "X.npy").write_bytes(content)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mapped, "MAPPED_FROM", 1)
            with suppress(DataError):
                load(str(folder))


class TestChanges:
    """A file that changes while it is mapped: a look beyond its end would be the end of the process."""

    @pytest.fixture
    def data(self, folder, always) -> Dataset:
        return load(str(folder))

    def looks(self, data: Dataset) -> list[Callable[[], object]]:
        out = np.empty((2, 6), np.float32), np.empty(2, np.intp)
        return [
            lambda: data.train.take(np.array([0, 1400], np.intp), *out),
            lambda: data.dev.inputs[:1024],
            lambda: data.test.inputs[np.array([3])],
        ]

    @pytest.mark.parametrize("size", [0, 200, 40_000])
    def test_one_that_is_cut(self, folder, data, size):
        os.truncate(folder / "X.npy", size)
        for look in self.looks(data):
            with pytest.raises(DataError, match=r"X\.npy: expected a file that stays as it is while in use"):
                look()

    def test_one_that_is_written_to(self, folder, data):
        before = (folder / "X.npy").stat().st_mtime_ns
        with (folder / "X.npy").open("r+b") as file:
            file.seek(1000)
            file.write(b"\0" * 8)
        os.utime(folder / "X.npy", ns=(before, before + 1))  # as a clock would have it, however coarse
        for look in self.looks(data):
            with pytest.raises(DataError, match="found it changed"):
                look()

    def test_one_that_is_replaced_or_removed_stays(self, folder, data):
        before = [data.train.inputs[:].tobytes(), data.dev.inputs[:].tobytes()]
        np.save(folder / "other.npy", np.zeros((3, 3)))
        os.replace(folder / "other.npy", folder / "X.npy")
        assert [data.train.inputs[:].tobytes(), data.dev.inputs[:].tobytes()] == before
        (folder / "X.npy").unlink()
        assert data.train.inputs[:].tobytes() == before[0]

    def test_one_that_changes_while_it_is_loaded(self, folder, always):
        def cut(what: str, done: float) -> None:
            if what == "measuring":
                os.truncate(folder / "X.npy", 5000)

        with pytest.raises(DataError, match="found it changed"):
            load(str(folder), progress=cut)

    def test_the_file_is_closed_with_the_data(self, folder, always):
        before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
        data = load(str(folder))
        del data
        after = set(os.listdir("/proc/self/fd")) if before else set()
        assert len(after) <= len(before)
