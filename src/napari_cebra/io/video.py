"""Frame-accurate random access to a compressed video."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CACHE_BYTES = 64 << 20


class VideoFrames:
    """A `FrameReader` on the frames of a video, in the order they are shown.

    The presentation time stamps of all packets are read once. A frame is found
    by its time stamp: from the key frame before it, or from where the decoder
    stands if that is nearer.

    Parameters
    ----------
    path : Path
        MP4, MOV, AVI or another container FFmpeg knows.

    Attributes
    ----------
    frame_times : (M,) float64
        Seconds from the first frame.
    rate : float or None
        Mean frames per second.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._container = self._opened()
        try:
            self._stream = self._container.streams.video[0]
            self._index()
            first = self.read(0, 1)
        except (av.FFmpegError, IndexError, InvalidInput) as error:
            self._container.close()
            if isinstance(error, InvalidInput):
                raise
            raise self._unreadable(error) from error
        self.shape = (self._pts.size, *first.shape[1:])
        self.dtype = np.dtype(np.uint8)
        self._keep = max(2, _CACHE_BYTES // max(1, first.nbytes))

    def _opened(self) -> Any:
        try:
            return av.open(str(self._path), "r", metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InvalidInput:
        return InvalidInput(
            f"{self._path.name} cannot be read as a video ({error}); it was not "
            "finished, is damaged or holds no picture: export it again as MP4."
        )

    def _index(self) -> None:
        """List time stamps and key frames without decoding."""
        pts: list[int] = []
        keys: list[int] = []
        complete = True
        for packet in self._container.demux(self._stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None:
                complete = False
                break
            pts.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        if not complete or not keys or len(set(pts)) != len(pts):
            # Old AVI files carry no time stamps in their packets: decode once.
            pts, keys = self._decoded_stamps()
        if not pts:
            raise InvalidInput(
                f"{self._path.name} holds no video frame; choose another file."
            )
        self._pts = np.sort(np.array(pts, np.int64))
        self._keys = np.sort(np.array(keys, np.int64))
        base = self._stream.time_base
        ticks = (self._pts - self._pts[0]).astype(np.float64)
        self.frame_times = ticks * base.numerator / base.denominator
        span = float(self.frame_times[-1])
        self.rate = (self._pts.size - 1) / span if span > 0 else None
        self._rewind(int(self._keys[0]))

    def _decoded_stamps(self) -> tuple[list[int], list[int]]:
        self._container.seek(0)
        pts, keys = [], []
        for frame in self._container.decode(self._stream):
            if frame.pts is not None:
                pts.append(frame.pts)
                if frame.key_frame:
                    keys.append(frame.pts)
        return sorted(set(pts)), keys or pts[:1]

    def _rewind(self, pts: int) -> None:
        self._container.seek(pts, stream=self._stream, backward=True)
        self._decoder: Iterator[Any] = self._container.decode(self._stream)
        self._at = -1

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, h, w) or (n, h, w, 3) uint8."""
        with self._lock:
            return np.stack([self._frame(k) for k in range(start, stop)])

    def _frame(self, k: int) -> np.ndarray:
        if k in self._cache:
            self._cache.move_to_end(k)
            return self._cache[k]
        target = int(self._pts[k])
        before = int(np.searchsorted(self._keys, target, "right")) - 1
        key = int(self._keys[max(0, before)])
        if self._at >= target or key > self._at:
            self._rewind(key)
        try:
            for frame in self._decoder:
                if frame.pts is None:
                    continue
                self._at = frame.pts
                if frame.pts == target:
                    return self._remember(k, _pixels(frame))
                if frame.pts > target:
                    break
        except av.FFmpegError as error:
            self._at = np.iinfo(np.int64).max
            raise self._unreadable(error) from error
        self._at = np.iinfo(np.int64).max
        raise InvalidInput(
            f"Frame {k} of {self._path.name} cannot be decoded; the video is damaged: "
            "export it again as MP4."
        )

    def _remember(self, k: int, pixels: np.ndarray) -> np.ndarray:
        self._cache[k] = pixels
        while len(self._cache) > getattr(self, "_keep", 2):
            self._cache.popitem(last=False)
        return pixels

    def view(self) -> None:
        """There is no view on coded frames."""

    def close(self) -> None:
        """Close the video."""
        with self._lock:
            self._container.close()


def _pixels(frame: Any) -> np.ndarray:
    if frame.format.name.startswith("gray"):
        return frame.to_ndarray(format="gray")
    return frame.to_ndarray(format="rgb24")
