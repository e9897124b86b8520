"""Choice of the number of neighbours on validation rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding.knn import KnnDecoder
from napari_cebra.decoding.scores import angular_errors, balanced_accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.decoding.knn import Task, Weighting


@dataclass(frozen=True)
class Choice:
    """The k that erred least on the validation rows, and the error of each."""

    k: int
    error: float
    errors: dict[int, float]


def validation_error(
    task: Task, decoded: np.ndarray, true: np.ndarray, period: float = 2 * np.pi
) -> float:
    """Return what a choice minimises, on the validation rows.

    Mean absolute frame error for a movie (as the published protocol), mean
    squared error for a value, mean absolute angle, one minus the balanced
    accuracy for classes.
    """
    decoded, true = np.asarray(decoded), np.asarray(true)
    if task == "index":
        return float(np.abs(decoded - true).mean())
    if task == "regression":
        return float(((decoded - true) ** 2).mean())
    if task == "angle":
        return float(angular_errors(decoded, true, period).mean())
    return 1 - balanced_accuracy(decoded, true)


def errors_by_k(
    train: np.ndarray,
    y_train: np.ndarray,
    validation: np.ndarray,
    y_validation: np.ndarray,
    ks: Sequence[int],
    task: Task = "index",
    weighting: Weighting = "auto",
    period: float = 2 * np.pi,
    seed: int = 0,
) -> dict[int, float]:
    """Decode the validation rows with each number of neighbours.

    Parameters
    ----------
    train, validation : (n, D), (m, D)
        Points.
    y_train, y_validation : (n,), (m,) or with columns
        Their targets.
    ks : sequence of int
        Numbers tried; the neighbours are searched once, for the largest.
    task, weighting, period, seed
        As of `KnnDecoder`.

    Returns
    -------
    dict of int to float
        `validation_error` by k.
    """
    decoder = KnnDecoder(max(ks), task, weighting, period, seed=seed)
    near = decoder.fit(train, y_train).neighbours(validation)
    return {
        int(k): validation_error(
            task, decoder.vote(near, k).value, y_validation, period
        )
        for k in sorted(set(ks))
    }


def choose_k(
    train: np.ndarray,
    y_train: np.ndarray,
    validation: np.ndarray,
    y_validation: np.ndarray,
    ks: Sequence[int],
    task: Task = "index",
    weighting: Weighting = "auto",
    period: float = 2 * np.pi,
    seed: int = 0,
) -> Choice:
    """Choose the number of neighbours that decodes the validation rows best.

    Parameters are those of `errors_by_k`.
    """
    errors = errors_by_k(
        train, y_train, validation, y_validation, ks, task, weighting, period, seed
    )
    k = min(errors, key=lambda number: errors[number])
    return Choice(k, errors[k], errors)
