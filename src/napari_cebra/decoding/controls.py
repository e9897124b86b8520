"""Labels broken on purpose: what a decoding is worth against itself."""

from __future__ import annotations

import numpy as np

from napari_cebra.recording import InvalidInput


def permute_within_repeats(
    shown: np.ndarray, repeat: np.ndarray, rows: np.ndarray, seed: int
) -> np.ndarray:
    """Return shown-frame ids permuted within each repeat, in these rows only.

    Every training repeat keeps its frames but in a random order of its own, so
    the encoder and the decoder, both fitted again, find nothing in common
    between repeats but the movie's length.

    Parameters
    ----------
    shown, repeat : (T,) int
        Movie frame and showing of each row, -1 = none.
    rows : (T,) bool
        Training rows; the others keep their ids.
    seed : int
        Of the permutations.
    """
    shown, repeat = np.asarray(shown), np.asarray(repeat)
    rng = np.random.default_rng(seed)
    broken = shown.copy()
    usable = np.asarray(rows, bool) & (shown >= 0) & (repeat >= 0)
    for number in np.unique(repeat[usable]):
        members = np.flatnonzero(usable & (repeat == number))
        broken[members] = shown[rng.permutation(members)]
    return broken


def shortest_lag(n_rows: int, rate: float | None) -> int:
    """Return the smallest shift of a control, in rows.

    20 s or a tenth of the recording, whichever is longer, but at most a third
    of the recording (a tenth where the rate is not known).
    """
    lag = -(-n_rows // 10)
    if rate is not None:
        lag = max(lag, int(np.ceil(20 * rate)))
    return min(lag, max(n_rows // 3, 1))


def shift_circularly(
    values: np.ndarray, rows: np.ndarray, seed: int, rate: float | None = None
) -> np.ndarray:
    """Return values shifted circularly along these rows by a random lag.

    The shifted variable keeps its distribution and its autocorrelation and
    loses its relation to the activity; it replaces the variable throughout,
    test rows included, so that what an unrelated variable of the same
    smoothness would score is what is measured.

    Parameters
    ----------
    values : (T,) or (T, d)
        The target.
    rows : (T,) bool
        Rows it is shifted along; the others keep their values.
    seed : int
        Of the lag.
    rate : float, optional
        Frames per second, for the least lag (see `shortest_lag`).

    Raises
    ------
    InvalidInput
        If there are fewer than three rows.
    """
    members = np.flatnonzero(np.asarray(rows, bool))
    if members.size < 3:
        raise InvalidInput(
            f"A control cannot be shifted along {members.size} frames; use a longer "
            "recording."
        )
    least = shortest_lag(members.size, rate)
    lag = int(np.random.default_rng(seed).integers(least, members.size - least + 1))
    shifted = np.array(values, copy=True)
    shifted[members] = np.asarray(values)[np.roll(members, lag)]
    return shifted
