"""The movie the animal saw, and which of its frames was on at each moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_cebra.recording.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Stimulus:
    """A stimulus movie seen through an index per imaging frame.

    Parameters
    ----------
    shown : (T,) int64
        Movie frame on the screen at each imaging frame, -1 = none.
    repeat : (T,) int64, optional
        Number of the showing each imaging frame belongs to, -1 = none.
        Default: a new repeat begins wherever `shown` jumps back.
    movie : (M, h, w) or (M, h, w, 3) array-like, optional
        Anything that indexes like an array; never copied.
    frame_times : (M,) float64, optional
        Seconds from the movie's start to each movie frame; None where the
        rate is not known.
    n_movie_frames : int, optional
        M; taken from the movie, else `frame_times`, else ``shown.max() + 1``.

    Raises
    ------
    InvalidInput
        If an index lies outside the movie or lengths disagree.
    """

    shown: np.ndarray
    repeat: np.ndarray = None  # type: ignore[assignment]
    movie: Any = None
    frame_times: np.ndarray | None = None
    n_movie_frames: int | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        shown = np.asarray(self.shown)
        if shown.ndim != 1 or shown.size == 0:
            raise InvalidInput("The shown-frame index must be one number per frame.")
        filled = np.where(np.isfinite(shown.astype(np.float64)), shown, -1)
        if np.any(filled != np.round(filled)):
            raise InvalidInput(
                "The shown-frame index must hold whole movie-frame numbers "
                "(-1 or empty where nothing was shown)."
            )
        shown = filled.astype(np.int64)
        put(self, "shown", shown)
        if self.repeat is None:
            put(self, "repeat", _count_repeats(shown))
        else:
            repeat = np.asarray(self.repeat, dtype=np.float64)
            put(self, "repeat", np.where(np.isfinite(repeat), repeat, -1).astype(int))
        if self.repeat.shape != shown.shape:
            raise InvalidInput(
                f"There are {shown.size} shown-frame indices but "
                f"{self.repeat.size} repeat numbers."
            )
        count = self.n_movie_frames
        if self.movie is not None:
            if len(self.movie.shape) not in (3, 4):
                raise InvalidInput(
                    "A stimulus movie must be (frames, height, width) or (frames, "
                    f"height, width, 3), not {tuple(self.movie.shape)}."
                )
            count = int(self.movie.shape[0])
        elif count is None and self.frame_times is not None:
            count = len(self.frame_times)
        elif count is None:
            count = int(shown.max()) + 1
        put(self, "n_movie_frames", count)
        if shown.max() >= count:
            raise InvalidInput(
                f"The stimulus movie has {count} frames, but the shown-frame index "
                f"goes up to {int(shown.max())} (counting from 0); choose the right "
                "movie or mend the index."
            )
        if shown.max() < 0:
            raise InvalidInput("The shown-frame index names no movie frame at all.")
        if self.frame_times is not None:
            times = np.ascontiguousarray(self.frame_times, dtype=np.float64)
            rising = times.ndim == 1 and np.all(np.diff(times) > 0)
            if times.shape != (count,) or not (rising and np.isfinite(times).all()):
                raise InvalidInput(
                    f"The movie's frame times must be {count} rising numbers of "
                    "seconds."
                )
            put(self, "frame_times", times)

    @property
    def n_frames(self) -> int:
        """Number of movie frames, M."""
        assert self.n_movie_frames is not None
        return self.n_movie_frames

    @property
    def repeats(self) -> np.ndarray:
        """Sorted repeat numbers that occur (without -1)."""
        found = np.unique(self.repeat)
        return found[found >= 0]


def _count_repeats(shown: np.ndarray) -> np.ndarray:
    repeat = np.full(shown.shape, -1, np.int64)
    on = np.flatnonzero(shown >= 0)
    if on.size:
        repeat[on] = np.concatenate([[0], np.cumsum(np.diff(shown[on]) < 0)])
    return repeat
