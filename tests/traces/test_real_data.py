from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.io import open_stack
from napari_cebra.recording import RoiSet, Traces
from napari_cebra.traces import DffSettings, dff, extract

from .conftest import run

pytestmark = pytest.mark.real_data


def test_a_suite2p_recording_does_not_blow_up(real_data):
    plane = real_data / "pynapple_suite2p" / "plane0"
    raw = np.load(plane / "F.npy", allow_pickle=False).T
    ring = np.load(plane / "Fneu.npy", allow_pickle=False).T
    accepted = np.load(plane / "iscell.npy", allow_pickle=False)[:, 0] > 0
    made = dff(Traces(raw, "raw"), Traces(ring, "neuropil"))
    silent = (raw == 0).all(axis=0)
    assert silent.sum() == 47 and made.flagged[silent].all()
    np.testing.assert_array_equal(made.traces.values[:, silent], 0)
    assert not made.flagged[accepted].any()
    assert np.abs(made.traces.values[:, ~made.flagged]).max() < 50


def test_a_two_photon_movie_from_its_file(real_data):
    path = real_data / "thunder_mouse_s1" / "mouse_s1_2p_500x64x64_int16.tif"
    with open_stack(path) as stack:
        _, found = run(extract(stack, RoiSet.grid((64, 64), 4)))
        frames = stack.read(0, 500).astype(np.float64)
    tiles = frames.reshape(500, 16, 4, 16, 4).mean(axis=(2, 4)).reshape(500, 256)
    np.testing.assert_allclose(found.raw.values, tiles, rtol=1e-6)
    made = dff(found.raw, None)
    # The movie bleaches from 88.5 to 74.3 counts; F0 goes along, dF/F does not.
    change = made.traces.values.mean(axis=1)
    assert made.f0[450:].mean() < 0.92 * made.f0[:50].mean()
    assert abs(change[:50].mean() - change[450:].mean()) < 0.05


def test_the_preset_gives_the_events_that_suite2p_wrote(real_data):
    plane = real_data / "pynapple_suite2p" / "plane0"
    raw, ring, written = (
        np.load(plane / f"{name}.npy", allow_pickle=False).T
        for name in ("F", "Fneu", "spks")
    )
    # The folder has no ops.npy: 10 Hz, suite2p's default, is what fits.
    settings = replace(DffSettings.preset("suite2p"), deconvolve=True)
    made = dff(Traces(raw, "raw", 10.0), Traces(ring, "neuropil", 10.0), settings)
    moving = np.ptp(raw, axis=0) > 0
    largest = written[:, moving].max(axis=0)
    error = np.abs(made.traces.values - written)[:, moving].max(axis=0)
    assert (error <= 1e-5 * largest).all()
