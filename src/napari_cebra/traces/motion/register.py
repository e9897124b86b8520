"""From a stack to the motion of its frames."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.traces.blocks import default_threads
from napari_cebra.traces.motion.binning import bin_factor, binned
from napari_cebra.traces.motion.corrected import corrected
from napari_cebra.traces.motion.quality import quality
from napari_cebra.traces.motion.result import Motion, MotionQuality
from napari_cebra.traces.motion.settings import MotionSettings

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.traces.extract import StackLike
    from napari_cebra.traces.motion.estimate import Estimate

BLOCK_BYTES = 64 * 2**20
BLOCK_FRAMES = 64
QUALITY_BYTES = 128 * 2**20
QUALITY_FRAMES = 64
REPORT_SECONDS = 0.1
_FEW = 8  # frames, of which all are needed for a template


def register(
    stack: StackLike,
    settings: MotionSettings | None = None,
    *,
    threads: int | None = None,
) -> Generator[Progress, None, Motion]:
    """Estimate the motion of every frame relative to a template.

    The template is made of frames spread over the stack; then each frame is
    read once. That takes 200 MB for frames of 512 × 512, however many. Nothing
    is written, and no frame is left out: those whose shift cannot be told are
    marked in ``Motion.failed``, and their shift is taken from the frames
    before and after.

    Parameters
    ----------
    stack : StackLike
        T frames.
    settings : MotionSettings, optional
    threads : int, optional
        For binning; default: the cores there are, at most 4. The result does
        not depend on it.

    Yields
    ------
    Progress
        In frames.

    Returns
    -------
    Motion

    Raises
    ------
    InvalidInput
        If there are fewer than 2 frames, a block does not fit the frame, or no
        frame has anything to be registered by.
    """
    settings = MotionSettings() if settings is None else settings
    _check(stack, settings)
    threads = default_threads() if threads is None else threads
    factor = bin_factor(stack.shape[1:])
    with ThreadPoolExecutor(threads) as pool:
        shrink = _Shrink(factor, pool, threads)
        estimate, seen = yield from _prepared(stack, settings, shrink)
        parts: list[Any] = []
        n_frames, reported = stack.shape[0], -math.inf
        with closing(_blocks(stack, settings.smooth_frames, shrink)) as blocks:
            for start, pictures in blocks:
                parts.append(estimate(pictures))
                if time.monotonic() - reported >= REPORT_SECONDS:
                    yield Progress(start, n_frames, "frames", "Estimating motion")
                    reported = time.monotonic()
    found = estimate.joined(parts)
    # Frames that are part of the template resemble it whatever they show.
    unseen = np.ones(n_frames, bool)
    unseen[seen] = n_frames < _FEW
    if found.failed[unseen].all():
        raise InvalidInput(
            "No frame could be registered: nothing in the frames stands out of the "
            "noise, or all of it moves further than the largest shift; check that the "
            "stack is not dark, or allow a larger shift or more smoothing."
        )
    blank = MotionQuality(0.0, 0.0, 0.0, 0.0, 0)
    motion = found.motion(stack.shape[1:], settings, blank)
    return (yield from _judged(stack, motion))


class _Shrink:
    """Frames as small pictures, with what is NaN filled by the picture's mean."""

    def __init__(self, factor: int, pool: ThreadPoolExecutor, threads: int) -> None:
        self.factor, self._pool, self._threads = factor, pool, threads

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        pictures = binned(frames, self.factor, self._pool, self._threads)
        bad = np.isnan(pictures) if frames.dtype.kind == "f" else None
        if bad is not None and bad.any():
            count = np.maximum((~bad).sum(axis=(1, 2)), 1)
            means = np.where(bad, 0, pictures).sum(axis=(1, 2)) / count
            means = means.astype(np.float32)
            pictures = np.where(bad, means[:, None, None], pictures)
            pictures[bad.mean(axis=(1, 2)) > 0.5] = 0  # nothing to go by
        return pictures


def _check(stack: StackLike, settings: MotionSettings) -> None:
    shape, dtype = tuple(stack.shape), np.dtype(stack.dtype)
    if len(shape) != 3 or dtype.kind not in "iuf":
        raise InvalidInput(
            f"Motion is estimated from a stack of numbers (T, Y, X), not {dtype} of "
            f"shape {shape}; check its axes."
        )
    if shape[0] < 2:
        raise InvalidInput(
            f"The stack has {shape[0]} frame, and motion is between frames; at least "
            "2 are needed, so check its axes."
        )
    if min(shape[1:]) < 16:
        raise InvalidInput(
            f"The frames have {shape[1]} × {shape[2]} pixels; at least 16 × 16 are "
            "needed to tell a shift, so check the stack's axes."
        )
    if settings.kind == "piecewise" and settings.block_px > min(shape[1:]):
        raise InvalidInput(
            f"Blocks of {settings.block_px} pixels do not fit frames of {shape[1]} × "
            f"{shape[2]}; choose blocks of at most {min(shape[1:]) // 2} pixels, or "
            "rigid."
        )


