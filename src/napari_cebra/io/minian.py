"""What minian saves: one zarr store per variable.

Layout: minian's pipeline saves each xarray variable with ``to_zarr``, as
roiextractors (BSD-3, ``miniansegmentationextractor.py``) documents it:
``A.zarr/A`` (unit_id, height, width) are the footprints, ``C.zarr/C`` and
``S.zarr/S`` (unit_id, frame) the calcium and the deconvolved activity. Beside each
stand its coordinates; xarray names the axes in ``_ARRAY_DIMENSIONS``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.blosc_chunks import check_blosc_chunks
from napari_cebra.io.damage import reading
from napari_cebra.io.roi_file import RoiFile, check_field_of_view, roi_file
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from napari_cebra.recording.traces import TraceKind

_SO = "copy the folder again, or save it again with minian's save_minian"
_BLOCK_BYTES = 1 << 26
_LARGEST_CHUNK = 1 << 28
# How many times smaller than in memory numbers, and footprints that are mostly
# zeros, may be in a file.
_DENSE, _SPARSE = 5000, 100_000


def minian_folder(folder: str | os.PathLike[str]) -> Path | None:
    """Return the folder that holds ``A.zarr``, None if it is not minian's."""
    folder = Path(folder)
    above = folder.parent if folder.name == "A.zarr" else folder
    return above if (above / "A.zarr" / "A").is_dir() else None


def read_minian(
    folder: str | os.PathLike[str],
    shape: tuple[int, int] | None = None,
    rate: float | None = None,
) -> RoiFile:
    """Read the units of a minian folder.

    Parameters
    ----------
    folder : path
        The folder with ``A.zarr``, ``C.zarr`` and ``S.zarr``, or ``A.zarr``.
    shape : (Y, X), optional
        Field of view of the stack. Where minian worked on a part of it, the
        units are placed by their coordinates.
    rate : float, optional
        Frames per second, which minian does not keep.

    Returns
    -------
    RoiFile
        ``source_ids`` are the ``unit_id``. Traces: ``C`` as "other" (a unit of
        its own), ``S`` as "events".

    Raises
    ------
    InvalidInput
        If it is not such a folder, is damaged or incomplete, its variables
        disagree, or it belongs to another field of view.
    """
    place = minian_folder(folder)
    if place is None:
        raise InvalidInput(
            f"{Path(folder).name} is not a folder of minian; choose the one that holds "
            "A.zarr and C.zarr."
        )
    with reading(place.name, "a folder of minian", _SO):
        return _read(place, shape, rate)


def _read(place: Path, shape: tuple[int, int] | None, rate: float | None) -> RoiFile:
    notes: list[str] = []
    axes = ("unit_id", "height", "width")
    array, order = _variable(place, "A", axes, _SPARSE, notes)
    n, height, width = (array.shape[axis] for axis in order)
    units = _coordinate(place, "A", "unit_id", n)
    rows = _coordinate(place, "A", "height", height)
    columns = _coordinate(place, "A", "width", width)
    field, at_y, at_x = placed(place, (height, width), rows, columns, shape, notes)
    check_field_of_view(place, field, shape)
    masks = [
        (at_y[y], at_x[x], unit[y, x])
        for unit in _units(array, order)
        for y, x in [np.nonzero(unit)]
    ]
    traces: dict[TraceKind, np.ndarray] = {}
    kinds: tuple[tuple[str, TraceKind], ...] = (("C", "other"), ("S", "events"))
    for name, kind in kinds:
        if not (place / f"{name}.zarr" / name).is_dir():
            notes.append(f"There is no {name}.zarr; its traces are not read.")
            continue
        traces[kind] = _activity(place, name, n, units, notes)
    if rate is None and traces:
        notes.append("minian does not keep the frame rate; enter it.")
    return roi_file(
        place,
        "minian",
        masks,
        field,
        source_ids=units,
        traces=traces,
        rate=rate,
        notes=notes,
    )


