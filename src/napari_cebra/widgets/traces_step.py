"""Step 2: ROIs, traces, dF/F."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMenu, QPushButton

from napari_cebra.pipeline.config import DETECT
from napari_cebra.pipeline.roi_export import write_rois
from napari_cebra.pipeline.trace_report import counted, notes_of
from napari_cebra.recording import Progress, RoiSet
from napari_cebra.widgets.curation import Curation
from napari_cebra.widgets.dff_form import DffForm
from napari_cebra.widgets.extraction import (
    Extracted,
    applied_settings,
    extracting,
    recomputing,
    rois_text,
    same_masks,
    without_rejected,
)
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.roi_form import RoiChoice, RoiForm
from napari_cebra.widgets.roi_layers import new_layer, roi_layers, rois_of_layer
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np

    from napari_cebra.io import Stack
    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.recording import Recording
    from napari_cebra.traces import DffSettings
    from napari_cebra.widgets.session import Session

_SETTLE_MS = 250
_DFF_TITLE = "dF/F and events"


class TracesStep(Step):
    """Where the ROIs come from, how dF/F is made, which ROIs are used."""

    title = "ROIs & traces"

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Extract")
        self._recompute_again = False
        self._told: TraceReport | None = None
        self.rois = RoiForm()
        self.dff = DffForm()
        self.dff_fold = Fold(_DFF_TITLE, self.dff)
        self.dff_fold.setToolTip(
            "Neuropil, baseline, artefacts, events; the selected ROI follows at once, "
            "all others when you pause"
        )
        self.dff_fold.setValue(True)
        self.apply_button = QPushButton("Apply to the traces")
        self.apply_button.setToolTip(
            "Compute dF/F again; the embedding made from the old traces is dropped"
        )
        self.apply_button.hide()
        self.curation = Curation(session.workspace)
        self.pictures_button = QPushButton("Show an image of the stack")
        self.pictures_button.setToolTip(
            "Mean, maximum, standard deviation or local correlation, as a layer under "
            "the ROIs; from the pass over the stack that took the traces"
        )
        self.pictures_button.setMenu(QMenu(self))
        self.fields.addWidget(self.rois)
        self.fields.addWidget(self.dff_fold)
        self.fields.addWidget(self.apply_button)
        self.fields.addWidget(self.curation)
        self.fields.addWidget(self.pictures_button)
        self.button.setToolTip("Take one trace per ROI, in one pass (Ctrl+Return)")
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)

        workspace = session.workspace
        self.pictures_button.menu().aboutToShow.connect(self._fill_pictures)
        self.curation.exportWanted.connect(self.export_rois)
        self.rois.newLayerWanted.connect(lambda: self.try_to(self._new_layer))
        self.rois.valueChanged.connect(self.refresh)
        session.configChanged.connect(self._show_config)
        session.loaded.connect(self._on_loaded)
        self.dff.valueChanged.connect(self._on_dff)
        self._settle.timeout.connect(self._recompute)
        self.apply_button.clicked.connect(self._recompute)
        connect = self.connections.add
        connect(workspace.stack_changed, self._on_stack)
        connect(workspace.rois_changed, self.refresh)
        connect(workspace.recording_changed, self.refresh)
        connect(workspace.embedding_changed, self.refresh)
        connect(workspace.trace_state.changed, self._on_trace_state)
        layers = session.viewer.layers
        connect(layers.events.inserted, self._offer_layers)
        connect(layers.events.removed, self._offer_layers)
        self._offer_layers()
        self._show_config()
        self._on_stack()

    def value(self) -> tuple[RoiChoice, DffSettings]:
        """Return where the ROIs come from and how dF/F is made."""
        return self.rois.value(), self.dff.value()

    def setValue(self, value: tuple[RoiChoice, DffSettings]) -> None:
        """Choose."""
        self.rois.setValue(value[0])
        self.dff.setValue(value[1])

    def main_action(self) -> None:
        """Extract, or leave rejected ROIs out of the traces there are."""
        workspace = self.session.workspace
        recording, rois = workspace.recording, workspace.rois
        if rois is not None and recording is not None and self._only_curated(rois):
            workspace.set_recording(without_rejected(recording, rois))
            self.session.autosave()
            return
        choice, settings = self.value()
        known = rois
        if choice.source == "layer":
            known = rois_of_layer(self.session, choice.layer)
        stack, motion = workspace.stack, workspace.motion
        source = self.session.config.source
        named = rois_text(choice)
        if choice.source == "layer" and known is rois and source.rois == DETECT:
            named = DETECT  # they were found here
        self.session.config = replace(
            self.session.config,
            dff=settings,
            source=replace(source, rois=named, reextract=choice.reextract),
        )
        company = self.session.accompaniment
        self.start_job(
            "extraction",
            "Extracting",
            lambda: extracting(stack, choice, known, settings, company, motion),
            lambda result: self._on_extracted(result, stack),
            stopped_text="Extraction was cancelled; the traces from before are kept.",
        )

    def refresh(self, *_: object) -> None:
        """Show what there is to extract from, and what was extracted."""
        workspace = self.session.workspace
        stack, recording, rois = workspace.stack, workspace.recording, workspace.rois
        curated = (
            rois is not None and recording is not None and self._only_curated(rois)
        )
        if stack is None and recording is None:
            self.announce(
                "locked",
                reason="Nothing is open: load a recording first, in the step Load.",
            )
        elif stack is None and self.rois.value().path is None:
            n = recording.traces.n_rois if recording is not None else 0
            self.announce("done", f"{n} traces, as loaded")
            self.button.setEnabled(curated and not self.is_busy)
        elif recording is None:
            self.announce("todo")
        else:
            self.announce("done", counted(recording.traces.n_rois))
        self.button.setText(
            "Leave rejected ROIs out"
            if curated
            else ("Extract" if recording is None else "Extract again")
        )
        has_raw = recording is not None and recording.raw is not None
        self.dff.set_neuropil_available(
            recording is None or not has_raw or recording.neuropil is not None
        )
        ready = stack is None and recording is not None and not has_raw
        self.dff_fold.setEnabled(not ready)
        self.dff_fold.setTitle(
            "dF/F and events: the traces came ready" if ready else _DFF_TITLE
        )
        rate = getattr(recording, "rate", None) or getattr(stack, "rate", None)
        self.dff.set_rate(rate)
        self.pictures_button.setVisible(bool(self._pictures()))

    # ROIs.

    def _new_layer(self) -> None:
        self.rois.setValue(RoiChoice("layer", new_layer(self.session)))
        self.message.info(
            "Paint each ROI with a number of its own: M takes the next free number."
        )

    def _offer_layers(self, *_: object) -> None:
        self.rois.set_layers(roi_layers(self.session.viewer))

    def _on_stack(self) -> None:
        self.message.clear()  # it told of another recording
        self.refresh()

    def _on_loaded(self) -> None:
        """Take the recording's own ROIs where it brings some, else none of a file."""
        if not self._take_own_rois() and self.rois.value().source != "grid":
            self.rois.setValue(RoiChoice())
        self._on_stack()

    def _take_own_rois(self) -> bool:
        """Choose the layer of the ROIs that are open; False where there are none."""
        layer = self.session.main_view.rois.layer
        if layer is None:
            return False
        self.rois.setValue(RoiChoice("layer", layer.name))
        return True

    def _only_curated(self, rois: RoiSet) -> bool:
        """Whether some ROIs of the recording were rejected since it was made."""
        recording = self.session.workspace.recording
        if recording is None or recording.rois is None:
            return False
        rejected = set(rois.ids[~rois.accepted].tolist())
        return bool(rejected & set(recording.roi_ids.tolist()))

    def export_rois(self, path: Path) -> None:
        """Write the ROIs in the form that the ending of the file names."""
        workspace = self.session.workspace
        rois, report = workspace.rois, workspace.trace_state.report
        if rois is None:
            return

        def write() -> Generator[Progress, None, tuple[str, ...]]:
            yield Progress(0, 0, "", f"Writing {path.name}")
            return write_rois(path, rois, report)

        def told(notes: tuple[str, ...]) -> None:
            self.message.info("\n".join([f"Written: {path}.", *notes]))

        self.start_job("export", "Writing the ROIs", write, told)

    def _pictures(self) -> dict[str, np.ndarray]:
        """Return the images of the stack that there are."""
        mean = self.session.workspace.mean_image
        known = {} if mean is None else {"mean": mean}  # alone of a reopened project
        return {**known, **self.session.pictures}

    def _fill_pictures(self) -> None:
        menu, view = self.pictures_button.menu(), self.session.main_view
        menu.clear()
        for name, image in self._pictures().items():
            action = menu.addAction(name.capitalize())
            show = partial(view.show_picture, f"{name} image", image)
            action.triggered.connect(lambda _=False, show=show: show())

    # Traces.

    def _show_config(self) -> None:
        self._show_settings(self.session.config.dff)
        self._take_own_rois()

    def _show_settings(self, settings: DffSettings) -> None:
        blocked = self.dff.blockSignals(True)
        self.dff.setValue(settings)
        self.dff.blockSignals(blocked)

    def _on_extracted(self, result: Extracted, stack: Stack | None) -> None:
        workspace = self.session.workspace
        if workspace.stack is not stack:
            return  # another was loaded meanwhile
        if result.pictures:
            self.session.pictures = result.pictures
            workspace.set_mean_image(result.pictures["mean"])
        extracted = result.rois
        if extracted is not None and not same_masks(workspace.rois, extracted):
            workspace.set_rois(extracted, forget_history=workspace.rois is None)
        n = result.recording.traces.n_rois
        self._take(result, f"{counted(n)} extracted; none is flagged.")
        self.session.autosave()
        self.session.show_traces()
        self.completed.emit()

    def _take(self, result: Extracted, said: str) -> None:
        """Set the recording and what is known of it; the same ROIs stay selected."""
        workspace = self.session.workspace
        picked = workspace.selection.rois
        workspace.set_recording(result.recording)
        workspace.trace_state.set_report(result.report)
        known = result.recording.roi_ids
        workspace.selection.set_rois(roi for roi in picked if roi in known)
        if result.report.notes:
            self.message.warning("\n".join(result.report.notes))
        else:
            self.message.info(said)

    def _on_trace_state(self) -> None:
        """Show what was found out of traces that were loaded, and what is tried."""
        workspace = self.session.workspace
        state, recording = workspace.trace_state, workspace.recording
        settings = state.trying or applied_settings(recording)
        if settings is not None and settings != self.dff.value():
            self._show_settings(settings)
        tried = state.trying is not None and workspace.embedding is not None
        self.apply_button.setVisible(tried)
        notes = () if recording is None else notes_of(recording)
        is_new = state.report is not None and state.report is not self._told
        if is_new and notes and not self.is_busy and not self.message.text():
            self.message.warning("\n".join(notes))
        self._told = state.report

    def _on_dff(self, settings: DffSettings) -> None:
        workspace = self.session.workspace
        applied = applied_settings(workspace.recording)
        if applied is None:
            return
        if settings == applied:
            self._settle.stop()
            workspace.trace_state.try_settings(None)
            return
        workspace.trace_state.try_settings(settings)
        # What was trained is not thrown away by a touch of a spin box.
        if workspace.embedding is None:
            self._settle.start()

    def _recompute(self) -> None:
        workspace = self.session.workspace
        recording, settings = workspace.recording, workspace.trace_state.trying
        if recording is None or recording.raw is None or settings is None:
            return
        if self.is_busy:
            self._recompute_again = True
            return
        self._recompute_again = False
        self.session.config = replace(self.session.config, dff=settings)
        self.start_job(
            "extraction",
            "Computing dF/F",
            lambda: recomputing(recording, settings),
            lambda result: self._on_recomputed(result, recording),
        )

    def _on_recomputed(self, result: Extracted, before: Recording) -> None:
        workspace = self.session.workspace
        if workspace.recording is not before:  # changed, or another was loaded
            self.session.later(self._recompute)
            return
        trying = workspace.trace_state.trying
        applied = applied_settings(result.recording)
        n = result.recording.traces.n_rois
        self._take(result, f"Traces of {counted(n)} computed; none is flagged.")
        self.session.autosave()
        if trying != applied:  # the person went on
            workspace.trace_state.try_settings(trying)
            if self._recompute_again:
                self.session.later(self._recompute)
