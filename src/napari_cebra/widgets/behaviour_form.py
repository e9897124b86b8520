"""The stimulus movie and the table that goes with the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_cebra.pipeline.align_words import to_align
from napari_cebra.pipeline.behaviour import is_row_by_row
from napari_cebra.widgets import preferences
from napari_cebra.widgets.column_form import ColumnForm, Columns
from napari_cebra.widgets.form_rows import (
    Choice,
    Real,
    Whole,
    add,
    form,
    set_row_visible,
)
from napari_cebra.widgets.message_line import MessageLine
from napari_cebra.widgets.path_field import PathField

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cebra.io import Table
    from napari_cebra.io.tables.summary import ColumnSummary

_TABLES = "*.csv *.tsv *.txt *.xlsx *.xlsm *.mat *.npz *.npy *.h5 *.hdf5 *.hdf *.nwb"


@dataclass(frozen=True)
class TableChoice:
    """A file of variables, and how it is to be read."""

    path: Path
    part: str | None = None
    likelihood: float = 0.6
    longest_gap: int = 10


@dataclass(frozen=True)
class BehaviourChoice:
    """Files of stimulus and behaviour, and what the table's columns mean."""

    movie: Path | None = None
    table: Path | None = None
    columns: Columns = field(default_factory=Columns)
    reading: TableChoice | None = None


class BehaviourForm(QWidget):
    """A movie file, a table file, and the meaning of its columns."""

    valueChanged = Signal(object)
    movieChosen = Signal(object)
    tableChosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._read: Table | None = None
        self._empty = ""  # which columns have rows without a value
        self._n_frames: int | None = None
        table_title = QLabel("Variables and stimulus clock")
        self._table = PathField(
            "CSV, Excel, MAT, npz, NWB, DeepLabCut …",
            filter=f"Tables ({_TABLES});;All files (*)",
        )
        self.table_message = MessageLine()
        self.settings = self._make_settings()
        self.columns = ColumnForm()
        movie_title = QLabel("Stimulus movie")
        self._movie = PathField(
            "TIFF, MP4 or npy",
            filter="Movies (*.tif *.tiff *.mp4 *.mov *.avi *.mkv *.npy);;All files (*)",
        )
        self.movie_message = MessageLine()
        for part, tip in (
            (
                table_title,
                "What was shown and done: a row per imaging frame, events with an "
                "onset, or rows on a clock of their own, for the Align step",
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
            self.settings,
            self.table_message,
            self.columns,
            movie_title,
            self._movie,
            self.movie_message,
        ):
            column.addWidget(part)
        self.settings.hide()
        self.columns.hide()

        self._table.valueChanged.connect(self._on_table)
        self._movie.valueChanged.connect(self._on_movie)
        self.columns.valueChanged.connect(self._on_changed)
        self._part.activated.connect(self._read_again)
        self._likelihood.valueChanged.connect(self._read_again)
        self._gap.valueChanged.connect(self._read_again)

    def _make_settings(self) -> QWidget:
        settings = QWidget()
        self._settings = form(settings)
        self._part = add(
            self._settings,
            "Part of the file",
            Choice(),
            "Sheet, struct, clock or table to read; the file holds several",
        )
        self._likelihood = add(
            self._settings,
            "Least likelihood",
            Real(0.0, 1.0, _remembered("likelihood", 0.6), step=0.05),
            "Positions the tracker was less sure of are not used",
        )
        self._gap = add(
            self._settings,
            "Fill gaps up to",
            Whole(0, 10_000, int(_remembered("longest_gap", 10)), "rows"),
            "Gaps without a position that are filled in by a straight line; longer "
            "ones stay empty",
        )
        return settings

    def value(self) -> BehaviourChoice:
        """Return what is chosen."""
        return BehaviourChoice(
            self._movie.value(),
            self._table.value(),
            self.columns.value(),
            self.reading(),
        )

    def reading(self) -> TableChoice | None:
        """Return the file of variables and how to read it; None without one."""
        path = self._table.value()
        if path is None:
            return None
        part = self._part.value()
        return TableChoice(
            path,
            part if isinstance(part, str) else None,
            round(self._likelihood.value(), 4),
            self._gap.value(),
        )

    def setValue(self, value: BehaviourChoice) -> None:
        """Choose files; the columns follow once the table has been read."""
        self._movie.setValue(value.movie)
        self._table.setValue(value.table)

    def set_table(self, table: Table, columns: tuple[ColumnSummary, ...]) -> None:
        """Offer the columns of the table, which has been read."""
        kept = self.columns.value() if self._read is not None else None
        same = self._read is not None and self._read.names == table.names
        self._read = table
        self._empty = _empty_rows(columns)
        self._part.set_items([(part, part) for part in table.parts])
        self._part.blockSignals(True)
        self._part.setValue(table.part)
        self._part.blockSignals(False)
        several = len(table.parts) > 1
        set_row_visible(self._settings, self._part, several)
        for field_ in (self._likelihood, self._gap):
            set_row_visible(self._settings, field_, bool(table.measured))
        self.settings.setVisible(several or bool(table.measured))
        self.columns.set_columns(columns)
        if same and kept is not None:
            self.columns.setValue(kept)
        self.columns.show()
        self._tell_rows()

    def set_n_frames(self, n_frames: int | None) -> None:
        """Say how many imaging frames the table has to match; None: not known yet."""
        if n_frames != self._n_frames:
            self._n_frames = n_frames
            self._tell_rows()

    def _tell_rows(self) -> None:
        """Say how long the table is, and where that is not row by row."""
        table = self._read
        if table is None:
            return
        n, n_frames = len(table.names), self._n_frames
        waits = n_frames is not None and not is_row_by_row(table, n_frames)
        told = [f"{table.n_rows} rows, {'1 column' if n == 1 else f'{n} columns'}."]
        if waits:
            told = [to_align(table.name, table.n_rows, n_frames)]
        if table.times is not None:
            first, last = table.times[0], table.times[-1]
            told.append(f"Its clock runs from {first:.6g} to {last:.6g} s.")
        text = " ".join((*told, *table.notes, self._empty)).strip()
        (self.table_message.warning if waits else self.table_message.info)(text)

    def _read_again(self, *_: object) -> None:
        """Read the same file with other settings."""
        if self._read is not None:
            preferences.remember("likelihood", self._likelihood.value())
            preferences.remember("longest_gap", self._gap.value())
            self.tableChosen.emit(self.reading())
            self._on_changed()

    def _on_table(self, path: Path | None) -> None:
        self._read = None
        self._part.set_items(())
        self.table_message.clear()
        self.settings.hide()
        self.columns.hide()
        self.columns.set_columns(())
        self.tableChosen.emit(self.reading())
        self._on_changed()

    def _on_movie(self, path: Path | None) -> None:
        self.movie_message.clear()
        self.movieChosen.emit(path)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.valueChanged.emit(self.value())


def _remembered(name: str, default: float) -> float:
    kept = preferences.recall(name, default)
    return kept if isinstance(kept, int | float) else default


def _empty_rows(columns: Sequence[ColumnSummary]) -> str:
    """Say in which columns rows are empty, the emptiest first."""
    gaps = sorted((c for c in columns if c.missing), key=lambda c: -c.missing)
    if not gaps:
        return ""
    told = ", ".join(f"{c.name} {c.missing}" for c in gaps[:3])
    return f"Empty rows: {told}{' …' if len(gaps) > 3 else ''}."
