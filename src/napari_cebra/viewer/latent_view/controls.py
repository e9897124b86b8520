"""Colour, rows, playback and look of the latents, in one line that wraps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)
from superqt import QFlowLayout
from superqt.utils import signals_blocked

from napari_cebra.viewer.latent_view.colouring import choices
from napari_cebra.viewer.player import SPEEDS

if TYPE_CHECKING:
    from napari_cebra.viewer.latent_view.scene import LatentScene
    from napari_cebra.viewer.player import Player

_ROWS = (("All rows", "all"), ("Training rows", "train"), ("Test rows", "test"))
_LINE = 28  # pixels: every group as high as the highest, so that a row is level


class Controls(QWidget):
    """The tools above the latents."""

    def __init__(
        self, scene: LatentScene, player: Player, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._scene = scene
        self._player = player

        self.colour_by = QComboBox()
        self.colour_by.setToolTip("What the colours stand for")
        self.colour_by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.rows = QComboBox()
        for text, key in _ROWS:
            self.rows.addItem(text, key)
        self.rows.setToolTip("Which rows are drawn")
        self.play = QPushButton("Play")
        self.play.setToolTip(
            "Play at the rate of the recording (space, once you have clicked here)"
        )
        self.speed = QComboBox()
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g}×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.setToolTip("Times as fast as it was recorded")
        self.trail = QSpinBox()
        self.trail.setRange(0, 3000)
        self.trail.setSingleStep(10)
        self.trail.setSpecialValueText("none")
        self.point_size = _slider(2, 60, "Size of the points")
        self.opacity = _slider(5, 100, "Opacity of the points, in %")

        self._layout = QFlowLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._add("Colour", self.colour_by)
        self._add("Show", self.rows)
        self._add("", self.play, self.speed)
        self._add("Trail", self.trail)
        self._add("Size", self.point_size)
        self._add("Opacity", self.opacity)

        self.colour_by.activated.connect(self._on_colour)
        self.rows.activated.connect(self._on_rows)
        self.play.clicked.connect(player.toggle)
        self.speed.activated.connect(self._on_speed)
        self.trail.valueChanged.connect(self._on_trail)
        self.point_size.valueChanged.connect(self._on_size)
        self.opacity.valueChanged.connect(self._on_opacity)
        player.changed.connect(self._on_player)

    def addWidget(self, widget: QWidget) -> None:
        """Append one more tool."""
        self._add("", widget)

    def refresh(self) -> None:
        """Show the scene's look, and offer only what there is."""
        look, recording = self._scene.look, self._scene.workspace.recording
        found = choices(recording)
        with signals_blocked(self.colour_by):
            if [self.colour_by.itemData(i) for i in range(self.colour_by.count())] != [
                key for key, _ in found
            ]:
                self.colour_by.clear()
                for key, text in found:
                    self.colour_by.addItem(text, key)
            self.colour_by.setCurrentIndex(
                max(self.colour_by.findData(look.colour_by), 0)
            )
        model: Any = self.rows.model()
        offered = [
            key == "all" or self._scene.rows(key) is not None for _, key in _ROWS
        ]
        for i, is_there in enumerate(offered):
            model.item(i).setEnabled(is_there)
        at = self.rows.findData(look.show)
        self.rows.setCurrentIndex(at if at >= 0 and offered[at] else 0)
        for field, value in (
            (self.trail, look.trail_frames),
            (self.point_size, round(look.point_size)),
            (self.opacity, round(100 * look.opacity)),
        ):
            with signals_blocked(field):
                field.setValue(value)
        self._show_trail()
        self.setEnabled(not self._scene.is_empty)

    def _add(self, text: str, *widgets: QWidget) -> None:
        """Keep a label and its fields on one line."""
        group = QWidget()
        row = QHBoxLayout(group)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        if text:
            row.addWidget(QLabel(text))
        for widget in widgets:
            row.addWidget(widget)
        group.setFixedHeight(_LINE)
        self._layout.addWidget(group)

    def _on_colour(self) -> None:
        self._scene.set_look(colour_by=self.colour_by.currentData())

    def _on_rows(self) -> None:
        self._scene.set_look(show=self.rows.currentData())

    def _on_speed(self) -> None:
        self._player.set_speed(self.speed.currentData())

    def _on_trail(self, frames: int) -> None:
        self._scene.set_look(trail_frames=frames)

    def _on_size(self, value: int) -> None:
        self._scene.set_look(point_size=float(value))

    def _on_opacity(self, percent: int) -> None:
        self._scene.set_look(opacity=percent / 100)

    def _on_player(self) -> None:
        self.play.setText("Pause" if self._player.is_playing else "Play")

    def _show_trail(self) -> None:
        recording = self._scene.workspace.recording
        self.trail.setSuffix(" frames")
        if recording is not None and recording.rate:
            seconds = self.trail.value() / recording.rate
            self.trail.setToolTip(
                f"Length of the trail behind the current point: {seconds:.2g} s"
            )
        else:
            self.trail.setToolTip("Length of the trail behind the current point")


def _slider(low: int, high: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setFixedWidth(70)
    slider.setToolTip(tip)
    return slider
