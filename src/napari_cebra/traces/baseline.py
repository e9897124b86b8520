"""Rolling baseline F0, fitted on some rows and known on all."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_cebra.traces.noise import filtered_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    Filter = Callable[[np.ndarray], np.ndarray]


def rolling_percentile(window: int, percentile: float, smooth: float) -> Filter:
    """Return a filter: Gaussian smoothing, then a rolling percentile.

    Windows are mirrored at the ends; one of twice the trace holds all of it
    everywhere, and longer ones are cut to that.

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
        size = _odd(min(window, 2 * trace.size))
        return ndimage.percentile_filter(_smooth(trace, smooth), percentile, size)

    return f0


def rolling_maximin(window: int, smooth: float) -> Filter:
    """Return suite2p's filter: Gaussian, rolling minimum, rolling maximum.

    As described by Pachitariu et al. 2017 (bioRxiv 061507); parameters as in
    `rolling_percentile`. An even window reaches one frame further back.
    """

    def f0(trace: np.ndarray) -> np.ndarray:
        size = min(window, 2 * trace.size)
        low = ndimage.minimum_filter1d(_smooth(trace, smooth), size)
        return ndimage.maximum_filter1d(low, size)

    return f0


def rolling_median(window: int, percentile: float, noise_window: int) -> Filter:
    """Return the Allen Institute's filter: the rolling median of inactive frames.

    A frame is inactive where it lies less than three standard deviations of
    the noise above the rolling percentile (de Vries et al. 2020, Nat. Neurosci.
    23:138, and the dF/F of the Visual Behavior release). Windows are mirrored at
    the ends; where one holds no inactive frame, F0 is interpolated.

    Parameters
    ----------
    window : int
        Length of both rolling windows in frames.
    percentile : float
        0 to 100.
    noise_window : int
        Frames of the rolling median that `filtered_noise` takes away.
    """

    def f0(trace: np.ndarray) -> np.ndarray:
        size = min(window, 2 * trace.size) | 1
        low = ndimage.percentile_filter(trace, percentile, size)
        quiet = trace < low + 3 * filtered_noise(trace, noise_window)
        if not quiet.any():
            quiet = trace <= low
        return _median_of(trace, quiet, size)

    return f0


def _median_of(trace: np.ndarray, used: np.ndarray, size: int) -> np.ndarray:
    """Return the rolling median over the frames that are used."""
    import pandas as pd

    seen = np.pad(np.where(used, trace, np.nan), size // 2, mode="symmetric")
    rolling = pd.Series(seen).rolling(size, center=True, min_periods=1)
    middle = rolling.median().to_numpy()[size // 2 : size // 2 + trace.size]
    known = np.flatnonzero(np.isfinite(middle))
    return np.interp(np.arange(trace.size), known, middle[known]).astype(trace.dtype)


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


def _smooth(trace: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter1d(trace, sigma) if sigma > 0 else trace


def _odd(size: int) -> int:
    return max(size - 1 + size % 2, 1)
