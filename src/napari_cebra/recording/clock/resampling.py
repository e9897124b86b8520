"""What was sampled on its own clock, at the moments of the imaging frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_cebra.recording.clock.frames import rising_times
from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_cebra.recording.variable import Variable

ResampleMethod = Literal["interpolate", "mean", "nearest", "hold", "majority"]
_METHODS: dict[str, tuple[str, ...]] = {
    "discrete": ("hold", "majority"),
    "continuous": ("interpolate", "mean", "nearest", "hold"),
}


@dataclass(frozen=True, eq=False)
class Resampled:
    """A variable at other times, and how it was brought there.

    Parameters
    ----------
    variable : Variable
        (T,) or (T, d); NaN (discrete: -1) where `valid` is false.
    valid : (T,) bool
        Rows for which there were samples near enough.
    method : str
        What was done, in words.
    """

    variable: Variable
    valid: np.ndarray
    method: str


def resample(
    variable: Variable,
    times: ArrayLike,
    at: ArrayLike,
    *,
    method: ResampleMethod | None = None,
    longest_gap_s: float | None = None,
) -> Resampled:
    """Bring a variable from its own sampling times to those of the frames.

    Continuous values are interpolated linearly, or averaged over the frame
    interval about each moment where there are two samples or more a frame;
    circular values likewise, along the shorter arc or as unit vectors, and
    come out from 0 to the period; discrete values are held from each sample
    until the next. "nearest" takes the nearest sample as it is; "majority" the
    discrete value that most samples of the frame interval have, and holds where
    there is none.

    Parameters
    ----------
    variable : Variable
        n rows; rows without a value count as no sample.
    times : (n,) array-like
        Seconds of the samples, already on the clock of `at`.
    at : (T,) array-like
        Seconds of the imaging frames.
    method : {"interpolate", "mean", "nearest", "hold", "majority"}, optional
        Another than the one chosen by kind and rates; "majority" for discrete
        values alone, which are otherwise always held.
    longest_gap_s : float, optional
        Moments between two samples farther apart are not valid; default 1 s or,
        of a slower log, 2.5 median intervals, and no limit for discrete values,
        which may be logged only as they change. A value is held no longer than
        this, and the last one for no longer than the median interval.

    Raises
    ------
    InvalidInput
        If times do not rise, lengths differ, no sample has a value, or the
        method does not suit the kind.
    """
    clock = rising_times(times, f"times of {variable.name!r}")
    moments = rising_times(at, "frame times")
    if clock.size != len(variable.values):
        raise InvalidInput(
            f"{variable.name!r} has {len(variable.values)} values but {clock.size} "
            "times; give one time per value."
        )
    discrete = variable.kind == "discrete"
    allowed = _METHODS["discrete" if discrete else "continuous"]
    if method not in (None, *allowed):
        raise InvalidInput(
            f"{variable.name!r} is {variable.kind} and cannot be resampled by "
            f"{method!r}; use {', '.join(allowed[:-1])} or {allowed[-1]}."
        )
    known = variable.known
    if not known.any():
        raise InvalidInput(
            f"{variable.name!r} has no value in any row; leave it out or choose "
            "another column."
        )
    if discrete or method == "hold":
        limit = np.inf if longest_gap_s is None else longest_gap_s
        row = _held(clock, moments, limit)
        valid = (row >= 0) & known[row]
        empty = -1 if discrete else np.nan
        values = np.where(_like(valid, variable.values), variable.values[row], empty)
        within = "" if limit == np.inf else f" for at most {limit:g} s"
        done = f"each value held until the next{within}"
        if method == "majority":
            most, filled = _majority(clock, variable.values, moments)
            values, valid = np.where(filled, most, values), valid | filled
            done = f"most frequent within each frame interval; elsewhere {done}"
        return Resampled(replace(variable, values=values), valid, done)
    slow = 2.5 * float(np.median(np.diff(clock)))
    limit = max(1.0, slow) if longest_gap_s is None else longest_gap_s
    frame = float(np.median(np.diff(moments)))
    if method is None:
        faster = 2 * np.median(np.diff(clock)) <= frame
        method = "mean" if faster else "interpolate"
    clock, samples = clock[known], variable.values[known]
    period = variable.period if variable.kind == "circular" else None
    values, valid = _interpolated(clock, samples, moments, limit, period)
    done = "linear interpolation" if period is None else "interpolated along the arc"
    if method == "nearest":
        values = np.where(_like(valid, samples), samples[_nearest(clock, moments)], 0.0)
        done = "the nearest sample"
    done += f", not across gaps longer than {limit:g} s"
    if method == "mean":
        means, filled = _means(clock, samples, moments, frame / 2, period)
        values[filled] = means[filled]
        valid |= filled
        kind = "mean" if period is None else "circular mean"
        done = f"{kind} within each frame interval; frames without a sample: {done}"
    values[~valid] = np.nan
    return Resampled(replace(variable, values=values), valid, done)


def shown_at(
    times: ArrayLike,
    frames: ArrayLike,
    at: ArrayLike,
    *,
    longest_s: float | None = None,
) -> np.ndarray:
    """Return which stimulus frame was on at each moment, by hold.

    A frame is on from its own time until the next one's: numbers of frames
    are never interpolated. A time that is later than a moment by less than a
    microsecond, as rounding may leave it, counts as no later.

    Parameters
    ----------
    times : (n,) array-like
        Seconds at which the frames came on, already on the clock of `at`.
    frames : (n,) array-like
        The number of each frame (or of its repeat); -1 where a blank came on.
    at : (T,) array-like
        Seconds of the imaging frames.
    longest_s : float, optional
        A frame without successor for longer, by default ten median intervals,
        is taken to be the last before a pause: it was on for one median
        interval. So is the last of all.

    Returns
    -------
    (T,) int64
        -1 where nothing was on; this is `Stimulus.shown`.

    Raises
    ------
    InvalidInput
        If times do not rise, lengths differ or a number is not whole.
    """
    clock = rising_times(times, "stimulus times")
    numbers = np.asarray(frames, np.float64)
    if numbers.shape != clock.shape or np.any(numbers != np.rint(numbers)):
        raise InvalidInput(
            f"There are {clock.size} stimulus times and {numbers.size} frame numbers; "
            "give one whole number per time (-1 for a blank)."
        )
    interval = float(np.median(np.diff(clock)))
    limit = 10 * interval if longest_s is None else longest_s
    row = _held(clock, rising_times(at, "frame times"), np.inf)
    on_for = np.append(np.diff(clock), np.inf)
    on_for[on_for > limit] = interval
    on = (row >= 0) & (np.asarray(at) + _SLACK_S < clock[row] + on_for[row])
    return np.where(on, numbers[row], -1).astype(np.int64)


_SLACK_S = 1e-6


def _held(clock: np.ndarray, at: np.ndarray, limit: float) -> np.ndarray:
    """Row of the last sample at or before each moment; -1 where too long ago."""
    row = np.searchsorted(clock, at + _SLACK_S, side="right") - 1
    after_end = at > clock[-1] + np.median(np.diff(clock))
    return np.where((at - clock[row] > limit) | after_end, -1, row)


def _interpolated(
    clock: np.ndarray,
    values: np.ndarray,
    at: np.ndarray,
    limit: float,
    period: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Values between samples, and where the samples are near enough."""
    columns = values.reshape(clock.size, -1)
    if period is not None:
        columns = np.unwrap(columns, axis=0, period=period)
    between = np.stack([np.interp(at, clock, c) for c in columns.T], axis=1)
    if period is not None:
        between %= period
    before = np.searchsorted(clock, at, side="right") - 1
    after = np.searchsorted(clock, at, side="left")
    inside = (before >= 0) & (after < clock.size)
    apart = clock[np.minimum(after, clock.size - 1)] - clock[before]
    return between.reshape(at.size, *values.shape[1:]), inside & (apart <= limit)


