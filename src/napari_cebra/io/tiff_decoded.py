"""Compressed, tiled or packed TIFF pages, decoded in a few threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cebra.io.damage import reading
from napari_cebra.io.raw_frames import ThreadFiles, read_exactly

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class DecodedFrames:
    """A `FrameReader` on pages that all decode like the first one.

    Parameters
    ----------
    paths : sequence of Path
        The files; their pages are coded alike.
    file_of : (T,) int
        File of each frame.
    offsets, counts : (T, segments) int64
        Place and bytes of each frame's strips or tiles.
    frame_shape : (Y, X)
        Rows and columns.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        file_of: np.ndarray,
        offsets: np.ndarray,
        counts: np.ndarray,
        frame_shape: tuple[int, int],
    ) -> None:
        self._files = ThreadFiles(paths)
        self._file_of, self._offsets, self._counts = file_of, offsets, counts
        # Kept for its decoder; pixel data are read through handles of our own.
        self._tif = tifffile.TiffFile(paths[0], _multifile=False)
        self._page = self._tif.pages.first
        self._tables: dict[str, Any] = {"_fullsize": True}
        if self._page.jpegtables is not None:
            self._tables["jpegtables"] = self._page.jpegtables
        self.shape = (file_of.size, int(frame_shape[0]), int(frame_shape[1]))
        self.dtype = np.dtype(self._page.dtype).newbyteorder("=")
        workers = min(4, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(workers, "napari-cebra-decode")
        self._workers = workers

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X)."""
        frames = np.zeros((stop - start, *self.shape[1:]), self.dtype)
        if stop - start == 1:
            self._decode_frame(start, frames[0])
            return frames
        parts = min(stop - start, 4 * self._workers)
        spans = np.array_split(np.arange(start, stop), parts)
        jobs = [
            self._pool.submit(
                self._decode_span, span, frames[span[0] - start : span[-1] - start + 1]
            )
            for span in spans
        ]
        for job in jobs:
            job.result()
        return frames

    def _decode_span(self, span: np.ndarray, into: np.ndarray) -> None:
        for frame, out in zip(span.tolist(), into, strict=True):
            self._decode_frame(frame, out)

    def _decode_frame(self, frame: int, out: np.ndarray) -> None:
        number = int(self._file_of[frame])
        file, name = self._files.file(number), self._files.paths[number].name
        for k, (at, count) in enumerate(
            zip(
                self._offsets[frame].tolist(), self._counts[frame].tolist(), strict=True
            )
        ):
            if not count:
                continue
            data = bytearray(count)
            read_exactly(file, at, memoryview(data), name)
            segment, place = self._decode(bytes(data), k, frame, name)
            if segment is None:
                continue
            y, x = place[2], place[3]
            piece = segment[0, :, :, 0]
            rows = min(piece.shape[0], out.shape[0] - y)
            columns = min(piece.shape[1], out.shape[1] - x)
            out[y : y + rows, x : x + columns] = piece[:rows, :columns]

    def _decode(self, data: bytes, k: int, frame: int, name: str) -> tuple[Any, Any]:
        with reading(
            f"Frame {frame} of {name}", "pixels", "copy it from where it was recorded"
        ):
            segment, place, _ = self._page.decode(data, k, **self._tables)
        return segment, place

    def view(self) -> None:
        """There is no view on coded pixels."""

    def close(self) -> None:
        """Close the files and the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._files.close()
        self._tif.close()
