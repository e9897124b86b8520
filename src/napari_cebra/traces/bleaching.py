"""The slow decay that all ROIs share, so that a baseline can follow it."""

from __future__ import annotations

import numpy as np

MIN_BLOCKS = 12
MIN_EXPLAINED = 0.7
# Time constants that are tried, as shares of the time that was seen: shorter
# ones would run away where the curve is carried beyond it, longer ones are
# straight lines.
SHARES = np.geomspace(0.1, 4, 60)


def bleaching_curve(
    values: np.ndarray, fit_rows: np.ndarray, window: int
) -> np.ndarray:
    """Return the factor by which all ROIs fade: `fade_of_mean` of their mean.

    Parameters
    ----------
    values : (T, N) float32
        Neuropil-corrected fluorescence.
    fit_rows, window
        As there.
    """
    mean = np.zeros(fit_rows.size)
    mean[fit_rows] = values[fit_rows].mean(axis=1, dtype=np.float64)
    return fade_of_mean(mean, fit_rows, window)


def fade_of_mean(mean: np.ndarray, fit_rows: np.ndarray, window: int) -> np.ndarray:
    """Return the factor by which a mean trace fades, from an exponential fit.

    ``a exp(-t / tau) + c`` is fitted to the quiet level (lower quartile) of
    the mean trace in blocks of a quarter of the window. Only the fit rows are
    seen, but the curve is known everywhere: a held-out stretch at the start or
    end is not taken for brighter or dimmer than it is.

    Parameters
    ----------
    mean : (T,) float64
        Mean of the neuropil-corrected fluorescence of all ROIs.
    fit_rows : (T,) bool
        Rows that may be seen.
    window : int
        Window of the baseline in frames.

    Returns
    -------
    (T,) float64
        About 1; exactly 1 where a decay does not explain at least 70 % of the
        slow change, or there are too few rows to tell.
    """
    rows = np.flatnonzero(fit_rows)
    flat = np.ones(fit_rows.size)
    blocks = max(MIN_BLOCKS, 4 * rows.size // window)
    if rows.size < 3 * blocks:
        return flat
    mean = mean[rows]
    times = np.array([part.mean() for part in np.array_split(rows, blocks)])
    levels = np.array([np.percentile(p, 25) for p in np.array_split(mean, blocks)])
    fits = [_fit(times, levels, share * np.ptp(rows)) for share in SHARES]
    error, tau, a, c = min(fits)
    curve = a * np.exp(-(np.arange(fit_rows.size) - times[0]) / tau) + c
    explained = 1 - error / max(((levels - levels.mean()) ** 2).sum(), 1e-300)
    if explained < MIN_EXPLAINED or a <= 0 or curve.min() <= 0.2 * levels.mean():
        return flat
    return curve / levels.mean()


def _fit(
    times: np.ndarray, levels: np.ndarray, tau: float
) -> tuple[float, float, float, float]:
    """Squared error, tau, a and c of the best fit with this time constant."""
    decay = np.exp(-(times - times[0]) / tau)
    design = np.stack([decay, np.ones_like(decay)], axis=1)
    (a, c), *_ = np.linalg.lstsq(design, levels, rcond=None)
    error = float(((design @ (a, c) - levels) ** 2).sum())
    return error, tau, float(a), float(c)
