"""All ROIs with what speaks for and against them; a click keeps or rejects one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHeaderView

from napari_cebra.pipeline.roi_export import roi_measures
from napari_cebra.viewer.roi_picker import source_names
from napari_cebra.widgets.linked_table import LinkedTable
from napari_cebra.widgets.sortable_table import Column

if TYPE_CHECKING:
    from qtpy.QtCore import QModelIndex
    from qtpy.QtGui import QKeyEvent

    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.recording import RoiSet
    from napari_cebra.workspace import Workspace

_USE = 0  # the column that is clicked


@dataclass(frozen=True)
class Measure:
    """A number by which ROIs are judged: how it is called, written and explained."""

    key: str
    title: str  # of a narrow column
    name: str
    tip: str
    decimals: int = 2
    unit: str = ""
    start: float = 0.0  # of a threshold


MEASURES = (
    Measure(
        "snr",
        "SNR",
        "SNR",
        "Signal to noise: height of the transients (99.5th percentile of dF/F above "
        "its median) in units of the noise from frame to frame",
        1,
        "× noise",
        4.0,
    ),
    Measure("size", "px", "Size", "Size: pixels of the mask", 0, "px", 30.0),
    Measure(
        "skewness",
        "skew",
        "Skewness",
        "Skewness of the fluorescence after neuropil subtraction: transients make it "
        "large, noise and neuropil leave it near 0",
        1,
        start=0.5,
    ),
    Measure(
        "neuropil_correlation",
        "Fneu r",
        "Neuropil correlation",
        "Correlation of the ROI's counts with those of its surround; near 1 it may be "
        "nothing but neuropil",
        2,
        start=0.9,
    ),
    Measure(
        "overlap",
        "shared",
        "Overlap",
        "Overlap: share of its pixels that lie in others too",
        2,
        start=0.5,
    ),
)


class RoiTable(LinkedTable):
    """A row per ROI: whether it is used, its measures, and whether it is flagged.

    Parameters
    ----------
    workspace : Workspace
        Its ROIs, report and selection.
    """

    toggleWanted = Signal(object)  # ROI ids

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, sorted_by=1)
        self.setToolTip("Click a row to select the ROI everywhere; Space rejects it")
        self.horizontalHeader().setMinimumSectionSize(24)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.clicked.connect(self._on_clicked)

    def show_rois(self) -> None:
        """Show the ROIs as they are now; the place that is seen stays."""
        rois, report = self._workspace.rois, self._workspace.trace_state.report
        bar = self.verticalScrollBar()
        place = bar.value()
        if rois is None:
            self.set_rois(np.zeros(0, np.int64), ())
        else:
            same = np.array_equal(rois.ids, self._ids)
            self.set_rois(rois.ids, _columns(rois, report))
            header = self.horizontalHeader()
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setStretchLastSection(True)
            if same:
                bar.setValue(place)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Reject or accept the selected ROIs with the space bar."""
        if event is not None and event.key() == Qt.Key.Key_Space:
            self.toggleWanted.emit(self.selected_ids())
        else:
            super().keyPressEvent(event)

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() == _USE:
            self.toggleWanted.emit([int(self._ids[self.rows()[index.row()]])])


def toggled(rois: RoiSet, ids: list[int]) -> RoiSet:
    """Return the set with these rejected; taken back where one of them was."""
    at = np.isin(rois.ids, ids)
    accepted = rois.accepted.copy()
    accepted[at] = not accepted[at].all()
    return replace(rois, accepted=accepted)


def beyond(values: np.ndarray, below: bool, threshold: float) -> np.ndarray:
    """Return which values lie below (or above) a threshold; NaN never does."""
    return values < threshold if below else values > threshold


def _columns(rois: RoiSet, report: TraceReport | None) -> list[Column]:
    values = roi_measures(rois, report)
    names = source_names(rois)
    warnings = {} if report is None else report.warnings
    warned = np.array([int(roi) in warnings for roi in rois.ids])
    columns = [
        Column(
            "✓",
            "Whether the ROI is used; click to reject it or to take it back",
            (~rois.accepted).astype(int),
            lambda row: "✓" if rois.accepted[row] else "–",
        ),
        Column(
            "ROI",
            "Its number, and its number in the source if that is another",
            rois.ids,
            lambda row: names[row],
        ),
    ]

    def explained(row: int) -> str:
        said = warnings.get(int(rois.ids[row]), ())
        return "\n".join(said) or "Nothing speaks against its trace"

    columns.append(
        Column(
            "!",
            "Flagged: what speaks against its trace stands in its row",
            (~warned).astype(int),
            lambda row: "⚠" if warned[row] else "",
            explained,
        )
    )
    for measure in MEASURES:
        columns.append(_measured(measure, values[measure.key]))
    return columns


def _measured(measure: Measure, values: np.ndarray) -> Column:
    def text(row: int) -> str:
        value = values[row]
        return "–" if np.isnan(value) else f"{value:.{measure.decimals}f}"

    unit = f" ({measure.unit})" if measure.unit else ""
    return Column(measure.title, measure.tip + unit, values, text)
