"""A stack seen with its motion undone, frame by frame as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput
from napari_cebra.traces.motion.binning import can_compile, kernels

if TYPE_CHECKING:
    from napari_cebra.traces.extract import StackLike
    from napari_cebra.traces.motion.result import Motion


class CorrectedFrames:
    """The frames of a stack, each put where the template stands.

    Nothing is computed before it is read, and nothing is kept. The type of a
    pixel stays what it was, whole numbers being rounded; with "nearest" every
    value is one that was recorded. Where a frame does not reach, its border is
    repeated (`Motion.margins` says how far).

    Parameters
    ----------
    stack : StackLike
        As recorded; left open by `close`.
    motion : Motion
        Of this stack.

    Raises
    ------
    InvalidInput
        If the motion is that of another stack.
    """

    called = "the corrected movie"

    def __init__(self, stack: StackLike, motion: Motion) -> None:
        shape = tuple(stack.shape)
        if shape != (motion.n_frames, *motion.shape):
            mine = " × ".join(str(n) for n in (motion.n_frames, *motion.shape))
            theirs = " × ".join(str(n) for n in shape)
            raise InvalidInput(
                f"The motion was estimated on a stack of {mine}, but this one is "
                f"{theirs}; estimate it again."
            )
        self._stack, self.motion = stack, motion
        self.shape: tuple[int, int, int] = stack.shape
        self.dtype = np.dtype(stack.dtype)
        self.rate = stack.rate

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` in place, (n, Y, X)."""
        frames = np.asarray(self._stack.read(start, stop))
        return corrected(frames, self.motion, start)

    def view(self) -> None:
        """Have no array: frames are made when they are asked for."""

    def close(self) -> None:
        """Leave the stack open: it is someone else's."""


def corrected(frames: np.ndarray, motion: Motion, start: int) -> np.ndarray:
    """Return frames (n, Y, X), of which the first is frame `start`, in place."""
    span = slice(start, start + len(frames))
    if motion.blocks is None:
        shifts = motion.shifts[span]
        if motion.settings.interpolation == "nearest":
            shifts = np.rint(shifts)
        return moved(frames, shifts)
    height, width = motion.shape
    assert motion.block_rows is not None and motion.block_columns is not None
    return warped(
        frames,
        motion.blocks[span].astype(np.float64),
        _places(motion.block_rows, height),
        _places(motion.block_columns, width),
    )


def moved(frames: np.ndarray, shifts: np.ndarray, compiled: bool = True) -> np.ndarray:
    """Return frames as seen from ``(y, x) + shift``, (n, Y, X) of the same type.

    Parameters
    ----------
    frames : (n, Y, X)
        Numbers of any type.
    shifts : (n, 2)
        Pixels; between pixels linear.
    compiled : bool
        Whether to use the compiled kernels, where numba is installed.
    """
    found = kernels() if compiled and can_compile(frames.dtype) else None
    out = np.empty_like(frames)
    shifts = np.asarray(shifts, np.float64)
    if found is not None:
        line = np.empty(frames.shape[2], _between(frames.dtype))
        found.moved(frames, shifts, _half(frames.dtype), line, out)
        return out
    from scipy import ndimage

    for picture, shift, place in zip(frames, shifts, out, strict=True):
        seen = ndimage.shift(
            picture.astype(np.float64), -shift, order=1, mode="nearest"
        )
        place[:] = _as_stored(seen, frames.dtype)
    return out


def warped(
    frames: np.ndarray,
    shifts: np.ndarray,
    at_y: np.ndarray,
    at_x: np.ndarray,
    compiled: bool = True,
) -> np.ndarray:
    """Return frames as seen through a grid of shifts; see `moved`.

    Parameters
    ----------
    frames : (n, Y, X)
    shifts : (n, A, B, 2)
        At the points of the grid, in pixels; between them linear.
    at_y, at_x : (Y,), (X,)
        Place of each row and column on the grid, 0 to A - 1 and B - 1.
    compiled : bool
    """
    found = kernels() if compiled and can_compile(frames.dtype) else None
    out = np.empty_like(frames)
    if found is not None:
        found.warped(frames, shifts, at_y, at_x, _half(frames.dtype), out)
        return out
    from scipy import ndimage

    grid = np.meshgrid(at_y, at_x, indexing="ij")
    pixel = np.indices(frames.shape[1:])
    for picture, block, place in zip(frames, shifts, out, strict=True):
        field = [
            ndimage.map_coordinates(block[..., axis], grid, order=1, mode="nearest")
            for axis in range(2)
        ]
        seen = ndimage.map_coordinates(
            picture.astype(np.float64), pixel + field, order=1, mode="nearest"
        )
        place[:] = _as_stored(seen, frames.dtype)
    return out


def _places(middles: np.ndarray, length: int) -> np.ndarray:
    """Place of each pixel among the middles of the blocks, 0 to their last."""
    return np.interp(np.arange(length), middles, np.arange(middles.size))


def _between(dtype: np.dtype) -> type[Any]:
    small = dtype.itemsize <= 2 or dtype == np.float32
    return np.float32 if small else np.float64


def _half(dtype: np.dtype) -> float:
    return 0.0 if dtype.kind == "f" else 0.5


def _as_stored(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return values if dtype.kind == "f" else np.floor(values + 0.5)
