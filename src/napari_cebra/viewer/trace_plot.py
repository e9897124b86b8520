"""Traces of the selected ROI, with the current frame."""

from __future__ import annotations

import html
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_cebra.recording import InvalidInput
from napari_cebra.viewer import _compat, beneath, theme
from napari_cebra.viewer.connections import Connections
from napari_cebra.viewer.plot_view import HINT
from napari_cebra.viewer.registry import workspace_of
from napari_cebra.viewer.roi_curves import preview_of, roi_curves
from napari_cebra.viewer.roi_picker import RoiPicker, word_for
from napari_cebra.viewer.trace_legend import TraceLegend
from napari_cebra.viewer.trace_panels import TracePanels

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_cebra.recording import Recording
    from napari_cebra.traces.preview import Preview
    from napari_cebra.viewer.roi_curves import RoiCurves

_NO_RECORDING = (
    "No traces yet.\n\nLoad a recording with traces in the CEBRA dock, or extract "
    "them from a stack."
)
_NO_ROI = "Click an ROI in the viewer, or choose one above, to see its traces."
_NO_MASKS = "Choose one of the {}s above to see its traces."
_NO_TRACE = (
    "ROI {} has no trace: it was not accepted, or not there, when the traces were "
    "taken.\n\nAccept it in the table of the ROIs and extract again."
)
_AT_ONCE_S = 0.04  # longer than this, an ROI is drawn once the slider rests
_REST_MS = 200


