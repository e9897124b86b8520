"""Each dock of steps works alone, and beside the others on the same recording."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

pytest.importorskip("napari")

from napari_cebra.pipeline import Project, save_project
from napari_cebra.widgets import docks
from napari_cebra.widgets.roi_form import RoiChoice
from napari_cebra.widgets.session import Session

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 800)
    yield viewer
    jobs = Session.of(viewer).jobs
    jobs.stop_all()
    qtbot.waitUntil(lambda: not jobs.under_way, timeout=30_000)


@pytest.fixture
def stack(tmp_path):
    movie = np.random.default_rng(0).poisson(100, (400, 48, 48)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "movie.tif", movie, photometric="minisblack")
    return tmp_path / "movie.tif"


def idle(viewer, qtbot, condition=lambda: True):
    jobs = Session.of(viewer).jobs
    qtbot.waitUntil(lambda: condition() and not jobs.under_way, timeout=60_000)


def loads(dock, stack, qtbot):
    load, viewer = dock.load, dock.session.viewer
    load.path.setValue(stack)
    idle(viewer, qtbot, lambda: load.source.recognised() is not None)
    load.button.click()
    idle(viewer, qtbot, lambda: dock.session.workspace.stack is not None)


def extracts(dock, qtbot):
    workspace, before = dock.session.workspace, dock.session.workspace.recording
    dock.traces.rois.setValue(RoiChoice("grid", tile=16))
    dock.traces.button.click()
    idle(dock.session.viewer, qtbot, lambda: workspace.recording is not before)


def test_load_and_traces_do_their_part_without_the_large_dock(viewer, stack, qtbot):
    load = docks.open_dock(viewer, docks.LOAD)
    rois = docks.open_dock(viewer, docks.ROIS)
    assert (
        rois.page_of(rois.traces).is_open() and docks.dock_of(viewer, "CEBRA") is None
    )
    assert "load a recording" in rois.page_of(rois.traces)._reason.text()
    loads(load, stack, qtbot)
    extracts(rois, qtbot)
    assert rois.session.workspace.recording.traces.n_rois == 9
    assert rois.traces.curation.table.model().rowCount() == 9
    window = docks.dock_of(viewer, docks.ROIS).window()
    tabs = window.tabifiedDockWidgets(docks.dock_of(viewer, docks.ROIS))
    assert docks.dock_of(viewer, docks.LOAD) in tabs, "each has the whole height"


def test_the_same_step_in_two_docks_follows_the_other(viewer, stack, qtbot):
    large = docks.open_dock(viewer, docks.CEBRA)
    rois = docks.open_dock(viewer, docks.ROIS)
    idle(viewer, qtbot)
    loads(large, stack, qtbot)
    extracts(rois, qtbot)
    workspace = rois.session.workspace
    assert large.page_of(large.traces).state() == "done"
    large.traces.dff._percentile.setValue(25)
    assert rois.traces.dff.value().percentile == 25
    before = workspace.recording
    idle(viewer, qtbot, lambda: workspace.recording is not before)
    assert rois.traces.dff.value() == large.traces.dff.value()
    assert workspace.recording.traces.made_by["percentile"] == 25
    rois.traces.dff._percentile.setValue(30)
    assert large.traces.dff.value().percentile == 30
    before = workspace.recording
    idle(viewer, qtbot, lambda: workspace.recording is not before)
    workspace.selection.set_rois([3])
    rois.traces.curation.reject_button.click()
    assert large.traces.curation.reject_button.text() == "Accept"


def test_a_dock_that_is_closed_stops_what_it_began_and_no_more(viewer, stack, qtbot):
    load = docks.open_dock(viewer, docks.LOAD)
    rois = docks.open_dock(viewer, docks.ROIS)
    loads(load, stack, qtbot)
    extracts(rois, qtbot)
    jobs = rois.session.jobs
    rois.traces.dff._percentile.setValue(40)
    rois.traces._recompute()
    assert jobs.running("extraction") is not None
    docks.dock_of(viewer, docks.LOAD).destroyOnClose()
    assert jobs.running("extraction") is not None
    idle(viewer, qtbot)
    assert rois.session.workspace.recording.traces.made_by["percentile"] == 40
    extracts(rois, qtbot)


def test_a_project_chosen_in_the_small_dock_opens_in_the_large(
    viewer, qtbot, made, tmp_path
):
    folder = tmp_path / "mine.cebra"
    save_project(Project(recording=made.recording()), folder)
    load = docks.open_dock(viewer, docks.LOAD)
    load.load.path.setValue(folder)
    idle(viewer, qtbot, lambda: load.load.source.recognised() is not None)
    load.load.button.click()
    idle(viewer, qtbot, lambda: load.session.workspace.recording is not None)
    assert docks.is_open(viewer, docks.CEBRA)
    assert load.session.workspace.project_folder == folder
