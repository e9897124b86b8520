"""What a fit of two clocks leaves: residuals, their histogram, the pulses."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_cebra.viewer import _compat, theme
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.plot_marks import Ticks
from napari_cebra.viewer.plot_view import HINT, PlotView

if TYPE_CHECKING:
    from napari_cebra.pipeline.align import LogAlignment

_MOST_POINTS = 5000
_FIRST_PULSES = 30  # in view at first; a double click shows all
_TRAINS = (("imaging", 1, theme.BLUE), ("log", 0, theme.ORANGE))


class AlignmentPlot(QWidget):
    """Residuals (ms) over time and as a histogram; the two trains of pulses.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose theme is followed.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = _compat.unwrap(napari_viewer)
        self._viewer = weakref.ref(viewer)
        self._at = np.zeros(0)  # of the pairs
        self._legend = QLabel()
        self._legend.setWordWrap(True)
        self._legend.setToolTip(
            "Above: what the fit leaves of each pair of pulses, and how often. Below: "
            "the pulses of the log, brought onto the imaging clock, beneath those of "
            "imaging.\n\n" + HINT
        )
        self._view = PlotView()
        self.residuals = self._view.addPlot(row=0, col=0)
        self.histogram = self._view.addPlot(row=0, col=1)
        self.pulses = self._view.addPlot(row=1, col=0, colspan=2)
        self._view.ci.layout.setColumnStretchFactor(0, 3)
        self._view.ci.layout.setColumnStretchFactor(1, 1)
        self._view.ci.layout.setRowStretchFactor(0, 3)
        self._view.ci.layout.setRowStretchFactor(1, 2)
        self._draw_axes()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._legend)
        column.addWidget(self._view, 1)
        self.setMinimumSize(260, 330)
        self._connections = connections = Connections()
        connections.add(viewer.events.theme, self._on_theme)
        self.destroyed.connect(lambda: connections.close())
        self._view.doubleClicked.connect(self.show_all)
        self._on_theme()

    def show_all(self) -> None:
        """Show everything again."""
        for plot in (self.residuals, self.histogram):
            plot.enableAutoRange()
        self._show_pulses(-1)

    def _show_pulses(self, last: int) -> None:
        if self._at.size:
            self.pulses.setXRange(self._at[0], self._at[last])

    def set_log(self, log: LogAlignment) -> None:
        """Draw a log that was fitted to pulses or onsets."""
        assert log.fit is not None
        fit, at = log.fit, log.imaging[log.fit.target_rows]
        left = 1e3 * fit.residuals
        step = -(-left.size // _MOST_POINTS)
        self._points.setData(at[::step], left[::step])
        count, edges = np.histogram(left, min(40, max(8, left.size // 8)))
        self._bars.setOpts(
            y0=edges[:-1], y1=edges[1:], x0=np.zeros(count.size), x1=count
        )
        most = int(count.max())
        self.histogram.getAxis("bottom").setTicks([[(0, "0"), (most, str(most))]])
        trains = {
            "log": (log.pulses, fit.source_rows),
            "imaging": (log.imaging, fit.target_rows),
        }
        for name in self._ticks:
            times, rows = trains[name]
            paired = np.zeros(times.size, bool)
            paired[rows] = True
            for ticks, rows in zip(self._ticks[name], (paired, ~paired), strict=True):
                seen = times[rows]
                ticks.setTimes(np.sort(seen[np.isfinite(seen)]))
        self._at = np.sort(at)
        self.show_all()
        self._show_pulses(min(_FIRST_PULSES, at.size) - 1)
        self._legend.setText(
            theme.legend_text(
                [
                    ("imaging", theme.BLUE),
                    (f"{log.what} log", theme.ORANGE),
                    ("without partner", theme.PINK),
                ]
            )
        )

    def _draw_axes(self) -> None:
        self.residuals.setLabel("left", "Residual (ms)")
        self.residuals.setLabel("bottom", "Imaging time (s)")
        self.histogram.setLabel("bottom", "Pairs")
        self.histogram.setYLink(self.residuals)
        self.histogram.getAxis("left").setStyle(showValues=False)
        self.pulses.setLabel("bottom", "Imaging time (s)")
        self.pulses.getAxis("left").setTicks([[(1.4, "imaging"), (0.4, "log")]])
        self.pulses.setMouseEnabled(x=True, y=False)
        for plot in (self.residuals, self.histogram, self.pulses):
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
            plot.setMenuEnabled(False)
            plot.hideButtons()
        for plot in (self.residuals, self.pulses):
            plot.getAxis("left").setWidth(56)
        self.residuals.showGrid(y=True, alpha=0.2)
        self._points = self.residuals.plot(
            pen=None, symbol="o", symbolSize=4, symbolPen=None, symbolBrush=theme.ORANGE
        )
        self.residuals.addItem(pg.InfiniteLine(0, angle=0, pen=(140, 140, 140)))
        self._bars = pg.BarGraphItem(
            x0=[0], x1=[0], y0=[0], y1=[0], brush=theme.ORANGE, pen=None
        )
        self.histogram.addItem(self._bars)
        box = self.pulses.getViewBox()
        self._ticks = {
            name: tuple(
                Ticks(box, _pen(colour), level, level + 0.8)
                for colour in (of_train, theme.PINK)
            )
            for name, level, of_train in _TRAINS
        }
        for ticks in self._ticks.values():
            for part in ticks:
                self.pulses.addItem(part, ignoreBounds=True)
        self.pulses.setYRange(-0.1, 1.9)

    def _on_theme(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            plots = [self.residuals, self.histogram, self.pulses]
            theme.style_plots(self._view, plots, viewer.theme)


def _pen(colour: theme.Rgb) -> Any:
    return pg.mkPen(colour, width=2)
