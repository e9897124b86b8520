"""How much better frames agree once their motion is undone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_cebra.traces.motion.result import MotionQuality

_DETAIL = 1.0  # pixels; standard deviation


def quality(raw: np.ndarray, corrected: np.ndarray) -> MotionQuality:
    """Compare some frames (n, Y, X) as recorded with the same frames in place.

    A NaN pixel counts as the mean of its picture.
    """
    before, after = (_filled(frames) for frames in (raw, corrected))
    return MotionQuality(
        _agreement(before),
        _agreement(after),
        _crispness(before.mean(axis=0)),
        _crispness(after.mean(axis=0)),
        len(raw),
    )


def _filled(frames: np.ndarray) -> np.ndarray:
    values = frames.astype(np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        means = np.nanmean(np.where(bad, np.nan, values), axis=(1, 2), keepdims=True)
        values = np.where(bad, means, values)
    return values


def _agreement(frames: np.ndarray) -> float:
    """Return the median correlation of a frame with the mean of all."""
    flat = frames.reshape(len(frames), -1)
    mean = flat.mean(axis=0)
    mean -= mean.mean()
    length = np.sqrt(mean @ mean)
    found = []
    for frame in flat:
        frame = frame - frame.mean()
        norm = np.sqrt(frame @ frame) * length
        found.append(frame @ mean / norm if norm else 0.0)
    return float(np.median(found))


def _crispness(mean: np.ndarray) -> float:
    # Smoothed, or the noise that interpolation takes away would count as detail.
    down, right = np.gradient(ndimage.gaussian_filter(mean, _DETAIL))
    return float(np.sqrt((down**2 + right**2).sum()))