class TracePlot(QWidget):
    """F, neuropil and F0 in counts, dF/F in %, events, and a variable beneath.

    A vertical line is the current frame: drag it, or click a plot, to go to
    another one. Rows that must not be used are shaded. A click on a name in the
    legend hides its curve, or shows it again. Settings that are tried are seen
    at once on the selected ROI.

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
        self._preview: tuple[Any, Preview | None] = (None, None)
        self._took = 0.0  # seconds, to compute the ROI drawn last

        self._picker = RoiPicker(self._workspace)
        self.legend = TraceLegend(self._workspace.view_state)
        self.legend.setToolTip(f"Click a name to hide its curve. {HINT}")
        self._warning = QLabel()
        self._warning.setWordWrap(True)
        self._warning.setStyleSheet(f"color: rgb{theme.ORANGE};")
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
        self.panels = TracePanels()
        self._pages = QStackedWidget()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._lay_out()

        self._connections = Connections()
        add = self._connections.add
        add(self._workspace.recording_changed, self._on_recording)
        add(self._workspace.decoding_changed, self._on_decoding)
        add(self._workspace.trace_state.changed, self._on_trace_state)
        add(self._workspace.selection.rois_changed, self.refresh)
        add(self._workspace.timeline.changed, self._on_frame)
        add(viewer.events.theme, self._on_theme)
        self.destroyed.connect(self._connections.close)
        self._beneath.activated.connect(self.refresh)
        self._rest.timeout.connect(self.refresh)
        self.legend.toggled.connect(self.refresh)
        self.panels.timeChosen.connect(self._go_to)
        self.panels.doubleClicked.connect(self.show_all)
        self._on_theme()
        self._on_recording()
        self._on_decoding()

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.addWidget(self._picker)
        bar.addStretch()
        bar.addWidget(QLabel("Beneath"))
        bar.addWidget(self._beneath, 1)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self.panels)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(bar)
        layout.addWidget(self.legend)
        layout.addWidget(self._warning)
        layout.addWidget(self._pages, 1)
        self.setMinimumSize(360, 240)

    # What is drawn.

    def refresh(self) -> None:
        """Draw the selected ROI's traces, if they are to be seen."""
        if not self.isVisible():
            return  # done when shown
        recording, roi = self._workspace.recording, self._workspace.selection.roi
        known = recording is not None and roi is not None and roi in recording.roi_ids
        self._empty.setText(_how_to_see(recording, roi))
        self._pages.setCurrentIndex(1 if known else 0)
        if not known or recording is None:
            self.legend.hide()
            self._warning.hide()
            self._drawn = ()
            return
        shown, state = self._beneath.currentData(), self._workspace.trace_state
        decoding = self._workspace.decoding if shown == beneath.DECODED else None
        hidden = frozenset(self.legend.hidden())
        key = (recording, roi, shown, decoding, state.report, state.trying, hidden)
        if key == self._drawn:  # recordings are equal only to themselves
            return
        other = not self._drawn or self._drawn[0] is not recording
        self._drawn = key
        column = int(np.flatnonzero(recording.roi_ids == roi)[0])
        self._draw(recording, self._curves(recording, column))
        if other:
            self.show_all()
        self._on_frame()

    def show_all(self) -> None:
        """Show the whole recording."""
        if self._drawn:
            self.panels.set_range(self._times[0], self._times[-1])

    def _curves(self, recording: Recording, column: int) -> RoiCurves:
        state = self._workspace.trace_state
        if self._preview[0] is not state.report:
            self._preview = state.report, preview_of(recording, state.report)
        start = time.perf_counter()
        try:
            made = roi_curves(
                recording, column, state.report, self._preview[1], state.trying
            )
        except InvalidInput:  # said where the settings are
            made = roi_curves(recording, column, state.report)
        self._took = time.perf_counter() - start
        return made

    def _draw(self, recording: Recording, curves: RoiCurves) -> None:
        panels, legend = self.panels, self.legend
        legend.begin()
        seen = set()
        for name, text in (
            ("neuropil", "neuropil"),
            ("raw", "F"),
            ("f0", curves.f0_name),
        ):
            values = getattr(curves, name)
            shown = values is not None and legend.offer(name, text)
            panels.draw(name, self._times, values if shown else None)
            if shown:
                seen.add("counts")
        has_more = curves.raw is not None or curves.events is not None
        name = curves.unit.split(" (")[0]
        if not has_more or legend.offer("trace", name):
            panels.draw("trace", self._times, curves.trace)
            panels.entitle("trace", curves.unit)
            seen.add("trace")
        if curves.events is not None and legend.offer(
            "events", "events (a.u., not spikes)"
        ):
            panels.draw("events", self._times, curves.events)
            seen.add("events")
        if self._draw_variable(recording):
            seen.add("variable")
        legend.add_note(self._not_used(recording, curves.valid))
        if panels.borders.any:
            legend.add_note("dashed: borders of the folds")
        if self._workspace.trace_state.trying is not None:
            legend.add_note("<i>as the settings say, not applied yet</i>")
        legend.end()
        self._warning.setText("⚠ " + " ".join(curves.warnings))
        self._warning.setVisible(bool(curves.warnings))
        in_frames = recording.frame_times is None
        panels.show_plots(seen, "Time (frames)" if in_frames else "Time (s)")
        panels.shade(self._times, ~curves.valid)

    def _draw_variable(self, recording: Recording) -> bool:
        key, decoding = self._beneath.currentData(), self._workspace.decoding
        if key is None:
            self.panels.borders.setTimes(np.zeros(0))
            return False
        found = beneath.look_up(key, recording, decoding, self._times)
        self.panels.draw("variable", *found.measured)
        self.panels.draw("decoded", *(found.decoded or (np.zeros(0), None)))
        self.panels.borders.setTimes(found.borders)
        self.panels.entitle("variable", html.escape(found.title))
        if key == beneath.DECODED and decoding is not None:
            self.legend.add("variable", f"{html.escape(decoding.target)}, measured")
            self.legend.add("decoded", "decoded")
        else:
            self.legend.add("variable", html.escape(self._beneath.currentText()))
        return True

    def _not_used(self, recording: Recording, valid: np.ndarray) -> str:
        if valid.all():
            return ""
        codes = np.unique(recording.invalid_because[~valid])
        reasons = [recording.reasons[code] or "artefact" for code in codes]
        why = html.escape(" or ".join(dict.fromkeys(reasons)))
        return theme.legend_text([(f"not used ({why})", (128, 128, 128))])

    # What changes.

    def _on_trace_state(self) -> None:
        """Draw what is tried at once, or when the slider rests if that takes long."""
        if self._took > _AT_ONCE_S:
            self._rest.start()
        else:
            self.refresh()

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
            self.panels.style(viewer.theme)
            self.legend.set_text_colour(theme.colours(viewer.theme)["text"])
            self._drawn = ()
            self.refresh()

    # The current frame.

    def _on_frame(self) -> None:
        if not (self._drawn and self.isVisible()):
            return
        frame = self._workspace.timeline.frame
        if frame < self._times.size:
            self.panels.set_time(self._times[frame])

    def _go_to(self, moment: float) -> None:
        """Go to the imaging frame nearest to a place on the time axis."""
        if not self._drawn:
            return
        right = int(
            np.clip(np.searchsorted(self._times, moment), 1, self._times.size - 1)
        )
        before, after = self._times[right - 1], self._times[right]
        self._workspace.timeline.set(
            right if after - moment < moment - before else right - 1
        )


def _how_to_see(recording: Recording | None, roi: int | None) -> str:
    if recording is None:
        return _NO_RECORDING
    if recording.rois is None:
        return _NO_MASKS.format(word_for(recording).replace("Unit", "unit"))
    return _NO_ROI if roi is None else _NO_TRACE.format(roi)
