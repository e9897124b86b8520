"""Recordings small enough to be fitted in a second or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline import (
    STIMULUS,
    DecodingConfig,
    PipelineConfig,
    TargetConfig,
)
from napari_cebra.recording import Recording, Stimulus, Traces, Variable
from napari_cebra.traces import dff

if TYPE_CHECKING:
    from collections.abc import Callable

N_REPEATS, N_MOVIE, N_ROIS = 5, 60, 24
RATE = 10.0

TRAINING = TrainConfig(
    model_architecture="offset5-model",
    num_hidden_units=16,
    output_dimension=4,
    max_iterations=30,
    batch_size=64,
    evaluations=6,
    time_offsets=2,
    threads=1,
    device="cpu",
)
DECODING = DecodingConfig(ks=(1, 9, 25), sigmas=(0.0, 2.0), n_blocks=4, n_controls=1)


def _config(
    target: str | TargetConfig | None = STIMULUS, **changes: object
) -> PipelineConfig:
    if not isinstance(target, TargetConfig):
        target = TargetConfig(target)
    return PipelineConfig(
        **{
            "target": target,
            "training": TRAINING,
            "decoding": DECODING,
            **changes,
        }  # type: ignore[arg-type]
    )


def _recording_of(raw: np.ndarray) -> Recording:
    """Five repeats of a 60-frame movie, with a variable that never repeats."""
    t = len(raw)
    counts = Traces(raw, "raw", RATE)
    frame = np.tile(np.arange(N_MOVIE), N_REPEATS)
    position = np.sin(np.arange(t) / 17) + np.arange(t) / t
    return Recording(
        dff(counts, None).traces,
        raw=counts,
        stimulus=Stimulus(
            frame,
            np.repeat(np.arange(N_REPEATS), N_MOVIE),
            frame_times=np.arange(N_MOVIE) / RATE,
        ),
        variables=(
            Variable("position", position, "continuous", "cm"),
            Variable("phase", frame / N_MOVIE, "circular", period=1.0),
            Variable("half", (frame >= N_MOVIE // 2).astype(int), "discrete"),
        ),
        name="tiny",
    )


@pytest.fixture(scope="session")
def raw_counts() -> np.ndarray:
    rng = np.random.default_rng(3)
    frame = np.tile(np.arange(N_MOVIE), N_REPEATS)
    preferred = rng.uniform(0, N_MOVIE, N_ROIS)
    away = np.abs(frame[:, None] - preferred)
    tuned = np.exp(-0.5 * (np.minimum(away, N_MOVIE - away) / 4) ** 2)
    noise = rng.normal(0, 0.15, tuned.shape)
    return (100 * (1 + tuned + noise)).astype(np.float32)


@pytest.fixture(scope="session")
def tiny(raw_counts: np.ndarray) -> Recording:
    return _recording_of(raw_counts)


@pytest.fixture(scope="session")
def config() -> Callable[..., PipelineConfig]:
    """Settings that take a moment, for a target and with changes."""
    return _config


@pytest.fixture(scope="session")
def recording_of() -> Callable[[np.ndarray], Recording]:
    return _recording_of
