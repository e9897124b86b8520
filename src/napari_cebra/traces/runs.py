"""Masks as runs of neighbouring pixels, which is how the kernels read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of neighbouring pixels; mask k owns ``indptr[k]:indptr[k + 1]``.

    Parameters
    ----------
    start, stop : (r,) int64
        Flat positions; what they point into depends on the direction.
    indptr : (n + 1,) int64
        First run of each mask.
    """

    start: np.ndarray
    stop: np.ndarray
    indptr: np.ndarray


def row_runs(pixels: np.ndarray, indptr: np.ndarray) -> Runs:
    """Group sorted flat pixels into stretches that lie side by side in memory.

    ``start`` and ``stop`` are positions in `pixels`, so that the weights of a
    run are ``weights[start:stop]`` and its first pixel ``pixels[start]``.
    """
    begins = _begins(pixels, indptr)
    return _runs(np.flatnonzero(begins), begins, indptr)


def column_runs(pixels: np.ndarray, indptr: np.ndarray, shape: tuple[int, int]) -> Runs:
    """Group pixels into vertical stretches, for sums down the columns.

    With ``prefix[y, x]`` the sum of column x above row y, a (Y + 1, X) image,
    the sum over a run is ``prefix.flat[stop] - prefix.flat[start]``.
    """
    height, width = shape
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    y, x = np.divmod(pixels, width)
    order = np.lexsort((y, x, owner))
    y, x = y[order], x[order]
    # One position is left free between columns, so that no run spans two.
    begins = _begins(x * (height + 1) + y, indptr)
    first = np.flatnonzero(begins)
    runs = _runs(first, begins, indptr)
    length = runs.stop - runs.start
    start = y[first] * width + x[first]
    return Runs(start, start + length * width, runs.indptr)


def _begins(position: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    begins = np.ones(position.size, bool)
    begins[1:] = np.diff(position) != 1
    begins[indptr[:-1][np.diff(indptr) > 0]] = True
    return begins


def _runs(first: np.ndarray, begins: np.ndarray, indptr: np.ndarray) -> Runs:
    before = np.concatenate([[0], np.cumsum(begins)])
    return Runs(first, np.append(first[1:], begins.size), before[indptr])
