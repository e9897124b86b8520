"""Which ROIs are used: one by one, all flagged, or by a threshold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cebra.pipeline.roi_export import roi_measures
from napari_cebra.viewer.connections import Connections
from napari_cebra.widgets import preferences
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.form_rows import Choice, Real
from napari_cebra.widgets.roi_table import (
    MEASURES,
    RoiTable,
    beyond,
    toggled,
)

if TYPE_CHECKING:
    from napari_cebra.workspace import Workspace

_FORMATS = {
    "ImageJ RoiSet, accepted ROIs (*.zip)": ".zip",
    "Label image, accepted ROIs (*.tif)": ".tif",
    "Table with measures, all ROIs (*.csv)": ".csv",
}
_UNUSED = "Leave the selected ROIs out, or take them back"


class Curation(QWidget):
    """Rejects and accepts ROIs; every change can be undone and is saved.

    `exportWanted` names a file that the ROIs are to be written to.

    Parameters
    ----------
    workspace : Workspace
        Its ROIs, and what is known of their traces.
    """

    exportWanted = Signal(object)

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.picked = QLabel()
        self.reject_button = QPushButton("Reject")
        self.reject_button.setToolTip(_UNUSED)
        self.flagged_button = QPushButton("Select flagged")
        self.flagged_button.setToolTip(
            "Select the ROIs whose baseline does not stand out of the noise"
        )
        self.undo_button, self.redo_button = QToolButton(), QToolButton()
        self.undo_button.setText("Undo")
        self.undo_button.setToolTip("Take back the last change of the ROIs")
        self.redo_button.setText("Redo")
        self.redo_button.setToolTip("Make it again")
        row = QHBoxLayout()
        row.addWidget(self.picked, 1)
        for button in (
            *(self.flagged_button, self.reject_button),
            *(self.undo_button, self.redo_button),
        ):
            row.addWidget(button)

        self.table = RoiTable(workspace)
        self.measure = Choice([(m, m.name) for m in MEASURES])
        self.measure.setToolTip("By what the ROIs are judged")
        self.side = Choice([(True, "below"), (False, "above")])
        self.side.setToolTip("On which side of the number they are rejected")
        self.threshold = Real(-1000, 100_000, MEASURES[0].start, decimals=2, step=0.5)
        self.threshold.setToolTip("The number they are compared with")
        self.threshold_button = QPushButton("Reject")
        limit = QHBoxLayout()
        for part, width in (
            (self.measure, 90),
            (self.side, 80),
            (self.threshold, 110),
            (self.threshold_button, 80),
        ):
            part.setMinimumWidth(width)  # a dock is narrow
            limit.addWidget(part, 1)
        self.save_button = QPushButton("Save ROIs…")
        self.save_button.setToolTip(
            "RoiSet.zip for ImageJ, label image, or a table (CSV) with these measures"
        )
        body = QWidget()
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.table)
        inner.addLayout(limit)
        inner.addWidget(self.save_button)
        self.fold = Fold("Table of the ROIs", body)
        self.fold.setToolTip("Signal to noise, size, skewness, neuropil of each ROI")

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.fold)

        self.flagged_button.clicked.connect(self._select_flagged)
        self.reject_button.clicked.connect(self._toggle_selected)
        self.undo_button.clicked.connect(workspace.undo_rois)
        self.redo_button.clicked.connect(workspace.redo_rois)
        self.table.toggleWanted.connect(self._toggle)
        self.measure.currentIndexChanged.connect(self._on_measure)
        self.side.currentIndexChanged.connect(self._count)
        self.threshold.valueChanged.connect(self._count)
        self.threshold_button.clicked.connect(self._reject_beyond)
        self.save_button.clicked.connect(self._choose_file)
        self.fold.toggled.connect(self.refresh)
        self._connections = Connections()
        connect = self._connections.add
        connect(workspace.rois_changed, self.refresh)
        connect(workspace.recording_changed, self.refresh)
        connect(workspace.trace_state.changed, self.refresh)
        connect(workspace.selection.rois_changed, self._on_picked)
        connections = self._connections
        self.destroyed.connect(lambda: connections.close())
        self._shown: tuple[object, ...] = ()
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the ROIs as they are now."""
        workspace = self._workspace
        self.undo_button.setEnabled(workspace.can_undo_rois)
        self.redo_button.setEnabled(workspace.can_redo_rois)
        self.fold.setVisible(workspace.rois is not None)
        shown = (workspace.rois, workspace.trace_state.report)
        if self.fold.value() and shown != self._shown:  # equal only to themselves
            self._shown = shown
            self.table.show_rois()
        self._count()
        self._on_picked()

    def _choose_file(self) -> None:
        start = preferences.recall("last_folder", "")
        name, kind = QFileDialog.getSaveFileName(
            self, "Save the ROIs", start, ";;".join(_FORMATS)
        )
        if name:
            path = Path(name)
            self.exportWanted.emit(path if path.suffix else Path(name + _FORMATS[kind]))

    # One by one.

    def _on_picked(self, *_: object) -> None:
        rois, known = self._workspace.rois, self._known()
        if rois is None or not known:
            self.picked.setText("No ROI selected" if rois is not None else "")
        elif len(known) == 1:
            self.picked.setText(f"ROI {known[0]}")
        else:
            self.picked.setText(f"{len(known)} ROIs")
        self.reject_button.setEnabled(bool(known))
        rejected = [i for i in known if not rois.accepted[rois.index_of(i)]]
        self.reject_button.setText("Accept" if rejected else "Reject")
        report = self._workspace.trace_state.report
        self.flagged_button.setVisible(report is not None and bool(report.flagged))

    def _known(self) -> list[int]:
        rois = self._workspace.rois
        if rois is None:
            return []
        return [i for i in self._workspace.selection.rois if i in rois.ids]

    def _toggle_selected(self) -> None:
        self._toggle(self._known())

    def _toggle(self, ids: list[int]) -> None:
        rois = self._workspace.rois
        if rois is not None and ids:
            self._workspace.set_rois(toggled(rois, ids))

    def _select_flagged(self) -> None:
        report = self._workspace.trace_state.report
        if report is not None:
            self._workspace.selection.set_rois(report.flagged)

    # By a threshold.

    def _on_measure(self, _: int) -> None:
        measure = self.measure.value()
        blocked = self.threshold.blockSignals(True)
        self.threshold.setSuffix(f" {measure.unit}" if measure.unit else "")
        self.threshold.setDecimals(measure.decimals)
        self.threshold.setSingleStep(max(0.1 * measure.start, 10.0**-measure.decimals))
        self.threshold.setValue(measure.start)
        self.threshold.blockSignals(blocked)
        # What is good is large, but for these two.
        self.side.setValue(measure.key not in ("neuropil_correlation", "overlap"))
        self._count()

    def _beyond(self) -> np.ndarray:
        """Return the (n,) ROIs that would be rejected."""
        rois, measure = self._workspace.rois, self.measure.value()
        if rois is None or not self.fold.value():
            return np.zeros(0, bool)
        values = roi_measures(rois, self._workspace.trace_state.report)[measure.key]
        found = beyond(values, bool(self.side.value()), self.threshold.value())
        return found & rois.accepted

    def _count(self, *_: object) -> None:
        n = int(self._beyond().sum())
        self.threshold_button.setText(f"Reject {n}")
        self.threshold_button.setEnabled(n > 0)
        self.threshold_button.setToolTip(
            "Leave these ROIs out; Undo takes it back"
            if n
            else "No ROI that is used lies there"
        )

    def _reject_beyond(self) -> None:
        rois = self._workspace.rois
        if rois is not None:
            accepted = rois.accepted & ~self._beyond()
            self._workspace.set_rois(replace(rois, accepted=accepted))
