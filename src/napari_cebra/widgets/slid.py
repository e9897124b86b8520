"""A number with a slider beside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QSlider, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QWheelEvent

    from napari_cebra.widgets.form_rows import Real

_STEPS = 400


class _Slider(QSlider):
    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Leave the wheel to the page."""
        if event is not None:
            event.ignore()


class Slid(QWidget):
    """A spin box for the exact number, and a slider for a look at many.

    Parameters
    ----------
    number : Real
        The spin box.
    low, high : float
        Ends of the slider; the spin box may go beyond them.
    logarithmic : bool
        Whether equal ways of the slider are equal factors.
    """

    valueChanged = Signal(float)

    def __init__(
        self, number: Real, low: float, high: float, *, logarithmic: bool = False
    ) -> None:
        super().__init__()
        self.number = number
        self.slider = _Slider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self._to = math.log if logarithmic else float
        self._from = math.exp if logarithmic else float
        self._low, self._high = self._to(low), self._to(high)
        self._smallest = low
        number.setFixedWidth(120)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(number)
        self.setFocusProxy(number)
        self.slider.valueChanged.connect(self._on_slider)
        number.valueChanged.connect(self._on_number)
        self._on_number()

    def value(self) -> float:
        """Return the number."""
        return self.number.value()

    def setValue(self, value: float) -> None:
        """Set the number."""
        self.number.setValue(value)

    def setToolTip(self, text: str) -> None:
        """Explain both."""
        for part in (self.slider, self.number):
            part.setToolTip(text)

    def _on_slider(self, place: int) -> None:
        value = self._low + place / _STEPS * (self._high - self._low)
        self.number.setValue(self._from(value))

    def _on_number(self, *_: object) -> None:
        value = self._to(max(self.number.value(), self._smallest))
        place = (value - self._low) / (self._high - self._low)
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(_STEPS * min(max(place, 0.0), 1.0)))
        self.valueChanged.emit(self.number.value())
