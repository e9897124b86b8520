"""The decoded sequence as columns, one row per imaging frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.decoding import angular_errors

if TYPE_CHECKING:
    from napari_cebra.pipeline.decoding_result import Decoding
    from napari_cebra.recording import Recording, Variable


def decoded_columns(
    recording: Recording, decoding: Decoding
) -> dict[str, np.ndarray | None]:
    """Return the columns of ``decoded.csv``.

    Time, what was shown (or measured), what was decoded, error, confidence,
    and the part of each row in the split. Cells are empty (masked) where
    nothing was decoded, since a row trained on would only be recollected.
    A value also has its signed error and the mean over the training rows of
    its fold, so that R² = 1 − Σ signed_error² / Σ (true − training_mean)².

    Parameters
    ----------
    recording : Recording
        T frames.
    decoding : Decoding
    """
    columns: dict[str, np.ndarray | None] = {
        "time_s": recording.frame_times,
        "frame": np.arange(recording.n_frames),
    }
    if decoding.task == "index":
        columns |= _movie_columns(recording, decoding)
    else:
        columns |= _variable_columns(recording, decoding)
    columns["confidence"] = decoding.confidence
    columns["split"] = decoding.part
    columns["fold"] = np.ma.masked_where(decoding.fold < 0, decoding.fold)
    return columns


def _movie_columns(
    recording: Recording, decoding: Decoding
) -> dict[str, np.ndarray | None]:
    shown = np.ma.masked_less(decoding.true, 0)
    decoded = np.ma.masked_where(~decoding.rows, decoding.predicted)
    error_s = None
    stimulus = recording.stimulus
    if stimulus is not None and stimulus.frame_times is not None:
        times = stimulus.frame_times
        away = np.abs(times[decoding.predicted] - times[decoding.true])
        error_s = np.ma.masked_where(~decoding.rows, away)
    return {
        "shown": shown,
        "decoded": decoded,
        "error_frames": np.ma.abs(decoded - shown),
        "error_s": error_s,
    }


def _variable_columns(
    recording: Recording, decoding: Decoding
) -> dict[str, np.ndarray | None]:
    variable = recording.variable(decoding.target)
    true, decoded = decoding.true, decoding.predicted
    if variable.kind == "discrete":
        true = np.ma.masked_less(true, 0)
        decoded = np.ma.masked_where(~decoding.rows, decoded)
    error = {"error": _error(variable, decoded, true)}
    if variable.kind != "continuous":
        return {"true": true, "decoded": decoded, **error}
    means = _training_means(decoding)
    if true.ndim == 1:
        signed = decoded - true
        columns = {"true": true, "decoded": decoded, **error}
        return {**columns, "signed_error": signed, "training_mean": means}
    named: dict[str, np.ndarray | None] = {}
    for j in range(true.shape[1]):
        named[f"true_{j}"], named[f"decoded_{j}"] = true[:, j], decoded[:, j]
    named |= error
    for j in range(true.shape[1]):
        named[f"signed_error_{j}"] = decoded[:, j] - true[:, j]
        named[f"training_mean_{j}"] = None if means is None else means[:, j]
    return named


def _training_means(decoding: Decoding) -> np.ndarray | None:
    """(T,) or (T, d) mean each row is judged against; NaN where none is."""
    if decoding.training_means is None:
        return None
    means = np.full(decoding.true.shape, np.nan)
    means[decoding.rows] = decoding.training_means[decoding.fold[decoding.rows]]
    return means


def _error(variable: Variable, decoded: np.ndarray, true: np.ndarray) -> np.ndarray:
    if variable.kind == "circular":
        assert variable.period is not None
        return angular_errors(decoded, true, variable.period)
    if variable.kind == "discrete":
        return np.ma.asarray(decoded != true).astype(np.int64)
    away = decoded - true
    return np.abs(away) if away.ndim == 1 else np.linalg.norm(away, axis=1)
