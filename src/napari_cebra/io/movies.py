"""The stimulus movie, from a video, a TIFF or an npy file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io.damage import DAMAGED, open_npy, reading
from napari_cebra.io.numbered import TIFF_SUFFIXES, VIDEO_SUFFIXES
from napari_cebra.io.sources import SourceFile
from napari_cebra.io.stack import LazyFrames
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


@dataclass(frozen=True, eq=False)
class Movie:
    """A stimulus movie whose frames are read when looked at.

    Parameters
    ----------
    array : array-like
        (M, h, w), or (M, h, w, 3) in colour. Videos are uint8; TIFF and npy
        keep the type they are stored in.
    frame_times : (M,) float64 or None
        Seconds from the first frame; None where the rate is not known.
    rate : float or None
        Mean frames per second.
    name : str
        File name without its suffix.
    source : SourceFile or None
        The file.
    """

    array: Any
    frame_times: np.ndarray | None = None
    rate: float | None = None
    name: str = "movie"
    source: SourceFile | None = None
    _close: Callable[[], None] | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames, M."""
        return int(self.array.shape[0])

    def close(self) -> None:
        """Give back the file."""
        if self._close is not None:
            self._close()


def open_movie(path: str | os.PathLike[str], rate: float | None = None) -> Movie:
    """Open a stimulus movie lazily.

    Parameters
    ----------
    path : path
        MP4, AVI, MOV, TIFF (one file, or a folder of numbered frames) or npy.
    rate : float, optional
        Frames per second of a movie without a clock of its own. A video's
        own time stamps always stand.

    Raises
    ------
    InvalidInput
        If it is not a movie or cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise InvalidInput(f"There is no file {path}; choose the movie again.")
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise InvalidInput(
            f"The movie's frame rate must be a positive number of Hz, not {rate}."
        )
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        from napari_cebra.io.video import VideoFrames

        frames = VideoFrames(path)
        array = LazyFrames(frames)
        source = SourceFile.of(path)
        times = frames.frame_times
        return Movie(array, times, frames.rate, path.stem, source, frames.close)
    if suffix == ".npy":
        return _plain(_npy(path), rate, path, SourceFile.of(path))
    if suffix in TIFF_SUFFIXES or path.is_dir():
        return _tiff(path, rate)
    raise InvalidInput(
        f"{path.name} is not a movie that can be read; choose MP4, AVI, MOV, TIFF or "
        "npy."
    )


def _plain(
    array: Any,
    rate: float | None,
    path: Path,
    source: SourceFile | None,
    close: Callable[[], None] | None = None,
) -> Movie:
    times = None if rate is None else np.arange(array.shape[0]) / rate
    return Movie(array, times, rate, path.stem, source, close)


def _npy(path: Path) -> np.ndarray:
    return _checked(open_npy(path, "save the movie again"), path)


def _checked(array: np.ndarray, path: Path) -> np.ndarray:
    colour = array.ndim == 4 and array.shape[-1] in (3, 4)
    if not (array.ndim == 3 or colour) or array.dtype.kind not in "iuf":
        raise InvalidInput(
            f"{path.name} holds {array.dtype} of shape {array.shape}, not a movie; it "
            "must be (frames, height, width) or (frames, height, width, 3)."
        )
    if not array.size:
        raise InvalidInput(f"{path.name} holds no frames; choose another movie.")
    # Transparency says nothing here.
    return array[..., :3] if colour else array


def _tiff(path: Path, rate: float | None) -> Movie:
    from napari_cebra.io.stacks import inspect_stack, open_stack

    info = inspect_stack(path)
    rate = info.rate if rate is None else rate
    if info.axes.endswith("S") and "T" in info.axes and not path.is_dir():
        array = _colour_tiff(path, info.axes, info.shape)
        return _plain(array, rate, path, SourceFile.of(path))
    stack = open_stack(path, rate=rate)
    return _plain(stack.lazy, rate, path, stack.source, stack.close)


def _colour_tiff(path: Path, axes: str, shape: tuple[int, ...]) -> Any:
    import tifffile

    if axes != "TYXS" or shape[-1] not in (3, 4):
        raise InvalidInput(
            f"{path.name} has the axes {axes} ({'×'.join(map(str, shape))}); a colour "
            "movie must be TYXS with 3 samples: save it again as RGB frames."
        )
    try:
        return tifffile.memmap(path, mode="r").reshape(shape)[..., :3]
    except DAMAGED:
        pass  # Compressed or paged: decode frame by frame below.
    return LazyFrames(_ColourPages(path, (*shape[:3], 3)))


class _ColourPages:
    """A `FrameReader` on RGB pages that are not one run of bytes."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        import threading

        import tifffile

        self._tif = tifffile.TiffFile(path, _multifile=False)
        self._lock = threading.Lock()
        self._name = path.name
        self.shape = shape
        self.dtype = np.dtype(self._tif.pages.first.dtype).newbyteorder("=")

    def read(self, start: int, stop: int) -> np.ndarray:
        with self._lock, reading(self._name, "colour frames", "save it again"):
            frames = self._tif.asarray(key=range(start, stop))
        return frames.reshape(stop - start, *self.shape[1:3], -1)[..., :3]

    def view(self) -> None:
        """There is no view on paged colour."""

    def close(self) -> None:
        self._tif.close()
