"""Arrays in npy, HDF5 and zarr files that could be stacks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_frames import ArrayFrames
from napari_cebra.io.axes import guess_axes
from napari_cebra.io.blosc_chunks import CheckedChunks, stores_at_least
from napari_cebra.io.damage import open_npy, reading
from napari_cebra.io.found_stack import Dataset
from napari_cebra.io.raw_frames import RawFrames
from napari_cebra.io.units import MICROMETRES, positive
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_cebra.io.axes import AxisPlan
    from napari_cebra.io.found_stack import PixelSize
    from napari_cebra.io.stack import FrameReader

_LETTERS = {
    "t": "T", "time": "T", "frame": "T", "frames": "T", "y": "Y", "height": "Y",
    "row": "Y", "rows": "Y", "x": "X", "width": "X", "col": "X", "column": "X",
    "columns": "X", "c": "C", "channel": "C", "channels": "C", "z": "Z", "plane": "Z",
}  # fmt: skip
_RATE_NAMES = ("rate", "fs", "fps", "frame_rate", "framerate", "sampling_rate")
_PIXEL_NAME = "element_size_um"  # (z, y, x), as ilastik and Fiji write it
# Beyond this, what an array announces is compared with what is stored.
_SMALL_BYTES = 1 << 26
_DENSEST = 5000


def npy_dataset(path: Path) -> Dataset:
    """Describe an npy file; pickled objects are refused."""
    array = open_npy(path)

    def open_frames(plan: AxisPlan) -> FrameReader:
        if plan.axes == "TYX" and array.flags.c_contiguous:
            t, y, x = array.shape
            at = array.offset + np.arange(t) * (y * x * array.dtype.itemsize)
            return RawFrames([path], np.zeros(t, np.int32), at, (y, x), array.dtype)
        return ArrayFrames(array, plan, path.name)

    axes = guess_axes(array.shape)
    return Dataset(
        "", array.shape, array.dtype, axes, _guessed(axes), None, open_frames
    )


def hdf5_datasets(path: Path) -> list[Dataset]:
    """List the data sets of an HDF5 file with at least 3 axes, largest first."""
    import h5py

    found: list[Dataset] = []

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.ndim < 3:
            return
        if item.dtype.kind not in "iuf" or item.size == 0:
            return
        if not holds_what_it_announces(item):
            return
        labels = [dim.label for dim in item.dims]
        attributes = {**_known(item.file.attrs), **_known(item.attrs)}
        sizes = np.ravel(attributes.get(_PIXEL_NAME, ())).tolist()
        opener = hdf5_opener(path, name)
        pixel = _pixel(sizes[-2:])
        found.append(_described(name, item, labels, attributes, opener, pixel))

    with reading(path.name, "HDF5", "save it again"):
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    return _largest_first(found, path)


def hdf5_opener(path: Path, name: str) -> Callable[[AxisPlan], FrameReader]:
    """Return what opens one data set of an HDF5 file."""

    def open_frames(plan: AxisPlan) -> FrameReader:
        import h5py

        # A cache that holds a whole chunk of some frames, however it is cut.
        file = h5py.File(path, "r", rdcc_nbytes=1 << 26)
        return ArrayFrames(file[name], plan, path.name, file.close)

    return open_frames


def holds_what_it_announces(data: Any) -> bool:
    """Whether an HDF5 data set is stored, not just a shape in a damaged header."""
    nbytes = data.size * data.dtype.itemsize
    return nbytes < _SMALL_BYTES or nbytes < _DENSEST * data.id.get_storage_size()


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr array or group, version 2 or 3."""
    marks = ("zarr.json", ".zarray", ".zgroup")
    return path.is_dir() and any((path / mark).is_file() for mark in marks)


def zarr_datasets(path: Path) -> list[Dataset]:
    """List the arrays of a zarr store with at least 3 axes, largest first."""
    import zarr

    with reading(path.name, "zarr", "save it again as zarr 2 or 3"):
        node = zarr.open(str(path), mode="r")
        arrays = (
            [("", node)]
            if isinstance(node, zarr.Array)
            else [
                (name, item)
                for name, item in node.members(max_depth=None)
                if isinstance(item, zarr.Array)
            ]
        )
        above = {} if isinstance(node, zarr.Array) else dict(node.attrs)
        found = [
            _of_zarr(path, name, array, above)
            for name, array in arrays
            if len(array.shape) >= 3
            and array.dtype.kind in "iuf"
            and array.size
            and _stores_what_it_announces(path / name, array)
        ]
    return _largest_first(found, path)


