"""How cells are to be found."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_cebra.traces.detection import DetectionSettings
from napari_cebra.widgets.form_rows import (
    Choice,
    Real,
    Whole,
    add,
    form,
    set_row_visible,
)

_METHODS = (
    ("activity", "by their activity"),
    ("cellpose", "by their shape (Cellpose)"),
)
IMAGES = (
    ("correlation", "local correlation"),
    ("peak_to_noise", "peak to noise"),
    ("mean", "mean"),
    ("max", "maximum"),
)


class DetectForm(QWidget):
    """Diameter, threshold and averaging of `DetectionSettings`."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._base = DetectionSettings()
        self._rows = form(self)
        self._method = add(
            self._rows,
            "Find cells",
            Choice(_METHODS),
            "By what they do over time; or, where Cellpose is installed, by how they "
            "look in one image, which finds quiet cells too",
        )
        self._image = add(
            self._rows,
            "In the image",
            Choice(IMAGES),
            "What is shown to Cellpose",
        )
        self._diameter = add(
            self._rows,
            "Cell diameter",
            Real(0, 500, 0, "px", decimals=1, step=1),
            "Width of a cell body in pixels; 0 lets it be estimated from the movie. "
            "The ring that Preview draws is as wide",
        )
        self._diameter.setSpecialValueText("estimate")
        self._threshold = add(
            self._rows,
            "Threshold",
            Real(1, 1000, 4, "× noise", decimals=1, step=0.5),
            "How far the activity of a cell must stand out of the noise; lower it to "
            "find dimmer cells, raise it for fewer",
        )
        self._average_s = add(
            self._rows,
            "Average over",
            Real(0, 600, 0.5, "s", decimals=2, step=0.1),
            "Frames averaged before the search: about as long as the indicator takes "
            "to decay",
        )
        self._average_frames = add(
            self._rows,
            "Average over",
            Whole(1, 100_000, 5, "frames"),
            "Frames averaged before the search: about as long as the indicator takes "
            "to decay; the frame rate is not known",
        )
        for choice in (self._method, self._image):
            choice.currentIndexChanged.connect(self._on_changed)
        for field in (
            self._diameter,
            self._threshold,
            self._average_s,
            self._average_frames,
        ):
            field.valueChanged.connect(self._on_changed)
        self.set_rate(None)
        self._on_changed()

    def value(self) -> DetectionSettings:
        """Return the settings."""
        diameter = self._diameter.value()
        if 0 < diameter < 3:
            diameter = 3.0
        return replace(
            self._base,
            method=self._method.value(),
            image=self._image.value(),
            diameter=diameter or None,
            diameter_um=None if diameter else self._base.diameter_um,
            threshold=self._threshold.value(),
            average_s=self._average_s.value(),
            average_frames=self._average_frames.value(),
        )

    def setValue(self, value: DetectionSettings) -> None:
        """Show these settings."""
        self._base = value
        blocked = self.blockSignals(True)
        self._method.setValue(value.method)
        self._image.setValue(value.image)
        self._diameter.setValue(value.diameter or 0)
        self._threshold.setValue(value.threshold)
        self._average_s.setValue(value.average_s)
        self._average_frames.setValue(value.average_frames)
        self.blockSignals(blocked)
        self._on_changed()

    def set_rate(self, rate: float | None) -> None:
        """Ask for seconds, or for frames where the rate is not known."""
        set_row_visible(self._rows, self._average_s, rate is not None)
        set_row_visible(self._rows, self._average_frames, rate is None)

    def _on_changed(self, *_: object) -> None:
        is_activity = self._method.value() == "activity"
        set_row_visible(self._rows, self._image, not is_activity)
        set_row_visible(self._rows, self._threshold, is_activity)
        if not self.signalsBlocked():
            self.valueChanged.emit(self.value())
