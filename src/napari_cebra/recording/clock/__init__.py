"""Imaging, stimulus and behaviour, each on its own clock, brought onto one."""

from napari_cebra.recording.clock.clock_map import ClockMap
from napari_cebra.recording.clock.frames import FrameGaps, find_gaps
from napari_cebra.recording.clock.pairs import Alignment, align_onsets
from napari_cebra.recording.clock.pulses import align_pulses
from napari_cebra.recording.clock.resampling import Resampled, resample, shown_at

__all__ = [
    "Alignment",
    "ClockMap",
    "FrameGaps",
    "Resampled",
    "align_onsets",
    "align_pulses",
    "find_gaps",
    "resample",
    "shown_at",
]
