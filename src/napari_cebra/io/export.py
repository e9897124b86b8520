"""Writing the decoded sequence as pictures: TIFF and MP4.

Frames are looked up in the movie one at a time, so an export of any length
needs the memory of a few frames. Each function is a generator: it yields
progress, and stopping it removes what was written so far.
"""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.recording import InvalidInput, Progress
from napari_cebra.recording.atomic import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Iterator

_REPORT_EVERY_S = 0.1
_VISIBLE_HEIGHT = 288
_LARGEST_WIDTH = 1920
_GAP = 8
# H.264 as the FFmpeg inside PyAV offers it; MPEG-4 part 2 plays everywhere too.
_ENCODERS = ("libx264", "libopenh264", "mpeg4")


def write_decoded_tiff(
    path: str | os.PathLike[str],
    movie: Any,
    predicted: np.ndarray,
    rate: float | None = None,
) -> Generator[Progress, None, Path]:
    """Write the decoded sequence as a TIFF stack, one page per imaging frame.

    Parameters
    ----------
    path : path
        Ending in .tif or .tiff.
    movie : (M, h, w) or (M, h, w, 3) array-like
        The movie in which frames are looked up.
    predicted : (T,) int
        Movie frame for each imaging frame; -1 gives a black frame.
    rate : float, optional
        Imaging frames per second, kept in the metadata.

    Returns
    -------
    Path
        The file. It opens in ImageJ as a time series where ImageJ knows the
        pixel type, and in anything that reads TIFF or BigTIFF.

    Raises
    ------
    InvalidInput
        If the indices do not fit the movie or the file cannot be written.
    """
    import tifffile

    path = _with_suffix(path, (".tif", ".tiff"))
    index = _checked_index(predicted, movie, "predicted")
    dtype = np.dtype(movie.dtype)
    frame_bytes = int(np.prod(movie.shape[1:])) * dtype.itemsize
    large = index.size * frame_bytes > 3_900_000_000
    colour = len(movie.shape) == 4
    imagej = not large and dtype.name in (
        ("uint8",) if colour else ("uint8", "uint16", "float32")
    )
    shape = (index.size, *movie.shape[1:])
    description = tiff_description(shape, dtype, rate, imagej)
    with replacing(path) as draft:
        with tifffile.TiffWriter(draft, bigtiff=large) as tif:
            for done, frame in _reported(_frames(movie, index), index.size):
                if frame is not None:
                    tif.write(
                        np.ascontiguousarray(frame),
                        contiguous=True,
                        photometric="rgb" if colour else "minisblack",
                        description=None if done else description,
                        metadata=None,
                    )
                else:
                    yield Progress(done, index.size, "frames", f"writing {path.name}")
    return path


def write_decoded_mp4(
    path: str | os.PathLike[str],
    movie: Any,
    shown: np.ndarray,
    predicted: np.ndarray,
    rate: float | None,
    limits: tuple[float, float] | None = None,
) -> Generator[Progress, None, Path]:
    """Write a video with the frame shown on the left and decoded on the right.

    Parameters
    ----------
    path : path
        Ending in .mp4.
    movie : (M, h, w) or (M, h, w, 3) array-like
        The movie in which frames are looked up.
    shown, predicted : (T,) int
        Movie frame for each imaging frame; -1 leaves that side blank.
    rate : float
        Imaging frames per second; the video runs at this rate, which need not
        be a whole number.
    limits : (low, high), optional
        Pixel values drawn as black and white. Default 0 to 255 for uint8, the
        range of 32 sampled frames otherwise.

    Returns
    -------
    Path
        The file: H.264, yuv420p. Small movies are enlarged by a whole factor.

    Raises
    ------
    InvalidInput
        If the rate is not known, the indices do not fit the movie, or the
        file cannot be written.
    """
    path = _with_suffix(path, (".mp4",))
    if rate is None or not (np.isfinite(rate) and rate > 0):
        raise InvalidInput(
            "A video needs the frame rate of the recording, which is not known; enter "
            "it where the stack is loaded, or export a TIFF."
        )
    left = _checked_index(shown, movie, "shown")
    right = _checked_index(predicted, movie, "predicted")
    if left.size != right.size:
        raise InvalidInput(
            f"There are {left.size} shown but {right.size} decoded frames; give one of "
            "each per imaging frame."
        )
    canvas = _Canvas(movie, limits)
    pairs = zip(
        _frames(movie, left, blank=None), _frames(movie, right, blank=None), strict=True
    )
    with replacing(path) as draft:
        pictures = (canvas.draw(a, b) for a, b in pairs)
        total = left.size
        for done in _encoded(draft, pictures, total, as_fraction(rate)):
            yield Progress(done, total, "frames", f"writing {path.name}")
    return path


def tiff_description(
    shape: tuple[int, ...], dtype: np.dtype, rate: float | None, imagej: bool
) -> str:
    """Return what the pages are, as ImageJ or else as tifffile writes it."""
    if imagej:
        lines = ["ImageJ=1.54f", f"images={shape[0]}", f"frames={shape[0]}"]
        lines += ["hyperstack=true", "loop=false"]
        lines += ["mode=grayscale"] if len(shape) == 3 else []
        if rate is not None:
            lines += [f"finterval={1 / rate!r}", f"fps={rate!r}", "tunit=sec"]
        if dtype.itemsize == 1:
            lines += ["min=0.0", "max=255.0"]
        return "\n".join(lines) + "\n"
    axes = "TYXS" if len(shape) == 4 else "TYX"
    described: dict[str, Any] = {"shape": list(shape), "axes": axes}
    if rate is not None:
        described |= {"finterval": 1 / rate, "fps": rate}
    return json.dumps(described)


