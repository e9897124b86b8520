import numpy as np
import pytest

from napari_cebra.recording import InvalidInput, Recording, Traces
from napari_cebra.traces import (
    DffSettings,
    artefact_frames,
    dff,
    mark_artefacts,
    recompute_dff,
)

FLASH = np.r_[200:204, 500]


@pytest.fixture
def flashed(rng):
    values = rng.normal(100, 3, (1200, 8))
    values[300:330, 2] += 60  # activity of one ROI
    clean = values.copy()
    values[FLASH] += 400
    return clean, values


def test_flashes_are_found_and_activity_is_not(flashed):
    clean, values = flashed
    rows = np.ones(1200, bool)
    assert np.flatnonzero(artefact_frames(values, rows, 6, 31)).tolist() == [*FLASH]
    assert not artefact_frames(clean, rows, 6, 31).any()
    rows[FLASH[:2]] = False
    found = artefact_frames(values, rows, 6, 31)
    assert np.flatnonzero(found).tolist() == [*FLASH[2:]]
    still = np.full((50, 8), 3.0)
    assert not artefact_frames(still, np.ones(50, bool), 6, 31).any()


def test_no_fit_sees_an_artefact(flashed):
    clean, values = flashed
    settings = DffSettings(artefact_threshold=6, deconvolve=True, neuropil="fitted")
    around = Traces(clean[:, ::-1] + 50, "neuropil", 30.0)
    made = dff(Traces(values, "raw", 30.0), around, settings)
    assert np.flatnonzero(~made.valid).tolist() == [*FLASH]
    bad = ~made.valid
    same = dff(Traces(clean, "raw", 30.0), around, settings, artefacts=bad)
    for name in ("f0", "noise", "coefficient"):
        np.testing.assert_array_equal(getattr(made, name), getattr(same, name))
    np.testing.assert_array_equal(made.traces.values, same.traces.values)
    assert np.isnan(made.events.values[bad]).all()
    assert (made.traces.values[bad] == 0).all()
    assert made.traces.n_frames == 1200  # none is dropped


def test_marked_frames_keep_their_place_and_can_be_released(flashed):
    _, values = flashed
    raw = Traces(values, "raw", 30.0)
    settings = DffSettings(artefact_threshold=6)
    made = dff(raw, None, settings)
    recording = Recording(made.traces, raw=raw).exclude(np.arange(1200) < 9, "dark")
    marked = mark_artefacts(recording, ~made.valid)
    assert np.flatnonzero(~marked.valid).tolist() == [*range(9), *FLASH]
    again = recompute_dff(marked, np.arange(1200) < 900)
    rows = np.arange(1200) < 900
    expected = dff(raw, None, settings, rows, ~made.valid)
    np.testing.assert_array_equal(again.traces.values, expected.traces.values)
    released = mark_artefacts(marked, np.zeros(1200, bool))
    assert np.flatnonzero(~released.valid).tolist() == [*range(9)]


def test_few_rois_are_refused():
    with pytest.raises(InvalidInput, match="at least 5"):
        dff(Traces(np.ones((50, 4)), "raw"), None, DffSettings(artefact_threshold=6))
    with pytest.raises(InvalidInput, match="one flag per frame"):
        dff(Traces(np.ones((50, 4)), "raw"), None, artefacts=np.ones(4, bool))
