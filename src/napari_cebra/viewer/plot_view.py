"""A view of plots that leaves the mouse wheel to whatever scrolls around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QWheelEvent

HINT = "Ctrl and the wheel zoom, dragging moves, a double click shows all again."


class PlotView(pg.GraphicsLayoutWidget):
    """Zooms with Ctrl and the wheel alone, and tells of double clicks.

    Without Ctrl the wheel goes on to the parent: plots in a dock that scrolls
    would otherwise be zoomed out of sight by a person who only scrolls past.
    """

    doubleClicked = Signal()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom if Ctrl is held."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event)
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Announce it."""
        super().mouseDoubleClickEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.doubleClicked.emit()
