from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import zscore

pytest.importorskip("napari")

from napari_cebra.viewer.adapters.activity import Activity


def test_it_is_the_mean_z_score():
    values = np.random.default_rng(0).gamma(1, 2, (300, 20))
    frames = np.arange(40, 60)
    score = zscore(values, axis=0)[frames].mean(axis=0)
    expected = [i for i in np.argsort(-score)[:5] if score[i] > 0]
    assert Activity(values).most_active(frames, 5).tolist() == expected


def test_silent_rois_and_no_frames():
    values = np.zeros((10, 3))
    values[4, 1] = 1
    assert Activity(values).most_active(np.array([4])).tolist() == [1]
    assert Activity(values).most_active(np.array([5])).tolist() == []
    assert Activity(values).most_active(np.array([], int)).tolist() == []
