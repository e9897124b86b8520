import numpy as np
import pytest

from napari_cebra.io import open_stack
from napari_cebra.recording import RoiSet
from napari_cebra.simulate import V1Movie, write_v1_recording
from napari_cebra.traces import DffSettings, dff, extract

from .conftest import run


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """A small rendered recording, extracted, and its true dF/F."""
    import tifffile

    folder = tmp_path_factory.mktemp("v1")
    _, files = run(write_v1_recording(folder / "small", V1Movie.small()))
    rois = RoiSet.from_labels(tifffile.imread(files.rois))
    with open_stack(files.stack, rate=files.config.rate) as stack:
        _, found = run(extract(stack, rois))
    with np.load(files.truth, allow_pickle=False) as truth:
        return found, truth["true_dff"]


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
