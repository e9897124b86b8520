"""Latents to frames and variables: decoders, splits, controls, scores."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_cebra.decoding.choose import (
    Choice,
    choose_k,
    errors_by_k,
    validation_error,
)
from napari_cebra.decoding.controls import (
    permute_within_repeats,
    shift_circularly,
    shortest_lag,
)
from napari_cebra.decoding.knn import KnnDecoder, Neighbours, Prediction
from napari_cebra.decoding.raw_population import RawPopulation, raw_windows, smoothed
from napari_cebra.decoding.scores import (
    Scores,
    angular_errors,
    balanced_accuracy,
    chance,
    chance_frame_errors,
    chance_within_seconds,
    evaluate,
    frame_errors,
    pooled_r2,
    within_seconds,
)
from napari_cebra.decoding.splits import (
    Split,
    contiguous_folds,
    cut_segments,
    repeat_folds,
    repeat_split,
    validation_split,
)

if TYPE_CHECKING:
    from napari_cebra.decoding.published import KNNDecoder, L1LinearRegressor

__all__ = [
    "Choice",
    "KNNDecoder",
    "KnnDecoder",
    "L1LinearRegressor",
    "Neighbours",
    "Prediction",
    "RawPopulation",
    "Scores",
    "Split",
    "angular_errors",
    "balanced_accuracy",
    "chance",
    "chance_frame_errors",
    "chance_within_seconds",
    "choose_k",
    "contiguous_folds",
    "cut_segments",
    "errors_by_k",
    "evaluate",
    "frame_errors",
    "permute_within_repeats",
    "pooled_r2",
    "raw_windows",
    "repeat_folds",
    "repeat_split",
    "shift_circularly",
    "shortest_lag",
    "smoothed",
    "validation_error",
    "validation_split",
    "within_seconds",
]


def __getattr__(name: str) -> Any:
    """Load what needs scikit-learn when it is first asked for."""
    if name not in ("KNNDecoder", "L1LinearRegressor"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.published"), name)
