"""ROIs painted as a label image: 0 is background, other values are ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import open_npy, reading
from napari_cebra.io.numbered import TIFF_SUFFIXES
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os

_MOST_PIXELS = 1 << 28


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
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}; choose the label image again.")
    if suffix not in (*TIFF_SUFFIXES, ".npy", ".png"):
        raise InvalidInput(
            f"{path.name} is not a label image that can be read; choose TIFF, npy or "
            "PNG."
        )
    image = np.asarray(_pixels(path, suffix))
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


def _pixels(path: Path, suffix: str) -> Any:
    with reading(path.name, "a label image", "save it again"):
        if suffix == ".npy":
            return open_npy(path)
        if suffix == ".png":
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
