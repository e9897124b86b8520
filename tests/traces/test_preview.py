"""One ROI computed alone is the ROI that is computed with all others."""

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput, Traces
from napari_cebra.traces import DffSettings, dff
from napari_cebra.traces.preview import Preview, shared_course
from napari_cebra.traces.settings import PRESETS


@pytest.fixture
def traces(rng):
    n = 3000
    fading = np.exp(-np.arange(n) / 2500)[:, None]
    neuropil = 80 * fading + rng.normal(0, 3, (n, 8))
    active = 60 * (rng.random((n, 8)) < 0.02)
    values = 200 * fading + active + 0.5 * neuropil + rng.normal(0, 4, (n, 8))
    values[[700, 701, 1500]] += 400
    return Traces(values, "raw", 30.0), Traces(neuropil, "neuropil", 30.0)


def preview(raw, neuropil):
    rows = np.ones(raw.n_frames, bool)
    return Preview(raw, neuropil, shared_course(raw, neuropil, rows), rows)


@pytest.mark.parametrize(
    "changes",
    [
        *PRESETS.values(),
        {"artefact_threshold": 8.0},
        {"deconvolve": True, "minimal_event": 2.0},
        {"neuropil_centred": False, "neuropil_coefficient": 0.4},
        {"neuropil": "fitted", "follow_bleaching": False},
    ],
)
def test_one_roi_alone_is_the_same(traces, changes):
    settings = DffSettings(**changes)
    for around in (traces[1], None):
        whole = dff(traces[0], around, settings)
        alone = preview(traces[0], around).of(5, settings)
        for name in ("f0", "corrected", "change"):
            a, b = getattr(alone, name)[:, 0], getattr(whole, name)[:, 5]
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(alone.valid, whole.valid)
        assert alone.coefficient[0] == whole.coefficient[5]
        one, all_ = alone.traces.values[:, 0], whole.traces.values[:, 5]
        assert np.abs(one - all_).max() < 1e-3 * np.abs(all_).max()


def test_a_fit_is_kept_while_the_baseline_changes(traces, monkeypatch):
    from napari_cebra.traces import preview as module

    asked = []
    fit = module.coefficients
    monkeypatch.setattr(module, "coefficients", lambda *a: asked.append(0) or fit(*a))
    drawn = preview(*traces)
    for percentile in (5, 10, 20):
        drawn.of(2, DffSettings(neuropil="fitted", percentile=percentile))
    assert len(asked) == 1
    drawn.of(2, DffSettings(neuropil="fitted", window_s=30))
    drawn.of(3, DffSettings(neuropil="fitted"))
    assert len(asked) == 3


def test_artefacts_need_several_rois(traces):
    raw = Traces(traces[0].values[:, :3], "raw", 30.0)
    with pytest.raises(InvalidInput, match="at least 5"):
        preview(raw, None).of(0, DffSettings(artefact_threshold=5))
