"""From ROIs to a recording: the long work of step 2."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.io import read_roi_file
from napari_cebra.pipeline.roi_traces import program_traces, roi_traces, with_dff
from napari_cebra.pipeline.trace_report import short_rings, trace_report
from napari_cebra.recording import InvalidInput, Progress, Recording, RoiSet
from napari_cebra.traces import DffSettings

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_cebra.io import RoiFile, Stack
    from napari_cebra.pipeline.roi_traces import RoiTraces
    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.traces import Extraction
    from napari_cebra.traces.motion import Motion
    from napari_cebra.widgets.opening import Accompaniment
    from napari_cebra.widgets.roi_form import RoiChoice

FROM_FILE = ("file", "suite2p")
"""Sources of ROIs that are a file or a folder."""


@dataclass(frozen=True, eq=False)
class Extracted:
    """What step 2 gives."""

    recording: Recording
    report: TraceReport
    rois: RoiSet | None = None  # all of them, where some have no trace
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


def extracting(
    stack: Stack | None,
    choice: RoiChoice,
    rois: RoiSet | None,
    settings: DffSettings,
    accompaniment: Accompaniment,
    motion: Motion | None = None,
) -> Generator[Progress, None, Extracted]:
    """Take traces from the stack, or from a file of ROIs that brings its own.

    Parameters
    ----------
    stack : Stack or None
        None where only a file or folder with traces is there.
    choice : RoiChoice
        Source of the ROIs.
    rois : RoiSet or None
        ROIs of a layer, or those already open; a file's own if None. Those that
        are the file's bring their curation.
    settings : DffSettings
    accompaniment : Accompaniment
        Variables and stimulus to attach.
    motion : Motion, optional
        Of the stack, to be undone as it is read.
    """
    yield Progress(0, 0, "", "Reading the ROIs")
    step: tuple[str, dict[str, Any]] | None = None
    if choice.source in FROM_FILE:
        file = read_roi_file(_chosen(choice), *_of_stack(stack))
        if rois is not None and same_masks(rois, file.rois):
            file = replace(file, rois=rois)
        if file.activity is not None and (stack is None or not choice.reextract):
            _check_length(file, stack)
            made = program_traces(file, settings, name=file.source.name)
            return _extracted(made, accompaniment, file.rois)
        rois = file.rois
        step = f"read {file.program}", {"notes": list(file.notes)}
    if stack is None:
        raise InvalidInput("There is no stack to take traces from; load one in step 1.")
    if choice.source == "grid" or rois is None:
        rois = RoiSet.grid(stack.shape[1:], choice.tile)
    made = yield from roi_traces(stack, rois, settings, motion)
    if step is not None:
        recording = made.recording.with_step(step[0], str(choice.path), **step[1])
        made = replace(made, recording=recording)
    return _extracted(made, accompaniment, rois)


def recomputing(
    recording: Recording, settings: DffSettings
) -> Generator[Progress, None, Extracted]:
    """Compute dF/F again from the stored raw traces."""
    from napari_cebra.traces import dff
    from napari_cebra.traces.artefacts import bad_frames_of

    yield Progress(0, 0, "", "Computing dF/F")
    assert recording.raw is not None
    rows = ~bad_frames_of(recording)
    made = dff(recording.raw, recording.neuropil, settings, rows)
    recording = with_dff(recording, made, short_rings(recording))
    return Extracted(recording, trace_report(recording, made))


def reporting(recording: Recording) -> Generator[Progress, None, TraceReport]:
    """Judge traces that were not made here just now."""
    yield Progress(0, 0, "", "Judging the traces")
    return trace_report(recording)


def without_rejected(recording: Recording, rois: RoiSet) -> Recording:
    """Return the recording without the columns of ROIs that are rejected."""
    used = set(rois.ids[rois.accepted].tolist())
    keep = np.array([int(i) in used for i in recording.roi_ids])
    if not keep.any():
        raise InvalidInput("Every ROI is rejected; accept at least one.")

    def columns(traces: Any) -> Any:
        return (
            None if traces is None else replace(traces, values=traces.values[:, keep])
        )

    assert recording.rois is not None
    return replace(
        recording,
        traces=columns(recording.traces),
        raw=columns(recording.raw),
        neuropil=columns(recording.neuropil),
        rois=recording.rois.select(keep),
    )


def rois_text(choice: RoiChoice) -> str | None:
    """Return the source as the command line writes it; None for a layer."""
    if choice.source == "grid":
        return f"grid:{choice.tile}"
    return None if choice.path is None else str(choice.path)


def _extracted(
    made: RoiTraces, accompaniment: Accompaniment, rois: RoiSet
) -> Extracted:
    recording = accompaniment.attach(made.recording)
    report = trace_report(recording, made.made)
    return Extracted(recording, report, rois, pictures_of(made.extraction))


def _chosen(choice: RoiChoice) -> Path:
    if choice.path is None:
        raise InvalidInput(
            "No file or folder of ROIs is chosen; choose one above: a label image, "
            "RoiSet.zip of ImageJ, CaImAn, NWB, suite2p or minian."
        )
    return choice.path


def _of_stack(stack: Stack | None) -> tuple[tuple[int, int] | None, float | None]:
    """Field of view and rate, as far as they are known."""
    return (None, None) if stack is None else (stack.shape[1:], stack.rate)


def _check_length(file: RoiFile, stack: Stack | None) -> None:
    if stack is not None and file.activity.n_frames != stack.shape[0]:
        raise InvalidInput(
            f"{file.source.name} has traces of {file.activity.n_frames} frames but the "
            f"stack has {stack.shape[0]}; choose the ROIs of this stack, or tick "
            "“re-extract from the stack”."
        )


def pictures_of(extraction: Extraction | None) -> dict[str, np.ndarray]:
    """Return the pictures that a pass over the stack gave, by their names."""
    if extraction is None:
        return {}
    found = {
        "mean": extraction.mean_image,
        "maximum": extraction.max_image,
        "standard deviation": extraction.std_image,
        "correlation": extraction.correlation_image,
    }
    return {name: image for name, image in found.items() if image is not None}


def applied_settings(recording: Recording | None) -> DffSettings | None:
    """Return how the traces were made; None where they cannot be made otherwise."""
    if recording is None or recording.raw is None:
        return None
    return DffSettings.from_json(recording.traces.made_by)


def same_masks(before: RoiSet | None, after: RoiSet | None) -> bool:
    """Return whether there is nothing to undo between two sets."""
    return (
        before is not None
        and after is not None
        and np.array_equal(before.ids, after.ids)
        and np.array_equal(before.indptr, after.indptr)
        and np.array_equal(before.pixels, after.pixels)
    )
