"""ROIs found by their activity."""

from napari_cebra.traces.detection.detect import (
    Detection,
    SummaryImages,
    detect,
    summary_images,
)
from napari_cebra.traces.detection.settings import DetectionSettings

__all__ = [
    "Detection",
    "DetectionSettings",
    "SummaryImages",
    "detect",
    "summary_images",
]
