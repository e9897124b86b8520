"""Uncompressed frames at known places in one or more files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path


class ThreadFiles:
    """One open handle per thread and file, so that readers never wait.

    Only the last file of each thread stays open: a series may have more files
    than a process may hold.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._local = threading.local()
        self._open: set[FileIO] = set()
        self._lock = threading.Lock()

    def file(self, number: int) -> FileIO:
        """Return this thread's handle on file `number`."""
        if getattr(self._local, "number", None) == number:
            held: FileIO = self._local.file
            if not held.closed:
                return held
        previous = getattr(self._local, "file", None)
        try:
            file = open(self.paths[number], "rb", buffering=0)
        except OSError as error:
            raise InvalidInput(
                f"{self.paths[number].name} cannot be opened any more "
                f"({error.strerror}); put it back and load it again."
            ) from error
        with self._lock:
            self._open.add(file)
            if previous is not None:
                self._open.discard(previous)
        if previous is not None:
            previous.close()
        self._local.number, self._local.file = number, file
        return file

    def close(self) -> None:
        """Close the handles of all threads."""
        with self._lock:
            for file in self._open:
                file.close()
            self._open.clear()


def read_exactly(file: FileIO, at: int, into: memoryview, name: str) -> None:
    """Fill `into` from position `at`.

    Raises
    ------
    InvalidInput
        If the file ends before.
    """
    file.seek(at)
    done = 0
    while done < len(into):
        got = file.readinto(into[done:])
        if not got:
            raise InvalidInput(
                f"{name} ends in the middle of a frame (at byte {at + done}); it was "
                "cut short: copy it again from where it was recorded."
            )
        done += got


class RawFrames:
    """A `FrameReader` on uncompressed frames, one (Y, X) block each.

    Parameters
    ----------
    paths : sequence of Path
        The files.
    file_of : (T,) int
        Which of them holds each frame.
    offsets : (T,) int64
        Where the frame begins in it.
    frame_shape : (Y, X)
        Rows and columns.
    stored : numpy.dtype
        As stored, byte order included.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        file_of: np.ndarray,
        offsets: np.ndarray,
        frame_shape: tuple[int, int],
        stored: np.dtype,
    ) -> None:
        self._files = ThreadFiles(paths)
        self._file_of = np.asarray(file_of)
        self._offsets = np.asarray(offsets, np.int64)
        self._stored = np.dtype(stored)
        self._bytes = int(np.prod(frame_shape)) * self._stored.itemsize
        self.shape = (self._offsets.size, int(frame_shape[0]), int(frame_shape[1]))
        self.dtype = self._stored.newbyteorder("=")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X)."""
        frames = np.empty((stop - start, *self.shape[1:]), self._stored)
        buffer = memoryview(frames.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        offsets, file_of = self._offsets[start:stop], self._file_of[start:stop]
        together = (np.diff(offsets) == self._bytes) & (np.diff(file_of) == 0)
        begins = np.flatnonzero(np.concatenate([[True], ~together, [True]]))
        for a, b in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
            number = int(file_of[a])
            read_exactly(
                self._files.file(number),
                int(offsets[a]),
                buffer[a * self._bytes : b * self._bytes],
                self._files.paths[number].name,
            )
        if not self._stored.isnative:
            frames = frames.byteswap(inplace=True).view(self.dtype)
        return frames

    def view(self) -> Any:
        """Return a read-only memory map where all frames lie in one run."""
        if len(self._files.paths) > 1 or not self._stored.isnative:
            return None
        if np.any(np.diff(self._offsets) != self._bytes):
            return None
        return np.memmap(
            self._files.paths[0],
            self._stored,
            "r",
            offset=int(self._offsets[0]),
            shape=self.shape,
        )

    def close(self) -> None:
        """Close the files of all threads."""
        self._files.close()
