"""How dF/F is computed from the raw traces."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_cebra.traces.settings import DffSettings
from napari_cebra.widgets.form_rows import (
    Choice,
    Real,
    Whole,
    add,
    form,
    set_row_visible,
)


class DffForm(QWidget):
    """Neuropil, baseline and window; in frames where the rate is not known."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        start = DffSettings()
        self._base = start
        self._has_rate = True
        self._rows = form(self)
        self._neuropil = add(
            self._rows,
            "Neuropil coefficient",
            Real(0, 2, start.neuropil_coefficient, step=0.05),
            "Share of the surrounding neuropil that is subtracted from each ROI; 0.7 "
            "is suite2p's",
        )
        self._kind = add(
            self._rows,
            "Baseline F0",
            Choice(
                [
                    ("percentile", "rolling percentile"),
                    ("maximin", "maximin"),
                    ("median", "median of inactive frames"),
                ]
            ),
            "Rolling percentile, the smoothed rolling minimum and maximum that suite2p "
            "uses, or the Allen Institute's median of inactive frames",
        )
        self._percentile = add(
            self._rows,
            "Percentile",
            Real(0, 100, start.percentile, "%", decimals=1, step=1),
            "Which percentile of the window is taken for F0",
        )
        self._window_s = add(
            self._rows,
            "Window",
            Real(0.1, 36_000, start.window_s, "s", decimals=1, step=5),
            "Length of the rolling window; longer than the longest transient",
        )
        self._window_frames = add(
            self._rows,
            "Window",
            Whole(1, 1_000_000, start.window_frames, "frames", step=10),
            "Length of the rolling window in imaging frames, because the frame rate "
            "is not known",
        )

        for field in (
            self._neuropil,
            self._percentile,
            self._window_s,
            self._window_frames,
        ):
            field.valueChanged.connect(self._on_changed)
        self._kind.currentIndexChanged.connect(self._on_changed)
        self._show_rows()

    def value(self) -> DffSettings:
        """Return the settings."""
        return replace(
            self._base,
            neuropil_coefficient=self._neuropil.value(),
            baseline=self._kind.value(),
            percentile=self._percentile.value(),
            window_s=self._window_s.value(),
            window_frames=self._window_frames.value(),
        )

    def setValue(self, value: DffSettings) -> None:
        """Show these settings."""
        self._base = value
        blocked = self.blockSignals(True)
        self._neuropil.setValue(value.neuropil_coefficient)
        self._kind.setValue(value.baseline)
        self._percentile.setValue(value.percentile)
        self._window_s.setValue(value.window_s)
        self._window_frames.setValue(value.window_frames)
        self.blockSignals(blocked)
        self._on_changed()

    def set_rate(self, rate: float | None) -> None:
        """Ask for the window in seconds, or in frames where the rate is not known."""
        self._has_rate = rate is not None
        self._show_rows()

    def set_neuropil_available(self, available: bool) -> None:
        """Grey the coefficient out where the ROIs leave no neuropil."""
        self._neuropil.setEnabled(available)

    def _show_rows(self) -> None:
        set_row_visible(self._rows, self._percentile, self._kind.value() != "maximin")
        set_row_visible(self._rows, self._window_s, self._has_rate)
        set_row_visible(self._rows, self._window_frames, not self._has_rate)

    def _on_changed(self, *_: object) -> None:
        self._show_rows()
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
