"""How one log comes onto the imaging clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from napari_cebra.pipeline.align_config import LogConfig, TimesConfig
from napari_cebra.recording import InvalidInput
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.form_rows import Choice, Real, add, form, set_row_visible
from napari_cebra.widgets.message_line import MessageLine
from napari_cebra.widgets.times_form import TimesForm, UnitChoice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_cebra.pipeline.align_config import AlignMethod

_METHODS: dict[AlignMethod, str] = {
    "same rows": "one row per imaging frame",
    "pulses": "shared pulses in both logs",
    "onsets": "onsets, pair by pair",
    "times": "its times are on the imaging clock",
    "rates": "its rate and start alone",
}
_IN_A_FILE = object()
_PINS = (
    (None, "found by their intervals"),
    ("first", "the first is the same in both"),
    ("last", "the last is the same in both"),
    ("both", "first and last are the same"),
)
_RESAMPLINGS = (
    (None, "mean within each frame, or linear"),
    ("mean", "mean within each frame"),
    ("interpolate", "linear interpolation"),
    ("nearest", "nearest sample"),
    ("hold", "held until the next sample"),
)
_DISCRETE = (
    ("hold", "held until the next sample"),
    ("majority", "majority within each frame"),
)


class LogForm(QWidget):
    """Method, times and pulses of one log, and how it is resampled.

    Parameters
    ----------
    what : {"behaviour", "stimulus"}
    """

    valueChanged = Signal()

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self.message = MessageLine()
        methods = dict(_METHODS)
        if what == "stimulus":  # it has a row per stimulus frame
            methods.pop("same rows")
        main = QWidget()
        self._rows = rows = form(main)
        self._method = add(
            rows,
            "Aligned by",
            Choice(methods.items()),
            "What is known of the two clocks: shared pulses are the best, rates alone "
            "are checked by nothing",
        )
        self._time = add(
            rows,
            "Time",
            Choice([(None, "none"), (_IN_A_FILE, "in another file …")]),
            "Column with the time of each row, on the clock of this log; or another "
            "file that holds it, such as the recorded pulses of a camera",
        )
        self._unit = add(rows, "Unit", UnitChoice(), "Of that column")
        self._rate = add(
            rows,
            "Rate",
            Real(0, 1e6, 0, "Hz", decimals=4, step=1),
            "Rows of this log per second of the imaging clock",
        )
        self._rate.setSpecialValueText("unknown")
        self._start = add(
            rows,
            "Start",
            Real(-1e9, 1e9, 0, "s", decimals=4, step=0.1),
            "Imaging time of the first row, or at which the clock of this log says 0",
        )
        self.row_times = TimesForm(f"time of each row of the {what} log", "none")
        self.pulses = TimesForm(f"pulses of the {what} log", "the times of its rows")
        self.imaging = TimesForm(
            "same pulses on the imaging clock", "the times of the imaging frames"
        )
        self._rows_box = _box("Times of the rows", self.row_times)
        self._boxes = [
            _box("Pulses in this log", self.pulses),
            _box("The same pulses on the imaging clock", self.imaging),
        ]
        self._details = QWidget()
        self._more = more = form(self._details)
        self._pin = add(
            more,
            "Which is which",
            Choice(_PINS),
            "Pulses at irregular intervals tell which is which; of even ones, such as "
            "a plain frame clock, say what is known",
        )
        self._tolerance = add(
            more,
            "Tolerance",
            Real(0.01, 1000, 10, "ms", step=1),
            "Largest residual at which two pulses are a pair",
        )
        self._match = add(
            more,
            "Must match",
            Real(50, 100, 80, "%", decimals=0, step=5),
            "Share of the pulses that must find a partner; a log of another recording "
            "reaches about a tenth",
        )
        self._resampling = add(
            more,
            "Values",
            Choice(_RESAMPLINGS),
            "How continuous and circular variables come to the frames; the mean is "
            "taken where there are two samples a frame or more",
        )
        self._discrete = add(
            more, "Classes", Choice(_DISCRETE), "How discrete variables do"
        )
        self._gap = add(
            more,
            "Longest gap",
            Real(0, 3600, 0, "s", step=0.5),
            "Frames between two samples farther apart are not used",
        )
        self._gap.setSpecialValueText("1 s, or 2.5 samples")
        self.details = Fold("Details", self._details)
        self.details.setToolTip("Tolerance, match rate, and how values are resampled")

        column = QVBoxLayout(self)
        column.setContentsMargins(12 if what == "behaviour" else 0, 0, 0, 0)
        column.setSpacing(5)
        for part in (main, self._rows_box, *self._boxes, self.details, self.message):
            column.addWidget(part)

        for choice in (
            *(self._method, self._time, self._pin),
            *(self._resampling, self._discrete),
        ):
            choice.currentIndexChanged.connect(self._on_changed)
        for number in (
            *(self._rate, self._start, self._tolerance),
            *(self._match, self._gap, self._unit),
            *(self.row_times, self.pulses, self.imaging),
        ):
            number.valueChanged.connect(self._on_changed)
        self._on_changed()

    def value(self) -> LogConfig:
        """Return what is chosen.

        Raises
        ------
        InvalidInput
            If something is missing or out of range; it is told at the form too.
        """
        self.message.clear()
        try:
            return self._value()
        except InvalidInput as error:
            self.message.error(str(error))
            raise

    def setValue(self, value: LogConfig) -> None:
        """Choose."""
        blocked = self.blockSignals(True)
        self._method.setValue(value.method)
        self.row_times.setValue(value.times)
        if value.times is not None:
            self._time.setValue(_IN_A_FILE)
        self.pulses.setValue(value.pulses)
        self.imaging.setValue(value.imaging)
        self._pin.setValue(value.pin)
        self._tolerance.setValue(1e3 * value.tolerance_s)
        self._match.setValue(100 * value.min_match)
        self._rate.setValue(value.rate or 0)
        self._start.setValue(value.start_s)
        self._unit.setValue(value.per_second)
        self._resampling.setValue(value.resampling)
        self._discrete.setValue(value.discrete)
        self._gap.setValue(value.longest_gap_s or 0)
        self.blockSignals(blocked)
        self._on_changed()

    @property
    def files(self) -> tuple[TimesForm, ...]:
        """Forms of files beside the log."""
        return self.row_times, self.pulses, self.imaging

    def method(self) -> AlignMethod:
        """Return how it is aligned."""
        return self._method.value()  # type: ignore[return-value]

    def time_column(self) -> str | None:
        """Return the column of this log that holds its times."""
        column = self._time.value()
        return None if column is _IN_A_FILE else column  # type: ignore[return-value]

    def set_columns(
        self, names: Iterable[str], time: str | None, has_clock: bool = False
    ) -> None:
        """Offer the columns of the log, with the likely one of its times."""
        items = [(name, name) for name in names]
        first = "as the file says" if has_clock else "none"
        in_a_file = self._time.value() is _IN_A_FILE
        last = (_IN_A_FILE, "in another file …")
        self._time.set_items([(None, first), *items, last])
        if not in_a_file:
            self._time.setValue(time)
        if self.pulses.path.value() is None:
            self.pulses.set_columns(name for name, _ in items)

    def _value(self) -> LogConfig:
        method = self.method()
        paired = method in ("pulses", "onsets")
        changes: dict[str, Any] = {}
        if paired:
            changes = {"pulses": self.pulses.value(), "imaging": self.imaging.value()}
            changes["tolerance_s"] = self._tolerance.value() / 1e3
            changes["min_match"] = self._match.value() / 100
        if method == "pulses":
            changes["pin"] = self._pin.value()
        if method == "rates":
            changes["rate"] = self._rate.value() or None
        if method in ("rates", "times"):
            changes["start_s"] = self._start.value()
        if self._has_times_in_a_file():
            changes["times"] = self._row_times()
        elif method != "rates":
            changes["per_second"] = self._unit.value()
        if method != "same rows":
            changes["resampling"] = self._resampling.value()
            changes["discrete"] = self._discrete.value()
            changes["longest_gap_s"] = self._gap.value() or None
        return replace(LogConfig(method), **changes)

    def _has_times_in_a_file(self) -> bool:
        by_row = self.method() in ("same rows", "rates")
        return self._time.value() is _IN_A_FILE and not by_row

    def _row_times(self) -> TimesConfig:
        times = self.row_times.value()
        if times is None or times.file is None:
            raise InvalidInput(
                f"Choose the file that holds the times of the rows of the {self._what} "
                "log, or the column that does."
            )
        return times

    def _on_changed(self, *_: object) -> None:
        method = self.method()
        paired = method in ("pulses", "onsets")
        of_variables = self._what == "behaviour"
        for field, wanted in (
            (self._time, method != "rates"),
            (self._unit, method != "rates" and self.time_column() is not None),
            (self._rate, method == "rates"),
            (self._start, method in ("rates", "times")),
        ):
            set_row_visible(self._rows, field, wanted)
        self._rows_box.setVisible(self._has_times_in_a_file())
        for box in self._boxes:
            box.setVisible(paired)
        for field, wanted in (
            (self._pin, method == "pulses"),
            (self._tolerance, paired),
            (self._match, paired),
            (self._resampling, of_variables),
            (self._discrete, of_variables),
            (self._gap, of_variables),
        ):
            set_row_visible(self._more, field, wanted)
        self.details.setVisible(method != "same rows" and (paired or of_variables))
        if not self.signalsBlocked():
            self.valueChanged.emit()


def _box(title: str, body: QWidget) -> QGroupBox:
    box = QGroupBox(title)
    column = QVBoxLayout(box)
    column.setContentsMargins(8, 4, 4, 4)
    column.addWidget(body)
    return box
