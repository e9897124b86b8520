"""Which ROIs are most active in a set of frames."""

from __future__ import annotations

import numpy as np


class Activity:
    """Traces standardised once, to be asked about many sets of frames.

    Parameters
    ----------
    values : (T, N)
        Traces; each is standardised over all its frames.
    """

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        self._mean = values.mean(axis=0)
        self._spread = values.std(axis=0)

    def most_active(self, frames: np.ndarray, count: int = 10) -> np.ndarray:
        """Return the columns with the highest mean z-score in these frames.

        Parameters
        ----------
        frames : (n,) int
            Rows of the traces.
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
        above = self._values[frames].mean(axis=0) - self._mean
        varies = self._spread > 0
        score = np.divide(above, self._spread, out=np.zeros_like(above), where=varies)
        best = np.argsort(-score, kind="stable")[:count]
        return best[score[best] > 0]
