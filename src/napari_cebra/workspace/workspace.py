"""What is open now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_cebra.pipeline.motion import corrected_stack
from napari_cebra.workspace.index_map import IndexMap
from napari_cebra.workspace.selection import Selection
from napari_cebra.workspace.timeline import Timeline
from napari_cebra.workspace.trace_state import TraceState

if TYPE_CHECKING:
    from pathlib import Path

    from napari_cebra.io import Stack
    from napari_cebra.pipeline import (
        Decoding,
        Embedding,
        HypothesisComparison,
        RoiShares,
    )
    from napari_cebra.recording import Recording, RoiSet
    from napari_cebra.traces.motion import Motion


class Workspace:
    """The open stack, recording, embedding and decoding, and the current frame.

    Each part is an immutable value; setting one announces it and drops what
    was made from the part it replaces. Handlers read the state again instead
    of relying on the arguments of a signal.

    Attributes
    ----------
    stack_changed, rois_changed, recording_changed : Signal
        The stack, the ROIs or the recording was replaced (or became None).
    motion_changed : Signal
        Another motion of the stack is to be undone (or none).
    embedding_changed, decoding_changed, shares_changed, comparison_changed : Signal
        The result was replaced (or dropped, None).
    live_latents : Signal
        A (T, D) snapshot of the latents while an encoder is being trained.
    training_report : Signal
        Each report of the training under way, for the plots.
    project_changed : Signal
        The project folder, or whether there is something unsaved in it.
    index_map_changed : Signal
        The axes were built again.
    """

    stack_changed = Signal()
    motion_changed = Signal()
    rois_changed = Signal()
    recording_changed = Signal()
    embedding_changed = Signal()
    decoding_changed = Signal()
    shares_changed = Signal()
    comparison_changed = Signal()
    live_latents = Signal(object)
    training_report = Signal(object)
    project_changed = Signal()
    index_map_changed = Signal()

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.selection = Selection()
        self.trace_state = TraceState()
        self.index_map = IndexMap(0)
        self.view_state: dict[str, Any] = {}
        self._stack: Stack | None = None
        self._motion: Motion | None = None
        self._rois: RoiSet | None = None
        self._mean_image: np.ndarray | None = None
        self._recording: Recording | None = None
        self._embedding: Embedding | None = None
        self._decoding: Decoding | None = None
        self._shares: RoiShares | None = None
        self._comparison: HypothesisComparison | None = None
        self._project_folder: Path | None = None
        self._unsaved = False
        self._saved_embedding = False
        self._roi_history: list[RoiSet | None] = [None]
        self._roi_at = 0

    # The parts, in the order of the workflow.

    @property
    def stack(self) -> Stack | None:
        """The open imaging stack; None for a recording without one."""
        return self._stack

    @property
    def motion(self) -> Motion | None:
        """The motion that is undone as the stack is read for traces."""
        return self._motion

    @property
    def still(self) -> Stack | None:
        """The open stack with its motion undone, where that was estimated."""
        return (
            None if self._stack is None else corrected_stack(self._stack, self._motion)
        )

    @property
    def rois(self) -> RoiSet | None:
        """The ROIs as drawn or loaded now, perhaps not extracted yet."""
        return self._rois

    @property
    def mean_image(self) -> np.ndarray | None:
        """(Y, X) mean of the stack, once a pass over it was made."""
        return self._mean_image

    @property
    def recording(self) -> Recording | None:
        """Traces and all that was measured beside them."""
        return self._recording

    @property
    def embedding(self) -> Embedding | None:
        """The trained embedding."""
        return self._embedding

    @property
    def decoding(self) -> Decoding | None:
        """What was decoded from the embedding."""
        return self._decoding

    @property
    def shares(self) -> RoiShares | None:
        """What the embedding was attributed to, ROI by ROI."""
        return self._shares

    @property
    def comparison(self) -> HypothesisComparison | None:
        """Variables of the recording that were compared."""
        return self._comparison

    def set_stack(self, stack: Stack | None) -> None:
        """Open a stack; everything made from another one is dropped."""
        self._stack = stack
        self._mean_image = None
        self.set_motion(None)
        self.set_rois(None, forget_history=True)
        self.set_recording(None)
        if stack is not None:
            self.timeline.set_length(stack.shape[0])
            self.timeline.set(0)
        self._changed()
        self.stack_changed.emit()

    def set_motion(self, motion: Motion | None) -> None:
        """Set the motion of the stack; traces taken before stay as they are."""
        if motion is self._motion:
            return
        self._motion = motion
        self._changed()
        self.motion_changed.emit()

    def set_rois(self, rois: RoiSet | None, *, forget_history: bool = False) -> None:
        """Set the ROIs; `undo_rois` returns to those before."""
        if forget_history:
            self._roi_history, self._roi_at = [rois], 0
        elif rois is not self._rois:
            kept = [*self._roi_history[: self._roi_at + 1], rois]
            self._roi_history = kept[-100:]
            self._roi_at = len(self._roi_history) - 1
        self._put_rois(rois)

    @property
    def can_undo_rois(self) -> bool:
        """True if the ROIs were changed since they were loaded."""
        return self._roi_at > 0

    @property
    def can_redo_rois(self) -> bool:
        """True if a change of the ROIs was undone."""
        return self._roi_at < len(self._roi_history) - 1

    def undo_rois(self) -> None:
        """Take back the last change of the ROIs."""
        if self.can_undo_rois:
            self._roi_at -= 1
            self._put_rois(self._roi_history[self._roi_at])

    def redo_rois(self) -> None:
        """Make the change of the ROIs again that was taken back last."""
        if self.can_redo_rois:
            self._roi_at += 1
            self._put_rois(self._roi_history[self._roi_at])

    def _put_rois(self, rois: RoiSet | None) -> None:
        if rois is self._rois:
            return
        self._rois = rois
        self._changed()
        self.rois_changed.emit()

    def set_mean_image(self, image: np.ndarray | None) -> None:
        """Keep the stack's mean image."""
        self._mean_image = image

    def set_recording(
        self, recording: Recording | None, *, keep_results: bool = False
    ) -> None:
        """Set the recording; results made from another one are dropped.

        Parameters
        ----------
        recording : Recording or None
            The new recording.
        keep_results : bool
            True where only what the results do not depend on was changed,
            such as a name or the units of a variable.
        """
        self._recording = recording
        if not keep_results:
            self._embedding = self._decoding = None
            self._shares = self._comparison = None
            self.trace_state.reset()
        if recording is not None:
            self.timeline.set_length(recording.n_frames)
            if self._rois is None and recording.rois is not None:
                self.set_rois(recording.rois, forget_history=True)
        self._map_axes()
        self._changed()
        self.recording_changed.emit()
        if not keep_results:
            self.selection.reset()
            self.embedding_changed.emit()
            self.decoding_changed.emit()
            self.shares_changed.emit()
            self.comparison_changed.emit()

    def set_embedding(self, embedding: Embedding | None) -> None:
        """Set the embedding; what was made from another one is dropped."""
        self._embedding = embedding
        self._decoding = self._shares = None
        self._map_axes()
        self._changed()
        self.embedding_changed.emit()
        self.decoding_changed.emit()
        self.shares_changed.emit()

    def set_decoding(self, decoding: Decoding | None) -> None:
        """Set what was decoded."""
        self._decoding = decoding
        self._changed()
        self.decoding_changed.emit()

    def set_shares(self, shares: RoiShares | None) -> None:
        """Set the share of each ROI in the embedding."""
        self._shares = shares
        self._changed()
        self.shares_changed.emit()

    def set_comparison(self, comparison: HypothesisComparison | None) -> None:
        """Set what a comparison of variables found."""
        self._comparison = comparison
        self._changed()
        self.comparison_changed.emit()

    def show_live(self, latents: np.ndarray) -> None:
        """Show a (T, D) snapshot while training; NaN rows have no latent."""
        if self._recording is None or latents.shape[0] != self._recording.n_frames:
            return
        frames = np.flatnonzero(np.isfinite(latents[:, 0]))
        if not np.array_equal(frames, self.index_map.latent_frames):
            self.index_map = IndexMap.of(self._recording, latents)
            self.index_map_changed.emit()
        self.live_latents.emit(latents)

    def _map_axes(self) -> None:
        if self._recording is None:
            self.index_map = IndexMap(self.timeline.n_frames)
        else:
            latents = None if self._embedding is None else self._embedding.latents
            self.index_map = IndexMap.of(self._recording, latents)
        self.index_map_changed.emit()

    # The project folder.

    @property
    def project_folder(self) -> Path | None:
        """Where the project is saved; None until it was."""
        return self._project_folder

    @property
    def unsaved(self) -> bool:
        """True if something changed since the project was saved."""
        return self._unsaved

    @property
    def would_lose(self) -> bool:
        """True if saving now would take an embedding out of the project folder."""
        return self._saved_embedding and self._embedding is None

    def mark_saved(self, folder: Path) -> None:
        """Note that everything now stands in this folder."""
        self._project_folder = folder
        self._unsaved = False
        self._saved_embedding = self._embedding is not None
        self.project_changed.emit()

    def leave_project(self) -> None:
        """Let the project folder be: what is open now is not what it holds."""
        self._project_folder = None
        self._unsaved = True
        self._saved_embedding = False
        self.project_changed.emit()

    def _changed(self) -> None:
        if not self._unsaved:
            self._unsaved = True
            self.project_changed.emit()

    def clear(self) -> None:
        """Close everything."""
        self.set_stack(None)
        self._project_folder = None
        self._unsaved = self._saved_embedding = False
        self.timeline.set_length(0)
        self.project_changed.emit()
