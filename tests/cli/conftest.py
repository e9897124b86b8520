"""A small simulated recording on disk, and arguments that run in a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline import DecodingConfig, PipelineConfig, exhaust
from napari_cebra.simulate import V1Movie, write_v1_recording

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.simulate import V1Files


@pytest.fixture(scope="session")
def v1(tmp_path_factory: pytest.TempPathFactory) -> V1Files:
    config = V1Movie.small(n_cells=20, n_repeats=4, n_movie_frames=45)
    folder = tmp_path_factory.mktemp("v1") / "recording"
    return exhaust(write_v1_recording(folder, config))


@pytest.fixture
def arguments(v1: V1Files, tmp_path: Path) -> list[str]:
    training = TrainConfig(
        model_architecture="offset5-model",
        num_hidden_units=8,
        output_dimension=3,
        batch_size=32,
        time_offsets=2,
        evaluations=4,
        device="cpu",
        threads=1,
    )
    decoding = DecodingConfig(ks=(1, 9), sigmas=(0.0,), calcium_decay_s=0.2)
    settings = PipelineConfig(training=training, decoding=decoding)
    (tmp_path / "settings.json").write_text(settings.to_json())
    return [
        "run",
        *("--config", str(tmp_path / "settings.json")),
        *("--stack", str(v1.stack), "--rois", str(v1.rois)),
        *("--variables", str(v1.frames), "--shown-column", "shown"),
        *("--repeat-column", "repeat", "--movie", str(v1.movie)),
        *("--steps", "12", "--controls", "1", "--device", "cpu"),
        *("--out", str(tmp_path / "out")),
    ]
