"""Rolling baseline F0 and noise, fitted on some rows and known on all."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable

    Filter = Callable[[np.ndarray], np.ndarray]


def rolling_percentile(window: int, percentile: float, smooth: float) -> Filter:
    """Return a filter: Gaussian smoothing, then a rolling percentile.

    Parameters
    ----------
    window : int
        Length of the rolling window in frames.
    percentile : float
        0 to 100.
    smooth : float
        Standard deviation of the Gaussian in frames; 0 for none.
    """

    def f0(trace: np.ndarray) -> np.ndarray:
        size = _odd(min(window, trace.size))
        return ndimage.percentile_filter(_smooth(trace, smooth), percentile, size)

    return f0


def rolling_maximin(window: int, smooth: float) -> Filter:
    """Return suite2p's filter: Gaussian, rolling minimum, rolling maximum.

    As described by Pachitariu et al. 2017 (bioRxiv 061507); parameters as in
    `rolling_percentile`.
    """

    def f0(trace: np.ndarray) -> np.ndarray:
        size = _odd(min(window, trace.size))
        low = ndimage.minimum_filter1d(_smooth(trace, smooth), size)
        return ndimage.maximum_filter1d(low, size)

    return f0


def baseline(
    values: np.ndarray, fit_rows: np.ndarray, rolling: Filter, window: int
) -> np.ndarray:
    """Filter the fit rows alone and carry the result over to all the others.

    Gaps in the fit rows are closed up before the filter runs, so that a bad
    frame or a short pause does not cut the baseline into pieces shorter than
    the activity itself. Across a gap longer than the window the baseline
    starts afresh. Between fit rows F0 is interpolated, outside them held.

    Parameters
    ----------
    values : (T, N) float32
        Neuropil-corrected fluorescence.
    fit_rows : (T,) bool
        Rows that may be seen; the others do not influence the result.
    rolling : callable
        From `rolling_percentile` or `rolling_maximin`.
    window : int
        Its window in frames.

    Returns
    -------
    (T, N) float32
    """
    rows = np.flatnonzero(fit_rows)
    seen = np.ascontiguousarray(values[rows].T)
    fitted = np.empty_like(seen)
    for part in stretches(rows, window):
        for k in range(seen.shape[0]):
            fitted[k, part] = rolling(seen[k, part])
    f0 = np.empty_like(values)
    f0[rows] = fitted.T
    unseen = np.flatnonzero(~fit_rows)
    if unseen.size:
        after = np.searchsorted(rows, unseen)
        left, right = np.maximum(after - 1, 0), np.minimum(after, rows.size - 1)
        span = np.maximum(rows[right] - rows[left], 1)
        share = np.clip((unseen - rows[left]) / span, 0, 1)[:, None]
        f0[unseen] = (1 - share) * fitted.T[left] + share * fitted.T[right]
    return f0


def stretches(rows: np.ndarray, window: int) -> list[slice]:
    """Cut sorted row numbers where more than a window is missing between two.

    A piece shorter than half a window, too short for a baseline of its own,
    stays with the neighbour that is nearer in time.
    """
    cuts = [int(i) for i in np.flatnonzero(np.diff(rows) > window) + 1]
    while cuts:
        edges = [0, *cuts, rows.size]
        sizes = np.diff(edges)
        if sizes.min() >= window / 2:
            break
        piece = int(np.argmin(sizes))
        sides = [i for i in (piece - 1, piece) if 0 <= i < len(cuts)]
        cuts.pop(min(sides, key=lambda i: rows[cuts[i]] - rows[cuts[i] - 1]))
    edges = [0, *cuts, rows.size]
    return [slice(a, b) for a, b in pairwise(edges)]


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


def _smooth(trace: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter1d(trace, sigma) if sigma > 0 else trace


def _odd(size: int) -> int:
    return max(size - 1 + size % 2, 1)
