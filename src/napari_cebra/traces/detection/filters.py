"""Blurs and noise of time courses that lie pixel by pixel: (Y, X, bins)."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator

REACH = 3.5  # standard deviations at which a Gaussian ends
_SAMPLES = 200  # bins from which a median is taken


@contextmanager
def own_threads() -> Generator[None, None, None]:
    """Keep products of matrices from starting threads inside our own threads.

    It holds for the whole process, so it is never left open across a yield.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


@lru_cache(maxsize=256)
def gaussian(size: int, sigma: float) -> np.ndarray:
    """Return the (size, size) matrix that blurs a line; its ends are not dimmed."""
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    weight = np.exp(-0.5 * (apart / sigma) ** 2) * (apart <= REACH * sigma)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), np.float32)


def blur(movie: np.ndarray, sigma: float) -> np.ndarray:
    """Blur each bin of a small (y, x, bins) movie: two products of matrices."""
    height, width, bins = movie.shape
    down = gaussian(height, sigma) @ movie.reshape(height, width * bins)
    return np.matmul(gaussian(width, sigma), down.reshape(height, width, bins))


def step_noise(values: np.ndarray) -> np.ndarray:
    """Return the noise along the last axis, from steps between neighbouring bins.

    Their median absolute value, which slow and rare transients hardly touch.
    """
    every = max(1, (values.shape[-1] - 1) // _SAMPLES)
    steps = values[..., 1::every] - values[..., :-1:every]
    return np.asarray(np.median(np.abs(steps), axis=-1) * (1.4826 / np.sqrt(2)))


def spread(values: np.ndarray) -> np.ndarray:
    """Return 1.4826 median absolute deviations along the last axis.

    Unlike `step_noise` it grows with slow fluctuations, such as neuropil's.
    """
    seen = values[..., :: max(1, values.shape[-1] // _SAMPLES)]
    seen = seen - np.median(seen, axis=-1, keepdims=True)
    return np.asarray(np.median(np.abs(seen), axis=-1) * 1.4826)


def tiles(shape: tuple[int, int], size: int) -> list[tuple[slice, slice]]:
    """Cut a field of view into tiles: rows and columns of each."""
    rows, columns = (
        [slice(start, min(start + size, length)) for start in range(0, length, size)]
        for length in shape
    )
    return [(down, across) for down in rows for across in columns]
