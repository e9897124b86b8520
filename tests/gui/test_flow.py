"""A person clicks through the five steps on a small recording."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_cebra.pipeline import STIMULUS, exhaust, fit, load_recording
from napari_cebra.pipeline.project import open_project
from napari_cebra.recording import Progress
from napari_cebra.simulate import V1Movie, write_v1_recording
from napari_cebra.widgets import docks
from napari_cebra.widgets.roi_form import RoiChoice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.simulate import V1Files
    from napari_cebra.widgets import CebraDock

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
STEPS = 20


@pytest.fixture(scope="session")
def v1(tmp_path_factory) -> V1Files:
    """Return a small rendered recording with table, movie and ROIs."""
    folder = tmp_path_factory.mktemp("v1") / "recording"
    config = V1Movie.small(n_cells=12, n_repeats=4, n_movie_frames=60)
    return exhaust(write_v1_recording(folder, config, threads=1))


@dataclass
class Person:
    """Types, clicks and waits."""

    viewer: object
    dock: CebraDock
    qtbot: object

    @property
    def workspace(self):
        return self.dock.session.workspace

    def types(self, field, path: Path) -> None:
        line = field._line
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, str(path))
        QTest.keyClick(line, Qt.Key.Key_Return)

    def clicks(self, button) -> None:
        assert button.isVisible() and button.isEnabled(), button.text()
        QTest.mouseClick(button, LEFT)

    def waits(self, condition=None, timeout: int = 60_000) -> None:
        """Wait for a condition, and until nothing is under way."""
        jobs = self.dock.session.jobs
        if condition is not None:
            self.qtbot.waitUntil(condition, timeout=timeout)
        self.qtbot.waitUntil(lambda: not jobs.under_way, timeout=timeout)

    def opens(self, step) -> None:
        self.dock.show_step(step)

    def loads(self, files: V1Files) -> None:
        load = self.dock.load
        self.opens(load)
        self.types(load.path, files.stack)
        self.waits(lambda: load.source.recognised() is not None)
        load.fold.setValue(True)
        self.types(load.behaviour._table, files.frames)
        self.types(load.behaviour._movie, files.movie)
        self.waits(load.behaviour.columns.isVisible)
        self.clicks(load.button)
        self.waits(lambda: self.workspace.stack is not None)

    def extracts(self, files: V1Files) -> None:
        step = self.dock.traces
        self.opens(step)
        step.rois._source.setValue("file")
        self.types(step.rois._file, files.rois)
        self.clicks(step.button)
        self.waits(lambda: self.workspace.recording is not None)

    def trains(self) -> None:
        step = self.dock.train
        self.opens(step)
        step.form._steps.setValue(STEPS)
        step.form._units.setValue(8)
        step.form._batch.setValue(64)
        step.form._threads.setValue(1)
        self.clicks(step.button)
        self.waits(lambda: self.workspace.embedding is not None)


@pytest.fixture
def person(make_napari_viewer, qtbot) -> Person:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    dock = docks.open_dock(viewer, docks.CEBRA)
    someone = Person(viewer, dock, qtbot)
    someone.waits()  # the device is being looked for
    yield someone
    someone.dock.session.jobs.stop_all()
    someone.waits()


def messages(dock: CebraDock) -> dict[str, str]:
    return {page.body.title: page.body.message.text() for page in dock.pages}


def states(dock: CebraDock) -> list[str]:
    """Return how far each step is that has a number."""
    return [page.state() for page in dock.pages if page.header.is_numbered]


def test_from_a_stack_to_an_exported_movie_and_back(person, v1, tmp_path):
    dock, workspace = person.dock, person.workspace

    person.loads(v1)
    assert workspace.stack.shape == (240, 64, 64)
    assert states(dock)[:3] == ["done", "todo", "locked"]
    assert person.viewer.dims.ndim == 3

    person.extracts(v1)
    recording = workspace.recording
    labels = tifffile.imread(v1.rois)
    assert recording.traces.n_rois == np.unique(labels[labels > 0]).size
    assert recording.stimulus.movie is not None
    assert docks.is_open(person.viewer, docks.TRACES)
    assert dock.traces.message.level() in ("info", "warning")

    assert dock.train.form.value().target.name == STIMULUS
    live = []
    workspace.live_latents.connect(live.append)
    person.trains()
    assert docks.is_open(person.viewer, docks.LATENTS)
    assert live and live[0].shape[0] == recording.n_frames
    assert workspace.embedding.config.training.max_iterations == STEPS
    assert person.viewer.dims.ndim == 3, "latents never enter the main viewer"
    config = dock.session.config
    scripted = exhaust(fit(exhaust(load_recording(config)), config))
    np.testing.assert_array_equal(scripted.latents, workspace.embedding.latents)

    person.opens(dock.decode)
    assert "Train on repeats 0–2, test on repeat 3" in dock.decode.protocol.text()
    dock.decode.form._controls.setValue(1)
    person.clicks(dock.decode.button)
    person.waits(lambda: workspace.decoding is not None)
    rows = dock.decode.table.value()
    assert rows[0].name == "Within 1 s"
    assert "–" not in (rows[0].ours, rows[0].chance, rows[0].shuffled, rows[0].raw)
    assert "looked up, not painted" in dock.decode.note.text()
    assert dock.decode.note.isVisible()

    person.opens(dock.export)
    dock.export.setValue(("tiff", "mp4", "csv", "latents_csv", "latents_npz"))
    person.types(dock.export.folder, tmp_path / "out")
    person.clicks(dock.export.button)
    person.waits()
    assert dock.export.message.level() == "info", dock.export.message.text()
    found = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert found == {".tif", ".mp4", ".csv", ".npz"}
    decoded = workspace.decoding.rows.sum()
    tiff = next((tmp_path / "out").glob("*.tif"))
    assert tifffile.imread(tiff).shape[0] == decoded

    folder = tmp_path / "small.cebra"
    dock.export.save(folder)
    person.waits(lambda: workspace.project_folder == folder)
    assert not workspace.unsaved
    before = workspace.embedding.latents, workspace.decoding.predicted
    workspace.clear()
    assert workspace.recording is None and dock.page_of(dock.traces).state() == "locked"

    person.opens(dock.load)
    person.types(dock.load.path, folder)
    person.waits(lambda: dock.load.source.recognised() is not None)
    assert dock.load.button.text() == "Open project"
    person.clicks(dock.load.button)
    person.waits(lambda: workspace.decoding is not None)
    np.testing.assert_array_equal(workspace.embedding.latents, before[0])
    np.testing.assert_array_equal(workspace.decoding.predicted, before[1])
    assert workspace.stack.shape == (240, 64, 64)
    assert states(dock) == [*["done"] * 4, "todo", "todo", "done"]
    assert dock.train.form.value().config.max_iterations == STEPS


def begins_long_training(person) -> None:
    """Press Train for a run that will not end by itself, and wait for steps."""
    step = person.dock.train
    person.opens(step)
    step.form._steps.setValue(100_000)
    step.form._units.setValue(8)
    step.form._batch.setValue(32)
    step.form._threads.setValue(1)
    person.clicks(step.button)
    jobs = person.dock.session.jobs
    person.qtbot.waitUntil(
        lambda: (
            jobs.running("training") is not None
            and getattr(jobs.running("training").last_report, "done", 0) > 5
        ),
        timeout=60_000,
    )


def test_stop_keeps_what_was_learnt(person, v1):
    person.loads(v1)
    person.extracts(v1)
    begins_long_training(person)
    step = person.dock.train
    person.clicks(step.bar.pause_button)
    person.qtbot.waitUntil(
        lambda: step.bar.pause_button.text() == "Resume", timeout=20_000
    )
    person.clicks(step.bar.pause_button)
    person.clicks(step.bar.stop_button)
    person.waits(lambda: person.workspace.embedding is not None)
    assert not person.workspace.embedding.complete
    assert step.message.level() == "warning"
    assert np.isfinite(person.workspace.embedding.latents).any()


def test_closing_the_dock_in_mid_training_keeps_what_was_learnt(person, v1):
    person.loads(v1)
    person.extracts(v1)
    begins_long_training(person)
    session, viewer = person.dock.session, person.viewer
    docks.dock_of(viewer, docks.CEBRA).destroyOnClose()  # its × button
    workspace = session.workspace
    person.qtbot.waitUntil(lambda: workspace.embedding is not None, timeout=60_000)
    person.qtbot.waitUntil(lambda: not session.jobs.under_way, timeout=60_000)
    assert not workspace.embedding.complete
    person.dock = docks.open_dock(viewer, docks.CEBRA)
    assert states(person.dock)[:4] == [*["done"] * 3, "todo"]
    person.waits()


def test_a_saved_project_follows_each_step_and_finds_a_moved_stack(
    person, v1, tmp_path
):
    raw = tmp_path / "raw"
    shutil.copytree(v1.folder, raw)
    files = replace(v1, folder=raw)
    workspace, export = person.workspace, person.dock.export
    person.loads(files)
    folder = tmp_path / "mine.cebra"
    export.save(folder)
    person.waits(lambda: workspace.project_folder == folder)

    person.extracts(files)
    person.waits(lambda: not workspace.unsaved)  # saved by itself
    assert open_project(folder).recording is not None
    person.trains()
    person.waits(lambda: not workspace.unsaved)
    latents = workspace.embedding.latents
    np.testing.assert_array_equal(open_project(folder).embedding.latents, latents)

    workspace.clear()
    elsewhere = tmp_path / "elsewhere" / "stack.tif"
    elsewhere.parent.mkdir()
    files.stack.rename(elsewhere)
    person.dock.open_project(folder)
    person.waits(lambda: workspace.embedding is not None)
    assert workspace.stack is None
    assert export.message.level() == "warning"
    assert "stack.tif is not where it was" in export.message.text()
    assert export.relink_button.isVisible()

    wrong = tmp_path / "elsewhere" / "other.tif"
    shutil.copy(v1.rois, wrong)
    export.relink_to(wrong)
    person.waits()
    assert export.message.level() == "error" and workspace.stack is None
    assert workspace.embedding is not None, "a wrong file loses nothing"

    export.relink_to(elsewhere)
    person.waits(lambda: workspace.stack is not None)
    assert not export.relink_button.isVisible()
    np.testing.assert_array_equal(workspace.embedding.latents, latents)
    np.testing.assert_array_equal(
        workspace.stack.read(0, 2), tifffile.imread(elsewhere, key=range(2))
    )


def test_dff_follows_the_form_and_curation_can_be_undone(person, v1):
    person.loads(v1)
    person.extracts(v1)
    workspace, step = person.workspace, person.dock.traces
    before = workspace.recording.traces.values
    step.dff._neuropil.setValue(0.2)
    person.waits(lambda: workspace.recording.traces.values is not before)
    assert workspace.recording.traces.made_by["neuropil_coefficient"] == 0.2

    person.opens(step)
    n = workspace.recording.traces.n_rois
    first = int(workspace.recording.roi_ids[0])
    workspace.selection.set_rois([first])
    person.clicks(step.curation.reject_button)
    assert not workspace.rois.accepted[0]
    person.clicks(step.curation.undo_button)
    assert workspace.rois.accepted.all()
    person.clicks(step.curation.redo_button)
    assert step.button.text() == "Leave rejected ROIs out"
    person.clicks(step.button)
    assert workspace.recording.traces.n_rois == n - 1
    assert first not in workspace.recording.roi_ids


def test_rois_can_be_painted_on_a_new_layer(person, v1):
    person.loads(v1)
    step = person.dock.traces
    person.opens(step)
    person.clicks(step.rois.new_button)
    layer = person.viewer.layers["ROIs"]
    layer.data[10:16, 10:16] = 1
    layer.data[30:36, 40:46] = 2
    layer.refresh()
    person.clicks(step.button)
    person.waits(lambda: person.workspace.recording is not None)
    assert person.workspace.recording.traces.n_rois == 2
    assert [type(x).__name__ for x in person.viewer.layers].count("Labels") <= 2


def test_an_open_layer_and_a_grid_are_enough(person):
    movie = np.random.default_rng(0).integers(0, 99, (50, 24, 32)).astype(np.uint16)
    person.viewer.add_image(movie, name="mine")
    load = person.dock.load
    load.layer.setValue("mine")
    load.layer.activated.emit(load.layer.currentIndex())
    assert load.source.recognised().facts.startswith("50 × 24 × 32")
    person.clicks(load.button)
    person.waits(lambda: person.workspace.stack is not None)
    assert [layer.name for layer in person.viewer.layers] == ["mine"]
    person.opens(person.dock.traces)
    person.dock.traces.rois.setValue(RoiChoice("grid", tile=8))
    person.clicks(person.dock.traces.button)
    person.waits(lambda: person.workspace.recording is not None)
    assert person.workspace.recording.traces.n_rois == 12
    assert person.workspace.recording.neuropil is None


def test_another_recording_leaves_a_saved_project_as_it_was(
    person, v1, tmp_path, monkeypatch
):
    person.loads(v1)
    person.extracts(v1)
    person.trains()
    workspace, load = person.workspace, person.dock.load
    asked = []
    monkeypatch.setattr(
        "napari_cebra.widgets.session.may_discard",
        lambda parent, name, results: bool(asked.append(results)),
    )
    traces = tmp_path / "other.csv"
    np.savetxt(traces, np.random.default_rng(0).random((240, 4)), delimiter=",")
    person.opens(load)
    person.types(load.path, traces)
    person.waits(lambda: load.source.recognised() is not None)
    person.clicks(load.button)
    assert asked == [["embedding"]] and workspace.embedding is not None, "not saved"

    folder = tmp_path / "mine.cebra"
    person.dock.export.save(folder)
    person.waits(lambda: not workspace.unsaved)
    latents = workspace.embedding.latents
    held = {path.name for path in folder.iterdir()}
    assert person.dock.train.message.text()
    person.clicks(load.button)
    person.waits(lambda: workspace.recording.traces.n_rois == 4)
    assert len(asked) == 1, "what is saved needs no question"
    assert workspace.project_folder is None and workspace.unsaved
    assert "mine.cebra stays as it was saved" in load.message.text()
    assert not any(
        step.message.text()
        for step in (person.dock.train, person.dock.decode, person.dock.export)
    ), "nothing told of another recording may stand beside this one"
    person.trains()
    assert {path.name for path in folder.iterdir()} == held
    np.testing.assert_array_equal(open_project(folder).embedding.latents, latents)


def test_a_save_that_ends_after_another_recording_was_loaded_does_not_bind_it(
    person, v1, tmp_path, monkeypatch
):
    from napari_cebra.widgets import project_step

    person.loads(v1)
    person.extracts(v1)
    workspace, load = person.workspace, person.dock.load
    written = threading.Event()

    def slowly(project, folder):
        yield Progress(0, 0, "", "Saving")
        yield from saving(project, folder)
        written.wait(30)
        return folder

    saving = project_step.saving
    monkeypatch.setattr(project_step, "saving", slowly)
    folder = tmp_path / "mine.cebra"
    person.dock.export.save(folder)
    traces = tmp_path / "other.csv"
    np.savetxt(traces, np.random.default_rng(0).random((240, 4)), delimiter=",")
    person.opens(load)
    person.types(load.path, traces)
    person.qtbot.waitUntil(lambda: load.source.recognised() is not None, timeout=9000)
    person.clicks(load.button)
    person.qtbot.waitUntil(
        lambda: workspace.recording.traces.n_rois == 4, timeout=20_000
    )
    written.set()
    person.waits()
    assert workspace.project_folder is None and workspace.unsaved
    assert open_project(folder).recording.traces.n_rois != 4


def test_traces_that_outdate_a_saved_embedding_are_not_saved_over_it(
    person, v1, tmp_path
):
    person.loads(v1)
    person.extracts(v1)
    person.trains()
    workspace = person.workspace
    folder = tmp_path / "mine.cebra"
    person.dock.export.save(folder)
    person.waits(lambda: not workspace.unsaved)
    before = workspace.recording
    person.opens(person.dock.traces)
    person.dock.traces.dff._neuropil.setValue(0.35)
    person.clicks(person.dock.traces.apply_button)
    person.waits(lambda: workspace.recording is not before)
    assert workspace.embedding is None and workspace.unsaved
    assert open_project(folder).embedding is not None
    person.trains()
    person.waits(lambda: not workspace.unsaved)
    stored = open_project(folder).recording.traces.made_by
    assert stored["neuropil_coefficient"] == 0.35
