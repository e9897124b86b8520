"""How good each ROI and its trace are, in numbers a person curates by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.traces.noise import noise

if TYPE_CHECKING:
    from napari_cebra.recording import RoiSet, Traces

PEAK = 99.5
"""Percentile that stands for the height of the transients."""


@dataclass(frozen=True, eq=False)
class TraceQuality:
    """Measures of N traces.

    Parameters
    ----------
    snr : (N,) float64
        Height of the transients, the 99.5th percentile above the median, in units
        of the noise from frame to frame; 0 for a trace that never changes.
    skewness : (N,) float64
        Third standardised moment: transients that rise from a quiet baseline
        make it large, noise and neuropil leave it near 0.
    neuropil_correlation : (N,) float64
        Pearson's r of the counts of the ROI and of its surround; NaN without.
    """

    snr: np.ndarray
    skewness: np.ndarray
    neuropil_correlation: np.ndarray


def trace_quality(
    change: np.ndarray,
    corrected: np.ndarray,
    raw: Traces | None,
    neuropil: Traces | None,
    rows: np.ndarray,
) -> TraceQuality:
    """Measure all traces.

    Parameters
    ----------
    change : (T, N)
        dF/F, or what comes nearest; its transients are measured.
    corrected : (T, N)
        Fluorescence after neuropil subtraction; its skewness is measured.
    raw, neuropil : Traces or None
        (T, N) counts.
    rows : (T,) bool
        Frames that are used.
    """
    n = change.shape[1]
    peak, skew, alike = np.zeros(n), np.zeros(n), np.full(n, np.nan)
    sigma = noise(change, rows)
    for k in range(n):  # one by one: no second copy of all traces
        trace = change[rows, k].astype(np.float64)
        peak[k] = np.percentile(trace, PEAK) - np.median(trace)
        skew[k] = _skewness(corrected[rows, k].astype(np.float64))
        if raw is not None and neuropil is not None:
            alike[k] = _correlation(raw.values[rows, k], neuropil.values[rows, k])
    snr = np.divide(peak, sigma, out=np.zeros(n), where=sigma > 0)
    return TraceQuality(snr, skew, alike)


def overlap_shares(rois: RoiSet) -> np.ndarray:
    """Return the (n,) share of the pixels of each mask that lie in others too."""
    covered = np.bincount(rois.pixels, minlength=rois.shape[0] * rois.shape[1])
    shared = (covered[rois.pixels] > 1).astype(np.float64)
    return np.add.reduceat(shared, rois.indptr[:-1]) / np.diff(rois.indptr)


def _skewness(x: np.ndarray) -> float:
    x = x - x.mean()
    power = (x**2).mean()
    return float((x**3).mean() / power**1.5) if power > 0 else 0.0


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    power = (a @ a) * (b @ b)
    return float(a @ b / np.sqrt(power)) if power > 0 else np.nan
