"""The stimulus movie and the table that goes with the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_cebra.pipeline.align_words import to_align
from napari_cebra.widgets.column_form import ColumnForm, Columns
from napari_cebra.widgets.message_line import MessageLine
from napari_cebra.widgets.path_field import PathField

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io import Table


@dataclass(frozen=True)
class BehaviourChoice:
    """Files of stimulus and behaviour, and what the table's columns mean."""

    movie: Path | None = None
    table: Path | None = None
    columns: Columns = field(default_factory=Columns)


class BehaviourForm(QWidget):
    """A movie file, a table file, and the meaning of its columns."""

    valueChanged = Signal(object)
    movieChosen = Signal(object)
    tableChosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._read: Table | None = None
        self._n_frames: int | None = None
        table_title = QLabel("Table of variables")
        self._table = PathField(
            "CSV: variables, shown frame, trials …",
            filter="Tables (*.csv *.tsv *.txt);;All files (*)",
        )
        self.table_message = MessageLine()
        self.columns = ColumnForm()
        self.columns.hide()
        movie_title = QLabel("Stimulus movie")
        self._movie = PathField(
            "TIFF, MP4 or npy",
            filter="Movies (*.tif *.tiff *.mp4 *.mov *.avi *.mkv *.npy);;All files (*)",
        )
        self.movie_message = MessageLine()
        for part, tip in (
            (
                table_title,
                "Behaviour and stimulus, with one row per imaging frame; a table on a "
                "clock of its own is aligned in the Align step",
            ),
            (
                movie_title,
                "What the animal saw; the table's shown-frame column counts its frames",
            ),
        ):
            part.setToolTip(tip)

        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 0, 0)
        column.setSpacing(5)
        for part in (
            table_title,
            self._table,
            self.table_message,
            self.columns,
            movie_title,
            self._movie,
            self.movie_message,
        ):
            column.addWidget(part)

        self._table.valueChanged.connect(self._on_table)
        self._movie.valueChanged.connect(self._on_movie)
        self.columns.valueChanged.connect(self._on_changed)

    def value(self) -> BehaviourChoice:
        """Return what is chosen."""
        return BehaviourChoice(
            self._movie.value(), self._table.value(), self.columns.value()
        )

    def setValue(self, value: BehaviourChoice) -> None:
        """Choose files; the columns follow once the table has been read."""
        self._movie.setValue(value.movie)
        self._table.setValue(value.table)

    def set_table(self, table: Table) -> None:
        """Offer the columns of the table, which has been read."""
        self._read = table
        self.columns.set_columns({name: table.guess_kind(name) for name in table.names})
        self.columns.show()
        self._tell_rows()

    def set_n_frames(self, n_frames: int | None) -> None:
        """Say how many imaging frames the table has to match; None: not known yet."""
        if n_frames != self._n_frames:
            self._n_frames = n_frames
            self._tell_rows()

    def _tell_rows(self) -> None:
        """Say how long the table is, and where that is not row by row."""
        if self._read is None:
            return
        name, rows = self._read.name, self._read.n_rows
        if self._n_frames not in (None, rows):
            self.table_message.warning(to_align(name, rows, self._n_frames))
            return
        n = len(self._read.names)
        columns = "1 column" if n == 1 else f"{n} columns"
        self.table_message.info(f"{rows} rows, {columns}.")

    def _on_table(self, path: Path | None) -> None:
        self._read = None
        self.table_message.clear()
        self.columns.hide()
        self.columns.set_columns({})
        self.tableChosen.emit(path)
        self._on_changed()

    def _on_movie(self, path: Path | None) -> None:
        self.movie_message.clear()
        self.movieChosen.emit(path)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.valueChanged.emit(self.value())