def _nearest(clock: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Row of the sample nearest to each moment."""
    return np.searchsorted((clock[1:] + clock[:-1]) / 2, at, side="right")


def _in_frames(
    clock: np.ndarray, at: np.ndarray, half: float
) -> tuple[np.ndarray, np.ndarray]:
    """Frame of each sample that lies in a frame interval, and which samples do."""
    frame = _nearest(at, clock)
    near = np.abs(clock - at[frame]) <= half
    return frame[near], near


def _majority(
    clock: np.ndarray, codes: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Code that most samples of each frame have (the lower of two), and where any."""
    frame, near = _in_frames(clock, at, float(np.median(np.diff(at))) / 2)
    known = codes[near] >= 0
    frame, found = frame[known], codes[near][known]
    pairs, count = np.unique(np.stack([frame, found]), axis=1, return_counts=True)
    order = np.lexsort((-pairs[1], count, pairs[0]))  # the last of a frame wins
    values = np.full(at.size, -1, np.int64)
    values[pairs[0, order]] = pairs[1, order]
    return values, values >= 0


def _means(
    clock: np.ndarray,
    values: np.ndarray,
    at: np.ndarray,
    half: float,
    period: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the samples nearest to each moment, and where there are any."""
    frame, near = _in_frames(clock, at, half)
    values = values[near]
    count = np.bincount(frame, minlength=at.size)

    def mean(column: np.ndarray) -> np.ndarray:
        return np.bincount(frame, column, at.size) / np.maximum(count, 1)

    if period is not None:
        angle = values * (2 * np.pi / period)
        turn = np.arctan2(mean(np.sin(angle)), mean(np.cos(angle))) / (2 * np.pi)
        return turn * period % period, count > 0
    columns = values.reshape(values.shape[0], -1)
    means = np.stack([mean(column) for column in columns.T], axis=1)
    return means.reshape(at.size, *values.shape[1:]), count > 0


def _like(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    return rows if values.ndim == 1 else rows[:, None]
