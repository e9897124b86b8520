"""Measures that a person curates by."""

import numpy as np
import pytest
from scipy import stats

from napari_cebra.recording import RoiSet, Traces
from napari_cebra.traces.quality import overlap_shares, trace_quality


def test_measures_tell_cells_from_noise_and_from_neuropil(rng):
    n = 4000
    around = np.cumsum(rng.normal(0, 0.3, n))
    noise = rng.normal(0, 1, (n, 4))
    change = noise.copy()
    change[::100, 0] += 10
    change[:, 3] = 0
    raw = change + np.array([0, 0, 1, 0]) * around[:, None]
    rows = np.ones(n, bool)
    found = trace_quality(
        change,
        change,
        Traces(raw, "raw"),
        Traces(np.tile(around[:, None], 4), "neuropil"),
        rows,
    )
    assert 8 < found.snr[0] < 12 and found.snr[1] < 3.5 and found.snr[3] == 0
    expected = stats.skew(change[:, :3].astype(np.float64))
    assert found.skewness[:3] == pytest.approx(expected)
    assert found.skewness[0] > 3 and abs(found.skewness[1]) < 0.3
    correlation = np.corrcoef(raw[:, 2], around)[0, 1]
    assert found.neuropil_correlation[2] == pytest.approx(correlation, abs=1e-5)
    assert np.isnan(found.neuropil_correlation[3])
    rows[::100] = False
    again = trace_quality(change, change, None, None, rows)
    assert again.snr[0] < 4, "frames that are not used do not count"
    assert np.isnan(again.neuropil_correlation).all()


def test_overlap_is_the_share_of_pixels_in_several_masks():
    square = np.nonzero(np.ones((4, 4)))
    masks = [
        (*square, None),
        (square[0], square[1] + 2, None),
        (square[0] + 10, square[1], None),
    ]
    rois = RoiSet.from_masks(masks, (20, 20))
    assert overlap_shares(rois).tolist() == [0.5, 0.5, 0.0]
