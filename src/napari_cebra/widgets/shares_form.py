"""How the share of each ROI is computed, over which rows, in which latent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_cebra.pipeline.attribution import DEFAULT
from napari_cebra.viewer.numbers import count
from napari_cebra.widgets.form_rows import Choice, add, form

if TYPE_CHECKING:
    from napari_cebra.pipeline.attribution import RowChoice

# Method, name, what it says in a sentence.
_METHODS = (
    (
        "feature-ablation",
        "Ablation",
        "How far the latents move when the ROI is held at its average. It found the "
        "tuned cells of simulated recordings best; the more ROIs, the longer it takes.",
    ),
    (
        "jacobian-based",
        "Sensitivity (Jacobian)",
        "How far the latents would move for a small change of the ROI, whether it "
        "makes such changes or not. Noisy ROIs rank higher than they deserve.",
    ),
    (
        "neuron-gradient",
        "Neuron gradient",
        "The same numbers as the sensitivity, under another published name.",
    ),
    (
        "integrated-gradients",
        "Integrated gradients",
        "How much of the way from the average activity to that of the moment each ROI "
        "accounts for; the parts add up to the whole. Several times slower.",
    ),
    (
        "neuron-gradient-shap",
        "Gradient SHAP",
        "As integrated gradients, estimated from a few random points, and so less "
        "exact.",
    ),
)
METHOD_NAMES = {key: name for key, name, _ in _METHODS}


@dataclass(frozen=True)
class SharesChoice:
    """What is chosen: method, rows, and the latent looked at (None: all)."""

    method: str = DEFAULT.method
    rows: RowChoice = "training"
    latent: int | None = None


class SharesForm(QWidget):
    """Method, rows and latent."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        rows = form(self)
        self._method = add(
            rows,
            "Method",
            Choice(METHOD_NAMES.items()),
            "How it is found out what a latent owes to an ROI; begin with the first, "
            "and trust what several methods agree on",
        )
        self._explained = QLabel()
        self._explained.setWordWrap(True)
        self._explained.setStyleSheet("color: #909090;")
        rows.addRow(self._explained)
        self._rows = add(
            rows,
            "Rows",
            Choice(),
            "Moments over which shares are averaged. To ask about a part of the cloud, "
            "shift and drag a box in the Latents dock first",
        )
        self._latent = add(
            rows,
            "Latent",
            Choice(),
            "Whose shares are shown: of all latents on average, or of one, numbered "
            "as in the exported tables. Changes at once, without computing again",
        )
        self.set_selected(0)
        self.set_latents(0)
        self._explain()

        self._method.currentIndexChanged.connect(self._on_changed)
        self._rows.currentIndexChanged.connect(self._on_changed)
        self._latent.currentIndexChanged.connect(self._on_changed)

    def value(self) -> SharesChoice:
        """Return what is chosen."""
        return SharesChoice(
            self._method.value(), self._rows.value(), self._latent.value()
        )

    def setValue(self, value: SharesChoice) -> None:
        """Choose; a latent that is not there changes nothing."""
        self._method.setValue(value.method)
        self._rows.setValue(value.rows)
        self._latent.setValue(value.latent)

    def set_selected(self, n_rows: int) -> None:
        """Say how many rows are selected in the latent view."""
        selected = count(n_rows) if n_rows else "none yet"
        self._rows.set_items(
            [
                ("training", "training rows"),
                ("all", "all rows"),
                ("selected", f"latents selected by hand ({selected})"),
            ]
        )

    def set_latents(self, n_latents: int) -> None:
        """Offer so many latents."""
        one_by_one = [(k, f"latent {k}") for k in range(n_latents)]
        self._latent.set_items([(None, "all latents"), *one_by_one])

    def _explain(self) -> None:
        texts = {key: text for key, _, text in _METHODS}
        self._explained.setText(texts[self._method.value()])

    def _on_changed(self) -> None:
        self._explain()
        self.valueChanged.emit(self.value())
