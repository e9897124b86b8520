"""Step 2: ROIs, traces, dF/F."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton

from napari_cebra.recording import InvalidInput, RoiSet
from napari_cebra.widgets import preferences
from napari_cebra.widgets.dff_form import DffForm
from napari_cebra.widgets.extraction import (
    Extracted,
    extracting,
    recomputing,
    rois_text,
    without_rejected,
)
from napari_cebra.widgets.fold import Fold
from napari_cebra.widgets.roi_form import RoiChoice, RoiForm
from napari_cebra.widgets.step import Step

if TYPE_CHECKING:
    from napari_cebra.traces import DffSettings
    from napari_cebra.widgets.session import Session

_SETTLE_MS = 250


class TracesStep(Step):
    """Where the ROIs come from, how dF/F is made, which ROIs are used."""

    title = "ROIs & traces"

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Extract")
        self._flagged: tuple[int, ...] = ()
        self._recompute_again = False
        self.rois = RoiForm()
        self.dff = DffForm()
        self.dff_fold = Fold("dF/F", self.dff)
        self.dff_fold.setToolTip("Neuropil and baseline; changes apply at once")
        self.dff_fold.setValue(True)
        self.apply_button = QPushButton("Apply to the traces")
        self.apply_button.setToolTip(
            "Compute dF/F again; the embedding made from the old traces is dropped"
        )
        self.apply_button.hide()
        self.picked = QLabel()
        self.reject_button = QPushButton("Reject")
        self.reject_button.setToolTip("Leave the selected ROIs out, or take them back")
        self.flagged_button = QPushButton("Select flagged")
        self.flagged_button.setToolTip(
            "Select the ROIs whose baseline does not stand out of the noise"
        )
        self.undo_button, self.redo_button = QToolButton(), QToolButton()
        self.undo_button.setText("Undo")
        self.undo_button.setToolTip("Take back the last change of the ROIs")
        self.redo_button.setText("Redo")
        self.redo_button.setToolTip("Make it again")
        row = QHBoxLayout()
        row.addWidget(self.picked, 1)
        for button in (
            self.flagged_button,
            self.reject_button,
            self.undo_button,
            self.redo_button,
        ):
            row.addWidget(button)
        self.fields.addWidget(self.rois)
        self.fields.addWidget(self.dff_fold)
        self.fields.addWidget(self.apply_button)
        self.fields.addLayout(row)
        self.button.setToolTip("Take one trace per ROI, in one pass (Ctrl+Return)")
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)

        workspace = session.workspace
        self.rois.newLayerWanted.connect(lambda: self.try_to(self._new_layer))
        self.rois.valueChanged.connect(self.refresh)
        session.configChanged.connect(self._show_config)
        session.loaded.connect(self._on_loaded)
        self.dff.valueChanged.connect(self._on_dff)
        self._settle.timeout.connect(self._recompute)
        self.apply_button.clicked.connect(self._recompute)
        self.flagged_button.clicked.connect(self._select_flagged)
        self.reject_button.clicked.connect(self._toggle_rejected)
        self.undo_button.clicked.connect(workspace.undo_rois)
        self.redo_button.clicked.connect(workspace.redo_rois)
        connect = self.connections.add
        connect(workspace.stack_changed, self._on_stack)
        connect(workspace.rois_changed, self.refresh)
        connect(workspace.recording_changed, self.refresh)
        connect(workspace.embedding_changed, self.refresh)
        connect(workspace.selection.rois_changed, self._on_picked)
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
        layer_rois = self._rois_of_layer(choice) if choice.source == "layer" else None
        stack = workspace.stack
        source = self.session.config.source
        self.session.config = replace(
            self.session.config,
            dff=settings,
            source=replace(source, rois=rois_text(choice), reextract=choice.reextract),
        )
        preferences.remember("dff", settings.to_json())
        accompaniment = self.session.accompaniment
        self.start_job(
            "extraction",
            "Extracting",
            lambda: extracting(stack, choice, layer_rois, settings, accompaniment),
            self._on_extracted,
            stopped_text="Extraction was cancelled; the traces from before are kept.",
        )

    def refresh(self, *_: object) -> None:
        """Show what there is to extract from, and what was extracted."""
        workspace = self.session.workspace
        stack, recording, rois = workspace.stack, workspace.recording, workspace.rois
        self.undo_button.setEnabled(workspace.can_undo_rois)
        self.redo_button.setEnabled(workspace.can_redo_rois)
        curated = (
            rois is not None and recording is not None and self._only_curated(rois)
        )
        if stack is None and recording is None:
            self.announce(
                "locked", reason="Nothing is open: load a recording in step 1 first."
            )
        elif stack is None and self.rois.value().source != "suite2p":
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
        rate = getattr(recording, "rate", None) or getattr(stack, "rate", None)
        self.dff.set_rate(rate)
        self._on_picked()

    # ROIs.

    def _new_layer(self) -> None:
        stack = self.session.workspace.stack
        if stack is None:
            raise InvalidInput("Load a stack in step 1 first, to paint ROIs on it.")
        viewer = self.session.viewer
        layer = viewer.add_labels(np.zeros(stack.shape[1:], np.int32), name="ROIs")
        layer.mode = "paint"
        self.rois.setValue(RoiChoice("layer", layer.name))
        self.message.info(
            "Paint each ROI with a number of its own: M takes the next free number."
        )

    def _rois_of_layer(self, choice: RoiChoice) -> RoiSet:
        viewer, rois = self.session.viewer, self.session.workspace.rois
        if choice.layer is None or choice.layer not in viewer.layers:
            raise InvalidInput(
                "No Labels layer is chosen; open one, press New to paint ROIs, or take "
                "ROIs from a file or a grid."
            )
        layer = viewer.layers[choice.layer]
        adapter = self.session.main_view.rois
        if rois is not None and adapter.layer == layer:
            return rois
        painted = RoiSet.from_labels(np.array(layer.data))
        layer.mode = "pan_zoom"  # from now on a click picks an ROI
        # In this order: without ROIs the adapter would take the layer out.
        self.session.workspace.set_rois(painted)
        adapter.adopt(layer)
        return painted

    def _offer_layers(self, *_: object) -> None:
        layers = self.session.viewer.layers
        self.rois.set_layers(
            layer.name
            for layer in layers
            if type(layer).__name__ == "Labels" and layer.ndim == 2
        )

    def _on_stack(self) -> None:
        self._flagged = ()
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

    def _on_picked(self, *_: object) -> None:
        workspace = self.session.workspace
        rois, picked = workspace.rois, workspace.selection.rois
        known = [i for i in picked if rois is not None and i in rois.ids]
        if rois is None or not known:
            self.picked.setText("No ROI selected" if rois is not None else "")
        elif len(known) == 1:
            self.picked.setText(f"ROI {known[0]}")
        else:
            self.picked.setText(f"{len(known)} ROIs")
        self.reject_button.setEnabled(bool(known))
        rejected = [i for i in known if not rois.accepted[rois.index_of(i)]]
        self.reject_button.setText("Accept" if rejected else "Reject")
        self.flagged_button.setVisible(bool(self._flagged))

    def _toggle_rejected(self) -> None:
        workspace = self.session.workspace
        rois = workspace.rois
        if rois is None:
            return
        accepted = rois.accepted.copy()
        at = [rois.index_of(i) for i in workspace.selection.rois if i in rois.ids]
        accepted[at] = not accepted[at].all()
        workspace.set_rois(replace(rois, accepted=accepted))

    def _select_flagged(self) -> None:
        self.session.workspace.selection.set_rois(self._flagged)

    def _only_curated(self, rois: RoiSet) -> bool:
        """Whether some ROIs of the recording were rejected since it was made."""
        recording = self.session.workspace.recording
        if recording is None or recording.rois is None:
            return False
        rejected = set(rois.ids[~rois.accepted].tolist())
        return bool(rejected & set(recording.roi_ids.tolist()))

    # Traces.

    def _show_config(self) -> None:
        blocked = self.dff.blockSignals(True)
        self.dff.setValue(self.session.config.dff)
        self.dff.blockSignals(blocked)
        self._take_own_rois()

    def _on_extracted(self, result: Extracted) -> None:
        workspace = self.session.workspace
        if result.mean_image is not None:
            workspace.set_mean_image(result.mean_image)
        extracted = result.recording.rois
        if not _same_masks(workspace.rois, extracted):
            workspace.set_rois(extracted, forget_history=workspace.rois is None)
        workspace.set_recording(result.recording)
        self._tell_flagged(result)
        self.session.autosave()
        self.session.show_traces()
        self.completed.emit()

    def _tell_flagged(self, result: Extracted) -> None:
        ids = result.recording.roi_ids[result.flagged]
        self._flagged = tuple(int(i) for i in ids)
        total = result.recording.traces.n_rois
        if self._flagged:
            self.message.warning(flagged_text(len(self._flagged), total))
        else:
            self.message.info(f"{counted(total)} extracted; none is flagged.")
        self._on_picked()

    def _on_dff(self, settings: DffSettings) -> None:
        workspace = self.session.workspace
        recording = workspace.recording
        if recording is None or recording.raw is None:
            return
        # What was trained is not thrown away by a touch of a spin box.
        if workspace.embedding is not None:
            self.apply_button.show()
        else:
            self._settle.start()

    def _recompute(self) -> None:
        self.apply_button.hide()
        recording = self.session.workspace.recording
        if recording is None or recording.raw is None:
            return
        if self.is_busy:
            self._recompute_again = True
            return
        self._recompute_again = False
        settings = self.dff.value()
        self.session.config = replace(self.session.config, dff=settings)
        self.start_job(
            "extraction",
            "Computing dF/F",
            lambda: recomputing(recording, settings),
            self._on_recomputed,
        )

    def _on_recomputed(self, result: Extracted) -> None:
        self.session.workspace.set_recording(result.recording)
        self._tell_flagged(result)
        self.session.autosave()
        if self._recompute_again:
            self.session.later(self._recompute)


def counted(n: int) -> str:
    """Return a number of ROIs in words: "1 ROI", "12 ROIs"."""
    return "1 ROI" if n == 1 else f"{n} ROIs"


def flagged_text(n: int, total: int) -> str:
    """Return what it means that n of the ROIs are flagged."""
    are, their = ("is", "its") if n == 1 else ("are", "their")
    return (
        f"{n} of {counted(total)} {are} flagged: {their} baseline does not stand out "
        f"of the noise, so {their} dF/F is not to be trusted."
    )


def _same_masks(before: RoiSet | None, after: RoiSet | None) -> bool:
    """Whether there is nothing to undo between two sets."""
    return (
        before is not None
        and after is not None
        and np.array_equal(before.ids, after.ids)
        and np.array_equal(before.indptr, after.indptr)
        and np.array_equal(before.pixels, after.pixels)
    )
