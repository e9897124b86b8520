"""What a TIFF file or a series of them holds, and where each page lies."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cebra.io.axes import name_axes
from napari_cebra.io.damage import reading
from napari_cebra.io.tiff_chain import PageTable, walk_pages
from napari_cebra.io.tiff_metadata import outer_axes, pixel_um_of, rate_of
from napari_cebra.io.tiff_ome import ome_files, ome_in_order, ome_planes
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cebra.io.found_stack import PixelSize

# Layouts whose pages are not simply one plane after the other.
_FOREIGN = (
    "is_ome",
    "is_lsm",
    "is_stk",
    "is_fluoview",
    "is_mmstack",
    "is_ndtiff",
    "is_nih",
    "is_micromanager",
)

_MOST_PLANES = 2_000_000  # tifffile makes room for all that are announced

# Its warnings about foreign tags would stand on the user's console; what is
# wrong with a file is said by an InvalidInput.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class TiffLayout:
    """What one TIFF file (or series) holds and where.

    Parameters
    ----------
    paths : list of Path
        Files, in order.
    axes, shape : str, tuple of int
        As stored; the last axes are those of one page.
    plane_axes : int
        How many of them belong to one page.
    stored : numpy.dtype
        Byte order included.
    compressed : bool
        Whether pages must be decoded.
    rate : float or None
        Frames per second, from the metadata.
    file_of : (planes,) int32
        File of each page, in C order of `shape`; more than `shape` asks for where
        the last frame was not finished.
    offsets, counts : (planes, segments) int64
        Strips or tiles of each page.
    form : tuple of int
        Size, type and coding of its pages.
    notes : tuple of str
        What was assumed.
    pixel_um : (y, x) or None
        Size of a pixel in µm, from the metadata.
    running : bool
        Whether a frame may begin in one file of a series and end in the next.
    page_files : bool
        Whether each file holds one page, which is looked at when it is read.
    """

    paths: Sequence[Path]
    axes: str
    shape: tuple[int, ...]
    plane_axes: int
    stored: np.dtype
    compressed: bool
    rate: float | None
    file_of: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    form: tuple[int, ...]
    notes: tuple[str, ...] = ()
    pixel_um: PixelSize | None = None
    running: bool = False
    page_files: bool = False

    @property
    def page_size(self) -> int:
        """Number of values on one page."""
        return math.prod(self.shape[-self.plane_axes :])


def layout_of_file(path: Path, alone: bool) -> TiffLayout:
    """Find out what one file holds, for itself or as the first of a series."""
    # The chain is walked first: it tells a damaged file from a healthy one
    # where tifffile would log a warning and go on with fewer frames.
    table = walk_pages(path)
    check_length(path, table)
    with (
        reading(path.name, "TIFF", "copy it again from where it was recorded"),
        tifffile.TiffFile(path, _multifile=False) as tif,
    ):
        page = tif.pages.first
        if page.dtype is None or not page.shape or page.dtype.kind not in "iufbc":
            raise InvalidInput(
                f"{path.name} holds pages of a kind that cannot be read as pixels; "
                "save it as an uncompressed TIFF."
            )
        if ome_planes(tif) > max(_MOST_PLANES, 4 * len(table)):
            raise InvalidInput(
                f"The description of {path.name} announces {ome_planes(tif)} planes; "
                "it is damaged: save it again."
            )
        if len(table) > 1 and len(ome_files(tif)) > 1:
            return _of_several(path, table)
        foreign = any(getattr(tif, flag) for flag in _FOREIGN)
        # One file of several with a common description holds its own pages.
        foreign = foreign and alone and not ome_in_order(tif, len(table))
        foreign = foreign and not _is_part(tif, table)
        described = _foreign if foreign else plain_layout
        layout = described(path, tif, table)
    check_length(path, layout)
    return layout


def _of_several(path: Path, table: PageTable) -> TiffLayout:
    """All files of an OME stack, as the description that they share orders them."""
    with (
        reading(path.name, "OME-TIFF", "copy all of its files again"),
        tifffile.TiffFile(path) as tif,
    ):
        layout = _foreign(path, tif, table)
    for number, part in enumerate(layout.paths):
        rows = layout.file_of == number
        own = replace(layout, offsets=layout.offsets[rows], counts=layout.counts[rows])
        check_length(part, own)
    return layout


def _is_part(tif: tifffile.TiffFile, table: PageTable) -> bool:
    if not tif.is_ome:
        return len(table) == 1 and not (tif.is_stk or tif.is_nih)
    series: Any = tif.series[0]
    if series.dataoffset is not None:
        return False
    return any(page is None for page in series.pages)


def check_length(path: Path, pages: PageTable | TiffLayout) -> None:
    """Refuse a file that ends before its last page does."""
    ends = (pages.offsets + pages.counts).max(axis=1)
    missing = ends > path.stat().st_size
    broken = pages.broken_after if isinstance(pages, PageTable) else None
    if broken is None and not missing.any():
        return
    good = int(np.argmax(missing)) if missing.any() else broken or 0
    whole = {0: "none of its pages is whole", 1: "only its first page is whole"}
    said = whole.get(good, f"only its first {good} pages are whole")
    raise InvalidInput(
        f"{path.name} is cut short: {said}; copy it again, or finish the recording, "
        "before loading it."
    )


def plain_layout(path: Path, tif: tifffile.TiffFile, table: PageTable) -> TiffLayout:
    """Lay out pages one after the other; axes from what the writer said about them."""
    page: Any = tif.pages.first
    offsets, counts = table.offsets, table.counts
    announced = outer_axes(tif, len(table))
    planes = math.prod(announced[1]) if announced else len(table)
    one_run = len(table) == 1 and planes > 1 and page.compression == 1
    running = announced is not None and announced.running
    if announced and (planes == len(table) or one_run or running):
        outer, lengths, note, _ = announced
    else:
        outer, lengths, note = "T", (len(table),), ""
        one_run = False
        if announced and len(table) > 1:
            note = (
                f"The file announces {planes} planes but holds {len(table)} pages; all "
                "pages are read as frames."
            )
    if one_run:
        # ImageJ and tifffile write only one page directory for a large stack,
        # and all the frames behind it in one run.
        offsets, counts = _one_after_other(path, page, table.offsets[0, 0], planes)
    if math.prod(lengths) == 1:
        outer, lengths = "", ()
    axes, assumed = name_axes(outer + page.axes, (*lengths, *page.shape))
    return TiffLayout(
        [path],
        axes,
        (*lengths, *page.shape),
        len(page.shape),
        np.dtype(tif.byteorder + page.dtype.char),
        page.compression != 1 or page.is_tiled or _packed(page),
        rate_of(tif),
        np.zeros(offsets.shape[0], np.int32),
        offsets,
        counts,
        table.form,
        said(note or assumed, unfinished(len(table), lengths) if running else ""),
        pixel_um_of(tif),
        running,
    )


def _one_after_other(
    path: Path, page: Any, start: int, planes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Place planes behind each other that have no page of their own."""
    nbytes = math.prod(page.shape) * page.dtype.itemsize
    whole = (path.stat().st_size - start) // nbytes
    if planes > whole:  # before so many are made room for
        raise InvalidInput(
            f"{path.name} is cut short: it announces {planes} planes but holds "
            f"{whole}; copy it again from where it was recorded."
        )
    offsets = start + nbytes * np.arange(planes, dtype=np.int64)[:, None]
    return offsets, np.full_like(offsets, nbytes)


