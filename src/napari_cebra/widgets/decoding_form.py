"""How the embedding is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_cebra.widgets.form_rows import Choice, Whole, add, form


@dataclass(frozen=True)
class DecodingChoice:
    """All folds or the held-out one, number of controls, and k (None: chosen)."""

    all_folds: bool = False
    n_controls: int = 3
    k: int | None = None


class DecodingForm(QWidget):
    """Folds, controls and neighbours of a decoding."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        start = DecodingChoice()
        rows = form(self)
        self._folds = QCheckBox("decode every row")
        add(
            rows,
            "All folds",
            self._folds,
            "Train and decode once for each fold, so that every row is decoded by an "
            "encoder that never saw it; takes as many trainings as there are folds",
        )
        self._controls = add(
            rows,
            "Controls",
            Whole(0, 100, start.n_controls),
            "How many times the labels are broken and the encoder is trained again; "
            "three give an impression, twenty belong in a report",
        )
        self._k = add(
            rows,
            "Neighbours k",
            Choice(
                [(None, "chosen on the validation rows")]
                + [(k, str(k)) for k in (1, 3, 5, 9, 15, 25, 49, 99)]
            ),
            "Nearest latents (by angle) that vote for the frame or the value",
        )

        self._folds.toggled.connect(self._on_changed)
        self._controls.valueChanged.connect(self._on_changed)
        self._k.currentIndexChanged.connect(self._on_changed)

    def value(self) -> DecodingChoice:
        """Return what is chosen."""
        return DecodingChoice(
            self._folds.isChecked(), self._controls.value(), self._k.value()
        )

    def setValue(self, value: DecodingChoice) -> None:
        """Choose."""
        blocked = self.blockSignals(True)
        self._folds.setChecked(value.all_folds)
        self._controls.setValue(value.n_controls)
        self._k.setValue(value.k)
        self.blockSignals(blocked)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
