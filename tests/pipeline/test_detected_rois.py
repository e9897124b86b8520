"""ROIs that are found in the stack: by a config, the command line and a script."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_cebra.cli.arguments import parser
from napari_cebra.cli.commands import configuration
from napari_cebra.io import open_stack
from napari_cebra.pipeline import (
    PipelineConfig,
    SourceConfig,
    exhaust,
    load_recording,
)
from napari_cebra.recording import InvalidInput
from napari_cebra.simulate.cell_fields import CellField, simulate_cells
from napari_cebra.traces.detection import DetectionSettings, detect

DETECTION = DetectionSettings(diameter=10.5, max_rois=6)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    field = CellField(n_cells=10, n_hidden=0, shape=(64, 64), seconds=60, photons=40)
    path = tmp_path_factory.mktemp("cells") / "stack.tif"
    tifffile.imwrite(path, simulate_cells(field).movie, metadata={"axes": "TYX"})
    return path


def test_a_config_and_a_script_give_the_same_rois(stack):
    source = SourceConfig(stack=str(stack), rois="detect", rate=10.0)
    config = PipelineConfig(source=source, detection=DETECTION)
    recording = exhaust(load_recording(config))
    with open_stack(stack, rate=10.0) as opened:
        rois = exhaust(detect(opened, DETECTION)).rois
    assert recording.traces.n_rois == len(rois) == 6
    np.testing.assert_array_equal(recording.rois.pixels, rois.pixels)
    np.testing.assert_array_equal(recording.rois.weights, rois.weights)
    assert recording.provenance[-1].name == "detect"
    assert recording.provenance[-1].parameters["diameter"] == 10.5


def test_the_command_line_says_the_same(stack, tmp_path):
    words = f"run --stack {stack} --rois detect --rate 10 --out {tmp_path}"
    words += " --cell-diameter 10.5 --max-cells 6"
    config = configuration(parser().parse_args(words.split()))
    assert config.source.rois == "detect"
    assert config.detection == DETECTION


def test_um_on_the_command_line_replace_pixels_of_a_config(tmp_path):
    kept = tmp_path / "config.json"
    kept.write_text(PipelineConfig(detection=DETECTION).to_json())
    words = f"run --config {kept} --out {tmp_path} --cell-diameter-um 12"
    config = configuration(parser().parse_args(words.split()))
    assert (config.detection.diameter, config.detection.diameter_um) == (None, 12.0)
    assert config.detection.max_rois == 6


def test_finding_needs_a_stack():
    config = PipelineConfig(source=SourceConfig(rois="detect"))
    with pytest.raises(InvalidInput, match="give a stack"):
        exhaust(load_recording(config))
