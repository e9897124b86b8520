"""A canvas in a dock that survives floating, docking and hiding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cebra.viewer import _compat

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtGui import QResizeEvent


class CanvasHost(QWidget):
    """Show a `ViewerModel` and outlive its OpenGL context.

    When a dock floats or docks, Qt replaces the context and every GL object
    of the canvas is dead (vispy/vispy#1759). The model is the state and
    belongs to the caller; the canvas is disposable and built again before
    anything is drawn with dead objects.

    Parameters
    ----------
    model : ViewerModel
        What is shown.
    parent : QWidget, optional
        As in Qt.
    """

    rebuilt = Signal()
    resized = Signal(QSize, QSize)  # before, now

    def __init__(self, model: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._canvases: list[_compat.QtViewer] = []  # one, or none
        self._contexts = 0
        _compat.stop_hover_status(model)

        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)

        self.setMinimumSize(280, 220)  # else a dock comes up 50 px wide
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._build()

        self._timer.timeout.connect(self._rebuild)
        # Whoever still holds the host must not keep a dead canvas with it.
        self.destroyed.connect(self._canvases.clear)

    @property
    def qt_viewer(self) -> _compat.QtViewer | None:
        """The canvas of the moment; never keep it."""
        return self._canvases[0] if self._canvases else None

    def release(self) -> None:
        """Destroy the canvas; call it before the dock is removed."""
        self._timer.stop()
        if not self._canvases:
            return
        viewer = self._canvases.pop()
        _compat.disconnect_context(viewer, self._on_context)
        self._layout.removeWidget(viewer)
        viewer.close()
        viewer.deleteLater()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Tell how large the canvas was and is."""
        super().resizeEvent(event)
        if event is not None:
            self.resized.emit(event.oldSize(), event.size())

    def _build(self) -> None:
        self._contexts = 0
        viewer = _compat.QtViewer(self._model)
        self._canvases.append(viewer)
        _compat.connect_context(viewer, self._on_context)
        _compat.hide_sliders(viewer)
        self._layout.addWidget(viewer)

    def _on_context(self, _event: object = None) -> None:
        """Note a context; a second one comes after reparenting, before paint."""
        self._contexts += 1
        if self._contexts > 1 and self._canvases:
            _compat.stop_drawing(self._canvases[0])
            self._timer.start()  # not inside the Qt event that made it

    def _rebuild(self) -> None:
        self.release()
        self._build()
        self.rebuilt.emit()
