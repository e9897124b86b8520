"""Which ROIs are most active in a set of frames."""

from __future__ import annotations

import numpy as np


def most_active(values: np.ndarray, frames: np.ndarray, count: int = 10) -> np.ndarray:
    """Return the columns with the highest mean z-score in these frames.

    Parameters
    ----------
    values : (T, N)
        Traces; each is standardised over all its frames.
    frames : (n,) int
        Rows of `values`.
    count : int
        At most so many; only columns above their own mean are returned.

    Returns
    -------
    (m,) int64
        Columns, most active first.
    """
    frames = np.asarray(frames, np.int64)
    if frames.size == 0:
        return np.zeros(0, np.int64)
    spread = values.std(axis=0)
    above = values[frames].mean(axis=0) - values.mean(axis=0)
    score = np.divide(above, spread, out=np.zeros_like(above), where=spread > 0)
    best = np.argsort(-score, kind="stable")[:count]
    return best[score[best] > 0]
