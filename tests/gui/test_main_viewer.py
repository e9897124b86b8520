"""The main viewer and the workspace: slider, masks, stimulus, plots."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QTextDocument, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_cebra.pipeline.trace_report import trace_report
from napari_cebra.recording import Recording, Traces
from napari_cebra.traces import DffSettings, dff
from napari_cebra.viewer.adapters import MovieAdapter, RoiAdapter, StimulusAdapter
from napari_cebra.viewer.registry import jobs_of, workspace_of
from napari_cebra.viewer.roi_curves import preview_of, roi_curves
from napari_cebra.viewer.trace_plot import TracePlot
from napari_cebra.viewer.training_plot import TrainingPlot

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier


def test_registry_is_one_per_viewer_and_weak(make_napari_viewer):
    viewer = make_napari_viewer()
    from napari.utils._proxies import PublicOnlyProxy

    workspace = workspace_of(viewer)
    assert workspace_of(PublicOnlyProxy(viewer)) is workspace
    assert jobs_of(PublicOnlyProxy(viewer)) is jobs_of(viewer)
    assert workspace_of(make_napari_viewer()) is not workspace


def test_slider_and_timeline_through_a_layer_in_seconds(make_napari_viewer):
    """World coordinates: the layer's scale is 1/30 s, and another has more axes."""
    viewer = make_napari_viewer()
    workspace = workspace_of(viewer)
    timeline = workspace.timeline
    timeline.set_length(300)
    layer = viewer.add_image(
        np.zeros((300, 8, 8), np.uint8), scale=(1 / 30, 2, 2), translate=(5, 0, 0)
    )
    told = []
    timeline.changed.connect(told.append)
    adapter = MovieAdapter(viewer, timeline, layer)
    viewer.dims.set_point(0, 5 + 120 / 30)
    assert timeline.frame == 120
    for frame in (0, 7, 299, 150):
        timeline.set(frame)
        assert viewer.dims.point[0] == pytest.approx(5 + frame / 30)
        assert layer.world_to_data(viewer.dims.point)[0] == pytest.approx(frame)
    assert told == [120, 0, 7, 299, 150], "each frame is told once"

    viewer.add_image(np.zeros((2, 300, 8, 8), np.uint8), scale=(1, 1 / 30, 2, 2))
    timeline.set(33)
    assert viewer.dims.point[1] == pytest.approx(5 + 33 / 30)
    adapter.close()
    timeline.set(50)
    assert viewer.dims.point[1] == pytest.approx(5 + 33 / 30)


def test_stimulus_stands_beside_the_stack(make_napari_viewer, made):
    viewer = make_napari_viewer()
    workspace = workspace_of(viewer)
    recording = made.recording()
    stack = viewer.add_image(
        np.zeros((600, 48, 64), np.uint8), scale=(1 / 30, 0.5, 0.5), name="stack"
    )
    limits = viewer.dims.range[0]
    adapter = StimulusAdapter(viewer, workspace, stack)
    workspace.set_recording(recording)
    embedding = made.embedding(recording)
    workspace.set_embedding(embedding)
    decoding = made.decoding(recording, embedding)
    workspace.set_decoding(decoding)

    shown, decoded = adapter.shown, adapter.decoded
    assert [layer.name for layer in viewer.layers][1:] == [
        "shown",
        "decoded (looked up)",
    ]
    assert viewer.dims.range[0] == limits, "the slider is unchanged"
    stimulus = recording.stimulus
    assert np.array_equal(shown.data[450], stimulus.movie[stimulus.shown[450]])
    test = np.flatnonzero(decoding.rows)[5]
    assert np.array_equal(decoded.data[test], stimulus.movie[decoding.predicted[test]])
    assert not decoded.data[10].any(), "training rows show no decoded frame"

    top, _, bottom, right = edges(stack)
    upper, lower = edges(shown), edges(decoded)
    assert upper[1] == lower[1] > right, "to the right of the stack"
    assert upper[0] == pytest.approx(top) and lower[2] == pytest.approx(bottom)
    assert upper[2] < lower[0], "and together as high"
    shown.contrast_limits = (10, 99)
    assert tuple(decoded.contrast_limits) == (10, 99)

    workspace.timeline.set(int(test))
    overlay = viewer.canvas.overlays.text
    found = decoding.predicted[test]
    assert f"decoded: frame {found} (looked up, not painted)" in overlay.text
    workspace.timeline.set(10)
    assert "decoded: nothing on training rows" in overlay.text

    workspace.set_recording(None)
    assert [layer.name for layer in viewer.layers] == ["stack"]
    assert not overlay.visible
    adapter.close()


