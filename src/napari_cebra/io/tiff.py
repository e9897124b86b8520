"""TIFF stacks: contiguous or paged, compressed, BigTIFF, or a numbered series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from napari_cebra.io.array_frames import ArrayFrames, check_pixel_type
from napari_cebra.io.damage import reading
from napari_cebra.io.raw_frames import RawFrames
from napari_cebra.io.tiff_decoded import DecodedFrames
from napari_cebra.io.tiff_page_files import PageFiles
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.io.axes import AxisPlan
    from napari_cebra.io.stack import FrameReader
    from napari_cebra.io.tiff_layout import TiffLayout


def open_tiff(layout: TiffLayout, plan: AxisPlan) -> FrameReader:
    """Return the fastest reader that gives (T, Y, X) frames of this layout."""
    name = layout.paths[0].name
    check_pixel_type(layout.stored, name)
    outer = plan.axes[: len(plan.axes) - layout.plane_axes]
    page_axes = plan.axes[len(outer) :]
    if "T" not in outer or page_axes != "YX":
        return _through_zarr(layout, plan)
    if layout.page_files:
        return PageFiles(
            layout.paths,
            layout.form,
            layout.compressed,
            plan.frames_shape[1:],
            layout.stored,
        )
    # Number of the page that holds each frame, at the chosen channel and plane.
    lengths = plan.shape[: len(outer)]
    pages = np.arange(math.prod(lengths)).reshape(lengths)
    pages = pages[plan.key(0, plan.frames_shape[0])[: len(outer)]]
    frame_shape = plan.frames_shape[1:]
    file_of, offsets = layout.file_of[pages], layout.offsets[pages]
    counts = layout.counts[pages]
    nbytes = math.prod(frame_shape) * layout.stored.itemsize
    # No codec packs a frame this well; the size in the header is not true.
    least = nbytes if not layout.compressed else (nbytes >> 28) * (nbytes // 5000)
    if np.any(counts.sum(axis=1) < least):
        raise InvalidInput(
            f"{name} announces frames of {'×'.join(map(str, frame_shape))} pixels but "
            "holds less than that; it is damaged: copy it again."
        )
    if not layout.compressed and _in_one_piece(offsets, counts):
        return RawFrames(
            layout.paths, file_of, offsets[:, 0], frame_shape, layout.stored
        )
    return DecodedFrames(layout.paths, file_of, offsets, counts, frame_shape)


def _in_one_piece(offsets: np.ndarray, counts: np.ndarray) -> bool:
    return bool(np.all(offsets[:, 1:] == offsets[:, :-1] + counts[:, :-1]))


def _through_zarr(layout: TiffLayout, plan: AxisPlan) -> FrameReader:
    """Read where a frame is not one page: slower, but any axis order works."""
    import zarr

    if len(layout.paths) > 1:
        raise InvalidInput(
            f"The axes {plan.axes} do not fit a numbered series, whose pages are the "
            "frames; use TYX."
        )
    path = layout.paths[0]
    if not layout.compressed and _one_run(layout):
        at = int(layout.offsets[0, 0])
        memory = np.memmap(path, layout.stored, "r", at, layout.shape)
        return ArrayFrames(memory, plan, path.name)
    tif = tifffile.TiffFile(path, _multifile=False)
    try:
        with reading(path.name, "TIFF", "save it with one page per frame (TYX)"):
            store = tif.aszarr(series=0)
            array = zarr.open_array(store, mode="r")
    except BaseException:
        tif.close()
        raise
    if tuple(array.shape) != layout.shape:
        tif.close()
        raise InvalidInput(
            f"{path.name} cannot be read along the axes {plan.axes}; save it with one "
            "page per frame (TYX)."
        )

    def give_back() -> None:
        store.close()
        tif.close()

    return ArrayFrames(array, plan, path.name, give_back)


def _one_run(layout: TiffLayout) -> bool:
    steps = np.diff(layout.offsets[:, 0])
    nbytes = layout.page_size * layout.stored.itemsize
    return _in_one_piece(layout.offsets, layout.counts) and bool(
        np.all(steps == nbytes)
    )
