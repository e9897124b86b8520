"""Pictures of a stack in which cells stand out: deviation, and local correlation."""

from __future__ import annotations

import numpy as np

from napari_cebra.traces.blocks import kernels_or_none

MOST_FRAMES = 2000
"""Frames, evenly spaced, that are enough for a picture."""


class Pictures:
    """Sums up frames for a standard-deviation and a correlation image.

    A pixel of the correlation image is the mean correlation over time with its
    neighbours above, below, left and right (as Smith & Häusser 2010, Nature
    Neuroscience 13:1144): the pixels of an active cell rise and fall together.

    Parameters
    ----------
    shape : (Y, X)
        Size of the field of view in pixels.
    compiled : bool, optional
        Default: where numba is installed.
    """

    def __init__(self, shape: tuple[int, int], compiled: bool | None = None) -> None:
        self._n = 0
        self._sum, self._square, self._right, self._down = np.zeros((4, *shape))
        self._kernels = kernels_or_none() if compiled is None or compiled else None

    def add(self, frames: np.ndarray) -> None:
        """Add frames (n, Y, X)."""
        self._n += len(frames)
        if self._kernels is not None:
            sums = self._sum, self._square, self._right, self._down
            self._kernels.draw(frames, *sums)
            return
        for frame in frames:
            pixels = frame.astype(np.float64)
            self._sum += pixels
            self._square += pixels * pixels
            self._right[:, :-1] += pixels[:, :-1] * pixels[:, 1:]
            self._down[:-1] += pixels[:-1] * pixels[1:]

    def deviation(self) -> np.ndarray:
        """Return the (Y, X) float32 standard deviation over the frames."""
        return np.sqrt(self._variance()).astype(np.float32)

    def correlation(self) -> np.ndarray:
        """Return the (Y, X) float32 mean correlation with the neighbours.

        0 where a pixel never changes.
        """
        mean, spread = self._sum / self._n, np.sqrt(self._variance())
        total, count = np.zeros(mean.shape), np.zeros(mean.shape)
        here, right = np.s_[:, :-1], np.s_[:, 1:]
        above, below = np.s_[:-1], np.s_[1:]
        for products, a, b in ((self._right, here, right), (self._down, above, below)):
            both = products[a] / self._n - mean[a] * mean[b]
            scale = spread[a] * spread[b]
            alike = np.divide(both, scale, out=np.zeros(both.shape), where=scale > 0)
            for side in (a, b):
                total[side] += alike
                count[side] += 1
        return (total / np.maximum(count, 1)).astype(np.float32)

    def _variance(self) -> np.ndarray:
        mean = self._sum / self._n
        variance = self._square / self._n - mean * mean
        # Rounding leaves a still pixel with a little.
        return np.where(variance > 1e-12 * self._square / self._n, variance, 0.0)
