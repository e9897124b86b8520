"""The population itself as a decoder's input: what an embedding has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_cebra.decoding.choose import errors_by_k
from napari_cebra.decoding.knn import KnnDecoder, Prediction
from napari_cebra.recording import window_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.decoding.knn import Task, Weighting


def raw_windows(
    values: np.ndarray, segment: np.ndarray, left: int, right: int
) -> np.ndarray:
    """Return the windows an encoder sees, flattened.

    Parameters
    ----------
    values : (T, N)
        Traces.
    segment : (T,) int
        Stretches in which windows may move (edge rows are repeated inside
        them); -1 = no window.
    left, right : int
        The window of row i is ``[i - left, i + right)``.

    Returns
    -------
    (n, (left + right) * N) float32
        One row per row whose segment is not -1, in order.
    """
    values = np.asarray(values, np.float32)
    rows = window_rows(segment, left, right)[np.asarray(segment) >= 0]
    return values[rows].reshape(len(rows), -1)


def smoothed(values: np.ndarray, segment: np.ndarray, sigma: float) -> np.ndarray:
    """Return traces smoothed by a Gaussian (σ in frames) inside each stretch."""
    values = np.asarray(values, np.float32)
    if sigma <= 0:
        return values
    out = values.copy()
    segment = np.asarray(segment)
    used = np.flatnonzero(segment >= 0)
    starts = np.flatnonzero(np.diff(segment[used], prepend=-1) != 0)
    for rows in np.split(used, starts[1:]):
        out[rows] = gaussian_filter1d(values[rows], sigma, axis=0, mode="nearest")
    return out


class RawPopulation:
    """Nearest neighbours among windows of standardised traces.

    The same windows, the same decoder and the same choices on the validation
    rows as an embedding gets; only the encoder is left out.

    Parameters
    ----------
    left, right : int
        Window, as of the encoder it is compared with.
    task, weighting, period, seed
        As of `KnnDecoder`.
    """

    def __init__(
        self,
        left: int,
        right: int,
        task: Task = "index",
        weighting: Weighting = "auto",
        period: float = 2 * np.pi,
        seed: int = 0,
    ) -> None:
        self.left, self.right = left, right
        self.task, self.weighting = task, weighting
        self.period, self.seed = period, seed

    def choose(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        y: np.ndarray,
        train: np.ndarray,
        validation: np.ndarray,
        ks: Sequence[int],
        sigmas: Sequence[float] = (0.0,),
    ) -> tuple[int, float]:
        """Return the k and the smoothing σ (frames) that validate best.

        `segment` must already be cut between training and validation rows.
        """
        (errors,) = self.errors(values, segment, y, train, [validation], ks, sigmas)
        return min(errors, key=lambda setting: errors[setting])

    def errors(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        y: np.ndarray,
        train: np.ndarray,
        validations: Sequence[np.ndarray],
        ks: Sequence[int],
        sigmas: Sequence[float] = (0.0,),
    ) -> list[dict[tuple[int, float], float]]:
        """Return the error of each k and σ on each set of validation rows."""
        out: list[dict[tuple[int, float], float]] = [{} for _ in validations]
        for sigma in sigmas:
            windows = self._windows(values, segment, train, sigma)
            for rows, found in zip(validations, out, strict=True):
                errors = errors_by_k(
                    windows(train), y[train], windows(rows), y[rows],
                    ks, self.task, self.weighting, self.period, self.seed,
                )  # fmt: skip
                found |= {(k, float(sigma)): error for k, error in errors.items()}
        return out

    def predict(
        self,
        values: np.ndarray,
        segment: np.ndarray,
        y: np.ndarray,
        train: np.ndarray,
        rows: np.ndarray,
        k: int,
        sigma: float = 0.0,
    ) -> Prediction:
        """Fit on the rows `train` and decode `rows`."""
        windows = self._windows(values, segment, train, sigma)
        decoder = KnnDecoder(k, self.task, self.weighting, self.period, seed=self.seed)
        return decoder.fit(windows(train), y[train]).predict(windows(rows))

    def _windows(
        self, values: np.ndarray, segment: np.ndarray, train: np.ndarray, sigma: float
    ) -> _Windows:
        smooth = smoothed(values, segment, sigma)
        mean, sd = smooth[train].mean(axis=0), smooth[train].std(axis=0)
        scaled = (smooth - mean) / np.where(sd > 0, sd, 1)
        return _Windows(scaled, window_rows(segment, self.left, self.right))


class _Windows:
    """Flattened windows of any rows, made when asked for."""

    def __init__(self, scaled: np.ndarray, rows: np.ndarray) -> None:
        self._scaled, self._rows = scaled, rows

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        picked = self._rows[rows]
        return self._scaled[picked].reshape(len(picked), -1)
