"""The legend under the latents: a bar with its range and units, or swatches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent, QResizeEvent

    from napari_cebra.viewer.latent_view.colouring import Colouring

_GAP = 6


class Legend(QWidget):
    """Paints what the colours stand for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colouring: Colouring | None = None
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def setColouring(self, colouring: Colouring | None) -> None:
        """Show another legend; None shows none."""
        if colouring is self._colouring and self.isVisibleTo(self.parentWidget()):
            return
        self._colouring = colouring
        self.setVisible(colouring is not None)
        self.setMinimumHeight(self.heightForWidth(max(self.width(), 100)))
        self.updateGeometry()
        self.update()

    def text(self) -> str:
        """Return the legend in words, for a screen reader and for tests."""
        found = self._colouring
        if found is None:
            return ""
        if found.entries:
            return f"{found.title}: " + ", ".join(text for text, _ in found.entries)
        if found.table is None:
            return found.title
        low, high = self._ends()
        return f"{self._heading()}: {low} to {high}"

    def sizeHint(self) -> QSize:
        """Return a size wide enough for a bar with its numbers."""
        return QSize(260, self.heightForWidth(260))

    def hasHeightForWidth(self) -> bool:
        """Swatches flow over as many lines as they need."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height needed at this width."""
        line = self.fontMetrics().height()
        found = self._colouring
        if found is None:
            return 0
        if found.table is not None:
            return 2 * line + _GAP
        rows = self._flow(width)
        return line * (1 + (rows[-1][0].bottom() // line if rows else 0)) + _GAP

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Let swatches flow again."""
        self.setMinimumHeight(self.heightForWidth(self.width()))
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the legend."""
        if self._colouring is None:
            return
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        if self._colouring.table is not None:
            self._paint_bar(painter)
        else:
            self._paint_swatches(painter)
        painter.end()

    def _heading(self) -> str:
        found = self._colouring
        assert found is not None
        units = f" ({found.units})" if found.units else ""
        turn = ", circular" if found.kind == "circular" else ""
        return f"{found.title}{units}{turn}"

    def _ends(self) -> tuple[str, str]:
        found = self._colouring
        assert found is not None
        return number(found.low), number(found.high)

    def _paint_bar(self, painter: QPainter) -> None:
        found = self._colouring
        assert found is not None and found.table is not None
        line = self.fontMetrics().height()
        painter.drawText(
            QRect(0, 0, self.width(), line),
            Qt.AlignmentFlag.AlignHCenter,
            self._heading(),
        )
        low, high = self._ends()
        widths = [self.fontMetrics().horizontalAdvance(text) for text in (low, high)]
        top = QRect(0, line + _GAP // 2, self.width(), line)
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(top, Qt.AlignmentFlag.AlignRight, high)
        bar = top.adjusted(widths[0] + _GAP, 2, -widths[1] - _GAP, -2)
        row = np.ascontiguousarray(255 * found.table[None], dtype=np.uint8)
        count = row.shape[1]
        image = QImage(
            row.tobytes(), count, 1, 4 * count, QImage.Format.Format_RGBA8888
        )
        painter.drawImage(bar, image)

    def _flow(self, width: int) -> list[tuple[QRect, str, tuple[float, ...]]]:
        found = self._colouring
        assert found is not None
        metrics = self.fontMetrics()
        line, placed = metrics.height(), []
        x = metrics.horizontalAdvance(found.title) + 2 * _GAP
        y = 0
        for text, colour in found.entries:
            wide = line + metrics.horizontalAdvance(text) + _GAP
            if x + wide > width and x > 0:
                x, y = 0, y + line
            placed.append((QRect(x, y, wide, line), text, colour))
            x += wide + _GAP
        return placed

    def _paint_swatches(self, painter: QPainter) -> None:
        found = self._colouring
        assert found is not None
        line = self.fontMetrics().height()
        painter.drawText(
            QRect(0, 0, self.width(), line), Qt.AlignmentFlag.AlignLeft, found.title
        )
        for place, text, colour in self._flow(self.width()):
            box = QRect(place.left(), place.top() + 3, line - 6, line - 6)
            painter.fillRect(box, QColor.fromRgbF(*colour[:3]))
            painter.drawText(
                place.adjusted(line - 2, 0, 0, 0), Qt.AlignmentFlag.AlignLeft, text
            )


def number(value: float) -> str:
    """Return a number with as many digits as a legend needs."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.3g}"
