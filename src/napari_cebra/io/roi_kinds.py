"""Every kind of file that holds ROIs, told apart by what is in it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cebra.io.caiman import is_caiman, read_caiman
from napari_cebra.io.damage import reading
from napari_cebra.io.imagej_rois import read_imagej_rois
from napari_cebra.io.label_images import is_label_image, read_label_image
from napari_cebra.io.minian import minian_folder, read_minian
from napari_cebra.io.minian_file import is_minian_file, read_minian_file
from napari_cebra.io.nwb_rois import is_nwb, read_nwb_rois
from napari_cebra.io.roi_file import RoiFile, check_field_of_view
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.suite2p import read_suite2p, suite2p_plane
from napari_cebra.recording import InvalidInput, RoiSet

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    Shape = tuple[int, int] | None

_CHOOSE = (
    "choose a label image, a RoiSet.zip of ImageJ, a CaImAn or NWB file, or a folder "
    "of suite2p or minian"
)
_SUITE2P = ("stat.npy", "F.npy", "Fneu.npy", "spks.npy", "iscell.npy", "ops.npy")


@dataclass(frozen=True)
class RoiKind:
    """One kind of file of ROIs.

    Parameters
    ----------
    name : str
        As in "a CaImAn file".
    is_it : callable
        Whether a path is of this kind, by its content.
    read : callable
        ``(path, shape or None, rate or None) -> RoiFile``.
    """

    name: str
    is_it: Callable[[Path], bool]
    read: Callable[[Path, Shape, float | None], RoiFile]


def recognise_rois(path: str | os.PathLike[str]) -> RoiKind:
    """Say which kind of file of ROIs this is, by its first bytes and its contents.

    Raises
    ------
    InvalidInput
        If it is none; the sentence says what it is instead, where that is known.
    """
    path = Path(path)
    if not path.exists():
        raise InvalidInput(f"There are no ROIs at {path}; {_CHOOSE}.")
    for kind in ROI_KINDS:
        if kind.is_it(path):
            return kind
    raise InvalidInput(f"{path.name} {_instead(path)}; {_CHOOSE}.")


def read_roi_file(
    path: str | os.PathLike[str], shape: Shape = None, rate: float | None = None
) -> RoiFile:
    """Read ROIs of any kind, and the traces that came with them.

    Parameters
    ----------
    path : path
        A file or folder of any of `ROI_KINDS`.
    shape : (Y, X), optional
        Field of view of the stack they belong to.
    rate : float, optional
        Frames per second; default what the file says.

    Raises
    ------
    InvalidInput
        If nothing that is read here is there, it is damaged, or it belongs to
        another field of view.
    """
    path = Path(path)
    read = recognise_rois(path).read(path, shape, rate)
    check_field_of_view(path, read.rois.shape, shape)
    return read


def _suite2p_folder(path: Path) -> Path | None:
    if path.is_dir():
        return suite2p_plane(path)
    # One of the files in it stands for the folder.
    inside = path.name in _SUITE2P and suite2p_plane(path.parent) == path.parent
    return path.parent if inside else None


def _read_suite2p(path: Path, shape: Shape, rate: float | None) -> RoiFile:
    folder = path if path.is_dir() else path.parent
    read = read_suite2p(folder, rate=rate, shape=shape)
    found = (read.raw, read.neuropil, read.events)
    traces = {each.kind: each for each in found if each is not None}
    return RoiFile(
        read.rois,
        "suite2p",
        read.source,
        traces=traces,
        notes=read.notes,
        bad_frames=read.bad_frames,
    )


def _read_labels(path: Path, shape: Shape, rate: float | None) -> RoiFile:
    rois = RoiSet.from_labels(read_label_image(path))
    return RoiFile(rois, "label image", SourceFile.of(path))


def _is_imagej(path: Path) -> bool:
    if _starts(path, b"Iout"):
        return True
    if path.is_dir() or not _starts(path, b"PK\x03\x04"):
        return False
    with reading(path.name, "a zip file", "save it again"):
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(".roi") for name in archive.namelist())


def _starts(path: Path, *marks: bytes) -> bool:
    if path.is_dir():
        return False
    with reading(path.name, "a file", "check that it is there and readable"):
        with open(path, "rb") as stream:
            return stream.read(16).startswith(marks)


def _hdf5(is_it: Callable[[object], bool]) -> Callable[[Path], bool]:
    def look(path: Path) -> bool:
        if not _starts(path, b"\x89HDF\r\n\x1a\n"):
            return False
        import h5py

        with reading(path.name, "HDF5", "save it again"):
            with h5py.File(path, "r") as file:
                return is_it(file)

    return look


ROI_KINDS: tuple[RoiKind, ...] = (
    RoiKind("suite2p folder", lambda p: _suite2p_folder(p) is not None, _read_suite2p),
    RoiKind(
        "minian folder",
        lambda p: p.is_dir() and minian_folder(p) is not None,
        read_minian,
    ),
    RoiKind("minian file", _hdf5(is_minian_file), read_minian_file),
    RoiKind("CaImAn file", _hdf5(is_caiman), read_caiman),
    RoiKind("NWB file", _hdf5(is_nwb), read_nwb_rois),
    RoiKind(
        "ImageJ ROIs", _is_imagej, lambda path, shape, _: read_imagej_rois(path, shape)
    ),
    RoiKind("label image", is_label_image, _read_labels),
)


def _instead(path: Path) -> str:
    """Say what a path is that holds no ROIs that can be read."""
    if path.is_dir():
        return "is a folder of neither suite2p nor minian"
    for mark, what in (
        (b"PK\x03\x04", "is a zip file without ROIs of ImageJ in it"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file of neither CaImAn nor NWB"),
        (b"MATLAB ", "is a MATLAB file, in which ROIs have no common form"),
        (b"\x80", "is a Python pickle, which can run anything when it is opened"),
    ):
        if _starts(path, mark):
            return what
    return "holds no ROIs of a known kind"
