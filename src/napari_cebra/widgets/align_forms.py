"""When the imaging frames were taken, and the log of the stimulus frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cebra.pipeline.align_times import likely_time_column
from napari_cebra.recording import InvalidInput
from napari_cebra.widgets.form_rows import Choice, Whole, add, form, set_row_visible
from napari_cebra.widgets.log_form import LogForm
from napari_cebra.widgets.message_line import MessageLine
from napari_cebra.widgets.path_field import PathField
from napari_cebra.widgets.times_form import TABLES, TimesForm

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io import Table
    from napari_cebra.pipeline import SourceConfig
    from napari_cebra.pipeline.align_config import LogConfig, TimesConfig

_FRAME = ("frame", "shown", "movie_frame", "stim_frame", "stimulus_frame")


class FramesForm(QWidget):
    """Times of the imaging frames: from the rate, or from a file."""

    valueChanged = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.message = MessageLine()
        main = QWidget()
        self._rows = rows = form(main)
        self._source = add(
            rows,
            "Frame times",
            Choice(
                [
                    (False, "as loaded, or by the frame rate"),
                    (True, "time stamps or pulses in a file"),
                ]
            ),
            "Time stamps show which frames were dropped; a rate cannot",
        )
        self.times = TimesForm("times of the imaging frames", "choose a file")
        self._skip = add(
            rows,
            "Skip first",
            Whole(-1, 10_000_000, -1),
            "Pulses that came before the first frame of the stack; those after the "
            "last are left out then",
        )
        self._skip.setSpecialValueText("as many as frames")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 0, 0)
        column.setSpacing(5)
        for part in (main, self.times, self.message):
            column.addWidget(part)
        self._source.currentIndexChanged.connect(self._on_changed)
        self._skip.valueChanged.connect(self._on_changed)
        self.times.valueChanged.connect(self._on_changed)
        self._on_changed()

    def is_from_file(self) -> bool:
        """Whether the frames have times of their own."""
        return bool(self._source.value())

    def skip(self) -> int | None:
        """Return the times before that of the first frame."""
        value = self._skip.value()
        return value if value >= 0 and self.is_from_file() else None

    def value(self) -> TimesConfig | None:
        """Return where the times are; None for those of the recording.

        Raises
        ------
        InvalidInput
            If no file is chosen; it is told here too.
        """
        self.message.clear()
        if not self.is_from_file():
            return None
        try:
            times = self.times.value()
            if times is None or times.file is None:
                raise InvalidInput(
                    "Choose the file that holds the times of the imaging frames, or "
                    "take them from the frame rate."
                )
        except InvalidInput as error:
            self.message.error(str(error))
            raise
        return times

    def setValue(self, times: TimesConfig | None, skip: int | None = None) -> None:
        """Choose."""
        blocked = self.blockSignals(True)
        self._source.setValue(times is not None)
        self.times.setValue(times)
        self._skip.setValue(-1 if skip is None else skip)
        self.blockSignals(blocked)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        from_file = self.is_from_file()
        self.times.setVisible(from_file)
        set_row_visible(self._rows, self._skip, from_file)
        if not self.signalsBlocked():
            self.valueChanged.emit()


class StimulusForm(QWidget):
    """A log with a row for each stimulus frame, and how it is aligned."""

    valueChanged = Signal()
    fileChosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        main = QWidget()
        rows = form(main)
        self.path = add(
            rows,
            "File",
            PathField("none: shown frames are in the table", filter=TABLES),
            "Table with a row for each stimulus frame, or each flip of the screen",
        )
        self._parts = QWidget()
        columns = form(self._parts)
        self._shown = add(
            columns,
            "Shown frame",
            Choice([(None, "none")]),
            "Column with the number of the stimulus frame, from 0; -1 or empty for a "
            "blank",
        )
        self._repeat = add(
            columns,
            "Repeat",
            Choice([(None, "none")]),
            "Column with the number of the showing; without one, a new repeat begins "
            "wherever the shown frame jumps back",
        )
        self.log = LogForm("stimulus")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 0, 0)
        column.setSpacing(5)
        for part in (main, self._parts, self.log):
            column.addWidget(part)
        self.path.valueChanged.connect(self._on_path)
        for choice in (self._shown, self._repeat):
            choice.currentIndexChanged.connect(self.valueChanged)
        self.log.valueChanged.connect(self.valueChanged)
        self._show()

    def columns(self) -> dict[str, str | None]:
        """Return what goes into `SourceConfig`; the columns only with a file."""
        path = self.path.value()
        if path is None:
            return {"stimulus_log": None, "stimulus_time_column": None}
        return {
            "stimulus_log": str(path),
            "stimulus_time_column": self.log.time_column(),
            "shown_column": self._shown.value(),  # type: ignore[dict-item]
            "repeat_column": self._repeat.value(),  # type: ignore[dict-item]
        }

    def setValue(self, source: SourceConfig, log: LogConfig) -> None:
        """Choose; the columns are offered once the file has been read."""
        blocked = self.blockSignals(True)
        self.log.setValue(log)
        if source.stimulus_log is not None:
            names = (source.shown_column, source.repeat_column)
            self._offer([name for name in names if name is not None])
            self._shown.setValue(source.shown_column)
            self._repeat.setValue(source.repeat_column)
            time = source.stimulus_time_column
            self.log.set_columns([] if time is None else [time], time)
        self.blockSignals(blocked)
        self.path.setValue(source.stimulus_log)
        self._show()

    def set_table(self, path: Path, table: Table) -> None:
        """Offer the columns of a log that was read, if it is still the one chosen."""
        if path != self.path.value():
            return
        self._offer(table.names)
        if self._shown.value() is None:
            likely = [name for name in table.names if name.lower() in _FRAME]
            self._shown.setValue(likely[0] if likely else None)
        time = self.log.time_column() or likely_time_column(table)
        self.log.set_columns(table.names, time, table.row_times is not None)

    def _offer(self, names: list[str] | tuple[str, ...]) -> None:
        items = [(None, "none"), *((name, name) for name in names)]
        for choice in (self._shown, self._repeat):
            choice.set_items(items)

    def _on_path(self, path: Path | None) -> None:
        self._show()
        self.fileChosen.emit(path)
        self.valueChanged.emit()

    def _show(self) -> None:
        chosen = self.path.value() is not None
        self._parts.setVisible(chosen)
        self.log.setVisible(chosen)
