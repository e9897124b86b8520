"""Cells of the table of columns: a choice of kinds, and values drawn small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QModelIndex, QPointF, Qt, QTimer
from qtpy.QtGui import QPolygonF
from qtpy.QtWidgets import QComboBox, QStyledItemDelegate, QStyleOptionViewItem

if TYPE_CHECKING:
    from qtpy.QtCore import QAbstractItemModel
    from qtpy.QtGui import QPainter
    from qtpy.QtWidgets import QWidget

KINDS = ("continuous", "circular", "discrete")


class KindDelegate(QStyledItemDelegate):
    """A cell that opens a choice of kinds when it is clicked."""

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget:
        """Return the choice, open."""
        choice = QComboBox(parent)
        choice.addItems(KINDS)
        choice.activated.connect(lambda: self._done(choice))
        QTimer.singleShot(0, choice.showPopup)
        return choice

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:
        """Choose what the cell says."""
        editor.setCurrentText(index.data())

    def setModelData(
        self, editor: QWidget, model: QAbstractItemModel, index: QModelIndex
    ) -> None:
        """Write what was chosen."""
        model.setData(index, editor.currentText(), Qt.ItemDataRole.EditRole)

    def _done(self, choice: QComboBox) -> None:
        self.commitData.emit(choice)
        self.closeEditor.emit(choice)


class Sparkline(QStyledItemDelegate):
    """A cell that draws the course of a column, from lowest to highest."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw a band from the lowest to the highest value of each stretch."""
        super().paint(painter, option, index)
        column = index.data(Qt.ItemDataRole.UserRole)
        if column is None or not np.isfinite(column.outline).any():
            return
        outline = column.outline
        low, high = np.nanmin(outline), np.nanmax(outline)
        box = option.rect.adjusted(4, 5, -4, -5)
        scale = box.height() / (high - low) if high > low else 0.0
        x = box.left() + np.arange(len(outline)) * box.width() / max(
            1, len(outline) - 1
        )
        y = box.bottom() - (outline - low) * scale
        painter.save()
        colour = option.palette.color(option.palette.ColorRole.Text)
        painter.setPen(colour)
        colour.setAlpha(70)
        painter.setBrush(colour)
        painter.setRenderHint(painter.RenderHint.Antialiasing)
        for run in _runs(np.isfinite(y[:, 0])):
            top = [QPointF(x[k], y[k, 1]) for k in run]
            back = [QPointF(x[k], y[k, 0]) for k in reversed(run)]
            painter.drawPolygon(QPolygonF([*top, *back]))
        painter.restore()


def _runs(known: np.ndarray) -> list[list[int]]:
    """Stretches of rows that have a value."""
    at = np.flatnonzero(known)
    cuts = np.flatnonzero(np.diff(at) > 1) + 1
    return [run.tolist() for run in np.split(at, cuts)]
