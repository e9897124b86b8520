"""How large the cells are, from the movie alone."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

_BINS = 40
_LARGEST, _SCALES = 48.0, 16
_CLEAR = 6.0  # standard deviations above its frame
_LEAST_EVENTS = 5
SMALLEST = 4.0
"""Pixels; no smaller diameter is estimated."""
DEFAULT = 10.0
"""Pixels, where nothing is active enough to tell."""


def estimate_diameter(movie: np.ndarray) -> float:
    """Return the diameter of the discs that light up, in pixels.

    In frames with much activity, the mean of a disc less that of the ring around
    it, over its noise, is largest where the disc has the size of the cell; the
    median over the clearest spots is taken.

    Parameters
    ----------
    movie : (Y, X, bins) float32
        Each pixel in standard deviations of its noise.
    """
    shape = movie.shape[:2]
    sizes = np.geomspace(SMALLEST, min(_LARGEST, min(shape) / 4), _SCALES)
    filters = [_disc_and_ring(shape, size) for size in sizes]
    events: list[np.ndarray] = []
    for at in _active_bins(movie):
        spectrum = fft.rfft2(movie[..., at])
        scores = np.empty((_SCALES, *shape), np.float32)
        for score, kernel in zip(scores, filters, strict=True):
            score[...] = fft.irfft2(spectrum * kernel, shape)
            score /= max(1.4826 * float(np.median(np.abs(score))), 1e-9)
        best = scores.max(axis=0)
        edge = int(SMALLEST)
        peaks = (best == ndimage.maximum_filter(best, 9)) & (best > _CLEAR)
        peaks[:edge] = peaks[-edge:] = peaks[:, :edge] = peaks[:, -edge:] = False
        y, x = np.nonzero(peaks)
        size = sizes[scores[:, y, x].argmax(axis=0)]
        events.append(np.stack([best[y, x], size]))
    found = np.concatenate(events, axis=1)
    if found.shape[1] < _LEAST_EVENTS:
        return DEFAULT
    clearest = found[1, np.argsort(-found[0], kind="stable")[:300]]
    return float(np.median(clearest))


def _active_bins(movie: np.ndarray) -> np.ndarray:
    """Bins from the more active half, evenly through it."""
    active = (movie[::2, ::2] > 3).sum(axis=(0, 1))
    half = np.argsort(-active, kind="stable")[: max(1, movie.shape[-1] // 2)]
    return half[:: max(1, half.size // _BINS)][:_BINS]


def _disc_and_ring(shape: tuple[int, int], size: float) -> np.ndarray:
    y = np.minimum(np.arange(shape[0]), shape[0] - np.arange(shape[0]))
    x = np.minimum(np.arange(shape[1]), shape[1] - np.arange(shape[1]))
    apart = np.hypot.outer(y, x) / (size / 2)
    disc, ring = apart <= 1, (apart > 1.15) & (apart <= 1.8)
    return np.asarray(fft.rfft2((disc / disc.sum() - ring / ring.sum()).astype("f4")))
