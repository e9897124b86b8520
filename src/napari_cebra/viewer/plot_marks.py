"""What marks stretches of time in a plot, as high as its view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QLineF, QRectF, Qt

if TYPE_CHECKING:
    from qtpy.QtGui import QPainter


class _Mark(pg.GraphicsObject):
    """Covers all that is in view."""

    def __init__(self, box: Any) -> None:
        super().__init__()
        self._box = box
        self.setZValue(-10)
        box.sigRangeChanged.connect(self._on_range)

    def boundingRect(self) -> QRectF:
        """Return all that is in view."""
        return QRectF(self._box.viewRect())

    def _on_range(self) -> None:
        self.prepareGeometryChange()


class Shade(_Mark):
    """Grey stripes over the rows that must not be used."""

    def __init__(self, box: Any) -> None:
        super().__init__(box)
        self._runs = np.zeros((0, 2))

    def setRows(self, times: np.ndarray, rows: np.ndarray) -> None:
        """Shade these rows (bool, one per time)."""
        edges = np.diff(np.concatenate([[0], rows.astype(np.int8), [0]]))
        begin, end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        half = float(np.median(np.diff(times))) / 2 if times.size > 1 else 0.5
        self._runs = np.stack([times[begin] - half, times[end] + half], axis=1)
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the stripes in view."""
        view = self._box.viewRect()
        seen = (self._runs[:, 1] >= view.left()) & (self._runs[:, 0] <= view.right())
        brush = pg.mkBrush(128, 128, 128, 70)
        for left, right in self._runs[seen]:
            stripe = QRectF(left, view.top(), right - left, view.height())
            painter.fillRect(stripe, brush)


class Borders(_Mark):
    """Faint upright lines."""

    def __init__(self, box: Any) -> None:
        super().__init__(box)
        self._at = np.zeros(0)

    @property
    def any(self) -> bool:
        """Whether there is a line."""
        return self._at.size > 0

    def setTimes(self, times: np.ndarray) -> None:
        """Draw one at each of these times."""
        self._at = times
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the lines in view."""
        view = self._box.viewRect()
        pen = pg.mkPen((140, 140, 140, 190), style=Qt.PenStyle.DashLine)
        painter.setPen(pen)
        for at in self._at[(self._at >= view.left()) & (self._at <= view.right())]:
            painter.drawLine(QLineF(at, view.top(), at, view.bottom()))


class Ticks(_Mark):
    """Upright lines of one height, such as pulses; those in one pixel are one."""

    def __init__(self, box: Any, pen: Any, low: float, high: float) -> None:
        super().__init__(box)
        self._pen, self._low, self._high = pen, low, high
        self._at = np.zeros(0)

    def setTimes(self, times: np.ndarray) -> None:
        """Draw one at each of these times, which rise."""
        self._at = times
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the lines in view."""
        view = self._box.viewRect()
        first, last = np.searchsorted(self._at, [view.left(), view.right()])
        pixel = max(view.width() / max(self._box.width(), 1), 1e-300)
        column = np.floor((self._at[first:last] - view.left()) / pixel)
        kept = first + np.flatnonzero(np.diff(column, prepend=-1) > 0)
        painter.setPen(self._pen)
        for at in self._at[kept]:
            painter.drawLine(QLineF(at, self._low, at, self._high))