def _stores_what_it_announces(folder: Path, array: Any) -> bool:
    """Whether neither all of a zarr array nor one chunk is just a number."""
    item = array.dtype.itemsize
    nbytes = max(math.prod(array.shape), math.prod(array.chunks)) * item
    return nbytes < _SMALL_BYTES or stores_at_least(folder, nbytes / _DENSEST)


def _of_zarr(path: Path, name: str, array: Any, above: Mapping[str, Any]) -> Dataset:
    scales = above.get("multiscales") or above.get("ome", {}).get("multiscales")
    scale = scales[0] if scales else {}
    labels = getattr(array.metadata, "dimension_names", None)
    labels = labels or array.attrs.get("_ARRAY_DIMENSIONS")
    axes = [a if isinstance(a, dict) else {"name": a} for a in scale.get("axes", [])]
    labels = list(labels or [axis.get("name") for axis in axes])
    attributes = {**above, **dict(array.attrs)}
    steps = _ngff_steps(scale, name, axes)
    if "t" in steps:
        attributes.setdefault("rate", 1 / steps["t"])
    pixel = _pixel([steps.get("y"), steps.get("x")])
    checked = CheckedChunks(array, path / name)

    def open_frames(plan: AxisPlan) -> FrameReader:
        return ArrayFrames(checked, plan, path.name)

    return _described(name, array, labels, attributes, open_frames, pixel)


def _ngff_steps(
    scale: Mapping[str, Any], name: str, axes: list[dict[str, Any]]
) -> dict[str, float]:
    """Seconds and µm from one position to the next, as OME-NGFF says them."""
    units = {"second": 1.0, "millisecond": 1e-3, "minute": 60.0} | MICROMETRES
    found: dict[str, float] = {}
    for data in scale.get("datasets", []):
        if data.get("path") != name:
            continue
        for step in data.get("coordinateTransformations", []):
            for axis, value in zip(axes, step.get("scale", []), strict=False):
                unit = units.get(str(axis.get("unit", "")))
                size = positive(value)
                if unit is not None and size is not None:
                    found[str(axis.get("name"))] = size * unit
    return found


def _described(
    name: str,
    array: Any,
    labels: list[str | None],
    attributes: Mapping[str, Any],
    opener: Callable[[AxisPlan], FrameReader],
    pixel_um: PixelSize | None,
) -> Dataset:
    shape = tuple(int(n) for n in array.shape)
    letters = [_LETTERS.get(str(label).lower(), "Q") for label in labels]
    named = len(letters) == len(shape) and len(set(letters)) == len(letters)
    axes = "".join(letters) if named and "Y" in letters else guess_axes(shape)
    rates = (positive(attributes.get(key)) for key in _RATE_NAMES)
    rate = next((rate for rate in rates if rate is not None), None)
    note = "" if named else _guessed(axes)
    dtype = np.dtype(array.dtype)
    return Dataset(name, shape, dtype, axes, note, rate, opener, pixel_um)


def _guessed(axes: str) -> str:
    return (
        f"The file does not name its axes; {axes} is a guess from the shape: choose "
        "another order if frames look scrambled."
    )


def _pixel(sizes: list[Any]) -> PixelSize | None:
    found = [positive(size) for size in sizes]
    if len(found) != 2 or found[0] is None or found[1] is None:
        return None
    return found[0], found[1]


def _known(attributes: Any) -> dict[str, Any]:
    names = (*_RATE_NAMES, _PIXEL_NAME)
    return {key: attributes[key] for key in names if key in attributes}


def _largest_first(found: list[Dataset], path: Path) -> list[Dataset]:
    if not found:
        raise InvalidInput(
            f"{path.name} holds no numeric data set with three axes (T, Y, X); choose "
            "another file, or load it as traces."
        )
    return sorted(found, key=lambda data: -math.prod(data.shape))
