"""What is drawn of one ROI: F, neuropil and F0, dF/F, and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cebra.traces import DffSettings, dff
from napari_cebra.traces.artefacts import artefacts_of, bad_frames_of
from napari_cebra.traces.preview import Preview, one_column

if TYPE_CHECKING:
    import numpy as np

    from napari_cebra.pipeline.trace_report import TraceReport
    from napari_cebra.recording import Recording
    from napari_cebra.traces import Dff

_UNITS = {
    "dff": "dF/F (%)",
    "raw": "F (counts)",
    "neuropil": "Neuropil (counts)",
    "events": "Events (a.u.)",
    "rates": "Spikes per bin",
    "other": "Activity (a.u.)",
}


@dataclass(frozen=True, eq=False)
class RoiCurves:
    """Curves of one ROI over T frames; None for what there is none of.

    Parameters
    ----------
    raw, neuropil, f0 : (T,) or None
        In counts.
    trace : (T,)
        dF/F in %, or what the recording holds.
    unit : str
        Title of its axis.
    events : (T,) or None
        In units of the noise; NaN where they are not known.
    valid : (T,) bool
        False in frames that are not used.
    warnings : tuple of str
        What is to be said of this ROI.
    f0_name : str
        F0, and of what it is the baseline where that is not the level of F.
    """

    raw: np.ndarray | None
    neuropil: np.ndarray | None
    f0: np.ndarray | None
    trace: np.ndarray
    unit: str
    events: np.ndarray | None
    valid: np.ndarray
    warnings: tuple[str, ...] = ()
    f0_name: str = "F0"


def preview_of(recording: Recording, report: TraceReport | None) -> Preview | None:
    """Return what shows single ROIs under other settings; None without counts."""
    if recording.raw is None or report is None or report.shared is None:
        return None
    rows = ~bad_frames_of(recording)
    return Preview(recording.raw, recording.neuropil, report.shared, rows)


def roi_curves(
    recording: Recording,
    column: int,
    report: TraceReport | None,
    preview: Preview | None = None,
    trying: DffSettings | None = None,
) -> RoiCurves:
    """Return the curves as the recording has them, or as other settings make them.

    Parameters
    ----------
    recording : Recording
    column : int
        The ROI.
    report : TraceReport or None
        Without it F0 is not known.
    preview : Preview, optional
        From `preview_of`.
    trying : DffSettings, optional
        Settings that are not applied.

    Raises
    ------
    InvalidInput
        If the settings that are tried cannot be used for this recording.
    """
    raw, around = (
        None if part is None else part.values[:, column]
        for part in (recording.raw, recording.neuropil)
    )
    roi = int(recording.roi_ids[column])
    warnings = () if report is None else report.warnings.get(roi, ())
    traces = recording.traces
    valid = recording.valid
    made: Dff | None = None
    if preview is not None and trying is not None:
        made = preview.of(column, trying)
        warnings = made.warnings().get(0, ())
        valid = (valid | artefacts_of(recording)) & made.valid
    elif report is not None and raw is not None and traces.made_by.get("step") == "dff":
        made = _as_applied(recording, column, report)
    if made is None:
        values = traces.values[:, column]
        shown = 100 * values if traces.kind == "dff" else values
        unit = _UNITS[traces.kind]
        return RoiCurves(raw, around, None, shown, unit, None, valid, warnings)
    change = made.change[:, 0]
    by = made.traces.made_by
    divided = by["divide_by"] == "F0"
    return RoiCurves(
        raw,
        around,
        made.f0[:, 0],
        100 * change if divided else change,
        _UNITS["dff"] if divided else "F − F0 (counts)",
        None if made.events is None else made.events.in_noise[:, 0],
        valid,
        warnings,
        "F0" if around is None or by["neuropil_centred"] else "F0 of F − r·neuropil",
    )


def _as_applied(recording: Recording, column: int, report: TraceReport) -> Dff:
    """Compute one ROI as it was computed with all others."""
    own, around = (
        one_column(part, column) for part in (recording.raw, recording.neuropil)
    )
    assert own is not None
    settings = DffSettings.from_json(recording.traces.made_by)
    rows, bad = ~bad_frames_of(recording), artefacts_of(recording)
    return dff(own, around, settings, rows, bad, report.fade)