def as_fraction(rate: float) -> Fraction:
    """Return a frame rate as the ratio video files keep.

    NTSC rates come out exact (29.97 and 29.970030 are 30000/1001).
    """
    ntsc = Fraction(round(rate * 1.001) * 1000, 1001)
    if abs(float(ntsc) - rate) < 5e-4 * max(1.0, rate / 30) and ntsc > 0:
        if abs(rate - round(rate)) > 1e-3:
            return ntsc
    return Fraction(rate).limit_denominator(60000)


class _Canvas:
    """Two movie frames side by side as one RGB picture of even size."""

    def __init__(self, movie: Any, limits: tuple[float, float] | None) -> None:
        h, w = int(movie.shape[1]), int(movie.shape[2])
        fits = max(1, (_LARGEST_WIDTH - _GAP) // (2 * w))
        self.scale = max(1, min(-(-_VISIBLE_HEIGHT // h), fits))
        self.h, self.w = h * self.scale, w * self.scale
        self.shape = (self.h + self.h % 2, 2 * self.w + _GAP, 3)
        self.plain = np.dtype(movie.dtype) == np.uint8 and limits is None
        self.low: float
        self.high: float
        self.low, self.high = limits or ((0, 255) if self.plain else _range_of(movie))

    def draw(self, left: np.ndarray | None, right: np.ndarray | None) -> np.ndarray:
        picture = np.zeros(self.shape, np.uint8)
        picture[:, self.w : self.w + _GAP] = 64
        for frame, x in ((left, 0), (right, self.w + _GAP)):
            if frame is not None:
                picture[: self.h, x : x + self.w] = self._pixels(frame)
        return picture

    def _pixels(self, frame: np.ndarray) -> np.ndarray:
        if not self.plain:
            span = max(self.high - self.low, 1e-12)
            unit = (frame.astype(np.float64) - self.low) / span
            frame = np.round(np.clip(np.nan_to_num(unit), 0, 1) * 255)
            frame = frame.astype(np.uint8)
        large = frame.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        return large if large.ndim == 3 else large[..., None]


def _range_of(movie: Any) -> tuple[float, float]:
    rows = np.unique(np.linspace(0, movie.shape[0] - 1, 32).astype(int))
    sample = [np.asarray(movie[int(k)]) for k in rows]
    return float(np.nanmin(sample)), float(np.nanmax(sample))


def _encoded(
    path: Path, pictures: Iterable[np.ndarray], total: int, rate: Fraction
) -> Iterator[int]:
    """Encode pictures; yield how many are done, now and then."""
    import av

    try:
        with av.open(str(path), "w", format="mp4") as container:
            stream: Any = None
            for done, picture in _reported(pictures, total):
                if picture is None:
                    yield done
                    continue
                if stream is None:
                    stream = _stream(container, picture.shape, rate)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = done
                frame.time_base = 1 / rate
                container.mux(stream.encode(frame))
            if stream is not None:
                container.mux(stream.encode(None))
    except av.FFmpegError as error:
        if error.errno and error.errno > 0:
            raise OSError(error.errno, error.strerror) from error
        raise InvalidInput(
            f"The video could not be encoded ({error}); export a TIFF instead."
        ) from error


def _stream(container: Any, shape: tuple[int, ...], rate: Fraction) -> Any:
    import av

    name = next((n for n in _ENCODERS if n in av.codecs_available), None)
    if name is None:
        raise InvalidInput(
            "The installed PyAV has no H.264 or MPEG-4 encoder; install the av wheel "
            "from PyPI, or export a TIFF."
        )
    stream = container.add_stream(name, rate=rate)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / rate
    if name == "libx264":
        stream.options = {"crf": "17", "preset": "veryfast"}
    else:
        stream.bit_rate = 8_000_000
    return stream


def _frames(
    movie: Any, index: np.ndarray, blank: Any = "black"
) -> Iterator[np.ndarray | None]:
    """Look frames up; `blank` is what stands for -1."""
    if isinstance(blank, str):
        blank = np.zeros(movie.shape[1:], movie.dtype)
    for k in index.tolist():
        yield blank if k < 0 else np.asarray(movie[k])


def _reported(
    items: Iterable[np.ndarray | None], total: int
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Count the items; put ``(done, None)`` between them where to report."""
    last = -np.inf
    for done, item in enumerate(items):
        yield done, item
        now = time.monotonic()
        if now - last > _REPORT_EVERY_S or done + 1 == total:
            last = now
            yield done + 1, None


def _checked_index(index: np.ndarray, movie: Any, what: str) -> np.ndarray:
    index = np.asarray(index)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
        raise InvalidInput(
            f"The {what} frames must be one whole number per imaging frame; decode "
            "first."
        )
    if len(movie.shape) not in (3, 4):
        raise InvalidInput(
            f"The movie must be (frames, height, width[, 3]), not {movie.shape}."
        )
    if index.max() >= movie.shape[0] or index.min() < -1:
        raise InvalidInput(
            f"The {what} frames run from {index.min()} to {index.max()} but the movie "
            f"has {movie.shape[0]} frames, counted from 0; choose the right movie."
        )
    return index.astype(np.int64)


def _with_suffix(path: str | os.PathLike[str], allowed: tuple[str, ...]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in allowed:
        raise InvalidInput(
            f"{path.name} must end in {' or '.join(allowed)}; change the file name."
        )
    return path
