"""Masks as vertical runs of pixels, which is how the kernels sum them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of pixels one above the other; mask k owns ``indptr[k]:indptr[k + 1]``.

    With ``prefix[y, x]`` the sum of column x above row y, a (Y + 1, X) image,
    the sum over a run is ``prefix.flat[stop] - prefix.flat[start]``.

    Parameters
    ----------
    start, stop : (r,) int64
        Flat positions in `prefix`.
    indptr : (n + 1,) int64
        First run of each mask.
    """

    start: np.ndarray
    stop: np.ndarray
    indptr: np.ndarray


def column_runs(pixels: np.ndarray, indptr: np.ndarray, shape: tuple[int, int]) -> Runs:
    """Group the flat pixels of masks (n rows of a CSR matrix) into runs."""
    height, width = shape
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    y, x = np.divmod(pixels, width)
    order = np.lexsort((y, x, owner))
    y, x = y[order], x[order]
    begins = np.ones(pixels.size, bool)
    # One position is left free between columns, so that no run spans two.
    begins[1:] = (np.diff(x * (height + 1) + y) != 1) | (np.diff(owner) != 0)
    first = np.flatnonzero(begins)
    length = np.diff(first, append=pixels.size)
    start = y[first] * width + x[first]
    before = np.concatenate([[0], np.cumsum(begins)])
    return Runs(start, start + length * width, before[indptr])