def said(*notes: str) -> tuple[str, ...]:
    """Return the notes that say something."""
    return tuple(note for note in notes if note)


def unfinished(n_pages: int, lengths: Sequence[int]) -> str:
    """Say which pages at the end are of no whole frame; "" if all are."""
    each = math.prod(lengths[1:])
    left = n_pages - math.prod(lengths)
    if not left:
        return ""
    return (
        f"The last {left} of {n_pages} pages are of a frame of {each} pages (channels "
        "× planes) that was not finished; they are left out."
    )


def _packed(page: Any) -> bool:
    """Whether samples must be unpacked or reordered although not compressed."""
    return (
        page.bitspersample != page.dtype.itemsize * 8
        or page.fillorder != 1
        or page.predictor != 1
        or page.samplesperpixel != 1
    )


def _foreign(path: Path, tif: tifffile.TiffFile, table: PageTable) -> TiffLayout:
    """Layouts in which the metadata say which page is which: leave it to tifffile."""
    series: Any = tif.series[0]
    keyframe = series.keyframe
    planes = math.prod(series.shape) // math.prod(keyframe.shape)
    inner = len(keyframe.shape)
    paths, file_of = [path], np.zeros(planes, np.int32)
    if series.dataoffset is not None:
        offsets, counts = _one_after_other(path, keyframe, series.dataoffset, planes)
    else:
        pages = list(series.pages)
        if len(pages) != planes or any(page is None for page in pages):
            raise InvalidInput(
                f"{path.name} announces {planes} planes but holds "
                f"{sum(page is not None for page in pages)}; it is incomplete, or its "
                "other files are missing: copy all of them again."
            )
        offsets = np.array([page.dataoffsets for page in pages], np.int64)
        counts = np.array([page.databytecounts for page in pages], np.int64)
        names = [page.parent.filehandle.name for page in pages]
        order = {name: k for k, name in enumerate(dict.fromkeys(names))}
        paths = [path.with_name(name) for name in order]
        file_of = np.array([order[name] for name in names], np.int32)
    images = ""
    if len(tif.series) > 1:
        images = f"The file holds {len(tif.series)} images; the first is read."
    axes, note = name_axes(series.axes, series.shape)
    return TiffLayout(
        paths,
        axes,
        tuple(series.shape),
        inner,
        np.dtype(tif.byteorder + series.dtype.char),
        keyframe.compression != 1 or keyframe.is_tiled or _packed(keyframe),
        rate_of(tif),
        file_of,
        offsets,
        counts,
        table.form,
        said(note, images),
        pixel_um_of(tif),
    )
