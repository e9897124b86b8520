import numpy as np
import pytest
from scipy import ndimage

from napari_cebra.traces.baseline import (
    baseline,
    rolling_maximin,
    rolling_percentile,
    stretches,
)
from napari_cebra.traces.noise import noise


def mirrored_windows(trace, size):
    half = size // 2
    padded = np.pad(trace, half, mode="symmetric")
    return np.lib.stride_tricks.sliding_window_view(padded, size)


@pytest.mark.parametrize("length", [40, 137, 500])
@pytest.mark.parametrize("window", [1, 30, 101])
@pytest.mark.parametrize("percentile", [0, 8, 50])
def test_percentile_is_the_ranked_value_of_each_window(rng, length, window, percentile):
    trace = rng.normal(size=length).astype(np.float32)
    found = rolling_percentile(window, percentile, 0)(trace)
    size = min(window, 2 * length)
    size -= 1 - size % 2
    ranked = np.sort(mirrored_windows(trace, size), axis=1)
    # The definition of scipy's percentile filter: one value of the window.
    expected = ranked[:, min(int(size * percentile / 100), size - 1)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "rolling", [rolling_percentile(5000, 8, 0), rolling_maximin(5000, 0)]
)
def test_a_window_that_holds_the_whole_trace_is_flat(rolling):
    assert np.ptp(rolling(np.linspace(0, 1, 600))) < 0.01


def test_maximin_is_smoothed_minimum_then_maximum(rng):
    trace = rng.normal(size=400).astype(np.float32)
    smooth = ndimage.gaussian_filter1d(trace, 10)
    low = mirrored_windows(smooth, 61).min(1)
    expected = mirrored_windows(low, 61).max(1)
    np.testing.assert_array_equal(rolling_maximin(61, 10)(trace), expected)


def test_rows_that_are_not_fitted_have_no_say(rng):
    values = rng.normal(100, 5, (900, 4)).astype(np.float32)
    rows = np.ones(900, bool)
    rows[:50] = rows[300:420] = rows[500] = rows[880:] = False
    changed = values.copy()
    changed[~rows] = rng.normal(-1e6, 1e6, changed[~rows].shape)
    for rolling in (rolling_percentile(61, 8, 3), rolling_maximin(61, 3)):
        before = baseline(values, rows, rolling, 61)
        np.testing.assert_array_equal(before, baseline(changed, rows, rolling, 61))
    np.testing.assert_array_equal(noise(values, rows), noise(changed, rows))


def test_interpolates_over_gaps_and_holds_at_the_ends():
    values = np.tile(np.linspace(100, 200, 300, dtype=np.float32)[:, None], 2)
    rows = np.ones(300, bool)
    rows[:20] = rows[100:200] = rows[290:] = False
    f0 = baseline(values, rows, rolling_percentile(1, 50, 0), 1)
    np.testing.assert_allclose(f0[20:290], values[20:290], rtol=1e-6)
    np.testing.assert_array_equal(f0[:20], np.tile(values[20], (20, 1)))
    np.testing.assert_array_equal(f0[290:], np.tile(values[289], (10, 1)))


def test_a_long_gap_starts_the_baseline_afresh():
    # Two levels with a long gap between: no window mixes them.
    values = np.repeat([100.0, 300.0], 500)[:, None].astype(np.float32)
    rows = np.ones(1000, bool)
    rows[400:600] = False
    f0 = baseline(values, rows, rolling_percentile(101, 8, 3), 101)
    np.testing.assert_allclose(f0[:400], 100)
    np.testing.assert_allclose(f0[600:], 300)


def test_short_gaps_do_not_cut_the_baseline_into_the_activity(rng):
    # One transient fills a stretch between bad frames; F0 must not follow it.
    values = np.full((600, 1), 100, np.float32)
    values[300:320] = 200
    rows = np.ones(600, bool)
    rows[[299, 320]] = False
    f0 = baseline(values, rows, rolling_percentile(101, 8, 0), 101)
    np.testing.assert_array_equal(f0, 100)


def test_stretches():
    rows = np.r_[0:100, 120:200, 400:500, 800:810]
    # 20 missing rows are closed up, 200 are not, and ten rows stay with their
    # neighbour although 300 rows away.
    assert stretches(rows, 50) == [slice(0, 180), slice(180, 290)]
    assert stretches(np.arange(5), 50) == [slice(0, 5)]


def test_noise_is_that_of_the_measurement_not_of_the_transients(rng):
    n = 9000
    spikes = rng.random(n) < 0.01
    calcium = 100 + 60 * np.convolve(spikes, np.exp(-np.arange(90) / 20))[:n]
    trace = (calcium + rng.normal(0, 3, n)).astype(np.float32)
    sigma = noise(trace[:, None], np.ones(n, bool))
    assert sigma[0] == pytest.approx(3, rel=0.05)


def test_noise_of_coarse_counts_is_not_zero(rng):
    trace = (rng.random(1000) < 0.1).astype(np.float32)
    assert noise(trace[:, None], np.ones(1000, bool))[0] > 0
