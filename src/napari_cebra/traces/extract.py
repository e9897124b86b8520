"""From a stack to raw and neuropil traces, in one pass over the file."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_cebra.recording import InvalidInput, Progress, Traces
from napari_cebra.traces.blocks import MaskSums, default_threads
from napari_cebra.traces.pictures import Pictures
from napari_cebra.traces.rings import Rings, neuropil_rings

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.recording import RoiSet

# Three blocks are in memory at most: one is read, perhaps from narrower pixels, while
# another is summed, and the one before is let go only after the reading has begun.
BLOCK_BYTES = 48 * 2**20
BLOCK_FRAMES = 256
REPORT_SECONDS = 0.1


class StackLike(Protocol):
    """What extraction needs of a stack."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width: (T, Y, X)."""

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel."""

    @property
    def rate(self) -> float | None:
        """Frames per second; None where it is not known."""

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames start to stop, (stop - start, Y, X)."""


@dataclass(frozen=True, eq=False)
class Extraction:
    """Everything one pass over the stack gives.

    Parameters
    ----------
    raw : Traces
        (T, N) weighted mean of each mask, ``sum(w F) / sum(w)``, in counts.
    neuropil : Traces or None
        (T, N) mean of each ring; 0 where an ROI has no ring. None for a grid.
    mean_image, max_image : (Y, X) float32
        Mean and maximum over all frames.
    frame_mean : (T,) float64
        Mean of all pixels of each frame.
    rings : Rings or None
        The rings that were used; ``rings.short`` marks those with little room.
    std_image, correlation_image : (Y, X) float32 or None
        See `Pictures`; None where they were not asked for.
    """

    raw: Traces
    neuropil: Traces | None
    mean_image: np.ndarray
    max_image: np.ndarray
    frame_mean: np.ndarray
    rings: Rings | None
    std_image: np.ndarray | None = None
    correlation_image: np.ndarray | None = None


