"""What CaImAn saves: footprints, traces and accepted components in HDF5.

Layout: ``cnm.save(file.hdf5)`` writes the attributes of the CNMF object as
groups, as roiextractors (BSD-3, ``caimansegmentationextractor.py``) documents it:
``estimates/A`` is a sparse matrix by columns (``data``, ``indices``, ``indptr``,
``shape``) of pixels × components; pixels run down the columns of the image
(Fortran order); ``C``, ``YrA``, ``F_dff`` and ``S`` are components × frames;
``idx_components`` are the accepted ones from 0; ``params/data`` has ``dims``
(Y, X) and ``fr``. What is not there is a scalar ("NoneType") or missing.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import reading
from napari_cebra.io.roi_file import RoiFile, check_field_of_view, roi_file, stored
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os

    from napari_cebra.recording.traces import TraceKind

_SO = "save it again with cnm.save"


def is_caiman(file: Any) -> bool:
    """Whether an open HDF5 file is one of CaImAn."""
    return file.get("estimates/A") is not None


def read_caiman(
    path: str | os.PathLike[str],
    shape: tuple[int, int] | None = None,
    rate: float | None = None,
) -> RoiFile:
    """Read the components of a CaImAn HDF5 file.

    Parameters
    ----------
    path : path
    shape : (Y, X), optional
        Field of view of the stack, compared with the file's.
    rate : float, optional
        Frames per second; default the file's ``fr``.

    Returns
    -------
    RoiFile
        ``source_ids`` count from 0 as in CaImAn. Traces: ``F_dff`` as "dff",
        ``C + YrA`` (``C`` alone without ``YrA``) as "other", ``S`` as "events".

    Raises
    ------
    InvalidInput
        If it is not such a file, is damaged, three-dimensional, or belongs to
        another field of view.
    """
    import h5py

    path = Path(path)
    with reading(path.name, "a CaImAn file", _SO):
        with h5py.File(path, "r") as file:
            if not is_caiman(file):
                raise InvalidInput(
                    f"{path.name} has no footprints (estimates/A), so it is not saved "
                    "by CaImAn; choose the file that cnm.save wrote."
                )
            return _read(path, file, shape, rate)


def _read(
    path: Path, file: Any, shape: tuple[int, int] | None, rate: float | None
) -> RoiFile:
    estimates = file["estimates"]
    dims = _dims(path, file)
    check_field_of_view(path, dims, shape)
    masks = _masks(path, estimates["A"], dims)
    notes: list[str] = []
    accepted = _accepted(path, estimates, len(masks), notes)
    found = {
        name: _of_components(estimates, name) for name in ("C", "YrA", "F_dff", "S")
    }
    traces: dict[TraceKind, np.ndarray] = {}
    if found["F_dff"] is not None:
        traces["dff"] = found["F_dff"].T
    demixed, residual = found["C"], found["YrA"]
    if demixed is not None:
        both = residual is not None and residual.shape == demixed.shape
        traces["other"] = (demixed + residual if both else demixed).T
        if found["F_dff"] is None:
            notes.append(
                "The file has no dF/F (F_dff), only demixed fluorescence in a unit of "
                "its own; run detrend_df_f in CaImAn for dF/F."
            )
    if found["S"] is not None:
        traces["events"] = found["S"].T
    return roi_file(
        path,
        "CaImAn",
        masks,
        dims,
        accepted=accepted,
        source_ids=np.arange(len(masks)),
        traces=traces,
        rate=_rate(file, notes) if rate is None else rate,
        notes=notes,
    )


def _dims(path: Path, file: Any) -> tuple[int, int]:
    for name in ("params/data/dims", "estimates/dims", "dims"):
        if name in file and file[name].shape not in ((), (0,)):
            dims = stored(file[name])
            break
    else:
        raise InvalidInput(
            f"{path.name} does not say the size of the field of view (dims); {_SO}."
        )
    if dims.shape != (2,) or dims.dtype.kind not in "iuf" or not (dims >= 1).all():
        raise InvalidInput(
            f"{path.name} has components in {dims.tolist()} pixels, not in one plane "
            "(Y, X); choose a recording of a single plane."
        )
    return int(dims[0]), int(dims[1])


def _masks(path: Path, footprints: Any, dims: tuple[int, int]) -> list[Any]:
    parts = ("data", "indices", "indptr", "shape")
    if not all(part in footprints for part in parts):
        raise InvalidInput(
            f"The footprints in {path.name} are not a sparse matrix by columns; {_SO}."
        )
    weights, pixels, starts, size = (stored(footprints[part]) for part in parts)
    n_pixels = dims[0] * dims[1]
    if size.tolist() != [n_pixels, starts.size - 1]:
        raise InvalidInput(
            f"The footprints in {path.name} are {'×'.join(map(str, size.tolist()))}, "
            f"not {n_pixels} pixels × {starts.size - 1} components as dims "
            f"{dims[0]}×{dims[1]} asks for; {_SO}."
        )
    whole = all(part.dtype.kind in "iu" and part.ndim == 1 for part in (pixels, starts))
    if (
        not whole
        or weights.shape != pixels.shape
        or weights.dtype.kind not in "iuf"
        or starts[0] != 0
        or starts[-1] != pixels.size
        or np.any(np.diff(starts.astype(np.int64)) < 0)
        or (pixels.size and not 0 <= pixels.min() <= pixels.max() < n_pixels)
    ):
        raise InvalidInput(
            f"The footprints in {path.name} point outside their own lists or the "
            f"{dims[0]}×{dims[1]} field of view; {_SO}."
        )
    masks = []
    for start, end in pairwise(starts):
        x, y = np.divmod(pixels[start:end].astype(np.int64), dims[0])
        masks.append((y, x, weights[start:end]))
    return masks


def _accepted(path: Path, estimates: Any, n: int, notes: list[str]) -> np.ndarray:
    chosen = estimates.get("idx_components")
    if chosen is None or chosen.shape == () or chosen.dtype.kind not in "iuf":
        notes.append(
            "The components were not evaluated (no idx_components); all of them count "
            "as accepted."
        )
        return np.ones(n, bool)
    places = stored(chosen).astype(np.int64).ravel()
    if places.size and not 0 <= places.min() <= places.max() < n:
        raise InvalidInput(
            f"{path.name} accepts component {places.max()} of {n}; the file was saved "
            f"half way: {_SO}."
        )
    accepted = np.zeros(n, bool)
    accepted[places] = True
    return accepted


def _of_components(estimates: Any, name: str) -> np.ndarray | None:
    """(components, frames); None where it was not computed."""
    item = estimates.get(name)
    if item is None or len(item.shape) != 2 or item.dtype.kind not in "iuf":
        return None
    return stored(item)


def _rate(file: Any, notes: list[str]) -> float | None:
    item = file.get("params/data/fr")
    if item is not None and item.shape == () and item.dtype.kind in "iuf":
        rate = float(item[()])
        if np.isfinite(rate) and rate > 0:
            return rate
    notes.append("The file does not say the frame rate (fr); enter it.")
    return None
