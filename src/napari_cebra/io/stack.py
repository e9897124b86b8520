"""A stack on disk, seen as (T, Y, X) frames that are never all in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from types import TracebackType

    from napari_cebra.io.sources import SourceFile


class FrameReader(Protocol):
    """What a format family has to offer; safe to call from several threads."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames first."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """In native byte order, as `read` returns it."""
        ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as (n, Y, X), C-contiguous."""
        ...

    def view(self) -> Any:
        """Return an array-like (T, Y, X) that costs no memory, or None."""
        ...

    def close(self) -> None:
        """Give back files."""
        ...


class Stack:
    """Frames over time from a file or an array that is already open.

    Attributes
    ----------
    shape : (T, Y, X)
        Frames, rows, columns.
    dtype : numpy.dtype
        As stored, in native byte order. Values are never scaled or converted.
    rate : float or None
        Frames per second; None where the file does not say and nobody did.
    axes : str
        Axis order in which the frames are stored.
    source : SourceFile or None
        The raw file; None for an array.
    pixel_um : (y, x) or None
        Size of a pixel in µm, where the file or a person said so.
    lazy : array-like
        (T, Y, X), for a viewer; read-only, reads what is looked at.
    called : str
        What an error calls it: "the stack", or "the corrected movie" whose pixels
        lie elsewhere than those of the file.
    """

    def __init__(
        self,
        reader: FrameReader,
        name: str,
        axes: str = "TYX",
        rate: float | None = None,
        source: SourceFile | None = None,
        pixel_um: tuple[float, float] | None = None,
    ) -> None:
        if rate is not None and not (np.isfinite(rate) and rate > 0):
            raise InvalidInput(
                f"The frame rate must be a positive number of Hz, not {rate}."
            )
        if pixel_um is not None:
            height, width = (float(size) for size in pixel_um)
            if not (0 < height < np.inf and 0 < width < np.inf):
                raise InvalidInput(
                    f"The size of a pixel must be two positive numbers of µm, not "
                    f"{pixel_um}."
                )
            pixel_um = height, width
        self._reader = reader
        self.called: str = getattr(reader, "called", "the stack")
        self.name = name
        self.axes = axes
        self.rate = None if rate is None else float(rate)
        self.source = source
        self.pixel_um = pixel_um
        t, y, x = reader.shape
        self.shape: tuple[int, int, int] = (t, y, x)
        self.dtype = reader.dtype
        view = reader.view()
        self.lazy: Any = LazyFrames(reader) if view is None else view

    @property
    def n_frames(self) -> int:
        """Number of frames, T."""
        return self.shape[0]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames ``start:stop`` as a new (n, Y, X) array.

        Indices are cut to the stack, as in slicing. May be called from
        several threads at once.

        Raises
        ------
        InvalidInput
            If the file ends early or a frame cannot be decoded.
        """
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        if stop <= start:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return self._reader.read(start, stop)

    def close(self) -> None:
        """Give back open files; the stack cannot be read afterwards."""
        self._reader.close()

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        rate = "rate unknown" if self.rate is None else f"{self.rate:g} Hz"
        t, y, x = self.shape
        return f"<Stack {self.name}: {t} × {y} × {x} {self.dtype}, {rate}>"


@dataclass(frozen=True, eq=False)
class LazyFrames:
    """Array-like, frames first, over a reader; an index reads just those frames."""

    reader: FrameReader

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, Y, X), or (T, Y, X, 3) for a colour movie."""
        return self.reader.shape

    @property
    def dtype(self) -> np.dtype:
        """As stored, in native byte order."""
        return self.reader.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes if it were all in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        if any(part is None for part in key):
            raise IndexError("a lazy stack cannot be indexed with newaxis")
        if Ellipsis in [part for part in key if not isinstance(part, np.ndarray)]:
            k = next(i for i, part in enumerate(key) if part is Ellipsis)
            fill = (slice(None),) * (self.ndim - len(key) + 1)
            key = key[:k] + fill + key[k + 1 :]
        first, rest = (key[0] if key else slice(None)), tuple(key[1:])
        total = self.shape[0]
        if isinstance(first, SupportsIndex) and not isinstance(first, np.ndarray):
            row = first.__index__()
            if not -total <= row < total:
                raise IndexError(f"frame {row} of a stack of {total} frames")
            row %= total
            return self.reader.read(row, row + 1)[0][rest]
        if isinstance(first, slice):
            start, stop, step = first.indices(total)
            if step == 1:
                block = self._block(start, stop)
                return block[(slice(None), *rest)]
            rows = np.arange(total)[first]
        else:
            rows = np.arange(total)[np.asarray(first)]
        if rows.ndim == 0:
            return self.reader.read(int(rows), int(rows) + 1)[0][rest]
        cut = [self.reader.read(int(row), int(row) + 1)[0][rest] for row in rows]
        return np.stack(cut) if cut else self._block(0, 0)[(slice(None), *rest)]

    def _block(self, start: int, stop: int) -> np.ndarray:
        if stop <= start:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return self.reader.read(start, stop)

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> np.ndarray:
        return np.asarray(self[:], dtype)
