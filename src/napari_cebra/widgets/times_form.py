"""Moments in a file: which column, whether it is a signal, in which unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_cebra.pipeline.align_config import TimesConfig
from napari_cebra.recording import InvalidInput
from napari_cebra.widgets.form_rows import Choice, Real, add, form, set_row_visible
from napari_cebra.widgets.path_field import PathField

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_cebra.pipeline.align_config import Edges

TABLES = "Tables (*.csv *.tsv *.txt *.xlsx *.mat *.npz *.nwb *.h5);;All files (*)"
_KINDS: tuple[tuple[Edges | None, str], ...] = (
    (None, "times, one per row"),
    ("rising", "a signal: rising edges"),
    ("falling", "a signal: falling edges"),
)
_UNITS = (
    (1.0, "seconds, or as the name says"),
    (1e3, "milliseconds"),
    (1e6, "microseconds"),
)
_BY_RATE = "by rate"


class UnitChoice(QWidget):
    """Units of a time column in a second: seconds, milliseconds, or samples."""

    valueChanged = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rows = form(self)
        self._unit = Choice((*_UNITS, (_BY_RATE, "samples")))
        self._rate = Real(0.001, 1e9, 1000, "per second", decimals=3, step=100)
        self._rows.addRow(self._unit)
        self._rows.addRow(self._rate)
        self._rate.hide()
        self._unit.currentIndexChanged.connect(self._on_unit)
        self._rate.valueChanged.connect(self.valueChanged)

    def value(self) -> float:
        """Return the units in a second."""
        unit = self._unit.value()
        return self._rate.value() if unit == _BY_RATE else float(str(unit))

    def setValue(self, per_second: float) -> None:
        """Choose."""
        known = per_second in self._unit.values()
        if not known:
            self._rate.setValue(per_second)
        self._unit.setValue(per_second if known else _BY_RATE)

    def _on_unit(self) -> None:
        self._rate.setVisible(self._unit.value() == _BY_RATE)
        self.valueChanged.emit()


class TimesForm(QWidget):
    """A file and how moments are read from it.

    Parameters
    ----------
    what : str
        What the moments are, for tooltips: "pulses of the behaviour".
    without_file : str
        What is taken where no file is chosen; shown in the empty field.
    """

    valueChanged = Signal()
    fileChosen = Signal(object)

    def __init__(self, what: str, without_file: str) -> None:
        super().__init__()
        self._rows = rows = form(self)
        self.path = add(
            rows,
            "File",
            PathField(without_file, filter=TABLES),
            f"Table that holds the {what}; without one: {without_file}",
        )
        self._column = add(
            rows, "Column", Choice(), f"Column that holds the {what}, or their signal"
        )
        self._edges = add(
            rows,
            "It holds",
            Choice(_KINDS),
            "Times of the pulses, or a recorded signal such as a TTL, whose edges "
            "are the pulses",
        )
        self._threshold = add(
            rows,
            "Threshold",
            QLineEdit(),
            "Level that the signal crosses at an edge, in its own unit",
        )
        self._threshold.setPlaceholderText("halfway between low and high")
        self._clock = add(
            rows,
            "Sample times",
            Choice(),
            "Column with the time of each sample; without one, samples are counted",
        )
        self._unit = add(
            rows, "Unit", UnitChoice(), "Of the times, or of the samples' times"
        )
        self.set_columns(())
        self.path.valueChanged.connect(self._on_path)
        for choice in (self._column, self._edges, self._clock):
            choice.currentIndexChanged.connect(self._on_changed)
        self._threshold.editingFinished.connect(self._on_changed)
        self._unit.valueChanged.connect(self._on_changed)
        self._on_changed()

    def value(self) -> TimesConfig | None:
        """Return what is chosen; None without a file and a column.

        Raises
        ------
        InvalidInput
            If the threshold is not a number.
        """
        path, column = self.path.value(), self._column.value()
        if path is None and column is None:
            return None
        edges = self._edges.value()
        text = self._threshold.text().strip().replace(",", ".")
        try:
            threshold = float(text) if text else None
        except ValueError:
            raise InvalidInput(
                f"The threshold must be a number, not {text!r}; leave it empty for "
                "halfway between low and high."
            ) from None
        return TimesConfig(
            None if path is None else str(path),
            None if column is None else str(column),
            edges,  # type: ignore[arg-type]
            threshold if edges else None,
            str(self._clock.value()) if edges and self._clock.value() else None,
            self._unit.value(),
        )

    def setValue(self, value: TimesConfig | None) -> None:
        """Choose; the columns are offered once the file has been read."""
        value = TimesConfig() if value is None else value
        chosen = [n for n in (value.column, value.time_column) if n is not None]
        self.set_columns(chosen)
        self.path.setValue(value.file)
        self._column.setValue(value.column)
        self._edges.setValue(value.edges)
        self._clock.setValue(value.time_column)
        level = "" if value.threshold is None else f"{value.threshold:g}"
        self._threshold.setText(level)
        self._unit.setValue(value.per_second)
        self._on_changed()

    def set_columns(self, names: Iterable[str]) -> None:
        """Offer the columns of the file."""
        items = [(name, name) for name in names]
        first = "the only one, or the time" if self.path.value() else "none"
        self._column.set_items([(None, first), *items])
        self._clock.set_items([(None, "counted"), *items])

    def _on_path(self, path: Path | None) -> None:
        self.set_columns(())
        self.fileChosen.emit(path)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        chosen = self.path.value() is not None or self._column.value() is not None
        signal = chosen and self._edges.value() is not None
        for field, wanted in (
            (self._column, len(self._column.values()) > 1 or chosen),
            (self._edges, chosen),
            (self._threshold, signal),
            (self._clock, signal),
            (self._unit, chosen),
        ):
            set_row_visible(self._rows, field, wanted)
        self.valueChanged.emit()