def edges(layer) -> tuple[float, ...]:
    height, width = layer.data.shape[1:3]
    _, top, left = layer.data_to_world([0, -0.5, -0.5])
    _, bottom, right = layer.data_to_world([0, height - 0.5, width - 0.5])
    return top, left, bottom, right


@pytest.fixture
def rois(make_napari_viewer, made):
    viewer = make_napari_viewer()
    workspace = workspace_of(viewer)
    viewer.add_image(np.zeros((600, 48, 64), np.uint8), name="stack")
    adapter = RoiAdapter(viewer, workspace, viewer.layers["stack"])
    workspace.set_recording(made.recording())
    return viewer, workspace, adapter


def test_painting_undo_and_redo(rois):
    _, workspace, adapter = rois
    layer, first = adapter.layer, workspace.rois
    y, x, _ = first.mask(2)
    layer.paint((int(y.mean()), int(x.mean()) - 8), 1)  # brush of ROI 1, over 1 and 2
    painted = workspace.rois
    assert painted is not first
    assert len(painted.mask(1)[0]) > len(first.mask(1)[0])
    for other in range(2, 13):
        assert np.array_equal(painted.mask(other)[0], first.mask(other)[0])

    layer.undo()
    assert workspace.rois is first
    layer.redo()
    assert workspace.rois is painted

    layer.fill((int(y[0]), int(x[0])), 0)
    assert 2 not in workspace.rois.ids
    assert len(workspace.rois) == 11
    workspace.undo_rois()
    assert 2 in workspace.rois.ids
    assert np.array_equal(layer.data, workspace.rois.to_labels())

    layer.data = np.zeros_like(layer.data)
    assert workspace.rois is None
    layer.paint((20, 20), 3)
    assert workspace.rois.ids.tolist() == [3], "and it can be painted on again"


def test_selection_of_rois_and_frames(rois):
    viewer, workspace, adapter = rois
    selection = workspace.selection
    assert selection.rois == ()
    adapter.layer.selected_label = 5
    assert selection.rois == (5,)
    selection.set_rois([7])
    assert adapter.layer.selected_label == 7
    assert set(np.unique(adapter.highlight.data)) == {0, 1}
    y, x, _ = workspace.rois.mask(7)
    assert (adapter.highlight.data[y, x] == 1).all()

    # ROI 4 prefers a quarter of the ring; so do its neighbours.
    angle = np.angle(np.exp(1j * workspace.recording.variables[0].values))
    frames = np.flatnonzero(np.abs(angle - np.pi / 2) < 0.2)
    selection.set_frames(frames)
    assert adapter.most_active()[0] == 4
    y, x, _ = workspace.rois.mask(4)
    assert (adapter.highlight.data[y, x] == 2).all()
    assert selection.rois == (7,), "what was selected stays selected"
    selection.back()
    assert not (adapter.highlight.data == 2).any()

    viewer.layers.remove(adapter.layer)
    assert adapter.layer is None and workspace.rois is not None
    workspace.set_rois(workspace.rois.select(np.arange(6)))
    assert adapter.layer in viewer.layers
    adapter.close()
    assert [layer.name for layer in viewer.layers] == ["stack"]


