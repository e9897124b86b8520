"""The presets against the published formulas, written out plainly."""

import numpy as np
import pytest

from napari_cebra.recording import InvalidInput, Traces
from napari_cebra.traces import PRESETS, DffSettings, dff

from .test_deconvolve import dense


@pytest.fixture
def counts(rng):
    n = 1200
    around = 200 + 20 * np.sin(np.arange(n)[:, None] / [30, 50, 80])
    around = around + rng.normal(0, 1, (n, 3))
    spikes = rng.poisson(0.01, (n, 3))
    cells = np.stack(
        [np.convolve(s, 150 * np.exp(-np.arange(60) / 8))[:n] for s in spikes.T], 1
    )
    raw = 500 + cells + 0.6 * around + rng.normal(0, 8, (n, 3))
    return raw.astype(np.float32), around.astype(np.float32)


def mirrored(trace, size):
    padded = np.pad(trace, (size // 2, (size - 1) // 2), mode="symmetric")
    return np.lib.stride_tricks.sliding_window_view(padded, size)


def run(counts, name, rate, **changes):
    settings = DffSettings.from_json({**DffSettings.preset(name).to_json(), **changes})
    raw, around = counts
    return dff(Traces(raw, "raw", rate), Traces(around, "neuropil", rate), settings)


@pytest.mark.parametrize("rate", [7.5, 10.0])
def test_suite2p(counts, rate):
    raw, around = (part.astype(np.float64) for part in counts)
    made = run(counts, "suite2p", rate, deconvolve=True)
    at = np.arange(-40, 41)
    gauss = np.exp(-0.5 * (at / 10.0) ** 2)
    gauss /= gauss.sum()
    window = int(60 * rate)
    for k in range(3):
        corrected = raw[:, k] - 0.7 * around[:, k]
        smooth = mirrored(corrected, 81) @ gauss
        f0 = mirrored(mirrored(smooth, window).min(1), window).max(1)
        expected = corrected - f0
        scale = 1e-5 * np.abs(corrected).max()
        np.testing.assert_allclose(made.f0[:, k], f0, atol=scale)
        np.testing.assert_allclose(made.change[:, k], expected, atol=scale)
        # The decay of 1 s, no penalty.
        change = made.change[:, k].astype(np.float64)
        calcium = dense(change, rate, lowest=-np.inf)
        events = calcium[1:] - np.exp(-1 / rate) * calcium[:-1]
        np.testing.assert_allclose(made.traces.values[1:, k], events, atol=scale)
    assert made.traces.kind == "events"
    assert run(counts, "suite2p", rate).traces.kind == "other"  # counts, not dF/F


def plain_noise(trace, window):
    rest = trace - np.median(mirrored(trace, window), axis=1)
    rest = rest[rest < 1.5 * abs(rest.min())]

    def robust(x):
        return 1.4826 * np.median(np.abs(x - np.median(x)))

    return robust(rest[np.abs(rest) < 2.5 * robust(rest)])


@pytest.mark.parametrize(("rate", "window_s"), [(1.0, 600.0), (7.5, 60.0)])
def test_allen(counts, rate, window_s):
    made = run(counts, "Allen", rate, window_s=window_s)
    raw, around = (part.astype(np.float64) for part in counts)
    plain = raw - made.coefficient * around
    np.testing.assert_allclose(made.corrected, plain, rtol=1e-6)
    corrected = made.corrected.astype(np.float64)  # float32: the noise is a rank
    window = int(window_s * rate / 2) * 2 + 1
    short = int(3.333 * rate / 2) * 2 + 1
    for k in range(3):
        trace = corrected[:, k]
        sigma = plain_noise(trace, short)
        windows = mirrored(trace, window)
        low = np.sort(windows, axis=1)[:, int(window * 0.1)]
        inactive = np.where(trace < low + 3 * sigma, trace, np.nan)
        f0 = np.nanmedian(mirrored(inactive, window), axis=1)
        expected = (trace - f0) / np.maximum(f0, sigma)
        assert made.noise[k] == pytest.approx(sigma, rel=1e-5)
        np.testing.assert_allclose(made.f0[:, k], f0, rtol=1e-5)
        np.testing.assert_allclose(made.traces.values[:, k], expected, atol=1e-5)
    assert made.traces.kind == "dff"


def test_names_of_presets():
    assert DffSettings.preset("napari-cebra") == DffSettings()
    assert DffSettings.preset("allen") == DffSettings.preset("Allen")
    for name in PRESETS:
        made = DffSettings.preset(name)
        assert DffSettings.from_json(made.to_json()) == made
    with pytest.raises(
        InvalidInput, match="choose one of napari-cebra, suite2p, Allen"
    ):
        DffSettings.preset("caiman")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_take_constant_and_short_traces(name, rng):
    for values in (np.full((2, 2), 5.0), np.zeros((40, 2)), rng.normal(9, 1, (3, 2))):
        made = run((values, values + 1), name, 10.0, deconvolve=True)
        assert np.isfinite(made.traces.values).all()
        assert np.isfinite(made.f0).all()
