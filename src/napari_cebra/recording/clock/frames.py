"""Time stamps that must rise, and the frames that are missing between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def rising_times(times: ArrayLike, what: str, fewest: int = 2) -> np.ndarray:
    """Return (n,) float64 times once they are seen to rise.

    Raises
    ------
    InvalidInput
        If there are fewer than `fewest`, or one is not finite, is there twice
        or goes back; the text names the first.
    """
    stamps = np.asarray(times, np.float64)
    if stamps.ndim != 1 or stamps.size < fewest:
        raise InvalidInput(
            f"The {what} must be a list of at least {fewest} times in seconds, not of "
            f"shape {stamps.shape}; choose another column or log."
        )
    lost = np.flatnonzero(~np.isfinite(stamps))
    if lost.size:
        raise InvalidInput(
            f"{lost.size} of the {stamps.size} {what} are empty or not numbers, the "
            f"first at row {lost[0]} (counting from 0); leave those rows out."
        )
    wrong = np.flatnonzero(np.diff(stamps) <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        same = stamps[row] == stamps[row - 1]
        raise InvalidInput(
            f"The {what} must rise, but row {row} (counting from 0) "
            f"{'repeats' if same else 'goes back from'} {stamps[row - 1]:.6f} s"
            f"{'' if same else f' to {stamps[row]:.6f} s'}, the first of {wrong.size} "
            "such rows; remove doubled rows, or split the log where its clock was "
            "set back."
        )
    return stamps


@dataclass(frozen=True, eq=False)
class FrameGaps:
    """Where frames were dropped.

    Parameters
    ----------
    numbers : (T,) int64
        Number of each recorded frame, from 0, had none been dropped.
    interval : float
        Seconds from one frame to the next.
    """

    numbers: np.ndarray
    interval: float

    @property
    def after(self) -> np.ndarray:
        """(G,) int64: rows after which frames are missing."""
        return np.flatnonzero(np.diff(self.numbers) > 1)

    @property
    def lengths(self) -> np.ndarray:
        """(G,) int64: how many frames are missing there."""
        return np.diff(self.numbers)[self.after] - 1

    @property
    def missing(self) -> np.ndarray:
        """(D,) int64: numbers of the dropped frames."""
        every = np.arange(self.numbers[-1] + 1)
        return np.setdiff1d(every, self.numbers, assume_unique=True)

    def split(self, trials: ArrayLike | None = None) -> np.ndarray:
        """Return (T,) int64 trial ids in which each gap is a border too.

        The stretches are numbered from 0; no window crosses a dropped frame
        in a recording with these trials.
        """
        borders = np.diff(self.numbers) > 1
        if trials is not None:
            borders |= np.diff(np.asarray(trials)) != 0
        return np.concatenate([[0], np.cumsum(borders)])

    def __str__(self) -> str:
        total = int(self.lengths.sum())
        return (
            f"{total} of {self.numbers[-1] + 1} frames dropped in {self.after.size} "
            f"gaps, the longest of {int(self.lengths.max(initial=0))} frames"
        )


def find_gaps(frame_times: ArrayLike, rate: float | None = None) -> FrameGaps:
    """Find dropped frames from the frames' time stamps.

    A step of more than one and a half intervals is a gap, of as many frames
    as fit best. The interval is the median step unless the rate is given. Of
    frames dropped before the first or after the last, time stamps know nothing.

    Parameters
    ----------
    frame_times : (T,) array-like
        Seconds of each recorded frame.
    rate : float, optional
        Frames per second.

    Raises
    ------
    InvalidInput
        If the times do not rise, or most steps do not agree with the rate.
    """
    times = rising_times(frame_times, "frame times")
    steps = np.diff(times)
    interval = float(np.median(steps))
    if rate is not None:
        if not (np.isfinite(rate) and rate > 0 and abs(interval * rate - 1) < 0.5):
            raise InvalidInput(
                f"The frame times advance at {1 / interval:.4g} frames per second, not "
                f"at {rate:g}; correct the rate, or choose the log of this recording."
            )
        interval = 1 / float(rate)
    taken = np.maximum(np.rint(steps / interval), 1).astype(np.int64)
    return FrameGaps(np.concatenate([[0], np.cumsum(taken)]), interval)
