"""What is said of a registration, and that settings come from anywhere alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.cli.arguments import parser
from napari_cebra.cli.commands import configuration
from napari_cebra.pipeline import PipelineConfig
from napari_cebra.pipeline.motion_words import (
    is_worthwhile,
    motion_lines,
    short_text,
)
from napari_cebra.recording import InvalidInput
from napari_cebra.traces.motion import Motion, MotionQuality, MotionSettings


@pytest.fixture
def motion() -> Motion:
    shifts = np.zeros((10, 2))
    shifts[4] = 3, 4
    return Motion(
        shifts,
        np.arange(10) == 7,
        np.ones(10),
        np.ones(10),
        np.zeros((64, 64), np.float32),
        (64, 64),
        MotionQuality(0.5, 0.8, 100.0, 150.0, 10),
    )


def test_the_words_give_the_figures(motion) -> None:
    assert short_text(motion) == "0 px median, 1 frame failed"
    moved, quality, failed, border = motion_lines(motion)
    assert "0 px (median), at most 5" in moved
    assert "0.500 → 0.800" in quality and "50 % crisper" in quality
    assert failed.startswith("1 of 10 frames could not be registered: its shift")
    assert "refuses a frame with a NaN pixel" in failed
    assert "3 px at the bottom, 4 px at the right" in border


@pytest.mark.parametrize(
    ("after", "text"),
    [(0.5005, "hardly any motion"), (0.4, "leave the correction off")],
)
def test_a_correction_that_does_no_good_is_called_so(motion, after, text) -> None:
    quality = replace(motion.quality, correlation_after=after)
    assert text in motion_lines(replace(motion, quality=quality))[1]


@pytest.mark.parametrize(
    ("after", "crispness", "is_used"),
    [
        (0.8, 90.0, True),
        (0.5005, 101.0, True),
        (0.5005, 99.0, False),
        (0.4, 150, False),
    ],
)
def test_only_a_correction_that_does_good_is_used(
    motion, after, crispness, is_used
) -> None:
    quality = MotionQuality(0.5, after, 100.0, crispness, 10)
    motion = replace(motion, quality=quality)
    assert is_worthwhile(motion) is is_used
    assert ("leave the correction off" in motion_lines(motion)[1]) is not is_used


def test_options_become_settings() -> None:
    run = ["run", "--stack", "a.tif", "--rois", "grid:8", "--out", "o"]

    def settings(*options: str) -> MotionSettings | None:
        return configuration(parser().parse_args([*run, *options])).motion

    assert settings() is None
    assert settings("--motion", "rigid") == MotionSettings()
    assert settings(
        *("--motion", "piecewise", "--max-shift", "12%", "--high-pass", "6"),
        *("--smooth-frames", "2", "--block", "96"),
    ) == MotionSettings(
        "piecewise", 0.12, high_pass_px=6.0, smooth_frames=2.0, block_px=96
    )
    whole = settings("--motion", "rigid", "--max-shift", "40px", "--whole-pixels")
    assert whole == MotionSettings("rigid", 40.0, "px", interpolation="nearest")
    with pytest.raises(InvalidInput, match="add --motion"):
        settings("--block", "64")


def test_settings_are_part_of_the_config() -> None:
    config = PipelineConfig(motion=MotionSettings("piecewise", block_px=64))
    assert PipelineConfig.from_json(config.to_json()) == config
    with pytest.raises(InvalidInput, match="Unknown settings in 'motion': speed"):
        PipelineConfig.from_dict({"motion": {"speed": 1}})
