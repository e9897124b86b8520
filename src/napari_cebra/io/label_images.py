"""ROIs painted as a label image: 0 is background, other values are ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import open_npy, reading
from napari_cebra.recording import InvalidInput
from napari_cebra.recording.atomic import replacing

if TYPE_CHECKING:
    import os

    from napari_cebra.recording import RoiSet

_MOST_PIXELS = 1 << 28
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY, _PNG = b"\x93NUMPY", b"\x89PNG"


def is_label_image(path: Path) -> bool:
    """Whether a file begins as TIFF, npy or PNG does."""
    return path.is_file() and bool(_format(path))


def _format(path: Path) -> str:
    with reading(path.name, "a file", "check that it is there and readable"):
        with open(path, "rb") as stream:
            start = stream.read(8)
    for name, marks in (("tiff", _TIFF), ("npy", _NPY), ("png", _PNG)):
        if start.startswith(marks):
            return name
    return ""


def read_label_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a label image from TIFF, npy or PNG.

    Returns
    -------
    (Y, X) int64
        One ROI per value above 0.

    Raises
    ------
    InvalidInput
        If it is not one picture of whole numbers, or holds no ROI.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}; choose the label image again.")
    kind = _format(path)
    if not kind:
        raise InvalidInput(
            f"{path.name} is not a label image that can be read; choose TIFF, npy or "
            "PNG."
        )
    image = np.asarray(_pixels(path, kind))
    if image.ndim != 2:
        image = image.squeeze()
    if image.ndim != 2 or image.dtype.kind not in "iub":
        what = f"{image.dtype} of shape {image.shape}"
        raise InvalidInput(
            f"{path.name} holds {what}, not a label image; it must be one picture "
            "(Y, X) of whole numbers, 0 for the background."
        )
    labels = image.astype(np.int64)
    if labels.min() < 0:
        raise InvalidInput(
            f"{path.name} holds negative labels (down to {labels.min()}); 0 must be "
            "the background and ROIs count from 1."
        )
    if not labels.any():
        raise InvalidInput(f"{path.name} holds no ROI (all pixels are 0); paint one.")
    return labels


def write_label_image(path: str | os.PathLike[str], rois: RoiSet) -> tuple[str, ...]:
    """Write the ids of the masks as a TIFF that napari, Fiji and others open.

    Parameters
    ----------
    path : path
        Ending in .tif or .tiff.
    rois : RoiSet

    Returns
    -------
    tuple of str
        What the image cannot hold, in sentences: pixels that several masks
        share, weights, curation.

    Raises
    ------
    InvalidInput
        If there is no ROI, an overlap hides one wholly, or the file cannot be
        written.
    """
    import tifffile

    path = Path(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise InvalidInput(f"{path.name} must end in .tif or .tiff; name it so.")
    if not len(rois):
        raise InvalidInput("There is no ROI to write; load or paint some first.")
    labels = rois.to_labels()
    hidden = np.setdiff1d(rois.ids, labels)
    if hidden.size:
        raise InvalidInput(
            f"In a label image ROI {hidden[0]} would vanish behind those that overlap "
            f"it ({hidden.size} in all); write a RoiSet.zip instead, which keeps "
            "overlaps."
        )
    small = labels.max() < 1 << 16
    with replacing(path) as draft:
        tifffile.imwrite(
            draft, labels.astype(np.uint16 if small else np.int32), compression="zlib"
        )
    notes = []
    shared = rois.pixels.size - np.count_nonzero(labels)
    if shared:
        notes.append(
            f"{shared} times a pixel is shared by two ROIs; the image gives it to the "
            "one that comes last. A RoiSet.zip keeps overlaps."
        )
    if np.ptp(rois.weights) > 0:
        notes.append("A label image has no weights; the pixels of each count alike.")
    if not rois.accepted.all():
        notes.append(
            "A label image does not say what is accepted; all ROIs were written."
        )
    return tuple(notes)


def _pixels(path: Path, kind: str) -> Any:
    with reading(path.name, "a label image", "save it again"):
        if kind == "npy":
            return open_npy(path)
        if kind == "png":
            from skimage.io import imread

            return imread(path)
        return _tiff_pixels(path)


def _tiff_pixels(path: Path) -> Any:
    import tifffile

    from napari_cebra.io.tiff_chain import walk_pages

    table = walk_pages(path)
    if len(table) != 1:
        raise InvalidInput(
            f"{path.name} has {len(table)} pages, but a label image is one picture; "
            "choose another file."
        )
    with tifffile.TiffFile(path, _multifile=False) as tif:
        page = tif.pages.first
        size = int(np.prod(page.shape, dtype=object))
        if size > _MOST_PIXELS or (table.offsets + table.counts).max() > (
            path.stat().st_size
        ):
            raise InvalidInput(
                f"{path.name} is cut short or damaged: it announces "
                f"{'×'.join(map(str, page.shape))} pixels; save it again."
            )
        return page.asarray()
