"""Windows of consecutive frames that never cross a border."""

from __future__ import annotations

import numpy as np


def segments(trials: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the number of the stretch in which each row's window may move.

    Parameters
    ----------
    trials : (T,) int
        Trial ids; a change is a border.
    valid : (T,) bool
        Rows that may be used; an invalid row is a border.

    Returns
    -------
    (T,) int64
        Stretch number of each row, rising from 0; -1 on invalid rows.
    """
    valid = np.asarray(valid, bool)
    trials = np.asarray(trials)
    begins = valid.copy()
    begins[1:] &= ~valid[:-1] | (trials[1:] != trials[:-1])
    return np.where(valid, np.cumsum(begins) - 1, -1)


def window_rows(segment: np.ndarray, left: int, right: int) -> np.ndarray:
    """Return the rows each window sees, repeating the edge row at a border.

    The window of row i is ``[i - left, i + right)``, as in Schneider et al.
    2023. Where it would leave its stretch, the stretch's first or last row is
    repeated (replicate padding inside the stretch).

    Parameters
    ----------
    segment : (T,) int
        From `segments`.
    left, right : int
        Frames before the row, and from the row on; ``right >= 1``.

    Returns
    -------
    (T, left + right) int64
        Row indices; the rows of invalid centres are all -1.
    """
    segment = np.asarray(segment)
    first, last = _bounds(segment)
    rows = np.arange(segment.size)[:, None] + np.arange(-left, right)[None, :]
    rows = np.clip(rows, first[:, None], last[:, None])
    rows[segment < 0] = -1
    return rows


def complete_windows(segment: np.ndarray, left: int, right: int) -> np.ndarray:
    """Return (T,) bool: rows whose whole window lies inside their stretch."""
    segment = np.asarray(segment)
    first, last = _bounds(segment)
    row = np.arange(segment.size)
    return (segment >= 0) & (row - left >= first) & (row + right - 1 <= last)


def _bounds(segment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of each row's stretch (0 for invalid rows)."""
    first = np.zeros(segment.size, np.int64)
    last = np.zeros(segment.size, np.int64)
    used = np.flatnonzero(segment >= 0)
    if used.size:
        numbers, starts = np.unique(segment[used], return_index=True)
        ends = np.append(starts[1:], used.size) - 1
        position = np.searchsorted(numbers, segment[used])
        first[used] = used[starts][position]
        last[used] = used[ends][position]
    return first, last
