"""Sums over masks in one block of frames, compiled or with scipy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from napari_cebra.traces.words import Words, mask_words

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

    Sums are taken in float64, and so are exact where pixels and weights are
    whole numbers (labels, rings).

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
        self._masks = pixels, weights, indptr
        self._words: dict[int, Words] = {}  # by the bytes of a pixel
        if self.kernels is None:
            self._union, column = np.unique(pixels, return_inverse=True)
            size = (self.n_masks, self._union.size)
            wide = weights.astype(np.float64)
            self._matrix = sparse.csr_matrix((wide, column, indptr), shape=size)

    def __call__(self, frames: np.ndarray, pool: Executor) -> BlockSums:
        """Sum one block (n, Y, X), split over the threads of `pool`."""
        if self.kernels is None:
            return self._with_scipy(frames)
        size = frames.itemsize
        if size not in self._words:
            self._words[size] = mask_words(*self._masks, frames[0].size, size)
        pieces = np.array_split(frames, min(self.threads, len(frames)))
        done = list(pool.map(self._with_numba, pieces))
        return BlockSums(
            np.concatenate([part.masks for part in done]),
            np.concatenate([part.frames for part in done]),
            np.sum([part.total for part in done], axis=0),
            np.max([part.peak for part in done], axis=0),
        )

    def _with_numba(self, frames: np.ndarray) -> BlockSums:
        n = len(frames)
        words = self._words[frames.itemsize]
        masks, frame_sums = np.empty((n, self.n_masks)), np.empty(n)
        total: np.ndarray = np.zeros(frames.shape[1:], _sum_type(frames))
        peak = frames[0].copy()
        mask = np.empty(np.diff(words.indptr).max(), words.type)
        self.kernels.scan(
            *(frames, frames.reshape(n, -1).view(words.type)),
            *(words.at, words.weights, words.indptr),
            *(mask, masks, frame_sums, total, peak),
        )
        return BlockSums(masks, frame_sums, total, peak)

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
    """Type in which sums over the block are exact."""
    if frames.dtype.kind == "f":
        return np.float64
    small = frames.dtype.itemsize <= 2 and len(frames) < 2**15
    return np.int32 if small else np.int64
