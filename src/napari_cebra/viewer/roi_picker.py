"""A list of the ROIs, for recordings that have no masks to click on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget
from superqt.utils import signals_blocked

from napari_cebra.viewer.connections import Connections

if TYPE_CHECKING:
    from napari_cebra.recording import Recording, RoiSet
    from napari_cebra.workspace import Workspace


class RoiPicker(QWidget):
    """Shows which ROI was selected last, and selects another.

    Parameters
    ----------
    workspace : Workspace
        Its recording and selection.
    parent : QWidget, optional
        As in Qt.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._ids: list[int] = []
        self._label = QLabel()
        self.box = QComboBox()
        self.box.setPlaceholderText("none")
        self.box.setMinimumContentsLength(6)
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMaxVisibleItems(20)
        self.box.setToolTip(
            "Whose traces are drawn; the arrow keys go to the next one and back"
        )
        self._label.setBuddy(self.box)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._label)
        layout.addWidget(self.box)

        self._connections = Connections()
        add = self._connections.add
        add(workspace.recording_changed, self._on_recording)
        add(workspace.selection.rois_changed, self._on_selection)
        self.destroyed.connect(self._connections.close)
        self.box.activated.connect(self._on_picked)
        self._on_recording()

    def _on_recording(self) -> None:
        recording = self._workspace.recording
        self._ids = [] if recording is None else recording.roi_ids.tolist()
        self._label.setText(word_for(recording))
        with signals_blocked(self.box):
            self.box.clear()
            if recording is not None:
                self.box.addItems(names_of(recording))
        self.box.setEnabled(bool(self._ids))
        self._on_selection()

    def _on_selection(self) -> None:
        roi = self._workspace.selection.roi
        with signals_blocked(self.box):
            self.box.setCurrentIndex(self._ids.index(roi) if roi in self._ids else -1)

    def _on_picked(self, index: int) -> None:
        self._workspace.selection.set_rois([self._ids[index]])


def word_for(recording: Recording | None) -> str:
    """Return what a column of the traces is called."""
    counted = recording is not None and recording.traces.kind == "rates"
    return "Unit" if counted else "ROI"


def names_of(recording: Recording) -> list[str]:
    """Return the id of each ROI, with its name in the source if that is another."""
    if recording.rois is not None:
        return source_names(recording.rois)
    ids = [str(roi) for roi in recording.roi_ids]
    names = [str(name) for name in recording.traces.made_by.get("units", ())]
    return _both(ids, names) if len(names) == len(ids) else ids


def source_names(rois: RoiSet) -> list[str]:
    """Return the id of each mask, with its number in the source if that is another."""
    return _both([str(i) for i in rois.ids], [str(i) for i in rois.source_ids])


def _both(ids: list[str], names: list[str]) -> list[str]:
    return [
        roi if name in ("", roi) else f"{roi} ({name})"
        for roi, name in zip(ids, names, strict=True)
    ]
