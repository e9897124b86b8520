"""Where the ROIs come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from napari_cebra.widgets.form_rows import Choice, Whole, add, form, set_row_visible
from napari_cebra.widgets.path_field import PathField

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SOURCES = (
    ("layer", "Labels or Shapes layer"),
    ("file", "file or folder of ROIs"),
    ("suite2p", "suite2p folder"),
    ("grid", "regular grid"),
)


@dataclass(frozen=True)
class RoiChoice:
    """A layer, a file or folder, suite2p's, or tiles of some pixels."""

    source: str = "layer"
    layer: str | None = None
    path: Path | None = None
    tile: int = 8
    reextract: bool = False


class RoiForm(QWidget):
    """Source of the ROIs, with the one field that this source needs."""

    valueChanged = Signal(object)
    newLayerWanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = form(self)
        self._source = add(
            self._rows, "ROIs from", Choice(_SOURCES), "What a trace is taken from"
        )
        layer_row = QWidget()
        self._layer = Choice()
        self._layer.setPlaceholderText("no such layer is open")
        self.new_button = QPushButton("New")
        self.new_button.setToolTip(
            "Add an empty Labels layer of the size of the stack, to paint ROIs on"
        )
        row = QHBoxLayout(layer_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._layer, 1)
        row.addWidget(self.new_button)
        self._layer_row = add(
            self._rows,
            "Layer",
            layer_row,
            "Each number of a Labels layer, or each polygon, rectangle or ellipse of a "
            "Shapes layer, is one ROI",
        )
        self._file = add(
            self._rows,
            "File",
            PathField("label image, RoiSet.zip, CaImAn, NWB, minian", "open_or_folder"),
            "Label image (TIFF, npy, PNG), RoiSet.zip or .roi of ImageJ, CaImAn's "
            "HDF5, NWB with a segmentation, or a folder of minian or suite2p; what it "
            "is, is seen from its content",
        )
        self._folder = add(
            self._rows,
            "Folder",
            PathField("suite2p folder or plane", "folder"),
            "Folder with stat.npy, F.npy, Fneu.npy and iscell.npy",
        )
        self._reextract = QCheckBox("re-extract from the stack")
        add(
            self._rows,
            "",
            self._reextract,
            "Take new traces from the stack with the masks, instead of the traces "
            "that came with them, if any did",
        )
        self._tile = add(
            self._rows,
            "Tile",
            Whole(1, 4096, 8, "px"),
            "Width and height of a square tile; a grid leaves no neuropil",
        )

        self._source.currentIndexChanged.connect(self._on_changed)
        self._layer.currentIndexChanged.connect(self._on_changed)
        self._file.valueChanged.connect(self._on_changed)
        self._folder.valueChanged.connect(self._on_changed)
        self._reextract.toggled.connect(self._on_changed)
        self._tile.valueChanged.connect(self._on_changed)
        self.new_button.clicked.connect(self.newLayerWanted)
        self._on_changed()

    def value(self) -> RoiChoice:
        """Return what is chosen."""
        source = str(self._source.value())
        path = {"file": self._file.value(), "suite2p": self._folder.value()}
        return RoiChoice(
            source,
            self._layer.value(),
            path.get(source),
            self._tile.value(),
            self._reextract.isChecked(),
        )

    def setValue(self, value: RoiChoice) -> None:
        """Choose."""
        blocked = self.blockSignals(True)
        self._source.setValue(value.source)
        if value.layer is not None:
            self._layer.setValue(value.layer)
        if value.source == "file":
            self._file.setValue(value.path)
        elif value.source == "suite2p":
            self._folder.setValue(value.path)
        self._tile.setValue(value.tile)
        self._reextract.setChecked(value.reextract)
        self.blockSignals(blocked)
        self._on_changed()

    def set_layers(self, names: Iterable[str]) -> None:
        """Offer these layers; the first is taken where none was."""
        names = list(names)
        self._layer.set_items((name, name) for name in names)
        # Qt takes none by itself where a placeholder says that there is none.
        if names and self._layer.value() is None:
            self._layer.setValue(names[0])

    def _on_changed(self, *_: object) -> None:
        source = self._source.value()
        for field, of in (
            (self._layer_row, ("layer",)),
            (self._file, ("file",)),
            (self._folder, ("suite2p",)),
            (self._reextract, ("file", "suite2p")),
            (self._tile, ("grid",)),
        ):
            set_row_visible(self._rows, field, source in of)
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