def placed(
    place: Path,
    own: tuple[int, int],
    rows: np.ndarray | None,
    columns: np.ndarray | None,
    shape: tuple[int, int] | None,
    notes: list[str],
) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """Return the field of view, and where in it each row and column lies.

    Parameters
    ----------
    place : Path
        Folder or file, for errors.
    own : (height, width)
        Of the footprints.
    rows, columns : (height,), (width,), optional
        Coordinates that minian kept.
    shape : (Y, X), optional
        Of the stack.
    notes : list of str
        Is added to.
    """
    fits = shape is not None and tuple(shape) == own
    if rows is None or columns is None or fits or not (rows[0] or columns[0]):
        rows, columns = np.arange(own[0]), np.arange(own[1])
        return own, rows, columns
    if np.any(np.diff(rows) != 1) or np.any(np.diff(columns) != 1):
        raise InvalidInput(
            f"minian worked in {place.name} on binned pixels, not on those of the "
            "stack; choose the stack that it worked on."
        )
    first, last = (rows[0], columns[0]), (int(rows[-1]) + 1, int(columns[-1]) + 1)
    if min(first) < 0:
        raise InvalidInput(
            f"minian's units in {place.name} have negative coordinates; {_SO}."
        )
    notes.append(
        f"minian worked on a part of the field of view, from pixel ({first[0]}, "
        f"{first[1]}) on; the units were placed there."
    )
    if shape is not None and last[0] <= shape[0] and last[1] <= shape[1]:
        last = (int(shape[0]), int(shape[1]))
    return last, rows, columns


def _variable(
    place: Path, name: str, axes: tuple[str, ...], most: int, notes: list[str]
) -> tuple[Any, tuple[int, ...]]:
    """Return an array and where each of its axes is."""
    import zarr

    folder = place / f"{name}.zarr" / name
    array = zarr.open_array(str(folder), mode="r")
    kept: Any = getattr(array.metadata, "dimension_names", None)
    kept = kept or array.attrs.get("_ARRAY_DIMENSIONS")
    names = list(kept or axes)
    if sorted(names) != sorted(axes) or array.ndim != len(axes):
        raise InvalidInput(
            f"{name}.zarr in {place.name} has the axes {', '.join(map(str, names))}, "
            f"not {', '.join(axes)}; choose a folder that minian saved."
        )
    _check_stored(folder, array, name, most)
    missing = array.nchunks - array.nchunks_initialized
    if missing:
        notes.append(
            f"{missing} of {array.nchunks} chunks of {name}.zarr are not stored and "
            "count as zeros; if the folder was copied, copy it again."
        )
    return array, tuple(names.index(axis) for axis in axes)


def _check_stored(folder: Path, array: Any, name: str, most: int = _DENSE) -> None:
    """Refuse a shape that nothing stands behind; use within `reading`."""
    chunk = math.prod(array.chunks) * array.dtype.itemsize
    if array.dtype.kind not in "iufb" or not array.size or chunk > _LARGEST_CHUNK:
        raise ValueError(f"{name} is not an array of numbers")
    if array.nbytes > 1 << 22 and array.nbytes > most * array.nbytes_stored():
        raise ValueError(f"{name} announces far more than it holds")
    check_blosc_chunks(folder, array)


def _units(array: Any, order: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the (height, width) footprint of each unit."""
    n = array.shape[order[0]]
    each = array.nbytes // n
    step = max(1, _BLOCK_BYTES // each)
    for start in range(0, n, step):
        span: list[slice] = [slice(None)] * 3
        span[order[0]] = slice(start, start + step)
        yield from np.asarray(array[tuple(span)]).transpose(order)


def _coordinate(place: Path, name: str, axis: str, n: int) -> np.ndarray | None:
    """Whole numbers along an axis; None where they are not kept."""
    import zarr

    store = place / f"{name}.zarr" / axis
    if not store.is_dir():
        return None
    array = zarr.open_array(str(store), mode="r")
    _check_stored(store, array, axis)
    values = np.asarray(array[...])
    if values.shape != (n,) or values.dtype.kind not in "iuf":
        raise ValueError(f"{axis} of {name} has not {n} numbers")
    if not np.isfinite(values).all() or np.abs(values).max() > 1e9:
        raise ValueError(f"{axis} of {name} is out of range")
    return values.astype(np.int64)


def _activity(
    place: Path, name: str, n: int, units: np.ndarray | None, notes: list[str]
) -> np.ndarray:
    """(frames, units), in the order of `units`."""
    array, order = _variable(place, name, ("unit_id", "frame"), _DENSE, notes)
    values = np.asarray(array[...]).transpose(order)
    own = _coordinate(place, name, "unit_id", len(values))
    if own is not None and units is not None:
        places = {unit: place for place, unit in enumerate(own.tolist())}
        if all(unit in places for unit in units.tolist()):
            return values[[places[unit] for unit in units.tolist()]].T
    elif len(values) == n:
        return values.T
    raise InvalidInput(
        f"{name}.zarr in {place.name} lacks units that A.zarr has; the stores are not "
        "of one run: save them again with minian."
    )
