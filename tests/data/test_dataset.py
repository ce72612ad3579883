"""Split, standardisation and hash against oracles: counts, float64 formulas, pinned figures."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandatui.data import BUILT_IN, DataError, load
from pandatui.data.split import quotas, stratified
from pandatui.data.standardise import CHUNK_ROWS, from_statistics, measure

# Of the arrays as loaded. They change only with the data, or with what NumPy draws for a seed.
HASHES = {
    "digits": "faf3490490c942704096cda336d57873c15ecfb166ba999b924604dda6d743d3",
    "spirals": "3a5bb0b3cb62dec7c1601e136af1eac2c212d8acbfbaf65d605c95220f8ae5e3",
    "moons": "a58456815ae5d5e4c8e3257e138d20a5a37a14244656808ce9b227c1b21635c5",
    "circles": "f2c47173f716c7ea45f85abcf3890224fde51a0a5b7d746ae9f6d98ba15c1f0b",
    "xor": "889e1f9000271408e107e43bc360d336b236dce4be4f52d82f1c6eb8ec5b4b66",
    "blobs": "64042a9b59fbbace1f4df2f1bfd486b02171c1ac2ad423cab4109e6869b3acd7",
}


def test_digits_and_spirals_come_first():
    assert list(BUILT_IN)[:2] == ["digits", "spirals"]
    assert set(BUILT_IN) == set(HASHES)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_sets_are_what_they_say(name):
    data = load(name)
    rows = sum(len(part) for part in (data.train, data.dev, data.test))
    said = f"{rows:,} rows, {data.n_features} features, {data.n_classes} classes"
    assert BUILT_IN[name].endswith(said)
    assert data.sha256 == HASHES[name]
    assert data.name == data.source == name
    for part in (data.train, data.dev, data.test):
        assert part.inputs.dtype == np.float32
        assert part.labels.dtype == np.intp
        assert part.inputs.flags.c_contiguous
        assert not part.inputs.flags.writeable
        assert set(part.labels.tolist()) == set(range(data.n_classes))


def test_digits_are_images_of_1437_training_rows():
    data = load("digits")
    assert data.shapes == {"train": (1437, 64), "dev": (180, 64), "test": (180, 64)}
    assert data.image_shape == (8, 8)
    assert data.features == ()
    assert data.classes == tuple("0123456789")
    assert data.standardisation.kind == "overall"


def test_spirals_are_three_arms_of_one_and_a_half_turns():
    data = load("spirals", standardise="none", dtype="float64")
    points = np.concatenate([part.inputs for part in (data.train, data.dev, data.test)])
    labels = np.concatenate([part.labels for part in (data.train, data.dev, data.test)])
    assert np.array_equal(points, np.round(points, 6))
    t = np.linspace(0, 1, 2001)[:, np.newaxis]
    for arm in range(3):
        angle = 3 * np.pi * t + arm * 2 * np.pi / 3
        curve = np.hstack([t * np.cos(angle), t * np.sin(angle)])
        mine = points[labels == arm]
        distance = np.sqrt(((mine[:, np.newaxis] - curve) ** 2).sum(axis=2)).min(axis=1)
        assert len(mine) == 500
        # Across a curve the noise of 0.03 is one-dimensional: its root mean square.
        assert np.sqrt((distance**2).mean()) == pytest.approx(0.03, abs=0.004)


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "digits"])
def test_split_seed_makes_other_points(name):
    assert load(name, split_seed=1).sha256 != load(name).sha256


def test_split_seed_splits_the_same_digits_otherwise():
    one, other = load("digits"), load("digits", split_seed=1)
    assert one.sha256 == other.sha256
    assert not np.array_equal(one.dev.inputs, other.dev.inputs)


def test_loading_twice_gives_the_same_bits_and_pickles():
    one, other = load("digits"), pickle.loads(pickle.dumps(load("digits")))
    for name in ("train", "dev", "test"):
        assert getattr(one, name).inputs.tobytes() == getattr(other, name).inputs.tobytes()
        assert getattr(one, name).labels.tobytes() == getattr(other, name).labels.tobytes()


class TestSplit:
    @given(st.lists(st.integers(0, 60), min_size=2, max_size=12), st.integers(0, 5))
    def test_every_row_is_in_one_part_and_every_large_class_in_all(self, counts, seed):
        labels = (
            np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.intp)
        )
        if max(counts) < 3:
            with pytest.raises(DataError, match="at least 3 rows"):
                stratified(labels, len(counts), seed, parts=2, where="x")
            return
        parts = stratified(labels, len(counts), seed, parts=2, where="x")
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
        by_class = [np.bincount(labels[rows], minlength=len(counts)) for rows in parts]
        assert np.array_equal(by_class[1], by_class[2])
        for label, count in enumerate(counts):
            held = by_class[1][label]
            if count < 3:
                assert held == 0
            else:
                assert max(1, count // 10) <= held <= max(1, -(-count // 10))
                assert by_class[0][label] >= 1
        for rows in parts:
            assert np.array_equal(rows, np.sort(rows))

    def test_a_tenth_of_all_rows_by_largest_remainder(self):
        # The digits: tenths rounded down make 176; the 4 missing go to the remainders 9, 8, 7 and 4.
        counts = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
        assert quotas(counts).tolist() == [18, 18, 18, 18, 18, 18, 18, 18, 18, 18]
        assert quotas(np.array([15, 15, 10])).tolist() == [2, 1, 1]

    def test_one_held_out_part(self):
        labels = np.repeat(np.arange(4), 100).astype(np.intp)
        train, dev = stratified(labels, 4, 0, parts=1, where="x")
        assert np.bincount(labels[dev]).tolist() == [10] * 4
        assert len(train) == 360


class TestStandardisation:
    @pytest.mark.parametrize("features", [1, 3, 700])
    def test_column_statistics_are_numpys_in_float64(self, features):
        raw = np.random.default_rng(0).normal(1e4, 3, size=(2 * CHUNK_ROWS + 17, features)).astype(np.float32)
        rows = np.arange(0, len(raw), 2)
        standard = from_statistics("column", measure(raw, rows))
        exact = raw[rows].astype(np.float64)
        np.testing.assert_allclose(standard.mean, exact.mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(standard.scale, exact.std(axis=0), rtol=1e-11)

    def test_overall_statistics_are_of_all_pixels(self):
        raw = np.random.default_rng(0).integers(0, 256, size=(999, 5, 4), dtype=np.uint8)
        standard = from_statistics("overall", measure(raw, np.arange(len(raw))))
        assert standard.mean == pytest.approx(raw.mean(dtype=np.float64), rel=1e-14)
        assert standard.scale == pytest.approx(raw.std(dtype=np.float64), rel=1e-13)
        np.testing.assert_allclose(
            standard.apply(raw, "float64"), ((raw - raw.mean()) / raw.std()).reshape(999, 20), atol=1e-12
        )

    @pytest.mark.parametrize("value", [0.0, 0.1, -3e7, 1e-200])
    def test_a_constant_column_gets_scale_one(self, value):
        raw = np.column_stack([np.full(1001, value), np.arange(1001)])
        standard = from_statistics("column", measure(raw, np.arange(1001)))
        assert standard.scale[0] == 1.0
        np.testing.assert_allclose(standard.apply(raw, "float64")[:, 0], 0, atol=1e-7)

    def test_training_rows_have_mean_0_and_deviation_1_and_others_do_not_count(self):
        data = load("moons", dtype="float64")
        np.testing.assert_allclose(data.train.inputs.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(data.train.inputs.std(axis=0), 1, rtol=1e-12)
        assert abs(data.dev.inputs.mean(axis=0)).max() > 1e-6

    def test_new_rows_pass_through_the_same_door(self):
        plain, scaled = load("blobs", standardise="none", dtype="float64"), load("blobs")
        assert np.array_equal(scaled.standardisation.apply(plain.test.inputs, "float32"), scaled.test.inputs)
        with pytest.raises(DataError, match="expected rows of 2 features, found 3"):
            scaled.standardisation.apply(np.zeros((1, 3)), "float32")

    def test_values_that_float32_cannot_hold_are_refused(self):
        as_is = from_statistics("none", measure(np.zeros((2, 1)), np.arange(2)))
        with pytest.raises(DataError, match=r"row 2, input 1: .* float32"):
            as_is.apply(np.array([[1.0], [1e300]]), "float32")


class TestTake:
    def test_it_gathers_rows(self):
        part = load("digits").train
        rows = np.array([5, 0, 1436, 5], dtype=np.intp)
        inputs, labels = np.empty((4, 64), np.float32), np.empty(4, np.intp)
        part.take(rows, inputs, labels)
        assert np.array_equal(inputs, part.inputs[rows])
        assert np.array_equal(labels, part.labels[rows])

    def test_it_allocates_nothing(self):
        part = load("digits").train
        rows = np.arange(1024, dtype=np.intp)
        inputs, labels = np.empty((1024, 64), np.float32), np.empty(1024, np.intp)
        part.take(rows, inputs, labels)
        tracemalloc.start()
        part.take(rows, inputs, labels)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2048  # a copy of the labels alone would be 8,192 bytes
