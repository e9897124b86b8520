"""What kind of thing a path is, asked in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_cebra.io.array_stores import is_zarr
from napari_cebra.io.caiman import is_caiman
from napari_cebra.io.damage import open_npy, reading
from napari_cebra.io.minian import minian_folder
from napari_cebra.io.numbered import (
    MINISCOPE,
    TIFF_SUFFIXES,
    VIDEO_SUFFIXES,
    series_names,
)
from napari_cebra.io.nwb_rois import is_nwb
from napari_cebra.io.nwb_series import nwb_datasets
from napari_cebra.io.roi_kinds import recognise_rois
from napari_cebra.io.stack_formats import HDF5_SUFFIXES, stack_format
from napari_cebra.io.suite2p import suite2p_plane
from napari_cebra.io.tables.arrays import MOST_COLUMNS
from napari_cebra.io.tables.matlab import mat5_arrays
from napari_cebra.io.tables.pandas_frames import pandas_group
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

FileKind = Literal[
    "project",
    "suite2p",
    "stack",
    "traces",
    "spikes",
    "table",
    "movie",
    "labels",
    "rois",
]
PROJECT_FILE = "project.cebra.json"
_OF_ROIS = ("RoiResponseSeries", "PlaneSegmentation")


@dataclass(frozen=True)
class Sniffed:
    """What a path most likely is, and what else it can be loaded as.

    Parameters
    ----------
    kind : FileKind
        The most likely.
    also : tuple of FileKind
        Other readers that take it, likeliest first.
    """

    kind: FileKind
    also: tuple[FileKind, ...] = ()


def sniff(path: str | os.PathLike[str]) -> Sniffed:
    """Say which kind of file or folder this is, by looking at its first bytes.

    Raises
    ------
    InvalidInput
        If nothing is there, or nothing here reads it.
    """
    path = Path(path)
    if not path.exists():
        raise InvalidInput(f"There is no file or folder {path}; choose it again.")
    if path.is_dir():
        return _folder(path)
    if path.name.endswith(".cebra.json"):
        return Sniffed("project")
    suffix = path.suffix.lower()
    for suffixes, look in _LOOKS:
        if suffix in suffixes:
            return look(path)
    if stack_format(path) is not None:
        return Sniffed("stack")
    raise InvalidInput(
        f"{path.name} is not a kind of file that is read here; choose a stack (TIFF, "
        "npy, HDF5, NWB, zarr, video, raw binary), a suite2p folder, traces, spikes, a "
        "table or a movie."
    )


def _folder(path: Path) -> Sniffed:
    if (path / PROJECT_FILE).is_file():
        return Sniffed("project")
    if minian_folder(path) is not None:
        return Sniffed("rois")
    if is_zarr(path):
        return Sniffed("stack")
    if suite2p_plane(path) is not None:
        return Sniffed("suite2p")
    kinds = {entry.suffix.lower() for entry in path.iterdir()}
    if kinds & {*TIFF_SUFFIXES}:
        return Sniffed("stack", ("movie",))
    if kinds & {*VIDEO_SUFFIXES}:
        return Sniffed("stack")
    raise InvalidInput(
        f"The folder {path.name} holds neither a project, a suite2p run, a zarr array, "
        "TIFF files nor videos; choose another one."
    )


def _tiff(path: Path) -> Sniffed:
    from napari_cebra.io.stacks import inspect_stack

    info = inspect_stack(path, series=False)
    if info.axes == "YX":
        # One picture: a frame of a series, else painted ROIs.
        whole: tuple[FileKind, ...] = ("labels",) if info.dtype.kind in "iub" else ()
        series = _begins_series(path)
        return Sniffed("stack", whole) if series or not whole else Sniffed("labels")
    colour = info.axes.endswith("S")
    return Sniffed("movie") if colour else Sniffed("stack", ("movie",))


def _begins_series(path: Path) -> bool:
    try:
        return len(series_names(path)) > 2
    except InvalidInput:  # With a number missing it is no series.
        return False


def _npy(path: Path) -> Sniffed:
    if suite2p_plane(path.parent) == path.parent:
        return Sniffed("suite2p", ("traces",))
    array = open_npy(path)
    if array.ndim == 2:
        # Traces are real numbers almost always, label images never.
        whole = array.dtype.kind in "iub"
        return Sniffed("labels", ("traces",)) if whole else Sniffed("traces")
    if array.ndim == 4 and array.shape[-1] in (3, 4):
        return Sniffed("movie")
    if array.ndim == 3 and array.dtype == np.uint8:
        return Sniffed("movie", ("stack",))
    return Sniffed("stack", ("movie",))


def _npz(path: Path) -> Sniffed:
    with reading(path.name, "npz", "save it again"):
        with np.load(path, allow_pickle=False) as stored:
            spikes = {"spike_times", "spike_units"} <= set(stored.files)
    return Sniffed("spikes") if spikes else Sniffed("traces")


def _mat5(path: Path) -> Sniffed:
    """Look at a MAT-file that is not HDF5: a wide matrix is one of traces."""
    arrays, _ = mat5_arrays(path)
    wide = any(a.ndim == 2 and min(a.shape) > MOST_COLUMNS for a in arrays.values())
    return Sniffed("traces", ("table",)) if wide else Sniffed("table")


def _hdf5(path: Path) -> Sniffed:
    import h5py

    if path.suffix.lower() == ".mat" and not h5py.is_hdf5(path):
        return _mat5(path)
    axes: list[int] = []
    units: list[str] = []
    masks: list[str] = []
    responses: list[str] = []

    def visit(name: str, item: Any) -> None:
        if name.endswith("UnitTimes"):
            units.append(name)
        if item.attrs.get("neurodata_type") in _OF_ROIS:
            responses.append(name)
        if name.endswith(("/image_mask", "/pixel_mask")):
            masks.append(name)  # of NWB: up to three axes, but no frames
        elif isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf":
            axes.append(item.ndim)

    with reading(path.name, "HDF5", "save it again"):
        with h5py.File(path, "r") as file:
            if is_caiman(file):
                return Sniffed("rois")
            nwb = is_nwb(file)
            if pandas_group(file) is not None:
                return Sniffed("table")
            file.visititems(visit)
    if nwb and not units:
        traces = bool(responses) and 2 in axes
        return _nwb(path, traces, has_masks=bool(masks), has_numbers=bool(axes))
    if units:
        return Sniffed("spikes")
    if max(axes, default=0) >= 3:
        return Sniffed("stack", ("traces",) if 2 in axes else ())
    return Sniffed("traces")


def _nwb(path: Path, has_traces: bool, has_masks: bool, has_numbers: bool) -> Sniffed:
    try:
        nwb_datasets(path)
    except InvalidInput:  # no movie, or one that is in another file
        if has_traces:
            return Sniffed("rois", ("traces",)) if has_masks else Sniffed("traces")
        if has_numbers:
            return Sniffed("table")  # of behaviour
        raise
    return Sniffed("stack", ("traces",) if has_traces else ())


def _video(path: Path) -> Sniffed:
    scope = MINISCOPE.fullmatch(path.name) is not None
    return Sniffed("stack", ("movie",)) if scope else Sniffed("movie", ("stack",))


def _rois(path: Path) -> Sniffed:
    recognise_rois(path)
    return Sniffed("rois")


_LOOKS: tuple[tuple[tuple[str, ...], Callable[[Path], Sniffed]], ...] = (
    (TIFF_SUFFIXES, _tiff),
    ((".npy",), _npy),
    ((".npz",), _npz),
    (HDF5_SUFFIXES, _hdf5),
    (VIDEO_SUFFIXES, _video),
    ((".csv", ".tsv", ".txt"), lambda path: Sniffed("table", ("traces",))),
    ((".xlsx", ".xlsm"), lambda path: Sniffed("table")),
    ((".zip", ".roi", ".nc"), _rois),
    ((".png",), lambda path: Sniffed("labels")),
)
