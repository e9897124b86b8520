"""Frames made small enough to be compared fast."""

from __future__ import annotations

import itertools
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Executor

_SMALLEST = 128  # shorter side in pixels below which nothing is binned


def bin_factor(shape: tuple[int, int]) -> int:
    """Return the side of the squares of pixels that are averaged.

    A shift is found to a small fraction of a pixel from structure of several
    pixels; halving both sides loses none of it and is four times as fast.
    """
    return 2 if min(shape) >= _SMALLEST else 1


def binned(
    frames: np.ndarray, factor: int, pool: Executor | None = None, threads: int = 1
) -> np.ndarray:
    """Return the means of squares of pixels, (n, Y // factor, X // factor) float32.

    A square with a NaN or infinite pixel is NaN. Rows and columns that do not
    fill a square are left out.
    """
    n, height, width = frames.shape
    out = np.empty((n, height // factor, width // factor), np.float32)
    compiled = kernels()
    if frames.dtype == np.float16:
        frames = frames.astype(np.float32)
    if compiled is None:
        cut = frames[:, : out.shape[1] * factor, : out.shape[2] * factor]
        squares = cut.reshape(n, out.shape[1], factor, out.shape[2], factor)
        out[:] = squares.mean(axis=(2, 4), dtype=np.float64)
    else:
        small = frames.dtype.kind in "iu" and frames.dtype.itemsize <= 2
        row = np.empty(out.shape[2], np.int32 if small else np.float64)

        def one(part: slice) -> None:
            compiled.binned(frames[part], factor, row.copy(), out[part])

        _over(one, n, pool, threads)
    if frames.dtype.kind == "f":
        out[~np.isfinite(out)] = np.nan
    return out


def kernels() -> Any:
    """Return the compiled kernels, loaded on first use; None without numba."""
    try:
        return import_module("napari_cebra.traces.motion.kernels")
    except ImportError:
        return None


def can_compile(dtype: np.dtype) -> bool:
    """Return True for a type of pixel that the kernels know."""
    return dtype.isnative and dtype != np.float16


def _over(one: Any, n: int, pool: Executor | None, threads: int) -> None:
    edges = np.linspace(0, n, min(threads, n) + 1).astype(int)
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    if pool is None or len(parts) == 1:
        one(slice(0, n))
    else:
        list(pool.map(one, parts))
