"""Inner loops of extraction, compiled. Import fails where numba is missing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from napari_cebra.traces import oasis as plain

if TYPE_CHECKING:
    from collections.abc import Callable


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # no folder to keep the compiled code in
        return numba.njit(nogil=True, **options)(function)


# Sums in any order, as vector instructions need; the same for every frame.
@partial(_compiled, fastmath={"reassoc", "nsz"})
def scan(
    frames: np.ndarray,
    words: np.ndarray,
    at: np.ndarray,
    weights: np.ndarray,
    indptr: np.ndarray,
    mask: np.ndarray,
    sums: np.ndarray,
    frame_sums: np.ndarray,
    total: np.ndarray,
    peak: np.ndarray,
) -> None:
    """Read each frame once: the images, then the masks while it is in the cache.

    The words of a mask are put side by side, so that their sum is one loop of
    vector instructions.

    Parameters
    ----------
    frames : (n, Y, X)
        The block, as stored.
    words : (n, Y * X / pixels in a word)
        The same memory in words.
    at, weights, indptr
        From `words.mask_words`.
    mask : (at least the words of any mask,)
        Scratch.
    sums : (n, K) float64
        Filled with ``sum(w * F)`` of each mask in each frame.
    frame_sums : (n,) float64
        Filled with the sum of each frame.
    total, peak : (Y, X)
        Sum and maximum so far; updated.
    """
    n, height, width = frames.shape
    pixels = mask.view(frames.dtype)
    in_word = np.uint32(frames[0].size // words.shape[1])
    for t in range(n):
        whole = 0.0
        for y in range(height):
            for x in range(width):
                total[y, x] += frames[t, y, x]
                whole += frames[t, y, x]
            for x in range(width):  # a loop of its own is compiled to vectors
                peak[y, x] = max(peak[y, x], frames[t, y, x])
        frame_sums[t] = whole
        for k in range(indptr.size - 1):
            first, size = indptr[k], indptr[k + 1] - indptr[k]
            for i in range(size):
                mask[i] = words[t, at[first + i]]
            found = 0.0
            for i in range(size * in_word):
                weight = numba.float64(weights[first * in_word + i])
                found += weight * numba.float64(pixels[i])
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


oasis = _compiled(plain.oasis)
