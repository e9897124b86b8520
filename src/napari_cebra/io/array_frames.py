"""Frames out of anything that indexes like an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import reading
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cebra.io.axes import AxisPlan


def check_pixel_type(dtype: np.dtype, name: str) -> np.dtype:
    """Return the dtype in native byte order, refusing what is not a picture."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iuf":
        raise InvalidInput(
            f"{name} holds values of type {dtype}, not pixel counts; choose a stack of "
            "whole or real numbers."
        )
    return dtype.newbyteorder("=")


class ArrayFrames:
    """A `FrameReader` on a numpy, memory-mapped, dask, zarr or h5py array.

    Parameters
    ----------
    array : array-like
        Stored array; sliced, never copied whole.
    plan : AxisPlan
        Which of its axes are T, Y and X.
    name : str
        For errors.
    on_close : callable, optional
        Gives back the file behind the array.
    """

    def __init__(
        self,
        array: Any,
        plan: AxisPlan,
        name: str,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._array = array
        self._plan = plan
        self._name = name
        self._on_close = on_close
        self.shape = plan.frames_shape
        self.dtype = check_pixel_type(array.dtype, name)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X), a copy of the stored values."""
        with reading(
            self._name, f"frames {start} to {stop - 1}", "check that it is still there"
        ):
            block = np.asarray(self._array[self._plan.key(start, stop)])
        frames = block.transpose(self._plan.order)
        return np.array(frames, dtype=self.dtype, order="C")

    def view(self) -> Any:
        """Return a transposed view where the array is numpy's own, else None."""
        if not isinstance(self._array, np.ndarray) or not self._array.dtype.isnative:
            return None
        whole = self._array[self._plan.key(0, self.shape[0])]
        frames = whole.transpose(self._plan.order)
        if frames.flags.writeable:
            frames = frames.view()
            frames.flags.writeable = False
        return frames

    def close(self) -> None:
        """Give back the file behind the array, if there is one."""
        self._array = None
        if self._on_close is not None:
            self._on_close()
