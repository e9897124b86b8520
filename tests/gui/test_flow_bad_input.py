"""Each bad input is told in a sentence at its widget, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari")

import tifffile

from napari_cebra.embedding import TrainConfig
from napari_cebra.pipeline import PipelineConfig, TargetConfig
from napari_cebra.widgets import docks
from napari_cebra.widgets.roi_form import RoiChoice

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(make_napari_viewer, qtbot):
    """Return the dock with a good recording already open."""
    viewer = make_napari_viewer(show=True)
    dock = docks.open_dock(viewer, docks.CEBRA)
    idle(dock, qtbot)
    dock.session.workspace.set_recording(good_recording())
    yield dock
    dock.session.jobs.stop_all()
    idle(dock, qtbot)


def good_recording():
    from napari_cebra.recording import Recording, Traces

    values = np.random.default_rng(0).normal(size=(400, 4))
    return Recording(Traces(values, rate=10.0), name="good")


def idle(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.session.jobs.under_way, timeout=30_000)


def load(dock, qtbot, path):
    dock.load.path.setValue(path)
    idle(dock, qtbot)
    if dock.load.button.isEnabled():
        dock.load.button.click()
        idle(dock, qtbot)


def check(message, *words: str) -> None:
    assert message.level() == "error", message.text()
    text = message.text()
    assert message.isVisible()
    assert text.count("\n") == 0 and text.endswith("."), text
    assert "Traceback" not in text
    for word in words:
        assert word in text, text


def still_open(dock) -> None:
    assert dock.session.workspace.recording.name == "good"
    assert not dock.session.jobs.under_way


def text_file(tmp_path):
    (tmp_path / "notes.tif").write_text("not a picture at all")
    return tmp_path / "notes.tif"


def truncated(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.zeros((40, 32, 32), np.uint16), photometric="minisblack")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def nan_traces(tmp_path):
    values = np.ones((50, 5))
    values[7, 3] = np.nan
    np.save(tmp_path / "nan.npy", values)
    return tmp_path / "nan.npy"


def half_a_suite2p_folder(tmp_path):
    folder = tmp_path / "plane0"
    folder.mkdir()
    np.save(folder / "F.npy", np.ones((3, 50), np.float32))
    return folder


def nothing_there(tmp_path):
    return tmp_path / "gone.tif"


@pytest.mark.parametrize(
    "make", [text_file, truncated, nan_traces, half_a_suite2p_folder, nothing_there]
)
def test_a_file_that_cannot_be_loaded(dock, qtbot, tmp_path, make):
    path = make(tmp_path)
    load(dock, qtbot, path)
    check(dock.load.message)
    still_open(dock)


@pytest.mark.parametrize("has_numbers", [False, True])
def test_a_stack_of_nan_is_shown_and_told(dock, qtbot, tmp_path, has_numbers):
    movie = np.full((20, 16, 16), np.nan, np.float32)
    if has_numbers:
        movie[:, 4:8] = np.arange(16)
        movie[:, 5] = np.inf
    tifffile.imwrite(tmp_path / "nan.tif", movie, photometric="minisblack")
    load(dock, qtbot, tmp_path / "nan.tif")
    layer, message = dock.session.main_view.stack_layer, dock.load.message
    assert ("only NaN" in message.text()) is not has_numbers
    assert np.allclose(layer.contrast_limits, (0, 15 if has_numbers else 1), atol=0.2)
    dock.session.workspace.set_stack(None)
    assert layer not in dock.session.viewer.layers


@pytest.fixture
def stack(tmp_path):
    movie = np.random.default_rng(1).integers(1, 500, (40, 16, 16)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", movie, photometric="minisblack")
    return tmp_path / "stack.tif"


def test_a_table_of_another_length_waits_for_the_align_step(
    dock, qtbot, tmp_path, stack
):
    table = tmp_path / "short.csv"
    table.write_text("speed\n" + "\n".join(str(k) for k in range(31)))
    dock.load.fold.setValue(True)
    dock.load.path.setValue(stack)
    dock.load.behaviour._table.setValue(table)
    idle(dock, qtbot)
    dock.load.button.click()
    idle(dock, qtbot)
    said = "short.csv has 31 rows for 40 frames: align them in the Align step."
    for message in (dock.load.behaviour.table_message, dock.load.message):
        assert (message.level(), message.text()) == ("warning", said)
    assert dock.session.workspace.stack.shape[0] == 40
    assert dock.session.accompaniment.is_waiting(40)


def test_a_table_of_another_length_is_told_before_loading(dock, qtbot, tmp_path, stack):
    form, message = dock.load.behaviour, dock.load.behaviour.table_message
    dock.show_step(dock.load)
    dock.load.fold.setValue(True)
    table = tmp_path / "short.csv"
    table.write_text("speed\n" + "\n".join(str(k) for k in range(16)))
    form._table.setValue(table)
    idle(dock, qtbot)
    assert (message.level(), message.text()) == ("info", "16 rows, 1 column.")
    dock.load.path.setValue(stack)
    idle(dock, qtbot)
    waiting = "short.csv has 16 rows for 40 frames: align them in the Align step."
    assert (message.level(), message.text()) == ("warning", waiting)
    dock.load.source._axes.setValue("YTX")  # 16 frames, then
    assert message.level() == "info"
    dock.load.source._axes.setValue("TYX")
    assert message.text() == waiting
    np.save(tmp_path / "traces.npy", np.ones((16, 4)))
    dock.load.path.setValue(tmp_path / "traces.npy")
    idle(dock, qtbot)
    assert message.level() == "info"
    dock.load.path.setValue(None)
    form._table.setValue(None)
    assert message.level() == "none"
    still_open(dock)


def test_a_movie_shorter_than_the_indices(dock, qtbot, tmp_path, stack):
    np.save(tmp_path / "movie.npy", np.zeros((10, 8, 8), np.uint8))
    table = tmp_path / "shown.csv"
    table.write_text("shown\n" + "\n".join(str(k % 20) for k in range(40)))
    dock.load.fold.setValue(True)
    dock.load.path.setValue(stack)
    dock.load.behaviour._table.setValue(table)
    dock.load.behaviour._movie.setValue(tmp_path / "movie.npy")
    idle(dock, qtbot)
    dock.load.button.click()
    idle(dock, qtbot)
    check(dock.load.behaviour.movie_message, "10 frames", "19")
    check(dock.load.message, "10 frames", "19")
    still_open(dock)


def test_an_opened_project_leaves_no_file_of_the_recording_before(
    dock, qtbot, tmp_path, stack
):
    dock.export.save(tmp_path / "good.cebra")
    idle(dock, qtbot)
    load(dock, qtbot, stack)
    assert dock.load.message.text() and dock.load.source.recognised() is not None
    dock.export.open_project(tmp_path / "good.cebra")
    idle(dock, qtbot)
    still_open(dock)
    assert dock.load.path.value() is None and dock.load.source.recognised() is None
    assert dock.load.message.text() == "" and not dock.load.button.isEnabled()


def test_a_rate_that_was_entered_is_not_asked_for(dock, qtbot, stack):
    dock.load.path.setValue(stack)
    idle(dock, qtbot)
    assert "enter it above" in dock.load.message.text()
    dock.load.source._rate.setValue(30)
    assert dock.load.message.text() == ""


def test_rois_of_another_field_of_view(dock, qtbot, tmp_path, stack):
    load(dock, qtbot, stack)
    labels = np.zeros((20, 20), np.uint16)
    labels[2:5, 2:5] = 1
    tifffile.imwrite(tmp_path / "other.tif", labels)
    dock.show_step(dock.traces)
    dock.traces.rois.setValue(RoiChoice("file", path=tmp_path / "other.tif"))
    dock.traces.button.click()
    idle(dock, qtbot)
    check(dock.traces.message, "16")
    assert dock.session.workspace.stack is not None


def test_out_of_memory_on_the_device(dock, qtbot, monkeypatch):
    import torch

    from napari_cebra.pipeline.fit import Fit

    def explode(self, latents_every=None):
        raise torch.OutOfMemoryError("CUDA out of memory")
        yield

    monkeypatch.setattr(Fit, "run", explode)
    dock.show_step(dock.train)
    dock.train.button.click()
    idle(dock, qtbot)
    check(dock.train.message, "memory", "smaller batch")
    still_open(dock)
    assert dock.train.button.isEnabled()


def test_a_folder_that_cannot_be_written_to(dock, qtbot, tmp_path, made):
    workspace = dock.session.workspace
    recording = made.recording()
    workspace.set_recording(recording)
    config = PipelineConfig(target=TargetConfig("position"), training=TrainConfig())
    workspace.set_embedding(replace(made.embedding(recording), config=config))
    (tmp_path / "file").write_text("in the way")
    dock.show_step(dock.export)
    dock.export.setValue(("latents_csv",))
    dock.export.folder.setValue(tmp_path / "file" / "below")
    dock.export.button.click()
    idle(dock, qtbot)
    check(dock.export.message, "cannot be written")
    assert workspace.embedding is not None


def test_a_project_folder_that_is_none(dock, qtbot, tmp_path):
    (tmp_path / "x.cebra").mkdir()
    dock.export.open_project(tmp_path / "x.cebra")
    dock.show_step(dock.export)
    idle(dock, qtbot)
    check(dock.export.message)
    still_open(dock)