def test_a_click_selects_an_roi(make_napari_viewer, made, qtbot):
    viewer = make_napari_viewer(show=True)
    workspace = workspace_of(viewer)
    viewer.add_image(np.zeros((600, 48, 64), np.uint8), name="stack")
    adapter = RoiAdapter(viewer, workspace)
    workspace.set_recording(made.recording())
    viewer.layers.selection.active = viewer.layers["stack"]
    viewer.reset_view()
    qtbot.wait(200)
    canvas = viewer.window._qt_viewer.canvas.native
    zoom, center = viewer.scene.camera.zoom, viewer.scene.camera.center

    def spot(roi: int) -> QPoint:
        y, x, _ = workspace.rois.mask(roi)
        at = (np.array([x.mean(), y.mean()]) - [center[2], center[1]]) * zoom
        at += [canvas.width() / 2, canvas.height() / 2]
        return QPoint(*np.round(at).astype(int))

    QTest.mouseClick(canvas, LEFT, pos=spot(6))
    assert workspace.selection.rois == (6,)
    QTest.mouseClick(canvas, LEFT, Qt.KeyboardModifier.ShiftModifier, spot(11))
    assert workspace.selection.rois == (6, 11)
    QTest.mouseClick(canvas, LEFT, pos=spot(11) + QPoint(0, round(5 * zoom)))
    assert workspace.selection.rois == (6, 11), "the background selects nothing"

    adapter.layer.mode = "paint"
    viewer.layers.selection.active = adapter.layer
    QTest.mouseClick(canvas, LEFT, pos=spot(3))
    assert workspace.selection.roi == 11, "painting does not select"


def test_traces_of_the_selected_roi(make_napari_viewer, made, qtbot):
    viewer = make_napari_viewer(show=True)
    workspace = workspace_of(viewer)
    plot = TracePlot(viewer)
    viewer.window.add_dock_widget(plot, name="Traces", area="bottom")
    training = TrainingPlot(viewer)
    viewer.window.add_dock_widget(training, name="Training", area="right")
    qtbot.waitUntil(plot.isVisible, timeout=5000)
    assert "No traces yet" in plot._empty.text()
    assert plot.width() >= 360

    recording = with_counts(made.recording())
    workspace.set_recording(recording)
    workspace.trace_state.set_report(trace_report(recording))
    assert "Click an ROI" in plot._empty.text()
    workspace.selection.set_rois([4])
    times, values = plot.panels.lines["trace"].getOriginalDataset()
    assert np.allclose(values, 100 * recording.traces.values[:, 3])
    assert np.allclose(times, recording.frame_times)
    assert "dF/F (%)" in plot.panels.plots["trace"].getAxis("left").labelText
    assert plot._picker.box.currentText() == "4" and "not used" in plot.legend.text()
    assert plot.panels.shades["trace"]._runs == pytest.approx(
        np.array([[50 - 0.5, 59 + 0.5]]) / 30
    )

    workspace.timeline.set(90)
    assert plot.panels.cursors["trace"].value() == pytest.approx(3.0)
    plot.panels.cursors["trace"].setPos(10.01)  # as the mouse does
    plot.panels.cursors["trace"].sigDragged.emit(plot.panels.cursors["trace"])
    assert workspace.timeline.frame == 300
    box = plot.panels.plots["trace"].getViewBox()
    qtbot.wait(100)  # the legend appeared, so the plots move
    spot = plot.panels.mapFromScene(box.mapViewToScene(QPointF(5, 0)))
    QTest.mouseClick(plot.panels.viewport(), LEFT, pos=spot)
    assert workspace.timeline.frame == pytest.approx(150, abs=3)
    assert plot.panels.cursors["counts"].value() == plot.panels.cursors["trace"].value()

    embedding = made.embedding(recording)
    workspace.set_embedding(embedding)
    steps, bits = training._lines["now", "heldout"].getOriginalDataset()
    assert np.array_equal(steps, embedding.log.step)
    assert np.allclose(bits, embedding.log.bits_heldout)
    viewer.theme = "light"
    assert plot.panels.backgroundBrush().color().lightness() > 200


@pytest.fixture
def shown(make_napari_viewer, qtbot):
    """Show plots of a viewer's workspace, and keep them until they are closed."""
    viewer = make_napari_viewer()
    kept = []

    def show(kind, width=500):
        plot = kind(viewer)
        plot.resize(width, 400)
        qtbot.addWidget(plot)
        plot.show()
        kept.append(plot)
        return plot, workspace_of(viewer)

    yield show
    assert kept


