import numpy as np
import pytest

from napari_cebra.io import open_stack
from napari_cebra.recording import RoiSet
from napari_cebra.simulate import V1Movie, write_v1_recording
from napari_cebra.traces import DffSettings, dff, extract

from .conftest import run


def extracting(folder, config):
    """Render a recording, extract it, and return its true dF/F beside it."""
    import tifffile

    _, files = run(write_v1_recording(folder / "small", config))
    rois = RoiSet.from_labels(tifffile.imread(files.rois))
    with open_stack(files.stack, rate=files.config.rate) as stack:
        _, found = run(extract(stack, rois))
    with np.load(files.truth, allow_pickle=False) as truth:
        return found, truth["true_dff"]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    return extracting(tmp_path_factory.mktemp("v1"), V1Movie.small())


@pytest.fixture(scope="module", params=[0, 1])
def minute(request, tmp_path_factory):
    """One minute, as long as the window of the baseline."""
    config = V1Movie.small(request.param, field_shape=(96, 96), n_movie_frames=450)
    return extracting(tmp_path_factory.mktemp("v1"), config)


def correlations(made, truth):
    values = made.traces.values
    return [
        np.corrcoef(values[:, k], truth[:, k])[0, 1] for k in range(values.shape[1])
    ]


def test_default_settings_follow_the_truth(extracted):
    found, truth = extracted
    made = dff(found.raw, found.neuropil)
    # A field of 64 x 64 pixels holds little but cells; the built-in recording
    # of 256 x 256 reaches 0.95.
    assert np.median(correlations(made, truth)) >= 0.9
    assert made.flagged.mean() < 0.1


def test_taking_the_neuropil_away_helps(extracted):
    found, truth = extracted
    with_it = np.median(correlations(dff(found.raw, found.neuropil), truth))
    ignored = DffSettings(neuropil_coefficient=0)
    without = dff(found.raw, found.neuropil, ignored)
    assert with_it > np.median(correlations(without, truth)) + 0.02


@pytest.mark.parametrize("neuropil", ["fixed", "fitted"])
def test_nearer_to_the_truth_than_raw_and_than_suite2p(minute, neuropil):
    found, truth = minute
    raw = np.median(
        [
            np.corrcoef(a, b)[0, 1]
            for a, b in zip(found.raw.values.T, truth.T, strict=True)
        ]
    )
    suite2p = correlations(
        dff(found.raw, found.neuropil, DffSettings.preset("suite2p")), truth
    )
    ours = correlations(
        dff(found.raw, found.neuropil, DffSettings(neuropil=neuropil)), truth
    )
    assert np.median(ours) > raw + 0.02
    assert np.median(ours) > np.median(suite2p)
    assert np.mean(ours) > np.mean(suite2p)


def test_a_fitted_neuropil_is_nearer_on_average(minute):
    found, truth = minute
    fixed = correlations(dff(found.raw, found.neuropil), truth)
    settings = DffSettings(neuropil="fitted")
    fitted = correlations(dff(found.raw, found.neuropil, settings), truth)
    assert np.mean(fitted) > np.mean(fixed)
