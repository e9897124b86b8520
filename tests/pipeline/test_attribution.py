"""Shares of ROIs: more for those that know the movie than for those that do not."""

import numpy as np

from napari_cebra.embedding import AttributionConfig, separation
from napari_cebra.pipeline import STIMULUS, exhaust, fit
from napari_cebra.pipeline.attribution import roi_shares


def test_rois_that_know_the_movie_have_the_largest_shares(
    raw_counts, recording_of, config
):
    raw = raw_counts.copy()
    blind = np.arange(raw.shape[1]) % 4 == 0
    raw[:, blind] = np.random.default_rng(0).permutation(raw[:, blind])
    recording = recording_of(raw)
    embedding = exhaust(fit(recording, config(STIMULUS)))
    shares = exhaust(roi_shares(recording, embedding))
    np.testing.assert_array_equal(shares.ids, recording.roi_ids)
    assert shares.share.max() == 1
    assert separation(shares.share, ~blind).auc > 0.8
    assert shares.attribution.n_rows == embedding.split.refit.sum()
    some = exhaust(roi_shares(recording, embedding, AttributionConfig(max_rows=40)))
    assert some.attribution.n_rows == 40
    assert np.corrcoef(some.share, shares.share)[0, 1] > 0.9
