"""Fields for what a file may not say: how frames lie in it, how large a pixel is."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_cebra.io.binary import BINARY_TYPES, BinaryLayout
from napari_cebra.widgets.form_rows import Choice, Real, Whole

_TYPE_NAMES = {">i2": "int16 big-endian", ">u2": "uint16 big-endian"}
_SMALLEST_UM = 0.001


class FrameSize(QWidget):
    """Rows, columns and type of the frames in a raw binary file."""

    valueChanged = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._layout = BinaryLayout()
        self.rows, self.columns = Whole(1, 65_535, 512), Whole(1, 65_535, 512)
        self.dtype = Choice(
            (name, _TYPE_NAMES.get(name, name)) for name in BINARY_TYPES
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(_beside(self.rows, self.columns))
        column.addWidget(self.dtype)
        for number in (self.rows, self.columns):
            number.valueChanged.connect(self._on_changed)
        self.dtype.currentIndexChanged.connect(self._on_changed)

    def value(self) -> BinaryLayout:
        """Return the layout as entered."""
        return replace(
            self._layout,
            dtype=str(self.dtype.value()),
            height=self.rows.value(),
            width=self.columns.value(),
        )

    def setValue(self, value: BinaryLayout) -> None:
        """Show a layout, without saying that it changed."""
        self._layout = value
        blocked = self.blockSignals(True)
        self.rows.setValue(value.height)
        self.columns.setValue(value.width)
        self.dtype.setValue(value.dtype)
        self.blockSignals(blocked)

    def setToolTip(self, text: str) -> None:
        """Explain the fields."""
        for part in (self.rows, self.columns, self.dtype):
            part.setToolTip(text)

    def _on_changed(self, *_: object) -> None:
        self.valueChanged.emit(self.value())


class PixelSize(QWidget):
    """Rows × columns of a pixel in µm; 0 is shown as unknown."""

    valueChanged = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._exact: tuple[float, float] | None = None
        self.y, self.x = (Real(0, 10_000, 0, decimals=3, step=0.1) for _ in range(2))
        for size in (self.y, self.x):
            size.setSpecialValueText("–")
        self.setLayout(_beside(self.y, self.x))
        self.y.valueChanged.connect(self._on_y)
        self.x.valueChanged.connect(self._on_changed)

    def value(self) -> tuple[float, float] | None:
        """Return (y, x), None while one of them is unknown."""
        shown = (self.y.value(), self.x.value())
        if self._exact is not None and shown == _rounded(self._exact):
            return self._exact  # a person has not changed it
        return shown if min(shown) >= _SMALLEST_UM else None

    def setValue(self, value: tuple[float, float] | None) -> None:
        """Show (y, x); None is unknown."""
        self._exact = value
        blocked = self.blockSignals(True)
        for size, shown in zip((self.y, self.x), value or (0.0, 0.0), strict=True):
            size.setValue(shown)
        self.blockSignals(blocked)

    def setToolTip(self, text: str) -> None:
        """Explain the fields."""
        for part in (self.y, self.x):
            part.setToolTip(text)

    def _on_y(self, size: float) -> None:
        if not self.x.value():  # pixels are square nearly always
            self.x.setValue(size)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.valueChanged.emit(self.value())


def _rounded(sizes: tuple[float, float]) -> tuple[float, float]:
    return round(sizes[0], 3), round(sizes[1], 3)


def _beside(left: QWidget, right: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    row.addWidget(left, 1)
    row.addWidget(QLabel("×"))
    row.addWidget(right, 1)
    return row
