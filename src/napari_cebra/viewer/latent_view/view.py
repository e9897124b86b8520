"""The dock in which the latents are seen, coloured, played and picked."""

from __future__ import annotations

import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPoint, QRect, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QLabel,
    QMenu,
    QPushButton,
    QRubberBand,
    QShortcut,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_cebra.viewer import _compat, theme
from napari_cebra.viewer.canvas_host import CanvasHost
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.latent_view.controls import Controls
from napari_cebra.viewer.latent_view.legend import Legend
from napari_cebra.viewer.latent_view.picking import CanvasView, inside, nearest
from napari_cebra.viewer.latent_view.scene import LatentScene
from napari_cebra.viewer.player import Player
from napari_cebra.viewer.registry import workspace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from qtpy.QtGui import QShowEvent

_REACH = 10.0  # pixels around the mouse in which a point is hit
_DRAG = 4.0  # pixels after which a press is a drag
_LIVE_MS = 100
_SETTLE_MS = 50  # in which a canvas that was shown or resized learns its size


class LatentView(QWidget):
    """Latents in three dimensions, linked to the movie.

    A click on a point goes to its frame; shift and click, or shift and drag a
    box, selects the frames of the points. Space plays.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose workspace is shown.
    parent : QWidget, optional
        As in Qt.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = _compat.unwrap(napari_viewer)
        self._viewer = weakref.ref(viewer)
        self.workspace = workspace_of(viewer)
        self.scene = LatentScene(self.workspace)
        self.scene.draw = self._draw
        self.player = Player(self.workspace, self)
        self._live: np.ndarray | None = None
        self._parts: list[Callable[[], None]] = []
        self._began = 0.0
        self._moved = False

        self.controls = Controls(self.scene, self.player)
        self._menu = QMenu(self)
        self._more = QPushButton("More")
        self.host = CanvasHost(self.scene.model)
        self._empty = QLabel()
        self._pages = QStackedWidget()
        self.legend = Legend()
        self._status = _TwoLines()
        self._live_timer = QTimer(self)
        self._part_timer = QTimer(self)
        self._fit_timer = QTimer(self)
        self._connections = Connections()

        self._lay_out()
        self._fill_menu()
        self._connect(viewer)
        self._on_theme()
        self._refresh()

    def _lay_out(self) -> None:
        self._more.setToolTip("Commands for the latents")
        self._more.setMenu(self._menu)
        self.controls.addWidget(self._more)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setMargin(24)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self.host)
        self._live_timer.setSingleShot(True)
        self._part_timer.setSingleShot(True)
        self._fit_timer.setSingleShot(True)
        self._fit_timer.setInterval(_SETTLE_MS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.controls)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self.legend)
        layout.addWidget(self._status)
        self.setMinimumSize(320, 380)

    def _fill_menu(self) -> None:
        for text, command in (
            ("Reset the view", self.reset_view),
            ("Clear the selected frames", partial(self._select, ())),
            ("Open in a window of its own", self.open_window),
            ("Copy to the main viewer", self.copy_to_main_viewer),
        ):
            action = self._menu.addAction(text)
            assert action is not None
            action.triggered.connect(lambda _=False, command=command: command())

    def _connect(self, viewer: Any) -> None:
        space = QShortcut(QKeySequence(Qt.Key.Key_Space), self)
        space.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        space.activated.connect(self.player.toggle)
        self.host.resized.connect(self._on_resized)
        self._live_timer.timeout.connect(self._show_live)
        self._part_timer.timeout.connect(self._do_part)
        self._fit_timer.timeout.connect(self.reset_view)
        add = self._connections.add
        add(self.scene.changed, self._refresh)
        add(self.workspace.live_latents, self._on_live)
        add(self.workspace.recording_changed, self._refresh)
        add(self.workspace.stack_changed, self._refresh)
        add(self.workspace.timeline.changed, self._show_status)
        add(viewer.events.theme, self._on_theme)
        self._connections.add_callback(
            self.scene.model.mouse_drag_callbacks, self._on_mouse
        )
        self._connections.add_callback(
            self.scene.model.mouse_wheel_callbacks, self._on_wheel
        )
        # Qt destroys the widget without an event: what reaches into it goes first.
        self.destroyed.connect(self._connections.close)
        self.destroyed.connect(self.scene.close)

    # Live latents: the last snapshot only, in short parts, at a rate that
    # leaves the window free however slow drawing is on this machine.

    def _on_live(self, latents: np.ndarray) -> None:
        self._live = latents
        idle = not (self._live_timer.isActive() or self._parts)
        if idle and self.isVisible():
            self._live_timer.start(0)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Draw the snapshot that came while nobody looked."""
        super().showEvent(event)
        if self._live is not None:
            self._live_timer.start(0)

    def _draw(self, parts: list[Callable[[], None]]) -> None:
        """Draw a result; let no late snapshot be drawn over it."""
        self._live = None
        self._began = time.monotonic()
        self._parts = parts
        self._part_timer.start(0)

    def _show_live(self) -> None:
        if self._live is None:
            return
        latents, self._live = self._live, None
        self._draw(self.scene.showing(latents, live=True))

    def _do_part(self) -> None:
        if self._parts:
            self._parts.pop(0)()
            self._part_timer.start(0 if self._parts else 1)
            return
        busy = time.monotonic() - self._began  # with the drawing of the canvas
        self._live_timer.start(max(_LIVE_MS, int(1500 * busy)))

    # What is shown.

    def _refresh(self) -> None:
        empty = self.scene.is_empty
        self._empty.setText(self._advice())
        if not empty and self._pages.currentIndex() == 0:
            self._fit_timer.start()  # once the canvas has its size
        self._pages.setCurrentIndex(0 if empty else 1)
        self.controls.refresh()
        self._more.setEnabled(not empty)
        self.legend.setColouring(self.scene.colouring)
        self._show_status()

    def _advice(self) -> str:
        if self.workspace.recording is None and self.workspace.stack is not None:
            return (
                "No traces yet.\n\nExtract them in step 2 of the CEBRA dock; then "
                "train, and the latents appear here."
            )
        if self.workspace.recording is None:
            return (
                "No recording is open.\n\nLoad one in the CEBRA dock and extract its "
                "traces; then train, and the latents appear here."
            )
        return (
            "No latents yet.\n\nPress Train in the CEBRA dock: the cloud appears "
            "here and takes shape while the encoder learns."
        )

    def _on_resized(self, before: QSize, now: QSize) -> None:
        """Keep the cloud as large in the canvas as it was."""
        if not self._moved:  # nobody has chosen a view yet
            self._fit_timer.start()
            return
        was, size = min(before.width(), before.height()), min(now.width(), now.height())
        if was > 0 and size > 0:
            _compat.camera(self.scene.model).zoom *= size / was

    def _show_status(self) -> None:
        text = self.scene.status()
        if text != self._status.text():
            self._status.setText(text)
            self._status.setToolTip(text)

    def _on_theme(self) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        self.scene.model.theme = viewer.theme
        red, green, blue = theme.colours(viewer.theme)["text"]
        self.scene.set_ink((red / 255, green / 255, blue / 255))

    # Picking.

    def _canvas_view(self) -> CanvasView | None:
        qt_viewer = self.host.qt_viewer
        if qt_viewer is None:
            return None
        size = _compat.canvas_size(qt_viewer)
        return CanvasView.of(_compat.camera(self.scene.model), size)

    def _on_mouse(self, _model: object, event: Any) -> Generator[None, None, None]:
        """Tell a click from a drag; with shift, draw a box instead of panning."""
        if event.button != 1 or self.scene.is_empty:
            return
        start = np.array(event.pos)
        shift = "Shift" in event.modifiers
        band = self._start_band() if shift else None
        yield
        while event.type == "mouse_move":
            if band is not None:
                band.setGeometry(_rectangle(start, np.array(event.pos)))
            yield
        end = np.array(event.pos)  # moves in quick succession are not told
        if band is not None:
            self._end_band(band)
        if np.hypot(*(end - start)) > _DRAG:
            if shift:
                self._pick_box(start, end)
            else:
                self._moved = True
        else:
            self._pick(start, add=shift)

    def _on_wheel(self, _model: object, _event: object) -> None:
        self._moved = True

    def _start_band(self) -> QRubberBand:
        # napari pans with shift: hold the camera until the box is drawn.
        _compat.camera(self.scene.model).mouse_pan = False
        canvas = _compat.canvas_widget(self.host.qt_viewer)
        band = QRubberBand(QRubberBand.Shape.Rectangle, canvas)
        band.show()
        return band

    def _end_band(self, band: QRubberBand) -> None:
        _compat.camera(self.scene.model).mouse_pan = True
        band.hide()
        band.deleteLater()

    def _pick(self, position: np.ndarray, *, add: bool) -> None:
        view = self._canvas_view()
        if view is None:
            return
        point = nearest(view, self.scene.places, position, _REACH)
        if point < 0:
            return
        frame = int(self.scene.frames[point])
        if add:
            self._select(set(self.workspace.selection.frames) ^ {frame})
        else:
            self.workspace.timeline.set(frame)

    def _pick_box(self, corner: np.ndarray, opposite: np.ndarray) -> None:
        view = self._canvas_view()
        if view is not None:
            points = inside(view, self.scene.places, corner, opposite)
            self._select(self.scene.frames[points])

    def _select(self, frames: Any) -> None:
        self.workspace.selection.set_frames(frames)

    # Commands.

    def reset_view(self) -> None:
        """Look at the whole cloud, and keep it whole when the dock is resized."""
        self._moved = False
        self.scene.reset_view()

    def open_window(self) -> QWidget:
        """Open a second view of the same latents in a window of its own."""
        viewer = self._viewer()
        window = LatentView(viewer, self.window())
        window.setWindowFlag(Qt.WindowType.Window)
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        window.setWindowTitle("Latents")
        window.resize(900, 760)
        window.show()
        return window

    def copy_to_main_viewer(self) -> Any:
        """Add the drawn latents to the main viewer as a Points layer.

        There they share the axes of whatever else is open; that is why they
        are not shown there from the start.
        """
        viewer = self._viewer()
        scene = self.scene
        if viewer is None or scene.cloud is None:
            return None
        return viewer.add_points(
            scene.cloud.data.copy(),
            name="latents",
            size=scene.cloud.size.copy(),
            face_color=scene.cloud.face_color.copy(),
            border_width=0,
            shading="none",
            features={"frame": scene.frames},
        )


class _TwoLines(QLabel):
    """Two lines high whatever it says: growing, it would resize the canvas."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the height in the font of the moment, which the theme changes."""
        return QSize(200, 2 * self.fontMetrics().lineSpacing() + 4)

    def minimumSizeHint(self) -> QSize:
        """Return the same: neither line is ever cut."""
        return self.sizeHint()


def _rectangle(start: np.ndarray, end: np.ndarray) -> QRect:
    return QRect(QPoint(*map(int, start)), QPoint(*map(int, end))).normalized()
