"""How far the traces of a recording can be trusted, ROI by ROI and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cebra.traces import DffSettings, dff, neuropil_rings
from napari_cebra.traces.artefacts import (
    ARTEFACT,
    BAD_FRAME,
    artefacts_of,
    bad_frames_of,
    frames_marked,
)
from napari_cebra.traces.motion import FAILED
from napari_cebra.traces.preview import SharedCourse, shared_course
from napari_cebra.traces.quality import TraceQuality, trace_quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_cebra.recording import Recording
    from napari_cebra.traces import Dff

_NAMED = 5  # ROIs that a sentence names before it says "and others"


@dataclass(frozen=True, eq=False)
class TraceReport:
    """What is known of the traces beside their values; made again, never saved.

    Parameters
    ----------
    ids : (N,) int64
        ROI of each column.
    quality : TraceQuality
        Its measures.
    warnings : mapping
        ROI id to what is to be said about it, in sentences.
    flagged : tuple of int
        ROIs whose F0 does not stand out of the noise.
    notes : tuple of str
        What is to be said about all of them, in sentences.
    shared : SharedCourse or None
        From which one ROI is computed without the others; None without counts.
    fade : (T,) float64 or None
        Bleaching that F0 follows.
    """

    ids: np.ndarray
    quality: TraceQuality
    warnings: Mapping[int, tuple[str, ...]]
    flagged: tuple[int, ...]
    notes: tuple[str, ...]
    shared: SharedCourse | None = None
    fade: np.ndarray | None = None


def trace_report(recording: Recording, made: Dff | None = None) -> TraceReport:
    """Judge the traces of a recording.

    Parameters
    ----------
    recording : Recording
    made : Dff, optional
        What its traces were taken from; computed again if not given, where the
        recording has the counts they were made from.
    """
    ids, raw, around = recording.roi_ids, recording.raw, recording.neuropil
    rows = ~bad_frames_of(recording)
    if made is None and raw is not None and _is_ours(recording):
        settings = DffSettings.from_json(recording.traces.made_by)
        made = dff(raw, around, settings, rows, artefacts_of(recording))
    change = recording.traces.values if made is None else made.change
    corrected = change if made is None else made.corrected
    quality = trace_quality(change, corrected, raw, around, recording.valid)
    shared = None if raw is None else shared_course(raw, around, rows)
    short = short_rings(recording)
    said: dict[int, tuple[str, ...]] = {}
    if made is not None:
        said = {int(ids[k]): lines for k, lines in made.warnings().items()}
    for roi in ids[short].tolist():
        line = "There is little room for its neuropil ring, so its neuropil is noisy."
        said[roi] = (*said.get(roi, ()), line)
    notes = trace_notes(recording, made, short)
    if made is None:
        return TraceReport(ids, quality, said, (), notes, shared)
    flagged = tuple(ids[made.flagged].tolist())
    return TraceReport(ids, quality, said, flagged, notes, shared, made.fade)


def trace_notes(
    recording: Recording, made: Dff | None, short: np.ndarray | None = None
) -> tuple[str, ...]:
    """Return in sentences what a person must know of the traces as a whole.

    Parameters
    ----------
    recording : Recording
    made : Dff or None
        What its traces were taken from.
    short : (N,) bool, optional
        ROIs whose neuropil ring found too little room.
    """
    ids, n = recording.roi_ids, recording.traces.n_rois
    notes = []
    if made is not None and made.flagged.any():
        named = naming(ids[made.flagged].tolist())
        notes.append(f"{flagged_text(int(made.flagged.sum()), n)} ({named})")
    if made is not None and made.at_bound.any():
        notes.append(
            f"The fitted neuropil coefficient of {_of(made.at_bound, ids)} ended at "
            "its bound; look at the rings, or use a fixed one."
        )
    if made is not None and made.events is not None:
        lost = ~made.events.decay_found
        if lost.any():
            notes.append(
                f"No decay of calcium was found in {_of(lost, ids)}, so the events are "
                "not to be trusted; give the decay of the indicator."
            )
    if short is not None and short.any():
        notes.append(
            f"There is little room for the neuropil ring of {_of(short, ids)}, so the "
            "neuropil is noisy there."
        )
    for reason, what in (
        (ARTEFACT, "are artefacts"),
        (BAD_FRAME, "are marked as bad"),
        (FAILED, "could not be registered"),
    ):
        frames = frames_marked(recording, reason)
        if frames.any():
            notes.append(
                f"{int(frames.sum())} of {frames.size} frames {what}: no fit has seen "
                "them, and they are not used."
            )
    return tuple(notes)


def short_rings(recording: Recording) -> np.ndarray:
    """Return the (N,) ROIs whose ring found too little room, if it is ours."""
    none = np.zeros(recording.traces.n_rois, bool)
    around, rois = recording.neuropil, recording.rois
    if around is None or rois is None or around.made_by.get("step") != "extract":
        return none
    by = around.made_by
    rings = neuropil_rings(rois, by["inner"], by["min_pixels"])
    return none if rings is None else rings.short


def notes_of(recording: Recording) -> tuple[str, ...]:
    """Return what was noted while the recording was read and its traces were made."""
    notes: list[str] = []
    for step in recording.provenance:
        notes += [str(note) for note in step.parameters.get("notes", ())]
    return tuple(dict.fromkeys(notes))


def counted(n: int) -> str:
    """Return a number of ROIs in words: "1 ROI", "12 ROIs"."""
    return "1 ROI" if n == 1 else f"{n} ROIs"


def naming(ids: Iterable[int]) -> str:
    """Return "ROI 3, 7, 9 and others"."""
    names = [str(roi) for roi in ids]
    others = " and others" if len(names) > _NAMED else ""
    return f"ROI {', '.join(names[:_NAMED])}{others}"


def flagged_text(n: int, total: int) -> str:
    """Return what it means that n of the ROIs are flagged."""
    are, their = ("is", "its") if n == 1 else ("are", "their")
    return (
        f"{n} of {counted(total)} {are} flagged: {their} baseline does not stand out "
        f"of the noise, so {their} dF/F is not to be trusted."
    )


def _of(rois: np.ndarray, ids: np.ndarray) -> str:
    return f"{counted(int(rois.sum()))} ({naming(ids[rois].tolist())})"


def _is_ours(recording: Recording) -> bool:
    return recording.traces.made_by.get("step") == "dff"
