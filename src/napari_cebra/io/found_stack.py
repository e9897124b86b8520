"""What is found at a path that holds a stack, before its frames are read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cebra.io.axes import name_axes
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

    from napari_cebra.io.axes import AxisPlan
    from napari_cebra.io.stack import FrameReader

    PixelSize = tuple[float, float]
    """Rows and columns of one pixel, in µm."""


@dataclass(frozen=True)
class StackInfo:
    """What a file holds, to be shown and edited before it is loaded.

    Parameters
    ----------
    path : Path
        File or folder.
    kind : str
        Format family: "tiff", "tiff series", "npy", "hdf5", "nwb", "zarr",
        "binary", "video", "scanbox", or a microscope's name.
    axes : str
        Axis order as detected; edit it and give it to `open_stack`.
    shape : tuple of int
        Stored shape, one length per letter of `axes`.
    dtype : numpy.dtype
        Stored values.
    rate : float or None
        Frames per second from the metadata; a hint, not a fact.
    dataset : str or None
        Data set described here (HDF5, zarr, NWB); the layout of a binary file;
        the channel of a microscope's folder.
    datasets : tuple of str
        All data sets of the file that could be a stack, the largest first.
    n_files : int
        Files that are read as one; more than one for a series.
    begins_series_of : int
        Files in the numbered series that this file alone begins (the folder,
        or ``series=True``, loads them all); 1 if there is none.
    notes : tuple of str
        What was assumed, in sentences.
    pixel_um : (y, x) or None
        Size of a pixel in µm from the metadata.
    """

    path: Path
    kind: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    rate: float | None = None
    dataset: str | None = None
    datasets: tuple[str, ...] = ()
    n_files: int = 1
    begins_series_of: int = 1
    notes: tuple[str, ...] = ()
    pixel_um: PixelSize | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all values, as if in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def to_choose(self) -> dict[str, int]:
        """Axes on which one position must be chosen, with their lengths."""
        pairs = zip(self.axes, self.shape, strict=True)
        return {a: n for a, n in pairs if a not in "TYX" and n > 1}


@dataclass(frozen=True, eq=False)
class FoundStack:
    """A stack that can be opened.

    Parameters
    ----------
    info : StackInfo
    open : callable
        Makes a reader of its frames, for a plan of its axes.
    first : Path
        File or folder it is known by.
    series : bool
        Whether `first` stands for the numbered series that it begins.
    refusal : str
        Why it cannot be opened as it is described, in a sentence; "" if it can.
    """

    info: StackInfo
    open: Callable[[AxisPlan], FrameReader]
    first: Path
    series: bool = False
    refusal: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One array of a file, and how to open it.

    Parameters
    ----------
    name : str
        Inside the file.
    shape, dtype
        As stored.
    axes : str
        One letter per axis.
    note : str
        What was assumed about them.
    rate : float or None
        Hz.
    open : callable
        As for `FoundStack`.
    pixel_um : (y, x) or None
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    axes: str
    note: str
    rate: float | None
    open: Callable[[AxisPlan], FrameReader]
    pixel_um: PixelSize | None = None


def check_dataset(path: Path, name: str, names: Sequence[str]) -> None:
    """Raise `InvalidInput` where a file has no data set of that name."""
    if name not in names:
        raise InvalidInput(
            f"{path.name} has no data set {name!r} that could be a stack; it has "
            f"{', '.join(names)}."
        )


def choose_dataset(
    path: Path, kind: str, found: Sequence[Dataset], name: str | None
) -> FoundStack:
    """Return the data set of that name, or the first.

    Raises
    ------
    InvalidInput
        If there is none of that name.
    """
    names = tuple(data.name for data in found)
    data = found[0]
    if name is not None:
        check_dataset(path, name.strip("/"), names)
        data = found[names.index(name.strip("/"))]
    axes, renamed = name_axes(data.axes, data.shape)
    info = StackInfo(
        path,
        kind,
        axes,
        data.shape,
        data.dtype,
        data.rate,
        data.name,
        names,
        notes=tuple(note for note in (renamed, data.note) if note),
        pixel_um=data.pixel_um,
    )
    if names == ("",):
        info = replace(info, dataset=None, datasets=())
    return FoundStack(info, data.open, path)
