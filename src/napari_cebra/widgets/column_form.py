"""What the columns of a table mean: stimulus clock, rows to use, variables."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cebra.pipeline.column_config import ColumnConfig
from napari_cebra.widgets.column_cells import KindDelegate, Sparkline
from napari_cebra.widgets.form_rows import Choice, add, form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cebra.io.tables.summary import ColumnSummary

_ROLES = (
    (
        "shown",
        "Shown frame",
        "Column with the number of the stimulus frame on the screen, from 0; "
        "-1 or empty where there was none",
        r"^(shown|stim\w*_?frame|movie_?frame|frame_?shown)",
    ),
    (
        "repeat",
        "Repeat",
        "Column with the number of the showing; without one, a new repeat begins "
        "wherever the shown frame jumps back",
        r"^repeat",
    ),
    (
        "trial",
        "Trial",
        "Column with trial numbers; no window crosses from one trial into the next",
        r"^trials?([_ ]?(id|number|index|no))?$",
    ),
    (
        "time",
        "Time",
        "Column with the time of each imaging frame in seconds; without one, the "
        "frame rate says it",
        r"^(time|t|seconds)(_s)?$",
    ),
    (
        "valid",
        "Use rows where",
        "Column that is 1 (true) in the rows to use, such as running only; all rows "
        "are used without one",
        r"^(valid|use|running$|good)",
    ),
)
_CLOCK = re.compile(r"^(frame|time|t|seconds?|index|row)(_s|_ms)?$", re.IGNORECASE)
_NAME, _KIND, _UNIT, _PERIOD, _PREVIEW = range(5)
_MOST_KEPT = 60  # of a file with more columns, none is ticked at first


@dataclass(frozen=True)
class Columns:
    """What was chosen for a table; None where a role has no column."""

    shown: str | None = None
    repeat: str | None = None
    trial: str | None = None
    time: str | None = None
    valid: str | None = None
    variables: tuple[ColumnConfig, ...] = field(default_factory=tuple)


class ColumnForm(QWidget):
    """Pick the column of each role, and the variables with kind and unit."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: tuple[str, ...] = ()
        roles = QWidget()
        rows = form(roles)
        self._roles: dict[str, Choice] = {}
        for role, label, tip, _ in _ROLES:
            self._roles[role] = add(rows, label, Choice([(None, "none")]), tip)
        title = QLabel("Variables to keep")
        title.setToolTip("What was measured beside the images, row by row")
        self._all, self._none = QPushButton("All"), QPushButton("None")
        self._all.setToolTip("Tick every column")
        self._none.setToolTip("Tick no column")
        heading = QHBoxLayout()
        heading.addWidget(title, 1)
        for button in (self._all, self._none):
            button.setFlat(True)
            heading.addWidget(button)
        self._table = self._make_table()

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(roles)
        column.addLayout(heading)
        column.addWidget(self._table)

        for choice in self._roles.values():
            choice.currentIndexChanged.connect(self._announce)
        self._table.itemChanged.connect(self._on_item)
        self._all.clicked.connect(lambda: self._tick(True))
        self._none.clicked.connect(lambda: self._tick(False))

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 5)
        table.setHorizontalHeaderLabels(["Column", "Kind", "Unit", "Turn", "Values"])
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(26)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.AllEditTriggers)
        table.setTabKeyNavigation(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((_KIND, 100), (_UNIT, 44), (_PERIOD, 42), (_PREVIEW, 68)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            table.setColumnWidth(column, width)
        self._kinds = KindDelegate(table)
        self._sparkline = Sparkline(table)
        table.setItemDelegateForColumn(_KIND, self._kinds)
        table.setItemDelegateForColumn(_PREVIEW, self._sparkline)
        table.setToolTip(
            "Tick the columns to decode or to colour by; click a kind, unit or turn "
            "(the length of one turn of a circular variable) to change it"
        )
        return table

    def set_columns(self, columns: Sequence[ColumnSummary]) -> None:
        """Offer columns as they look; guess their roles from the names."""
        self._columns = tuple(column.name for column in columns)
        items = [(None, "none"), *((name, name) for name in self._columns)]
        self.blockSignals(True)
        taken = set()
        for role, _, _, pattern in _ROLES:
            choice = self._roles[role]
            choice.set_items(items)
            found = [c for c in self._columns if re.search(pattern, c, re.IGNORECASE)]
            choice.setValue(found[0] if found else None)
            taken.update(found[:1])
        few = len(columns) <= _MOST_KEPT
        self._table.setRowCount(0)
        self._table.setRowCount(len(columns))
        for row, column in enumerate(columns):
            name = column.name
            kept = few and name not in taken and not _CLOCK.search(name)
            kept = kept and not name.endswith("_seen") and column.values != "empty"
            self._fill(row, column, kept)
        shown = min(max(len(columns), 1), 7)
        self._table.setFixedHeight(26 * shown + 30)
        self.blockSignals(False)
        self._announce()

    def value(self) -> Columns:
        """Return what is chosen."""
        roles = {role: choice.value() for role, choice in self._roles.items()}
        picked = [self._row(row) for row in range(self._table.rowCount())]
        return Columns(**roles, variables=tuple(v for v in picked if v is not None))

    def setValue(self, value: Columns) -> None:
        """Choose; columns that are not there are left out."""
        self.blockSignals(True)
        for role, choice in self._roles.items():
            choice.setValue(getattr(value, role))
        chosen = {v.column: v for v in value.variables}
        for row, name in enumerate(self._columns):
            variable = chosen.get(name)
            self._check(row, variable is not None)
            if variable is not None:
                if variable.kind is not None:
                    self._table.item(row, _KIND).setText(variable.kind)
                self._table.item(row, _UNIT).setText(variable.units)
                self._table.item(row, _PERIOD).setText(_turn_text(variable.period))
        self.blockSignals(False)
        self._announce()

    def _fill(self, row: int, column: ColumnSummary, kept: bool) -> None:
        enabled, editable = Qt.ItemFlag.ItemIsEnabled, Qt.ItemFlag.ItemIsEditable
        selectable = Qt.ItemFlag.ItemIsSelectable
        name = QTableWidgetItem(column.name)
        name.setFlags(enabled | selectable | Qt.ItemFlag.ItemIsUserCheckable)
        name.setToolTip(str(column))
        kind = QTableWidgetItem(column.kind)
        kind.setToolTip("How two values compare: by distance, by angle, or as classes")
        unit = QTableWidgetItem(column.units)
        unit.setToolTip("For axis labels")
        turn = QTableWidgetItem(_turn_text(column.period))
        turn.setToolTip(
            "Length of one turn of a circular variable, in the unit of the column; "
            "empty: 2π where all values fit into it, else 360"
        )
        preview = QTableWidgetItem()
        preview.setData(Qt.ItemDataRole.UserRole, column)
        preview.setToolTip(str(column))
        for item in (kind, unit, turn):
            item.setFlags(enabled | selectable | editable)
        preview.setFlags(enabled)
        for at, item in enumerate((name, kind, unit, turn, preview)):
            self._table.setItem(row, at, item)
        self._check(row, kept)

    def _check(self, row: int, ticked: bool) -> None:
        state = Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked
        self._table.item(row, _NAME).setCheckState(state)

    def _tick(self, ticked: bool) -> None:
        self.blockSignals(True)
        for row in range(self._table.rowCount()):
            self._check(row, ticked)
        self.blockSignals(False)
        self._announce()

    def _row(self, row: int) -> ColumnConfig | None:
        name = self._table.item(row, _NAME)
        if name.checkState() != Qt.CheckState.Checked:
            return None
        kind = self._table.item(row, _KIND).text()
        turn = self._table.item(row, _PERIOD).text()
        period = _turn(turn) if kind == "circular" else None
        unit = self._table.item(row, _UNIT).text().strip()
        return ColumnConfig(name.text(), kind, unit, period)

    def _on_item(self, item: QTableWidgetItem) -> None:
        """Take back a turn that is no length."""
        text = item.text().strip()
        if item.column() == _PERIOD and text and _turn(text) is None:
            item.setText("")
            return
        self._announce()

    def _announce(self, *_: object) -> None:
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())


def _turn_text(period: float | None) -> str:
    if period is None:
        return ""
    return "2π" if math.isclose(period, 2 * math.pi, rel_tol=1e-4) else f"{period:g}"


def _turn(text: str) -> float | None:
    """Return the length that is written; None where it is none."""
    text = text.strip().lower().replace(",", ".")
    if text in ("2π", "2pi"):
        return 2 * math.pi
    try:
        length = float(text)
    except ValueError:
        return None
    return length if 0 < length < math.inf else None
