"""The shifts of a registration over time."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_cebra.viewer import _compat, theme
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.plot_marks import Shade
from napari_cebra.viewer.plot_view import HINT, PlotView
from napari_cebra.viewer.registry import workspace_of

if TYPE_CHECKING:
    from napari_cebra.traces.motion import Motion

_LINES = (("down", theme.ORANGE), ("right", theme.BLUE))
_HEIGHT = 170


class MotionPlot(QWidget):
    """Displacement of each frame in pixels, grey where the estimate failed.

    A click goes to that frame.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose timeline is followed.
    parent : QWidget, optional
        As in Qt.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = _compat.unwrap(napari_viewer)
        self._viewer = weakref.ref(viewer)
        self._timeline = workspace_of(viewer).timeline
        self._per_second = 1.0
        self._view = PlotView()
        self._plot = self._view.addPlot()
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setDownsampling(auto=True, mode="peak")
        self._plot.setClipToView(True)
        self._plot.setLabel("left", "Shift (px)")
        for side in ("left", "bottom"):
            self._plot.getAxis(side).enableAutoSIPrefix(False)
        self._lines = [self._plot.plot(pen=pg.mkPen(c)) for _, c in _LINES]
        self._failed = Shade(self._plot.getViewBox())
        self._plot.addItem(self._failed, ignoreBounds=True)
        self._now = pg.InfiniteLine(angle=90, pen=pg.mkPen(theme.CURSOR, width=2))
        self._plot.addItem(self._now, ignoreBounds=True)
        self._legend = QLabel(theme.legend_text(list(_LINES)))
        self._legend.setToolTip(
            "How far the picture stands down and right of the template in each frame; "
            "grey: frames that could not be registered. Click to go to a frame.\n\n"
            + HINT
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._legend)
        column.addWidget(self._view)
        self._view.setFixedHeight(_HEIGHT)

        self._connections = connections = Connections()
        connections.add(self._timeline.changed, self._on_frame)
        connections.add(viewer.events.theme, self._on_theme)
        self.destroyed.connect(lambda: connections.close())
        self._view.scene().sigMouseClicked.connect(self._on_clicked)
        self._view.doubleClicked.connect(self.show_all)
        self._on_theme()

    def show_motion(self, motion: Motion, rate: float | None) -> None:
        """Draw the shifts of every frame, over seconds where the rate is known."""
        self._per_second = 1.0 if rate is None else rate
        self._plot.setLabel("bottom", "Frame" if rate is None else "Time (s)")
        times = np.arange(motion.n_frames) / self._per_second
        for line, shifts in zip(self._lines, motion.shifts.T, strict=True):
            line.setData(times, shifts)
        self._failed.setRows(times, motion.failed)
        self._on_frame()
        self.show_all()
        self._on_theme()  # a new label has the colour of no theme

    def show_all(self) -> None:
        """Show the whole recording again."""
        self._plot.enableAutoRange()

    def _on_frame(self) -> None:
        self._now.setValue(self._timeline.frame / self._per_second)

    def _on_clicked(self, event: Any) -> None:
        box = self._plot.getViewBox()
        inside = box.sceneBoundingRect().contains(event.scenePos())
        if event.button() == Qt.MouseButton.LeftButton and inside:
            time = box.mapSceneToView(event.scenePos()).x()
            self._timeline.set(round(time * self._per_second))

    def _on_theme(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            theme.style_plots(self._view, [self._plot], viewer.theme)
