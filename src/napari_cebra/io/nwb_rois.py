"""ROIs of an NWB file: PlaneSegmentation tables and their RoiResponseSeries.

Layout: the schema of Neurodata Without Borders 2 (``nwb.ophys.yaml``). A
``PlaneSegmentation`` has a row per ROI: ``image_mask`` (ROI, x, y), or ``pixel_mask``,
one list of (x, y, weight) for all ROIs that ``pixel_mask_index`` cuts by its ends. A
``RoiResponseSeries`` has ``data`` (time, ROI), the rows ``rois`` it is of, and
``starting_time`` with a ``rate``, or ``timestamps``. Many files have x and y, or time
and ROI, the other way round; where sizes tell, the file is believed over the schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_cebra.io.array_stores import holds_what_it_announces
from napari_cebra.io.damage import reading
from napari_cebra.io.nwb_traces import response_series
from napari_cebra.io.roi_file import RoiFile, check_field_of_view, roi_file, stored
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os

    Order = Literal["xy", "yx"]

_SO = "copy it again from its source"
_BLOCK_BYTES = 1 << 26
_ACCEPTED = ("accepted", "iscell", "is_cell")


def is_nwb(file: Any) -> bool:
    """Whether an open HDF5 file is one of NWB 2."""
    return "nwb_version" in file.attrs or _type_of(file) == "NWBFile"


def read_nwb_rois(
    path: str | os.PathLike[str],
    shape: tuple[int, int] | None = None,
    rate: float | None = None,
    table: str | None = None,
    order: Order | None = None,
) -> RoiFile:
    """Read one PlaneSegmentation of an NWB file with the traces that belong to it.

    Parameters
    ----------
    path : path
    shape : (Y, X), optional
        Field of view of the stack; default from the masks or the series in the
        file.
    rate : float, optional
        Frames per second; default that of the traces.
    table : str, optional
        Name of the PlaneSegmentation; default the first.
    order : {"xy", "yx"}, optional
        Axes of the masks in the file; default "xy" as the schema says, unless
        sizes show the other.

    Returns
    -------
    RoiFile
        ``source_ids`` are the table's ``id``; a column ``Accepted`` or
        ``iscell`` is the curation.

    Raises
    ------
    InvalidInput
        If there is no such table, its masks are voxels, or the file is damaged.
    """
    import h5py

    path = Path(path)
    with reading(path.name, "an NWB file", _SO):
        with h5py.File(path, "r") as file:
            found: dict[str, list[Any]] = {}

            def visit(name: str, item: Any) -> None:
                if isinstance(item, h5py.Group):
                    found.setdefault(_type_of(item), []).append(item)

            file.visititems(visit)
            notes: list[str] = []
            chosen = _table(path, found.get("PlaneSegmentation", []), table, notes)
            return _read(path, chosen, found, shape, rate, order, notes)


def _type_of(item: Any) -> str:
    kind = item.attrs.get("neurodata_type", "")
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _table(path: Path, tables: list[Any], name: str | None, notes: list[str]) -> Any:
    names = [item.name.rpartition("/")[2] for item in tables]
    if not tables:
        raise InvalidInput(
            f"{path.name} is an NWB file without ROIs (it has no PlaneSegmentation); "
            "load it as a stack, or choose another file for the ROIs."
        )
    if name is not None:
        if name not in names:
            raise InvalidInput(
                f"{path.name} has no PlaneSegmentation {name!r}; choose one of "
                f"{', '.join(names)}."
            )
        return tables[names.index(name)]
    if len(tables) > 1:
        notes.append(
            f"The file has {len(tables)} tables of ROIs ({', '.join(names)}); "
            f"{names[0]} was read."
        )
    return tables[0]


def _read(
    path: Path,
    table: Any,
    found: dict[str, list[Any]],
    shape: tuple[int, int] | None,
    rate: float | None,
    order: Order | None,
    notes: list[str],
) -> RoiFile:
    ids = stored(table["id"]).ravel()
    n = ids.size
    if "image_mask" in table:
        masks, field = _image_masks(path, table["image_mask"], n, shape, order, notes)
    elif "pixel_mask" in table:
        seen = shape or _imaged(found)
        masks, field = _pixel_masks(table, n, seen, order, notes)
    elif "voxel_mask" in table:
        raise InvalidInput(
            f"The ROIs in {path.name} are voxels of a volume; only those of a plane "
            "can be read: choose a table with image_mask or pixel_mask."
        )
    else:
        raise InvalidInput(
            f"The ROIs in {path.name} have no masks; choose a table with image_mask "
            "or pixel_mask."
        )
    traces, own_rate = response_series(table, found, n, notes)
    if rate is None and traces and own_rate is None:
        notes.append("The file does not say the frame rate; enter it.")
    return roi_file(
        path,
        "NWB",
        masks,
        field,
        accepted=_accepted(table, n),
        source_ids=ids,
        traces=traces,
        rate=own_rate if rate is None else rate,
        notes=notes,
    )


def _image_masks(
    path: Path,
    item: Any,
    n: int,
    shape: tuple[int, int] | None,
    order: Order | None,
    notes: list[str],
) -> tuple[list[Any], tuple[int, int]]:
    if item.ndim == 4:
        raise InvalidInput(
            f"The ROIs in {path.name} are masks of a volume {item.shape[1:]}; only "
            "those of a plane can be read: choose a table of one plane."
        )
    if item.ndim != 3 or item.shape[0] != n or item.dtype.kind not in "iufb":
        raise ValueError(f"image_mask has the shape {item.shape} for {n} ROIs")
    if not holds_what_it_announces(item):
        raise ValueError("image_mask does not hold what it announces")
    first, second = (int(length) for length in item.shape[1:])
    if order is None:
        order = "xy"
        if shape is not None and first != second and tuple(shape) == (first, second):
            order = "yx"
            notes.append("The masks are stored as (y, x), against the schema of NWB.")
        elif first == second or shape is None:
            notes.append(
                "The masks were taken as (x, y), as the schema of NWB says; if they "
                'lie mirrored on the image, read them with order="yx".'
            )
    field = (first, second) if order == "yx" else (second, first)
    check_field_of_view(path, field, shape)
    masks = []
    step = max(1, _BLOCK_BYTES // max(1, first * second * item.dtype.itemsize))
    for start in range(0, n, step):
        for mask in item[start : start + step]:
            a, b = np.nonzero(mask)
            y, x = (a, b) if order == "yx" else (b, a)
            masks.append((y, x, mask[a, b]))
    return masks, field


def _pixel_masks(
    table: Any,
    n: int,
    field: tuple[int, int] | None,
    order: Order | None,
    notes: list[str],
) -> tuple[list[Any], tuple[int, int]]:
    pixels = stored(table["pixel_mask"])
    ends = stored(table["pixel_mask_index"]).astype(np.int64).ravel()
    names = pixels.dtype.names or ()
    if not {"x", "y"} <= set(names) or pixels.ndim != 1:
        raise ValueError("pixel_mask is not a list of x, y and weight")
    starts = np.concatenate([[0], ends[:-1]])
    if ends.size != n or np.any(ends < starts) or (n and ends[-1] > pixels.size):
        raise ValueError("pixel_mask_index does not cut pixel_mask into the ROIs")
    x, y = (pixels[axis].astype(np.int64) for axis in ("x", "y"))
    reach = (int(y.max(initial=0)) + 1, int(x.max(initial=0)) + 1)
    if order is None and field is not None and not _within(reach, field):
        if _within(reach[::-1], field):
            order = "yx"
            notes.append("The pixels are stored as (y, x), against the schema of NWB.")
    if order == "yx":
        y, x, reach = x, y, reach[::-1]
    if field is None:
        field = reach
        notes.append(
            f"The file does not say the size of the field of view; {reach[0]}×"
            f"{reach[1]} pixels was taken, as far as the ROIs reach."
        )
    weights = pixels["weight"] if "weight" in names else None
    masks = [
        (y[a:b], x[a:b], None if weights is None else weights[a:b])
        for a, b in zip(starts, ends, strict=True)
    ]
    return masks, field


def _within(reach: tuple[int, int], field: tuple[int, int]) -> bool:
    return reach[0] <= field[0] and reach[1] <= field[1]


def _imaged(found: dict[str, list[Any]]) -> tuple[int, int] | None:
    """Size (Y, X) of the movie in the file, stored as (time, x, y)."""
    for kind in ("TwoPhotonSeries", "OnePhotonSeries"):
        for series in found.get(kind, []):
            data = series.get("data")
            if data is not None and len(data.shape) == 3 and data.size:
                return int(data.shape[2]), int(data.shape[1])
            size = series.get("dimension")
            if size is not None and size.shape == (2,) and size.dtype.kind in "iu":
                width, height = stored(size).tolist()
                return height, width
    return None


def _accepted(table: Any, n: int) -> np.ndarray | None:
    """Curation, from a column of flags or of (flag, probability)."""
    for name, item in table.items():
        if name.lower() in _ACCEPTED and item.shape[:1] == (n,) and item.ndim <= 2:
            flags = stored(item)
            return (flags if flags.ndim == 1 else flags[:, 0]) > 0
    return None
