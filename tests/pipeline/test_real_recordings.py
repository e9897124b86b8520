"""Recordings that nobody simulated, all the way."""

import numpy as np
import pytest

from napari_cebra.pipeline import (
    DecodingConfig,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
    decode,
    exhaust,
    fit,
    load_recording,
)

pytestmark = pytest.mark.real_data


@pytest.mark.slow
def test_corridor_position_from_the_raw_movie(real_data):
    """Barrel cortex in a corridor: 500 frames of 64 × 64 pixels, rate unknown."""
    folder = real_data / "thunder_mouse_s1"
    config = PipelineConfig(
        source=SourceConfig(
            stack=str(folder / "mouse_s1_2p_500x64x64_int16.tif"),
            rois="grid:4",
            variables=str(folder / "covariates.csv"),
        ),
        target=TargetConfig("corridor_position"),
        training_changes={"threads": 1, "device": "cpu", "max_iterations": 100},
        decoding=DecodingConfig(n_controls=2),
    )
    recording = exhaust(load_recording(config))
    assert recording.rate is None
    decoding = exhaust(decode(recording, exhaust(fit(recording, config))))
    assert decoding.scores.r2 > max(decoding.control_values("r2")) + 0.1
    assert decoding.scores.r2 > decoding.chance.r2 + 0.1
    assert decoding.scores.n_rows == 500


def test_suite2p_folder_in_time_mode(real_data):
    folder = real_data / "pynapple_suite2p" / "plane0"
    config = PipelineConfig(
        source=SourceConfig(rois=str(folder), rate=30.0),
        training_changes={"threads": 1, "device": "cpu", "max_iterations": 60},
    )
    recording = exhaust(load_recording(config))
    embedding = exhaust(fit(recording, config))
    assert embedding.rows.all()
    assert np.isfinite(embedding.display().coordinates).all()
    assert embedding.bits_heldout > 0.5
