"""How good a decoding is, and how good a guess would be for the same rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.recording import InvalidInput

if TYPE_CHECKING:
    from napari_cebra.decoding.knn import Task

MORE_IS_BETTER = frozenset({"within_1s", "r2", "balanced_accuracy"})
"""Fields of `Scores` of which the highest is the best; of errors it is the lowest."""


@dataclass(frozen=True)
class Scores:
    """Scores of one decoding; what does not apply to its target is None.

    Parameters
    ----------
    n_rows : int
        Rows scored.
    within_1s : float, optional
        Share of rows decoded less than one second from the frame shown.
    mean_frame_error, median_frame_error : float, optional
        Of ``|decoded - shown|``, in movie frames.
    r2 : float, optional
        Pooled 1 − SSE/SST about the training mean.
    median_error : float, optional
        Median of ``|decoded - true|`` in the variable's units (Euclidean where
        the variable has several columns).
    median_angular_error : float, optional
        In the variable's units, at most half a period.
    balanced_accuracy : float, optional
        Mean over classes of the share of rows decoded as their class.
    """

    n_rows: int
    within_1s: float | None = None
    mean_frame_error: float | None = None
    median_frame_error: float | None = None
    r2: float | None = None
    median_error: float | None = None
    median_angular_error: float | None = None
    balanced_accuracy: float | None = None

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the fields by name."""
        return asdict(self)


def within_seconds(
    decoded: np.ndarray,
    shown: np.ndarray,
    frame_times: np.ndarray,
    seconds: float = 1.0,
) -> float:
    """Return the share of rows decoded within some seconds of the frame shown.

    ``mean(|t_decoded − t_shown| < seconds)``: strict, without wrapping from the
    movie's end to its start; rows with ``shown == -1`` are left out (the
    measure of Schneider et al. 2023, Fig. 5, in seconds instead of frames).

    Parameters
    ----------
    decoded, shown : (Q,) int
        Movie frames.
    frame_times : (M,) float
        Seconds from the movie's start.
    """
    decoded, shown = _frames(decoded, shown)
    times = np.asarray(frame_times, np.float64)
    return float(np.mean(np.abs(times[decoded] - times[shown]) < seconds))


def chance_within_seconds(
    shown: np.ndarray, frame_times: np.ndarray, seconds: float = 1.0
) -> float:
    """Return `within_seconds` expected of a guess that ignores the activity.

    Exact: the guess is uniform over the movie's M frames, and the share of
    frames that would count is averaged over the rows that are scored. (Near
    the movie's ends fewer frames count than in its middle.)
    """
    shown, _ = _frames(shown, shown)
    times = np.asarray(frame_times, np.float64)
    hits = (np.abs(times[:, None] - times[None, :]) < seconds).mean(axis=1)
    return float(hits[shown].mean())