def _prepared(
    stack: StackLike, settings: MotionSettings, shrink: _Shrink
) -> Generator[Progress, None, tuple[Estimate, np.ndarray]]:
    """Read some frames spread over the stack, and make the template of them."""
    yield Progress(0, 0, "", "Getting ready")
    from napari_cebra.traces.motion.estimate import Estimate, frames_in_template

    size = (stack.shape[1] // shrink.factor, stack.shape[2] // shrink.factor)
    n_frames = stack.shape[0]
    wanted = frames_in_template(size, settings.template_frames)
    wanted = min(wanted, n_frames if n_frames < _FEW else n_frames // 2)
    halo = _halo(settings.smooth_frames)
    pictures = []
    chosen = _spread(n_frames, wanted)
    for done, frame in enumerate(chosen):
        if done % 8 == 0:
            yield Progress(done, len(chosen), "frames", "Reading for the template")
        start, stop = max(frame - halo, 0), min(frame + halo + 1, n_frames)
        around = shrink(_read(stack, start, stop))
        pictures.append(_smoothed(around, settings.smooth_frames)[frame - start])
    yield Progress(len(chosen), len(chosen), "frames", "Making the template")
    estimate = Estimate(np.stack(pictures), shrink.factor, settings, stack.shape[1:])
    return estimate, chosen


def _judged(stack: StackLike, motion: Motion) -> Generator[Progress, None, Motion]:
    """Compare some frames before and after; their mean is the template."""
    frame_bytes = 8 * math.prod(stack.shape[1:])
    most = max(min(QUALITY_FRAMES, QUALITY_BYTES // frame_bytes), 2)
    good = np.flatnonzero(~motion.failed)
    chosen = good[_spread(good.size, most)]
    raw = []
    for done, frame in enumerate(chosen):
        if done % 8 == 0:
            yield Progress(done, len(chosen), "frames", "Comparing before and after")
        raw.append(_read(stack, int(frame), int(frame) + 1)[0])
    after = [
        corrected(picture[None], motion, int(frame))[0]
        for picture, frame in zip(raw, chosen, strict=True)
    ]
    template = np.stack(after).mean(axis=0, dtype=np.float64).astype(np.float32)
    judged = quality(np.stack(raw), np.stack(after))
    return replace(motion, template=template, quality=judged)


def _blocks(
    stack: StackLike, smooth: float, shrink: _Shrink
) -> Generator[tuple[int, np.ndarray], None, None]:
    """Small pictures of all frames in order, the next block read meanwhile."""
    n_frames = stack.shape[0]
    frame_bytes = math.prod(stack.shape[1:]) * np.dtype(stack.dtype).itemsize
    size = int(np.clip(BLOCK_BYTES // max(frame_bytes, 1), 1, BLOCK_FRAMES))
    halo = _halo(smooth)

    def read(start: int) -> np.ndarray:
        return _read(stack, max(start - halo, 0), min(start + size + halo, n_frames))

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read, 0)
        for start in range(0, n_frames, size):
            frames = coming.result()
            if start + size < n_frames:
                coming = reader.submit(read, start + size)
            pictures = _smoothed(shrink(frames), smooth)
            first = start - max(start - halo, 0)
            yield start, pictures[first : first + min(size, n_frames - start)]


def _read(stack: StackLike, start: int, stop: int) -> np.ndarray:
    frames = np.asarray(stack.read(start, stop))
    if frames.shape != (stop - start, *stack.shape[1:]):
        raise InvalidInput(
            f"Frames {start} to {stop - 1} of the stack could not be read whole "
            f"(got {frames.shape}); the file may be truncated, so copy it again."
        )
    return frames.astype(frames.dtype.newbyteorder("="), copy=False)


def _halo(smooth: float) -> int:
    return math.ceil(3 * smooth)


def _smoothed(pictures: np.ndarray, frames: float) -> np.ndarray:
    if not frames:
        return pictures
    from scipy import ndimage

    over_time = {"axis": 0, "mode": "nearest", "truncate": 3}
    return np.asarray(ndimage.gaussian_filter1d(pictures, frames, **over_time))


def _spread(n: int, wanted: int) -> np.ndarray:
    """Return at most `wanted` of n positions, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).round().astype(int))
