"""A file or folder: typed, chosen or dropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_cebra.widgets import preferences

if TYPE_CHECKING:
    from qtpy.QtGui import QDragEnterEvent, QDropEvent


class PathField(QWidget):
    """A line for a path, with a button to choose one; files can be dropped on it.

    Parameters
    ----------
    placeholder : str
        Shown while it is empty.
    mode : {"open", "open_or_folder", "folder", "save"}
        What may be chosen.
    filter : str
        As in a file dialog.
    """

    valueChanged = Signal(object)

    def __init__(
        self,
        placeholder: str = "",
        mode: str = "open",
        filter: str = "All files (*)",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._filter = filter
        self._value: Path | None = None
        self._line = QLineEdit()
        self._line.setPlaceholderText(placeholder)
        self._line.setClearButtonEnabled(True)
        self._line.setAcceptDrops(False)
        self._browse = QPushButton("Browse…")
        self._browse.setToolTip("Choose from this computer")
        self.setAcceptDrops(True)

        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._line, 1)
        row.addWidget(self._browse)

        if mode == "open_or_folder":
            menu = QMenu(self)
            menu.addAction("File…", self._choose_file)
            menu.addAction("Folder…", self._choose_folder)
            self._browse.setMenu(menu)
        else:
            choose = {
                "open": self._choose_file,
                "folder": self._choose_folder,
                "save": self._choose_new_file,
            }[mode]
            self._browse.clicked.connect(choose)
        self._line.editingFinished.connect(self._on_edited)

    def value(self) -> Path | None:
        """Return the path; None while empty."""
        return self._value

    def setValue(self, path: Path | str | None) -> None:
        """Set the path; None empties the line."""
        self._line.setText("" if path is None else str(path))
        self._line.setCursorPosition(0)
        self._take(path)

    def setToolTip(self, text: str) -> None:
        """Explain the line."""
        self._line.setToolTip(text)

    def _take(self, path: Path | str | None) -> None:
        value = None if path is None or not str(path) else Path(path).expanduser()
        if value == self._value:
            return
        self._value = value
        self._line.setToolTip("" if value is None else str(value))
        if value is not None:
            folder = value if value.is_dir() else value.parent
            preferences.remember("last_folder", str(folder))
        self.valueChanged.emit(value)

    def _on_edited(self) -> None:
        self._take(self._line.text().strip().strip('"'))

    def _choose_file(self) -> None:
        start = preferences.recall("last_folder", "")
        name, _ = QFileDialog.getOpenFileName(self, "Choose", start, self._filter)
        if name:
            self.setValue(name)

    def _choose_folder(self) -> None:
        start = preferences.recall("last_folder", "")
        name = QFileDialog.getExistingDirectory(self, "Choose a folder", start)
        if name:
            self.setValue(name)

    def _choose_new_file(self) -> None:
        start = str(self._value or preferences.recall("last_folder", ""))
        name, _ = QFileDialog.getSaveFileName(self, "Save as", start, self._filter)
        if name:
            self.setValue(name)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders of this computer."""
        if local_path(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the first path that is dropped."""
        path = local_path(event)
        if path is not None:
            event.acceptProposedAction()
            self.setValue(path)


def local_path(event: QDropEvent) -> str | None:
    """Return the first local path of a drag, or None."""
    for url in event.mimeData().urls():
        if url.isLocalFile():
            return url.toLocalFile()
    return None
