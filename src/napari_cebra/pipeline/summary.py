"""Everything a result is judged by, as one JSON object."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.decoding.scores import MORE_IS_BETTER
from napari_cebra.pipeline.config import STIMULUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cebra.pipeline.attribution import RoiShares
    from napari_cebra.pipeline.config import PipelineConfig
    from napari_cebra.pipeline.decoding_result import Decoding
    from napari_cebra.pipeline.embedding_result import Embedding
    from napari_cebra.pipeline.hypothesis_table import HypothesisComparison
    from napari_cebra.recording import Recording

SCHEMA_VERSION = 1

_SCORES = (
    "within_1s",
    "mean_frame_error",
    "median_frame_error",
    "r2",
    "median_error",
    "median_angular_error",
    "balanced_accuracy",
)
_VERSIONS = ("napari-cebra", "numpy", "scipy", "torch")


def summarise(
    recording: Recording,
    embedding: Embedding,
    decoding: Decoding | None = None,
    *,
    shares: RoiShares | None = None,
    comparison: HypothesisComparison | None = None,
    correlation_with_truth: float | None = None,
    seconds: Mapping[str, float] | None = None,
    outputs: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the summary; `schema` describes it.

    Shares are 0 to 1, what does not apply is null, and where the frame rate is
    not known what needs seconds is null and the rest is in frames.

    Parameters
    ----------
    recording : Recording
    embedding : Embedding
    decoding : Decoding, optional
        None for an embedding of time alone.
    shares : RoiShares, optional
    comparison : HypothesisComparison, optional
        Of either, what it was made with; their numbers are in files of their own.
    correlation_with_truth : float, optional
        Of the traces; simulations only.
    seconds : mapping, optional
        Wall-clock time by part.
    outputs : tuple of str
        Names of the files written beside.
    """
    config = embedding.config
    used = np.isin(embedding.part, ["train", "validation", "test", "gap"])
    summary = {
        "schema_version": SCHEMA_VERSION,
        "name": recording.name,
        "n_rois": recording.traces.n_rois,
        "n_frames": int(used.sum()),
        "n_frames_recorded": recording.n_frames,
        "rate_hz": recording.rate,
        "target": _target(recording, config),
        "traces": {
            "kind": recording.traces.kind,
            "median_correlation_with_truth": correlation_with_truth,
        },
        "training": {
            "seconds": embedding.seconds,
            "choosing_seconds": embedding.choosing_seconds,
            "steps": embedding.steps,
            "complete": embedding.complete,
            "goodness_of_fit_bits": embedding.bits_heldout,
            "goodness_of_fit_bits_train": embedding.bits_train,
            "held_out": embedding.split.name,
        },
        "decoding": _decoding(decoding),
        "shares": None if shares is None else shares.provenance(),
        "comparison": None if comparison is None else comparison.provenance(),
        "seconds": dict(seconds or {}),
        "seed": config.seed,
        "threads": embedding.threads,
        "device": embedding.device,
        "versions": _versions(),
        "platform": platform.platform(),
        "config": config.to_dict(),
        "provenance": [asdict(step) for step in recording.provenance],
        "sources": _sources(config),
        "outputs": list(outputs),
    }
    plain: dict[str, Any] = _plain(summary)
    return plain


def schema() -> dict[str, Any]:
    """Return the JSON schema of the summary."""
    text = (files("napari_cebra.pipeline") / "summary.schema.json").read_text("utf-8")
    described: dict[str, Any] = json.loads(text)
    return described


def correlation_with_truth(
    values: np.ndarray, truth: np.ndarray, rows: np.ndarray | None = None
) -> float:
    """Return the median over ROIs of Pearson's r between traces and truth.

    Parameters
    ----------
    values, truth : (T, N)
        Same ROIs in the same order. An ROI without variance counts as 0.
    rows : (T,) bool, optional
        Rows to use.
    """
    if rows is not None:
        values, truth = values[rows], truth[rows]
    a = values - values.mean(axis=0, dtype=np.float64)
    b = truth - truth.mean(axis=0, dtype=np.float64)
    norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    r = np.where(norm > 0, (a * b).sum(axis=0) / np.where(norm > 0, norm, 1), 0)
    return float(np.median(r))


def _target(recording: Recording, config: PipelineConfig) -> dict[str, Any]:
    name, kind = config.target.name, None
    if name is not None:
        kind = "movie" if name == STIMULUS else recording.variable(name).kind
    return {"name": name, "kind": kind, "mode": config.target.mode}


def _decoding(decoding: Decoding | None) -> dict[str, Any]:
    """Every score beside chance, control and raw population; null if not decoded."""
    out: dict[str, Any] = {
        "n_rows": None if decoding is None else decoding.scores.n_rows,
        "n_controls": None if decoding is None else len(decoding.controls),
        "folds": None if decoding is None else list(decoding.folds),
        "k": None if decoding is None else list(decoding.k),
        "raw_knn_k": None,
        "raw_knn_sigma_frames": None,
        "seconds": None if decoding is None else dict(decoding.seconds),
    }
    if decoding is not None:
        out["raw_knn_k"] = [k for k, _ in decoding.raw_choice]
        out["raw_knn_sigma_frames"] = [sigma for _, sigma in decoding.raw_choice]
    for name in _SCORES:
        best = f"shuffled_{name}_{'max' if name in MORE_IS_BETTER else 'min'}"
        out |= dict.fromkeys(
            (name, f"chance_{name}", f"shuffled_{name}", best, f"raw_knn_{name}")
        )
        if decoding is None:
            continue
        out[name] = getattr(decoding.scores, name)
        out[f"chance_{name}"] = getattr(decoding.chance, name)
        out[f"raw_knn_{name}"] = getattr(decoding.raw, name)
        out[f"shuffled_{name}"] = decoding.control(name)
        out[best] = decoding.best_control(name)
    return out


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _sources(config: PipelineConfig) -> list[dict[str, Any]]:
    from napari_cebra.io import SourceFile

    source = config.source
    named = (
        source.stack,
        source.rois,
        source.traces,
        source.spikes,
        source.variables,
        source.stimulus_log,
        source.movie,
        *config.align.files,
    )
    return [
        SourceFile.of(path).to_json()
        for path in named
        if path is not None and Path(path).exists()
    ]


def _plain(value: Any) -> Any:
    """Make JSON types; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
