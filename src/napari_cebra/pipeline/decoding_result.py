"""What was decoded, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.decoding.scores import MORE_IS_BETTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.decoding import Scores
    from napari_cebra.decoding.knn import Task


@dataclass(frozen=True, eq=False)
class Decoding:
    """Decoded index or value of each row that no fit had seen.

    Parameters
    ----------
    target : str
        Name of the variable, or "stimulus frame".
    task : {"index", "regression", "angle", "class"}
        A known movie frame that is looked up, a value, an angle, a class.
    predicted : (T,) int64, or (T,) or (T, d) float64
        -1 (NaN) on rows that the encoder or decoder was trained on: their
        prediction would be a recollection.
    true : (T,) or (T, d)
        What was shown or measured; -1 (NaN) where nothing was.
    candidates : (T, c) int64
        Most likely indices or classes, best first (-1 = none); for values and
        angles the recording's rows that are nearest.
    weights : (T, c) float32
        Their shares of the vote.
    confidence : (T,) float32
        0 to 1; NaN where nothing was decoded.
    part : (T,) str
        "train", "validation", "test", "gap", "no target" or "invalid". Where
        every block or repeat was tested in turn, all of them are "test".
    fold : (T,) int64
        Number of the split in which the row was tested, -1 = none.
    folds : tuple of str
        Their names.
    k : tuple of int
        Number of neighbours chosen in each fold.
    steps : tuple of int
        Training steps chosen in each fold.
    raw_choice : tuple of (int, float)
        k and smoothing (σ, frames) the raw population chose in each fold.
    scores, chance, raw : Scores
        Ours, that of a guess, and the raw population's, on the same rows.
    raw_predicted : (T,) or (T, d)
        What the raw population decodes, as `predicted`.
    controls : tuple of Scores
        One per encoder trained on broken labels.
    settings : mapping
        Of the decoding (JSON types), with seed and what the control breaks.
    seconds : mapping
        Time by part: "choosing", "fitting", "decoding", "raw population",
        "controls".
    training_means : (F,) or (F, d) float64, optional
        Of a value: mean over the rows each fold was fitted to, which R² is
        computed about. None for other tasks, and in projects saved before
        it was kept.
    """

    target: str
    task: Task
    predicted: np.ndarray
    true: np.ndarray
    candidates: np.ndarray
    weights: np.ndarray
    confidence: np.ndarray
    part: np.ndarray
    fold: np.ndarray
    folds: tuple[str, ...]
    k: tuple[int, ...]
    steps: tuple[int, ...]
    raw_choice: tuple[tuple[int, float], ...]
    scores: Scores
    chance: Scores
    raw: Scores
    raw_predicted: np.ndarray
    controls: tuple[Scores, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    training_means: np.ndarray | None = None

    @property
    def rows(self) -> np.ndarray:
        """(T,) bool: rows that were decoded."""
        return self.fold >= 0

    @property
    def looked_up(self) -> bool:
        """Whether what is decoded is the index of a known movie frame."""
        return self.task == "index"

    def control(self, score: str) -> float | None:
        """Return the mean of one score over the controls; None without any."""
        values = self.control_values(score)
        return float(np.mean(values)) if values else None

    def best_control(self, score: str) -> float | None:
        """Return the best of one score over the controls; None without any."""
        values = self.control_values(score)
        if not values:
            return None
        return max(values) if score in MORE_IS_BETTER else min(values)

    def control_values(self, score: str) -> list[float]:
        """Return one score of each control."""
        values = [getattr(scores, score) for scores in self.controls]
        return [value for value in values if value is not None]
