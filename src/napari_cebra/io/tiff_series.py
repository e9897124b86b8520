"""A TIFF file, or several that follow each other in time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cebra.io.damage import reading
from napari_cebra.io.tiff_chain import walk_pages
from napari_cebra.io.tiff_layout import (
    TiffLayout,
    check_length,
    layout_of_file,
    plain_layout,
    said,
    unfinished,
)
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def tiff_layout(paths: Sequence[Path]) -> TiffLayout:
    """Find out what a TIFF file, or several that follow each other, hold.

    Raises
    ------
    InvalidInput
        If a file is not a TIFF, is cut short, mixes page sizes, or the files
        of a series do not fit together.
    """
    first = layout_of_file(paths[0], alone=len(paths) == 1)
    if len(paths) == 1:
        return first
    return _joined(first, paths)


def _joined(first: TiffLayout, paths: Sequence[Path]) -> TiffLayout:
    """Append the files of a series along time."""
    name = paths[0].name
    if len(first.paths) > 1:  # OME, whose description orders the files
        return first
    if first.axes == "YX":
        return replace(
            first,
            paths=paths,
            axes="TYX",
            shape=(len(paths), *first.shape),
            page_files=True,
        )
    if not first.axes.startswith("T"):
        raise InvalidInput(
            f"The files of the series {name} … cannot be joined in time: their axes "
            f"are {first.axes}; load them one by one."
        )
    file_of, offsets, counts = [first.file_of], [first.offsets], [first.counts]
    inner = first.shape[1:]
    per_frame = math.prod(inner) // first.page_size
    for number, path in enumerate(paths[1:], start=1):
        table = walk_pages(path)
        check_length(path, table)
        with (
            reading(path.name, "TIFF", "copy it again from where it was recorded"),
            tifffile.TiffFile(path, _multifile=False) as tif,
        ):
            page: Any = tif.pages.first
            part = plain_layout(path, tif, table)
        check_length(path, part)
        same = part.shape[-part.plane_axes :] == first.shape[-first.plane_axes :]
        same &= table.form == first.form
        same &= np.dtype(tif.byteorder + page.dtype.char) == first.stored
        same &= part.compressed == first.compressed
        same &= part.offsets.shape[1] == first.offsets.shape[1]
        left = part.file_of.size % per_frame and not first.running
        if not same or left:
            raise InvalidInput(
                f"{path.name} does not continue the series {name} …: its pages are "
                f"{'×'.join(map(str, part.shape[1:] or part.shape))} {part.stored.name}"
                " or stored differently; take it out of the series."
            )
        file_of.append(np.full(part.file_of.size, number, np.int32))
        offsets.append(part.offsets)
        counts.append(part.counts)
    n_pages = sum(part.size for part in file_of)
    n_frames = n_pages // per_frame
    # What the first file left unfinished may be finished by the next.
    alone = unfinished(first.file_of.size, (first.shape[0], per_frame))
    notes = (note for note in first.notes if note != alone)
    return replace(
        first,
        paths=paths,
        shape=(n_frames, *inner),
        notes=said(*notes, unfinished(n_pages, (n_frames, per_frame))),
        file_of=np.concatenate(file_of),
        offsets=np.concatenate(offsets),
        counts=np.concatenate(counts),
    )
