"""From a stack and its ROIs to a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cebra.pipeline.motion import corrected_stack, with_motion
from napari_cebra.pipeline.trace_report import trace_notes
from napari_cebra.recording import InvalidInput, Recording, RoiSet
from napari_cebra.traces import (
    Dff,
    DffSettings,
    Extraction,
    dff,
    extract,
    mark_artefacts,
)
from napari_cebra.traces.artefacts import BAD_FRAME, bad_frames_of
from napari_cebra.traces.pictures import MOST_FRAMES

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np

    from napari_cebra.io import Stack
    from napari_cebra.io.roi_file import RoiFile
    from napari_cebra.io.suite2p import Suite2pFolder
    from napari_cebra.recording import Progress, Traces
    from napari_cebra.traces.motion import Motion


@dataclass(frozen=True, eq=False)
class RoiTraces:
    """A recording and what it was made from.

    Parameters
    ----------
    recording : Recording
        dF/F with the raw and neuropil traces kept beside it.
    made : Dff or None
        F0, corrected fluorescence, noise and flagged ROIs; None for traces that
        another program made ready.
    extraction : Extraction or None
        Mean image and the like; None for traces that came ready.
    """

    recording: Recording
    made: Dff | None = None
    extraction: Extraction | None = None


def roi_traces(
    stack: Stack,
    rois: RoiSet,
    settings: DffSettings | None = None,
    motion: Motion | None = None,
) -> Generator[Progress, None, RoiTraces]:
    """Extract the accepted ROIs in one pass and compute their dF/F.

    Parameters
    ----------
    stack : Stack
    rois : RoiSet
    settings : DffSettings, optional
    motion : Motion, optional
        Of the stack; undone as it is read. Rows whose frame could not be
        registered are not used.

    Yields
    ------
    Progress
        In frames.

    Raises
    ------
    InvalidInput
        If no ROI is accepted, or stack and ROIs do not fit.
    """
    settings = DffSettings() if settings is None else settings
    kept = rois.select(rois.accepted)
    if len(kept) == 0:
        raise InvalidInput(
            "None of the ROIs is accepted, so there is nothing to extract; accept at "
            "least one."
        )
    still = corrected_stack(stack, motion)
    extraction = yield from extract(still, kept, pictures=MOST_FRAMES)
    used = None if motion is None else ~motion.failed
    made = dff(extraction.raw, extraction.neuropil, settings, used)
    recording = Recording(
        made.traces,
        rois=kept,
        raw=extraction.raw,
        neuropil=extraction.neuropil,
        name=stack.name,
    )
    recording = with_motion(recording, motion)
    source = () if stack.source is None else (stack.source.path,)
    recording = recording.with_step("extract", *source, rois=len(kept), kind=kept.kind)
    short = None if extraction.rings is None else extraction.rings.short
    return RoiTraces(with_dff(recording, made, short), made, extraction)


def suite2p_traces(
    folder: Suite2pFolder,
    settings: DffSettings | None = None,
    accepted_only: bool = True,
    name: str = "suite2p",
) -> RoiTraces:
    """Take the traces a suite2p folder brings, and compute their dF/F.

    Raises
    ------
    InvalidInput
        If the folder accepts no cell.
    """
    return _brought(
        folder.rois,
        folder.raw,
        folder.neuropil,
        settings,
        accepted_only,
        ("suite2p", name),
        folder.bad_frames,
        notes=list(folder.notes),
    )


def program_traces(
    file: RoiFile,
    settings: DffSettings | None = None,
    accepted_only: bool = True,
    name: str = "",
) -> RoiTraces:
    """Take the traces that came with ROIs, `RoiFile.activity`.

    Raw traces are kept and their dF/F is computed here, so that its baseline can
    be fitted again without held-out rows; others are used as they are.

    Raises
    ------
    InvalidInput
        If there are none, or the file accepts no ROI.
    """
    name = name or file.source.name
    if file.activity is None:
        raise InvalidInput(
            f"{name} holds ROIs but no traces of them; give the stack they belong to "
            "as well."
        )
    return _brought(
        file.rois,
        file.activity,
        file.traces.get("neuropil"),
        settings,
        accepted_only,
        (file.program, name),
        file.bad_frames,
        notes=list(file.notes),
    )


def _brought(
    rois: RoiSet,
    activity: Traces,
    neuropil: Traces | None,
    settings: DffSettings | None,
    accepted_only: bool,
    origin: tuple[str, str],
    bad_frames: np.ndarray | None = None,
    **told: object,
) -> RoiTraces:
    program, name = origin
    settings = DffSettings() if settings is None else settings
    if accepted_only:
        keep = rois.accepted
        if not keep.any():
            raise InvalidInput(
                f"{program} accepts no cell in {name}; curate it there, or load all "
                "of its ROIs."
            )
        rois, activity = rois.select(keep), _columns(activity, keep)
        neuropil = None if neuropil is None else _columns(neuropil, keep)
    is_raw = activity.kind == "raw"
    recording = Recording(
        activity,
        rois=rois,
        raw=activity if is_raw else None,
        neuropil=neuropil if is_raw else None,
        name=name,
    ).with_step(f"read {program}", name, accepted_only=accepted_only, **told)
    if bad_frames is not None and bad_frames.any():
        recording = recording.exclude(bad_frames, BAD_FRAME)
    if not is_raw:
        return RoiTraces(recording)
    made = dff(activity, neuropil, settings, ~bad_frames_of(recording))
    return RoiTraces(with_dff(recording, made), made)


def read_rois(text: str, shape: tuple[int, int]) -> RoiSet:
    """Return ROIs as the command line names them.

    Parameters
    ----------
    text : str
        "grid:N" for tiles of N × N pixels, or a file or folder that
        `napari_cebra.io.read_roi_file` reads.
    shape : (Y, X)
        Field of view.

    Raises
    ------
    InvalidInput
        If it is none of these, or belongs to another field of view.
    """
    if text.startswith("grid:"):
        tile = text.removeprefix("grid:")
        if not tile.isdigit():
            raise InvalidInput(
                f"ROIs {text!r} are not understood: grid:N needs a whole number of "
                "pixels, as in grid:8."
            )
        return RoiSet.grid(shape, int(tile))
    from napari_cebra.io import read_roi_file

    return read_roi_file(text, shape).rois


def with_dff(
    recording: Recording, made: Dff, short: np.ndarray | None = None
) -> Recording:
    """Return the recording with dF/F as it was made, its artefacts and its notes.

    What an earlier dF/F noted is forgotten with it.

    Parameters
    ----------
    recording : Recording
    made : Dff
        From its counts.
    short : (N,) bool, optional
        ROIs whose neuropil ring found too little room.
    """
    recording = replace(mark_artefacts(recording, ~made.valid), traces=made.traces)
    before = tuple(step for step in recording.provenance if step.name != "dff")
    recording = replace(recording, provenance=before)
    notes = list(trace_notes(recording, made, short))
    settings = DffSettings.from_json(made.traces.made_by)
    return recording.with_step("dff", notes=notes, **settings.to_json())


def _columns(traces: Traces, keep: np.ndarray) -> Traces:
    return replace(traces, values=traces.values[:, keep])
