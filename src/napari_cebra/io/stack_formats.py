"""The one list of the formats in which a stack may be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_cebra.io import array_stores, binary, microscopes, scanbox, video_stack
from napari_cebra.io.found_stack import FoundStack, StackInfo, choose_dataset
from napari_cebra.io.numbered import TIFF_SUFFIXES, VIDEO_SUFFIXES, numbered_series
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nwb", ".mat")


class StackFormat(NamedTuple):
    """A way to store a stack: which paths it may be, and how to look at one.

    Parameters
    ----------
    fits : callable
        Whether a path that exists is of this kind, told without reading it.
    look : callable
        Describes it, given the path, the data set and whether a series is wanted.
    """

    fits: Callable[[Path], bool]
    look: Callable[[Path, str | None, bool | None], FoundStack]


def stack_format(path: Path) -> StackFormat | None:
    """Return the format of a file or folder, None if it holds no stack."""
    return next((known for known in STACK_FORMATS if known.fits(path)), None)


def _ends_in(*suffixes: str) -> Callable[[Path], bool]:
    return lambda path: path.suffix.lower() in suffixes and path.is_file()


def _zarr(path: Path, dataset: str | None, _: bool | None) -> FoundStack:
    return choose_dataset(path, "zarr", array_stores.zarr_datasets(path), dataset)


def _npy(path: Path, _: str | None, __: bool | None) -> FoundStack:
    return choose_dataset(path, "npy", [array_stores.npy_dataset(path)], None)


def _hdf5(path: Path, dataset: str | None, _: bool | None) -> FoundStack:
    from napari_cebra.io.nwb_series import nwb_datasets

    found = nwb_datasets(path)
    if found is not None:
        return choose_dataset(path, "nwb", found, dataset)
    return choose_dataset(path, "hdf5", array_stores.hdf5_datasets(path), dataset)


def _tiff(path: Path, _: str | None, series: bool | None) -> FoundStack:
    from napari_cebra.io.tiff import open_tiff
    from napari_cebra.io.tiff_series import tiff_layout

    begins = 1
    if path.is_dir() or series:
        files = numbered_series(path)
        layout = tiff_layout(files)
    else:
        files = [path]
        layout = tiff_layout(files)
        if series is None and len(layout.paths) == 1:
            try:
                begins = len(numbered_series(path))
            except InvalidInput:
                # One file can be loaded although the series has a hole.
                if layout.file_of.size == 1:
                    raise
            if begins > 1 and layout.file_of.size == 1:
                files, begins = numbered_series(path), 1
                layout = tiff_layout(files)
    notes = list(layout.notes)
    if begins > 1:
        notes.append(
            f"{path.name} begins a numbered series of {begins} files; open the "
            "folder to load them as one stack."
        )
    n_files = len(layout.paths)
    info = StackInfo(
        path,
        "tiff" if n_files == 1 else "tiff series",
        layout.axes,
        layout.shape,
        layout.stored,
        layout.rate,
        n_files=n_files,
        begins_series_of=begins,
        notes=tuple(notes),
        pixel_um=layout.pixel_um,
    )
    return FoundStack(
        info, lambda plan: open_tiff(layout, plan), files[0], len(files) > 1
    )


# The first that fits is taken: folders of a known make before any folder of TIFFs.
STACK_FORMATS: tuple[StackFormat, ...] = (
    StackFormat(array_stores.is_zarr, _zarr),
    StackFormat(_ends_in(".npy"), _npy),
    StackFormat(_ends_in(*HDF5_SUFFIXES), _hdf5),
    StackFormat(_ends_in(".sbx"), scanbox.look),
    StackFormat(_ends_in(*binary.BINARY_SUFFIXES), binary.look),
    StackFormat(microscopes.fits, microscopes.look),
    StackFormat(_ends_in(*TIFF_SUFFIXES), _tiff),
    StackFormat(_ends_in(*VIDEO_SUFFIXES), video_stack.look),
    StackFormat(video_stack.is_folder, video_stack.look),
    StackFormat(lambda path: path.is_dir(), _tiff),
)
