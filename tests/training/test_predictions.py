"""Regions, confusion and mistakes against counts by hand and the dev evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from pandatui.data import load
from pandatui.training import Run, RunConfig
from pandatui.training.predictions import extent, mistakes, raw_inputs, regions


@pytest.fixture(scope="module")
def plane():
    data = load("spirals")
    run = Run(RunConfig(data="spirals", hidden=(16,), learning_rate=0.3, epochs=20), data)
    while run.ready:
        run.step()
    return run


def test_a_region_s_cell_is_what_the_network_says_of_its_middle(plane):
    bounds = extent(plane.dataset)
    found = regions(plane.network, plane.dataset, bounds, 40, 24)
    left, right, bottom, top = bounds
    statistics = plane.dataset.standardisation
    for row, column in ((0, 0), (23, 39), (5, 30), (12, 20)):
        point = np.array(
            [left + (column + 0.5) * (right - left) / 40, top - (row + 0.5) * (top - bottom) / 24]
        )
        x = ((point - statistics.mean.ravel()) / statistics.scale.ravel()).astype(np.float32)[None]
        probabilities = plane.network.probabilities(x)[0, 0]
        assert found.winner[row, column] == probabilities.argmax()
        assert found.certainty[row, column] == pytest.approx(probabilities.max(), abs=1e-5)
    assert set(np.unique(found.winner)) == {0, 1, 2}


def test_the_extent_holds_every_point_in_its_own_units(plane):
    left, right, bottom, top = extent(plane.dataset)
    for part in (plane.dataset.train, plane.dataset.dev):
        points = raw_inputs(plane.dataset, part)
        assert (left < points[:, 0]).all()
        assert (points[:, 0] < right).all()
        assert (bottom < points[:, 1]).all()
        assert (points[:, 1] < top).all()
    assert -1.3 < left < -0.9  # spirals are in the unit circle
    assert 0.9 < top < 1.3


def test_confusion_agrees_with_the_dev_evaluation(plane):
    dev = plane.dataset.dev
    found = mistakes(plane.network, dev, 3)
    assert found.confusion.sum() == len(dev)
    accuracy = plane.network.evaluate(dev.inputs, dev.labels)[1][0]
    assert np.trace(found.confusion) / len(dev) == pytest.approx(accuracy)
    predicted = plane.network.probabilities(dev.inputs)[0].argmax(axis=1)
    for true in range(3):
        for other in range(3):
            assert found.confusion[true, other] == ((dev.labels == true) & (predicted == other)).sum()
        hits = ((predicted == true) & (dev.labels == true)).sum()
        assert found.precision[true] == pytest.approx(hits / (predicted == true).sum())
        assert found.recall[true] == pytest.approx(hits / (dev.labels == true).sum())


def test_the_worst_mistakes_come_first_and_are_mistakes(plane):
    dev = plane.dataset.dev
    found = mistakes(plane.network, dev, 3, most=5)
    probabilities = plane.network.probabilities(dev.inputs)[0]
    assert len(found.rows) == 5
    assert (found.true != found.predicted).all()
    assert (np.diff(found.probability) >= 0).all()
    missed = probabilities.argmax(axis=1) != dev.labels
    assert found.probability[0] == probabilities[np.arange(len(dev)), dev.labels][missed].min()


def test_a_class_that_is_never_predicted_has_no_precision(plane, new_run, dataset):
    run = new_run(dataset())
    run.network.views["b3"][0, 0] = [50, 0, 0]
    found = mistakes(run.network, run.dataset.dev, 3)
    assert np.isnan(found.precision[1])
    assert found.recall[1] == 0


def test_three_inputs_are_no_plane(new_run, dataset):
    run = new_run(dataset())
    with pytest.raises(ValueError, match="3 inputs"):
        regions(run.network, run.dataset, (0, 1, 0, 1), 4, 4)
