"""Writing a stack as a TIFF or zarr, block by block."""

from __future__ import annotations

import math
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.export import tiff_description
from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.recording.atomic import replacing, why_not_written

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_cebra.io.stack import Stack

SUFFIXES = (".tif", ".tiff", ".zarr")
_BLOCK_BYTES = 32 * 2**20
_CHUNK_BYTES = 4 * 2**20
_REPORT_SECONDS = 0.1


def check_new_stack(path: str | os.PathLike[str]) -> Path:
    """Return the path if a stack may be written there.

    Nothing that exists is ever written over: it may be raw data.

    Raises
    ------
    InvalidInput
        If the format is unknown, something is there already, or there is no
        such folder.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInput(
            f"{path.name} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; "
            "change the file name."
        )
    if path.exists():
        raise InvalidInput(
            f"There is already a {path.name}, and no movie is ever written over; "
            "choose another name."
        )
    if not path.absolute().parent.is_dir():
        raise InvalidInput(
            f"There is no folder {path.absolute().parent}; choose another folder."
        )
    return path


def write_stack(
    path: str | os.PathLike[str], stack: Stack
) -> Generator[Progress, None, Path]:
    """Write all frames; the file appears only when it is whole.

    Parameters
    ----------
    path : path
        New, ending in .tif, .tiff (BigTIFF where it needs to be) or .zarr.
    stack : Stack
        Read block by block; never in memory as a whole.

    Yields
    ------
    Progress
        In frames.

    Returns
    -------
    Path

    Raises
    ------
    InvalidInput
        As `check_new_stack`, or if the disk is full.
    """
    path = check_new_stack(path)
    write = _write_zarr if path.suffix.lower() == ".zarr" else _write_tiff
    reported = -math.inf
    for done in write(path, stack):
        if time.monotonic() - reported >= _REPORT_SECONDS:
            yield Progress(done, stack.n_frames, "frames", f"Writing {path.name}")
            reported = time.monotonic()
    return path


def _write_tiff(path: Path, stack: Stack) -> Iterator[int]:
    import tifffile

    nbytes = math.prod(stack.shape) * stack.dtype.itemsize
    large = nbytes > 3_900_000_000
    imagej = not large and stack.dtype.name in ("uint8", "uint16", "float32")
    description = tiff_description(stack.shape, stack.dtype, stack.rate, imagej)
    with replacing(path) as draft, tifffile.TiffWriter(draft, bigtiff=large) as tif:
        for start, frames in _blocks(stack):
            for offset, frame in enumerate(frames):
                tif.write(
                    frame,
                    contiguous=True,
                    photometric="minisblack",
                    description=None if start + offset else description,
                    metadata=None,
                )
            yield start + len(frames)


def _write_zarr(path: Path, stack: Stack) -> Iterator[int]:
    import zarr

    draft = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part.zarr")
    frame_bytes = math.prod(stack.shape[1:]) * stack.dtype.itemsize
    chunk = max(min(_CHUNK_BYTES // frame_bytes, stack.n_frames), 1)
    try:
        array = zarr.create_array(
            str(draft),
            shape=stack.shape,
            dtype=stack.dtype,
            chunks=(chunk, *stack.shape[1:]),
            dimension_names=("t", "y", "x"),
        )
        if stack.rate is not None:
            array.attrs["rate"] = stack.rate
        for start, frames in _blocks(stack, chunk):
            array[start : start + len(frames)] = frames
            yield start + len(frames)
        os.rename(draft, path)
    except OSError as error:
        raise InvalidInput(why_not_written(path, error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _blocks(stack: Stack, multiple: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    frame_bytes = math.prod(stack.shape[1:]) * stack.dtype.itemsize
    size = max(_BLOCK_BYTES // frame_bytes // multiple, 1) * multiple
    for start in range(0, stack.n_frames, size):
        yield start, np.ascontiguousarray(stack.read(start, start + size))
