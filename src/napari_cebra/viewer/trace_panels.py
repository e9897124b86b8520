"""Plots of one ROI above each other, on one time axis with the current frame."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal

from napari_cebra.viewer import theme
from napari_cebra.viewer.plot_marks import Borders, Shade
from napari_cebra.viewer.plot_view import PlotView

if TYPE_CHECKING:
    from collections.abc import Iterator

PANELS = ("counts", "trace", "events", "variable")
_MOST = 16_777_215.0  # Qt's own
# Curve: panel, colour, width. What was decoded is seen beside what was measured.
CURVES = {
    "neuropil": ("counts", theme.ORANGE, 1),
    "raw": ("counts", theme.BLUE, 1),
    "f0": ("counts", theme.PINK, 2),
    "trace": ("trace", theme.BLUE, 1),
    "events": ("events", theme.PINK, 1),
    "decoded": ("variable", theme.ORANGE, 2),
    "variable": ("variable", theme.GREEN, 1),
}


class TracePanels(PlotView):
    """Counts, dF/F, events and a variable over time.

    A vertical line is the current frame; it is dragged, or a click moves it.
    """

    timeChosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.plots = {
            name: self.addPlot(row=row, col=0) for row, name in enumerate(PANELS)
        }
        self.lines: dict[str, Any] = {}
        self.cursors: dict[str, Any] = {}
        self.shades: dict[str, Shade] = {}
        self._moved: Any = None  # the cursor that the mouse holds
        first = self.plots[PANELS[0]]
        for name, plot in self.plots.items():
            self._prepare(name, plot)
            if plot is not first:
                plot.setXLink(first)
        for name, (panel, colour, width) in CURVES.items():
            # A stick needs both its ends: no curve of events is thinned out.
            connect = "pairs" if name == "events" else "finite"
            pen = pg.mkPen(colour, width=width)
            self.lines[name] = self.plots[panel].plot(pen=pen, connect=connect)
        first.setLabel("left", "Counts")
        self.plots["events"].setLabel("left", "× noise")
        last = self.plots["variable"]
        self.borders = Borders(last.getViewBox())
        last.addItem(self.borders, ignoreBounds=True)
        self.scene().sigMouseClicked.connect(self._on_clicked)

    def _prepare(self, name: str, plot: Any) -> None:
        plot.getAxis("left").setWidth(64)  # so that the plots line up
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        if name != "events":
            plot.setDownsampling(auto=True, mode="peak")
            plot.setClipToView(True)
        self.shades[name] = Shade(plot.getViewBox())
        plot.addItem(self.shades[name], ignoreBounds=True)
        cursor = pg.InfiniteLine(
            angle=90, movable=True, pen=pg.mkPen(theme.CURSOR, width=2)
        )
        cursor.setZValue(10)
        cursor.sigDragged.connect(self._on_dragged)
        plot.addItem(cursor, ignoreBounds=True)
        self.cursors[name] = cursor

    def draw(self, name: str, times: np.ndarray, values: np.ndarray | None) -> None:
        """Draw a curve of `CURVES`; None takes it out."""
        if values is None:
            self.lines[name].setData([], [])
        elif name == "events":
            self.lines[name].setData(*_sticks(times, values))
        else:
            self.lines[name].setData(times, values)

    def has(self, name: str) -> bool:
        """Whether a curve is drawn."""
        times, _ = self.lines[name].getOriginalDataset()
        return times is not None and len(times) > 0

    def shade(self, times: np.ndarray, rows: np.ndarray) -> None:
        """Shade these rows in every plot."""
        for shade in self.shades.values():
            shade.setRows(times, rows)

    def show_plots(self, names: set[str], time_label: str) -> None:
        """Show these plots alone, with numbers on the time axis of the lowest."""
        for row, (name, plot) in enumerate(self.plots.items()):
            plot.setVisible(name in names)
            share = 2 if name == "events" else 3
            self.ci.layout.setRowStretchFactor(row, share if name in names else 0)
            self.ci.layout.setRowMaximumHeight(row, _MOST if name in names else 0)
        seen = [plot for name, plot in self.plots.items() if name in names]
        for plot in seen:
            axis = plot.getAxis("bottom")
            last = plot is seen[-1]
            axis.setStyle(showValues=last)
            axis.setLabel(time_label if last else None)
            axis.showLabel(last)
            axis.setHeight(None if last else 6)

    def entitle(self, name: str, title: str) -> None:
        """Put a title on the y axis of a plot."""
        axis = self.plots[name].getAxis("left")
        axis.setLabel(title)
        axis.resizeEvent()  # puts it in the middle

    def set_range(self, first: float, last: float) -> None:
        """Show this stretch of time."""
        self.plots[PANELS[0]].setXRange(first, last, padding=0.01)

    def set_time(self, time: float) -> None:
        """Move the line of the current frame, unless the mouse holds it."""
        for cursor in self.cursors.values():
            if self._moved is None:
                cursor.setPos(time)

    def style(self, theme_name: str) -> None:
        """Take napari's colours."""
        theme.style_plots(self, list(self.plots.values()), theme_name)

    def _on_dragged(self, cursor: Any) -> None:
        with self._held(cursor):
            self.timeChosen.emit(cursor.value())
        for other in self.cursors.values():
            if other is not cursor:
                other.setPos(cursor.value())

    @contextmanager
    def _held(self, cursor: Any) -> Iterator[None]:
        self._moved = cursor
        try:
            yield
        finally:
            self._moved = None

    def _on_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        for plot in self.plots.values():
            box = plot.getViewBox()
            if plot.isVisible() and box.sceneBoundingRect().contains(event.scenePos()):
                self.timeChosen.emit(box.mapSceneToView(event.scenePos()).x())
                return


def _sticks(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of a stick for each value that is not 0."""
    at = np.flatnonzero(np.nan_to_num(values))
    ends = np.zeros((at.size, 2))
    ends[:, 1] = values[at]
    return np.repeat(times[at], 2), ends.ravel()
