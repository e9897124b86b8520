"""What was said and chosen for one recording does not stand beside the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_cebra import io
from napari_cebra.pipeline.config import PipelineConfig, SourceConfig
from napari_cebra.recording import RoiSet
from napari_cebra.widgets import docks
from napari_cebra.widgets.opening import Opened
from napari_cebra.widgets.roi_form import RoiChoice

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    dock = docks.open_dock(viewer, docks.CEBRA)
    idle(dock, qtbot)
    yield dock
    dock.session.jobs.stop_all()
    idle(dock, qtbot)


def idle(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.session.jobs.under_way, timeout=30_000)


def stack(n_frames=60):
    movie = np.random.default_rng(0).integers(1, 500, (n_frames, 16, 16))
    return io.stack_from_array(movie.astype(np.uint16), "TYX", "stack", 10.0, {})


def own_rois():
    labels = np.zeros((16, 16), int)
    labels[2:6, 2:6], labels[9:13, 9:13] = 1, 2
    return RoiSet.from_labels(labels)


def test_messages_go_with_their_recording(dock, qtbot, made):
    dock.load._on_opened(Opened(SourceConfig(), stack=stack()))
    dock.traces.rois.setValue(RoiChoice("grid", tile=8))
    dock.traces.button.click()
    idle(dock, qtbot)
    assert dock.traces.message.text()
    dock.load._on_opened(Opened(SourceConfig(), stack=stack()))
    assert dock.traces.message.text() == ""
    assert dock.traces.curation.flagged_button.isHidden()
    dock.traces.message.info("of a stack from which nothing was extracted")
    dock.load._on_opened(Opened(SourceConfig(), recording=made.recording()))
    dock.traces.message.info("of traces")
    dock.load._on_opened(Opened(SourceConfig(), recording=made.recording()))
    assert dock.traces.message.text() == ""


def test_a_recording_with_rois_of_its_own_uses_them(dock, qtbot, tmp_path):
    traces = dock.traces
    dock.load._on_opened(Opened(SourceConfig(), stack=stack()))
    traces.rois.setValue(RoiChoice("grid", tile=2))
    dock.load._on_opened(Opened(SourceConfig(), stack=stack(), rois=own_rois()))
    assert traces.rois.value().source == "layer"
    traces.button.click()
    idle(dock, qtbot)
    assert dock.session.workspace.recording.traces.n_rois == 2

    traces.rois.setValue(RoiChoice("grid", tile=2))
    dock.session.configChanged.emit()  # as of a project that brings them
    assert traces.rois.value().source == "layer"

    traces.rois.setValue(RoiChoice("file", path=tmp_path / "rois_of_the_last.tif"))
    dock.load._on_opened(Opened(SourceConfig(), stack=stack()))
    assert traces.rois.value().path is None


def test_what_is_learnt_from_fits_the_recording(dock, made):
    form, recording = dock.train.form, made.recording()
    dock.load._on_opened(Opened(SourceConfig(), recording=recording))
    form._mode.setValue("time")
    dock.session.workspace.set_recording(replace(recording))  # extracted once more
    assert form.value().target.mode == "time"
    dock.load._on_opened(Opened(SourceConfig(), recording=recording))
    assert form.value().target.mode == "behavior"
    bare = replace(recording, variables=(), stimulus=None)
    dock.load._on_opened(Opened(SourceConfig(), recording=bare))
    assert form.value().target.mode == "time"


def test_a_table_is_not_attached_to_the_next_recording(
    dock, qtbot, tmp_path, made, monkeypatch
):
    load = dock.load
    behaviour = load.behaviour
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).random((50, 4)))
    table = tmp_path / "behaviour.csv"
    table.write_text("speed\n" + "\n".join(str(k / 2) for k in range(50)))
    dock.show_step(load)
    load.fold.setValue(True)
    behaviour._table.setValue(table)
    load.path.setValue(tmp_path / "a.npy")
    idle(dock, qtbot)
    assert behaviour.value().table == table, "chosen before the traces"
    load.button.click()
    idle(dock, qtbot)
    dock.show_step(load)
    workspace = dock.session.workspace
    assert [v.name for v in workspace.recording.variables] == ["speed"]
    load.path.setValue(tmp_path / "b.npy")
    idle(dock, qtbot)
    assert behaviour.value().table is None
    assert "belongs to the recording loaded before" in behaviour.table_message.text()

    workspace.set_recording(made.recording())
    workspace.set_embedding(
        replace(made.embedding(workspace.recording), config=PipelineConfig())
    )
    asked = []
    monkeypatch.setattr(
        "napari_cebra.widgets.session.may_discard",
        lambda parent, name, results: asked.append(name),
    )
    behaviour._table.setValue(None)
    load.button.click()
    assert asked
