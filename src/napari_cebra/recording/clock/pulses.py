"""Two clocks from shared pulses, of which nobody knows which is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_cebra.recording.clock.clock_map import ClockMap
from napari_cebra.recording.clock.frames import rising_times
from napari_cebra.recording.clock.pairs import Alignment, robust_line, spread
from napari_cebra.recording.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_RUNS = (3, 6)
"""Intervals in a run that is looked up in the other log. A long run tells more,
a short one is more often free of missing and spurious pulses."""

_ANCHORS, _NEIGHBOURS, _TRIES = 300, 8, 12
_SHIFTS = (-3, -2, -1, 1, 2, 3)


@dataclass(frozen=True, eq=False)
class _Line:
    """A candidate: target = scale * source + offset, and the pairs it makes."""

    scale: float
    offset: float
    source_rows: np.ndarray
    target_rows: np.ndarray
    residuals: np.ndarray


def align_pulses(
    source: ArrayLike,
    target: ArrayLike,
    *,
    pin: Literal["first", "last", "both"] | None = None,
    tolerance_s: float = 0.01,
    max_scale_error: float = 0.06,
    min_match: float = 0.8,
) -> Alignment:
    """Fit a clock to pulses that both logs have recorded.

    Either log may lack pulses, hold spurious ones, and begin or end before
    the other. Runs of intervals, each divided by its mean, are looked up in
    the other log; the lines they give are extended from there to the whole
    log, refitted by least squares without outliers each time the stretch has
    doubled, and the one that leaves least is kept.

    Parameters
    ----------
    source, target : (n,), (m,) array-like
        Seconds of the pulses on each clock, rising.
    pin : {"first", "last", "both"}, optional
        Which pulses are known to be the same in both logs. Needed where the
        intervals are all alike, since a shift by a whole pulse then fits as
        well.
    tolerance_s : float
        Largest residual of a pair, in target seconds; never more than an
        eighth of the median interval.
    max_scale_error : float
        Largest deviation of the scale from 1.
    min_match : float
        Share of pulses, of the log that has fewer in the time both cover,
        that must find a partner. With one in twenty missing and one in twenty
        spurious in both logs, 90 % can.

    Raises
    ------
    InvalidInput
        If a log does not rise or is too short, if too few pulses match (the
        text states the rate), if so many would match by chance, or if a
        shifted alignment is as good.
    """
    fewest = 4 if pin else 6
    source = rising_times(source, "source pulses", fewest)
    target = rising_times(target, "target pulses", fewest)
    # From the first pulses on, so that seconds since 1970 lose no digits.
    a, b = source - source[0], target - target[0]
    step = min(float(np.median(np.diff(log))) for log in (a, b))
    within = min(tolerance_s, step / 8)
    loose = min(10 * within, step / 8)
    seeds = _pinned(a, b, pin) if pin else _seeds(a, b, within, max_scale_error)
    lines = _extended(a, b, seeds, within, loose, max_scale_error)
    if not lines:
        raise _unmatched(0.0, a, b, min_match)
    best = max(lines, key=lambda line: line.residuals.size)
    if pin is None:
        lines += _shifted(a, b, best, within)
        width = _width(best, within)
        best = min(lines, key=lambda line: _cost(line, width))
    n_source, n_target = _shared(a, b, best, within)
    matched, shared = best.residuals.size, max(min(n_source, n_target), 1)
    by_chance = 2 * within * max(n_source / best.scale / a[-1], n_target / b[-1])
    if matched < min_match * shared or not _beyond_chance(
        matched, shared, by_chance, 1.0 if pin else float(a.size * b.size) ** 2
    ):
        raise _unmatched(matched / shared, a, b, min_match)
    if pin is None:
        _refuse_ambiguous(a, best, lines, within)
    clock = ClockMap(
        best.scale,
        float(target[0] + best.offset - best.scale * source[0]),
        "pulses",
        matched,
        matched / shared,
        float(np.sqrt(np.mean(best.residuals**2))),
    )
    return Alignment(
        clock, best.source_rows, best.target_rows, best.residuals, n_source, n_target
    )


def _pinned(
    a: np.ndarray, b: np.ndarray, pin: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One seed: the pair that is known, and the ratio of lengths or intervals."""
    last = pin == "last"
    if pin == "both":
        scale = b[-1] / a[-1]
    else:
        scale = np.median(np.diff(b)) / np.median(np.diff(a))
    row = np.array([a.size - 1 if last else 0])
    return row, np.array([b[-1] if last else b[0]]), np.array([scale])


