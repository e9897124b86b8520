"""How the embedding is decoded."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_cebra.pipeline.config import DecodingConfig
from napari_cebra.widgets.form_rows import Choice, Whole, add, form

_KS = DecodingConfig().ks


class DecodingForm(QWidget):
    """Folds, controls and neighbours of a decoding."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        start = DecodingConfig()
        self._base = start
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
                [(_KS, "chosen on validation rows")] + [((k,), str(k)) for k in _KS]
            ),
            "Nearest latents (by angle) that vote for the frame or the value",
        )

        self._folds.toggled.connect(self._on_changed)
        self._controls.valueChanged.connect(self._on_changed)
        self._k.currentIndexChanged.connect(self._on_changed)

    def value(self) -> DecodingConfig:
        """Return the settings."""
        return replace(
            self._base,
            folds="all" if self._folds.isChecked() else "last",
            n_controls=self._controls.value(),
            ks=self._k.value(),
        )

    def setValue(self, value: DecodingConfig) -> None:
        """Show these settings; those the form does not show are kept."""
        self._base = value
        blocked = self.blockSignals(True)
        self._folds.setChecked(value.folds == "all")
        self._controls.setValue(value.n_controls)
        self._k.setValue(value.ks)
        self.blockSignals(blocked)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
