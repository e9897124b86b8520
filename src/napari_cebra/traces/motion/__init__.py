"""Motion of a stack: estimated, reported, and undone as frames are read."""

from napari_cebra.traces.motion.corrected import CorrectedFrames
from napari_cebra.traces.motion.register import register
from napari_cebra.traces.motion.result import FAILED, Motion, MotionQuality
from napari_cebra.traces.motion.settings import MotionSettings

__all__ = [
    "FAILED",
    "CorrectedFrames",
    "Motion",
    "MotionQuality",
    "MotionSettings",
    "register",
]
