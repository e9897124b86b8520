"""The window writes what the command line writes, and what there is to write."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra.embedding import TrainConfig
from napari_cebra.io import read_trace_matrix
from napari_cebra.pipeline import (
    PipelineConfig,
    TargetConfig,
    embedding_columns,
    exhaust,
)
from napari_cebra.pipeline.summary import schema
from napari_cebra.widgets import preferences
from napari_cebra.widgets.exporting import WHAT, exporting
from napari_cebra.widgets.project_step import ExportStep
from napari_cebra.widgets.session import Session

pytestmark = pytest.mark.gui


@pytest.fixture
def parts(made):
    recording = made.recording()
    config = PipelineConfig(target=TargetConfig("position"), training=TrainConfig())
    return recording, replace(made.embedding(recording), config=config)


def test_the_embedding_has_the_columns_of_the_command_line(parts, tmp_path):
    recording, embedding = parts
    kinds = ("latents_csv", "latents_npz")
    table, arrays = exhaust(exporting(kinds, tmp_path, recording, embedding, None))
    expected = embedding_columns(recording, embedding)
    assert {"split", "shown", "repeat", "angle", "side", "position"} <= set(expected)
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, values in expected.items():
        assert rows[321][name] == str(values[321].item())
    with np.load(arrays) as stored:
        for name, values in expected.items():
            np.testing.assert_array_equal(stored[name], values)


def test_traces_read_back_as_they_were(parts, tmp_path):
    recording, _ = parts
    (path,) = exhaust(exporting(("traces_csv",), tmp_path, recording, None, None))
    assert path.name == "recording_traces_dff.csv"
    matrix = read_trace_matrix(path)
    np.testing.assert_array_equal(matrix.traces.values, recording.traces.values)
    np.testing.assert_array_equal(matrix.frame_times, recording.frame_times)
    assert matrix.names == tuple(f"roi_{roi}" for roi in recording.roi_ids)


def test_the_summary_names_what_was_written(parts, tmp_path):
    kinds = ("latents_csv", "summary")
    *_, path = exhaust(exporting(kinds, tmp_path, *parts, None))
    summary = json.loads(path.read_text("utf-8"))
    jsonschema.validate(summary, schema())
    assert summary["outputs"] == ["recording_embedding.csv"]
    assert summary["config"] == parts[1].config.to_dict()
    assert not any(part.name.startswith(".") for part in tmp_path.iterdir())


def test_what_cannot_be_written_is_not_ticked_but_remembered(parts, make_napari_viewer):
    session = Session.of(make_napari_viewer())
    step = ExportStep(session)
    step.setValue(("csv", "latents_csv", "traces_csv"))
    assert not any(step._boxes[key].isChecked() for key, *_ in WHAT)
    recording, embedding = parts
    session.workspace.set_recording(recording)
    assert step._boxes["traces_csv"].isChecked()
    assert not step._boxes["latents_csv"].isChecked()
    session.workspace.set_embedding(embedding)
    assert step._boxes["latents_csv"].isChecked()
    assert not step._boxes["csv"].isChecked()
    assert step.value() == ("csv", "latents_csv", "traces_csv")
    step._boxes["latents_csv"].setChecked(False)
    assert preferences.recall("export") == ["csv", "traces_csv"]
    step.close()
