"""The command line aligns as the window and a script do."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

from napari_cebra.cli import main
from napari_cebra.cli.arguments import parser
from napari_cebra.cli.commands import configuration
from napari_cebra.pipeline import PipelineConfig, exhaust, load_recording
from napari_cebra.pipeline.align_config import AlignConfig, LogConfig, TimesConfig
from napari_cebra.pipeline.summary import schema
from napari_cebra.recording import InvalidInput
from napari_cebra.simulate import write_three_clocks


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return write_three_clocks(tmp_path_factory.mktemp("clocks"))


def words(truth, **pulses):
    def file(name):
        return str(truth.folder / name)

    return [
        *("--traces", file("traces.npy"), "--variables", file("behaviour.csv")),
        *("--time-column", "time_s", "--align", "pulses"),
        *("--align-pulses", pulses.get("pulses", file("behaviour_pulses.csv"))),
        *("--align-imaging", file("imaging_pulses.csv")),
        *("--stimulus", file("stimulus.csv"), "--stimulus-time-column", "time_s"),
        *("--shown-column", "frame", "--stimulus-align", "pulses"),
        *("--stimulus-align-pulses", file("stimulus_pulses.csv"), "column=time_s"),
        *("--stimulus-align-imaging", file("imaging_pulses.csv")),
        *("--frame-times", file("frames.csv")),
    ]


def config_of(*arguments):
    return configuration(parser().parse_args(["run", "--out", "out", *arguments]))


def test_a_run_states_what_was_found_and_equals_the_truth(truth, tmp_path, capsys):
    out = tmp_path / "out"
    small = ["--target", "position", "--steps", "20", "--controls", "0"]
    small += ["--threads", "1", "--device", "cpu", "--hidden-units", "4"]
    assert main(["run", *words(truth), *small, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Behaviour log: clock 3.44% fast; scale 0.96674" in said
    assert "Dropped frames: 16 in 3 gaps: 1 after frame 700, 4 after" in said
    assert "position: mean within each frame interval" in said
    summary = json.loads((out / "summary.json").read_text())
    jsonschema.validate(summary, schema())
    assert "behaviour_pulses.csv" in str(summary["sources"])
    config = PipelineConfig.from_json((out / "config.json").read_text())
    recording = exhaust(load_recording(config))
    np.testing.assert_array_equal(recording.stimulus.shown, truth.shown)
    error = recording.variable("position").values - truth.position
    assert np.abs(error[truth.logged]).max() < 0.5


def test_a_wrong_log_ends_with_the_match_rate(truth, tmp_path, capsys):
    other = write_three_clocks(tmp_path, seed=7)
    wrong = words(truth, pulses=str(other.folder / "behaviour_pulses.csv"))
    assert main(["run", *wrong, "--out", str(tmp_path / "out")]) == 2
    assert "of the pulses match, but 80% are needed" in capsys.readouterr().err


def test_each_option_is_a_setting():
    signal = ["daq.csv", "column=ttl", "edges=rising", "threshold=2.5", "time=t"]
    config = config_of(
        *("--frame-times", *signal, "per-second=1000", "--frame-skip", "3"),
        *("--align", "rates", "--align-rate", "100", "--align-start", "-2"),
        *("--align-times", "camera.csv"),
        *("--align-per-second", "1000", "--align-pin", "both"),
        *("--align-tolerance", "0.002", "--align-match", "0.9"),
        *("--resample", "nearest"),
        *("--resample-discrete", "majority", "--resample-gap", "3"),
        *("--stimulus-align", "times", "--stimulus-align-start", "4"),
    )
    assert config.align == AlignConfig(
        TimesConfig("daq.csv", "ttl", "rising", 2.5, "t", 1000),
        3,
        LogConfig(
            "rates",
            times=TimesConfig("camera.csv"),
            pin="both",
            tolerance_s=0.002,
            min_match=0.9,
            rate=100,
            start_s=-2,
            per_second=1000,
            resampling="nearest",
            discrete="majority",
            longest_gap_s=3,
        ),
        LogConfig("times", start_s=4),
    )


def test_a_rate_of_zero_and_an_unknown_word_are_refused():
    with pytest.raises(InvalidInput, match="rate must be a positive number, not 0"):
        config_of("--align", "rates", "--align-rate", "0")
    with pytest.raises(InvalidInput, match="--frame-times does not know 'edge=up'"):
        config_of("--frame-times", "daq.csv", "edge=up")
    with pytest.raises(InvalidInput, match="needs a number in 'threshold=high'"):
        config_of("--frame-times", "daq.csv", "threshold=high")
