"""How motion is estimated and undone."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from napari_cebra.traces.motion import MotionSettings
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.form_rows import (
    Choice,
    Real,
    Whole,
    add,
    form,
    set_row_visible,
)

_UNITS = (("share", "% of frame"), ("px", "px"), ("um", "µm"))


class MotionForm(QWidget):
    """Kind and largest shift; smoothing, high-pass and blocks folded away."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        start = MotionSettings()
        self._base = start
        rows = form(self)
        self._kind = add(
            rows,
            "Correction",
            Choice(
                [
                    ("rigid", "rigid: one shift per frame"),
                    ("piecewise", "piecewise: blocks too"),
                ]
            ),
            "Begin with rigid. Piecewise also follows parts of the frame that move by "
            "themselves, as in a large field or a slow scan; it takes several times "
            "as long",
        )
        shift_row = QWidget()
        self._shift = Real(0.1, 50, 10, decimals=1, step=1)
        self._unit = Choice(_UNITS)
        row = QHBoxLayout(shift_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._shift)
        row.addWidget(self._unit, 1)
        add(
            rows,
            "Largest shift",
            shift_row,
            "How far along each axis a shift is looked for; a frame that moves "
            "further is marked as failed. Per cent are of the frame's shorter side",
        )
        self._pixel = add(
            rows,
            "Pixel size",
            Real(0.01, 1000, 1.0, "µm", decimals=3),
            "Width of a pixel, needed for a shift in micrometres",
        )
        more = QWidget()
        self._rows = form(more)
        self._high_pass = add(
            self._rows,
            "High-pass",
            Real(0, 500, 0, "px", decimals=1, step=1),
            "Takes structure wider than this out first. For one-photon movies, whose "
            "blurred background does not move with the tissue: about the radius of a "
            "cell. 0 is off",
        )
        self._smooth = add(
            self._rows,
            "Smoothing",
            Real(0, 50, start.smooth_px, "px", decimals=1, step=0.5),
            "Width of the Gaussian that smooths the correlation; more for noisier "
            "frames",
        )
        self._frames = add(
            self._rows,
            "Over time",
            Real(0, 100, 0, "frames", decimals=1, step=0.5),
            "Averages about so many frames, for finding shifts alone, where a single "
            "frame shows next to nothing. Fast jumps are then missed. 0 is off",
        )
        self._block = add(
            self._rows,
            "Block",
            Whole(32, 4096, start.block_px, "px", step=16),
            "Side of the blocks, which overlap by half; each must hold some cells",
        )
        self._beyond = add(
            self._rows,
            "Block shift",
            Real(1, 100, start.block_max_shift_px, "px", decimals=1, step=1),
            "Largest shift of a block beyond that of its frame",
        )
        self._whole = QCheckBox("by whole pixels only")
        add(
            self._rows,
            "",
            self._whole,
            "Leaves every pixel value as it was recorded, but up to half a pixel of "
            "the motion too; otherwise values between pixels are interpolated",
        )
        self.more = Fold("More", more)
        self.more.setToolTip("One-photon, noisy movies, blocks, interpolation")
        rows.addRow(self.more)

        self._kind.currentIndexChanged.connect(self._on_changed)
        self._unit.currentIndexChanged.connect(self._on_unit)
        for field in (
            *(self._shift, self._pixel, self._high_pass, self._smooth),
            *(self._frames, self._block, self._beyond),
        ):
            field.valueChanged.connect(self._on_changed)
        self._whole.toggled.connect(self._on_changed)
        self._form = rows
        self._show_what_counts()

    def value(self) -> MotionSettings:
        """Return what is chosen."""
        unit, kind = self._unit.value(), self._kind.value()
        whole = self._whole.isChecked() and kind == "rigid"
        return replace(
            self._base,
            kind=kind,
            max_shift=self._shift.value() / (100 if unit == "share" else 1),
            max_shift_unit=unit,
            pixel_um=self._pixel.value() if unit == "um" else self._base.pixel_um,
            smooth_px=self._smooth.value(),
            high_pass_px=self._high_pass.value(),
            smooth_frames=self._frames.value(),
            block_px=self._block.value(),
            block_max_shift_px=self._beyond.value(),
            interpolation="nearest" if whole else "linear",
        )

    def setValue(self, value: MotionSettings) -> None:
        """Choose."""
        self._base = value
        blocked = self.blockSignals(True)
        self._kind.setValue(value.kind)
        self._unit.setValue(value.max_shift_unit)
        scale = 100 if value.max_shift_unit == "share" else 1
        self._shift.setValue(value.max_shift * scale)
        if value.pixel_um is not None:
            self._pixel.setValue(value.pixel_um)
        self._smooth.setValue(value.smooth_px)
        self._high_pass.setValue(value.high_pass_px)
        self._frames.setValue(value.smooth_frames)
        self._block.setValue(value.block_px)
        self._beyond.setValue(value.block_max_shift_px)
        self._whole.setChecked(value.interpolation == "nearest")
        self.blockSignals(blocked)
        self._on_changed()

    def _on_unit(self) -> None:
        """Begin with a sensible number in the new unit."""
        is_share = self._unit.value() == "share"
        self._shift.setMaximum(50 if is_share else 10_000)
        self._shift.setValue(10 if is_share else 20)
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self._show_what_counts()
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())

    def _show_what_counts(self) -> None:
        is_piecewise = self._kind.value() == "piecewise"
        set_row_visible(self._form, self._pixel, self._unit.value() == "um")
        set_row_visible(self._rows, self._block, is_piecewise)
        set_row_visible(self._rows, self._beyond, is_piecewise)
        self._whole.setEnabled(not is_piecewise)