def extract(
    stack: StackLike,
    rois: RoiSet,
    neuropil: bool = True,
    *,
    ring_inner: int = 2,
    ring_pixels: int = 350,
    pictures: int = 0,
    threads: int | None = None,
    compiled: bool | None = None,
) -> Generator[Progress, None, Extraction]:
    """Sum every mask and its neuropil ring in every frame, reading each once.

    Pixels that lie in several masks count for each of them. Memory stays
    below 200 MB beside the traces, whatever the size of the file.

    Parameters
    ----------
    stack : StackLike
        T frames of integers or floats; never converted as a whole.
    rois : RoiSet
        N masks on the same field of view.
    neuropil : bool
        Whether to lay rings and sum them (never for a grid).
    ring_inner, ring_pixels : int
        Passed to `neuropil_rings`.
    pictures : int
        Number of frames, evenly spaced, for the standard-deviation and correlation
        images; 0 for none.
    threads : int, optional
        Default: the cores there are, at most 4. The sums of integer stacks do
        not depend on it.
    compiled : bool, optional
        Whether to use the compiled kernels; default: where numba is installed.

    Yields
    ------
    Progress
        Frames done, at most ten times a second.

    Returns
    -------
    Extraction

    Raises
    ------
    InvalidInput
        If the stack is not (T, Y, X) numbers, the ROIs belong to another field
        of view, a pixel is NaN or infinite, or the file ends early.
    """
    _check(stack, rois)
    n_frames, height, width = stack.shape
    rings = neuropil_rings(rois, ring_inner, ring_pixels) if neuropil else None
    threads = default_threads() if threads is None else threads
    masks, weight = _masks(rois, rings, threads, compiled)
    raw = np.empty((n_frames, len(rois)), np.float32)
    ring = np.empty((n_frames, masks.n_masks - len(rois)), np.float32)
    frame_mean = np.empty(n_frames)
    total = np.zeros((height, width))
    peak = np.full((height, width), -np.inf)
    drawn = Pictures((height, width), compiled) if pictures > 0 else None
    every = -(-n_frames // max(pictures, 1))
    reported = -math.inf  # the first block tells at once what is under way
    with ThreadPoolExecutor(threads) as pool, closing(stack_blocks(stack)) as blocks:
        for start, frames in blocks:
            drawing = None
            if drawn is not None:
                drawing = pool.submit(drawn.add, frames[-start % every :: every])
            sums = masks(frames, pool)
            if drawing is not None:
                drawing.result()
            span = slice(start, start + len(frames))
            if not np.isfinite(sums.frames).all():
                raise InvalidInput(not_finite(stack, frames, sums.frames, start))
            means = sums.masks / weight
            raw[span], ring[span] = means[:, : len(rois)], means[:, len(rois) :]
            frame_mean[span] = sums.frames / (height * width)
            total += sums.total
            np.maximum(peak, sums.peak, out=peak)
            if time.monotonic() - reported >= REPORT_SECONDS:
                yield Progress(span.stop, n_frames, "frames", "Extracting traces")
                reported = time.monotonic()
    raw_by: dict[str, Any] = {"step": "extract", "trace": "sum(w F) / sum(w)"}
    ring_by = {"step": "extract", "inner": ring_inner, "min_pixels": ring_pixels}
    around = None if rings is None else Traces(ring, "neuropil", stack.rate, ring_by)
    return Extraction(
        Traces(raw, "raw", stack.rate, raw_by),
        around,
        (total / n_frames).astype(np.float32),
        peak.astype(np.float32),
        frame_mean,
        rings,
        None if drawn is None else drawn.deviation(),
        None if drawn is None else drawn.correlation(),
    )


def _check(stack: StackLike, rois: RoiSet) -> None:
    shape, dtype = tuple(stack.shape), np.dtype(stack.dtype)
    if len(shape) != 3 or dtype.kind not in "iuf":
        raise InvalidInput(
            f"Traces are extracted from a stack of numbers (T, Y, X), not {dtype} of "
            f"shape {shape}; check its axes."
        )
    if shape[0] < 2:
        raise InvalidInput(
            f"The stack has {shape[0]} frame; at least 2 are needed, so check its axes."
        )
    if shape[1:] != rois.shape:
        raise InvalidInput(
            f"The ROIs lie on a field of view of {rois.shape[0]}×{rois.shape[1]} "
            f"pixels, but the stack's frames are {shape[1]}×{shape[2]}; load the ROIs "
            "of this stack or correct its axes."
        )
    if len(rois) == 0:
        raise InvalidInput("There are no ROIs to extract; draw or load some first.")


def _masks(
    rois: RoiSet, rings: Rings | None, threads: int, compiled: bool | None
) -> tuple[MaskSums, np.ndarray]:
    """All masks as one list, cells first, and the weight of each."""
    pixels, weights, indptr = rois.pixels, rois.weights, rois.indptr
    if rings is not None:
        pixels = np.concatenate([pixels, rings.pixels])
        weights = np.concatenate([weights, np.ones(rings.pixels.size, np.float32)])
        indptr = np.concatenate([indptr, indptr[-1] + rings.indptr[1:]])
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    weight = np.bincount(owner, weights, indptr.size - 1)
    weight[np.diff(indptr) == 0] = 1.0  # an empty ring: its trace is 0
    return MaskSums(pixels, weights, indptr, rois.shape, threads, compiled), weight


def stack_blocks(stack: StackLike) -> Generator[tuple[int, np.ndarray], None, None]:
    """Yield blocks of frames with their first frame, the next one read meanwhile."""
    n_frames, height, width = stack.shape
    frame_bytes = height * width * _plain(np.dtype(stack.dtype)).itemsize
    size = int(np.clip(BLOCK_BYTES // max(frame_bytes, 1), 1, BLOCK_FRAMES))
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(_read, stack, 0, size)
        for start in range(0, n_frames, size):
            frames = coming.result()
            if start + size < n_frames:
                coming = reader.submit(_read, stack, start + size, size)
            yield start, frames


def _read(stack: StackLike, start: int, size: int) -> np.ndarray:
    stop = min(start + size, stack.shape[0])
    frames = np.asarray(stack.read(start, stop))
    if frames.shape != (stop - start, *stack.shape[1:]):
        raise InvalidInput(
            f"Frames {start} to {stop - 1} of the stack could not be read whole "
            f"(got {frames.shape}); the file may be truncated, so copy it again."
        )
    return np.ascontiguousarray(frames, dtype=_plain(frames.dtype))


def _plain(dtype: np.dtype) -> np.dtype:
    """One of the five types the kernels are compiled for, none of them narrower."""
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    if dtype.itemsize > 2:
        return np.dtype(np.float64 if dtype == np.uint64 else np.int64)
    return np.dtype(np.uint16 if dtype.kind == "u" else np.int16)


def not_finite(
    stack: StackLike, frames: np.ndarray, sums: np.ndarray, start: int
) -> str:
    """Return which pixel of a block is not finite, and what to do about it."""
    n = int(np.flatnonzero(~np.isfinite(sums))[0])
    bad = ~np.isfinite(frames[n])
    if not bad.any():
        return (
            f"The pixels of frame {start + n} are too large to be added up; check "
            "how the stack was written."
        )
    y, x = np.argwhere(bad)[0]
    count = int(bad.sum())
    pixels = "1 pixel that is" if count == 1 else f"{count} pixels that are"
    called = getattr(stack, "called", "the stack")
    return (
        f"Frame {start + n} of {called} has {pixels} NaN or infinite (first at y {y}, "
        f"x {x}); crop or fill such pixels of the stack, then try again."
    )
