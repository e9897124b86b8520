"""Traces of the selected ROI, with the current frame."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_cebra.viewer import _compat, theme
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.registry import workspace_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtGui import QPainter, QShowEvent

    from napari_cebra.recording import Recording

_NO_RECORDING = (
    "No traces yet.\n\nLoad a recording with traces in the CEBRA dock, or extract "
    "them from a stack."
)
_NO_ROI = "Click an ROI in the viewer to see its traces."
_UNITS = {
    "dff": "dF/F (%)",
    "raw": "F (counts)",
    "neuropil": "Neuropil (counts)",
    "events": "Events (a.u.)",
    "rates": "Spikes per bin",
    "other": "Activity (a.u.)",
}


_COUNTS = (
    ("neuropil", "neuropil", theme.ORANGE),
    ("raw", "F", theme.BLUE),
    ("f0", "F0", theme.PINK),
)


class TracePlot(QWidget):
    """F, neuropil and F0 in counts, dF/F in %, and a variable beneath.

    A vertical line is the current frame: drag it, or click a plot, to go to
    another one. Rows that must not be used are shaded.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose workspace is shown.
    parent : QWidget, optional
        As in Qt.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        viewer = _compat.unwrap(napari_viewer)
        self._viewer = weakref.ref(viewer)
        self._workspace = workspace_of(viewer)
        self._times = np.zeros(0)
        self._drawn: tuple[Any, ...] = ()
        self._busy = False

        self._title = QLabel()
        self._beneath = QComboBox()
        self._beneath.setToolTip("What is drawn beneath the traces")
        self._empty = QLabel()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setMargin(16)
        self._view = pg.GraphicsLayoutWidget()
        self._pages = QStackedWidget()
        self._plots = {
            name: self._view.addPlot(row=row, col=0)
            for row, name in enumerate(("counts", "trace", "variable"))
        }
        self._lines: dict[str, Any] = {}
        self._cursors: dict[str, Any] = {}
        self._shades: dict[str, _Shade] = {}
        self._make_plots()
        self._lay_out()

        self._connections = Connections()
        add = self._connections.add
        add(self._workspace.recording_changed, self._on_recording)
        add(self._workspace.selection.rois_changed, self.refresh)
        add(self._workspace.timeline.changed, self._on_frame)
        add(viewer.events.theme, self._on_theme)
        self.destroyed.connect(self._connections.close)
        self._beneath.activated.connect(self.refresh)
        for cursor in self._cursors.values():
            cursor.sigDragged.connect(self._on_dragged)
        self._view.scene().sigMouseClicked.connect(self._on_clicked)
        self._on_theme()
        self._on_recording()

    def _make_plots(self) -> None:
        for plot in self._plots.values():
            plot.getAxis("left").setWidth(64)  # so that the plots line up
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.setMouseEnabled(x=True, y=False)
            plot.setDownsampling(auto=True, mode="peak")
            plot.setClipToView(True)
        first = self._plots["counts"]
        for name, plot in self._plots.items():
            if plot is not first:
                plot.setXLink(first)
            self._shades[name] = _Shade(plot.getViewBox())
            plot.addItem(self._shades[name], ignoreBounds=True)
            pen = pg.mkPen(theme.CURSOR, width=2)
            self._cursors[name] = pg.InfiniteLine(angle=90, movable=True, pen=pen)
            self._cursors[name].setZValue(10)
            plot.addItem(self._cursors[name], ignoreBounds=True)
        for name, _, colour in _COUNTS:
            pen = pg.mkPen(colour, width=2 if name == "f0" else 1)
            self._lines[name] = first.plot(pen=pen, connect="finite")
        first.setLabel("left", "Counts")
        pen = pg.mkPen(theme.BLUE)
        self._lines["trace"] = self._plots["trace"].plot(pen=pen)
        pen = pg.mkPen(theme.GREEN)
        self._lines["variable"] = self._plots["variable"].plot(
            pen=pen, connect="finite"
        )

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self._title, 1)
        bar.addWidget(QLabel("Beneath"))
        bar.addWidget(self._beneath)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self._view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(bar)
        layout.addWidget(self._pages, 1)
        self.setMinimumSize(360, 240)

    # What is drawn.

    def refresh(self) -> None:
        """Draw the selected ROI's traces, if they are to be seen."""
        if not self.isVisible():
            return  # done when shown
        recording, roi = self._workspace.recording, self._workspace.selection.roi
        known = recording is not None and roi is not None and roi in recording.roi_ids
        self._empty.setText(_NO_RECORDING if recording is None else _NO_ROI)
        self._pages.setCurrentIndex(1 if known else 0)
        self._title.setText("")
        if not known or recording is None:
            self._drawn = ()
            return
        key = (recording, roi, self._beneath.currentData())
        if key == self._drawn:  # recordings are equal only to themselves
            return
        other = not self._drawn or self._drawn[0] is not recording
        self._drawn = key
        column = int(np.flatnonzero(recording.roi_ids == roi)[0])
        self._draw_counts(recording, column)
        self._draw_trace(recording, column)
        self._draw_variable(recording)
        self._title.setText(self._heading(recording, roi))
        self._label_time(recording)
        for shade in self._shades.values():
            shade.setRows(self._times, ~recording.valid)
        if other:
            self._plots["counts"].setXRange(
                self._times[0], self._times[-1], padding=0.01
            )
        self._on_frame()

    def _draw_counts(self, recording: Recording, column: int) -> None:
        shown = recording.raw is not None
        self._plots["counts"].setVisible(shown)
        if recording.raw is None:
            for name, _, _ in _COUNTS:
                self._lines[name].setData([], [])
            return
        raw = recording.raw.values[:, column]
        neuropil = recording.neuropil
        self._lines["raw"].setData(self._times, raw)
        if neuropil is None:
            self._lines["neuropil"].setData([], [])
        else:
            self._lines["neuropil"].setData(self._times, neuropil.values[:, column])
        f0 = baseline_of(recording, column)
        if f0 is None:
            self._lines["f0"].setData([], [])
        else:
            self._lines["f0"].setData(self._times, f0)

    def _draw_trace(self, recording: Recording, column: int) -> None:
        values = recording.traces.values[:, column]
        kind = recording.traces.kind
        self._lines["trace"].setData(
            self._times, 100 * values if kind == "dff" else values
        )
        self._plots["trace"].setLabel("left", _UNITS[kind])

    def _draw_variable(self, recording: Recording) -> None:
        key = self._beneath.currentData()
        self._plots["variable"].setVisible(key is not None)
        if key is None:
            return
        if key == "stimulus" and recording.stimulus is not None:
            values, units = recording.stimulus.shown.astype(float), "frame"
            values[values < 0] = np.nan
        else:
            variable = recording.variable(key)
            values = np.asarray(variable.values, float)
            values = values if values.ndim == 1 else values[:, 0]
            if variable.kind == "discrete":
                values = np.where(values < 0, np.nan, values)
            units = variable.units
        self._lines["variable"].setData(self._times, values)
        self._plots["variable"].setLabel("left", units)  # its name is in the heading

    def _heading(self, recording: Recording, roi: int | None) -> str:
        """Name the ROI, the curves, and why rows are shaded."""
        found = [(text, colour) for name, text, colour in _COUNTS if self._has(name)]
        if self._beneath.currentData() is not None:
            found.append((self._beneath.currentText(), theme.GREEN))
        if not recording.valid.all():
            reasons = " or ".join(reason for reason in recording.reasons if reason)
            found.append((f"not used ({reasons})", (128, 128, 128)))
        return f"<b>ROI {roi}</b> &nbsp; {theme.legend_text(found)}"

    def _has(self, name: str) -> bool:
        times, _ = self._lines[name].getOriginalDataset()
        return times is not None and len(times) > 0

    def _label_time(self, recording: Recording) -> None:
        """Put numbers on the time axis of the lowest plot alone."""
        seen = [plot for plot in self._plots.values() if plot.isVisible()]
        text = "Time (frames)" if recording.frame_times is None else "Time (s)"
        for plot in seen:
            axis = plot.getAxis("bottom")
            last = plot is seen[-1]
            axis.setStyle(showValues=last)
            axis.setLabel(text if last else None)
            axis.showLabel(last)
            axis.setHeight(None if last else 6)

    def _on_recording(self) -> None:
        recording = self._workspace.recording
        self._drawn = ()
        with signals_blocked(self._beneath):
            before = self._beneath.currentData()
            self._beneath.clear()
            self._beneath.addItem("nothing", None)
            if recording is not None:
                if recording.stimulus is not None:
                    self._beneath.addItem("stimulus frame", "stimulus")
                for variable in recording.variables:
                    self._beneath.addItem(variable.name, variable.name)
            self._beneath.setCurrentIndex(max(self._beneath.findData(before), 0))
        if recording is not None:
            times = recording.frame_times
            if times is None:
                times = np.arange(recording.n_frames, dtype=np.float64)
            self._times = times
        self.refresh()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Draw what changed while nobody looked."""
        super().showEvent(event)
        self.refresh()
        self._on_frame()

    def _on_theme(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            plots = list(self._plots.values())
            theme.style_plots(self._view, plots, viewer.theme)

    # The current frame.

    def _on_frame(self) -> None:
        if not (self._drawn and self.isVisible()) or self._busy:
            return
        frame = self._workspace.timeline.frame
        if frame < self._times.size:
            for cursor in self._cursors.values():
                cursor.setPos(self._times[frame])

    def _on_dragged(self, cursor: Any) -> None:
        with self._moving():
            self._go_to(cursor.value())
        for other in self._cursors.values():
            if other is not cursor:
                other.setPos(cursor.value())

    def _on_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._drawn:
            return
        for plot in self._plots.values():
            box = plot.getViewBox()
            if plot.isVisible() and box.sceneBoundingRect().contains(event.scenePos()):
                self._go_to(box.mapSceneToView(event.scenePos()).x())
                return

    def _go_to(self, time: float) -> None:
        """Go to the imaging frame nearest to a place on the time axis."""
        right = int(
            np.clip(np.searchsorted(self._times, time), 1, self._times.size - 1)
        )
        before, after = self._times[right - 1], self._times[right]
        self._workspace.timeline.set(
            right if after - time < time - before else right - 1
        )

    @contextmanager
    def _moving(self) -> Iterator[None]:
        """Leave the cursor to the mouse while it is dragged."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False