def wheel(plot, keys=Qt.KeyboardModifier.NoModifier):
    """Turn the wheel over a plot; return whether it was used there.

    Qt hands an unused one on to the parent, but only if it is from a real wheel.
    """
    view = plot.panels if isinstance(plot, TracePlot) else plot._view
    widget = view.viewport()
    spot = QPointF(widget.width() / 2, widget.height() / 4)
    place = QPointF(widget.mapToGlobal(spot.toPoint()))
    phase = Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(
        spot, place, QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton, keys, phase, 0
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_the_wheel_scrolls_past_a_training_and_zooms_with_ctrl(shown, made, qtbot):
    plot, workspace = shown(TrainingPlot)
    recording = made.recording()
    workspace.set_recording(recording)
    embedding = made.embedding(recording)
    workspace.set_embedding(embedding)
    qtbot.waitUntil(plot._view.isVisible, timeout=5000)

    def ranges():
        QApplication.processEvents()
        return np.ravel([plot.viewRange() for plot in (plot._loss, plot._bits)])

    before = ranges()
    assert before[0] < 100 and before[1] > 800
    assert not wheel(plot), "it is left to what scrolls around the plots"
    assert ranges() == pytest.approx(before)

    recoveries = (
        lambda: QTest.mouseDClick(plot._view.viewport(), LEFT, pos=QPoint(200, 100)),
        lambda: plot.show_log(embedding.log, embedding.choosing_log),
        lambda: plot.add(report_of(embedding.log, "choosing")),
    )
    for recover in recoveries:
        assert wheel(plot, CTRL)
        zoomed = ranges()
        assert abs(zoomed[1] - zoomed[0]) > 1.05 * abs(before[1] - before[0])
        assert zoomed[2:4] == pytest.approx(before[2:4]), "the loss stays in sight"
        recover()
        assert plot._loss.getViewBox().autoRangeEnabled() == [True, True]
        assert not np.allclose(ranges()[:2], zoomed[:2])


def test_the_wheel_zooms_traces_with_ctrl_until_a_double_click(shown, made, qtbot):
    plot, workspace = shown(TracePlot)
    workspace.set_recording(made.recording())
    workspace.selection.set_rois([4])
    seen = plot.panels.plots["trace"]
    qtbot.waitUntil(lambda: seen.getViewBox().height() > 100, timeout=5000)
    before = np.ravel(seen.viewRange())
    assert not wheel(plot)
    assert np.ravel(seen.viewRange()) == pytest.approx(before)
    assert wheel(plot, CTRL)
    assert not np.allclose(seen.viewRange()[0], before[:2])
    assert seen.viewRange()[1] == pytest.approx(before[2:])
    QTest.mouseDClick(plot.panels.viewport(), LEFT, pos=QPoint(200, 100))
    assert np.ravel(seen.viewRange()) == pytest.approx(before)


def test_a_decoded_variable_is_drawn_beneath(shown, made):
    plot, workspace = shown(TracePlot)
    recording = made.recording()
    workspace.set_recording(recording)
    workspace.selection.set_rois([4])
    assert plot._beneath.currentText() == "nothing"
    embedding = made.embedding(recording)
    workspace.set_embedding(embedding)
    frames = made.decoding(recording, embedding)
    workspace.set_decoding(frames)
    assert plot._beneath.currentText() == "nothing", "a movie is shown as a movie"

    true = recording.variable("position").values
    decoding = replace(
        frames,
        target="position",
        task="regression",
        true=true,
        predicted=np.where(frames.rows, true + 0.1, np.nan),
    )
    workspace.set_decoding(decoding)
    assert plot._beneath.currentText() == "position (measured and decoded)"
    _, values = plot.panels.lines["decoded"].getOriginalDataset()
    assert np.array_equal(values, decoding.predicted, equal_nan=True)
    _, values = plot.panels.lines["variable"].getOriginalDataset()
    assert np.array_equal(values, true)
    axis = plot.panels.plots["variable"].getAxis("left")
    assert axis.labelText == "position (cm)"
    assert "position, measured" in plot.legend.text()
    assert plot.panels.borders._at == pytest.approx([400 / 30])

    plot._beneath.setCurrentIndex(plot._beneath.findText("side"))
    plot._beneath.activated.emit(plot._beneath.currentIndex())
    assert axis.labelText == "side" and plot.panels.borders._at.size == 0
    assert not plot.panels.has("decoded")
    workspace.set_decoding(replace(decoding))
    assert plot._beneath.currentText() == "side", "what was chosen stays"


def test_units_without_masks_are_picked_by_name(shown):
    plot, workspace = shown(TracePlot)
    counts = np.random.default_rng(0).poisson(1, (200, 4)).astype(float)
    named = {"units": ["e3", "e7", "3", "e9"]}
    workspace.set_recording(Recording(Traces(counts, "rates", 10.0, named)))
    box, selection = plot._picker.box, workspace.selection
    assert [box.itemText(i) for i in range(4)] == ["1 (e3)", "2 (e7)", "3", "4 (e9)"]
    assert plot._picker._label.text() == "Unit" and box.currentIndex() == -1
    assert "units above" in plot._empty.text()
    selection.set_rois([2])
    assert box.currentIndex() == 1
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert selection.rois == (3,)
    _, values = plot.panels.lines["trace"].getOriginalDataset()
    assert np.array_equal(values, counts[:, 2])
    QTest.keyClick(box, Qt.Key.Key_Up)
    assert selection.rois == (2,)
    selection.back()
    assert box.currentIndex() == 2
    workspace.set_recording(None)
    assert box.count() == 0 and not box.isEnabled()


def test_the_legend_of_a_narrow_dock_is_whole(shown, made, qtbot):
    plot, workspace = shown(TracePlot, width=360)
    recording = with_counts(made.recording())
    workspace.set_recording(recording)
    workspace.trace_state.set_report(trace_report(recording))
    workspace.selection.set_rois([4])
    legend = plot.legend
    for name in ("neuropil", "F0", "not used"):
        assert name in legend.text()
    lines = QTextDocument()
    lines.setDefaultFont(legend.font())
    lines.setDocumentMargin(0)
    lines.setHtml(legend.text())
    plot.resize(plot.minimumWidth(), 400)
    qtbot.waitUntil(lambda: legend.width() < 400, timeout=5000)
    lines.setTextWidth(legend.width())
    assert lines.idealWidth() <= legend.width(), "no word is cut at the side"
    qtbot.waitUntil(lambda: legend.height() >= lines.size().height(), timeout=5000)


def report_of(log, phase):
    """Return the first report of a training."""
    values = (int(log.step[0]), 6.0, 0.1, 0.1, 0)
    names = ("step", "loss", "bits_train", "bits_heldout", "best_step")
    report = SimpleNamespace(**dict(zip(names, values, strict=True)))
    return SimpleNamespace(phase=phase, report=report)


def with_counts(recording):
    rng = np.random.default_rng(3)
    shape = recording.traces.values.shape
    raw = Traces(200 + 30 * recording.traces.values, "raw", 30.0)
    neuropil = Traces(100 + rng.normal(size=shape), "neuropil", 30.0)
    made = dff(raw, neuropil)
    recording = replace(recording, raw=raw, neuropil=neuropil, traces=made.traces)
    return recording


def test_curves_are_those_of_all_rois(made):
    """As applied, and as other settings would make them."""
    recording = with_counts(made.recording())
    report = trace_report(recording)
    preview = preview_of(recording, report)
    tried = DffSettings(neuropil="fitted", deconvolve=True, divide_by="none")
    other = dff(recording.raw, recording.neuropil, tried)
    applied = dff(recording.raw, recording.neuropil)
    for column in range(3):
        curves = roi_curves(recording, column, report, preview)
        assert np.array_equal(curves.f0, applied.f0[:, column])
        shown = 100 * recording.traces.values[:, column]
        assert np.allclose(curves.trace, shown, atol=1e-4)
        assert curves.events is None and curves.unit == "dF/F (%)"
        curves = roi_curves(recording, column, report, preview, tried)
        assert np.allclose(curves.f0, other.f0[:, column], rtol=1e-3)
        assert np.allclose(curves.trace, other.change[:, column], atol=0.5)
        assert curves.events.shape == curves.trace.shape
        assert curves.unit == "F − F0 (counts)"
    bare = replace(recording, raw=None, neuropil=None)
    assert roi_curves(bare, 0, trace_report(bare)).f0 is None
