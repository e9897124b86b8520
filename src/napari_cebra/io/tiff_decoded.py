"""Compressed, tiled or packed TIFF pages, decoded in a few threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cebra.io.damage import reading
from napari_cebra.io.raw_frames import ThreadFiles, read_exactly

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path


class PageDecoder:
    """Decodes pages that are coded like the first page of a file."""

    def __init__(self, path: Path) -> None:
        # Kept for its decoder; pixel data are read through handles of our own.
        self._tif = tifffile.TiffFile(path, _multifile=False)
        self._page = self._tif.pages.first
        self._tables: dict[str, Any] = {"_fullsize": True}
        if self._page.jpegtables is not None:
            self._tables["jpegtables"] = self._page.jpegtables
        self.dtype = np.dtype(self._page.dtype).newbyteorder("=")

    def decode(
        self,
        file: FileIO,
        offsets: np.ndarray,
        counts: np.ndarray,
        out: np.ndarray,
        name: str,
    ) -> None:
        """Decode one page, whose strips or tiles lie at `offsets`, into `out`."""
        places = zip(offsets.tolist(), counts.tolist(), strict=True)
        for k, (at, count) in enumerate(places):
            if not count:
                continue
            data = bytearray(count)
            read_exactly(file, at, memoryview(data), name)
            with reading(name, "pixels", "copy it again from where it was recorded"):
                found, place, _ = self._page.decode(bytes(data), k, **self._tables)
            if found is None:
                continue
            y, x = place[2], place[3]
            piece = found[0, :, :, 0]
            rows = min(piece.shape[0], out.shape[0] - y)
            columns = min(piece.shape[1], out.shape[1] - x)
            out[y : y + rows, x : x + columns] = piece[:rows, :columns]

    def close(self) -> None:
        """Close the file."""
        self._tif.close()


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
        self._decoder = PageDecoder(paths[0])
        self.shape = (file_of.size, int(frame_shape[0]), int(frame_shape[1]))
        self.dtype = self._decoder.dtype
        self._workers = min(4, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._workers, "napari-cebra-decode")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X)."""
        frames = np.zeros((stop - start, *self.shape[1:]), self.dtype)
        if stop - start == 1:
            self._decode(range(start, stop), frames)
            return frames
        # More parts than threads, so that none waits long for the slowest.
        parts = min(stop - start, 4 * self._workers)
        edges = np.linspace(0, stop - start, parts + 1).astype(int).tolist()
        jobs = [
            self._pool.submit(self._decode, range(start + a, start + b), frames[a:b])
            for a, b in pairwise(edges)
        ]
        for job in jobs:
            job.result()
        return frames

    def _decode(self, rows: range, into: np.ndarray) -> None:
        for row, out in zip(rows, into, strict=True):
            number = int(self._file_of[row])
            self._decoder.decode(
                self._files.file(number),
                self._offsets[row],
                self._counts[row],
                out,
                f"Frame {row} of {self._files.paths[number].name}",
            )

    def view(self) -> None:
        """There is no view on coded pixels."""

    def close(self) -> None:
        """Close the files and the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._files.close()
        self._decoder.close()