def frame_errors(decoded: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return (Q,) ``|decoded − shown|`` in movie frames, without ``shown == -1``."""
    decoded, shown = _frames(decoded, shown)
    return np.abs(decoded - shown)


def chance_frame_errors(shown: np.ndarray, n_movie_frames: int) -> tuple[float, float]:
    """Return mean and median frame error of a uniformly random frame, exactly."""
    shown, _ = _frames(shown, shown)
    rows = np.bincount(shown, minlength=n_movie_frames)
    frame = np.arange(n_movie_frames)
    away = np.abs(frame[:, None] - frame[None, :])
    counts = np.bincount(
        away.ravel(), np.repeat(rows, n_movie_frames), minlength=n_movie_frames
    )
    share = np.cumsum(counts) / counts.sum()
    mean = float((counts * frame).sum() / counts.sum())
    low, high = np.searchsorted(share, 0.5), np.searchsorted(share, 0.5, side="right")
    return mean, float((low + high) / 2)


def pooled_r2(
    decoded: np.ndarray, true: np.ndarray, training_mean: np.ndarray | float
) -> float:
    """Return 1 − SSE/SST, both summed over all rows (and columns).

    SST is about the mean of the *training* rows (per row, where folds were
    trained on different rows), so zero is what one reaches without the
    activity, and the score cannot gain from a test block's own mean.
    """
    decoded, true = np.asarray(decoded, float), np.asarray(true, float)
    sse = np.sum((decoded - true) ** 2)
    sst = np.sum((true - training_mean) ** 2)
    return float(1 - sse / sst) if sst > 0 else float("nan")


def angular_errors(decoded: np.ndarray, true: np.ndarray, period: float) -> np.ndarray:
    """Return (Q,) absolute difference the short way round, in units of `period`."""
    away = np.mod(np.asarray(decoded) - np.asarray(true), period)
    return np.minimum(away, period - away)


def balanced_accuracy(decoded: np.ndarray, true: np.ndarray) -> float:
    """Return the mean over the classes that occur of the share decoded rightly."""
    decoded, true = np.asarray(decoded), np.asarray(true)
    return float(np.mean([np.mean(decoded[true == c] == c) for c in np.unique(true)]))


def evaluate(
    task: Task,
    decoded: np.ndarray,
    true: np.ndarray,
    *,
    frame_times: np.ndarray | None = None,
    training_mean: np.ndarray | float = 0.0,
    period: float = 2 * np.pi,
) -> Scores:
    """Score one decoding by the measures that fit its target.

    Parameters
    ----------
    task : {"index", "regression", "angle", "class"}
        As of `KnnDecoder`.
    decoded, true : (Q,) or (Q, d)
        Same rows in both.
    frame_times : (M,) float, optional
        For "index"; without it `within_1s` is None.
    training_mean : float or array
        For "regression"; see `pooled_r2`.
    period : float
        For "angle".
    """
    n = len(true)
    if n == 0:
        raise InvalidInput("There are no test rows to score; check the split.")
    if task == "index":
        errors = frame_errors(decoded, true)
        within = None
        if frame_times is not None:
            within = within_seconds(decoded, true, frame_times)
        return Scores(
            errors.size, within, float(errors.mean()), float(np.median(errors))
        )
    if task == "regression":
        away = np.asarray(decoded, float) - np.asarray(true, float)
        size = np.abs(away) if away.ndim == 1 else np.linalg.norm(away, axis=1)
        r2 = pooled_r2(decoded, true, training_mean)
        return Scores(n, r2=r2, median_error=float(np.median(size)))
    if task == "angle":
        errors = angular_errors(decoded, true, period)
        return Scores(n, median_angular_error=float(np.median(errors)))
    return Scores(n, balanced_accuracy=balanced_accuracy(decoded, true))


def chance(
    task: Task,
    true: np.ndarray,
    *,
    n_movie_frames: int = 0,
    frame_times: np.ndarray | None = None,
    training_mean: np.ndarray | float = 0.0,
    period: float = 2 * np.pi,
) -> Scores:
    """Return the scores expected without looking at the activity, for these rows.

    A uniformly random movie frame or angle, the training mean of a value, and
    a random one of the classes that occur.
    """
    true = np.asarray(true)
    n = len(true)
    if task == "index":
        within = None
        if frame_times is not None:
            within = chance_within_seconds(true, frame_times)
        mean, median = chance_frame_errors(true, n_movie_frames)
        return Scores(int(np.sum(true >= 0)), within, mean, median)
    if task == "regression":
        guess = np.broadcast_to(np.asarray(training_mean, float), true.shape)
        guessed = evaluate(task, guess, true, training_mean=training_mean)
        return Scores(n, r2=0.0, median_error=guessed.median_error)
    if task == "angle":
        return Scores(n, median_angular_error=period / 4)
    return Scores(n, balanced_accuracy=1 / np.unique(true).size)


def _frames(decoded: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shown = np.asarray(shown)
    on = shown >= 0
    if not on.any():
        raise InvalidInput(
            "No movie frame was shown in any of the rows to score; check the "
            "shown-frame column and the row selection."
        )
    return np.asarray(decoded)[on], shown[on]
