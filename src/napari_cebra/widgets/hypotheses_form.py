"""Which variables are compared, and with how many trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_cebra.widgets.form_rows import Whole, add, form

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_MOST_SEEN = 5  # variables, before the list scrolls
_TICKED = 3  # so many to begin with


@dataclass(frozen=True)
class HypothesesChoice:
    """Candidates, and trainings of each and of its control in each block."""

    candidates: tuple[str, ...] = ()
    n_seeds: int = 3
    n_controls: int = 3


class HypothesesForm(QWidget):
    """A tick per variable, seeds, controls."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        start = HypothesesChoice()
        rows = form(self)
        self._variables = QListWidget()
        self._variables.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self._line = self.fontMetrics().height() + 6
        add(
            rows,
            "Variables",
            self._variables,
            "What may explain the activity; each ticked one is learnt from by itself",
        )
        self._seeds = add(
            rows,
            "Seeds",
            Whole(2, 20, start.n_seeds),
            "How many times each variable is trained on in each held-out block, from "
            "another random start: whether they agree is one of the results",
        )
        self._controls = add(
            rows,
            "Controls",
            Whole(1, 100, start.n_controls),
            "How many times in each block the variable is shuffled and the encoder "
            "trained again: what a variable that says nothing would reach",
        )

        self._variables.itemChanged.connect(self._on_changed)
        self._seeds.valueChanged.connect(self._on_changed)
        self._controls.valueChanged.connect(self._on_changed)

    def value(self) -> HypothesesChoice:
        """Return what is chosen."""
        ticked = tuple(
            item.text()
            for item in self._items()
            if item.checkState() == Qt.CheckState.Checked
        )
        return HypothesesChoice(ticked, self._seeds.value(), self._controls.value())

    def setValue(self, value: HypothesesChoice) -> None:
        """Choose; variables that are not there are passed over."""
        blocked = self.blockSignals(True)
        self._tick(value.candidates)
        self._seeds.setValue(value.n_seeds)
        self._controls.setValue(value.n_controls)
        self.blockSignals(blocked)
        self._on_changed()

    def set_variables(self, names: Sequence[str]) -> None:
        """Offer these; ticks are kept, and the first few ticked where they are new."""
        before = [item.text() for item in self._items()]
        if before == list(names):
            return
        kept = [name for name in self.value().candidates if name in names]
        blocked = self._variables.blockSignals(True)
        self._variables.clear()
        for name in names:
            item = QListWidgetItem(name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setSizeHint(QSize(0, self._line))
            self._variables.addItem(item)
        self._tick(kept or names[:_TICKED])
        self._variables.blockSignals(blocked)
        seen = min(max(len(names), 1), _MOST_SEEN)
        self._variables.setFixedHeight(seen * self._line + 6)
        self._on_changed()

    def _items(self) -> list[QListWidgetItem]:
        return [self._variables.item(row) for row in range(self._variables.count())]

    def _tick(self, names: Collection[str]) -> None:
        states = Qt.CheckState
        for item in self._items():
            is_ticked = item.text() in names
            item.setCheckState(states.Checked if is_ticked else states.Unchecked)

    def _on_changed(self, *_: object) -> None:
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
