"""Series of TIFF files with one page each, as some microscopes write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.io.raw_frames import read_exactly
from napari_cebra.io.tiff_chain import walk_pages
from napari_cebra.io.tiff_decoded import PageDecoder
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path


class PageFiles:
    """A `FrameReader` on one-page files, each looked at only when it is read.

    A hundred thousand files cannot all be opened before the first frame is shown;
    so a file that does not fit the others is found when its frame is read.

    Parameters
    ----------
    paths : sequence of Path
        One file per frame.
    form : tuple of int
        Size, type and coding of the first file's page; all must have it.
    compressed : bool
        Whether pages must be decoded.
    frame_shape : (Y, X)
        Rows and columns.
    stored : numpy.dtype
        As stored, byte order included.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        form: tuple[int, ...],
        compressed: bool,
        frame_shape: tuple[int, int],
        stored: np.dtype,
    ) -> None:
        self._paths = paths
        self._form = form
        self._stored = np.dtype(stored)
        self._decoder = PageDecoder(paths[0]) if compressed else None
        self.shape = (len(self._paths), int(frame_shape[0]), int(frame_shape[1]))
        self.dtype = self._stored.newbyteorder("=")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X)."""
        frames = np.zeros((stop - start, *self.shape[1:]), self.dtype)
        for row, out in enumerate(frames, start):
            self._read_one(self._paths[row], out)
        return frames

    def _read_one(self, path: Path, out: np.ndarray) -> None:
        try:
            table = walk_pages(path)
            file = open(path, "rb", buffering=0)
        except OSError as error:
            raise InvalidInput(
                f"{path.name} cannot be opened ({error.strerror}); put it back and "
                "load the series again."
            ) from error
        with file:
            if table.broken_after is not None or len(table) != 1:
                what = "is cut short" if len(table) < 2 else "has more than one page"
                raise InvalidInput(
                    f"{path.name} {what}, unlike the other files of its series; copy "
                    "it again from where it was recorded."
                )
            if table.form != self._form:
                raise InvalidInput(
                    f"{path.name} does not continue its series: its page has another "
                    "size or type than the first; take it out of the folder."
                )
            offsets, counts = table.offsets[0], table.counts[0]
            if self._decoder is not None:
                self._decoder.decode(file, offsets, counts, out, path.name)
                return
            self._read_raw(file, offsets, counts, out, path.name)

    def _read_raw(
        self,
        file: FileIO,
        offsets: np.ndarray,
        counts: np.ndarray,
        out: np.ndarray,
        name: str,
    ) -> None:
        pixels = np.empty(out.size, self._stored)
        buffer = memoryview(pixels.view(np.uint8))  # type: ignore[arg-type]
        done = 0
        for at, count in zip(offsets.tolist(), counts.tolist(), strict=True):
            count = min(count, len(buffer) - done)
            read_exactly(file, at, buffer[done : done + count], name)
            done += count
        if done < len(buffer):
            raise InvalidInput(
                f"{name} holds fewer pixels than it announces; it is damaged: copy it "
                "again from where it was recorded."
            )
        out[...] = pixels.reshape(out.shape)

    def view(self) -> None:
        """There is no view over many files."""

    def close(self) -> None:
        """Close the file kept for decoding."""
        if self._decoder is not None:
            self._decoder.close()
