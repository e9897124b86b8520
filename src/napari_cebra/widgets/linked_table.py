"""A table of ROIs whose selected rows are the ROIs selected everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QItemSelection, QItemSelectionModel

from napari_cebra.viewer.connections import Connections
from napari_cebra.widgets.sortable_table import SortableTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.widgets.sortable_table import Column
    from napari_cebra.workspace import Workspace

_FLAGS = QItemSelectionModel.SelectionFlag


class LinkedTable(SortableTable):
    """A row per ROI; rows and the workspace's selection follow one another.

    Parameters
    ----------
    workspace : Workspace
        Its selection of ROIs.
    sorted_by, descending
        As in `SortableTable`.
    """

    def __init__(
        self, workspace: Workspace, sorted_by: int = 0, *, descending: bool = False
    ) -> None:
        super().__init__(sorted_by, descending=descending)
        self._workspace = workspace
        self._ids = np.zeros(0, np.int64)
        self._is_following = False
        self._connections = Connections()
        self._connections.add(workspace.selection.rois_changed, self._follow)
        connections = self._connections
        self.destroyed.connect(lambda: connections.close())
        self.selectionModel().selectionChanged.connect(self._on_picked)
        self.model().modelReset.connect(self._on_reset)

    def set_rois(self, ids: np.ndarray, columns: Sequence[Column]) -> None:
        """Show these ROIs, one in each row of the columns."""
        self._ids = ids
        self.set_columns(columns)

    def selected_ids(self) -> list[int]:
        """Return the ROIs of the selected rows."""
        order = self.rows()
        picked = self.selectionModel().selectedRows()
        return [int(self._ids[order[index.row()]]) for index in picked]

    def _on_picked(self) -> None:
        if self._is_following:
            return
        ids, order = self.selected_ids(), self.rows()
        current = self.currentIndex().row()
        if 0 <= current < len(order):  # the one picked last, whose trace is drawn
            ids.sort(key=int(self._ids[order[current]]).__eq__)
        self._workspace.selection.set_rois(ids)

    def _on_reset(self) -> None:
        """Begin at the top of another table, or of another order."""
        self._mark()
        self.scrollToTop()

    def _follow(self) -> None:
        """Mark what is selected, and bring the ROI selected last into view."""
        self._mark()
        place = np.flatnonzero(self._ids[self.rows()] == self._workspace.selection.roi)
        if place.size:
            index = self.model().index(int(place[0]), 0)
            self.selectionModel().setCurrentIndex(index, _FLAGS.NoUpdate)
            self.scrollTo(index)

    def _mark(self) -> None:
        model, order = self.model(), self.rows()
        selected = self._workspace.selection.rois
        marked = QItemSelection()
        last = max(model.columnCount() - 1, 0)
        places = np.flatnonzero(np.isin(self._ids[order], selected))
        for row in places.tolist():
            marked.select(model.index(row, 0), model.index(row, last))
        self._is_following = True
        try:
            self.selectionModel().select(marked, _FLAGS.ClearAndSelect)
        finally:
            self._is_following = False