def baseline_of(recording: Recording, column: int) -> np.ndarray | None:
    """Return F0 (T,) in counts, as it was in the dF/F of one ROI.

    ``dF/F = (Fc - F0) / F0`` is solved for F0, so that what is drawn is the
    baseline that was used. NaN where F0 was so low that the noise took its
    place or where the solution is ill-conditioned (Fc near 0); None where the
    traces are not our dF/F.
    """
    made_by = recording.traces.made_by
    if recording.raw is None or made_by.get("step") != "dff":
        return None
    corrected = recording.raw.values[:, column].astype(np.float64)
    if recording.neuropil is not None:
        around = recording.neuropil.values[:, column].astype(np.float64)
        corrected = corrected - made_by["neuropil_coefficient"] * (
            around - np.median(around)
        )
    ratio = 1.0 + recording.traces.values[:, column].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        f0 = corrected / ratio
    return np.where((np.abs(ratio) > 0.02) & (f0 > 0), f0, np.nan)


class _Shade(pg.GraphicsObject):
    """Grey stripes over the rows that must not be used, as high as the view."""

    def __init__(self, box: Any) -> None:
        super().__init__()
        self._box = box
        self._runs = np.zeros((0, 2))
        self.setZValue(-10)
        box.sigRangeChanged.connect(self._on_range)

    def setRows(self, times: np.ndarray, rows: np.ndarray) -> None:
        """Shade these rows (bool, one per time)."""
        edges = np.diff(np.concatenate([[0], rows.astype(np.int8), [0]]))
        begin, end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        half = float(np.median(np.diff(times))) / 2 if times.size > 1 else 0.5
        self._runs = np.stack([times[begin] - half, times[end] + half], axis=1)
        self.update()

    def boundingRect(self) -> QRectF:
        """Return all that is in view."""
        return QRectF(self._box.viewRect())

    def paint(self, painter: QPainter, *_: object) -> None:
        """Draw the stripes in view."""
        view = self._box.viewRect()
        seen = (self._runs[:, 1] >= view.left()) & (self._runs[:, 0] <= view.right())
        brush = pg.mkBrush(128, 128, 128, 70)
        for left, right in self._runs[seen]:
            stripe = QRectF(left, view.top(), right - left, view.height())
            painter.fillRect(stripe, brush)

    def _on_range(self) -> None:
        self.prepareGeometryChange()
