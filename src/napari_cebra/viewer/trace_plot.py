"""Traces of the selected ROI, with the current frame."""

from __future__ import annotations

import html
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_cebra.viewer import _compat, beneath, theme
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.plot_marks import Borders, Shade
from napari_cebra.viewer.plot_view import HINT, PlotView
from napari_cebra.viewer.registry import workspace_of
from napari_cebra.viewer.roi_picker import RoiPicker, word_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtGui import QShowEvent

    from napari_cebra.recording import Recording

_NO_RECORDING = (
    "No traces yet.\n\nLoad a recording with traces in the CEBRA dock, or extract "
    "them from a stack."
)
_NO_ROI = "Click an ROI in the viewer, or choose one above, to see its traces."
_NO_MASKS = "Choose one of the {}s above to see its traces."
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

        self._picker = RoiPicker(self._workspace)
        self._legend = QLabel()
        self._legend.setWordWrap(True)
        self._legend.setToolTip(HINT)
        self._beneath = QComboBox()
        self._beneath.setToolTip("What is drawn beneath the traces")
        self._beneath.setMinimumContentsLength(8)
        self._beneath.setMaximumWidth(260)
        self._beneath.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._empty = QLabel()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setMargin(16)
        self._view = PlotView()
        self._pages = QStackedWidget()
        self._plots = {
            name: self._view.addPlot(row=row, col=0)
            for row, name in enumerate(("counts", "trace", "variable"))
        }
        self._lines: dict[str, Any] = {}
        self._cursors: dict[str, Any] = {}
        self._shades: dict[str, Shade] = {}
        self._make_plots()
        self._lay_out()

        self._connections = Connections()
        add = self._connections.add
        add(self._workspace.recording_changed, self._on_recording)
        add(self._workspace.decoding_changed, self._on_decoding)
        add(self._workspace.selection.rois_changed, self.refresh)
        add(self._workspace.timeline.changed, self._on_frame)
        add(viewer.events.theme, self._on_theme)
        self.destroyed.connect(self._connections.close)
        self._beneath.activated.connect(self.refresh)
        for cursor in self._cursors.values():
            cursor.sigDragged.connect(self._on_dragged)
        self._view.scene().sigMouseClicked.connect(self._on_clicked)
        self._view.doubleClicked.connect(self.show_all)
        self._on_theme()
        self._on_recording()
        self._on_decoding()

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
            self._shades[name] = Shade(plot.getViewBox())
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
        last = self._plots["variable"]
        self._lines["variable"] = last.plot(pen=pen, connect="finite")
        pen = pg.mkPen(theme.ORANGE, width=2)  # seen beside what was measured
        self._lines["decoded"] = last.plot(pen=pen, connect="finite")
        self._lines["decoded"].setZValue(-1)
        self._borders = Borders(last.getViewBox())
        last.addItem(self._borders, ignoreBounds=True)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self._picker)
        bar.addStretch()
        bar.addWidget(QLabel("Beneath"))
        bar.addWidget(self._beneath, 1)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self._view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(bar)
        layout.addWidget(self._legend)
        layout.addWidget(self._pages, 1)
        self.setMinimumSize(360, 240)

    # What is drawn.

    def refresh(self) -> None:
        """Draw the selected ROI's traces, if they are to be seen."""
        if not self.isVisible():
            return  # done when shown
        recording, roi = self._workspace.recording, self._workspace.selection.roi
        known = recording is not None and roi is not None and roi in recording.roi_ids
        self._empty.setText(_how_to_see(recording))
        self._pages.setCurrentIndex(1 if known else 0)
        if not known or recording is None:
            self._legend.hide()
            self._drawn = ()
            return
        shown = self._beneath.currentData()
        decoding = self._workspace.decoding
        key = (recording, roi, shown, decoding if shown == beneath.DECODED else None)
        if key == self._drawn:  # recordings are equal only to themselves
            return
        other = not self._drawn or self._drawn[0] is not recording
        self._drawn = key
        column = int(np.flatnonzero(recording.roi_ids == roi)[0])
        self._draw_counts(recording, column)
        self._draw_trace(recording, column)
        self._draw_variable(recording)
        entries = self._entries(recording)
        self._legend.setText(entries)
        self._legend.setVisible(bool(entries))
        self._label_time(recording)
        for shade in self._shades.values():
            shade.setRows(self._times, ~recording.valid)
        if other:
            self.show_all()
        self._on_frame()

    def show_all(self) -> None:
        """Show the whole recording."""
        if self._drawn:
            first, last = self._times[0], self._times[-1]
            self._plots["counts"].setXRange(first, last, padding=0.01)

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
        _entitle(self._plots["trace"], _UNITS[kind])

    def _draw_variable(self, recording: Recording) -> None:
        key = self._beneath.currentData()
        self._plots["variable"].setVisible(key is not None)
        if key is None:
            self._borders.setTimes(np.zeros(0))
            return
        found = beneath.look_up(key, recording, self._workspace.decoding, self._times)
        self._lines["variable"].setData(*found.measured)
        self._lines["decoded"].setData(*(found.decoded or ([], [])))
        self._borders.setTimes(found.borders)
        _entitle(self._plots["variable"], html.escape(found.title))

    def _entries(self, recording: Recording) -> str:
        """Name the curves, and why rows are shaded."""
        found = [(text, colour) for name, text, colour in _COUNTS if self._has(name)]
        key, decoding = self._beneath.currentData(), self._workspace.decoding
        if key == beneath.DECODED and decoding is not None:
            found.append((f"{html.escape(decoding.target)}, measured", theme.GREEN))
            found.append(("decoded", theme.ORANGE))
        elif key is not None:
            found.append((html.escape(self._beneath.currentText()), theme.GREEN))
        if not recording.valid.all():
            reasons = " or ".join(reason for reason in recording.reasons if reason)
            found.append((f"not used ({html.escape(reasons)})", (128, 128, 128)))
        dashed = " &nbsp; dashed: borders of the folds" if self._borders.any else ""
        return theme.legend_text(found) + dashed

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
        if recording is not None:
            times = recording.frame_times
            if times is None:
                times = np.arange(recording.n_frames, dtype=np.float64)
            self._times = times
        self._offer(self._beneath.currentData())
        self.refresh()

    def _on_decoding(self) -> None:
        decoding, shown = self._workspace.decoding, self._beneath.currentData()
        if shown is None and decoding is not None:
            shown = beneath.DECODED  # if it is a variable that was decoded
        self._offer(shown)
        self.refresh()

    def _offer(self, chosen: str | None) -> None:
        """Fill the choices of what is beneath, and choose one, or nothing."""
        recording = self._workspace.recording
        with signals_blocked(self._beneath):
            self._beneath.clear()
            self._beneath.addItem("nothing", None)
            if recording is not None:
                for text, key in beneath.choices(recording, self._workspace.decoding):
                    self._beneath.addItem(text, key)
            self._beneath.setCurrentIndex(max(self._beneath.findData(chosen), 0))
        texts = self._beneath.view()
        assert texts is not None
        texts.setMinimumWidth(texts.sizeHintForColumn(0) + 24)  # wider than the box

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


