"""How much of its surround each ROI holds, fitted to the traces."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, ndimage

from napari_cebra.traces.blocks import default_threads

if TYPE_CHECKING:
    from napari_cebra.recording import Traces
    from napari_cebra.traces.settings import DffSettings

REGRESSION_BOUNDS = (0.0, 1.5)
ALLEN_BOUNDS = (0.0, 2.0)
ALLEN_PENALTY = 0.05
ALLEN_FOLDS = 4
_ROUNDS = 40
_CUT = 2.0  # times the noise; 3 lets transients in


def coefficients(
    values: np.ndarray,
    neuropil: Traces | None,
    settings: DffSettings,
    rows: np.ndarray,
) -> np.ndarray:
    """Return the (N,) coefficients r, given or fitted.

    Parameters
    ----------
    values : (T, N)
        Counts of the ROIs.
    neuropil : Traces or None
        (T, N) counts of their surrounds; without them r is 0.
    settings : DffSettings
    rows : (T,) bool
        Rows that may be seen.
    """
    if neuropil is None:
        return np.zeros(values.shape[1])
    if settings.neuropil == "fixed":
        return np.full(values.shape[1], settings.neuropil_coefficient)
    if settings.neuropil == "Allen":
        return allen(values, neuropil.values, rows)
    return regression(values, neuropil.values, rows, settings.frames(neuropil.rate)[0])


def at_bounds(r: np.ndarray, settings: DffSettings) -> np.ndarray:
    """Return where fitted coefficients ended at a bound, (N,) bool."""
    if settings.neuropil == "fixed":
        return np.zeros(r.size, bool)
    return np.isin(
        r, ALLEN_BOUNDS if settings.neuropil == "Allen" else REGRESSION_BOUNDS
    )


def regression(
    raw: np.ndarray, around: np.ndarray, rows: np.ndarray, window: int
) -> np.ndarray:
    """Return the (N,) neuropil coefficients of a robust regression.

    Both traces are freed of what is slower than the window (bleaching), then
    ``raw = r around + a`` is fitted to the frames in which the cell is quiet:
    by weights that fall from 1 to 0 (Tukey's biweight) as the residual rises to
    twice the noise above the line, which is where transients are.

    Parameters
    ----------
    raw, around : (T, N)
        Counts of the ROIs and of their surrounds.
    rows : (T,) bool
        Rows that may be seen.
    window : int
        In frames.

    Returns
    -------
    (N,) float64
        Between `REGRESSION_BOUNDS`.
    """
    size = min(window, int(rows.sum())) | 1

    def slow_free(trace: np.ndarray) -> np.ndarray:
        trace = trace[rows].astype(np.float64)
        return trace - ndimage.percentile_filter(trace, 50, size)

    def one(k: int) -> float:
        return _robust_slope(slow_free(around[:, k]), slow_free(raw[:, k]))

    with ThreadPoolExecutor(default_threads()) as pool:
        slopes = np.array(list(pool.map(one, range(raw.shape[1]))))
    return np.clip(slopes, *REGRESSION_BOUNDS)


def _robust_slope(x: np.ndarray, y: np.ndarray) -> float:
    """Slope of y on x where y does not rise far above the line."""
    weights = np.ones(x.size)
    slope = 0.0
    for _ in range(_ROUNDS):
        share = weights / weights.sum()
        # Sums, not products of BLAS, whose threads wait for one another here.
        mean_x, mean_y = (share * x).sum(), (share * y).sum()
        spread = (share * (x - mean_x) ** 2).sum()
        if spread <= 1e-12 * (1 + mean_x**2):
            return 0.0
        before, slope = slope, (share * (x - mean_x) * (y - mean_y)).sum() / spread
        rest = y - mean_y - slope * (x - mean_x)
        below = rest[rest < 0]
        sigma = 1.4826 * np.median(-below) if below.size else 0.0
        if sigma <= 0 or abs(slope - before) < 1e-4:
            break
        far = np.clip(rest / (_CUT * sigma), 0, 1)
        weights = (1 - far**2) ** 2
    return float(slope)


def allen(raw: np.ndarray, around: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the (N,) contamination ratios of the Allen Institute's objective.

    ``sum (Fc - (F - r Fneu))^2 + 0.05 sum (Fc[t + 1] - Fc[t])^2`` is minimised
    over the trace Fc and the ratio r (Visual Coding white paper; de Vries et al.
    2020, Nat. Neurosci. 23:138), summed over four folds of contiguous rows that
    each have an Fc of their own and share r. The objective is quadratic in
    both, so that its minimum is found at once and not by descent.

    Parameters
    ----------
    raw, around : (T, N)
        Counts of the ROIs and of their surrounds.
    rows : (T,) bool
        Rows that may be seen.

    Returns
    -------
    (N,) float64
        Between `ALLEN_BOUNDS`.
    """
    at = np.flatnonzero(rows)
    joined = np.diff(at) == 1
    folds = [part.size for part in np.array_split(at, ALLEN_FOLDS)]
    borders = np.unique(np.cumsum(folds)[:-1])
    joined[borders[(borders > 0) & (borders < at.size)] - 1] = False
    couple = ALLEN_PENALTY * joined
    bands = np.zeros((2, at.size))
    bands[0, 1:] = -couple
    bands[1] = 1
    bands[1, :-1] += couple
    bands[1, 1:] += couple

    def one(k: int) -> float:
        # With the best Fc the objective is x' Q x, where x = F - r Fneu and
        # Q = 1 - (1 + 0.05 D'D)^-1 with D the differences.
        own, surround = (part[rows, k].astype(np.float64) for part in (raw, around))
        rest = surround - linalg.solveh_banded(bands, surround)
        power = surround @ rest
        if power <= 1e-12 * (surround @ surround):
            return 0.0
        return float(own @ rest / power)

    with ThreadPoolExecutor(default_threads()) as pool:
        ratios = np.array(list(pool.map(one, range(raw.shape[1]))))
    return np.clip(ratios, *ALLEN_BOUNDS)
