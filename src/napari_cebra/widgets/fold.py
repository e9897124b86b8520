"""A part that can be folded away."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A titled arrow that shows or hides what belongs to it.

    Parameters
    ----------
    title : str
        Stands beside the arrow.
    body : QWidget
        What is folded.
    """

    toggled = Signal(bool)

    def __init__(
        self, title: str, body: QWidget, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.body = body
        self._header = QToolButton()
        self._header.setText(title)
        self._header.setCheckable(True)
        self._header.setAutoRaise(True)
        self._header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._header.setArrowType(Qt.ArrowType.RightArrow)
        self._header.setStyleSheet("QToolButton { border: none; padding: 2px; }")

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._header)
        column.addWidget(body)
        body.hide()

        self._header.toggled.connect(self._on_toggled)

    def value(self) -> bool:
        """Return True where it is open."""
        return self._header.isChecked()

    def setValue(self, is_open: bool) -> None:
        """Open or fold it."""
        self._header.setChecked(is_open)

    def setTitle(self, title: str) -> None:
        """Change the text beside the arrow."""
        self._header.setText(title)

    def setToolTip(self, text: str) -> None:
        """Explain the arrow."""
        self._header.setToolTip(text)

    def _on_toggled(self, is_open: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self._header.setArrowType(arrow)
        self.body.setVisible(is_open)
        self.toggled.emit(is_open)
