"""A movie seen through an index, without copying a frame T times."""

from __future__ import annotations

from typing import Any

import numpy as np


class IndexedMovie:
    """Lazy (T, h, w[, 3]) array: row t is movie frame ``index[t]``.

    Parameters
    ----------
    movie : (M, h, w[, 3]) array-like
        Read one frame at a time.
    index : (T,) int
        Movie frame of each row; -1 is a blank (zero) frame.
    """

    def __init__(self, movie: Any, index: np.ndarray) -> None:
        self._movie = movie
        self._index = np.asarray(index, np.int64)
        self.shape = (self._index.size, *map(int, movie.shape[1:]))
        self.dtype = np.dtype(movie.dtype)
        self._last: tuple[int, np.ndarray] | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values, as if every frame were stored."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        keys = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in keys):
            at = next(i for i, part in enumerate(keys) if part is Ellipsis)
            missing = self.ndim - len(keys) + 1
            keys = (*keys[:at], *([slice(None)] * missing), *keys[at + 1 :])
        rows, rest = self._index[keys[0]], tuple(keys[1:])
        if np.ndim(rows) == 0:
            return self._frame(int(rows))[rest]
        frames = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, frame in enumerate(rows):
            frames[place] = self._frame(int(frame))
        return frames[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("An indexed movie has no array of its own to share.")
        return np.asarray(self[:], dtype=dtype)

    def _frame(self, frame: int) -> np.ndarray:
        if frame < 0:
            return np.zeros(self.shape[1:], self.dtype)
        # napari reads a frame several times per step: slice, then thumbnail.
        if self._last is None or self._last[0] != frame:
            self._last = (frame, np.asarray(self._movie[frame]))
        return self._last[1]
