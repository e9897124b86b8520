"""Lines that might map one log of pulses onto another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_cebra.recording.clock.pairs import robust_line

_RUNS = (3, 6, 12)
"""Intervals in a run that is looked up in the other log. A long run tells more,
a short one is more often free of missing and spurious pulses."""

_ANCHORS, _NEIGHBOURS, _TRIES, _SCALES = 300, 8, 12, 97

Seeds = tuple[np.ndarray, np.ndarray, np.ndarray]
"""(S,) source rows, their target times, and scales about them."""


@dataclass(frozen=True, eq=False)
class Line:
    """Target = scale * source + offset, and the pairs it makes.

    `n_source` and `n_target` are the pulses of each log in the `seconds` that
    both cover.
    """

    scale: float
    offset: float
    source_rows: np.ndarray
    target_rows: np.ndarray
    residuals: np.ndarray
    n_source: int
    n_target: int
    seconds: float

    @property
    def shared(self) -> int:
        """Pairs there can be: pulses of the log that has fewer."""
        return min(self.n_source, self.n_target)


def found_seeds(a: np.ndarray, b: np.ndarray, max_scale_error: float) -> Seeds:
    """Return where runs of intervals of `a` look like runs of `b`, up to a scale."""
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
        i, j = np.repeat(anchors, near.size // anchors.size), near.ravel()
        rows.append(i)
        times.append(b[j])
        scales.append((b[j + run] - b[j]) / (a[i + run] - a[i]))
    row, time, scale = map(np.concatenate, (rows, times, scales))
    near_one = np.abs(scale - 1) <= 1.5 * max_scale_error
    return row[near_one], time[near_one], scale[near_one]


def pinned_seeds(
    a: np.ndarray, b: np.ndarray, pin: str, max_scale_error: float
) -> Seeds:
    """Return the pair that is known, with the scales there may be."""
    if pin == "both":
        scales = np.array([b[-1] / a[-1]])
    else:
        scales = 1 + np.linspace(-max_scale_error, max_scale_error, _SCALES)
    row, time = (a.size - 1, b[-1]) if pin == "last" else (0, b[0])
    return np.full(scales.size, row), np.full(scales.size, time), scales


def lines_from(
    a: np.ndarray,
    b: np.ndarray,
    seeds: Seeds,
    within: float,
    max_scale_error: float,
) -> list[Line]:
    """Return lines through the whole logs from the best seeds, none of them twice."""
    rows, times, scales = _grown(a, b, seeds, within)
    # What shrank to nothing has all pulses at one: the best match, and no clock.
    near_one = np.abs(scales - 1) <= max_scale_error + 0.01
    rows, times, scales = rows[near_one], times[near_one], scales[near_one]
    step = float(np.median(np.diff(a)))
    lines: list[Line] = []
    left = np.ones(rows.size, bool)
    for _ in range(_TRIES):
        if not left.any():
            break
        first = int(np.argmax(left))
        left[first] = False
        line = _extended(a, b, int(rows[first]), times[first], scales[first], within)
        if line is None or abs(line.scale - 1) > max_scale_error:
            continue
        lines.append(line)
        elsewhere = np.abs(line.scale * a[rows] + line.offset - times) > within
        left &= elsewhere | (np.abs(line.scale - scales) * 16 * step > within)
    return lines


def refined(
    a: np.ndarray, b: np.ndarray, scale: float, offset: float, within: float
) -> Line | None:
    """Pair the pulses that are each other's nearest, and refit; None if too few."""
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
    first = max(expected[0], b[0]) - within
    last = min(expected[-1], b[-1]) + within
    n_source, n_target = (
        int(((times >= first) & (times <= last)).sum()) for times in (expected, b)
    )
    seconds = float(last - first)
    return Line(
        scale, offset, rows, nearest[rows], left[rows], n_source, n_target, seconds
    )


def _form(times: np.ndarray, run: int) -> np.ndarray:
    """(n - run, run): logarithms of successive intervals about their mean."""
    intervals = np.log(np.diff(times))
    runs = np.lib.stride_tricks.sliding_window_view(intervals, run)
    return runs - runs.mean(axis=1, keepdims=True)


def _grown(a: np.ndarray, b: np.ndarray, seeds: Seeds, within: float) -> Seeds:
    """Refit seeds to ever more pulses about them, the better half each time.

    Those that match best come first.
    """
    row, time, scale = seeds
    for reach in (4, 8, 16, 32):
        rows = row[:, None] + np.arange(-reach, reach + 1)
        x = a[np.clip(rows, 0, a.size - 1)] - a[row][:, None]
        expected = time[:, None] + scale[:, None] * x
        covered = (rows >= 0) & (rows < a.size) & (expected > b[0] - within)
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
        closeness = (near * (1 - np.abs(left) / within)).sum(axis=1)
        score = closeness**2 / np.maximum(covered.sum(axis=1), 1)
        order = np.argsort(-score, kind="stable")[: max(row.size // 2, _ANCHORS)]
        row, time, scale = row[order], time[order], scale[order]
    return row, time, scale


def _extended(
    a: np.ndarray, b: np.ndarray, row: int, time: float, scale: float, within: float
) -> Line | None:
    """Refit a seed to ever more of the logs, twice as much each time."""
    loose = min(10 * within, float(np.median(np.diff(b))) / 8)
    offset, reach = time - scale * a[row], 16
    while True:
        part = a[max(row - reach, 0) : row + reach + 1]
        for _ in range(2):
            expected = scale * part + offset
            left = b[_nearest(b, expected)] - expected
            near = np.abs(left) <= loose
            if near.sum() < 4:
                return None
            tilt, shift = robust_line(part[near], left[near], loose / 1000)
            scale, offset = scale + tilt, offset + shift
        if part.size == a.size:
            return refined(a, b, scale, offset, within)
        reach *= 2


def _nearest(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the index of the time nearest to each moment."""
    after = np.clip(np.searchsorted(times, at), 1, times.size - 1)
    return after - (at - times[after - 1] < times[after] - at)
