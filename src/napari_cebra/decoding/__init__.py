"""Latents to frames and variables: decoders, splits, controls, scores."""

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

__all__ = [
    "Choice",
    "KnnDecoder",
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
