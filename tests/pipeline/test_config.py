import json

import pytest

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline import (
    DecodingConfig,
    PipelineConfig,
    SourceConfig,
    TargetConfig,
)
from napari_cebra.recording import InvalidInput, Recording
from napari_cebra.traces import DffSettings


def test_round_trip_through_json():
    config = PipelineConfig(
        source=SourceConfig(stack="a.tif", rois="grid:4", rate=7.5),
        dff=DffSettings(baseline="maximin"),
        target=TargetConfig("angle", "circular", 360.0, "hybrid"),
        training=TrainConfig(max_iterations=7),
        training_changes={"device": "cpu"},
        decoding=DecodingConfig(ks=(3,), folds="all"),
        seed=5,
    )
    assert PipelineConfig.from_json(config.to_json()) == config
    assert PipelineConfig.from_json(PipelineConfig().to_json()) == PipelineConfig()


def test_what_is_missing_takes_its_default():
    assert PipelineConfig.from_json('{"seed": 3}') == PipelineConfig(seed=3)


def test_a_summary_gives_the_settings_that_it_holds():
    config = PipelineConfig(seed=3, target=TargetConfig("place"))
    summary = {"name": "mouse", "training": {"steps": 9}, "config": config.to_dict()}
    assert PipelineConfig.from_json(json.dumps(summary)) == config


def test_one_seed_rules():
    config = PipelineConfig(training=TrainConfig(seed=1), seed=4)
    assert config.training.seed == 4


def test_nothing_is_left_open_once_resolved(tiny: Recording):
    config = PipelineConfig(training_changes={"max_iterations": 12}, seed=2)
    resolved = config.resolved(tiny)
    assert resolved.training.max_iterations == 12
    assert resolved.training.seed == 2
    assert resolved.training.threads >= 1
    assert resolved.resolved(tiny) == resolved


def test_gap_is_the_window_and_the_decay():
    decoding = DecodingConfig(calcium_decay_s=1.25, calcium_decay_frames=8)
    assert decoding.gap((5, 5), 10.0) == 10 + 13
    assert decoding.gap((0, 1), None) == 1 + 8


def test_a_target_of_time_alone():
    assert TargetConfig(None).mode == "time"


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ({"sed": 1}, "Unknown settings in 'config': sed"),
        ({"decoding": {"kk": 1}}, "Unknown settings in 'decoding': kk"),
        ({"source": {"rate": -1}}, "rate must be a positive number, not -1"),
        ({"source": {"rate": "fast"}}, "rate must be a number, not 'fast'"),
        ({"source": {"stack": "a", "traces": "b"}}, "not stack and traces"),
        ({"target": {"mode": "both"}}, "mode must be one of time, behavior, hybrid"),
        ({"target": {"name": "x", "kind": "odd"}}, "kind must be one of"),
        ({"decoding": {"ks": [0]}}, "whole numbers of neighbours from 1"),
        ({"decoding": {"n_blocks": 2}}, "n_blocks must be at least 3"),
        ({"decoding": {"ks": 4}}, "wrong type"),
        ({"training": {"learning_rate": 0}}, "learning_rate"),
        ({"training_changes": {"lr": 1}}, "Unknown training settings: lr"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"dff": []}, "'dff' must be a JSON object"),
        ({"schema": 99}, "newer version"),
    ],
)
def test_wrong_settings_are_named(stored, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        PipelineConfig.from_json(json.dumps(stored))


def test_text_that_is_no_json():
    with pytest.raises(InvalidInput, match="not valid JSON"):
        PipelineConfig.from_json("{")
    with pytest.raises(InvalidInput, match="JSON object"):
        PipelineConfig.from_json("[]")
