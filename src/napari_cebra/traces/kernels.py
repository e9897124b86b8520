"""Inner loops of extraction, compiled. Import fails where numba is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba

from napari_cebra.traces import oasis as plain

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to keep the compiled code in
        return numba.njit(nogil=True)(function)


@_compiled
def scan(
    frames: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    indptr: np.ndarray,
    prefix: np.ndarray,
    sums: np.ndarray,
    frame_sums: np.ndarray,
    total: np.ndarray,
    peak: np.ndarray,
) -> None:
    """Read each frame once: sums over equally weighted masks, and the images.

    Parameters
    ----------
    frames : (n, Y, X)
        The block, as stored.
    start, stop, indptr
        From `runs.column_runs`.
    prefix : (Y + 1, X)
        Scratch; its first row is zero. Summing down the columns, rather than
        along the rows, is what lets the compiler use vector instructions.
    sums : (n, K) float64
        Filled with the sum of each mask in each frame.
    frame_sums : (n,) float64
        Filled with the sum of each frame.
    total, peak : (Y, X)
        Sum and maximum so far; updated.
    """
    n, height, width = frames.shape
    flat = prefix.ravel()
    for t in range(n):
        for y in range(height):
            for x in range(width):
                value = frames[t, y, x]
                prefix[y + 1, x] = prefix[y, x] + value
                total[y, x] += value
            for x in range(width):  # a loop of its own is compiled to vectors
                peak[y, x] = max(peak[y, x], frames[t, y, x])
        whole = 0.0
        for x in range(width):
            whole += prefix[height, x]
        frame_sums[t] = whole
        for k in range(indptr.size - 1):
            found = 0.0
            for run in range(indptr[k], indptr[k + 1]):
                found += flat[stop[run]] - flat[start[run]]
            sums[t, k] = found


@_compiled
def draw(
    frames: np.ndarray,
    total: np.ndarray,
    square: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
) -> None:
    """Add up what `pictures.Pictures` needs, row by row through all frames.

    Parameters
    ----------
    frames : (n, Y, X)
        The block, as stored.
    total, square, right, down : (Y, X) float64
        Sums of the pixels, their squares and their products with the next pixel
        to the right and below; updated.
    """
    n, height, width = frames.shape
    for y in range(height):
        below = min(y + 1, height - 1)
        for t in range(n):
            for x in range(width):
                value = numba.float64(frames[t, y, x])
                total[y, x] += value
                square[y, x] += value * value
                down[y, x] += value * frames[t, below, x]
            for x in range(width - 1):
                right[y, x] += numba.float64(frames[t, y, x]) * frames[t, y, x + 1]


@_compiled
def weigh(
    frames: np.ndarray,
    pixels: np.ndarray,
    weights: np.ndarray,
    indptr: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Weighted sums over masks, four frames at a time.

    Four sums that do not wait for each other, and one look-up of pixel and
    weight for all of them, make this twice as fast as frame by frame.

    Parameters
    ----------
    frames : (n, Y * X)
        The block, as stored.
    pixels, weights : (nnz,)
        Flat pixels and float64 weights of all masks.
    indptr : (K + 1,)
        Start of each mask.
    sums : (n rounded up to a multiple of 4, K) float64
        Filled with ``sum(w * F)`` of each mask in each frame.
    """
    last = frames.shape[0] - 1
    for t in range(0, last + 1, 4):
        a, b = frames[t], frames[min(t + 1, last)]
        c, d = frames[min(t + 2, last)], frames[min(t + 3, last)]
        for k in range(indptr.size - 1):
            in_a = in_b = in_c = in_d = 0.0
            for i in range(indptr[k], indptr[k + 1]):
                pixel, weight = pixels[i], weights[i]
                in_a += weight * a[pixel]
                in_b += weight * b[pixel]
                in_c += weight * c[pixel]
                in_d += weight * d[pixel]
            sums[t, k], sums[t + 1, k] = in_a, in_b
            sums[t + 2, k], sums[t + 3, k] = in_c, in_d


oasis = _compiled(plain.oasis)
