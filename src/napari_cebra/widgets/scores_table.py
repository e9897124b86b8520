"""Scores beside their chance level, a control and the raw population."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

_HEADERS = (
    ("Score", "What is measured, on rows that nothing was fitted to"),
    ("Latents", "Decoded from the embedding"),
    ("Chance", "A guess that knows nothing of the activity, on the same rows"),
    (
        "Shuffled",
        "Control: the labels are broken and the encoder is trained again; the mean "
        "and the best of them, which a decoding has to beat",
    ),
    (
        "Raw kNN",
        "The same decoder on the raw population activity in the same windows",
    ),
)


@dataclass(frozen=True)
class ScoreRow:
    """One score of the four decoders, as text; "–" where it does not apply."""

    name: str
    ours: str
    chance: str = "–"
    shuffled: str = "–"
    raw: str = "–"
    tip: str = ""

    @property
    def summary(self) -> str:
        """The name and our score, for a title."""
        return f"{self.name}: {self.ours}"


class ScoresTable(QTableWidget):
    """A table of scores; nothing is shown without what it is compared with."""

    def __init__(self) -> None:
        super().__init__(0, len(_HEADERS))
        for column, (title, tip) in enumerate(_HEADERS):
            item = QTableWidgetItem(title)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(column, item)
        self.verticalHeader().hide()
        self.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._rows: tuple[ScoreRow, ...] = ()
        self.hide()

        # Names wrap in the width that the numbers leave, which is known only once
        # all columns have theirs.
        self._resized = QTimer(self)
        self._resized.setSingleShot(True)
        self._resized.timeout.connect(self._fit_rows)
        header.sectionResized.connect(lambda *_: self._resized.start(0))

    def value(self) -> tuple[ScoreRow, ...]:
        """Return the rows shown."""
        return self._rows

    def setValue(self, rows: tuple[ScoreRow, ...]) -> None:
        """Show these rows."""
        self._rows = tuple(rows)
        self.setRowCount(len(rows))
        for at, row in enumerate(rows):
            texts = (row.name, row.ours, row.chance, row.shuffled, row.raw)
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                if column == 1:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                item.setToolTip(row.tip)
                self.setItem(at, column, item)
        self._fit_rows()
        self.setVisible(bool(rows))

    def _fit_rows(self) -> None:
        self.resizeRowsToContents()
        height = self.horizontalHeader().sizeHint().height() + 4
        height += sum(self.rowHeight(row) for row in range(self.rowCount()))
        if height != self.height():
            self.setFixedHeight(height)
