"""What older versions of minian saved: all variables in one NetCDF file.

Layout: ``save_minian`` wrote ``minian.nc`` with xarray before it took to zarr. NetCDF 4
is HDF5: ``A`` (unit_id, height, width), ``C`` and ``S`` (unit_id, frame) are data sets
whose axes are named by dimension scales, which hold the coordinates.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.damage import reading
from napari_cebra.io.minian import placed
from napari_cebra.io.roi_file import RoiFile, check_field_of_view, roi_file, stored
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from napari_cebra.recording.traces import TraceKind

_SO = "copy it again"
_FOOTPRINTS = ("unit_id", "height", "width")
_ACTIVITY = ("unit_id", "frame")
_BLOCK_BYTES = 1 << 26


def is_minian_file(file: Any) -> bool:
    """Whether an open HDF5 file holds footprints as minian names them."""
    item = file.get("A")
    return sorted(_axes(item)) == sorted(_FOOTPRINTS) if item is not None else False


def read_minian_file(
    path: str | os.PathLike[str],
    shape: tuple[int, int] | None = None,
    rate: float | None = None,
) -> RoiFile:
    """Read the units of a ``minian.nc``; see `read_minian` for what they give.

    Raises
    ------
    InvalidInput
        If it is not such a file, is damaged, its variables disagree, or it belongs
        to another field of view.
    """
    import h5py

    path = Path(path)
    with reading(path.name, "a NetCDF file of minian", _SO):
        with h5py.File(path, "r") as file:
            return _read(path, file, shape, rate)


def _read(
    path: Path, file: Any, shape: tuple[int, int] | None, rate: float | None
) -> RoiFile:
    notes: list[str] = []
    footprints = file["A"]
    order = [_axes(footprints).index(axis) for axis in _FOOTPRINTS]
    n, height, width = (int(footprints.shape[axis]) for axis in order)
    units = _coordinate(file, "unit_id", n)
    rows = _coordinate(file, "height", height)
    columns = _coordinate(file, "width", width)
    field, at_y, at_x = placed(path, (height, width), rows, columns, shape, notes)
    check_field_of_view(path, field, shape)
    masks = []
    for unit in _units(footprints, order, n):
        y, x = np.nonzero(unit)
        masks.append((at_y[y], at_x[x], unit[y, x]))
    traces: dict[TraceKind, np.ndarray] = {}
    kinds: tuple[tuple[str, TraceKind], ...] = (("C", "other"), ("S", "events"))
    for name, kind in kinds:
        item = file.get(name)
        if item is None or sorted(_axes(item)) != sorted(_ACTIVITY):
            notes.append(f"There is no {name} in the file; its traces are not read.")
            continue
        values = stored(item)
        values = values if _axes(item)[0] == "unit_id" else values.T
        if len(values) != n:
            raise InvalidInput(
                f"{name} in {path.name} has {len(values)} units but A has {n}; save "
                "them again with minian."
            )
        # All variables of a file share its coordinate unit_id.
        traces[kind] = values.T
    if rate is None and traces:
        notes.append("minian does not keep the frame rate; enter it.")
    return roi_file(
        path,
        "minian",
        masks,
        field,
        source_ids=units,
        traces=traces,
        rate=rate,
        notes=notes,
    )


def _axes(item: Any) -> list[str]:
    """Names of the axes of a data set; empty where no scales are attached."""
    if not hasattr(item, "dims"):
        return []
    names = []
    for axis in item.dims:
        if not len(axis):
            return []
        names.append(axis[0].name.rpartition("/")[2])
    return names


def _coordinate(file: Any, axis: str, n: int) -> np.ndarray | None:
    item = file.get(axis)
    if item is None or item.shape != (n,) or item.dtype.kind not in "iuf":
        return None
    values = stored(item)
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > 1e9:
        raise ValueError(f"{axis} is out of range")
    return values.astype(np.int64)


def _units(item: Any, order: list[int], n: int) -> Iterator[np.ndarray]:
    """Yield the (height, width) footprint of each unit."""
    if item.dtype.kind not in "iufb" or not item.size:
        raise ValueError("A is not an array of numbers")
    if not holds_what_it_announces(item):
        raise ValueError("A announces far more than it holds")
    each = item.size * item.dtype.itemsize // n
    step = max(1, _BLOCK_BYTES // max(1, each))
    for start in range(0, n, step):
        span: list[slice] = [slice(None)] * 3
        span[order[0]] = slice(start, start + step)
        yield from np.nan_to_num(np.asarray(item[tuple(span)])).transpose(order)
