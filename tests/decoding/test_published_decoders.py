"""The published package's decoders: same predictions, and scores that fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score

from napari_cebra.decoding import KNNDecoder, L1LinearRegressor
from napari_cebra.recording import InvalidInput

cebra = pytest.importorskip("cebra")


@pytest.fixture
def points(rng=None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    y = x @ rng.normal(size=(6, 2)) + rng.normal(0, 0.1, (200, 2))
    return x[:150], y[:150], x[150:], y[150:]


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan"])
@pytest.mark.parametrize("columns", [slice(0, 1), slice(0, 2)])
def test_values_are_predicted_as_by_the_reference(points, metric, columns):
    x, y, new, true = points
    y, true = y[:, columns].squeeze(), true[:, columns].squeeze()
    ours = KNNDecoder(5, metric).fit(x, y)
    theirs = cebra.KNNDecoder(5, metric).fit(x, y)
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-10)
    assert ours.score(new, true) == pytest.approx(theirs.score(new, true))


def test_classes_without_a_tie_are_predicted_as_by_the_reference(points):
    x, y, new, true = points
    classes, answer = (y[:, 0] > 0) * 7 - 3, (true[:, 0] > 0) * 7 - 3
    ours = KNNDecoder(3).fit(x, classes)  # three votes on two classes
    theirs = cebra.KNNDecoder(3).fit(x, classes)
    predicted = ours.predict(new)
    assert np.array_equal(predicted, theirs.predict(new))
    assert set(predicted) == {-3, 4}
    assert ours.score(new, answer) == accuracy_score(answer, predicted)
    # what the reference gives instead depends on how the classes are numbered
    assert theirs.score(new, answer) == r2_score(answer, predicted)


def test_several_columns_of_classes(points):
    x, y, new, _ = points
    both = np.stack([y[:, 0] > 0, y[:, 1] > 0], axis=1).astype(int)
    predicted = KNNDecoder(3).fit(x, both).predict(new)
    for column in range(2):
        alone = KNNDecoder(3).fit(x, both[:, column]).predict(new)
        assert np.array_equal(predicted[:, column], alone)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_ties_favour_no_class(metric):
    x = np.tile([[1.0, 0.0]], (400, 1))
    y = np.repeat([0, 1], 200)
    found = [
        KNNDecoder(1, metric, random_state=seed).fit(x, y).predict(x[:1])[0]
        for seed in range(60)
    ]
    assert 15 < sum(found) < 45
    votes = KNNDecoder(2, metric).fit(np.eye(2), [0, 1]).predict(np.ones((200, 2)))
    assert 60 < votes.sum() < 140
    assert (
        cebra.KNNDecoder(2, metric)
        .fit(np.eye(2), np.array([0, 1]))
        .predict(np.ones((200, 2)))
        .sum()
        == 0
    )


def test_the_lasso_is_the_references(points):
    x, y, new, true = points
    ours, theirs = L1LinearRegressor(0.05), cebra.L1LinearRegressor(0.05)
    np.testing.assert_allclose(
        ours.fit(x, y).predict(new), theirs.fit(x, y).predict(new)
    )
    assert ours.score(new, true) == pytest.approx(theirs.score(new, true))


@pytest.mark.parametrize("ours", [KNNDecoder, L1LinearRegressor])
def test_settings_are_those_of_the_reference(ours):
    theirs = getattr(cebra, ours.__name__)
    assert [*ours.iter_hyperparams()] == [*theirs.iter_hyperparams()]
    published = theirs().get_params()
    assert published == {name: ours().get_params()[name] for name in published}
    assert clone(ours()).get_params() == ours().get_params()


def test_tensors_are_taken(points):
    x, y, new, true = (torch.as_tensor(part) for part in points)
    assert KNNDecoder().fit(x, y).score(new, true) > 0.5


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.ones((4, 2)), np.ones(3), "4 points in X and 3 targets"),
        (np.ones((4, 2)), np.array(list("abcd")), "must be numbers"),
        (np.ones((2, 2)), np.ones(2), "n_neighbors=3"),
    ],
)
def test_what_cannot_be_fitted_is_said(x, y, says):
    with pytest.raises(InvalidInput, match=says):
        KNNDecoder().fit(x, y)
