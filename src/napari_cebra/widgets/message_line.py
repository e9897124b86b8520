"""One sentence where the person is looking."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

Level = Literal["error", "warning", "info", "none"]

COLOURS = {"error": "#e0564f", "warning": "#d9a032", "info": "#4f9dd9"}
_SIGNS = {"error": "✕", "warning": "!", "info": "i"}


class MessageLine(QFrame):
    """An error, a warning or a hint, shown until it is replaced or dismissed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level: Level = "none"
        self.setObjectName("messageLine")
        self._sign = QLabel()
        self._sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum
        )
        self._dismiss = QToolButton()
        self._dismiss.setText("×")
        self._dismiss.setAutoRaise(True)
        self._dismiss.setToolTip("Dismiss this message")

        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 2, 4)
        row.addWidget(self._sign)
        row.addWidget(self._text, 1)
        row.addWidget(self._dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

        self._dismiss.clicked.connect(self.clear)

    def level(self) -> Level:
        """Return what is shown: "error", "warning", "info" or "none"."""
        return self._level

    def text(self) -> str:
        """Return the sentence shown; empty if none is."""
        return self._text.text() if self._level != "none" else ""

    def error(self, text: str) -> None:
        """Show what went wrong."""
        self._show("error", text)

    def warning(self, text: str) -> None:
        """Show what should be looked at before going on."""
        self._show("warning", text)

    def info(self, text: str) -> None:
        """Show a hint or a result."""
        self._show("info", text)

    def clear(self) -> None:
        """Show nothing."""
        self._level = "none"
        self._text.clear()
        self.hide()

    def _show(self, level: Level, text: str) -> None:
        self._level = level
        colour = COLOURS[level]
        self._sign.setText(_SIGNS[level])
        self._sign.setStyleSheet(f"color: {colour}; font-weight: bold;")
        self.setStyleSheet(
            f"#messageLine {{ border: none; border-left: 3px solid {colour};"
            " background-color: rgba(128, 128, 128, 40); border-radius: 2px; }"
        )
        self._text.setText(text)
        self.show()
