"""Shares of ROIs: more for those that know the movie than for those that do not."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.embedding import AttributionConfig, separation
from napari_cebra.pipeline import STIMULUS, exhaust, fit
from napari_cebra.pipeline.attribution import DEFAULT, RoiShares, roi_shares
from napari_cebra.recording import InvalidInput


def test_rois_that_know_the_movie_have_the_largest_shares(
    raw_counts, recording_of, config
):
    raw = raw_counts.copy()
    blind = np.arange(raw.shape[1]) % 4 == 0
    raw[:, blind] = np.random.default_rng(0).permutation(raw[:, blind])
    recording = recording_of(raw)
    longer = replace(config().training, max_iterations=200)
    embedding = exhaust(fit(recording, config(STIMULUS, training=longer)))
    shares = exhaust(roi_shares(recording, embedding))
    np.testing.assert_array_equal(shares.ids, recording.roi_ids)
    assert shares.share().sum() == pytest.approx(1)
    assert separation(shares.share(), ~blind).auc > 0.8
    assert (shares.rows, shares.n_rows) == ("training", embedding.split.refit.sum())
    some = exhaust(roi_shares(recording, embedding, replace(DEFAULT, max_rows=40)))
    assert some.n_rows == 40
    assert np.corrcoef(some.share(), shares.share())[0, 1] > 0.9


@pytest.fixture(scope="module")
def embedding(tiny, config):
    return exhaust(fit(tiny, config(STIMULUS)))


def test_rows_can_be_chosen(tiny, embedding):
    every = exhaust(roi_shares(tiny, embedding, rows="all"))
    assert (every.rows, every.n_rows) == ("all", embedding.rows.sum())
    some = np.zeros(tiny.n_frames, bool)
    some[10:30] = True
    selected = exhaust(roi_shares(tiny, embedding, rows=some))
    assert (selected.rows, selected.n_rows) == ("selected", 20)
    assert not np.allclose(selected.share(), every.share(), rtol=1e-3)
    with pytest.raises(InvalidInput, match="None of the chosen rows"):
        exhaust(roi_shares(tiny, embedding, rows=np.zeros(tiny.n_frames, bool)))


def test_each_latent_has_shares_of_its_own(tiny, embedding):
    shares = exhaust(roi_shares(tiny, embedding))
    one = shares.share(1)
    assert one.sum() == pytest.approx(1) and not np.allclose(one, shares.share())
    table = shares.columns()
    np.testing.assert_allclose(table["share_latent_1_percent"], 100 * one)
    assert [len(values) for values in table.values()] == [tiny.traces.n_rois] * 9
    assert set(table["method"]) == {"feature-ablation"}
    assert set(table["rows"]) == {"training"}
    assert set(table["n_rows"]) == {shares.n_rows}


def test_without_any_attribution_no_roi_has_a_share():
    zero = RoiShares(np.arange(3), np.zeros((2, 3)), AttributionConfig(), "all", 5)
    assert zero.share().tolist() == [0, 0, 0]
