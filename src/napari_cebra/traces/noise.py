"""Standard deviation of the measurement noise of traces, three ways."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SEGMENT = 256
"""Frames in a stretch whose spectrum is taken."""


def noise(values: np.ndarray, fit_rows: np.ndarray) -> np.ndarray:
    """Return the (N,) standard deviation of the frame-to-frame noise.

    From the median absolute difference of neighbouring fit rows, which slow
    transients hardly touch (as Rupprecht et al. 2021, Nature Neuroscience 24,
    whose noise level is the same median, per root of the rate). Where more
    than half the differences are zero (coarse counts), their standard
    deviation is used instead.
    """
    pairs = fit_rows[1:] & fit_rows[:-1]
    if not pairs.any():
        return values[fit_rows].std(axis=0)
    steps = values[1:][pairs] - values[:-1][pairs]
    sigma = np.median(np.abs(steps), axis=0) * 1.4826 / np.sqrt(2)
    return np.where(sigma > 0, sigma, steps.std(axis=0) / np.sqrt(2))


def spectral_noise(values: np.ndarray, fit_rows: np.ndarray) -> np.ndarray:
    """Return the (N,) noise that the upper half of the power spectrum holds.

    The mean power between a quarter and half of the frame rate, where calcium
    has none (Pnevmatikakis et al. 2016, Neuron 89:285), over windowed stretches
    of neighbouring fit rows that overlap by half. Without one stretch of
    `SEGMENT` rows, `noise` is returned.
    """
    rows = np.flatnonzero(fit_rows)
    last = np.arange(SEGMENT - 1, rows.size, SEGMENT // 2)
    first = rows[last - SEGMENT + 1]
    first = first[rows[last] - first == SEGMENT - 1]
    if first.size == 0:
        return noise(values, fit_rows)
    window = np.hanning(SEGMENT)[:, None]
    power = np.zeros(values.shape[1])
    for start in first:
        part = values[start : start + SEGMENT].astype(np.float64)
        spectrum = np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)
        power += (np.abs(spectrum[SEGMENT // 4 :]) ** 2).mean(axis=0)
    return np.sqrt(power / first.size / (window**2).sum())


def filtered_noise(trace: np.ndarray, window: int) -> float:
    """Return the noise of one trace as the Allen Institute's pipelines take it.

    The residual of a rolling median, its positive peaks cut at 1.5 times its
    deepest trough, then all beyond 2.5 robust standard deviations; of what is
    left, 1.4826 median absolute deviations.

    Parameters
    ----------
    trace : (T,)
    window : int
        Frames of the rolling median.
    """
    trace = trace.astype(np.float64)
    rest = trace - ndimage.percentile_filter(trace, 50, min(window, trace.size) | 1)
    rest = rest[rest < 1.5 * abs(rest.min())]
    rest = rest[np.abs(rest) < 2.5 * _deviation(rest)]
    return _deviation(rest)


def _deviation(values: np.ndarray) -> float:
    if values.size == 0:
        return 0.0
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
