"""Sums over masks in one block of frames, compiled or with scipy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_cebra.traces.runs import column_runs

if TYPE_CHECKING:
    from concurrent.futures import Executor


@dataclass(frozen=True, eq=False)
class BlockSums:
    """What one block of n frames adds up to.

    Parameters
    ----------
    masks : (n, K) float64
        ``sum(w * F)`` of each mask in each frame.
    frames : (n,) float64
        Sum of all pixels of each frame; not finite where a pixel is not.
    total, peak : (Y, X)
        Sum and maximum over the block.
    """

    masks: np.ndarray
    frames: np.ndarray
    total: np.ndarray
    peak: np.ndarray


class MaskSums:
    """The masks of one field of view, made ready to be summed over many blocks.

    Masks whose pixels all weigh the same (labels, rings) are summed through
    one prefix sum down the columns of each frame, two reads a run, in whole
    numbers and so exactly; the others pixel by pixel in float64.

    Parameters
    ----------
    pixels : (nnz,) int64
        Flat pixels of K masks, sorted within each mask.
    weights : (nnz,) float32
        Their weights.
    indptr : (K + 1,) int64
        Start of each mask.
    shape : (Y, X)
        Size of the field of view in pixels.
    threads : int
        Number of threads of the compiled kernels.
    compiled : bool, optional
        Default: where numba is installed.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        weights: np.ndarray,
        indptr: np.ndarray,
        shape: tuple[int, int],
        threads: int = 1,
        compiled: bool | None = None,
    ) -> None:
        self.n_masks = indptr.size - 1
        self.shape = shape
        self.threads = threads
        self.kernels: Any = kernels_or_none() if compiled is None or compiled else None
        weights = weights.astype(np.float64)
        owner = np.repeat(np.arange(self.n_masks), np.diff(indptr))
        first = weights[np.minimum(indptr[:-1], weights.size - 1)]
        uneven = np.zeros(self.n_masks, bool)
        uneven[owner[weights != first[owner]]] = True
        if self.kernels is None:
            self._union, column = np.unique(pixels, return_inverse=True)
            size = (self.n_masks, self._union.size)
            self._matrix = sparse.csr_matrix((weights, column, indptr), shape=size)
            return
        self._even, self._uneven = np.flatnonzero(~uneven), np.flatnonzero(uneven)
        self._scale = first[self._even]
        part, starts = _take(pixels, indptr, self._even)
        self._columns = column_runs(part, starts, shape)
        self._pixels, self._indptr = _take(pixels, indptr, self._uneven)
        self._weights, _ = _take(weights, indptr, self._uneven)

    def __call__(self, frames: np.ndarray, pool: Executor) -> BlockSums:
        """Sum one block (n, Y, X), split over the threads of `pool`."""
        if self.kernels is None:
            return self._with_scipy(frames)
        pieces = np.array_split(frames, min(self.threads, len(frames)))
        done = list(pool.map(self._with_numba, pieces))
        return BlockSums(
            np.concatenate([part.masks for part in done]),
            np.concatenate([part.frames for part in done]),
            np.sum([part.total for part in done], axis=0),
            np.max([part.peak for part in done], axis=0),
        )

    def _with_numba(self, frames: np.ndarray) -> BlockSums:
        n, height, width = frames.shape
        wide = _sum_type(frames)
        even = np.empty((n, self._even.size))
        uneven = np.empty((-(-n // 4) * 4, self._uneven.size))
        found = np.empty((n, self.n_masks))
        frame_sums = np.empty(n)
        prefix = np.zeros((height + 1, width), wide)
        total: np.ndarray = np.zeros((height, width), wide)
        peak = frames[0].copy()
        runs = self._columns
        self.kernels.scan(
            *(frames, runs.start, runs.stop, runs.indptr),
            *(prefix, even, frame_sums, total, peak),
        )
        if self._uneven.size:
            flat = frames.reshape(n, -1)
            self.kernels.weigh(flat, self._pixels, self._weights, self._indptr, uneven)
        found[:, self._even] = even * self._scale
        found[:, self._uneven] = uneven[:n]
        return BlockSums(found, frame_sums, total, peak)

    def _with_scipy(self, frames: np.ndarray) -> BlockSums:
        n = len(frames)
        flat = frames.reshape(n, -1)
        # Pixels as rows: the sparse product walks along them.
        part = flat[:, self._union].T.astype(np.float64)
        return BlockSums(
            np.asarray(self._matrix @ part).T,
            flat.sum(axis=1, dtype=np.float64),
            frames.sum(axis=0, dtype=_sum_type(frames)),
            frames.max(axis=0),
        )


def kernels_or_none() -> Any:
    """Return the compiled kernels, loaded on first use; None without numba."""
    try:
        return import_module("napari_cebra.traces.kernels")
    except ImportError:
        return None


def default_threads() -> int:
    """Return how many threads extraction uses: the cores we have, at most 4."""
    cores: Any = getattr(os, "sched_getaffinity", None)
    return min(4, len(cores(0)) if cores else os.cpu_count() or 1)


def _sum_type(frames: np.ndarray) -> type:
    """Type in which sums down the columns and over the block are exact."""
    if frames.dtype.kind == "f":
        return np.float64
    small = frames.dtype.itemsize <= 2 and max(frames.shape) < 2**15
    return np.int32 if small else np.int64


def _take(
    values: np.ndarray, indptr: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Entries of some rows, and where each row starts among them."""
    spans = [values[indptr[k] : indptr[k + 1]] for k in rows]
    sizes = np.diff(indptr)[rows]
    taken = np.concatenate(spans) if spans else values[:0]
    return taken, np.concatenate([[0], np.cumsum(sizes)])
