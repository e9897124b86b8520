"""Settings are tried on the selected ROI, then applied; ROIs are curated in a table."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_cebra.io import read_roi_file, stack_from_array
from napari_cebra.recording import RoiSet
from napari_cebra.traces import DffSettings, dff
from napari_cebra.widgets import curation, docks
from napari_cebra.widgets.dff_form import CHANGED, DffForm, preset_name
from napari_cebra.widgets.extraction import applied_settings
from napari_cebra.widgets.roi_form import RoiChoice

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(make_napari_viewer, qtbot):
    """Return the dock with a small stack, eight ROIs and their traces."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    dock = docks.open_dock(viewer, docks.CEBRA)
    labels = np.zeros((64, 64), int)
    for roi in range(8):
        y, x = 6 + 14 * (roi // 4), 5 + 14 * (roi % 4)
        labels[y : y + 6, x : x + 6 + roi % 3] = roi + 1
    rng = np.random.default_rng(0)
    movie = rng.poisson(100, (900, 64, 64))
    for roi in range(4):
        for onset in rng.integers(0, 850, 12):
            movie[onset : onset + 6, labels == roi + 1] += 120
    movie[:, labels == 8] = 0
    stack = stack_from_array(movie.astype(np.uint16), "TYX", "s", 30.0, {})
    workspace = dock.session.workspace
    workspace.set_stack(stack)
    workspace.set_rois(RoiSet.from_labels(labels), forget_history=True)
    dock.session.loaded.emit()
    dock.show_step(dock.traces)
    dock.traces.button.click()
    idle(dock, qtbot, lambda: workspace.recording is not None)
    dock.show_step(dock.traces)
    yield dock
    dock.session.jobs.stop_all()
    idle(dock, qtbot)


def idle(dock, qtbot, condition=lambda: True):
    jobs = dock.session.jobs
    qtbot.waitUntil(lambda: condition() and not jobs.under_way, timeout=60_000)


def drawn(plot, name):
    return plot.panels.lines[name].getOriginalDataset()[1]


def test_the_selected_roi_follows_at_once_and_all_others_soon(dock, qtbot):
    workspace, step = dock.session.workspace, dock.traces
    plot = docks.open_dock(dock.session.viewer, docks.TRACES)
    workspace.selection.set_rois([2])
    before, made_before = workspace.recording, drawn(plot, "f0").copy()
    percentile = step.dff._percentile
    percentile.slider.setValue(percentile.slider.maximum() * 2 // 3)
    tried = step.dff.value()
    assert workspace.recording is before and workspace.trace_state.trying == tried
    expected = dff(before.raw, before.neuropil, tried)
    qtbot.waitUntil(lambda: not np.array_equal(drawn(plot, "f0"), made_before))
    np.testing.assert_allclose(drawn(plot, "f0"), expected.f0[:, 1], rtol=1e-4)
    assert "not applied yet" in plot.legend.text()

    idle(dock, qtbot, lambda: workspace.recording is not before)
    assert applied_settings(workspace.recording) == tried
    np.testing.assert_array_equal(
        workspace.recording.traces.values, expected.traces.values
    )
    assert workspace.selection.rois == (2,), "the same ROI stays in sight"
    assert "not applied" not in plot.legend.text()
    np.testing.assert_array_equal(drawn(plot, "f0"), expected.f0[:, 1])


def test_events_are_sticks_in_units_of_the_noise_and_curves_can_be_hidden(dock, qtbot):
    workspace, step = dock.session.workspace, dock.traces
    plot = docks.open_dock(dock.session.viewer, docks.TRACES)
    workspace.selection.set_rois([1])
    step.dff._deconvolve.setChecked(True)
    idle(dock, qtbot, lambda: workspace.recording.traces.kind == "events")
    recording = workspace.recording
    made = dff(recording.raw, recording.neuropil, step.dff.value())
    events = made.events.in_noise[:, 0]
    sticks = drawn(plot, "events")
    np.testing.assert_allclose(sticks[1::2], events[events > 0], rtol=1e-5)
    assert not sticks[::2].any() and "not spikes" in plot.legend.text()
    np.testing.assert_allclose(drawn(plot, "trace"), 100 * made.change[:, 0], atol=1e-3)
    assert plot.panels.plots["events"].isVisible()
    plot.legend.linkActivated.emit("events")
    assert not plot.panels.plots["events"].isVisible()
    assert workspace.view_state["hidden traces"] == ["events"]
    plot.legend.linkActivated.emit("neuropil")
    assert not plot.panels.has("neuropil") and plot.panels.has("f0")
    plot.legend.linkActivated.emit("events")
    assert plot.panels.plots["events"].isVisible()


def test_presets_are_what_they_publish(qtbot):
    form = DffForm()
    qtbot.addWidget(form)
    assert form._preset.value() == "napari-cebra"
    for name in ("suite2p", "Allen"):
        form._preset.setValue(name)
        form._preset.activated.emit(0)
        assert form.value() == DffSettings.preset(name)
        form._deconvolve.setChecked(True)
        assert form._preset.value() == name, "events do not make it another"
        form._deconvolve.setChecked(False)
    form._percentile.setValue(12)
    assert form._preset.value() == CHANGED == preset_name(form.value())
    exact = DffSettings(window_s=61.2345, smooth_s=0.333333, decay_s=0.71234)
    form.setValue(exact)
    assert form.value() == exact, "fields do not round what a script has set"
    fewest = DffSettings(noise_constraint=True, deconvolve=True)
    form.setValue(fewest)
    assert form.value() == fewest
    form._smallest.setValue(2)
    assert form.value().minimal_event == 2 and not form.value().noise_constraint


def test_a_flagged_roi_says_why_in_plot_table_and_message(dock, qtbot):
    workspace, step = dock.session.workspace, dock.traces
    plot = docks.open_dock(dock.session.viewer, docks.TRACES)
    assert "ROI 8" in step.message.text() and step.message.level() == "warning"
    QTest.mouseClick(step.curation.flagged_button, LEFT)
    assert workspace.selection.rois == (8,)
    assert "F0 does not stand out" in plot._warning.text()
    workspace.selection.set_rois([1])
    assert plot._warning.isHidden()


def test_rois_are_rejected_in_the_table_and_by_a_threshold(dock, qtbot):
    workspace, step = dock.session.workspace, dock.traces
    curating = step.curation
    curating.fold.setValue(True)
    table = curating.table
    assert [table.text(row, 1) for row in range(8)] == [str(i) for i in range(1, 9)]
    snr = [float(table.text(row, 3)) for row in range(7)]
    assert min(snr[:4]) > max(snr[4:7]), "active ROIs stand out"

    spot = table.visualRect(table.model().index(2, 0)).center()
    QTest.mouseClick(table.viewport(), LEFT, pos=spot)
    assert not workspace.rois.accepted[2] and table.text(2, 0) == "–"
    assert workspace.selection.rois == (3,)
    workspace.selection.set_rois([5])  # as a click in the image does
    assert table.selected_ids() == [5]
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert np.flatnonzero(~workspace.rois.accepted).tolist() == [2, 4]

    curating.threshold.setValue((min(snr[:4]) + max(snr[4:7])) / 2)
    assert curating.threshold_button.text() == "Reject 3"
    QTest.mouseClick(curating.threshold_button, LEFT)
    assert workspace.rois.accepted.tolist() == [True, True, False, True] + [False] * 4
    QTest.mouseClick(curating.undo_button, LEFT)
    assert int(workspace.rois.accepted.sum()) == 6, "one step takes all of it back"
    QTest.mouseClick(step.button, LEFT)
    assert workspace.recording.roi_ids.tolist() == [1, 2, 4, 6, 7, 8]
    idle(dock, qtbot, lambda: workspace.trace_state.report is not None)
    assert table.text(2, 3) == "–", "a rejected ROI has no trace any more"


def test_rois_are_saved_and_images_shown_by_clicking(
    dock, qtbot, tmp_path, monkeypatch
):
    workspace, step = dock.session.workspace, dock.traces
    step.curation.fold.setValue(True)
    workspace.selection.set_rois([8])
    QTest.mouseClick(step.curation.reject_button, LEFT)
    kind = next(k for k in curation._FORMATS if "ImageJ" in k)
    chosen = str(tmp_path / "mine"), kind
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    QTest.mouseClick(step.curation.save_button, LEFT)
    idle(dock, qtbot)
    read = read_roi_file(tmp_path / "mine.zip", (64, 64)).rois
    assert len(read) == 7 and "mine.zip" in step.message.text()
    step.export_rois(tmp_path / "rois.doc")
    idle(dock, qtbot)
    assert step.message.level() == "error" and "end the name in" in step.message.text()

    step.pictures_button.menu().aboutToShow.emit()
    actions = {a.text(): a for a in step.pictures_button.menu().actions()}
    assert set(actions) == {"Mean", "Maximum", "Standard deviation", "Correlation"}
    for text in ("Mean", "Correlation", "Correlation"):
        actions[text].trigger()
    layers = dock.session.viewer.layers
    names = [layer.name for layer in layers]
    assert names[:3] == ["s", "correlation image", "mean image"]
    movie = workspace.stack.read(0, 900)
    np.testing.assert_allclose(layers["mean image"].data, movie.mean(0), rtol=1e-5)


def test_traces_that_came_with_the_rois_are_used_or_taken_again(
    dock, qtbot, tmp_path, monkeypatch
):
    """From a folder of suite2p, which brings its own."""
    workspace, step = dock.session.workspace, dock.traces
    before = workspace.recording
    rois, folder = workspace.rois, tmp_path / "plane0"
    folder.mkdir()
    stat = np.empty(8, object)
    for k, roi in enumerate(rois.ids.tolist()):
        y, x, weights = rois.mask(roi)
        stat[k] = {"ypix": y, "xpix": x, "lam": weights}
    np.save(folder / "stat.npy", stat, allow_pickle=True)
    np.save(folder / "F.npy", before.raw.values.T + 50)
    np.save(folder / "Fneu.npy", before.neuropil.values.T)
    bad = np.zeros(900, bool)
    bad[10:14] = True
    ops = {"fs": 30.0, "Ly": 64, "Lx": 64, "badframes": bad}
    np.save(folder / "ops.npy", np.array(ops), allow_pickle=True)

    step.rois.setValue(RoiChoice("file", path=folder))
    QTest.mouseClick(step.button, LEFT)
    idle(dock, qtbot, lambda: workspace.recording is not before)
    taken = workspace.recording
    np.testing.assert_array_equal(taken.raw.values, before.raw.values + 50)
    assert np.flatnonzero(~taken.valid).tolist() == [10, 11, 12, 13]
    assert "4 of 900 frames are marked as bad" in step.message.text()
    workspace.selection.set_rois([8])
    QTest.mouseClick(step.curation.reject_button, LEFT)
    QTest.mouseClick(step.button, LEFT)
    assert workspace.recording.traces.n_rois == 7
    taken = workspace.recording
    step.rois.setValue(RoiChoice("file", path=folder, reextract=True))
    QTest.mouseClick(step.button, LEFT)
    idle(dock, qtbot, lambda: workspace.recording is not taken)
    again = workspace.recording.raw.values
    np.testing.assert_allclose(again, before.raw.values[:, :7])
    assert len(workspace.rois) == 8, "what was rejected can be taken back"
    plot = docks.open_dock(dock.session.viewer, docks.TRACES)
    workspace.selection.set_rois([8])
    assert "ROI 8 has no trace" in plot._empty.text()
    np.save(folder / "F.npy", before.raw.values[:800].T)
    np.save(folder / "Fneu.npy", before.raw.values[:800].T)
    step.rois.setValue(RoiChoice("file", path=folder))
    QTest.mouseClick(step.button, LEFT)
    idle(dock, qtbot)
    assert "800 frames but the stack has 900" in step.message.text()


def test_a_new_window_starts_from_the_defaults(dock, qtbot, make_napari_viewer):
    step = dock.traces
    step.dff.setValue(DffSettings(deconvolve=True))
    before = dock.session.workspace.recording
    step.button.click()
    idle(dock, qtbot, lambda: dock.session.workspace.recording is not before)
    assert dock.session.config.dff.deconvolve
    other = docks.open_dock(make_napari_viewer(), docks.CEBRA)
    assert other.traces.value()[1] == DffSettings()


def test_shapes_that_were_drawn_are_rois(dock, qtbot):
    viewer, step = dock.session.viewer, dock.traces
    box = np.array([[6, 5], [6, 10], [11, 10], [11, 5]]) - [[0.5, 0.5]] * 4
    box[2:, 0] += 1
    box[1:3, 1] += 1
    ellipse = np.array([[30.0, 30], [30, 40], [42, 40], [42, 30]])
    shapes = viewer.add_shapes(
        [box, ellipse, ellipse + 3],
        shape_type=["rectangle", "ellipse", "polygon"],
        name="drawn",
    )
    assert "drawn" in [step.rois._layer.itemText(i) for i in range(2)]
    step.rois.setValue(RoiChoice("layer", "drawn"))
    before = dock.session.workspace.recording
    step.button.click()
    idle(dock, qtbot, lambda: dock.session.workspace.recording is not before)
    rois = dock.session.workspace.recording.rois
    one, two, three = (np.stack(rois.mask(i)[:2], axis=1) for i in (1, 2, 3))
    square = np.argwhere(np.ones((6, 6))) + np.array([6, 5])
    np.testing.assert_array_equal(one, square)
    at = np.argwhere(np.ones((64, 64)))
    far = ((at - [36, 35]) / [6, 5]) ** 2 @ [1, 1]
    assert {*map(tuple, at[far < 0.99])} <= {*map(tuple, two)}
    assert {*map(tuple, two)} <= {*map(tuple, at[far < 1.01])}
    assert len(three) == 12 * 10  # overlapping the ellipse
    assert not shapes.visible

    viewer.add_shapes([[[1, 1], [5, 5]]], shape_type="line", name="a line")
    step.rois.setValue(RoiChoice("layer", "a line"))
    step.button.click()
    assert "encloses no pixel" in step.message.text()
