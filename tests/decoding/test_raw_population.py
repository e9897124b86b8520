import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_cebra.decoding import RawPopulation, raw_windows, smoothed


def test_windows_are_the_rows_around_each_row():
    values = np.arange(12.0).reshape(6, 2)
    windows = raw_windows(values, np.array([0, 0, 0, -1, 1, 1]), 1, 1)
    assert windows.shape == (5, 4)
    assert np.array_equal(windows[1], [0, 1, 2, 3])
    assert np.array_equal(windows[3], [8, 9, 8, 9])  # edge row repeated


def test_smoothing_stays_inside_a_stretch():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 3)).astype(np.float32)
    segment = np.repeat([0, 1, -1, 2], 10)
    smooth = smoothed(values, segment, 2.0)
    for number in range(3):
        rows = segment == number
        expected = gaussian_filter1d(values[rows], 2.0, axis=0, mode="nearest")
        np.testing.assert_allclose(smooth[rows], expected)
    assert smoothed(values, segment, 0) is values


def _tuned(n_repeats=4, n_frames=60, noise=1.0):
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, 20)
    frame = np.tile(np.arange(n_frames), n_repeats)
    rates = np.cos(2 * np.pi * frame[:, None] / n_frames - phase)
    values = rates + rng.normal(0, noise, rates.shape)
    repeat = np.repeat(np.arange(n_repeats), n_frames)
    return values.astype(np.float32), frame, repeat


def test_decodes_and_prefers_smoothing_where_it_helps():
    values, frame, repeat = _tuned(noise=3.0)
    raw = RawPopulation(0, 1)
    k, sigma = raw.choose(
        values, repeat, frame, repeat < 2, repeat == 2, [1, 4, 9], [0.0, 2.0]
    )
    assert sigma == 2.0
    chance_error = 15  # of a random frame of 60, round the circle

    def median_error(sigma):
        decoded = raw.predict(
            values, repeat, frame, repeat < 3, repeat == 3, k, sigma
        ).value
        error = np.abs(decoded - frame[repeat == 3])
        return np.median(np.minimum(error, 60 - error))

    assert median_error(sigma) < median_error(0.0)
    assert median_error(sigma) < chance_error / 2


def test_test_rows_do_not_reach_what_is_fitted():
    values, frame, repeat = _tuned()
    raw = RawPopulation(2, 2)
    train, rows = repeat < 3, repeat == 3
    first = raw.predict(values, repeat, frame, train, rows, 5, 1.0)
    shaken = values.copy()
    shaken[np.flatnonzero(rows)[30:]] *= 50  # only later test rows change
    second = raw.predict(shaken, repeat, frame, train, rows, 5, 1.0)
    assert np.array_equal(first.value[:20], second.value[:20])
    assert np.array_equal(first.weights[:20], second.weights[:20])
