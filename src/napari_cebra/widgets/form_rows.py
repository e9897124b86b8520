"""Rows of a form: every one with a label, a unit and an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QWheelEvent

_LABEL_WIDTH = 128  # of the longest label, so that the forms line up


def form(parent: QWidget) -> QFormLayout:
    """Return an empty form layout on a widget."""
    layout = QFormLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
    return layout


def add(layout: QFormLayout, label: str, field: QWidget, tip: str) -> QWidget:
    """Add a row whose label and field both explain themselves; return the field."""
    text = QLabel(label)
    text.setMinimumWidth(_LABEL_WIDTH)
    for part in (text, field):
        part.setToolTip(tip)
    layout.addRow(text, field)
    return field


def set_row_visible(layout: QFormLayout, field: QWidget, visible: bool) -> None:
    """Show or hide a field together with its label."""
    field.setVisible(visible)
    label = layout.labelForField(field)
    if label is not None:
        label.setVisible(visible)


class Choice(QComboBox):
    """A choice of values, each with a name a person reads.

    The wheel does not change it, so that scrolling the page is safe.
    """

    def __init__(self, items: Iterable[tuple[object, str]] = ()) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumContentsLength(5)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._values: list[object] = []
        self._fill(items)

    def value(self) -> object:
        """Return the value chosen; None if there is none."""
        at = self.currentIndex()
        return self._values[at] if at >= 0 else None

    def setValue(self, value: object) -> None:
        """Choose a value; one that is not offered changes nothing."""
        if value in self._values:
            self.setCurrentIndex(self._values.index(value))

    def values(self) -> tuple[object, ...]:
        """Return what is offered."""
        return tuple(self._values)

    def set_items(self, items: Iterable[tuple[object, str]]) -> None:
        """Offer other values; the one chosen is kept where it is still offered."""
        kept = self.value()
        blocked = self.blockSignals(True)
        self.clear()
        self._fill(items)
        self.setValue(kept)
        if self.currentIndex() < 0:  # Qt leaves it so where there is a placeholder
            self.setCurrentIndex(0)
        self.blockSignals(blocked)
        if self.value() != kept:
            self.currentIndexChanged.emit(self.currentIndex())

    def _fill(self, items: Iterable[tuple[object, str]]) -> None:
        pairs = list(items)
        # Kept here and not as item data, which Qt compares in its own way.
        self._values = [value for value, _ in pairs]
        self.addItems([name for _, name in pairs])

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page."""
        event.ignore()


class Whole(QSpinBox):
    """A whole number with its unit; the wheel does not change it."""

    def __init__(
        self, low: int, high: int, value: int, unit: str = "", step: int = 1
    ) -> None:
        super().__init__()
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setValue(value)
        self.setSuffix(f" {unit}" if unit else "")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setKeyboardTracking(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page."""
        event.ignore()


class Real(QDoubleSpinBox):
    """A number with its unit; the wheel does not change it."""

    def __init__(
        self,
        low: float,
        high: float,
        value: float,
        unit: str = "",
        *,
        decimals: int = 2,
        step: float = 0.1,
    ) -> None:
        super().__init__()
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setValue(value)
        self.setSuffix(f" {unit}" if unit else "")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setKeyboardTracking(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page."""
        event.ignore()
