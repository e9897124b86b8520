"""One pass over a stack: its summary images and the binned movie."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.traces.extract import (
    REPORT_SECONDS,
    not_finite,
    stack_blocks,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.traces.detection.settings import DetectionSettings
    from napari_cebra.traces.extract import StackLike

LEAST_FRAMES = 20
_CHUNK = 32  # frames converted at a time


@dataclass(frozen=True, eq=False)
class BinnedMovie:
    """A stack averaged over stretches of time.

    Parameters
    ----------
    movie : (Y, X, bins) float32
        Counts above the mean of each pixel.
    mean, max, std : (Y, X) float32
        Over all frames, in counts.
    bin_frames : float
        Mean number of frames in a bin.
    """

    movie: np.ndarray
    mean: np.ndarray
    max: np.ndarray
    std: np.ndarray
    bin_frames: float


def binned_movie(
    stack: StackLike, settings: DetectionSettings
) -> Generator[Progress, None, BinnedMovie]:
    """Read every frame once and average over bins of nearly equal length.

    Raises
    ------
    InvalidInput
        If the stack is not (T, Y, X) numbers, is too short, has a pixel that is
        NaN or infinite, or ends early.
    """
    n_frames, height, width = _checked(stack)
    wide = settings.bin_width(n_frames, stack.rate, 4 * height * width)
    n_bins = max(n_frames // wide, 2)
    edges = np.round(np.linspace(0, n_frames, n_bins + 1)).astype(np.int64)
    movie = np.empty((height, width, n_bins), np.float32)
    summed = np.zeros((height, width))
    squares = np.zeros((height, width))
    peak = np.full((height, width), -np.inf, np.float32)
    pending = np.zeros((height, width))
    reported = -math.inf
    offset: np.ndarray | None = None
    with closing(stack_blocks(stack)) as blocks:
        for start, block in blocks:
            stop = start + len(block)
            np.maximum(peak, block.max(axis=0), out=peak)
            done = start
            while done < stop:
                at = int(np.searchsorted(edges, done, side="right")) - 1
                until = min(int(edges[at + 1]), stop, done + _CHUNK)
                frames = block[done - start : until - start].astype(np.float32)
                totals = frames.sum(axis=(1, 2), dtype=np.float64)
                if not np.isfinite(totals).all():
                    part = block[done - start : until - start]
                    raise InvalidInput(not_finite(stack, part, totals, done))
                if offset is None:
                    offset = frames.mean(axis=0)
                # From near the mean: squares of large counts lose their digits.
                frames -= offset
                squares += np.einsum("tyx,tyx->yx", frames, frames)
                pending += frames.sum(axis=0)
                if until == edges[at + 1]:
                    summed += pending
                    movie[..., at] = pending / (edges[at + 1] - edges[at])
                    pending[:] = 0
                done = until
            if time.monotonic() - reported >= REPORT_SECONDS:
                yield Progress(stop, n_frames, "frames", "Reading the stack")
                reported = time.monotonic()
    assert offset is not None
    above = (summed / n_frames).astype(np.float32)
    movie -= above[..., None]
    variance = squares / n_frames - (summed / n_frames) ** 2
    return BinnedMovie(
        movie,
        offset + above,
        peak,
        np.sqrt(np.maximum(variance, 0)).astype(np.float32),
        n_frames / n_bins,
    )


def _checked(stack: StackLike) -> tuple[int, int, int]:
    shape, dtype = tuple(stack.shape), np.dtype(stack.dtype)
    if len(shape) != 3 or dtype.kind not in "iuf":
        raise InvalidInput(
            f"ROIs are found in a stack of numbers (T, Y, X), not {dtype} of shape "
            f"{shape}; check its axes."
        )
    if shape[0] < LEAST_FRAMES:
        raise InvalidInput(
            f"The stack has {shape[0]} frames, and at least {LEAST_FRAMES} are needed "
            "to see cells light up; draw ROIs by hand, or check its axes."
        )
    if min(shape[1:]) < 8:
        raise InvalidInput(
            f"The frames have {shape[1]}×{shape[2]} pixels, and at least 8×8 are "
            "needed to find cells; check the stack's axes."
        )
    return shape
