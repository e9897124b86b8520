"""Masks as words of neighbouring pixels, which is how the kernel reads them."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np


@dataclass(frozen=True, eq=False)
class Words:
    """Words of up to 8 bytes that cover the masks; k owns ``indptr[k]:indptr[k + 1]``.

    Parameters
    ----------
    at : (m,) uint32
        Position of each word in a frame.
    weights : (m * pixels in a word,) float32
        Weight of every pixel of the words, 0 outside of the mask.
    indptr : (K + 1,) uint32
        First word of each mask. Unsigned, as numba tests signed indices for
        being negative, which keeps loops from being compiled to vectors.
    type : dtype
        An unsigned integer as wide as a word.
    """

    at: np.ndarray
    weights: np.ndarray
    indptr: np.ndarray
    type: np.dtype


def mask_words(
    pixels: np.ndarray,
    weights: np.ndarray,
    indptr: np.ndarray,
    frame_pixels: int,
    itemsize: int,
) -> Words:
    """Cover the flat pixels of masks (rows of a CSR matrix) with whole words."""
    width = gcd(frame_pixels * itemsize, 8)  # no word spans two frames
    in_word = width // itemsize
    at, place = np.divmod(pixels, in_word)
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    begins = np.ones(pixels.size, bool)
    begins[1:] = (np.diff(at) != 0) | (np.diff(owner) != 0)
    before = np.concatenate([[0], np.cumsum(begins)])  # words that begin before
    place += (before[1:] - 1) * in_word
    return Words(
        at[begins].astype(np.uint32),
        np.bincount(place, weights, before[-1] * in_word).astype(np.float32),
        before[indptr].astype(np.uint32),
        np.dtype(f"u{width}"),
    )
