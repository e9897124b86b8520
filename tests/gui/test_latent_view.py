"""The latents in a real window: context changes, scrubbing, picking, leaks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from vispy.visuals import MarkersVisual

from napari_cebra.viewer import _compat
from napari_cebra.viewer.latent_view import LatentView
from napari_cebra.viewer.registry import workspace_of

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def latents(make_napari_viewer, made, qtbot):
    """Return the view, docked in a window that is seen, with an embedding."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 800)
    workspace = workspace_of(viewer)
    recording = made.recording()
    workspace.set_recording(recording)
    view = LatentView(viewer)
    view.dock = viewer.window.add_dock_widget(view, name="Latents", area="right")
    workspace.set_embedding(made.embedding(recording))
    wait_drawn(qtbot, view)
    return view


def canvas(view):
    return _compat.canvas_widget(view.host.qt_viewer)


def picture(view) -> np.ndarray:
    return view.host.qt_viewer.screenshot(flash=False)[..., :3].astype(int)


def drawn_pixels(view) -> int:
    image = picture(view)
    return int((np.abs(image - image[0, 0]).sum(axis=-1) > 60).sum())


def wait_drawn(qtbot, view):
    qtbot.waitUntil(lambda: canvas(view).isVisible(), timeout=10_000)
    qtbot.waitUntil(lambda: not view._fit_timer.isActive(), timeout=10_000)
    qtbot.waitUntil(lambda: drawn_pixels(view) > 500, timeout=10_000)


def position_of(view, frame: int) -> np.ndarray:
    """Where the point of a frame is on the canvas."""
    place = view.scene.place_of(frame)
    return view._canvas_view().positions(place[None])[0][0]


def drag(view, begin: QPoint, end: QPoint, keys=Qt.KeyboardModifier.NoModifier):
    """Press, move twice, release; QTest.mouseMove cannot hold a button."""
    target = canvas(view)

    def send(kind, spot, button, buttons):
        place = QPointF(spot)
        event = QMouseEvent(
            kind, place, QPointF(target.mapToGlobal(spot)), button, buttons, keys
        )
        QApplication.sendEvent(target, event)

    none = Qt.MouseButton.NoButton
    send(QEvent.Type.MouseButtonPress, begin, LEFT, LEFT)
    send(QEvent.Type.MouseMove, (begin + end) / 2, none, LEFT)
    send(QEvent.Type.MouseMove, end, none, LEFT)
    send(QEvent.Type.MouseButtonRelease, end, LEFT, none)


def lonely_frame(view) -> int:
    """Frame whose point has no other near it on the canvas."""
    flat = view._canvas_view().positions(view.scene.places)[0]
    gaps = [np.sort(np.hypot(*(flat - point).T))[1] for point in flat]
    return int(view.scene.frames[int(np.argmax(gaps))])


def test_float_dock_hide_and_close(latents, qtbot):
    """Each float makes a new GL context; nothing may be drawn with the old one."""
    view, dock = latents, latents.dock
    before = drawn_pixels(view)
    for floating in (True, False, True, False):
        with qtbot.waitSignal(view.host.rebuilt, timeout=10_000):
            dock.setFloating(floating)
        wait_drawn(qtbot, view)
    assert drawn_pixels(view) == pytest.approx(before, rel=0.25)

    dock.close()
    view.workspace.timeline.set(123)
    dock.show()
    wait_drawn(qtbot, view)
    assert view.scene.model.dims.point[0] == 123
    assert view.host.width() >= 280 and view.host.height() >= 220
    second = view.open_window()
    qtbot.waitUntil(lambda: drawn_pixels(second) > 500, timeout=10_000)
    second.close()
    dock.setFloating(True)  # left floating: `make_napari_viewer` looks for leaks


def test_scrubbing_uploads_the_cloud_never(latents, qtbot, monkeypatch):
    uploads = []
    set_data = MarkersVisual.set_data

    def counted(self, pos=None, **options):
        uploads.append(0 if pos is None else len(pos))
        return set_data(self, pos=pos, **options)

    monkeypatch.setattr(MarkersVisual, "set_data", counted)
    timeline = latents.workspace.timeline
    for frame in range(200):
        timeline.set(frame)
        if frame % 20 == 0:
            QApplication.processEvents()
    assert uploads.count(1) > 150, "the current point moved"
    assert max(uploads) == 1, "and nothing else was uploaded"

    latents.scene.set_look(colour_by="variable:angle")
    assert max(uploads) == len(latents.scene.frames), "the count sees an upload"


def test_picking_and_playing(latents, qtbot):
    """One window for all that is done with mouse and keys."""
    the_projection_is_where_napari_draws(latents, qtbot)
    a_click_goes_to_the_frame_and_a_drag_does_not(latents)
    shift_selects_points_and_boxes(latents)
    space_plays_at_the_rate_of_the_recording(latents, qtbot)


