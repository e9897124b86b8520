"""Frame-accurate random access to a compressed video."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from napari_cebra.io.damage import DAMAGED
from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CACHE_BYTES = 64 << 20
_CHECKED = 48


class VideoFrames:
    """A `FrameReader` on the frames of a video, in the order they are shown.

    The presentation time stamps of all packets are read once. A frame is found
    by its time stamp, from the key frame before it or from where the decoder
    stands; by its number where a file keeps no such stamps (AVI with B-frames).

    Parameters
    ----------
    path : Path
        MP4, MOV, AVI or another container FFmpeg knows.
    gray : bool
        Whether brightness is read, in the bits it is stored in, or colours.

    Attributes
    ----------
    frame_times : (M,) float64
        Seconds from the first frame.
    rate : float or None
        Mean frames per second.
    """

    def __init__(self, path: Path, gray: bool = False) -> None:
        self._path = path
        self._gray = gray
        self._lock = threading.RLock()
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._container = self._opened()
        try:
            self._stream = self._container.streams.video[0]
            self._index()
            first = self.read(0, 1)
        except (av.FFmpegError, *DAMAGED) as error:
            self._container.close()
            if isinstance(error, InvalidInput):
                raise
            raise self._unreadable(error) from error
        self.shape = (self._stamps.size, *first.shape[1:])
        self.dtype = first.dtype
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
        """List time stamps and key frames, without decoding where they are good."""
        packets = self._indexed() or self._demuxed()
        stamps = sorted(pts for pts, _ in packets if pts is not None)
        keys = sorted(pts for pts, key in packets if key and pts is not None)
        self._stamped = (
            len(stamps) == len(packets) == len(set(stamps))
            and bool(keys)
            and self._shown_in_order(stamps)
        )
        if self._stamped:
            base = self._stream.time_base
            self._stamps = np.array(stamps, np.int64)
            self._keys = self._seek_to = np.array(keys, np.int64)
            ticks = (self._stamps - stamps[0]).astype(np.float64)
            self.frame_times = ticks * base.numerator / base.denominator
        else:
            self._count_frames()
        span = float(self.frame_times[-1])
        self.rate = (self._stamps.size - 1) / span if span > 0 else None
        self._rewind(0)

    def _indexed(self) -> list[tuple[int | None, bool]]:
        """Time stamps from the index of an AVI whose frames all stand alone.

        Nothing is there to be found out by reading gigabytes. Empty for all else.
        """
        entries = list(self._stream.index_entries)
        alone = self._stream.codec_context.codec.intra_only
        if self._container.format.name != "avi" or not alone or not entries:
            return []
        length = self._path.stat().st_size
        inside = all(entry.pos + entry.size <= length for entry in entries)
        if not inside or len(entries) != self._stream.frames:
            return []
        return [(entry.timestamp, True) for entry in entries]

    def _demuxed(self) -> list[tuple[int | None, bool]]:
        """Time stamps of all packets."""
        demuxed = [p for p in self._container.demux(self._stream) if p.size]
        if len(demuxed) < self._stream.frames - 1:
            raise InvalidInput(
                f"{self._path.name} is cut short: it announces {self._stream.frames} "
                f"frames but holds {len(demuxed)}; copy or export it again."
            )
        return [(p.pts, p.is_keyframe) for p in demuxed if not p.is_discard]

    def _shown_in_order(self, stamps: list[int]) -> bool:
        """Whether the first frames come out of the decoder in order of their stamps.

        AVI keeps no presentation times; with B-frames FFmpeg makes wrong ones up.
        """
        self._container.seek(stamps[0], stream=self._stream)
        decoder = self._container.decode(self._stream)
        shown = [frame.pts for frame, _ in zip(decoder, range(_CHECKED), strict=False)]
        return bool(shown) and shown == stamps[: len(shown)]

    def _count_frames(self) -> None:
        """Decode all frames once and number them."""
        self._container.seek(0)
        keys, count = [], 0
        for frame in self._container.decode(self._stream):
            if frame.key_frame and frame.pts is not None:
                keys.append((count, frame.pts))
            count += 1
        if not keys:
            raise InvalidInput(
                f"{self._path.name} holds no video frame that can be found again; "
                "convert it to MP4."
            )
        self._stamps = np.arange(count)
        self._keys, self._seek_to = np.array(keys, np.int64).T
        rate = self._stream.average_rate or self._stream.guessed_rate or 1
        self.frame_times = self._stamps / float(rate)

    def _rewind(self, key: int) -> None:
        """Start decoding at a key frame."""
        self._container.seek(int(self._seek_to[key]), stream=self._stream)
        self._decoder: Iterator[Any] = self._container.decode(self._stream)
        self._at: int | None = None
        self._key_stamp = int(self._keys[key])

    def _stamp_of(self, frame: Any) -> int | None:
        """Return a frame's time stamp, or its number where stamps are wrong."""
        if self._stamped:
            return frame.pts
        if self._at is not None:
            return self._at + 1
        return self._key_stamp if frame.key_frame else None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, h, w), or (n, h, w, 3) in colour."""
        with self._lock:
            return np.stack([self._frame(k) for k in range(start, stop)])

    def _frame(self, k: int) -> np.ndarray:
        if k in self._cache:
            self._cache.move_to_end(k)
            return self._cache[k]
        target = int(self._stamps[k])
        key = max(0, int(np.searchsorted(self._keys, target, "right")) - 1)
        at = self._at
        is_next = at is not None and k > 0 and at == self._stamps[k - 1]
        if not is_next and (at is None or at >= target or self._keys[key] > at):
            self._rewind(key)
        try:
            for frame in self._decoder:
                stamp = self._stamp_of(frame)
                if stamp is None:
                    continue
                self._at = stamp
                if stamp == target:
                    return self._remember(k, _pixels(frame, self._gray))
                if stamp > target:
                    break
        except av.FFmpegError as error:
            self._at = None
            raise self._unreadable(error) from error
        self._at = None
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


def _pixels(frame: Any, gray: bool) -> np.ndarray:
    name = frame.format.name
    if gray and name.startswith("gray") and name != "gray":
        # More than 8 bits, which stay as they are.
        return frame.to_ndarray(format="gray16le" if "16" in name else name)
    if gray or name.startswith("gray"):
        return frame.to_ndarray(format="gray")
    return frame.to_ndarray(format="rgb24")
