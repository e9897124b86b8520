"""Opening a stack: which format family, which axes, which rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io import array_stores
from napari_cebra.io.array_frames import ArrayFrames, check_pixel_type
from napari_cebra.io.axes import name_axes, plan_axes
from napari_cebra.io.numbered import TIFF_SUFFIXES, numbered_series
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.stack import Stack
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_cebra.io.array_stores import Dataset
    from napari_cebra.io.stack import FrameReader
    from napari_cebra.io.tiff import TiffLayout

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nwb", ".mat")


@dataclass(frozen=True)
class StackInfo:
    """What a file holds, to be shown and edited before it is loaded.

    Parameters
    ----------
    path : Path
        File or folder.
    kind : {"tiff", "tiff series", "npy", "hdf5", "zarr"}
        Format family.
    axes : str
        Axis order as detected; edit it and give it to `open_stack`.
    shape : tuple of int
        Stored shape, one length per letter of `axes`.
    dtype : numpy.dtype
        Stored values.
    rate : float or None
        Frames per second from the metadata; a hint, not a fact.
    dataset : str or None
        Data set described here (HDF5, zarr).
    datasets : tuple of str
        All data sets of the file that could be a stack, the largest first.
    n_files : int
        Files that are read as one; more than one for a series.
    begins_series_of : int
        Files in the numbered series that this file alone begins (the folder,
        or ``series=True``, loads them all); 1 if there is none.
    notes : tuple of str
        What was assumed, in sentences.
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

    @property
    def nbytes(self) -> int:
        """Bytes of all values, as if in memory."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    @property
    def to_choose(self) -> dict[str, int]:
        """Axes on which one position must be chosen, with their lengths."""
        pairs = zip(self.axes, self.shape, strict=True)
        return {a: n for a, n in pairs if a not in "TYX" and n > 1}


def inspect_stack(
    path: str | os.PathLike[str],
    dataset: str | None = None,
    series: bool | None = None,
) -> StackInfo:
    """Describe a stack without reading its frames.

    Parameters
    ----------
    path : path
        TIFF file, folder of a numbered TIFF series, npy, HDF5 or zarr.
    dataset : str, optional
        Data set inside an HDF5 or zarr file; default the largest candidate.
    series : bool, optional
        Whether a TIFF file stands for the numbered series that it begins.
        Default: only if it holds a single page, so that two recordings called
        1 and 2 are never joined unasked.

    Raises
    ------
    InvalidInput
        If it is not a stack, is damaged, or has no such data set.
    """
    return _Found(Path(path), dataset, series).info


def open_stack(
    path: str | os.PathLike[str],
    axes: str | None = None,
    dataset: str | None = None,
    rate: float | None = None,
    select: Mapping[str, int] | None = None,
    series: bool | None = None,
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

    Returns
    -------
    Stack
        To be closed when done with.

    Raises
    ------
    InvalidInput
        If it is not a stack, is damaged, or the axes do not fit.
    """
    found = _Found(Path(path), dataset, series)
    info = found.info
    plan = plan_axes(axes or info.axes, info.shape, found.path.name, select)
    check_pixel_type(info.dtype, found.path.name)
    source = SourceFile.of(found.source_path, series=found.is_series)
    reader = found.reader(plan)
    name = found.path.stem if found.path.is_file() else found.path.name
    return Stack(reader, name, plan.axes, info.rate if rate is None else rate, source)


def stack_from_array(
    array: Any,
    axes: str = "TYX",
    name: str = "array",
    rate: float | None = None,
    select: Mapping[str, int] | None = None,
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
    return Stack(ArrayFrames(array, plan, name), name, plan.axes, rate)


class _Found:
    """What is at a path, looked at once."""

    def __init__(self, path: Path, dataset: str | None, series: bool | None) -> None:
        self.path = path
        self.source_path = path
        self.is_series = False
        self._tiff: TiffLayout | None = None
        self._data: Dataset | None = None
        if not path.exists():
            raise InvalidInput(
                f"There is no file or folder {path}; choose it again with Browse."
            )
        suffix = path.suffix.lower()
        if array_stores.is_zarr(path):
            self._store("zarr", array_stores.zarr_datasets(path), dataset)
        elif path.is_dir() or suffix in TIFF_SUFFIXES:
            self._tiff_files(series)
        elif suffix == ".npy":
            self._store("npy", [array_stores.npy_dataset(path)], None)
        elif suffix in HDF5_SUFFIXES:
            self._store("hdf5", array_stores.hdf5_datasets(path), dataset)
        else:
            raise InvalidInput(
                f"{path.name} is not a stack that can be read; choose TIFF, npy, HDF5 "
                "or zarr."
            )

    def _tiff_files(self, series: bool | None) -> None:
        from napari_cebra.io.tiff import tiff_layout

        path, begins = self.path, 1
        if path.is_dir() or series:
            files = numbered_series(path)
            layout = tiff_layout(files)
        else:
            files = [path]
            layout = tiff_layout(files)
            if series is None:
                try:
                    begins = len(numbered_series(path))
                except InvalidInput:
                    # One file can be loaded although the series has a hole.
                    if layout.file_of.size == 1:
                        raise
                if begins > 1 and layout.file_of.size == 1:
                    files, begins = numbered_series(path), 1
                    layout = tiff_layout(files)
        self.is_series = len(files) > 1
        self.source_path = files[0]
        self._tiff = layout
        notes = [layout.note] if layout.note else []
        if begins > 1:
            notes.append(
                f"{path.name} begins a numbered series of {begins} files; open the "
                "folder to load them as one stack."
            )
        kind = "tiff series" if self.is_series else "tiff"
        self.info = StackInfo(
            path,
            kind,
            layout.axes,
            layout.shape,
            layout.stored,
            layout.rate,
            n_files=len(files),
            begins_series_of=begins,
            notes=tuple(notes),
        )

    def _store(self, kind: str, found: list[Dataset], dataset: str | None) -> None:
        names = tuple(data.name for data in found)
        if dataset is None:
            data = found[0]
        elif dataset.strip("/") in names:
            data = found[names.index(dataset.strip("/"))]
        else:
            raise InvalidInput(
                f"{self.path.name} has no data set {dataset!r} that could be a stack; "
                f"it has {', '.join(names)}."
            )
        self._data = data
        axes, note = name_axes(data.axes, data.shape)
        notes = [note] if note else []
        if data.guessed:
            notes.append(
                f"The file does not name its axes; {axes} is a guess from the shape."
            )
        one = kind == "npy"
        self.info = StackInfo(
            self.path,
            kind,
            axes,
            data.shape,
            data.dtype,
            data.rate,
            None if one else data.name,
            () if one else names,
            notes=tuple(notes),
        )

    def reader(self, plan: Any) -> FrameReader:
        if self._tiff is not None:
            from napari_cebra.io.tiff import open_tiff

            return open_tiff(self._tiff, plan)
        assert self._data is not None
        return self._data.open(plan)
