"""Movies inside NWB files: TwoPhotonSeries and OnePhotonSeries.

Layout: the schema of Neurodata Without Borders 2 (``nwb.ophys.yaml``). ``data`` is
(time, x, y) or (time, x, y, z); ``starting_time`` has the rate, or ``timestamps`` the
times; ``dimension`` is the size in x and y, and the ``imaging_plane`` has the spacing
of the pixels. Many files have x and y the other way round; where ``dimension`` shows
it, the file is believed over the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.array_stores import hdf5_opener, holds_what_it_announces
from napari_cebra.io.damage import reading
from napari_cebra.io.found_stack import Dataset
from napari_cebra.io.nwb_rois import is_nwb
from napari_cebra.io.nwb_traces import series_rate
from napari_cebra.io.roi_file import stored
from napari_cebra.io.units import MICROMETRES, positive
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io.found_stack import PixelSize

_SERIES = ("TwoPhotonSeries", "OnePhotonSeries")


def nwb_datasets(path: Path) -> list[Dataset] | None:
    """List the movies of an NWB file, largest first; None if it is not NWB.

    Raises
    ------
    InvalidInput
        If it holds no movie, or only the name of a file that does.
    """
    import h5py

    found: list[Dataset] = []
    elsewhere: list[str] = []

    def visit(name: str, item: Any) -> None:
        kind = item.attrs.get("neurodata_type", "")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if kind not in _SERIES or not isinstance(item, h5py.Group):
            return
        data = item.get("data")
        if data is None or not data.size:
            if "external_file" in item:
                elsewhere.extend(item["external_file"].asstr()[:1].tolist())
            return
        if data.ndim in (3, 4) and data.dtype.kind in "iuf":
            if holds_what_it_announces(data):
                found.append(_described(path, f"{name}/data", item, data))

    with reading(path.name, "HDF5", "save it again"):
        with h5py.File(path, "r") as file:
            if not is_nwb(file):
                return None
            file.visititems(visit)
    if found:
        return sorted(found, key=lambda series: -int(np.prod(series.shape)))
    if elsewhere:
        raise InvalidInput(
            f"The frames of {path.name} are in another file, {elsewhere[0]}; choose "
            "that one."
        )
    raise InvalidInput(
        f"{path.name} is an NWB file without a movie (it has no TwoPhotonSeries or "
        "OnePhotonSeries); if it has ROIs, choose it in step 2."
    )


def _described(path: Path, name: str, series: Any, data: Any) -> Dataset:
    axes = "TXYZ"[: data.ndim]
    note = (
        "The axes are those of the schema of NWB; if frames look mirrored about the "
        "diagonal, choose T × Y × X."
    )
    size = series.get("dimension")
    if size is not None and size.size >= 2 and size.dtype.kind in "iu":
        said = tuple(stored(size).ravel()[:2].tolist())
        if said[0] != said[1]:
            note = ""
            if said == data.shape[1:3][::-1]:
                axes = "TYXZ"[: data.ndim]
                note = "The frames are stored as (y, x), against the schema of NWB."
    plane = series.get("imaging_plane")
    rate = series_rate(series)
    if rate is None and plane is not None and "imaging_rate" in plane:
        rate = positive(stored(plane["imaging_rate"]))
    return Dataset(
        name,
        tuple(data.shape),
        np.dtype(data.dtype),
        axes,
        note,
        rate,
        hdf5_opener(path, name),
        _pixel_um(plane),
    )


def _pixel_um(plane: Any) -> PixelSize | None:
    spacing = None if plane is None else plane.get("grid_spacing")
    if spacing is None or spacing.size < 2 or spacing.dtype.kind not in "iuf":
        return None
    unit = spacing.attrs.get("unit", "meters")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    scale = MICROMETRES.get(unit)
    x, y = (positive(value) for value in stored(spacing).ravel()[:2])
    if scale is None or x is None or y is None:
        return None
    return y * scale, x * scale
