"""Opening a stack: which format family, which axes, which rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cebra.io.array_frames import ArrayFrames, check_pixel_type
from napari_cebra.io.axes import plan_axes
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.stack import Stack
from napari_cebra.io.stack_formats import stack_format
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_cebra.io.found_stack import FoundStack, StackInfo


def inspect_stack(
    path: str | os.PathLike[str],
    dataset: str | None = None,
    series: bool | None = None,
) -> StackInfo:
    """Describe a stack without reading its frames.

    Parameters
    ----------
    path : path
        TIFF file, folder of a numbered TIFF series, npy, HDF5, NWB, zarr, raw
        binary, video, or a file or folder of a microscope.
    dataset : str, optional
        Data set inside an HDF5, NWB or zarr file, default the largest candidate;
        channel of a microscope's folder; type and frame of a binary file, as
        "int16 512x512".
    series : bool, optional
        Whether a file stands for the numbered series that it begins.
        Default: only if it holds a single page, so that two recordings called
        1 and 2 are never joined unasked.

    Raises
    ------
    InvalidInput
        If it is not a stack, is damaged, or has no such data set.
    """
    return _find(Path(path), dataset, series).info


def open_stack(
    path: str | os.PathLike[str],
    axes: str | None = None,
    dataset: str | None = None,
    rate: float | None = None,
    select: Mapping[str, int] | None = None,
    series: bool | None = None,
    pixel_um: tuple[float, float] | None = None,
) -> Stack:
    """Open a stack lazily.

    Parameters
    ----------
    path, dataset, series
        As for `inspect_stack`.
    axes : str, optional
        Order in which the axes are stored, as "TYX", "YXT" or "TCYX"; default
        as detected.
    rate : float, optional
        Frames per second; default from the metadata.
    select : mapping of str to int, optional
        Channel or plane to load, from 0, as ``{"C": 1}``.
    pixel_um : (y, x), optional
        Size of a pixel in µm; default from the metadata.

    Returns
    -------
    Stack
        To be closed when done with.

    Raises
    ------
    InvalidInput
        If it is not a stack, is damaged, or the axes do not fit.
    """
    path = Path(path)
    found = _find(path, dataset, series)
    if found.refusal:
        raise InvalidInput(found.refusal)
    info = found.info
    plan = plan_axes(axes or info.axes, info.shape, path.name, select)
    check_pixel_type(info.dtype, path.name)
    source = SourceFile.of(found.first, series=found.series)
    reader = found.open(plan)
    name = path.stem if path.is_file() else path.name
    rate = info.rate if rate is None else rate
    try:
        return Stack(reader, name, plan.axes, rate, source, pixel_um or info.pixel_um)
    except InvalidInput:
        reader.close()
        raise


def stack_from_array(
    array: Any,
    axes: str = "TYX",
    name: str = "array",
    rate: float | None = None,
    select: Mapping[str, int] | None = None,
    pixel_um: tuple[float, float] | None = None,
) -> Stack:
    """Take an array that is already open (numpy, dask, zarr, h5py) as a stack.

    The array is neither copied nor written to. Closing the stack leaves it
    open.

    Raises
    ------
    InvalidInput
        If its axes are not T, Y and X, or it does not hold numbers.
    """
    if not all(hasattr(array, part) for part in ("shape", "dtype", "__getitem__")):
        raise InvalidInput(
            f"{name} is not an array with a shape and a dtype, but "
            f"{type(array).__name__}; choose an image layer with frames over time."
        )
    plan = plan_axes(axes, array.shape, name, select)
    frames = ArrayFrames(array, plan, name)
    return Stack(frames, name, plan.axes, rate, pixel_um=pixel_um)


def _find(path: Path, dataset: str | None, series: bool | None) -> FoundStack:
    if not path.exists():
        raise InvalidInput(
            f"There is no file or folder {path}; choose it again with Browse."
        )
    known = stack_format(path)
    if known is None:
        raise InvalidInput(
            f"{path.name} is not a stack that can be read; choose TIFF, npy, HDF5, "
            "NWB, zarr, a video, a raw binary file or a microscope's folder."
        )
    return known.look(path, dataset, series)
