"""The receptive field by its length: the same encoder from every entrance."""

import re
from dataclasses import replace

import numpy as np
import pytest

from napari_cebra.embedding import TrainConfig, recommended
from napari_cebra.embedding.descriptions import receptive_field
from napari_cebra.pipeline import Fit, PipelineConfig, TargetConfig
from napari_cebra.pipeline.encoder_shape import KINDS, EncoderConfig, EncoderShape
from napari_cebra.recording import InvalidInput, Recording, Traces


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 10, 36, 200])
@pytest.mark.parametrize("first", [None, 1, 2, 3, 20])
def test_every_shape_is_as_long_as_it_says_and_is_recognised(kind, frames, first):
    if first is not None and first > frames:
        with pytest.raises(InvalidInput, match="does not fit"):
            EncoderShape(kind, frames, first)
        return
    made = EncoderShape(kind, frames, first).settings()
    config = TrainConfig(**made)
    assert sum(receptive_field(config.model_architecture, config.first_kernel)) == (
        frames
    )
    found = EncoderShape.of(config)
    assert found.settings() == made


@pytest.mark.parametrize("target", ["movie", "continuous", None])
@pytest.mark.parametrize("rate", [None, 3.0, 7.0, 30.0])
@pytest.mark.parametrize("rows", [500, 9000])
def test_what_is_recommended_is_one_of_them_with_its_own_kernel(target, rate, rows):
    config = TrainConfig(**recommended(rate, 100, rows, target))
    shape = EncoderShape.of(config)
    assert shape.first_kernel is None
    settings = shape.settings()
    assert settings["model_architecture"] == config.model_architecture


@pytest.mark.parametrize("name", ["u2 +3 +3 d3", "offset36-model-dropout", "nonsense"])
def test_other_encoders_are_left_alone(name):
    assert EncoderShape.of(TrainConfig(model_architecture=name)) is None


def test_published_models_are_offset_layers():
    config = TrainConfig(model_architecture="offset10-model")
    assert EncoderShape.of(config) == EncoderShape("offset", 10)
    config = replace(config, first_kernel=7)
    assert EncoderShape.of(config) == EncoderShape("offset", 10, 7)
    config = replace(config, first_kernel=10)
    assert EncoderShape.of(config) == EncoderShape("wide", 10)


def test_seconds_become_frames_at_the_rate_of_the_recording(tiny):
    training = TrainConfig(model_architecture="m7 u4 d1")
    config = PipelineConfig(
        target=TargetConfig("position"),
        training=training,
        encoder=EncoderConfig(seconds=0.52),
    )
    resolved = config.resolved(tiny)  # 10 Hz
    assert resolved.training.model_architecture == "m4 u2 d1"
    assert resolved.encoder == EncoderConfig()
    assert PipelineConfig.from_json(config.to_json()) == config
    wide = replace(config, encoder=EncoderConfig(kind="wide", frames=12))
    assert wide.resolved(tiny).training.first_kernel == 12
    kernel = replace(config, encoder=EncoderConfig(first_kernel=5))
    assert kernel.resolved(tiny).training.model_architecture == "m6 u5 d1"
    own = replace(config, training=TrainConfig(model_architecture="m8 u3 d1"))
    assert own.resolved(tiny).training.model_architecture == "m3 u3 d1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": 1.0, "frames": 3}, "not in both"),
        ({"seconds": 0.0}, "positive number of seconds"),
        ({"frames": 0}, "whole number from 1"),
        ({"kind": "deep"}, "one of mean, linear, offset, wide"),
        ({"kind": "offset", "frames": 1001}, "up to 1000 frames"),
    ],
)
def test_nonsense_is_named(changes, words):
    with pytest.raises(InvalidInput, match=words):
        EncoderConfig(**changes)


def test_seconds_need_a_rate(tiny):
    unknown = Recording(Traces(tiny.traces.values))
    config = PipelineConfig(encoder=EncoderConfig(seconds=1.0))
    with pytest.raises(InvalidInput, match="needs the imaging rate"):
        config.resolved(unknown)


def test_an_encoder_written_out_has_no_other_length(tiny):
    training = TrainConfig(model_architecture="u2 +3 +3 d3")
    config = PipelineConfig(training=training, encoder=EncoderConfig(frames=4))
    with pytest.raises(InvalidInput, match="written out"):
        config.resolved(tiny)
    named = replace(config, encoder=EncoderConfig(kind="linear", frames=4))
    assert named.resolved(tiny).training.model_architecture == "m4 d1"


def test_a_window_longer_than_a_trial_is_told_before_training(tiny, config):
    trials = np.arange(tiny.n_frames) // 20
    short = replace(tiny, trials=trials)
    long = config("position", encoder=EncoderConfig(frames=21))
    with pytest.raises(InvalidInput, match=r"2.1 s \(21 frames\).*2 s \(20 frames\)"):
        Fit(short, long)
    whole = config(None, encoder=EncoderConfig(frames=999))
    with pytest.raises(InvalidInput, match="longest possible here is 11 s"):
        Fit(tiny, whole)


@pytest.mark.parametrize("rate", [None, 10.0])
def test_a_window_that_is_too_long_says_the_longest_possible(rate):
    traces = Traces(np.random.default_rng(0).random((500, 5)), rate=rate)
    recording = Recording(traces)

    def fit(frames):
        encoder = EncoderConfig(frames=frames)
        Fit(recording, PipelineConfig(encoder=encoder, training=TrainConfig()))

    with pytest.raises(InvalidInput, match=r"400 frames.*longest possible") as told:
        fit(400)
    sentence = str(told.value)
    assert (" s (" in sentence) == (rate is not None)
    longest = int(re.findall(r"(\d+) frames", sentence)[-1])
    fit(longest)
    with pytest.raises(InvalidInput, match="longest possible"):
        fit(longest + 1)


def test_an_encoder_that_is_none_is_told_with_what_there_is(tiny):
    training = TrainConfig(model_architecture="banana")
    for encoder in (EncoderConfig(), EncoderConfig(seconds=1.0)):
        config = PipelineConfig(training=training, encoder=encoder)
        with pytest.raises(InvalidInput, match="no encoder called 'banana'; use mean"):
            config.resolved(tiny)
