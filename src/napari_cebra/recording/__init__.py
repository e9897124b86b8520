"""What was measured: ROIs, traces, variables, stimulus. No I/O, no torch."""

from napari_cebra.recording.clock import (
    Alignment,
    ClockMap,
    FrameGaps,
    Resampled,
    align_onsets,
    align_pulses,
    find_gaps,
    resample,
    shown_at,
)
from napari_cebra.recording.errors import InvalidInput, NapariCebraError
from napari_cebra.recording.progress import Progress
from napari_cebra.recording.recording import Recording, Step
from napari_cebra.recording.rois import RoiSet
from napari_cebra.recording.stimulus import Stimulus
from napari_cebra.recording.traces import Traces
from napari_cebra.recording.variable import Variable
from napari_cebra.recording.windows import complete_windows, segments, window_rows

__all__ = [
    "Alignment",
    "ClockMap",
    "FrameGaps",
    "InvalidInput",
    "NapariCebraError",
    "Progress",
    "Recording",
    "Resampled",
    "RoiSet",
    "Step",
    "Stimulus",
    "Traces",
    "Variable",
    "align_onsets",
    "align_pulses",
    "complete_windows",
    "find_gaps",
    "resample",
    "segments",
    "shown_at",
    "window_rows",
]
