"""A table that a click on a heading sorts, however many rows it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from qtpy.QtGui import QColor

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_MARGIN = 6  # pixels


@dataclass(frozen=True, eq=False)
class Column:
    """One column: what it sorts by, and how that is written.

    Parameters
    ----------
    title, tip : str
        Of the heading.
    values : (n,) array
        What rows are sorted by; NaN comes last.
    text : callable
        What stands in a row.
    row_tip : callable, optional
        What is said of a row; default the heading's tip.
    colour : callable, optional
        A square before the text.
    """

    title: str
    tip: str
    values: np.ndarray
    text: Callable[[int], str]
    row_tip: Callable[[int], str] | None = None
    colour: Callable[[int], QColor] | None = None


class _Model(QAbstractTableModel):
    """Rows in the order they are sorted in."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: Sequence[Column] = ()
        self.last: frozenset[int] = frozenset()
        self.order = np.zeros(0, np.intp)  # row of the columns, for each row shown
        self._by = (0, Qt.SortOrder.AscendingOrder)

    def set_columns(self, columns: Sequence[Column], last: Collection[int]) -> None:
        self.beginResetModel()
        self.columns, self.last = columns, frozenset(last)
        self._arrange()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        is_root = parent is None or not parent.isValid()
        return len(self.order) if is_root else 0

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole):
        column = self.columns[index.column()]
        row = int(self.order[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip if column.row_tip is None else column.row_tip(row)
        if role == Qt.ItemDataRole.DecorationRole and column.colour is not None:
            return column.colour(row)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return _RIGHT
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ):
        if orientation == Qt.Orientation.Horizontal and section < len(self.columns):
            if role == Qt.ItemDataRole.DisplayRole:
                return self.columns[section].title
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{self.columns[section].tip}. Click to sort"
        return None

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        self.beginResetModel()
        self._by = column, order
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        column, order = self._by
        if not self.columns:
            self.order = np.zeros(0, np.intp)
            return
        values = self.columns[min(column, len(self.columns) - 1)].values
        self.order = np.argsort(values, kind="stable")
        if order == Qt.SortOrder.DescendingOrder:
            is_nan = values[self.order] != values[self.order]
            self.order = np.r_[self.order[~is_nan][::-1], self.order[is_nan]]
        if self.last:
            is_last = np.isin(self.order, list(self.last))
            self.order = np.r_[self.order[~is_last], self.order[is_last]]


class SortableTable(QTableView):
    """A table of columns, sorted by the one whose heading is clicked.

    Rows are known by their place in the columns, however they are sorted.

    Parameters
    ----------
    sorted_by : int
        Column to begin with.
    descending : bool
        Its largest first.
    most_rows : int
        How many are seen at once, at most.
    """

    def __init__(
        self, sorted_by: int = 0, *, descending: bool = False, most_rows: int = 10
    ) -> None:
        super().__init__()
        self._rows = _Model()
        self._most_rows = most_rows
        self.setModel(self._rows)
        self.setSortingEnabled(True)
        order = Qt.SortOrder
        self.sortByColumn(
            sorted_by, order.DescendingOrder if descending else order.AscendingOrder
        )
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(10, 10))
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setResizeContentsPrecision(0)  # by the rows in sight
        self._rows.modelReset.connect(self.fit_height)

    def set_columns(
        self, columns: Sequence[Column], last: Collection[int] = ()
    ) -> None:
        """Show these; none leave it empty. Rows in `last` stay last, sorted or not."""
        self._rows.set_columns(columns, last)
        header, modes = self.horizontalHeader(), QHeaderView.ResizeMode
        for column in range(len(columns)):
            header.setSectionResizeMode(
                column, modes.ResizeToContents if column else modes.Stretch
            )

    def rows(self) -> list[int]:
        """Return the rows in the order they are seen."""
        return self._rows.order.tolist()

    def text(self, row: int, column: int) -> str:
        """Return what stands in a row, which is counted as it is seen."""
        return str(self._rows.index(row, column).data())

    def fit_height(self) -> None:
        """Be as high as the rows, up to the most that are seen at once."""
        seen = min(self._rows.rowCount(), self._most_rows)
        height = sum(self.rowHeight(row) for row in range(seen))
        header = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(height + header + _MARGIN)
