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
    in_frame = frame_pixels // in_word
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    words, word = np.unique(owner * in_frame + pixels // in_word, return_inverse=True)
    place = word * in_word + pixels % in_word
    return Words(
        (words % in_frame).astype(np.uint32),
        np.bincount(place, weights, words.size * in_word).astype(np.float32),
        np.searchsorted(words // in_frame, np.arange(indptr.size)).astype(np.uint32),
        np.dtype(f"u{width}"),
    )
