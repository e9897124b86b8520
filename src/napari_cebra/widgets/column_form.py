"""What the columns of a table mean: stimulus clock, rows to use, variables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cebra.widgets.form_rows import Choice, add, form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cebra.recording import VariableKind

KINDS = (
    ("continuous", "continuous"),
    ("circular", "circular"),
    ("discrete", "discrete"),
)

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
        r"^trial",
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
_UNITS = re.compile(r"[\[(_](cm/s|cm|mm|m/s|m|deg|rad|hz)[\])]?$", re.IGNORECASE)


@dataclass(frozen=True)
class VariableChoice:
    """One column taken as a variable."""

    column: str
    kind: VariableKind = "continuous"
    units: str = ""
    period: float | None = None


@dataclass(frozen=True)
class Columns:
    """What was chosen for a table; None where a role has no column."""

    shown: str | None = None
    repeat: str | None = None
    trial: str | None = None
    time: str | None = None
    valid: str | None = None
    variables: tuple[VariableChoice, ...] = field(default_factory=tuple)


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
        self._table = QTableWidget(0, 4)
        self._table.setHorizontalHeaderLabels(["Column", "Kind", "Unit", "Period"])
        self._table.verticalHeader().hide()
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 118), (2, 54), (3, 58)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self._table.setColumnWidth(column, width)
        self._table.setToolTip(
            "Tick the columns to decode or to colour by; a period is the length of "
            "one turn of a circular variable, 2π where empty"
        )

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(roles)
        column.addWidget(title)
        column.addWidget(self._table)

        for choice in self._roles.values():
            choice.currentIndexChanged.connect(self._announce)
        self._table.itemChanged.connect(self._announce)

    def set_columns(self, kinds: Mapping[str, VariableKind]) -> None:
        """Offer columns by name and likely kind; guess their roles from the names."""
        self._columns = tuple(kinds)
        items = [(None, "none"), *((name, name) for name in self._columns)]
        self.blockSignals(True)
        taken = set()
        for role, _, _, pattern in _ROLES:
            choice = self._roles[role]
            choice.set_items(items)
            found = [c for c in self._columns if re.search(pattern, c, re.IGNORECASE)]
            choice.setValue(found[0] if found else None)
            taken.update(found[:1])
        self._table.setRowCount(0)
        for name in self._columns:
            kept = name not in taken and not _CLOCK.search(name)
            unit = _UNITS.search(name)
            self._add_row(
                VariableChoice(name, kinds[name], unit.group(1) if unit else ""), kept
            )
        rows = min(max(self._table.rowCount(), 1), 6)
        self._table.setFixedHeight(30 * rows + 30)
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
            state = Qt.CheckState.Checked if variable else Qt.CheckState.Unchecked
            self._table.item(row, 0).setCheckState(state)
            if variable is not None:
                self._table.cellWidget(row, 1).setValue(variable.kind)
                self._table.cellWidget(row, 2).setText(variable.units)
                period = "" if variable.period is None else f"{variable.period:g}"
                self._table.cellWidget(row, 3).setText(period)
        self.blockSignals(False)
        self._announce()

    def _add_row(self, variable: VariableChoice, kept: bool) -> None:
        row = self._table.rowCount()
        self._table.insertRow(row)
        self._table.setRowHeight(row, 30)
        item = QTableWidgetItem(variable.column)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        state = Qt.CheckState.Checked if kept else Qt.CheckState.Unchecked
        item.setCheckState(state)
        item.setToolTip(variable.column)
        self._table.setItem(row, 0, item)
        kind, unit, period = Choice(KINDS), QLineEdit(variable.units), QLineEdit()
        kind.setValue(variable.kind)
        kind.setToolTip("How two values compare: by distance, by angle, or as classes")
        unit.setToolTip("For axis labels")
        period.setPlaceholderText("2π")
        period.setToolTip("Length of one turn, in the unit of the column")
        period.setEnabled(variable.kind == "circular")
        for column, field_ in enumerate((kind, unit, period), start=1):
            self._table.setCellWidget(row, column, field_)
        kind.currentIndexChanged.connect(
            lambda: period.setEnabled(kind.value() == "circular")
        )
        kind.currentIndexChanged.connect(self._announce)
        unit.editingFinished.connect(self._announce)
        period.editingFinished.connect(self._announce)

    def _row(self, row: int) -> VariableChoice | None:
        item = self._table.item(row, 0)
        if item.checkState() != Qt.CheckState.Checked:
            return None
        kind = self._table.cellWidget(row, 1).value()
        text = self._table.cellWidget(row, 3).text().strip()
        period = None
        if kind == "circular" and text and text != "2π":
            period = float(text) if _is_number(text) else float("nan")
        return VariableChoice(
            item.text(), kind, self._table.cellWidget(row, 2).text().strip(), period
        )

    def _announce(self, *_: object) -> None:
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())


def variables_of(columns: Columns) -> Sequence[str]:
    """Return the names of the variables chosen."""
    return [variable.column for variable in columns.variables]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
