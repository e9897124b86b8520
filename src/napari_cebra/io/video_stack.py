"""Videos as imaging stacks: one, or the numbered files of a miniscope."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from napari_cebra.io.damage import DAMAGED
from napari_cebra.io.found_stack import FoundStack, StackInfo
from napari_cebra.io.miniscope import clock_rate
from napari_cebra.io.numbered import MINISCOPE, VIDEO_SUFFIXES, numbered_series
from napari_cebra.io.video import VideoFrames
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_cebra.io.axes import AxisPlan

_COLOURLESS = 8  # how far red, green and blue of a grey video may lie apart


def is_folder(path: Path) -> bool:
    """Whether a folder holds videos and no TIFF files."""
    if not path.is_dir():
        return False
    kinds = {entry.suffix.lower() for entry in path.iterdir()}
    return bool(kinds & {*VIDEO_SUFFIXES}) and not kinds & {".tif", ".tiff"}


def look(path: Path, _: str | None, series: bool | None) -> FoundStack:
    """Describe a video, or the numbered videos that a folder holds.

    ``msCam1.avi`` and ``0.avi``, as miniscopes write them, stand for all the files
    of their recording; any other name for itself alone, unless `series` is True.
    """
    whole = path.is_dir() or series
    if series is None and MINISCOPE.fullmatch(path.name):
        whole = True
    files = numbered_series(path) if whole else [path]
    first = VideoFrames(files[0], gray=True)
    try:
        frame, rate, dtype = first.shape[1:], first.rate, first.dtype
        counts = [first.shape[0], *(_announced(file, frame) for file in files[1:])]
    finally:
        first.close()
    notes = []
    if _is_coloured(files[0]):
        notes.append("The video is in colour; its brightness is read.")
    n = sum(counts)
    clock = (
        clock_rate(files[0].parent, n) if MINISCOPE.fullmatch(files[0].name) else (None)
    )
    if clock is not None:
        rate, name = clock
        notes.append(f"The frame rate is that of {name}, not of the video's header.")
    info = StackInfo(
        path,
        "video",
        "TYX",
        (n, *frame),
        dtype,
        rate,
        n_files=len(files),
        notes=tuple(notes),
    )

    def open_frames(plan: AxisPlan) -> VideoSeries:
        if plan.axes != "TYX":
            raise InvalidInput(
                f"The frames of {path.name} are the pictures of a video; use the axes "
                "TYX."
            )
        return VideoSeries(files, counts, (n, *frame), dtype)

    return FoundStack(info, open_frames, files[0], len(files) > 1)


class VideoSeries:
    """A `FrameReader` on videos that follow each other, each opened when needed.

    Finding the frames of a video may mean reading all of it; of a later one only
    the number its header announces is used until one of its frames is read.

    Parameters
    ----------
    paths : sequence of Path
        The videos.
    counts : sequence of int
        Frames in each of them.
    shape : (T, Y, X)
    dtype : numpy.dtype
    """

    def __init__(
        self,
        paths: Sequence[Path],
        counts: Sequence[int],
        shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self._paths = paths
        self._ends = np.cumsum(counts)
        self._lock = threading.RLock()
        self._number = -1
        self._frames: VideoFrames | None = None
        self.shape, self.dtype = shape, dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X)."""
        frames = np.empty((stop - start, *self.shape[1:]), self.dtype)
        with self._lock:
            at = start
            while at < stop:
                number = int(np.searchsorted(self._ends, at, "right"))
                before = int(self._ends[number - 1]) if number else 0
                until = min(stop, int(self._ends[number]))
                video = self._video(number, int(self._ends[number]) - before)
                frames[at - start : until - start] = video.read(
                    at - before, until - before
                )
                at = until
        return frames

    def _video(self, number: int, count: int) -> VideoFrames:
        if self._number == number and self._frames is not None:
            return self._frames
        self.close()
        video = VideoFrames(self._paths[number], gray=True)
        if video.shape != (count, *self.shape[1:]) or video.dtype != self.dtype:
            video.close()
            raise InvalidInput(
                f"{self._paths[number].name} holds {video.shape[0]} frames of "
                f"{video.shape[1]}×{video.shape[2]} pixels where its header announces "
                f"{count} like the first of its series; copy or export it again."
            )
        self._number, self._frames = number, video
        return video

    def view(self) -> Any:
        """There is no view on coded frames."""

    def close(self) -> None:
        """Close the video that is open."""
        with self._lock:
            if self._frames is not None:
                self._frames.close()
            self._frames = None


def _announced(path: Path, frame: tuple[int, ...]) -> int:
    """Frames of a later video by its header, counted where it does not say."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        count, size = stream.frames, (stream.height, stream.width)
    if count <= 0:
        video = VideoFrames(path, gray=True)
        count, size = video.shape[0], video.shape[1:]
        video.close()
    if tuple(size) != tuple(frame):
        raise InvalidInput(
            f"{path.name} does not continue its series: its frames have "
            f"{size[0]}×{size[1]} pixels, not {frame[0]}×{frame[1]}; take it out."
        )
    return int(count)


def _is_coloured(path: Path) -> bool:
    with _opened(path) as container:
        frame = next(iter(container.decode(video=0)))
        if frame.format.name.startswith("gray"):
            return False
        colours = frame.to_ndarray(format="rgb24").astype(np.int16)
    return bool(np.ptp(colours, axis=2).max() > _COLOURLESS)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a video; what FFmpeg says against it is an InvalidInput."""
    try:
        with av.open(str(path), "r", metadata_errors="ignore") as container:
            yield container
    except (av.FFmpegError, StopIteration, *DAMAGED) as error:
        raise InvalidInput(
            f"{path.name} cannot be read as a video ({error}); it was not finished or "
            "is damaged: copy it again, or move it out of the series."
        ) from error