def _seeds(
    a: np.ndarray, b: np.ndarray, within: float, max_scale_error: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a, their times in b and scales: most promising first."""
    from scipy.spatial import cKDTree

    rows, times, scales = [], [], []
    for run in _RUNS:
        if min(a.size, b.size) <= run:
            continue
        anchors = np.linspace(0, a.size - run - 1, _ANCHORS).astype(np.int64)
        anchors = np.unique(anchors)
        near = cKDTree(_form(b, run)).query(
            _form(a, run)[anchors], min(_NEIGHBOURS, b.size - run)
        )[1]
        i = np.repeat(anchors, near.size // anchors.size)
        j = near.ravel()
        rows.append(i)
        times.append(b[j])
        scales.append((b[j + run] - b[j]) / (a[i + run] - a[i]))
    row, time, scale = map(np.concatenate, (rows, times, scales))
    near_one = np.abs(scale - 1) <= 1.5 * max_scale_error
    row, time, scale = row[near_one], time[near_one], scale[near_one]
    time, scale, score = _grown(a, b, row, time, scale, within)
    order = np.argsort(-score, kind="stable")
    return row[order], time[order], scale[order]


def _form(times: np.ndarray, run: int) -> np.ndarray:
    """(n - run, run): logarithms of successive intervals about their mean."""
    intervals = np.log(np.diff(times))
    runs = np.lib.stride_tricks.sliding_window_view(intervals, run)
    return runs - runs.mean(axis=1, keepdims=True)


def _grown(
    a: np.ndarray,
    b: np.ndarray,
    row: np.ndarray,
    time: np.ndarray,
    scale: np.ndarray,
    within: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Refit every seed to the pulses about it, and score how many it matches."""
    score = np.zeros(row.size)
    for reach in (4, 8, 16, 32):
        rows = row[:, None] + np.arange(-reach, reach + 1)
        x = a[np.clip(rows, 0, a.size - 1)] - a[row][:, None]
        expected = time[:, None] + scale[:, None] * x
        covered = (rows >= 0) & (rows < a.size) & (expected > -within)
        covered &= expected < b[-1] + within
        left = b[_nearest(b, expected)] - expected
        near = covered & (np.abs(left) <= within)
        count = np.maximum(near.sum(axis=1), 1)
        mean_x = (near * x).sum(axis=1) / count
        mean_left = (near * left).sum(axis=1) / count
        along = near * (x - mean_x[:, None])
        tilt = (along * left).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-300)
        scale = scale + tilt
        time = time + mean_left - tilt * mean_x
        score = count**2 / np.maximum(covered.sum(axis=1), 1)
    return time, scale, score


def _extended(
    a: np.ndarray,
    b: np.ndarray,
    seeds: tuple[np.ndarray, np.ndarray, np.ndarray],
    within: float,
    loose: float,
    max_scale_error: float,
) -> list[_Line]:
    """Lines through the whole log from the first seeds, none of them twice."""
    rows, times, scales = seeds
    lines: list[_Line] = []
    left = np.ones(rows.size, bool)
    for _ in range(_TRIES):
        if not left.any():
            break
        first = int(np.argmax(left))
        left[first] = False
        line = _extend(a, b, int(rows[first]), times[first], scales[first], loose)
        refined = None if line is None else _refined(a, b, *line, within)
        if refined is not None and abs(refined.scale - 1) <= max_scale_error:
            lines.append(refined)
            at_seed = refined.scale * a[rows] + refined.offset
            left &= np.abs(at_seed - times) > within
    return lines


def _extend(
    a: np.ndarray, b: np.ndarray, row: int, time: float, scale: float, loose: float
) -> tuple[float, float] | None:
    """Refit a seed to ever more of the log, twice as much each time."""
    offset, reach = time - scale * a[row], 16
    while True:
        part = a[max(row - reach, 0) : row + reach + 1]
        for _ in range(2):
            left = b[_nearest(b, scale * part + offset)] - scale * part - offset
            near = np.abs(left) <= loose
            if near.sum() < 4:
                return None
            tilt, shift = robust_line(part[near], left[near], loose / 1000)
            scale, offset = scale + tilt, offset + shift
        if part.size == a.size:
            return scale, offset
        reach *= 2


