import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from napari_cebra.decoding import KnnDecoder, choose_k
from napari_cebra.recording import InvalidInput


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 6)), rng.normal(size=(80, 6))


@pytest.mark.parametrize("k", [1, 4, 9, 25])
@pytest.mark.parametrize("weighting", ["distance", "uniform"])
def test_agrees_with_sklearn_regressor(points, k, weighting):
    train, test = points
    y = np.random.default_rng(1).normal(size=(300, 2))
    oracle = KNeighborsRegressor(k, metric="cosine", weights=weighting).fit(train, y)
    ours = KnnDecoder(k, "regression", weighting).fit(train, y).predict(test)
    np.testing.assert_allclose(ours.value, oracle.predict(test), rtol=1e-9)


@pytest.mark.parametrize("k", [1, 5, 25])
def test_agrees_with_sklearn_classifier(points, k):
    train, test = points
    y = np.random.default_rng(1).integers(0, 7, 300)
    oracle = KNeighborsClassifier(k, metric="cosine", weights="distance").fit(train, y)
    ours = KnnDecoder(k, "class", "distance").fit(train, y).predict(test)
    assert np.array_equal(ours.value, oracle.predict(test))
    share = oracle.predict_proba(test)
    np.testing.assert_allclose(ours.confidence, share.max(axis=1), rtol=1e-5)
    ranked = -np.sort(-share, axis=1)[:, :5]
    np.testing.assert_allclose(ours.weights, ranked, atol=1e-6)


def test_uniform_votes_agree_with_sklearn_where_no_tie(points):
    train, test = points
    y = np.random.default_rng(1).integers(0, 3, 300)
    oracle = KNeighborsClassifier(9, metric="cosine").fit(train, y)
    share = np.sort(oracle.predict_proba(test), axis=1)
    clear = share[:, -1] > share[:, -2] + 1e-9
    ours = KnnDecoder(9, "index", "uniform").fit(train, y).predict(test)
    assert 0 < clear.sum() < clear.size
    assert np.array_equal(ours.value[clear], oracle.predict(test)[clear])


def test_ties_are_random_but_seeded():
    train = np.array([[1.0, 0.1], [1.0, -0.1]] * 50)
    y = np.tile([3, 8], 50)
    test = np.tile([[1.0, 0.0]], (200, 1))

    def decode(seed):
        decoder = KnnDecoder(100, "class", "uniform", seed=seed)
        return decoder.fit(train, y).predict(test).value

    share = (decode(0) == 3).mean()
    assert 0.35 < share < 0.65
    assert np.array_equal(decode(0), decode(0))
    assert not np.array_equal(decode(0), decode(1))


def test_equally_near_neighbours_do_not_favour_the_first_repeat():
    repeats, frames = 9, 40
    rng = np.random.default_rng(0)
    train = np.tile(rng.normal(size=(frames, 3)), (repeats, 1))
    which = np.repeat(np.arange(repeats), frames)
    chosen = [
        KnnDecoder(1, "class", seed=seed).fit(train, which).predict(train[:frames])
        for seed in range(20)
    ]
    counts = np.bincount(np.concatenate([c.value for c in chosen]), minlength=repeats)
    assert counts.min() > 0.5 * counts.mean()


def test_an_identical_point_outvotes_all_others():
    train = np.array([[1.0, 0.0], [0.9, 0.1], [0.9, 0.1]])
    decoder = KnnDecoder(3, "class", "distance").fit(train, np.array([5, 2, 2]))
    prediction = decoder.predict(np.array([[2.0, 0.0]]))
    assert prediction.value[0] == 5
    assert prediction.confidence[0] == 1
    assert prediction.candidates[0, 1] in (2, -1)


def test_circular_mean_crosses_the_border():
    train = np.array([[1.0, 0.05], [1.0, -0.05]])
    decoder = KnnDecoder(2, "angle", period=360.0).fit(train, np.array([350.0, 20.0]))
    prediction = decoder.predict(np.array([[1.0, 0.0]]))
    assert prediction.value[0] == pytest.approx(5)
    assert prediction.confidence[0] == pytest.approx(np.cos(np.deg2rad(15)))


def test_blocks_do_not_change_the_answer(points, monkeypatch):
    train, test = points
    y = np.arange(300)
    whole = KnnDecoder(7).fit(train, y).predict(test)
    monkeypatch.setattr("napari_cebra.decoding.knn._BLOCK_BYTES", 300 * 8 * 11)
    blocks = KnnDecoder(7).fit(train, y).predict(test)
    assert np.array_equal(whole.candidates, blocks.candidates)
    np.testing.assert_allclose(whole.weights, blocks.weights, rtol=1e-6)


def test_k_above_the_number_of_rows_uses_them_all(points):
    train, test = points
    y = np.arange(300.0)
    ours = KnnDecoder(500, "regression", "uniform").fit(train, y).predict(test)
    np.testing.assert_allclose(ours.value, y.mean())


def test_nan_points_and_other_dimensions_are_refused(points):
    train, test = points
    with pytest.raises(InvalidInput, match="NaN"):
        KnnDecoder().fit(np.where(train > 2, np.nan, train), np.arange(300))
    with pytest.raises(InvalidInput, match="6 dimensions, not 5"):
        KnnDecoder().fit(train, np.arange(300)).predict(test[:, :5])
    with pytest.raises(InvalidInput, match="300 points and 299 targets"):
        KnnDecoder().fit(train, np.arange(299))
    with pytest.raises(InvalidInput, match="at least 1"):
        KnnDecoder(0)


def test_choice_finds_the_k_that_validates_best():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (2, 400))
    points = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    noisy = angle + rng.normal(0, 0.5, angle.shape)
    choice = choose_k(points[0], noisy[0], points[1], noisy[1], [1, 25], "angle")
    assert choice.k == 25
    assert choice.errors[25] == choice.error < choice.errors[1]
