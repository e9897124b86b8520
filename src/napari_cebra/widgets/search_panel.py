"""A search for settings: its progress, its table, and what it proposes."""

from __future__ import annotations

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

from napari_cebra.widgets.job_bar import JobBar

if TYPE_CHECKING:
    from napari_cebra.pipeline.search_result import SearchLine, SearchResult

_ROWS_SHOWN = 10
_ROW_HEIGHT = 22
_COLUMNS = (
    ("Window", "Receptive field: how much activity the encoder sees at once"),
    ("Kernel", "Imaging frames that the first layer with weights sees"),
    ("Temp.", "Temperature of the InfoNCE loss"),
    ("Latents", "Output dimension"),
    ("Held out", "Mean error on the held-out parts"),
    ("Spread", "Standard deviation of the error over the held-out parts"),
)


class SearchPanel(QWidget):
    """What was tried so far; a line can be chosen and put into the form.

    Hidden until there is something to show.
    """

    useWanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: SearchResult | None = None
        self.bar = JobBar(stop_tip="Stop searching; what was tried so far is shown")
        self.table = _Table()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._judged = QLabel()
        self._judged.setWordWrap(True)
        self._judged.setStyleSheet("color: #909090;")
        self.use_button = QPushButton("Use these settings")
        self.use_button.setToolTip(
            "Put the settings of the chosen line into the form; nothing is trained yet"
        )
        self.close_button = QPushButton("Close")
        self.close_button.setToolTip("Put the table away; the form stays as it is")

        buttons = QHBoxLayout()
        buttons.addWidget(self.use_button, 1)
        buttons.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bar)
        column.addWidget(self.table)
        column.addWidget(self._text)
        column.addWidget(self._judged)
        column.addLayout(buttons)
        self.hide()

        self.use_button.clicked.connect(self._on_use)
        self.close_button.clicked.connect(self.forget)

    def value(self) -> SearchResult | None:
        """Return what is shown."""
        return self._result

    def begin(self) -> None:
        """Show that a search begins; what an earlier one found goes."""
        self._result = None
        self.table.clear_lines()
        self._text.setText("")
        self._judged.setText("")
        self._show_parts(under_way=True)
        self.show()

    def forget(self, *_: object) -> None:
        """Show nothing."""
        self._result = None
        self.hide()

    def follow(self, result: SearchResult) -> None:
        """Show the lines of a search under way."""
        before = self._result
        self._result = result
        if before is None or len(result.lines) != len(before.lines):
            self.table.show_lines(result)
            self._show_parts(under_way=True)

    def setValue(self, result: SearchResult) -> None:
        """Show what a search found, with its proposal chosen."""
        self._result = result
        self.table.show_lines(result)
        if result.proposed is not None:
            self.table.choose(result.lines.index(result.proposed))
        self._text.setText(result.verdict())
        self._judged.setText(result.judged())
        self._show_parts(under_way=False)

    def outcome(self) -> tuple[QWidget, ...]:
        """Return what is to be seen once a search has ended, most important first."""
        return self._text, self.use_button, self.close_button

    def chosen(self) -> SearchLine | None:
        """Return the line that is chosen."""
        row = self.table.currentRow()
        if self._result is None or not 0 <= row < len(self._result.lines):
            return None
        return self._result.lines[row]

    def _show_parts(self, under_way: bool) -> None:
        has_lines = self._result is not None and bool(self._result.lines)
        self.table.setVisible(has_lines)
        for part in (self._text, self._judged, self.close_button):
            part.setVisible(not under_way)
        self.use_button.setVisible(not under_way and has_lines)

    def _on_use(self) -> None:
        line = self.chosen()
        if line is not None:
            self.useWanted.emit(line)


class _Table(QTableWidget):
    """The lines; the proposed one is in bold."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        for column, (title, tip) in enumerate(_COLUMNS):
            item = QTableWidgetItem(title)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(column, item)
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(4, QHeaderView.ResizeMode.ResizeToContents)
        header.setMinimumSectionSize(20)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)

    def clear_lines(self) -> None:
        """Show none."""
        self.setRowCount(0)

    def show_lines(self, result: SearchResult) -> None:
        """Show the lines of a result; those there already are only marked anew."""
        measure = f"{result.measure.capitalize()} on the held-out parts"
        self.horizontalHeaderItem(4).setToolTip(measure)
        self.horizontalHeaderItem(4).setText(result.heading)
        self.setRowCount(len(result.lines))
        for row, line in enumerate(result.lines):
            for column, text in enumerate(result.cells(line)):
                item = self.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                    self.setItem(row, column, item)
                item.setText(text)
                item.setToolTip(line.text)
                font = item.font()
                font.setBold(line is result.proposed)
                item.setFont(font)
        self._fit_height()

    def choose(self, row: int) -> None:
        """Choose a line and show those around it."""
        self.selectRow(row)
        middle = QAbstractItemView.ScrollHint.PositionAtCenter
        self.scrollToItem(self.item(row, 0), middle)

    def _fit_height(self) -> None:
        height = self.horizontalHeader().sizeHint().height() + 4
        shown = min(self.rowCount(), _ROWS_SHOWN)
        height += sum(self.rowHeight(row) for row in range(shown))
        self.setFixedHeight(height)
        self.scrollToBottom()