def the_projection_is_where_napari_draws(view, qtbot):
    """The yellow point is drawn where our own projection says."""
    _compat.camera(view.scene.model).angles = (35, -50, 20)
    view.scene.set_look(trail_frames=0)
    view.workspace.timeline.set(230)
    qtbot.wait(100)
    image = picture(view)
    yellow = np.abs(image - [255, 212, 0]).sum(axis=-1) < 30
    y, x = np.argwhere(yellow).mean(axis=0) * canvas(view).height() / image.shape[0]
    assert position_of(view, 230) == pytest.approx([x, y], abs=2.5)


def a_click_goes_to_the_frame_and_a_drag_does_not(view):
    timeline, frame = view.workspace.timeline, lonely_frame(view)
    spot = QPoint(*map(round, position_of(view, frame)))
    assert timeline.frame != frame
    drag(view, spot, spot + QPoint(60, 10))
    assert timeline.frame != frame, "that turned the cloud"

    spot = QPoint(*map(round, position_of(view, frame)))
    QTest.mouseClick(canvas(view), LEFT, pos=spot)
    assert timeline.frame == frame
    assert view.workspace.selection.frames == ()


def shift_selects_points_and_boxes(view):
    selection, frame = view.workspace.selection, lonely_frame(view)
    spot = QPoint(*map(round, position_of(view, frame)))
    QTest.mouseClick(canvas(view), LEFT, SHIFT, spot)
    assert selection.frames == (frame,)
    QTest.mouseClick(canvas(view), LEFT, SHIFT, spot)
    assert selection.frames == ()

    camera = _compat.camera(view.scene.model)
    center = tuple(camera.center)
    flat = view._canvas_view().positions(view.scene.places)[0]
    begin = QPoint(*map(int, flat.min(axis=0) - 5))
    end = QPoint(*map(int, np.median(flat, axis=0)))
    drag(view, begin, end, SHIFT)
    within = (flat >= [begin.x(), begin.y()]) & (flat <= [end.x(), end.y()])
    within = within.all(axis=1)
    assert selection.frames == tuple(view.scene.frames[within].tolist())
    assert within.sum() > 20
    assert tuple(camera.center) == pytest.approx(center), "the cloud stayed put"
    assert camera.mouse_pan


def space_plays_at_the_rate_of_the_recording(view, qtbot):
    timeline, player = view.workspace.timeline, view.player
    timeline.set(100)
    view.window().activateWindow()
    canvas(view).setFocus()
    qtbot.waitUntil(lambda: canvas(view).hasFocus(), timeout=5000)
    QTest.keyClick(canvas(view), Qt.Key.Key_Space)
    assert player.is_playing
    assert view.controls.play.text() == "Pause"
    qtbot.waitUntil(lambda: timeline.frame >= 130, timeout=20_000)
    clock, frame = player._began
    rate = (timeline.frame - frame) / (player._ticked - clock)
    assert rate == pytest.approx(30, abs=1 / (player._ticked - clock))
    QTest.keyClick(canvas(view), Qt.Key.Key_Space)
    assert not player.is_playing
    timeline.set(599)
    player.play()
    assert timeline.frame < 10, "from the end it starts again"
    player.pause()


def test_live_latents_theme_and_copy(latents, made, qtbot):
    """While training only the last snapshot is drawn, and the colours stay."""
    view, workspace = latents, latents.workspace
    viewer = view._viewer()
    stack = viewer.add_image(np.zeros((600, 48, 64), np.uint8), name="stack")
    before = (viewer.dims.ndim, viewer.dims.range)
    cloud = view.scene.cloud
    turned = made.latents(workspace.recording)
    for step in range(30):
        workspace.show_live(turned * np.float32(1 + step / 30))
    qtbot.waitUntil(lambda: not view._parts and view._live is None, timeout=10_000)
    extent = np.ptp(view.scene.cloud.data, axis=0).max()
    known = turned[workspace.recording.valid]
    assert extent == pytest.approx(np.ptp(known, axis=0).max() * 59 / 30, rel=0.05)
    assert view.scene.cloud is cloud

    workspace.set_embedding(made.embedding(workspace.recording, 5))
    assert (viewer.dims.ndim, viewer.dims.range) == before, "trap 4"
    assert [layer.name for layer in viewer.layers] == ["stack"]
    assert "5 dimensions drawn as 3" in view._status.text()

    viewer.theme = "light"
    assert view.scene.model.theme == "light"
    qtbot.waitUntil(lambda: picture(view)[0, 0].min() > 200, timeout=10_000)

    copy = view.copy_to_main_viewer()
    assert np.array_equal(copy.data, view.scene.cloud.data)
    assert copy.features["frame"].tolist() == view.scene.frames.tolist()
    assert isinstance(stack, Image)