def _entitle(plot: Any, title: str) -> None:
    axis = plot.getAxis("left")
    axis.setLabel(title)
    axis.resizeEvent()  # puts it in the middle


def _how_to_see(recording: Recording | None) -> str:
    if recording is None:
        return _NO_RECORDING
    if recording.rois is None:
        return _NO_MASKS.format(word_for(recording).replace("Unit", "unit"))
    return _NO_ROI


def baseline_of(recording: Recording, column: int) -> np.ndarray | None:
    """Return F0 (T,) in counts, as it was in the dF/F of one ROI.

    ``dF/F = (Fc - F0) / F0`` is solved for F0, so that what is drawn is the
    baseline that was used. NaN where F0 was so low that the noise took its
    place or where the solution is ill-conditioned (Fc near 0); None where the
    traces are not our dF/F, or their neuropil coefficient was fitted.
    """
    traces, made_by = recording.traces, recording.traces.made_by
    fitted = made_by.get("neuropil", "fixed") != "fixed"
    ours = traces.kind == "dff" and made_by.get("step") == "dff"
    if recording.raw is None or not ours or fitted:
        return None
    corrected = recording.raw.values[:, column].astype(np.float64)
    if recording.neuropil is not None:
        around = recording.neuropil.values[:, column].astype(np.float64)
        level = np.median(around) if made_by.get("neuropil_centred", True) else 0.0
        corrected = corrected - made_by["neuropil_coefficient"] * (around - level)
    ratio = 1.0 + traces.values[:, column].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        f0 = corrected / ratio
    return np.where((np.abs(ratio) > 0.02) & (f0 > 0), f0, np.nan)
