"""ROIs found by their activity."""

from napari_cebra.traces.detection.detect import (
    Detection,
    SummaryImages,
    detect,
    given_diameter,
    summary_images,
)
from napari_cebra.traces.detection.diameter import SMALLEST
from napari_cebra.traces.detection.settings import DetectionSettings
from napari_cebra.traces.detection.shapes import cellpose_rois

__all__ = [
    "SMALLEST",
    "Detection",
    "DetectionSettings",
    "SummaryImages",
    "cellpose_rois",
    "detect",
    "given_diameter",
    "summary_images",
]