def _refined(
    a: np.ndarray, b: np.ndarray, scale: float, offset: float, within: float
) -> _Line | None:
    """Pair each pulse with its nearest if they are nearest to each other; refit."""
    for refit in (True, True, False):
        if scale <= 0:
            return None
        expected = scale * a + offset
        nearest = _nearest(b, expected)
        left = b[nearest] - expected
        mutual = _nearest(expected, b)[nearest] == np.arange(a.size)
        rows = np.flatnonzero(mutual & (np.abs(left) <= within))
        if rows.size < 4:
            return None
        if refit:
            scale, offset = robust_line(a[rows], b[nearest[rows]], within / 1000)
    return _Line(scale, offset, rows, nearest[rows], left[rows])


def _nearest(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the index of the time nearest to each moment."""
    after = np.clip(np.searchsorted(times, at), 1, times.size - 1)
    return after - (at - times[after - 1] < times[after] - at)


def _shifted(a: np.ndarray, b: np.ndarray, line: _Line, within: float) -> list[_Line]:
    """Return the same line some pulses on: as good where all intervals are alike."""
    step = float(np.median(np.diff(b)))
    shifted = [
        _refined(a, b, line.scale, line.offset + by * step, within) for by in _SHIFTS
    ]
    return [other for other in shifted if other is not None]


def _width(line: _Line, within: float) -> float:
    """Return the residual at which a pair counts as none, when lines are compared."""
    return float(np.clip(4 * spread(line.residuals), within / 1000, within))


def _cost(line: _Line, width: float) -> float:
    """Return the sum of squared residuals, less the square of the width each."""
    squares = np.minimum(line.residuals**2, width**2)
    return float((squares - width**2).sum())


def _shared(
    a: np.ndarray, b: np.ndarray, line: _Line, within: float
) -> tuple[int, int]:
    """Number of pulses of each log in the time that both cover."""
    expected = line.scale * a + line.offset
    first = max(expected[0], b[0]) - within
    last = min(expected[-1], b[-1]) + within
    return tuple(int(((t >= first) & (t <= last)).sum()) for t in (expected, b))


def _beyond_chance(matched: int, of: int, rate: float, tried: float) -> bool:
    """Whether chance gives so many matches less than once in a million searches.

    Two pulses settle a line, so two count for nothing; the bound of Chernoff
    (1952) on the binomial tail, times the number of lines there are.
    """
    n, p = of - 2, min(rate, 0.5)
    share = (matched - 2) / max(n, 1)
    if n < 1 or share <= p:
        return False
    bits = share * np.log(share / p)
    if share < 1:
        bits += (1 - share) * np.log((1 - share) / (1 - p))
    return bool(n * bits > np.log(tried * 1e6))


def _refuse_ambiguous(
    a: np.ndarray, best: _Line, lines: list[_Line], within: float
) -> None:
    """Refuse if another line leaves less than twice what the best one leaves."""
    width = _width(best, within)
    every = best.residuals.size
    left = _cost(best, width) + every * width**2
    for other in lines:
        apart = (other.scale - best.scale) * a + other.offset - best.offset
        if np.abs(apart[best.source_rows]).max() <= 2 * within:
            continue
        if _cost(other, width) + every * width**2 < 2 * left:
            pulses = abs(float(np.median(apart[best.source_rows])))
            raise InvalidInput(
                f"The pulses repeat so evenly that the logs fit {pulses:.3f} s apart as "
                "well; say which pulse is the same in both (pin the first, the last or "
                "both), or use pulses at irregular intervals."
            )


def _unmatched(
    rate: float, a: np.ndarray, b: np.ndarray, min_match: float
) -> InvalidInput:
    return InvalidInput(
        f"Only {rate:.0%} of the pulses match, but {min_match:.0%}, and more than chance "
        f"would give, are needed ({a.size} source pulses every "
        f"{np.median(np.diff(a)):.3g} s, {b.size} target pulses every "
        f"{np.median(np.diff(b)):.3g} s in the median); choose the log of this "
        "recording, with times in seconds."
    )
