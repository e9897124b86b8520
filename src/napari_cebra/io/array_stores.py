"""Arrays in npy, HDF5 and zarr files that could be stacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_frames import ArrayFrames
from napari_cebra.io.axes import guess_axes
from napari_cebra.io.damage import open_npy, reading
from napari_cebra.io.raw_frames import RawFrames
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari_cebra.io.axes import AxisPlan
    from napari_cebra.io.stack import FrameReader

_LETTERS = {
    "t": "T", "time": "T", "frame": "T", "frames": "T", "y": "Y", "height": "Y",
    "row": "Y", "rows": "Y", "x": "X", "width": "X", "col": "X", "column": "X",
    "columns": "X", "c": "C", "channel": "C", "channels": "C", "z": "Z", "plane": "Z",
}  # fmt: skip
_RATE_NAMES = ("rate", "fs", "fps", "frame_rate", "framerate", "sampling_rate")


@dataclass(frozen=True, eq=False)
class Dataset:
    """One array of a file, and how to open it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    axes: str
    guessed: bool
    rate: float | None
    open: Callable[[AxisPlan], FrameReader]


def npy_dataset(path: Path) -> Dataset:
    """Describe an npy file; pickled objects are refused."""
    array = open_npy(path)

    def open_frames(plan: AxisPlan) -> FrameReader:
        if plan.axes == "TYX" and array.flags.c_contiguous:
            t, y, x = array.shape
            at = array.offset + np.arange(t) * (y * x * array.dtype.itemsize)
            return RawFrames([path], np.zeros(t, np.int32), at, (y, x), array.dtype)
        return ArrayFrames(array, plan, path.name)

    return Dataset(
        "", array.shape, array.dtype, guess_axes(array.shape), True, None, open_frames
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
        attributes = {**_scalars(item.file.attrs), **_scalars(item.attrs)}
        found.append(
            _described(name, item, labels, attributes, _hdf5_opener(path, name))
        )

    with reading(path.name, "HDF5", "save it again"):
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    return _largest_first(found, path)


def _hdf5_opener(path: Path, name: str) -> Callable[[AxisPlan], FrameReader]:
    def open_frames(plan: AxisPlan) -> FrameReader:
        import h5py

        # A cache that holds a whole chunk of some frames, however it is cut.
        file = h5py.File(path, "r", rdcc_nbytes=1 << 26)
        return ArrayFrames(file[name], plan, path.name, file.close)

    return open_frames


def holds_what_it_announces(data: Any) -> bool:
    """Whether an HDF5 data set is stored, not just a shape in a damaged header."""
    nbytes = data.size * data.dtype.itemsize
    return nbytes < 1 << 26 or nbytes < 5000 * data.id.get_storage_size()


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
            _described(
                name,
                array,
                _zarr_labels(array, above),
                {**above, **dict(array.attrs)},
                _array_opener(array, path.name),
            )
            for name, array in arrays
            if len(array.shape) >= 3 and array.dtype.kind in "iuf" and array.size
        ]
    return _largest_first(found, path)


def _array_opener(array: Any, name: str) -> Callable[[AxisPlan], FrameReader]:
    return lambda plan: ArrayFrames(array, plan, name)


def _zarr_labels(array: Any, group: Mapping[str, Any]) -> list[str | None]:
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS")
    if not names:
        scales = group.get("multiscales") or group.get("ome", {}).get("multiscales")
        axes = scales[0].get("axes", []) if scales else []
        names = [a.get("name") if isinstance(a, dict) else a for a in axes]
    return list(names or [])


def _described(
    name: str,
    array: Any,
    labels: list[str | None],
    attributes: Mapping[str, Any],
    opener: Callable[[AxisPlan], FrameReader],
) -> Dataset:
    shape = tuple(int(n) for n in array.shape)
    letters = [_LETTERS.get(str(label).lower(), "Q") for label in labels]
    named = len(letters) == len(shape) and len(set(letters)) == len(letters)
    axes = "".join(letters) if named and "Y" in letters else guess_axes(shape)
    rate = None
    for key in _RATE_NAMES:
        try:
            rate = float(np.asarray(attributes[key]).item())
        except (KeyError, ValueError, TypeError):
            continue
        if math.isfinite(rate) and rate > 0:
            break
        rate = None
    dtype = np.dtype(array.dtype)
    return Dataset(name, shape, dtype, axes, not named, rate, opener)


def _scalars(attributes: Any) -> dict[str, Any]:
    kept = {}
    for key in _RATE_NAMES:
        if key in attributes:
            kept[key] = attributes[key]
    return kept


def _largest_first(found: list[Dataset], path: Path) -> list[Dataset]:
    if not found:
        raise InvalidInput(
            f"{path.name} holds no numeric data set with three axes (T, Y, X); choose "
            "another file, or load it as traces."
        )
    return sorted(found, key=lambda data: -math.prod(data.shape))
