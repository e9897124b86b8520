"""From ROIs to a recording: the long work of step 2."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cebra.pipeline.roi_traces import (
    read_rois,
    roi_traces,
    suite2p_traces,
    with_dff,
)
from napari_cebra.pipeline.trace_report import short_rings, trace_report
from napari_cebra.recording import InvalidInput, Progress, Recording, RoiSet

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cebra.io import Stack
    from napari_cebra.io.suite2p import Suite2pFolder
    from napari_cebra.pipeline.roi_traces import RoiTraces
    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.traces import DffSettings
    from napari_cebra.widgets.opening import Accompaniment
    from napari_cebra.widgets.roi_form import RoiChoice


@dataclass(frozen=True, eq=False)
class Extracted:
    """What step 2 gives."""

    recording: Recording
    report: TraceReport
    mean_image: np.ndarray | None = None


def extracting(
    stack: Stack | None,
    choice: RoiChoice,
    rois: RoiSet | None,
    settings: DffSettings,
    accompaniment: Accompaniment,
) -> Generator[Progress, None, Extracted]:
    """Take traces from the stack, or from a suite2p folder that brings its own.

    Parameters
    ----------
    stack : Stack or None
        None where only a suite2p folder is there.
    choice : RoiChoice
        Source of the ROIs.
    rois : RoiSet or None
        ROIs of a layer, or those already open; read from the source if None.
    settings : DffSettings
    accompaniment : Accompaniment
        Variables and stimulus to attach.
    """
    yield Progress(0, 0, "", "Reading the ROIs")
    if choice.source == "suite2p":
        folder = _suite2p(choice, stack)
        if stack is None or not choice.reextract:
            made = suite2p_traces(folder, settings)
            return _extracted(made, accompaniment)
        rois = folder.rois
    if stack is None:
        raise InvalidInput("There is no stack to take traces from; load one in step 1.")
    if rois is None:
        rois = read_rois(_named(choice), stack.shape[1:])
    made = yield from roi_traces(stack, rois, settings)
    return _extracted(made, accompaniment)


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


def _named(choice: RoiChoice) -> str:
    text = rois_text(choice)
    if text is None:
        raise InvalidInput("No file is chosen; choose a label image above.")
    return text


def _extracted(made: RoiTraces, accompaniment: Accompaniment) -> Extracted:
    mean = None if made.extraction is None else made.extraction.mean_image
    recording = accompaniment.attach(made.recording)
    return Extracted(recording, trace_report(recording, made.made), mean)


def _suite2p(choice: RoiChoice, stack: Stack | None) -> Suite2pFolder:
    from napari_cebra.io import read_suite2p

    if choice.path is None:
        raise InvalidInput("No folder is chosen; choose a suite2p folder above.")
    rate = None if stack is None else stack.rate
    shape = None if stack is None else stack.shape[1:]
    made = read_suite2p(choice.path, rate=rate, shape=shape)
    if stack is not None and made.raw.n_frames != stack.shape[0]:
        raise InvalidInput(
            f"The suite2p folder has traces of {made.raw.n_frames} frames but the "
            f"stack has {stack.shape[0]}; choose the folder of this stack."
        )
    return made
